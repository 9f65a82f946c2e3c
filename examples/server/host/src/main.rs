//! A web server, by axum, whose handler is a plugin. `cargo build -p server_handler && cargo run -p server`
//!
//! The server watches the library of the package `server_handler`, or the library that its first argument names. It
//! listens on 127.0.0.1, at the port that its second argument names.

use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use replug::{Handle, Host, Options, Pending};
use server_interface::{Handler, Request, Response};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const PORT: u16 = 7879;

/// The pause that a request can have.
const PAUSE: Duration = Duration::from_millis(500);

/// How soon the server ends when it is told to.
const PATIENCE: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&is_over);
    ctrlc::set_handler(move || signalled.store(true, Ordering::Relaxed))?;

    let library = match env::args_os().nth(1) {
        Some(path) => Options::new(path),
        None => Options::package("server_handler")?,
    };
    let mut host = Host::<Handler>::watch(library)?;
    let handle = host.handle();
    let port = env::args().nth(2).map_or(Ok(PORT), |port| port.parse())?;
    let runtime = Runtime::new()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port)))?;
    println!("listening on {}", listener.local_addr()?);
    let app = Router::new().fallback(move |uri, body| respond(handle.clone(), uri, body));
    runtime.spawn(async { axum::serve(listener, app).await });
    // The owner thread does nothing but reload. No request waits for it, and it waits for none.
    while !is_over.load(Ordering::Relaxed) {
        if let Some(outcome) = host.wait(PATIENCE) {
            println!("{outcome}");
        }
    }
    Ok(())
}

async fn respond(handle: Handle<Handler>, uri: Uri, body: Bytes) -> (StatusCode, String) {
    let request = Request {
        path: uri.path().to_owned(),
        body: body.into(),
        pause: Pending::new(async { tokio::time::sleep(PAUSE).await }),
    };
    // The request ends on the generation on which it begins here.
    let pending = handle.live().respond(request);
    match pending.await {
        Ok(Response::Found(text)) => (StatusCode::OK, text),
        Ok(Response::Missing) => (StatusCode::NOT_FOUND, uri.path().to_owned()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("sorry: {error}")),
    }
}
