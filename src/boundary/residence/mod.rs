//! The host's side of [`Services`]: the functions that stand in the place of libc's for an image, and whether the
//! image can go.

// Which threads have something to do with an image.
mod seats;

// The thread-locals of an image on one thread.
mod locals;

// How an image starts a thread.
mod threads;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

pub(super) use self::locals::forbidden;
use self::locals::renew;
use self::seats::{
    House, Key, SEATS, Sitter, house_of, leave, run_all, stand_up, with_seat, with_seats,
};
use self::threads::spawn;
use super::ways::way_back_when_found;
use replug_plugin::__private::{Attach, Destructor, FIRST_KEY, Services, Visited};

unsafe extern "C-unwind" fn at_thread_exit(
    image: *const c_void,
    destructor: Destructor,
    object: *mut c_void,
) -> c_int {
    // SAFETY: a mapped image asks.
    let house = unsafe { house_of(image) };
    with_seat(&house, |seat| seat.destructors.push((destructor, object)));
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
    with_seat(&house, |seat| {
        if seat.values.len() <= index {
            seat.values.resize(index + 1, ptr::null_mut());
        }
        seat.values[index] = value;
    });
    0
}

/// Takes no seat: a thread that only asks owes nothing.
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

/// Notes that the image handles a signal, for good: whoever handles the signal later is told of this handler, and may
/// call it.
unsafe extern "C-unwind" fn handles(image: *const c_void, signal: c_int) -> bool {
    // SAFETY: a mapped image asks.
    let house = unsafe { house_of(image) };
    if house.is_closing() {
        return false;
    }
    house.signal.get_or_init(|| signal);
    true
}

/// Notes that the image looks up a function by which it can be reached later.
unsafe extern "C-unwind" fn looks_up(image: *const c_void, name: *const c_char) {
    // SAFETY: a mapped image asks.
    let house = unsafe { house_of(image) };
    // SAFETY: the image passes a text with a NUL at its end.
    let name = unsafe { CStr::from_ptr(name) };
    if let Some(way) = way_back_when_found(name.to_bytes()) {
        house.way_back.get_or_init(|| way);
    }
}

/// Ends this thread's part in an image whose destructors have run, because they may have used thread-locals. The
/// image is still mapped, for the last moment.
unsafe extern "C-unwind" fn end(image: *const c_void) {
    // SAFETY: a mapped image asks.
    let house = unsafe { house_of(image) };
    // When the process ends, the loader runs the same destructors, and nothing is unmapped.
    if house.is_closing() {
        leave(&house);
    }
}

/// Leaves the images that this thread was to leave while a plugin could visit the host. Returns whether none is left; while
/// that goes on, nothing is done.
pub(super) fn leave_rest() -> bool {
    if Visited::is_going_on() {
        return with_seats(|seats| seats.iter().all(|seat| !seat.leaves_later));
    }
    let next = || {
        with_seats(|seats| {
            let seat = seats.iter_mut().find(|seat| seat.leaves_later)?;
            seat.leaves_later = false;
            Some(Arc::clone(&seat.house))
        })
    };
    while let Some(house) = next() {
        run_all(&house);
        // The seat keeps the image mapped until the thread-locals are new.
        renew(house.attach as *const c_void);
        stand_up(&house);
    }
    true
}

/// Runs this thread's destructors for all images that are to go, as [`Residence::leave`] does for one. Those that are not can be
/// on the stack of this thread unseen: a future of theirs calls its host when it wakes.
pub(super) fn leave_all() {
    leave_those(|house| house.is_to_go);
}

/// Leaves these images, now or later.
fn leave_those(is_to_leave: impl Fn(&Arc<House>) -> bool) {
    with_seats(|seats| {
        // A thread that an image started has its code on the stack always.
        let theirs = seats.iter_mut().filter(|seat| !seat.was_started);
        let to_leave = theirs.filter(|seat| is_to_leave(&seat.house));
        to_leave.for_each(|seat| seat.leaves_later = true);
    });
    leave_rest();
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
    /// `attach` is the function of an image that was just mapped, and no other function of the image was called.
    pub(super) unsafe fn attach(attach: Attach, is_to_go: bool) -> Residence {
        // The key of the seats must not be made inside of something that a plugin asks for.
        LazyLock::force(&SEATS);
        let house = Arc::new(House::new(attach, is_to_go));
        let services = Box::into_raw(Box::new(Services {
            image: Arc::into_raw(Arc::clone(&house)).cast(),
            at_thread_exit,
            create_key,
            delete_key,
            set,
            get,
            spawn,
            handles,
            looks_up,
            end,
        }));
        // SAFETY: by the contract of this function; the services live until the image is unmapped.
        let early = unsafe { attach(services, is_to_go) };
        let is_asked = || {
            with_seat(&house, |seat| {
                !seat.destructors.is_empty() && seat.values.iter().any(|value| !value.is_null())
            })
        };
        let forever = match early {
            _ if !is_to_go => None,
            _ if forbidden().is_some() => forbidden(),
            0 if is_asked() => None,
            0 => Some("its standard library asks libc instead of its host"),
            _ => Some(
                "a constructor of it took a thread-local key, started a thread, handled a signal or looked up a \
                 function, when there was no host yet",
            ),
        };
        Residence {
            services,
            house,
            forever,
        }
    }

    /// Why the image can never be unmapped, if there is a reason.
    pub(super) fn forever(&self) -> Option<&'static str> {
        self.forever
    }

    /// A signal that the image has handled.
    pub(super) fn signal(&self) -> Option<c_int> {
        self.house.signal.get().copied()
    }

    /// A function by which the image can still be reached, and that it looked up by its name.
    pub(super) fn way_back(&self) -> Option<&'static str> {
        self.house.way_back.get().copied()
    }

    /// Runs this thread's destructors for the image, as if the thread had ended and another one had begun: what uses a
    /// thread-local of the image afterwards finds a new one. While a plugin can visit the host on this thread, the
    /// image's code can be on the thread's stack: then [`leave_rest`] does it later. Does nothing on a thread that the
    /// image started, for the image's code is always on its stack.
    pub(super) fn leave(&self) {
        leave_those(|house| Arc::ptr_eq(house, &self.house));
    }

    /// The names of the threads that still have something to do with the image: of all such threads, or of those that
    /// the image started. The system is asked for each name, so only for these.
    pub(super) fn threads(&self, only_started: bool) -> Vec<String> {
        let sitters: Vec<_> = self.house.taken().seats.values().copied().collect();
        let name = |Sitter { id, .. }: Sitter| {
            let name = fs::read_to_string(format!("/proc/self/task/{id}/comm"));
            name.map_or_else(
                |_| format!("number {id}"),
                |name| name.trim_end().to_owned(),
            )
        };
        let wanted = |sitter: &Sitter| sitter.was_started || !only_started;
        sitters.into_iter().filter(wanted).map(name).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.house.taken().seats.is_empty()
    }

    /// Says whether the image is being unmapped. Meanwhile it starts no thread and handles no signal; if unmapping
    /// fails, it can again.
    pub(super) fn set_closing(&self, is_closing: bool) {
        self.house.is_closing.store(is_closing, Ordering::SeqCst);
    }

    /// Takes the services back.
    ///
    /// # Safety
    ///
    /// The image is unmapped.
    pub(super) unsafe fn end(self) {
        // SAFETY: `attach` made the services of a box, and the code that knew them is gone.
        let services = unsafe { Box::from_raw(self.services) };
        // SAFETY: the services held this count.
        drop(unsafe { Arc::from_raw(services.image.cast::<House>()) });
    }
}
