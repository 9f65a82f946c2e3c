//! A shared struct with something in it that is not plain data.

/// What a shared struct does with each of its fields.
fn share(_: impl replug::wire::Plain) {}

fn main() {
    share(String::new());
    share("text");
    share(Some(1_u64));
}
