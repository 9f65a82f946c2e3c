//! The shape of what crosses: types, structs and functions as data, from which the text of a declaration is written.
//!
//! Nothing here runs at run time in a plugin: all of it is computed by the compiler.

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
