//! Enums that cross, each with an attribute that could change it after it was written down.

use replug_derive::Shared;

#[derive(Shared)]
#[changing::widening]
pub enum Reordered {
    One(u64),
    Other(u8),
}

use changing::widening as wide;

#[derive(Shared)]
#[wide]
pub enum Renamed {
    One(u64),
}

macro_rules! with {
    ($(#[$meta:meta])* $name:ident) => {
        #[derive(Shared)]
        $(#[$meta])*
        pub enum $name {
            One(u64),
        }
    };
}

with!(#[changing::widening] Passed);

#[derive(Shared)]
#[shared(inert(wide))]
pub enum SaidSafely {
    One(u64),
}

use changing::widening as serde;

#[derive(Shared)]
#[serde]
pub enum NamedLikeAHelper {
    One(u64),
}

use changing::widening as must_use;

#[derive(Shared)]
#[must_use]
pub enum NamedLikeOneOfTheCompiler {
    One(u64),
}

#[derive(Shared)]
#[derive(Clone)]
pub enum DerivedLater {
    One(u64),
}

#[derive(Shared)]
pub enum OnAVariant {
    #[changing::widening]
    One(u64),
}

#[derive(Shared)]
pub enum OnAField {
    One(#[changing::widening] u64),
}

/// An attribute of the derive, where it would say nothing.
#[derive(Shared)]
pub enum Inner {
    #[shared(unsafe foreign)]
    One(u64),
}

fn main() {}
