//! The handler of requests. Change something here while the server runs, and then `cargo build -p server_handler`.
//!
//! Several requests are answered at once.

use server_interface::{Handler, Request, Respond, Response};

/// The greeting for everybody. Edit me.
const GREETING: &str = "hello";

struct Desk;

impl Respond for Desk {
    async fn respond(request: Request) -> Response {
        let words: Vec<&str> = request.path.split('/').skip(1).collect();
        Response::Found(match words[..] {
            ["greet", name] => format!("{GREETING}, {name}"),
            // Panics on nonsense: the server gets the panic as an error, and goes on.
            ["divide", one, other] => (number(one) / number(other)).to_string(),
            ["count"] => request.body.len().to_string(),
            // Takes a while. A reload meanwhile changes nothing for this request.
            ["wait"] => {
                println!("a request waits");
                match request.pause.await {
                    Ok(()) => format!("{GREETING}, at last"),
                    Err(error) => error.to_string(),
                }
            }
            _ => return Response::Missing,
        })
    }
}

fn number(text: &str) -> i64 {
    text.parse().expect("a number")
}

replug_plugin::export!(Desk: Handler);
