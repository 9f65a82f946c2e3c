//! `#[derive(Shared)]`: structs and enums of one's own cross between a host and a plugin that one compiler builds.
//!
//! ```
//! use std::collections::HashMap;
//! use replug_derive::Shared;
//!
//! #[derive(Shared, Default)]
//! pub struct World {
//!     pub names: HashMap<u32, String>,
//!     pub events: Vec<Event>,
//! }
//!
//! #[derive(Shared)]
//! pub enum Event {
//!     Spawned(u32),
//!     Said { who: u32, text: String },
//! }
//!
//! replug_plugin::interface! {
//!     /// The rules of a game.
//!     pub interface Rules, plugin trait Play, version 1 {
//!         /// One frame.
//!         fn update(world: &mut World, seconds: f32) -> Result<Vec<Event>, String>;
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! The derive writes down what the type consists of: the names and types of fields, variants, discriminants, `repr`. A
//! host compares that with its own definition before anything of the plugin runs. Each field must be `Shared` too.
//!
//! A type of another crate has no definition that could be read. `#[shared(unsafe foreign)]` at a field vouches for it:
//!
//! ```
//! # mod glam { pub struct Vec3(f32, f32, f32); }
//! # use replug_derive::Shared;
//! #[derive(Shared)]
//! pub struct Camera {
//!     pub name: String,
//!     #[shared(unsafe foreign)]
//!     pub path: Vec<glam::Vec3>,
//! }
//! # fn main() {}
//! ```
//!
//! Its identity, size and alignment are compared, and the identity tells versions, features and profiles of a crate apart, but not
//! an edit. So vouch for crates from a registry, which nobody edits, and whose types hold no pointer to code.
//!
//! The crate `replug-plugin` is found by that name among the dependencies. A crate that depends on the host's crate, `replug`, and
//! not on that one, says so: `#[shared(crate = replug)]`. Who gives one of these names to another crate in `Cargo.toml` vouches for that crate.
//!
//! An attribute behind the derive could change an enum after it was read, so only the compiler's own are let through there. Other
//! macros and derives stand before it. An attribute of an enum that belongs to another derive is named, in words that
//! vouch for it, because a macro can have any name:
//!
//! ```
//! # use replug_derive::Shared;
//! #[derive(Shared)]
//! #[shared(unsafe inert(serde))]
//! // #[serde(rename_all = "lowercase")]
//! pub enum Colour {
//!     Red,
//!     Green,
//! }
//! # fn main() {}
//! ```
//!
//! Attributes of variants and fields need no such words: the compiler lets no macro stand there.

#![warn(unreachable_pub)]

// Tokens, with a look ahead.
mod tokens;

// What the attributes say.
mod attributes;

// What a type consists of, out of its tokens.
mod read;

// The implementation, as tokens.
mod write;

use proc_macro::TokenStream;

/// Lets a struct or an enum cross between a host and a plugin of one compiler. See the page of this crate.
#[proc_macro_derive(Shared, attributes(shared))]
pub fn shared(input: TokenStream) -> TokenStream {
    match read::item(input) {
        Ok(item) => write::implementation(&item),
        Err(wrong) => wrong.into(),
    }
}
