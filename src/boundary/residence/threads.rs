//! Threads that an image starts. Code of the host is the first and the last on each of them.

use std::ffi::{c_int, c_void};

use super::seats::{Seat, Sitter, house_of, own_id, with_seats};
use replug_plugin::__private::Start;

/// A thread that is about to begin.
struct Birth {
    seat: Seat,
    start: Start,
    argument: *mut c_void,
}

unsafe extern "C" {
    /// Libc's own function, with a type that allows `pthread_exit` to unwind through the start function.
    #[link_name = "pthread_create"]
    fn create_thread(
        thread: *mut usize,
        attributes: *const c_void,
        start: Start,
        argument: *mut c_void,
    ) -> c_int;
}

pub(super) unsafe extern "C-unwind" fn spawn(
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
    // The thread is seated before it exists, so that there is no moment at which it is not counted.
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
        // SAFETY: no thread has taken the box.
        drop(unsafe { Box::from_raw(birth) });
    }
    status
}

/// The outermost frame of a thread that a plugin started. When `start` has returned, no code of the plugin is left on
/// this stack. There is nothing to drop here, so that `pthread_exit` may unwind it.
unsafe extern "C-unwind" fn begin_thread(birth: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` made the pointer of a box for this thread.
    let (start, argument) = take_seat(*unsafe { Box::from_raw(birth.cast::<Birth>()) });
    // SAFETY: the plugin wants `start` to be run, and its image is mapped, because this thread has a seat.
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
