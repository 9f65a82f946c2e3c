//! A small web server whose handler is a plugin. It listens on 127.0.0.1, at the port that its first argument names.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use interface::{Handler, Request, Response};
use replug::{Handle, Host, Options};

const PORT: u16 = 7878;

/// How many requests are answered at a time.
const WORKERS: usize = 4;

/// How soon the server ends when it is told to.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long a client may take to ask, or to take the response.
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let signalled = Arc::clone(&is_over);
    ctrlc::set_handler(move || signalled.store(true, Ordering::Relaxed))?;

    let port = env::args().nth(1).map_or(Ok(PORT), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let library = Options::package("{{name}}-handler")?;
    let mut host = Host::<Handler>::watch(library)?;
    println!("listening on {}", listener.local_addr()?);
    for number in 1..=WORKERS {
        let (listener, handle) = (listener.try_clone()?, host.handle());
        let worker = thread::Builder::new().name(format!("worker {number}"));
        worker.spawn(move || work(&listener, &handle))?;
    }
    // The owner thread does nothing but reload. No request waits for it, and it waits for none.
    while !is_over.load(Ordering::Relaxed) {
        if let Some(outcome) = host.wait(PATIENCE) {
            println!("{outcome}");
        }
    }
    Ok(())
}

fn work(listener: &TcpListener, handle: &Handle<Handler>) {
    loop {
        let served = listener
            .accept()
            .and_then(|(stream, _)| serve(&stream, handle));
        if let Err(error) = served {
            println!("a connection ended early: {error}");
        }
    }
}

fn serve(mut stream: &TcpStream, handle: &Handle<Handler>) -> io::Result<()> {
    stream.set_read_timeout(Some(CLIENT_PATIENCE))?;
    stream.set_write_timeout(Some(CLIENT_PATIENCE))?;
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    // The headers, up to an empty line. This handler asks for none of them.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    // The request ends on the generation on which it begins here.
    let (status, text) = match handle.live().respond(Request { path }) {
        Ok(Response::Found(text)) => ("200 OK", text),
        Ok(Response::Missing) => ("404 Not Found", "there is no such thing\n".to_owned()),
        Err(error) => ("500 Internal Server Error", format!("sorry: {error}\n")),
    };
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{text}"
    )
}
