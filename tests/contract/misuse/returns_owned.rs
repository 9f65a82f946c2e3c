//! Functions that return memory of the plugin's allocator, or a pointer into the plugin.

/// What a function of an interface does with what it returns.
fn give<T: replug::wire::Answer>(_: T) {}

fn main() {
    give(String::new());
    give(vec![1_u8]);
    give(&1_u64);
}
