//! Seats: which threads still have something to do with an image. Each such thread has a seat in the image's house;
//! an image with an empty house can be unmapped.
//!
//! A plugin's requests to libc for its threads are kept here, in the thread's seat, and carried out by code of the
//! host when the thread ends. So no code of an image is ever the last to run on a thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use replug_plugin::__private::{Attach, Destructor};

/// How often an ending thread goes through its keys, as POSIX has it.
const ROUNDS: usize = 4;

/// A house: the seats of one image, and the keys that the image made.
#[derive(Debug)]
pub(super) struct House {
    /// The function that took the services, by which the image is found.
    pub(super) attach: Attach,
    /// Whether the image is to be unmapped one day, so that threads leave it.
    pub(super) is_to_go: bool,
    pub(super) keys: Mutex<Vec<Option<Key>>>,
    pub(super) taken: Mutex<Taken>,
    /// Whether the image is being unmapped. What it registers now for this thread ends with its last destructor; what
    /// would last longer is refused.
    pub(super) is_closing: AtomicBool,
    /// A signal that the image has handled.
    pub(super) signal: OnceLock<c_int>,
    /// A function by which the image can still be reached, and that it did not import but look up.
    pub(super) way_back: OnceLock<&'static str>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) destructor: Option<Destructor>,
}

#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) last: u64,
    pub(super) seats: BTreeMap<u64, Sitter>,
}

/// A thread that has a seat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sitter {
    /// The thread's number in the system, 0 before the thread runs.
    pub(super) id: i32,
    /// Whether the image started the thread.
    pub(super) was_started: bool,
}

/// A seat: the destructors and the values that one thread keeps for one image.
pub(super) struct Seat {
    pub(super) house: Arc<House>,
    pub(super) number: u64,
    pub(super) was_started: bool,
    pub(super) destructors: Vec<(Destructor, *mut c_void)>,
    pub(super) values: Vec<*mut c_void>,
    /// Whether the thread was to leave the image while a plugin could visit the host.
    pub(super) leaves_later: bool,
}

impl House {
    pub(super) fn new(attach: Attach, is_to_go: bool) -> House {
        House {
            attach,
            is_to_go,
            keys: Mutex::default(),
            taken: Mutex::default(),
            is_closing: AtomicBool::default(),
            signal: OnceLock::new(),
            way_back: OnceLock::new(),
        }
    }

    pub(super) fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keys(&self) -> MutexGuard<'_, Vec<Option<Key>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn key(&self, index: usize) -> Option<Key> {
        self.keys().get(index).copied().flatten()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::SeqCst)
    }
}

/// The house of the image that asks.
///
/// # Safety
///
/// `image` comes from services that were not taken back.
pub(super) unsafe fn house_of(image: *const c_void) -> Arc<House> {
    let house = image.cast::<House>();
    // SAFETY: the services hold a count of the house for as long as the image is mapped.
    unsafe { Arc::increment_strong_count(house) };
    // SAFETY: the count that was just added is the one that this takes.
    unsafe { Arc::from_raw(house) }
}

impl Seat {
    pub(super) fn new(house: Arc<House>, sitter: Sitter) -> Seat {
        let mut taken = house.taken();
        taken.last += 1;
        let number = taken.last;
        taken.seats.insert(number, sitter);
        drop(taken);
        Seat {
            house,
            number,
            was_started: sitter.was_started,
            destructors: Vec::new(),
            values: Vec::new(),
            leaves_later: false,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.house.taken().seats.remove(&self.number);
    }
}

/// The seats of one thread.
type Seats = RefCell<Vec<Seat>>;

/// The key under which a thread keeps its seats. A key of libc's and no `thread_local!`: the key's destructor runs
/// after those of all thread-locals of the host, which may still own things of a plugin, and the key can be used
/// while its destructor runs.
pub(super) static SEATS: LazyLock<libc::pthread_key_t> = LazyLock::new(|| {
    let mut key = 0;
    // SAFETY: `key` can be written to, and the destructor takes what `seats` stores.
    let status = unsafe { libc::pthread_key_create(&mut key, Some(end_thread)) };
    assert_eq!(status, 0, "the host has a thread-local key left for itself");
    key
});

fn seats() -> *const Seats {
    // SAFETY: the key was made and is never deleted.
    let seats = unsafe { libc::pthread_getspecific(*SEATS) };
    if !seats.is_null() {
        return seats.cast();
    }
    let seats = Box::into_raw(Box::<Seats>::default());
    store(seats.cast());
    seats
}

fn store(seats: *mut c_void) {
    // SAFETY: the key was made, and its destructor takes what is stored.
    let status = unsafe { libc::pthread_setspecific(*SEATS, seats) };
    assert_eq!(status, 0, "a thread can keep a pointer");
}

/// Runs `work` on this thread's seats. No code of a plugin may run meanwhile.
pub(super) fn with_seats<R>(work: impl FnOnce(&mut Vec<Seat>) -> R) -> R {
    // SAFETY: the seats live until the thread ends, and are this thread's alone.
    let seats = unsafe { &*seats() };
    work(&mut seats.borrow_mut())
}

/// Runs `work` on this thread's seat in one house. A thread that has no seat there takes one.
pub(super) fn with_seat<R>(house: &Arc<House>, work: impl FnOnce(&mut Seat) -> R) -> R {
    with_seats(|seats| {
        let found = seats
            .iter()
            .position(|seat| Arc::ptr_eq(&seat.house, house));
        let index = found.unwrap_or_else(|| {
            let sitter = Sitter {
                id: own_id(),
                was_started: false,
            };
            seats.push(Seat::new(Arc::clone(house), sitter));
            seats.len() - 1
        });
        work(&mut seats[index])
    })
}

pub(super) fn own_id() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// The last thing that a thread does: it leaves all its houses.
unsafe extern "C" fn end_thread(seats: *mut c_void) {
    // The destructors may still ask for their values, which the seats keep.
    store(seats);
    while let Some(house) = with_seats(|seats| Some(Arc::clone(&seats.last()?.house))) {
        leave(&house);
    }
    store(ptr::null_mut());
    // SAFETY: the function `seats` made the pointer of a box, and nobody can find it any more.
    drop(unsafe { Box::from_raw(seats.cast::<Seats>()) });
}

/// Ends this thread as far as one image is concerned.
pub(super) fn leave(house: &Arc<House>) {
    run_all(house);
    stand_up(house);
}

/// Gives this thread's seat in a house back. The image can be unmapped from then on.
pub(super) fn stand_up(house: &Arc<House>) {
    with_seats(|seats| seats.retain(|seat| !Arc::ptr_eq(&seat.house, house)));
}

/// Runs the image's destructors for this thread, in the order in which libc does.
pub(super) fn run_all(house: &Arc<House>) {
    run_destructors(house);
    for _ in 0..ROUNDS {
        for index in 0..with_seat(house, |seat| seat.values.len()) {
            let value = with_seat(house, |seat| {
                mem::replace(&mut seat.values[index], ptr::null_mut())
            });
            let destructor = house.key(index).and_then(|key| key.destructor);
            if let (false, Some(destructor)) = (value.is_null(), destructor) {
                // SAFETY: the image is mapped, because this thread has a seat in its house; the image gave destructor
                // and value for this purpose.
                unsafe { destructor(value) };
            }
        }
        run_destructors(house);
        if with_seat(house, |seat| {
            seat.values.iter().all(|value| value.is_null())
        }) {
            break;
        }
    }
}

fn run_destructors(house: &Arc<House>) {
    while let Some((destructor, object)) = with_seat(house, |seat| seat.destructors.pop()) {
        // SAFETY: as in `leave`.
        unsafe { destructor(object) };
    }
}
