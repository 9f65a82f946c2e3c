//! The host's side of [`Services`]: which threads still have something to do with an image. Each such thread has a seat in
//! it; an image with an empty house can be unmapped.
//!
//! What a plugin asks of libc for its threads is kept here, in the thread's seat, and done by code of the host when the
//! thread ends. So no code of an image is ever the last to run on a thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_uint, c_void};
use std::fs;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use super::services::{Attach, Destructor, FIRST_KEY, Services, Start};

/// How often a thread that ends goes through its keys, as POSIX has it.
const ROUNDS: usize = 4;

/// The seats of one image, and the keys that it made.
#[derive(Debug, Default)]
struct House {
    keys: Mutex<Vec<Option<Key>>>,
    taken: Mutex<Taken>,
    /// The image is being unmapped: what it registers now could only run when it is gone.
    is_closing: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    destructor: Option<Destructor>,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    seats: BTreeMap<u64, Sitter>,
}

/// A thread that has a seat.
#[derive(Debug, Clone, Copy)]
struct Sitter {
    /// Its number in the system, 0 before it runs.
    id: i32,
    /// Whether the image started it.
    was_started: bool,
}

/// What one thread owes to one image.
struct Seat {
    house: Arc<House>,
    number: u64,
    was_started: bool,
    destructors: Vec<(Destructor, *mut c_void)>,
    values: Vec<*mut c_void>,
}

impl House {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, Vec<Option<Key>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, index: usize) -> Option<Key> {
        self.keys().get(index).copied().flatten()
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::SeqCst)
    }
}

impl Seat {
    fn new(house: Arc<House>, sitter: Sitter) -> Seat {
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

/// Under which a thread keeps its seats. A key of libc's and no `thread_local!`: its destructor runs after those of all
/// thread-locals of the host, which may still own things of a plugin, and it can be used while it runs.
static SEATS: LazyLock<libc::pthread_key_t> = LazyLock::new(|| {
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

/// Does something with this thread's seats. No code of a plugin may run meanwhile.
fn with_seats<R>(work: impl FnOnce(&mut Vec<Seat>) -> R) -> R {
    // SAFETY: they live until the thread ends, and are this thread's alone.
    let seats = unsafe { &*seats() };
    work(&mut seats.borrow_mut())
}

/// The same with its seat in one house, which it takes if it has none.
fn with_seat<R>(house: &Arc<House>, work: impl FnOnce(&mut Seat) -> R) -> R {
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

fn own_id() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

/// The last thing that a thread does.
unsafe extern "C" fn end_thread(seats: *mut c_void) {
    // The destructors may still ask for what they keep.
    store(seats);
    while let Some(house) = with_seats(|seats| Some(Arc::clone(&seats.last()?.house))) {
        leave(&house);
    }
    store(ptr::null_mut());
    // SAFETY: `seats` made it of a box, and nobody can find it any more.
    drop(unsafe { Box::from_raw(seats.cast::<Seats>()) });
}

/// Ends this thread as far as one image is concerned: runs its destructors, in the order in which libc does.
fn leave(house: &Arc<House>) {
    run_destructors(house);
    for _ in 0..ROUNDS {
        for index in 0..with_seat(house, |seat| seat.values.len()) {
            let value = with_seat(house, |seat| {
                mem::replace(&mut seat.values[index], ptr::null_mut())
            });
            let destructor = house.key(index).and_then(|key| key.destructor);
            if let (false, Some(destructor)) = (value.is_null(), destructor) {
                // SAFETY: the image is mapped, because this thread has a seat in it; it gave both for this purpose.
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
    with_seats(|seats| seats.retain(|seat| !Arc::ptr_eq(&seat.house, house)));
}

fn run_destructors(house: &Arc<House>) {
    while let Some((destructor, object)) = with_seat(house, |seat| seat.destructors.pop()) {
        // SAFETY: as in `leave`.
        unsafe { destructor(object) };
    }
}

/// The house of the image that asks.
///
/// # Safety
///
/// `image` is the one of services that were not taken back.
unsafe fn house_of(image: *const c_void) -> Arc<House> {
    let house = image.cast::<House>();
    // SAFETY: the services hold a count for as long as the image is mapped.
    unsafe { Arc::increment_strong_count(house) };
    // SAFETY: of which this takes one more.
    unsafe { Arc::from_raw(house) }
}

unsafe extern "C-unwind" fn at_thread_exit(
    image: *const c_void,
    destructor: Destructor,
    object: *mut c_void,
) -> c_int {
    // SAFETY: a mapped image asks.
    let house = unsafe { house_of(image) };
    if !house.is_closing() {
        with_seat(&house, |seat| seat.destructors.push((destructor, object)));
    }
    0
}

unsafe extern "C-unwind" fn create_key(
    image: *const c_void,
    key: *mut c_uint,
    destructor: Option<Destructor>,
) -> c_int {
    // SAFETY: a mapped image asks.
    let house = unsafe { house_of(image) };
    let mut keys = house.keys();
    let Ok(number) = c_uint::try_from(keys.len()) else {
        return libc::EAGAIN;
    };
    // Numbers are not used again, so an old value never meets a new destructor.
    keys.push(Some(Key { destructor }));
    // SAFETY: the caller gives a place for the key, as libc demands.
    unsafe { key.write(FIRST_KEY + number) };
    0
}

unsafe extern "C-unwind" fn delete_key(image: *const c_void, key: c_uint) -> c_int {
    // SAFETY: a mapped image asks.
    let house = unsafe { house_of(image) };
    let mut keys = house.keys();
    match keys.get_mut(index_of(key)).and_then(Option::take) {
        Some(_) => 0,
        None => libc::EINVAL,
    }
}

fn index_of(key: c_uint) -> usize {
    (key - FIRST_KEY) as usize
}

unsafe extern "C-unwind" fn set(image: *const c_void, key: c_uint, value: *mut c_void) -> c_int {
    // SAFETY: a mapped image asks.
    let house = unsafe { house_of(image) };
    let index = index_of(key);
    if house.key(index).is_none() {
        return libc::EINVAL;
    }
    if !house.is_closing() {
        with_seat(&house, |seat| {
            if seat.values.len() <= index {
                seat.values.resize(index + 1, ptr::null_mut());
            }
            seat.values[index] = value;
        });
    }
    0
}

/// Takes no seat: who only asks owes nothing.
unsafe extern "C-unwind" fn get(image: *const c_void, key: c_uint) -> *mut c_void {
    let house = image.cast::<House>();
    with_seats(|seats| {
        let seat = seats
            .iter()
            .find(|seat| Arc::as_ptr(&seat.house) == house)?;
        seat.values.get(index_of(key)).copied()
    })
    .unwrap_or(ptr::null_mut())
}

/// A thread that is about to begin.
struct Birth {
    seat: Seat,
    start: Start,
    argument: *mut c_void,
}

unsafe extern "C" {
    /// Libc's, with a type that allows `pthread_exit` to unwind through what is started.
    #[link_name = "pthread_create"]
    fn create_thread(
        thread: *mut usize,
        attributes: *const c_void,
        start: Start,
        argument: *mut c_void,
    ) -> c_int;
}

unsafe extern "C-unwind" fn spawn(
    image: *const c_void,
    thread: *mut usize,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: a mapped image asks.
    let house = unsafe { house_of(image) };
    if house.is_closing() {
        return libc::EAGAIN;
    }
    // Seated before it exists, so that there is no moment at which it is not counted.
    let sitter = Sitter {
        id: 0,
        was_started: true,
    };
    let seat = Seat::new(house, sitter);
    let birth = Box::into_raw(Box::new(Birth {
        seat,
        start,
        argument,
    }));
    // SAFETY: the caller keeps libc's rules; `begin_thread` takes the box.
    let status = unsafe { create_thread(thread, attributes, begin_thread, birth.cast()) };
    if status != 0 {
        // SAFETY: no thread has taken it.
        drop(unsafe { Box::from_raw(birth) });
    }
    status
}

/// The outermost frame of a thread that a plugin started. When `start` has returned, no code of the plugin is left on
/// this stack. There is nothing to drop here, so that `pthread_exit` may unwind it.
unsafe extern "C-unwind" fn begin_thread(birth: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` made it of a box for this thread.
    let (start, argument) = take_seat(*unsafe { Box::from_raw(birth.cast::<Birth>()) });
    // SAFETY: it is what the plugin wants to be run, and its image is mapped, because this thread has a seat.
    unsafe { start(argument) }
}

fn take_seat(birth: Birth) -> (Start, *mut c_void) {
    let Birth {
        seat,
        start,
        argument,
    } = birth;
    if let Some(sitter) = seat.house.taken().seats.get_mut(&seat.number) {
        sitter.id = own_id();
    }
    with_seats(|seats| seats.push(seat));
    (start, argument)
}

/// An image's use of this host's services.
#[derive(Debug)]
pub(super) struct Residence {
    services: *mut Services,
    house: Arc<House>,
    forever: Option<&'static str>,
}

// SAFETY: the services are only read, and the house is guarded by locks.
unsafe impl Send for Residence {}
// SAFETY: as above.
unsafe impl Sync for Residence {}

impl Residence {
    /// Attaches this host to an image.
    ///
    /// # Safety
    ///
    /// It is the function of an image that was just mapped, and none other of it was called.
    pub(super) unsafe fn attach(attach: Attach) -> Residence {
        // Not for the first time inside of something that a plugin asks for.
        LazyLock::force(&SEATS);
        let house = Arc::new(House::default());
        let services = Box::into_raw(Box::new(Services {
            image: Arc::into_raw(Arc::clone(&house)).cast(),
            at_thread_exit,
            create_key,
            delete_key,
            set,
            get,
            spawn,
        }));
        // SAFETY: by the contract of this function; the services live until the image is unmapped.
        let early = unsafe { attach(services) };
        let is_asked = with_seat(&house, |seat| {
            !seat.destructors.is_empty() && seat.values.iter().any(|value| !value.is_null())
        });
        let forever = match (early, is_asked) {
            (0, true) => None,
            (0, false) => Some("its standard library asks libc instead of its host"),
            _ => Some("a constructor of it took a thread-local key or started a thread"),
        };
        Residence {
            services,
            house,
            forever,
        }
    }

    /// Why it can never be unmapped.
    pub(super) fn forever(&self) -> Option<&'static str> {
        self.forever
    }

    /// Runs this thread's destructors for the image, as if the thread had ended. What its code reaches by them is gone
    /// then. Not on a thread that the image started: its code is on the stack.
    pub(super) fn leave(&self) {
        let has_seat = |was_started| {
            with_seats(|seats| {
                let mut own = seats
                    .iter()
                    .filter(|seat| Arc::ptr_eq(&seat.house, &self.house));
                own.any(|seat| seat.was_started == was_started)
            })
        };
        if has_seat(false) && !has_seat(true) {
            leave(&self.house);
        }
    }

    /// The threads that still have something to do with the image, by name, and whether it started them.
    pub(super) fn threads(&self) -> Vec<(String, bool)> {
        let sitters: Vec<_> = self.house.taken().seats.values().copied().collect();
        let name = |Sitter { id, was_started }: Sitter| {
            let name = fs::read_to_string(format!("/proc/self/task/{id}/comm"));
            let name = name.map_or_else(
                |_| format!("number {id}"),
                |name| name.trim_end().to_owned(),
            );
            (name, was_started)
        };
        sitters.into_iter().map(name).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.house.taken().seats.is_empty()
    }

    /// Before and after the image is unmapped: from here on it registers nothing; or it does again.
    pub(super) fn set_closing(&self, is_closing: bool) {
        self.house.is_closing.store(is_closing, Ordering::SeqCst);
    }

    /// Takes the services back.
    ///
    /// # Safety
    ///
    /// The image is unmapped.
    pub(super) unsafe fn end(self) {
        // SAFETY: `attach` made it of a box, and the code that knew it is gone.
        let services = unsafe { Box::from_raw(self.services) };
        // SAFETY: the services held this count.
        drop(unsafe { Arc::from_raw(services.image.cast::<House>()) });
    }
}
