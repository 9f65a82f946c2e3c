//! The shape of what crosses: types, structs and functions as data, from which the text of a declaration is written.
//!
//! Nothing here runs at run time in a plugin: all of it is computed by the compiler.

/// What a type looks like to C. The text of it is what two sides compare.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A number, or another type that has one well-known form.
    Scalar(&'static str),
    /// So many of one shape, one after the other.
    Array(&'static Shape, usize),
    /// A struct.
    Struct(&'static Layout),
    /// Borrowed, one.
    Ref(&'static Shape),
    /// Borrowed for writing, one.
    RefMut(&'static Shape),
    /// Borrowed, any number.
    Slice(&'static Shape),
    /// Borrowed for writing, any number.
    SliceMut(&'static Shape),
}

/// How a struct lies in memory.
#[derive(Debug)]
pub struct Layout {
    /// Its name.
    pub name: &'static str,
    /// In bytes.
    pub size: usize,
    /// In bytes.
    pub align: usize,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

/// One field of a struct.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// In bytes from the start of the struct.
    pub offset: usize,
    /// What it is.
    pub shape: Shape,
}

/// One function of an interface.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static [Shape],
    /// What it returns.
    pub returns: Shape,
}
