//! A plugin whose state has a thread that asks for the state itself, and that notes when it is dropped.

#![allow(unsafe_code)]

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use fixtures::diary::note;
use replug_plugin::{HookError, Hooks};
use serde::{Deserialize, Serialize};

/// Numbers that `act` takes for an order.
const STOP_PANICS: u64 = 1;
const IS_HELD: u64 = 2;

static DOES_STOP_PANIC: AtomicBool = AtomicBool::new(false);
static IS_STATE_HELD: AtomicBool = AtomicBool::new(false);

#[derive(Default, Serialize, Deserialize)]
struct Book {
    calls: u64,
    #[serde(skip)]
    _worker: Worker,
}

struct Worker(Option<(Sender<()>, JoinHandle<()>)>);

impl Default for Worker {
    fn default() -> Worker {
        let (sender, receiver) = channel();
        let work = move || {
            let _ = receiver.recv();
            // Once more, at the end: as the plugin is stopped, this panics.
            This::state().calls += 1;
        };
        Worker(Some((sender, thread::spawn(work))))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            let joined = thread.join();
            note(if joined.is_err() {
                "the state is gone"
            } else {
                "a new state"
            });
        }
    }
}

fixtures::fixture!(
    |number| match number {
        STOP_PANICS => {
            DOES_STOP_PANIC.store(true, Ordering::Relaxed);
            0
        }
        IS_HELD => u64::from(IS_STATE_HELD.load(Ordering::Relaxed)),
        0 => {
            let mut book = This::state();
            book.calls += 1;
            book.calls
        }
        bell => {
            let _book = This::state();
            IS_STATE_HELD.store(true, Ordering::Relaxed);
            let bell: *const () = ptr::with_exposed_provenance(bell as usize);
            // SAFETY: the test that gave the address made it of such a function, in this process.
            let bell = unsafe { mem::transmute::<*const (), extern "C" fn() -> u64>(bell) };
            bell()
        }
    },
    Hooks,
    state: Book as serde_json
);

impl Hooks for This {
    fn stop() -> Result<(), HookError> {
        assert!(!DOES_STOP_PANIC.load(Ordering::Relaxed), "stop went wrong");
        Ok(())
    }
}
