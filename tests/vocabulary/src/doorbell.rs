//! A doorbell: code that a test started elsewhere rings when it comes to a certain place, and the test hears of its
//! end.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use crate::{DEADLINE, wait_until};

/// A socket of this machine that code connects to when it arrives, and stays connected to for as long as its process lives.
pub struct Doorbell {
    address: String,
    listener: TcpListener,
}

/// A process that has rung the bell.
pub struct Visitor(TcpStream);

impl Doorbell {
    /// A doorbell, at an address that nobody else has.
    pub fn new() -> Doorbell {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Doorbell { address, listener }
    }

    /// The address of the socket, for whoever is to ring.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until somebody rings.
    #[track_caller]
    pub fn wait(&self) -> Visitor {
        let mut visitor = None;
        wait_until("ring at the doorbell", || {
            visitor = self.listener.accept().ok();
            visitor.is_some()
        });
        let (stream, _) = visitor.unwrap();
        stream.set_nonblocking(false).unwrap();
        Visitor(stream)
    }
}

impl Visitor {
    /// Waits until the visitor's process has ended.
    #[track_caller]
    pub fn wait_for_end(mut self) {
        self.0.set_read_timeout(Some(DEADLINE)).unwrap();
        match self.0.read(&mut [0]) {
            Ok(0) => {}
            Ok(_) => panic!("a visitor says nothing"),
            // Bytes that were left unread at the visitor's end make it a reset instead.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("whoever rang is still there: {error}"),
        }
    }
}
