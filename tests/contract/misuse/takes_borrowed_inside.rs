//! What holds something borrowed does not cross: one error for each argument, which says what does.

replug::interface! {
    pub interface Texts, plugin trait Read, version 1 {
        fn perhaps(text: Option<&str>);
        fn both(pair: (&str, u32)) -> u32;
    }
}

fn main() {}
