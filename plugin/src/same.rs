//! A proof that a type is the one that was written down. Attributes of a struct run before the struct is compiled, and
//! may change it; its layout is taken from the compiled struct, so each field must still be what the declaration says.

/// A type that is the same as `Declared`.
///
/// # Safety
///
/// The two are one type. Types of others may implement traits of this crate, so a safe trait would prove nothing.
#[diagnostic::on_unimplemented(
    message = "a field of a struct that crosses was declared as `{Declared}`, and is compiled as `{Self}`",
    label = "not the type that was declared",
    note = "an attribute of the struct changed the field, so the layout in the handshake would be that of another struct"
)]
pub unsafe trait SameAs<Declared> {}

// SAFETY: a type is itself.
unsafe impl<T> SameAs<T> for T {}

/// Takes note that a field is of the type that was declared. A pointer to the field is asked for, because references
/// would be adapted silently.
pub const fn field_is<Declared, Compiled: SameAs<Declared>>(_: *const Compiled) {}
