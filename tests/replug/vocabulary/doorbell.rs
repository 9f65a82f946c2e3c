//! How a test learns that code it started elsewhere has come to a certain place, and that it has ended.

use std::io::Read;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::Scratch;
use super::program::{DEADLINE, wait_until};

/// A socket to connect to on arrival, and to stay connected to for life.
pub struct Doorbell {
    path: PathBuf,
    listener: UnixListener,
}

/// Whoever rang.
pub struct Visitor(UnixStream);

impl Doorbell {
    pub fn new(scratch: &Scratch) -> Doorbell {
        let path = scratch.join("doorbell");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Doorbell { path, listener }
    }

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
            // What was left unread at its end makes it a reset instead.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("whoever rang is still there: {error}"),
        }
    }
}
