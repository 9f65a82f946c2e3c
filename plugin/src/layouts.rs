//! The layouts of replug's own tables, as text. They are part of each handshake, so that a host reads no table that lies
//! in memory in another way than its own.

use std::mem::{offset_of, size_of};

use crate::answer::{Answered, Failure, Offered};
use crate::export::Entry;
use crate::hooks::HookTable;
use crate::offer::RawOffer;
use crate::services::Services;
use crate::sink::RawSink;
use crate::text::Text;
use crate::wire::{RawSlice, RawSliceMut};

/// A table of replug's own: its name, its size, and each field with its place, both in bytes.
struct Own {
    name: &'static str,
    size: usize,
    fields: &'static [(&'static str, usize)],
}

/// A table of replug's own, as the compiler lays it out.
macro_rules! own {
    ($name:literal, $own:ty, $($field:ident)*) => {
        Own {
            name: $name,
            size: size_of::<$own>(),
            fields: &[$((stringify!($field), offset_of!($own, $field))),*],
        }
    };
}

/// All that a host and a plugin read of each other without a word of it in the declaration.
const OWN: &[Own] = &[
    own!("Entry", Entry, table hooks attach),
    own!("HookTable", HookTable, init stop save restore),
    own!(
        "Services",
        Services,
        image at_thread_exit create_key delete_key set get spawn handles looks_up end
    ),
    own!("Answered", Answered<()>, failure),
    own!("Answered of u64", Answered<u64>, failure value),
    own!("Offer", RawOffer, object table),
    own!("Offered of u64", Offered<u64>, value failure),
    own!("Failure", Failure, kind message free),
    own!("Slice", RawSlice<u8>, data len),
    own!("SliceMut", RawSliceMut<u8>, data len),
    own!("Sink", RawSink, buffer write),
];

const fn written<const N: usize>() -> Text<N> {
    let mut text = Text::new();
    let mut at = 0;
    while at < OWN.len() {
        let Own { name, size, fields } = &OWN[at];
        text.put("layout ").put(name).put(" size ").number(*size);
        let mut field = 0;
        while field < fields.len() {
            let (name, offset) = fields[field];
            text.put(if field == 0 { ": " } else { ", " });
            text.put(name).put(" at ").number(offset);
            field += 1;
        }
        text.put("\n");
        at += 1;
    }
    text
}

/// More room than the text takes. It is written once: each crate that is compiled writes it anew.
const WHOLE: Text<8192> = written();

const WRITTEN: Text<{ WHOLE.len() }> = WHOLE.cut();

/// The layouts of replug's own tables: a line for each.
pub const LAYOUTS: &str = WRITTEN.as_str();
