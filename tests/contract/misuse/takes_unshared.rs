//! Functions that take a struct whose layout is nobody's promise, by each way.

pub struct State {
    pub count: u64,
    pub is_done: bool,
}

/// What a function of an interface does with each thing that it takes.
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
