//! Would end its host by a panic. Tests build it with `panic = "abort"`.

fixtures::fixture!(|number| number);
fixtures::constructor!();
