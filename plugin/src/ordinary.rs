//! The types of the standard library that cross between a host and a plugin of one compiler, as they are.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::OsString;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU8,
    NonZeroU16, NonZeroU32, NonZeroU64, NonZeroU128, NonZeroUsize, Wrapping,
};
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::rc::{self, Rc};
use std::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16,
    AtomicU32, AtomicU64, AtomicUsize,
};
use std::sync::{self, Arc, Mutex, RwLock};
use std::time::{Duration, Instant, SystemTime};

#[cfg(ordinary)]
use crate::line::{LineField, NOWHERE};
use crate::shape::Shape;
use crate::wire::Shared;

/// Lets types of the standard library cross: for each its name, what it is made for, and itself.
macro_rules! std_types {
    ($($name:literal [$($of:ident),*] $value:ty;)*) => { $(
        // SAFETY: host and plugin have the type from one standard library, and it holds no more than what it is made for.
        unsafe impl<$($of: Shared),*> Shared for $value {
            const SHAPE: Shape = Shape::Ordinary($name, &[$(<$of as Shared>::SHAPE),*]);
            crate::__line!(Std, [$(LineField::of::<$of>(NOWHERE, $of::replug_line)),*], [], $name);
        }
        crate::__by_value!([$($of: Shared),*] [$($of),*] $value);
    )* };
}

std_types! {
    "char" [] char;
    "i128" [] i128;
    "u128" [] u128;
    "String" [] String;
    "OsString" [] OsString;
    "PathBuf" [] PathBuf;
    "Duration" [] Duration;
    "Instant" [] Instant;
    "SystemTime" [] SystemTime;
    "IpAddr" [] IpAddr;
    "Ipv4Addr" [] Ipv4Addr;
    "Ipv6Addr" [] Ipv6Addr;
    "SocketAddr" [] SocketAddr;
    "Ordering" [] std::cmp::Ordering;
    "NonZeroI8" [] NonZeroI8;
    "NonZeroI16" [] NonZeroI16;
    "NonZeroI32" [] NonZeroI32;
    "NonZeroI64" [] NonZeroI64;
    "NonZeroI128" [] NonZeroI128;
    "NonZeroIsize" [] NonZeroIsize;
    "NonZeroU8" [] NonZeroU8;
    "NonZeroU16" [] NonZeroU16;
    "NonZeroU32" [] NonZeroU32;
    "NonZeroU64" [] NonZeroU64;
    "NonZeroU128" [] NonZeroU128;
    "NonZeroUsize" [] NonZeroUsize;
    "AtomicBool" [] AtomicBool;
    "AtomicI8" [] AtomicI8;
    "AtomicI16" [] AtomicI16;
    "AtomicI32" [] AtomicI32;
    "AtomicI64" [] AtomicI64;
    "AtomicIsize" [] AtomicIsize;
    "AtomicU8" [] AtomicU8;
    "AtomicU16" [] AtomicU16;
    "AtomicU32" [] AtomicU32;
    "AtomicU64" [] AtomicU64;
    "AtomicUsize" [] AtomicUsize;
    "Vec" [T] Vec<T>;
    "VecDeque" [T] VecDeque<T>;
    "LinkedList" [T] LinkedList<T>;
    "BinaryHeap" [T] BinaryHeap<T>;
    "Box" [T] Box<T>;
    "Box<[]>" [T] Box<[T]>;
    "Box<str>" [] Box<str>;
    "Option" [T] Option<T>;
    "Result" [T, E] Result<T, E>;
    "HashMap" [K, V] HashMap<K, V>;
    "HashSet" [T] HashSet<T>;
    "BTreeMap" [K, V] BTreeMap<K, V>;
    "BTreeSet" [T] BTreeSet<T>;
    "Rc" [T] Rc<T>;
    "Rc<str>" [] Rc<str>;
    "rc::Weak" [T] rc::Weak<T>;
    "Arc" [T] Arc<T>;
    "Arc<str>" [] Arc<str>;
    "Arc<[]>" [T] Arc<[T]>;
    "sync::Weak" [T] sync::Weak<T>;
    "Cell" [T] Cell<T>;
    "RefCell" [T] RefCell<T>;
    "Mutex" [T] Mutex<T>;
    "RwLock" [T] RwLock<T>;
    "Range" [T] Range<T>;
    "RangeInclusive" [T] RangeInclusive<T>;
    "Reverse" [T] Reverse<T>;
    "Wrapping" [T] Wrapping<T>;
    "PhantomData" [T] PhantomData<T>;
    // What they borrow is in an image, and images of the rust level are never unmapped.
    "Cow<str>" [] Cow<'static, str>;
}

/// Lets tuples cross.
macro_rules! tuples {
    ($([$($of:ident)+];)*) => { $(
        // SAFETY: as above.
        unsafe impl<$($of: Shared),+> Shared for ($($of,)+) {
            const SHAPE: Shape = Shape::Tuple(&[$(<$of as Shared>::SHAPE),+]);
            crate::__line!(Std, [$(LineField::of::<$of>(NOWHERE, $of::replug_line)),+], [], "tuple");
        }
        crate::__by_value!([$($of: Shared),+] [$($of),+] ($($of,)+));
    )* };
}

tuples! {
    [A];
    [A B];
    [A B C];
    [A B C D];
    [A B C D E];
    [A B C D E F];
    [A B C D E F G];
    [A B C D E F G H];
}

#[cfg(all(test, ordinary))]
mod tests {
    use super::*;
    use crate::line::{Kind, id_bytes};

    #[test]
    fn a_line_names_what_a_type_is_made_for() {
        let line = HashMap::<u32, Vec<String>>::replug_line();
        let head = line.head.unwrap();
        assert_eq!(head.kind, Kind::Std as u32);
        assert_eq!(line.text, b"HashMap");
        assert_eq!(head.size, size_of::<HashMap<u32, Vec<String>>>() as u64);
        assert_eq!(line.fields.len(), 2);
        let value = (line.fields[1].line)();
        assert_eq!(value.text, b"Vec");
        assert_eq!(value.head.unwrap().id, line.fields[1].id);
        assert_eq!((value.fields[0].line)().text, b"String");
        assert_ne!(id_bytes(line.fields[0].id), id_bytes(line.fields[1].id));
    }

    #[test]
    fn what_an_attribute_could_make_a_scalar_is_passed_as_a_struct() {
        use std::any::TypeId;

        use crate::wire::{Carried, Moved};

        crate::shared! {
            struct Letter {
                number: u8,
            }
        }

        fn is_struct<T: Carried + 'static>() -> bool
        where
            T::Wire: 'static,
        {
            TypeId::of::<T::Wire>() == TypeId::of::<Moved<T>>()
        }

        assert!(is_struct::<Letter>() && is_struct::<Option<Letter>>() && is_struct::<(Letter,)>());
        assert!(is_struct::<String>());
        assert!(!is_struct::<u8>(), "as in C");
        let _ = Letter { number: 1 }.number;
    }

    #[test]
    fn the_level_follows_from_what_is_named() {
        for ordinary in [
            <String as Shared>::SHAPE,
            <[char; 2] as Shared>::SHAPE,
            <(u8,) as Shared>::SHAPE,
            <&[Option<u8>] as crate::wire::Argument>::SHAPE,
            <[u8; 2] as crate::wire::Argument>::SHAPE,
        ] {
            assert!(ordinary.is_ordinary(), "{ordinary:?}");
        }
        for plain in [
            <u8 as Shared>::SHAPE,
            <[f32; 2] as Shared>::SHAPE,
            <&mut [u64] as crate::wire::Argument>::SHAPE,
            <&str as crate::wire::Argument>::SHAPE,
            <crate::Sink<'_> as crate::wire::Argument>::SHAPE,
        ] {
            assert!(!plain.is_ordinary(), "{plain:?}");
        }
    }
}
