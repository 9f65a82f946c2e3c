//! The facts of a handshake at the rust level: all that can make one definition two types. A host and a plugin exchange
//! ordinary Rust only if all of these are equal.

use std::mem::{offset_of, size_of};

use crate::allocator::Heap;
use crate::export::Ordinary;
use crate::line::Line;
use crate::pending::{Functions, Pending};
use crate::text::Text;

/// A struct of many fields that are all alike. A compiler that shuffles fields shuffles these.
#[allow(dead_code)]
struct Probe {
    a: u32,
    b: u32,
    c: u32,
    d: u32,
    e: u32,
    f: u32,
    g: u32,
    h: u32,
    i: u32,
    j: u32,
    k: u32,
    l: u32,
}

/// The places of the probe's fields.
const PROBE: [usize; 12] = [
    offset_of!(Probe, a),
    offset_of!(Probe, b),
    offset_of!(Probe, c),
    offset_of!(Probe, d),
    offset_of!(Probe, e),
    offset_of!(Probe, f),
    offset_of!(Probe, g),
    offset_of!(Probe, h),
    offset_of!(Probe, i),
    offset_of!(Probe, j),
    offset_of!(Probe, k),
    offset_of!(Probe, l),
];

/// Whether this compiler shuffles fields. Each crate has an order of its own then, so equal probes say nothing of the types
/// in other crates.
pub const SHUFFLES: bool = {
    let (mut at, mut shuffles) = (0, false);
    while at < PROBE.len() {
        shuffles |= PROBE[at] != at * size_of::<u32>();
        at += 1;
    }
    shuffles
};

const fn written<const N: usize>() -> Text<N> {
    let mut text = Text::new();
    text.put("compiler ").put(env!("REPLUG_COMPILER"));
    text.put("\nfeatures ").put(env!("REPLUG_FEATURES"));
    text.put("\nflags ").put(env!("REPLUG_FLAGS"));
    text.put("\nprobe");
    let mut at = 0;
    while at < PROBE.len() {
        text.put(" ").number(PROBE[at]);
        at += 1;
    }
    text.put("\ntables");
    let mut at = 0;
    while at < TABLES.len() {
        text.put(" ").number(TABLES[at]);
        at += 1;
    }
    text.put("\n");
    text
}

/// The sizes of the tables that only the rust level has, each followed by the places of its fields.
const TABLES: [usize; 18] = [
    size_of::<Ordinary>(),
    offset_of!(Ordinary, line),
    offset_of!(Ordinary, allocate_from),
    offset_of!(Ordinary, alive),
    size_of::<Heap>(),
    offset_of!(Heap, alloc),
    offset_of!(Heap, alloc_1),
    offset_of!(Heap, alloc_8),
    offset_of!(Heap, alloc_zeroed),
    offset_of!(Heap, dealloc),
    offset_of!(Heap, realloc),
    size_of::<Pending<()>>(),
    offset_of!(Pending<()>, future),
    offset_of!(Pending<()>, functions),
    size_of::<Functions<()>>(),
    offset_of!(Functions<()>, poll),
    offset_of!(Functions<()>, drop),
    size_of::<Line>(),
];

/// More room than the text takes. It is written once: each crate that is compiled writes it anew.
const WHOLE: Text<8192> = written();

const WRITTEN: Text<{ WHOLE.len() }> = WHOLE.cut();

/// The facts, a line for each.
pub const FACTS: &str = WRITTEN.as_str();
