//! Functions that return memory of the plugin's allocator, or a pointer into the plugin.

/// A function that takes any type which a function of an interface can return.
fn give<T: replug::wire::Answer>(_: T) {}

fn main() {
    give(String::new());
    give(vec![1_u8]);
    give(&1_u64);
}
