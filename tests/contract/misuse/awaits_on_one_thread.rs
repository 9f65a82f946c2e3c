//! A plugin whose `async fn` holds what is for one thread while it waits.

use std::rc::Rc;

replug::interface! {
    /// Answers.
    pub interface Desk, plugin trait Respond, version 1 {
        /// An answer to a request.
        async fn respond(request: String) -> String;
    }
}

struct Mine;

impl Respond for Mine {
    async fn respond(request: String) -> String {
        let shared = Rc::new(request);
        std::future::ready(()).await;
        shared.to_string()
    }
}

replug::export!(Mine: Desk);

fn main() {}
