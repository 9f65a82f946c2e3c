//! A shared struct with something in it that is not plain data.

/// A function that takes any type which a field of a shared struct can have.
fn share(_: impl replug::wire::Plain) {}

fn main() {
    share(String::new());
    share("text");
    share(Some(1_u64));
}
