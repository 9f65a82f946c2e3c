//! How values cross between a host and a plugin: as C types, because the two have each their own standard
//! library, allocator and compiler; or, if they have one compiler and one allocator, as they are. Both sides use this
//! module; [`interface!`](crate::interface!) drives it.

use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::slice;

use crate::line::Line;
#[cfg(ordinary)]
use crate::line::{LineField, NOWHERE};
use crate::offer::RawOffer;
use crate::shape::Shape;
use crate::visit::offers;

/// A value that can cross between a host and its plugin: lent, stored in another one, taken and returned.
///
/// Numbers, `bool`, arrays of plain data and structs declared with [`shared!`](crate::shared!) are [`Plain`]: they have
/// the layout of C, and cross between any two compilers. Everything else is ordinary Rust, and takes a host and a plugin
/// of one compiler: `String`, `Vec`, `Option`, maps and their like, and structs and enums of one's own with
/// `#[derive(replug_derive::Shared)]`. An interface that names a type of the second kind is at the *rust* level.
///
/// # Safety
///
/// `SHAPE` and the line say what the type consists of. The type holds nothing that is only good on one side: no pointer
/// to a function and no trait object.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross between host and plugin",
    label = "not a type that crosses",
    note = "a struct or an enum of one's own crosses with `#[derive(replug_derive::Shared)]`, or, if it consists of plain \
            data, when it is declared with `shared!`",
    note = "functions, closures, trait objects, raw pointers and `&'static` do not cross; owned text is a `String`"
)]
pub unsafe trait Shared: Sized + 'static {
    /// The type, as a declaration writes it.
    const SHAPE: Shape;

    /// Leads to the line of the type.
    #[doc(hidden)]
    fn replug_line() -> Line;
}

/// Plain data that is copied across: numbers, arrays of numbers, and the structs that [`shared!`](crate::shared!)
/// declares.
///
/// # Safety
///
/// The type has the layout that C gives it, that layout is its `SHAPE`, and it holds no pointer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data",
    label = "not plain data",
    note = "numbers, `bool`, arrays of them and structs declared with `shared!` can be stored in a struct of `shared!`",
    note = "a struct with other fields is ordinary Rust: it crosses with `#[derive(replug_derive::Shared)]`"
)]
pub unsafe trait Plain: Shared + Copy {
    /// The shape, by this name, so that a field that is not plain is one error.
    #[doc(hidden)]
    const PLAIN: Shape = Self::SHAPE;

    /// Leads to the line of the type.
    #[doc(hidden)]
    fn replug_plain_line() -> Line {
        Self::replug_line()
    }
}

/// A type that a function of an interface can take: what is [`Shared`], by value, as `&T`, `&mut T`, `&[T]` or
/// `&mut [T]`; `&str`; and [`Sink`](crate::Sink).
///
/// # Safety
///
/// `SHAPE` and the line of `Of` say what crosses.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross from host to plugin",
    label = "not a type that crosses",
    note = "functions of an interface take `&str`, `Sink`, and what is `Shared`: by value, as `&T`, `&mut T`, `&[T]` and \
            `&mut [T]`",
    note = "a struct or an enum of one's own crosses with `#[derive(replug_derive::Shared)]`, or, if it consists of plain \
            data, when it is declared with `shared!`",
    note = "functions, closures, trait objects, raw pointers and `&'static` do not cross; owned text is a `String`"
)]
pub unsafe trait Argument: Carried {
    /// The type, as a declaration writes it.
    const SHAPE: Shape;

    /// The type that crosses, whose line says what it consists of.
    #[doc(hidden)]
    type Of: Shared;

    /// The argument, as a line names it.
    #[cfg(ordinary)]
    #[doc(hidden)]
    const FIELD: LineField = LineField::of::<Self::Of>(NOWHERE, <Self::Of>::replug_line);
}

/// The shape of an argument, asked for only if the function is called: a constant is asked for by each body that names it.
pub const fn shape_of<T: Argument>() -> Shape {
    T::SHAPE
}

/// The way in which a value goes from host to plugin. All references have one; whether what they refer to can cross is
/// for [`Argument`] to say, so that a type that cannot is one error.
///
/// # Safety
///
/// `receive` makes the sent value again out of the result of `send`, in a program of another compiler too, unless the
/// value is ordinary Rust.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross from host to plugin",
    label = "not a type that crosses",
    note = "functions of an interface take `&str`, `Sink`, and what is `Shared`: by value, as `&T`, `&mut T`, `&[T]` and \
            `&mut [T]`",
    note = "a struct or an enum of one's own crosses with `#[derive(replug_derive::Shared)]`, or, if it consists of plain \
            data, when it is declared with `shared!`",
    note = "functions, closures, trait objects, raw pointers and `&'static` do not cross; owned text is a `String`"
)]
pub unsafe trait Carried: Sized {
    /// The type as which a value crosses: a C type, unless the value is ordinary Rust.
    type Wire;
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
pub struct Call {
    /// What the host offers for this call, where a proxy can stand on it.
    held: UnsafeCell<[MaybeUninit<RawOffer>; MOST_HELD]>,
    count: Cell<usize>,
}

/// How many arguments of one function can be what a host offers. The words of `__few_lent` say so too.
const MOST_HELD: usize = 4;

/// Whether a function takes more of what a host offers than a call has room for.
pub const fn lends_too_many(takes: &[Shape]) -> bool {
    offers(takes) > MOST_HELD
}

/// Whether an argument is only lent for the call.
pub const fn is_lent(taken: &Shape) -> bool {
    match taken {
        Shape::Ref(_) | Shape::RefMut(_) | Shape::Slice(_) | Shape::SliceMut(_) => true,
        Shape::Scalar(name) => matches!(name.as_bytes(), b"&str" | b"Sink"),
        _ => false,
    }
}

impl Call {
    /// The beginning of a call.
    #[inline(always)]
    pub fn begin() -> Call {
        Call {
            held: UnsafeCell::new([MaybeUninit::uninit(); MOST_HELD]),
            count: Cell::new(0),
        }
    }

    /// Holds for the call what the host offers.
    ///
    /// # Panics
    ///
    /// If the function takes more of this kind than a call has room for.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub fn hold(&self, offer: RawOffer) -> &mut RawOffer {
        let at = self.count.get();
        assert!(
            at < MOST_HELD,
            "a function takes {MOST_HELD} `dyn` arguments at most"
        );
        self.count.set(at + 1);
        let places = self.held.get().cast::<MaybeUninit<RawOffer>>();
        // SAFETY: there are `MOST_HELD` places, one behind the other.
        let place = unsafe { places.add(at) };
        // SAFETY: the place lives as long as the call, and is given out once.
        unsafe { &mut *place }.write(offer)
    }
}

macro_rules! scalars {
    ($($scalar:ident)*) => { $(
        // SAFETY: a scalar has the same layout in C, and is no pointer.
        unsafe impl Shared for $scalar {
            const SHAPE: Shape = Shape::Scalar(stringify!($scalar));
            $crate::__line!(Std, [], [], stringify!($scalar));
        }

        // SAFETY: as above.
        unsafe impl Plain for $scalar {}

        // SAFETY: as above.
        unsafe impl Argument for $scalar {
            const SHAPE: Shape = <$scalar as Shared>::SHAPE;
            type Of = $scalar;
        }

        // SAFETY: the value crosses as it is.
        unsafe impl Carried for $scalar {
            type Wire = $scalar;
            type At<'call> = $scalar;

            #[inline(always)]
            fn send(self) -> $scalar {
                self
            }

            #[inline(always)]
            unsafe fn receive(wire: $scalar, _: &Call) -> $scalar {
                wire
            }
        }
    )* };
}

/// Lets a type be taken by value.
#[doc(hidden)]
#[macro_export]
macro_rules! __by_value {
    ([$($generics:tt)*] [$($carried:tt)*] $value:ty) => {
        // SAFETY: the value crosses as it is, in a struct of C's.
        unsafe impl<$($generics)*> $crate::wire::Argument for $value {
            const SHAPE: $crate::__private::Shape = <$value as $crate::wire::Shared>::SHAPE;
            type Of = $value;
        }

        // SAFETY: as above.
        unsafe impl<$($carried)*> $crate::wire::Carried for $value {
            type Wire = $crate::wire::Moved<$value>;
            type At<'call> = $value;

            #[inline(always)]
            fn send(self) -> $crate::wire::Moved<$value> {
                $crate::wire::Moved::new(self)
            }

            #[inline(always)]
            unsafe fn receive(replug_wire: $crate::wire::Moved<$value>, _: &$crate::wire::Call) -> $value {
                replug_wire.take()
            }
        }
    };
    ($value:ty) => {
        $crate::__by_value!([] [] $value);
    };
}

/// A value on its way from one side to the other.
///
/// A struct that has one scalar is passed as that scalar, of which the sender fills all of a register, and one that is
/// `repr(C)` is not. An attribute can make a difference of this kind between two builds whose values are the same. In here
/// all are passed alike. To C this is the value itself.
#[doc(hidden)]
#[repr(C)]
#[derive(Debug)]
pub struct Moved<T>(T);

impl<T> Moved<T> {
    #[inline(always)]
    pub fn new(value: T) -> Moved<T> {
        Moved(value)
    }

    #[inline(always)]
    pub fn take(self) -> T {
        self.0
    }
}

scalars!(bool u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);

// SAFETY: `()` takes no room in the struct that it is returned in.
unsafe impl Shared for () {
    const SHAPE: Shape = Shape::Scalar("()");
    crate::__line!(Std, [], [], "()");
}

// SAFETY: an array is its elements one after the other, in C too.
unsafe impl<T: Shared, const N: usize> Shared for [T; N] {
    const SHAPE: Shape = Shape::Array(&T::SHAPE, N);
    crate::__line!(
        Std,
        [LineField::of::<T>(NOWHERE, T::replug_line)],
        [N],
        "array"
    );
}

// SAFETY: as above, and the elements are plain.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

// SAFETY: the value crosses as it is, between two programs of one compiler: C cannot pass an array.
unsafe impl<T: Shared, const N: usize> Argument for [T; N] {
    const SHAPE: Shape = Shape::Moved(&Shape::Array(&T::SHAPE, N));
    type Of = [T; N];
}

// SAFETY: as above.
unsafe impl<T, const N: usize> Carried for [T; N] {
    type Wire = [T; N];
    type At<'call> = [T; N];

    #[inline(always)]
    fn send(self) -> [T; N] {
        self
    }

    #[inline(always)]
    unsafe fn receive(wire: [T; N], _: &Call) -> [T; N] {
        wire
    }
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
unsafe impl<T: Shared> Argument for &[T] {
    const SHAPE: Shape = Shape::Slice(&T::SHAPE);
    type Of = T;
}

// SAFETY: as above.
unsafe impl<T: 'static> Carried for &[T] {
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
unsafe impl<T: Shared> Argument for &mut [T] {
    const SHAPE: Shape = Shape::SliceMut(&T::SHAPE);
    type Of = T;
}

// SAFETY: as above.
unsafe impl<T: 'static> Carried for &mut [T] {
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
    type Of = u8;
}

// SAFETY: as above.
unsafe impl Carried for &str {
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
unsafe impl<T: Shared> Argument for &T {
    const SHAPE: Shape = Shape::Ref(&T::SHAPE);
    type Of = T;
}

// SAFETY: as above.
unsafe impl<T: 'static> Carried for &T {
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
unsafe impl<T: Shared> Argument for &mut T {
    const SHAPE: Shape = Shape::RefMut(&T::SHAPE);
    type Of = T;
}

// SAFETY: as above.
unsafe impl<T: 'static> Carried for &mut T {
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
