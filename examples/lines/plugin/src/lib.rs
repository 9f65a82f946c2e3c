//! The handler of requests. Change something here while the server runs, and then `cargo build -p line_handler`.
//!
//! Several threads call the handler at once.

use std::fmt::Write;

use line_interface::{Handler, Respond};
use replug_plugin::Sink;

/// The greeting for everybody. Edit me.
const GREETING: &str = "hello";

struct Desk;

impl Respond for Desk {
    fn respond(request: &str, mut response: Sink<'_>) -> bool {
        let words: Vec<&str> = request.split_whitespace().collect();
        let written = match words[..] {
            ["greet", name] => write!(response, "{GREETING}, {name}"),
            ["divide", one, other] => write!(response, "{}", divide(one, other)),
            ["quit"] => return false,
            _ => write!(response, "say `greet NAME`, `divide N N` or `quit`"),
        };
        // Writing to a sink cannot fail.
        written.is_ok()
    }
}

/// Divides one number by the other. Panics on nonsense: the server gets the panic as an error, and goes on.
fn divide(one: &str, other: &str) -> i64 {
    let [one, other] = [one, other].map(|number| number.parse::<i64>().expect("a number"));
    one / other
}

replug_plugin::export!(Desk: Handler);
