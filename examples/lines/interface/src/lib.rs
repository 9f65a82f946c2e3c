//! The interface between the server and its handler. Both are built from this file, and replug compares them.

use replug_plugin::Sink;

replug_plugin::interface! {
    /// The handler of requests.
    pub interface Handler, plugin trait Respond, version 1 {
        /// Writes the response to one request, a line. Says whether the client may ask again.
        fn respond(request: &str, response: Sink<'_>) -> bool;
    }
}
