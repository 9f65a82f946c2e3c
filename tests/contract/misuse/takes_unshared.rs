//! Functions that take a struct whose layout is nobody's promise, by each way.

pub struct State {
    pub count: u64,
    pub is_done: bool,
}

/// A function that takes any type which a function of an interface can take.
fn take(_: impl replug::wire::Argument) {}

fn main() {
    let mut state = State {
        count: 0,
        is_done: false,
    };
    take(&state);
    take(&mut state);
    take(state);
}
