//! A doorbell: code that a test started elsewhere rings when it comes to a certain place, and the test hears of its
//! end.

use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::{DEADLINE, Scratch, wait_until};

/// A socket that code connects to when it arrives, and stays connected to for as long as its process lives.
pub struct Doorbell {
    path: PathBuf,
    listener: UnixListener,
}

/// A process that has rung the bell.
pub struct Visitor(UnixStream);

impl Doorbell {
    /// A doorbell in `scratch`, of which there can be one.
    pub fn new(scratch: &Scratch) -> Doorbell {
        let path = scratch.join("doorbell");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Doorbell { path, listener }
    }

    /// The path of the socket, for whoever is to ring.
    pub fn path(&self) -> &Path {
        &self.path
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
