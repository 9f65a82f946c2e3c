//! What the server and its handler share. Both are built from this file, and replug compares them.

use replug_derive::Shared;

/// A request.
#[derive(Debug, Shared)]
pub struct Request {
    /// What is asked for, such as `/greet/you`.
    pub path: String,
}

/// A response.
#[derive(Debug, PartialEq, Shared)]
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
        fn respond(request: Request) -> Response;
    }
}
