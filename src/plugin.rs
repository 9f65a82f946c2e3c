//! A loaded library, and everything about it that the compiler cannot check. The only module with `unsafe`.
//!
//! An image that was loaded stays mapped until the process ends: nothing here calls `dlclose`. Code of an old
//! generation may still be reached by threads, thread-locals and pointers that nobody told us of.

#![allow(unsafe_code)]

#[cfg(unix)]
#[path = "plugin/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "plugin/windows.rs"]
mod system;

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use libloading::Library;

/// Thread-local keys that must be left over after a load. Each copy of std that a plugin brings takes one, when
/// its code first needs it, and the process aborts if there is none; the host's own threads and libraries need
/// some as well.
const SPARE_THREAD_KEYS: usize = 16;

/// Images that are in use, and so may yet take their key.
static IMAGES_IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Every image of this process. None is ever unmapped, so a new one must be none of these.
static IMAGES: LazyLock<Mutex<HashSet<ImageId>>> = LazyLock::new(Mutex::default);

/// Why a staged copy did not become a generation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadFailure {
    /// The system's loader refused it.
    #[error("the loader refuses it")]
    Loader(#[source] libloading::Error),
    /// It loads, but lacks something that the host needs.
    #[error("it has no `{}`", symbol.to_string_lossy())]
    Symbol {
        /// What is missing.
        symbol: CString,
        /// What the loader said.
        source: libloading::Error,
    },
    /// The loader handed out an image that was loaded before.
    #[error("the loader returned the image of an earlier load instead of a new one")]
    SameImage,
    /// The host named the function that frees answers as the one that makes them.
    #[error("`plugin_free` takes back the answers of a function, it is none")]
    NotAFunction,
    /// Loading it could use up the process's thread-local keys, which ends in an abort.
    #[error(
        "this process has only {free} thread-local keys left and keeps {SPARE_THREAD_KEYS} and one for each \
         plugin in use; every generation can take one for good, so restart the host to go on reloading"
    )]
    ThreadKeys {
        /// Keys that are left, as far as was counted.
        free: usize,
    },
}

/// A library that is mapped into this process, for good. Dropping it takes it out of use and no more.
#[derive(Debug)]
pub struct Image {
    library: ManuallyDrop<Library>,
}

/// Tells one mapping from every other of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ImageId(usize);

impl Image {
    /// Maps a staged copy, all its symbols bound at once and visible to nobody else. This runs its initialisers.
    pub(crate) fn open(staged: &Path) -> Result<Image, LoadFailure> {
        // Held to the end: two hosts that load at once must not both count the same keys.
        let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = SPARE_THREAD_KEYS + IMAGES_IN_USE.load(Ordering::Relaxed) + 1;
        let free = system::free_thread_keys(needed);
        if free < needed {
            return Err(LoadFailure::ThreadKeys { free });
        }
        let (library, id) = system::open(staged).map_err(LoadFailure::Loader)?;
        let library = ManuallyDrop::new(library);
        if !images.insert(id) {
            return Err(LoadFailure::SameImage);
        }
        IMAGES_IN_USE.fetch_add(1, Ordering::Relaxed);
        Ok(Image { library })
    }

    /// The address of an exported symbol. It is good for as long as the process lives.
    ///
    /// # Errors
    ///
    /// If the image exports no such symbol, or exports it as null.
    pub fn symbol(&self, name: &CStr) -> Result<NonNull<c_void>, LoadFailure> {
        // SAFETY: the symbol is only asked for its address; nothing is read or called through this type.
        let found = unsafe { self.library.get::<*mut c_void>(name) };
        let missing = |source| LoadFailure::Symbol {
            symbol: name.to_owned(),
            source,
        };
        NonNull::new(*found.map_err(missing)?)
            .ok_or_else(|| missing(libloading::Error::DlSymUnknown))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        IMAGES_IN_USE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Symbols by name, for hosts that declare no interface. The caller of [`get`](Raw::get) vouches for the types.
#[derive(Debug)]
pub struct Raw {
    symbols: Vec<(CString, NonNull<c_void>)>,
}

// SAFETY: the addresses are those of code and data that stay mapped for as long as the process lives, and
// handing them to another thread touches nothing behind them.
unsafe impl Send for Raw {}

impl Raw {
    pub(crate) fn bind(image: &Image, names: &[CString]) -> Result<Raw, LoadFailure> {
        let address = |name: &CString| Ok((name.clone(), image.symbol(name)?));
        Ok(Raw {
            symbols: names.iter().map(address).collect::<Result<_, _>>()?,
        })
    }

    /// The symbol called `name` as a `T`, a function pointer or a data pointer; `None` if the host did not
    /// ask for it when it was made.
    ///
    /// # Panics
    ///
    /// If `T` does not have the size of a pointer.
    ///
    /// # Safety
    ///
    /// `T` is a type of pointer, and the plugin has under this name exactly what a `T` points to: for a
    /// function, the same parameters, result and calling convention.
    pub unsafe fn get<T: Copy>(&self, name: &CStr) -> Option<T> {
        assert_eq!(
            size_of::<T>(),
            size_of::<*mut c_void>(),
            "a symbol has the size of a pointer"
        );
        let (_, address) = self
            .symbols
            .iter()
            .find(|(symbol, _)| symbol.as_c_str() == name)?;
        // SAFETY: the sizes are equal, and the caller vouches that this address is a `T`.
        Some(unsafe { mem::transmute_copy::<NonNull<c_void>, T>(address) })
    }
}

/// The plain C surface that `replug run` calls: one function from text to text, and one to free its answers.
///
/// ```c
/// char *FUNCTION(const char *input);   /* borrows its input, returns text that it allocated */
/// void plugin_free(char *answer);
/// ```
///
/// A C symbol has no type. Whoever names the function vouches that it is one of this surface, and whoever may write
/// the artifact that it stays one: both are trusted as the rest of the program is. It is never called from two
/// threads at once.
#[derive(Debug)]
pub struct Text {
    function: unsafe extern "C" fn(*const c_char) -> *mut c_char,
    free: unsafe extern "C" fn(*mut c_char),
    /// Nothing promises that the function may run on two threads at once.
    _one_thread: PhantomData<Cell<()>>,
}

/// Why a plugin's answer is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The function returned a null pointer.
    #[error("the plugin returned null instead of text")]
    Null,
}

impl Text {
    /// What a plugin exports to free the answers of its functions.
    pub const FREE: &CStr = c"plugin_free";

    pub(crate) fn bind(image: &Image, function: &CStr) -> Result<Text, LoadFailure> {
        if function == Text::FREE {
            return Err(LoadFailure::NotAFunction);
        }
        let function = image.symbol(function)?;
        let free = image.symbol(Text::FREE)?;
        Ok(Text {
            // SAFETY: by this surface's definition the function takes borrowed text and returns owned text; a C
            // library carries no types, so that it keeps to the definition is what its author promises.
            function: unsafe {
                mem::transmute::<NonNull<c_void>, unsafe extern "C" fn(_) -> _>(function)
            },
            // SAFETY: as above, for the function that takes such text back.
            free: unsafe { mem::transmute::<NonNull<c_void>, unsafe extern "C" fn(_)>(free) },
            _one_thread: PhantomData,
        })
    }

    /// Calls the function. Bytes of the answer that are not UTF-8 come as `U+FFFD`.
    ///
    /// # Errors
    ///
    /// If the plugin returns null.
    pub fn call(&self, input: &CStr) -> Result<String, CallError> {
        // SAFETY: the image stays mapped, and `input` is NUL-terminated and outlives the call.
        let answer = unsafe { (self.function)(input.as_ptr()) };
        if answer.is_null() {
            return Err(CallError::Null);
        }
        // SAFETY: by the surface's definition this is NUL-terminated text, ours until we give it back.
        let text = unsafe { CStr::from_ptr(answer) }
            .to_string_lossy()
            .into_owned();
        // SAFETY: the answer came from the same image, was not freed yet, and is not used again.
        unsafe { (self.free)(answer) };
        Ok(text)
    }
}

/// Tries whether code can be mapped from an open file; where it cannot, the filesystem is mounted `noexec` or
/// a security policy forbids it.
pub(crate) fn can_map_code(file: &File) -> io::Result<()> {
    system::can_map_code(file)
}
