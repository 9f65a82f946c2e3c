//! Plugins without a handshake: symbols by name, and the plain C surface from text to text.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::mem;
use std::ptr::NonNull;

use super::image::{Image, LoadFailure};
use super::table::Table;
use replug_plugin::CallError;
use replug_plugin::shown::spelled_bytes;

/// Symbols by name, for hosts that declare no interface. The caller of [`get`](Raw::get) vouches for the types.
#[derive(Debug)]
pub struct Raw {
    symbols: Vec<(CString, NonNull<c_void>)>,
}

// SAFETY: the addresses are those of code and data that stay mapped for as long as the process lives, and
// handing them to another thread touches nothing behind them.
unsafe impl Send for Raw {}

impl Table for Raw {
    fn absent() -> Raw {
        Raw {
            symbols: Vec::new(),
        }
    }
}

impl Raw {
    pub(crate) fn bind(image: &Image, names: &[CString]) -> Result<Raw, LoadFailure> {
        let address = |name: &CString| Ok::<_, LoadFailure>((name.clone(), image.address(name)?));
        Ok(Raw {
            symbols: names.iter().map(address).collect::<Result<_, _>>()?,
        })
    }

    /// The symbol called `name` as a `T`, a function pointer or a data pointer; `None` if the host did not ask for
    /// this symbol when the host was made.
    ///
    /// # Panics
    ///
    /// If `T` does not have the size of a pointer.
    ///
    /// # Safety
    ///
    /// `T` is a type of pointer, and the plugin has under this name exactly what a `T` points to: for a
    /// function, the same parameters, result and calling convention. What it points to is not used after the generation
    /// is retired, if its image may be unmapped then.
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
/// A C symbol has no type. Whoever names the function vouches that it belongs to this surface, by
/// [`TextFunction::new`], which is `unsafe` for that. The function is never called from two threads at once.
#[derive(Debug)]
pub struct Text {
    /// The two functions; `None` before the first generation.
    surface: Option<Surface>,
    /// A mark against sharing: nothing promises that the function may run on two threads at once. No `PhantomData`:
    /// the compiler's message about one quotes the sources of std where these are installed.
    _one_thread: Cell<()>,
}

/// The name of a function from text to text, as [`Text`] calls it, with somebody's word that it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFunction(CString);

impl TextFunction {
    /// The function called `name`.
    ///
    /// # Safety
    ///
    /// In each library that comes to be at the watched path and exports this name and [`Text::FREE`], the two are
    /// functions of the surface that [`Text`] describes. Nothing else can tell: a name in a library has no type, so that
    /// a table of numbers by this name would be called as well.
    pub unsafe fn new(name: impl Into<CString>) -> TextFunction {
        TextFunction(name.into())
    }

    /// The function's name.
    pub fn name(&self) -> &CStr {
        &self.0
    }
}

#[derive(Debug)]
struct Surface {
    function: unsafe extern "C" fn(*const c_char) -> *mut c_char,
    free: unsafe extern "C" fn(*mut c_char),
}

impl Table for Text {
    fn absent() -> Text {
        Text {
            surface: None,
            _one_thread: Cell::new(()),
        }
    }
}

impl Text {
    /// The name of the function that a plugin exports to free the answers of its functions.
    pub const FREE: &CStr = c"plugin_free";

    pub(crate) fn bind(image: &Image, function: &TextFunction) -> Result<Text, LoadFailure> {
        let function = function.name();
        if function == Text::FREE {
            return Err(LoadFailure::NotAFunction);
        }
        let function = image.function(function)?;
        let free = image.function(Text::FREE)?;
        let surface = Surface {
            // SAFETY: whoever made the `TextFunction` vouched that the function of this name takes borrowed text and
            // returns owned text.
            function: unsafe {
                mem::transmute::<NonNull<c_void>, unsafe extern "C" fn(_) -> _>(function)
            },
            // SAFETY: as above, for the function that takes such text back.
            free: unsafe { mem::transmute::<NonNull<c_void>, unsafe extern "C" fn(_)>(free) },
        };
        Ok(Text {
            surface: Some(surface),
            _one_thread: Cell::new(()),
        })
    }

    /// Calls the function. Bytes of the answer that are not UTF-8 are spelled out, as `\xff`.
    ///
    /// # Errors
    ///
    /// If the plugin returns null, or no generation is live yet.
    pub fn call(&self, input: &CStr) -> Result<String, CallError> {
        let Surface { function, free } = self.surface.as_ref().ok_or(CallError::Absent)?;
        // SAFETY: the image stays mapped, and `input` is NUL-terminated and outlives the call.
        let answer = unsafe { function(input.as_ptr()) };
        if answer.is_null() {
            return Err(CallError::Null);
        }
        // SAFETY: by the surface's definition this is NUL-terminated text, ours until we give it back.
        let text = unsafe { CStr::from_ptr(answer) };
        let text = spelled_bytes(text.to_bytes()).into_owned();
        // SAFETY: the answer came from the same image, was not freed yet, and is not used again.
        unsafe { free(answer) };
        Ok(text)
    }
}
