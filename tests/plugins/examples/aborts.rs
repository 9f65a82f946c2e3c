//! A plugin that would end its host by a panic. Tests build the plugin with `panic = "abort"`.

fixtures::fixture!(|number| number);
fixtures::constructor!();
