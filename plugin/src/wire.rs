//! How values cross between a host and a plugin: as C types only, because the two have each their own standard
//! library, allocator and compiler. Both sides use this module; [`interface!`](crate::interface!) drives it.

use std::slice;

use crate::shape::Shape;

/// Plain data that is copied across: numbers, arrays of numbers, and the structs that [`shared!`](crate::shared!)
/// declares.
///
/// # Safety
///
/// The type has the layout that C gives it, that layout is `SHAPE`, and it holds no pointer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross between host and plugin",
    label = "not a type that crosses",
    note = "numbers, `bool`, arrays of them and structs declared with `shared!` can be stored and returned",
    note = "a struct is declared with `replug::shared!`, or `replug_plugin::shared!`, as in `shared! {{ pub struct Name {{ pub field: u64 }} }}`"
)]
pub unsafe trait Plain: Copy + 'static {
    /// The type as C sees it.
    const SHAPE: Shape;
}

/// A type that a function of an interface can take: [`Plain`] data, `&str`, slices and references of plain data,
/// [`Sink`](crate::Sink).
///
/// # Safety
///
/// `receive` makes the sent value again out of the result of `send`, in a program of another compiler too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross from host to plugin",
    label = "not a type that crosses",
    note = "functions of an interface take numbers, `bool`, `&str`, `&[T]`, `&mut [T]`, `&T` and `&mut T` of plain data, \
            structs declared with `shared!`, and `Sink`",
    note = "a struct is declared with `replug::shared!`, or `replug_plugin::shared!`, as in `shared! {{ pub struct Name {{ pub field: u64 }} }}`"
)]
pub unsafe trait Argument: Sized {
    /// The type as C sees it.
    const SHAPE: Shape;
    /// The C type as which a value crosses.
    type Wire: Copy;
    /// The type with the lifetime of one call, whatever lifetime the declaration writes or an alias hides.
    type At<'call>;

    /// Makes the value ready to cross.
    fn send(self) -> Self::Wire;

    /// Makes the value again on the other side, lent for the call.
    ///
    /// # Safety
    ///
    /// `wire` came from `send`, and the value that was sent is borrowed for as long as `call` is.
    unsafe fn receive<'call>(wire: Self::Wire, call: &'call Call) -> Self::At<'call>;
}

/// One call, as the lifetime of what is lent for it. It begins and ends inside of the plugin's half of the call, so
/// that no declaration can name this lifetime: a function that wants its arguments for longer does not compile.
#[doc(hidden)]
#[derive(Debug)]
pub struct Call(());

impl Call {
    /// The beginning of a call.
    #[inline(always)]
    pub fn begin() -> Call {
        Call(())
    }
}

/// A type that a function of an interface can return: plain data, or nothing. An answer owns its data, so nothing
/// that points into a plugin can be left behind when the plugin goes.
///
/// # Safety
///
/// As for [`Plain`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned across the boundary",
    label = "not a type that crosses by value",
    note = "functions of an interface return numbers, `bool`, structs declared with `shared!`, or nothing; text and \
            bytes are written to a `Sink`"
)]
pub unsafe trait Answer: Copy + 'static {
    /// The type as C sees it.
    const SHAPE: Shape;
}

// SAFETY: C has no value for `()`, which takes no room in the struct that it is returned in.
unsafe impl Answer for () {
    const SHAPE: Shape = Shape::Scalar("()");
}

macro_rules! scalars {
    ($($scalar:ident)*) => { $(
        // SAFETY: a scalar has the same layout in C, and is no pointer.
        unsafe impl Plain for $scalar {
            const SHAPE: Shape = Shape::Scalar(stringify!($scalar));
        }
        $crate::__plain!($scalar);
    )* };
}

/// Lets a type of plain data be passed and returned by value.
#[doc(hidden)]
#[macro_export]
macro_rules! __plain {
    ($plain:ty) => {
        $crate::__one_type!($plain);

        // SAFETY: a plain value is copied as it is.
        unsafe impl $crate::wire::Argument for $plain {
            const SHAPE: $crate::__private::Shape = <$plain as $crate::wire::Plain>::SHAPE;
            type Wire = $plain;
            type At<'call> = $plain;

            #[inline(always)]
            fn send(self) -> $plain {
                self
            }

            #[inline(always)]
            unsafe fn receive(replug_wire: $plain, _: &$crate::wire::Call) -> $plain {
                replug_wire
            }
        }

        // SAFETY: the type is plain.
        unsafe impl $crate::wire::Answer for $plain {
            const SHAPE: $crate::__private::Shape = <$plain as $crate::wire::Plain>::SHAPE;
        }
    };
}

scalars!(bool u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);

// SAFETY: an array is its elements one after the other, in C too.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {
    const SHAPE: Shape = Shape::Array(&T::SHAPE, N);
}

/// A borrowed slice as C sees it.
#[doc(hidden)]
#[repr(C)]
#[derive(Debug)]
pub struct RawSlice<T> {
    pub(crate) data: *const T,
    pub(crate) len: usize,
}

impl<T> Clone for RawSlice<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for RawSlice<T> {}

impl<T> RawSlice<T> {
    #[inline(always)]
    pub fn of(slice: &[T]) -> RawSlice<T> {
        RawSlice {
            data: slice.as_ptr(),
            len: slice.len(),
        }
    }

    /// The slice itself.
    ///
    /// # Safety
    ///
    /// It was made of a slice that is borrowed for `'a`. C may say null of an empty slice.
    #[inline(always)]
    pub(crate) unsafe fn get<'a>(self) -> &'a [T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: by the contract of this function.
        unsafe { slice::from_raw_parts(self.data, self.len) }
    }
}

// SAFETY: a slice crosses as its pointer and its length.
unsafe impl<T: Plain> Argument for &[T] {
    const SHAPE: Shape = Shape::Slice(&T::SHAPE);
    type Wire = RawSlice<T>;
    type At<'call> = &'call [T];

    #[inline(always)]
    fn send(self) -> RawSlice<T> {
        RawSlice::of(self)
    }

    #[inline(always)]
    unsafe fn receive(wire: RawSlice<T>, _: &Call) -> &[T] {
        // SAFETY: the caller vouches for the borrow.
        unsafe { wire.get() }
    }
}

/// A slice borrowed for writing, as C sees it.
#[doc(hidden)]
#[repr(C)]
#[derive(Debug)]
pub struct RawSliceMut<T> {
    pub(crate) data: *mut T,
    pub(crate) len: usize,
}

impl<T> Clone for RawSliceMut<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for RawSliceMut<T> {}

// SAFETY: a slice crosses as its pointer and its length.
unsafe impl<T: Plain> Argument for &mut [T] {
    const SHAPE: Shape = Shape::SliceMut(&T::SHAPE);
    type Wire = RawSliceMut<T>;
    type At<'call> = &'call mut [T];

    #[inline(always)]
    fn send(self) -> RawSliceMut<T> {
        RawSliceMut {
            data: self.as_mut_ptr(),
            len: self.len(),
        }
    }

    #[inline(always)]
    unsafe fn receive(wire: RawSliceMut<T>, _: &Call) -> &mut [T] {
        if wire.len == 0 {
            return &mut [];
        }
        // SAFETY: the caller vouches for the borrow.
        unsafe { slice::from_raw_parts_mut(wire.data, wire.len) }
    }
}

// SAFETY: text crosses as its bytes, which were UTF-8 when they were sent and are borrowed since.
unsafe impl Argument for &str {
    const SHAPE: Shape = Shape::Scalar("&str");
    type Wire = RawSlice<u8>;
    type At<'call> = &'call str;

    #[inline(always)]
    fn send(self) -> RawSlice<u8> {
        RawSlice::of(self.as_bytes())
    }

    #[inline(always)]
    unsafe fn receive(wire: RawSlice<u8>, _: &Call) -> &str {
        // SAFETY: the caller vouches for the borrow.
        let bytes = unsafe { wire.get() };
        // SAFETY: the bytes were a `str` when they were sent.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }
}

// SAFETY: the same pointer on both sides, to a type of one layout.
unsafe impl<T: Plain> Argument for &T {
    const SHAPE: Shape = Shape::Ref(&T::SHAPE);
    type Wire = *const T;
    type At<'call> = &'call T;

    #[inline(always)]
    fn send(self) -> *const T {
        self
    }

    #[inline(always)]
    unsafe fn receive(wire: *const T, _: &Call) -> &T {
        // SAFETY: the caller vouches for the borrow.
        unsafe { &*wire }
    }
}

// SAFETY: the same pointer on both sides, to a type of one layout.
unsafe impl<T: Plain> Argument for &mut T {
    const SHAPE: Shape = Shape::RefMut(&T::SHAPE);
    type Wire = *mut T;
    type At<'call> = &'call mut T;

    #[inline(always)]
    fn send(self) -> *mut T {
        self
    }

    #[inline(always)]
    unsafe fn receive(wire: *mut T, _: &Call) -> &mut T {
        // SAFETY: the caller vouches for the borrow.
        unsafe { &mut *wire }
    }
}
