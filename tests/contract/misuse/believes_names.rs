//! Functions that are believed to be what their names say, without anybody's word for it.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use replug::table::Image;
use replug::{Host, Interface, Raw, TextFunction};

replug::interface! {
    /// Counts.
    interface Counter, plugin trait Count, version 1 {
        /// The next number.
        fn count() -> u64;
    }
}

fn text() -> TextFunction {
    TextFunction::new(c"plugin_function")
}

fn symbol(image: &Image, name: &CStr) -> NonNull<c_void> {
    image.symbol(name).unwrap()
}

fn function(host: &Host<Raw>) -> Option<fn()> {
    host.get::<fn()>(c"plugin_function")
}

fn table(of_another: &u64) -> Counter {
    Counter::copy((&raw const *of_another).cast())
}

fn main() {}
