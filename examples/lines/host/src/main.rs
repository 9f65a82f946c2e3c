//! A server of lines whose handler is a plugin. `cargo build -p line_handler && cargo run -p line_server`
//!
//! The server watches the library of the package `line_handler`, or the library that its first argument names. It
//! listens on 127.0.0.1, at the port that its second argument names.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use line_interface::Handler;
use replug::{Caller, Host, Options, Sink};

const PORT: u16 = 7878;

/// How many connections are served at a time.
const WORKERS: usize = 4;

/// How soon the server ends when it is told to.
const PATIENCE: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&is_over);
    ctrlc::set_handler(move || signalled.store(true, Ordering::Relaxed))?;

    let library = match env::args_os().nth(1) {
        Some(path) => Options::new(path),
        None => Options::package("line_handler")?,
    };
    let mut host = Host::<Handler>::watch(library)?;
    let handle = host.handle();
    let port = env::args().nth(2).map_or(Ok(PORT), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("listening on {}", listener.local_addr()?);
    for number in 1..=WORKERS {
        let (listener, caller) = (listener.try_clone()?, handle.caller());
        let worker = thread::Builder::new().name(format!("worker {number}"));
        worker.spawn(move || work(&listener, caller))?;
    }
    // The owner thread does nothing but reload. No worker waits for it, and it waits for none.
    while !is_over.load(Ordering::Relaxed) {
        if let Some(outcome) = host.wait(PATIENCE) {
            println!("{outcome}");
        }
    }
    Ok(())
}

fn work(listener: &TcpListener, mut handler: Caller<Handler>) {
    loop {
        let served = listener.accept();
        let served = served.and_then(|(stream, _)| serve(&stream, &mut handler));
        if let Err(error) = served {
            println!("a connection ended early: {error}");
        }
    }
}

fn serve(mut stream: &TcpStream, handler: &mut Caller<Handler>) -> io::Result<()> {
    for request in BufReader::new(stream).lines() {
        let mut response = Vec::new();
        // A request ends on the generation it began on. The next request, on the same connection, may meet another
        // generation. Until then this worker keeps the old generation from being stopped; a handler with a `stop` is
        // better called by `handle.live()`.
        let handled = handler.live().respond(&request?, Sink::new(&mut response));
        let goes_on = handled.unwrap_or_else(|error| {
            response = format!("sorry: {error}").into_bytes();
            true
        });
        if !goes_on {
            break;
        }
        response.push(b'\n');
        stream.write_all(&response)?;
    }
    Ok(())
}
