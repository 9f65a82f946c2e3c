//! The handler of requests. Change something here while the server runs.
//!
//! Several threads call the handler at once.

use interface::{Handler, Request, Respond, Response};

/// The greeting for everybody. Edit me.
const GREETING: &str = "hello";

struct Desk;

impl Respond for Desk {
    fn respond(request: Request) -> Response {
        match request.path.strip_prefix("/greet/") {
            Some(name) => Response::Found(format!("{GREETING}, {name}\n")),
            None => Response::Missing,
        }
    }
}

replug_plugin::export!(Desk: Handler);
