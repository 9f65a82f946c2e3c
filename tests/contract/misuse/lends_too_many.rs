//! A declaration with functions that take more of what is offered than a call has room for.

replug::interface! {
    /// Looks at many things.
    pub interface Looker, plugin trait Look, version 1 {
        /// At five at once.
        fn look(a: &dyn Thing, b: &mut dyn Thing, c: &dyn Thing, d: &dyn Thing, e: &dyn Thing);
    }
    /// What is looked at.
    host trait Thing {
        /// How large it is.
        fn size(&self) -> u64;
    }
    /// What looks on.
    host trait Watch {
        /// At five at once, too.
        fn touch(&self, a: &dyn Thing, b: &dyn Thing, c: &dyn Thing, d: &dyn Thing, e: &mut dyn Thing);
    }
}

fn main() {}
