//! Declarations that are written in another way than any is.

mod body {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// A good one.
            fn number() -> u32;
            /// One with a body.
            fn twice(number: u32) -> u32 {
                2 * number
            }
        }
    }
}

mod receiver {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// One that is called on something.
            fn number(&self) -> u32;
        }
    }
}

mod parameters {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// One for any type.
            fn show<T>(value: T);
        }
    }
}

mod visibility {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// One that says who sees it.
            pub fn number() -> u32;
        }
    }
}

mod pattern {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// One that changes its argument.
            fn twice(mut number: u32) -> u32;
        }
    }
}

mod nothing {
    replug::interface! {
        /// Does nothing.
        pub interface Nothing, plugin trait Rest, version 1 {}
    }
}

mod unsafety {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// One that is more than it says.
            unsafe fn number() -> u32;
        }
    }
}

mod no_version {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do {
            /// A number.
            fn number() -> u32;
        }
    }
}

mod no_host {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// A number.
            fn number() -> u32;
        }
        /// A trait of nobody's.
        trait Engine {
            /// Shows a line.
            fn log(&mut self, line: &str);
        }
    }
}

mod body_of_the_host {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// A number.
            fn number(engine: &dyn Engine) -> u32;
        }
        /// What the host offers.
        host trait Engine {
            /// Shows a line.
            fn log(&self, line: &str) {
                println!("{line}")
            }
        }
    }
}

mod taken_by_value {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// A number.
            fn number(engine: &dyn Engine) -> u32;
        }
        /// What the host offers.
        host trait Engine {
            /// Ends it.
            fn end(self);
        }
    }
}

mod parameters_of_the_host {
    replug::interface! {
        /// Does something.
        pub interface Something, plugin trait Do, version 1 {
            /// A number.
            fn number(engine: &dyn Engine) -> u32;
        }
        /// What the host offers.
        host trait Engine {
            /// Shows anything.
            fn show<T>(&self, value: T);
        }
    }
}

fn main() {}
