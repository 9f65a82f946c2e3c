//! A plugin that keeps something on each thread that called it, which is dropped when the thread ends.

use std::cell::RefCell;

thread_local! {
    static SEEN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fixtures::fixture!(|number| SEEN.with_borrow_mut(|seen| {
    seen.push(number);
    seen.len() as u64
}));
