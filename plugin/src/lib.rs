//! What a native plugin needs to be reloaded by a `replug` host: one declaration that both sides
//! share, and no other crate.
//!
//! A plugin is a `cdylib` that implements the trait of an [`interface!`] and says [`export!`] once. The library then
//! carries the declaration as text, a handshake, which a host compares with its own before anything of the plugin
//! runs.
//!
//! ```
//! replug_plugin::interface! {
//!     /// Greets people.
//!     pub interface Greeter, plugin trait Greet, version 1 {
//!         /// Writes a greeting for `name`.
//!         fn greet(name: &str, greeting: replug_plugin::Sink<'_>);
//!     }
//! }
//!
//! struct Friendly;
//!
//! impl Greet for Friendly {
//!     fn greet(name: &str, mut greeting: replug_plugin::Sink<'_>) {
//!         greeting.write(format!("hello, {name}").as_bytes());
//!     }
//! }
//!
//! replug_plugin::export!(Friendly: Greeter);
//! # fn main() {}
//! ```
//!
//! Its `Cargo.toml` says `crate-type = ["cdylib"]` in `[lib]`. Structs cross if they are declared with [`shared!`]. A
//! plugin that calls this crate `replug`, by `replug = { package = "replug-plugin", .. }`, can share the file of its
//! declaration with its host.
//!
//! The crate has no features and no dependencies, so the bytes of a plugin do not depend on what cargo builds beside
//! it.

#![warn(unreachable_pub)]
// The values that cross, and libc's place, are taken by code that the compiler cannot check. A host has one module for
// that; here nearly all is of the kind.
#![allow(unsafe_code)]

// Text of others, as it is printed.
pub mod shown;

// The declaration: what it consists of, its text, and the macros that both sides expand.
mod shape;

mod same;

mod text;

mod declaration;

// The lines of types, which a host finds in a library's file.
mod line;

// What makes one definition two types.
mod facts;

// The tables of replug itself, whose layouts are part of each handshake.
mod layouts;

mod refuse;

mod declare;

mod shared;

// What a host offers to its plugin.
mod offer;

// Which threads of a host can be called by a plugin in the middle of a call.
mod visit;

// What crosses, and what comes back.
pub mod wire;

mod ordinary;

mod sink;

mod answer;

// Futures.
mod pending;

mod table;

// What a library carries: its entry, and the hooks around its life.
mod hooks;

// The state of its own that a plugin leaves to the next generation.
mod state;

mod export;

// The allocator of a plugin.
mod allocator;

// What a host does for a plugin in the place of libc.
mod services;

#[cfg(unloads)]
mod interpose;

#[cfg(all(test, target_os = "linux"))]
mod header;

pub use crate::answer::CallError;
pub use crate::hooks::{HookError, Hooks};
pub use crate::pending::Pending;
pub use crate::sink::Sink;
pub use crate::state::StateGuard;
pub use crate::table::Interface;
pub use crate::wire::Shared;

/// No API: the macros' own name for `core`, because a user may call another crate that.
#[doc(hidden)]
pub use ::core as __core;

// Where a derive finds this crate, by itself or through `replug`.
#[doc(hidden)]
pub extern crate self as __plugin;

/// No API: what the macros expand to, and what a host of the same version reads. Anything in here can change at any
/// time.
#[doc(hidden)]
pub mod __private {
    pub use std::string::String;
    pub use std::vec::Vec;

    pub use crate::allocator::{Allocator, Heap};
    pub use crate::answer::{Answered, Offered, answer, drop_unused};
    pub use crate::export::{Entry, Ordinary};
    pub use crate::facts::{FACTS, SHUFFLES};
    pub use crate::hooks::{HookTable, init};
    pub use crate::layouts::LAYOUTS;
    pub use crate::line::{
        CAN_BE_ORDINARY, Head, Kind, Line, LineField, MAGIC, NOWHERE, NotShared, Record, Vouched,
        bytes_of, id_bytes, len_of,
    };
    #[cfg(unloads)]
    pub mod interpose {
        pub use crate::interpose::{
            at_thread_exit, create_c11_key, create_key, delete_key, end, find_symbol, get, getenv,
            set, set_action, set_c11, set_handler, set_signal_stack, spawn, spawn_c11,
        };
    }
    pub use crate::offer::{Offer, Proxy, RawObject, RawOffer, is_mut, is_self, raise};
    pub use crate::refuse::{TAKEN, is_taken, says_dyn, says_macro, says_static};
    pub use crate::same::{SameAs, field_is};
    pub use crate::services::{Attach, Destructor, FIRST_KEY, Services, Start};
    pub use crate::shape::{Field, Function, Layout, Shape, are_ordinary};
    pub use crate::state::{Keeper, Keeps, State};
    pub use crate::table::{Implemented, Slot};
    pub use crate::text::{
        FORMAT, LEVEL, Text, VERSION, handshake_len, handshake_text, is_ordinary,
    };
    pub use crate::visit::{Visited, offers};
    pub use crate::wire::{is_lent, lends_too_many, shape_of};
}

#[cfg(test)]
mod tests {
    /// The lines of the first example in Rust.
    fn example(page: &str, fence: &str) -> Vec<String> {
        let (_, rest) = page.split_once(fence).unwrap();
        let lines = rest.split("```").next().unwrap().lines();
        let lines = lines.map(|line| line.trim_start_matches("//!").trim().to_owned());
        let is_shown = |line: &String| !line.starts_with("# ") && !line.is_empty();
        lines.filter(is_shown).collect()
    }

    #[test]
    fn the_example_of_readme_is_the_one_that_is_compiled() {
        let readme = example(include_str!("../README.md"), "```rust\n");
        assert_eq!(readme, example(include_str!("lib.rs"), "//! ```\n"));
    }
}
