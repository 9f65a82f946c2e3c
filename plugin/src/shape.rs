//! The shape of what crosses: types, structs and functions as data, from which the text of a declaration is written.
//!
//! Nothing here runs at run time in a plugin: all of it is computed by the compiler.

use std::mem::size_of;
use std::slice;

use crate::offer::Offer;

/// The shape of a type, as C sees it. The two sides compare the texts of their shapes.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A number, or another type that has one well-known form.
    Scalar(&'static str),
    /// An array: so many values of one shape, one after the other.
    Array(&'static Shape, usize),
    /// A struct.
    Struct(&'static Layout),
    /// One borrowed value.
    Ref(&'static Shape),
    /// One value that is borrowed for writing.
    RefMut(&'static Shape),
    /// Any number of borrowed values.
    Slice(&'static Shape),
    /// Any number of values that are borrowed for writing.
    SliceMut(&'static Shape),
    /// A type of ordinary Rust: its name, and what it is made for. Its line says what it consists of.
    Ordinary(&'static str, &'static [Shape]),
    /// Several values of ordinary Rust side by side.
    Tuple(&'static [Shape]),
    /// A value that crosses in a way that only Rust has.
    Moved(&'static Shape),
    /// What a host offers: a trait.
    Offer(&'static Offer),
}

impl Shape {
    /// Whether only a host and a plugin of one compiler can exchange values of this shape.
    pub const fn is_ordinary(&self) -> bool {
        match self {
            Shape::Ordinary(..) | Shape::Tuple(_) | Shape::Moved(_) => true,
            Shape::Array(of, _)
            | Shape::Ref(of)
            | Shape::RefMut(of)
            | Shape::Slice(of)
            | Shape::SliceMut(of) => of.is_ordinary(),
            Shape::Offer(offer) => {
                let mut at = 0;
                while at < offer.functions.len() {
                    if offer.functions[at].1.is_ordinary() {
                        return true;
                    }
                    at += 1;
                }
                false
            }
            // A struct of `shared!` has only plain fields.
            Shape::Scalar(_) | Shape::Struct(_) => false,
        }
    }
}

/// The layout of a struct in memory.
#[derive(Debug)]
pub struct Layout {
    /// The struct's name.
    pub name: &'static str,
    /// The struct's size, in bytes.
    pub size: usize,
    /// The struct's alignment, in bytes.
    pub align: usize,
    /// The struct's fields, in order.
    pub fields: &'static [Field],
    /// All of this, written out, as [`Text::definition`](crate::text::Text::definition) does it.
    pub text: &'static str,
}

/// One field of a struct.
#[derive(Debug)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// The field's place, in bytes from the start of the struct.
    pub offset: usize,
    /// The shape of the field's type.
    pub shape: Shape,
}

/// One function of an interface.
#[derive(Debug)]
pub struct Function {
    /// The function's name.
    pub name: &'static str,
    /// The shapes of the arguments.
    pub takes: &'static [Shape],
    /// The shape of the answer.
    pub returns: Shape,
}

impl Function {
    /// Whether the function takes or returns ordinary Rust.
    const fn is_ordinary(&self) -> bool {
        let mut at = 0;
        while at < self.takes.len() {
            if self.takes[at].is_ordinary() {
                return true;
            }
            at += 1;
        }
        self.returns.is_ordinary()
    }
}

/// Whether any of the functions takes or returns ordinary Rust: the level of a declaration follows from what is declared.
pub const fn are_ordinary(functions: &[Function]) -> bool {
    let mut at = 0;
    while at < functions.len() {
        if functions[at].is_ordinary() {
            return true;
        }
        at += 1;
    }
    false
}

/// So many bytes that are compared in one step.
#[repr(C, packed)]
struct Chunk(u128);

impl Chunk {
    const SIZE: usize = size_of::<Chunk>();

    /// A text as far as it is whole chunks.
    const fn all(text: &str) -> &[Chunk] {
        // SAFETY: the text has so many bytes, and a chunk can be any bytes at any address.
        unsafe { slice::from_raw_parts(text.as_ptr().cast(), text.len() / Chunk::SIZE) }
    }
}

/// Whether two texts are one; no constant can be made by `==`. The compiler takes its time for each step, and more for each
/// call.
pub(crate) const fn is_same(one: &str, other: &str) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (chunks, other_chunks) = (Chunk::all(one), Chunk::all(other));
    let mut at = 0;
    while at < chunks.len() {
        if chunks[at].0 != other_chunks[at].0 {
            return false;
        }
        at += 1;
    }
    let (bytes, other_bytes) = (one.as_bytes(), other.as_bytes());
    at *= Chunk::SIZE;
    while at < bytes.len() {
        if bytes[at] != other_bytes[at] {
            return false;
        }
        at += 1;
    }
    true
}
