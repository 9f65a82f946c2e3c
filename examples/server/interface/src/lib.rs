//! What the server and its handler share. Both are built from this file, and replug compares them.

use replug_derive::Shared;
use replug_plugin::Pending;

/// A request.
#[derive(Debug, Shared)]
pub struct Request {
    /// What is asked for, such as `/greet/you`.
    pub path: String,
    /// What came with it.
    pub body: Vec<u8>,
    /// A while that whoever waits for it waits for. The handler has no timers: these are the server's.
    pub pause: Pending<()>,
}

/// A response.
#[derive(Debug, Shared)]
pub enum Response {
    /// What was asked for.
    Found(String),
    /// There is no such thing.
    Missing,
}

replug_plugin::interface! {
    /// The handler of requests.
    pub interface Handler, plugin trait Respond, version 1 {
        /// The response to one request.
        async fn respond(request: Request) -> Response;
    }
}
