//! An `async fn` that takes what is only lent for the call.

replug::interface! {
    /// Answers.
    pub interface Desk, plugin trait Respond, version 1 {
        /// An answer to a request.
        async fn respond(request: &str) -> String;
    }
}

fn main() {}
