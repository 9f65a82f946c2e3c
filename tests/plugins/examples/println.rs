//! Prints.

use std::io::{self, Write};

fixtures::fixture!(|number| {
    // Nothing that could be seen between the lines of the tests.
    print!("\r");
    io::stdout().flush().unwrap();
    number
});
