//! The line of a type: one record in a library's file that says what the type consists of. A host finds the lines of a
//! plugin in the file, before anything of the plugin runs, and compares them with its own.
//!
//! A line names other types by their `TypeId`, which links the lines of one library. Naming a type's line does not
//! make the line, so types that contain each other have lines too.

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::size_of;

use crate::wire::Shared;

/// The beginning of each line, by which a host finds it. The last number is the version of what follows.
pub const MAGIC: [u8; 16] = *b"\xf7replug-line\xf7\0\0\x01";

/// The place of what is not at one place in its owner: the field of a variant, or what a type is made for.
pub const NOWHERE: usize = usize::MAX;

/// Whether this compiler can write lines.
pub const CAN_BE_ORDINARY: bool = cfg!(ordinary);

/// The kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A type of the standard library or of the language: compared by its name and what it is made for.
    Std = 1,
    /// A type of somebody's own: compared by its definition.
    Own = 2,
    /// A type of another crate, of which only its identity is known.
    Foreign = 3,
    /// An interface, or what a host offers: the fields are the types that its functions take and return.
    Interface = 4,
}

/// The beginning of a line. All numbers are those of this target.
#[repr(C)]
#[derive(Debug)]
pub struct Head {
    /// [`MAGIC`].
    pub magic: [u8; 16],
    /// The type.
    pub id: TypeId,
    /// The size of the type, in bytes.
    pub size: u64,
    /// The alignment of the type, in bytes.
    pub align: u64,
    /// The size of an `Option` of the type, in bytes. It shows whether the type has a value to spare.
    pub optional: u64,
    /// A [`Kind`].
    pub kind: u32,
    /// The number of fields that follow.
    pub fields: u32,
    /// The number of numbers that follow the fields.
    pub numbers: u32,
    /// The length of the text that follows the numbers, in bytes.
    pub text: u32,
}

/// One field of a line.
#[repr(C)]
#[derive(Debug)]
pub struct LineField {
    /// The field's type.
    pub id: TypeId,
    /// The field's place, in bytes from the start of its owner; [`NOWHERE`] if the compiler does not say.
    pub offset: u64,
    /// Leads to the line of the field's type.
    pub line: fn() -> Line,
}

/// A line as it stands in the file: its head, its fields, its numbers, and text.
#[repr(C)]
#[derive(Debug)]
pub struct Record<const FIELDS: usize, const NUMBERS: usize, const TEXT: usize> {
    head: Head,
    fields: [LineField; FIELDS],
    numbers: [[u64; 2]; NUMBERS],
    text: [u8; TEXT],
}

/// A line of this very program.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// The head; `None` where the compiler is too old to write lines.
    pub head: Option<&'static Head>,
    /// The fields, in the order of the definition.
    pub fields: &'static [LineField],
    /// Discriminants, lengths and constants, in the order in which the text speaks of them, each as its low and its
    /// high half.
    pub numbers: &'static [[u64; 2]],
    /// Names, a fact a line.
    pub text: &'static [u8],
}

// The identity of a type is constant since 1.91, and only there is this compiled.
#[cfg(ordinary)]
#[allow(clippy::incompatible_msrv)]
impl Head {
    /// The head of a type's line.
    pub const fn of<T: 'static>(kind: Kind) -> Head {
        Head {
            magic: MAGIC,
            id: TypeId::of::<T>(),
            size: size_of::<T>() as u64,
            align: align_of::<T>() as u64,
            optional: size_of::<Option<T>>() as u64,
            kind: kind as u32,
            fields: 0,
            numbers: 0,
            text: 0,
        }
    }
}

#[cfg(ordinary)]
#[allow(clippy::incompatible_msrv)]
impl LineField {
    /// A field of type `T` at a place. The function that leads to the line of `T` is given, not asked for by a bound: each
    /// type is named by one trait alone, so that one that cannot cross is one error.
    pub const fn of<T: 'static>(offset: usize, line: fn() -> Line) -> LineField {
        LineField {
            id: TypeId::of::<T>(),
            offset: offset as u64,
            line,
        }
    }
}

impl<const FIELDS: usize, const NUMBERS: usize, const TEXT: usize> Record<FIELDS, NUMBERS, TEXT> {
    /// A line.
    pub const fn new(
        head: Head,
        fields: [LineField; FIELDS],
        numbers: [i128; NUMBERS],
        text: [u8; TEXT],
    ) -> Self {
        let mut halves = [[0; 2]; NUMBERS];
        let mut at = 0;
        while at < NUMBERS {
            halves[at] = [numbers[at] as u64, (numbers[at] >> 64) as u64];
            at += 1;
        }
        Record {
            head: Head {
                fields: FIELDS as u32,
                numbers: NUMBERS as u32,
                text: TEXT as u32,
                ..head
            },
            fields,
            numbers: halves,
            text,
        }
    }

    /// The line that this record is.
    pub fn line(&'static self) -> Line {
        Line {
            head: Some(&self.head),
            fields: &self.fields,
            numbers: &self.numbers,
            text: &self.text,
        }
    }
}

/// The bytes of a text, as many as there are.
pub const fn bytes_of<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = text.as_bytes()[at];
        at += 1;
    }
    bytes
}

/// The length of a text, in bytes.
pub const fn len_of(text: &str) -> usize {
    text.len()
}

/// The identity of a type as it stands in a file.
pub fn id_bytes(id: TypeId) -> [u8; 16] {
    const { assert!(size_of::<TypeId>() == 16) };
    // SAFETY: a `TypeId` is 16 bytes, as was just seen, and hides none of them.
    unsafe { std::mem::transmute::<TypeId, [u8; 16]>(id) }
}

/// Writes the function that leads to a type's line, for the type that is implemented. Nothing in it has a name that a field's
/// type or a discriminant could mean, as the name of a constant.
#[cfg(ordinary)]
#[doc(hidden)]
#[macro_export]
macro_rules! __line {
    ($kind:ident, [$($field:expr),* $(,)?], [$($number:expr),* $(,)?], $text:expr $(, $proof:block)?) => {
        fn replug_line() -> $crate::__private::Line {
            $( $proof )?
            const {
                &$crate::__private::Record::new(
                    $crate::__private::Head::of::<Self>($crate::__private::Kind::$kind),
                    [$($field),*],
                    [$($number as $crate::__core::primitive::i128),*],
                    $crate::__private::bytes_of::<{ $crate::__private::len_of($text) }>($text),
                )
            }
            .line()
        }
    };
}

/// Writes a function that leads to no line: this compiler has no identity of a type that is constant.
#[cfg(not(ordinary))]
#[doc(hidden)]
#[macro_export]
macro_rules! __line {
    ($($line:tt)*) => {
        fn replug_line() -> $crate::__private::Line {
            $crate::__private::Line {
                head: $crate::__core::option::Option::None,
                fields: &[],
                numbers: &[],
                text: &[],
            }
        }
    };
}

/// A type for which somebody vouches. One that crosses by itself has a line already, and of two lines about one type that differ
/// neither is believed.
#[derive(Debug)]
pub struct Vouched<T>(PhantomData<T>);

impl<T: Shared> Vouched<T> {
    /// The type crosses by itself. This is found before what the trait says of each type.
    pub const IS_SHARED: bool = true;
}

/// What is said of a type for which nothing else is said.
pub trait NotShared {
    /// The type does not cross by itself.
    const IS_SHARED: bool = false;
}

impl<T> NotShared for Vouched<T> {}

/// Writes a function that leads to the line of a type of another crate, for which somebody vouches.
#[cfg(ordinary)]
#[doc(hidden)]
#[macro_export]
macro_rules! __foreign_line {
    ($of:ty, $text:expr, $wrong:expr) => {
        const _: () = {
            use $crate::__private::NotShared as _;
            $crate::__core::assert!(!$crate::__private::Vouched::<$of>::IS_SHARED, "{}", $wrong);
        };

        fn replug_foreign_line() -> $crate::__private::Line {
            const {
                &$crate::__private::Record::new(
                    $crate::__private::Head::of::<$of>($crate::__private::Kind::Foreign),
                    [],
                    [],
                    $crate::__private::bytes_of::<{ $crate::__private::len_of($text) }>($text),
                )
            }
            .line()
        }
    };
}
