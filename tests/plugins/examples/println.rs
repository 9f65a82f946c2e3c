//! A plugin that prints.

use std::io::{self, Write};

fixtures::fixture!(|number| {
    // A character that cannot be seen between the lines of the tests.
    print!("\r");
    io::stdout().flush().unwrap();
    number
});
