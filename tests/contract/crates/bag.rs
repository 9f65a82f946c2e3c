//! What the host and its plugin share: a value with a type of each of these crates.

use chrono::DateTime;
use glam::Vec3;
use indexmap::IndexMap;
use replug_derive::Shared;
use serde_json::Value;
use smallvec::SmallVec;
use uuid::Uuid;

use super::Utc;

/// A type of each crate.
#[derive(Debug, PartialEq, Shared)]
pub struct Bag {
    /// Of glam.
    #[shared(unsafe foreign)]
    pub place: Vec3,
    /// Of uuid.
    #[shared(unsafe foreign)]
    pub name: Uuid,
    /// Of chrono.
    #[shared(unsafe foreign)]
    pub packed: DateTime<Utc>,
    /// Of serde_json.
    #[shared(unsafe foreign)]
    pub note: Value,
    /// Of smallvec.
    #[shared(unsafe foreign)]
    pub coins: SmallVec<[u8; 4]>,
    /// Of indexmap.
    #[shared(unsafe foreign)]
    pub things: IndexMap<String, u32>,
}

replug_plugin::interface! {
    /// Carries bags.
    pub interface Porter, plugin trait Carry, version 1 {
        /// Puts something in, and gives it back.
        fn carry(bag: Bag) -> Bag;
    }
}
