//! The facts of a handshake at the rust level: all that can make one definition two types. A host and a plugin exchange
//! ordinary Rust only if all of these are equal.

use std::mem::{offset_of, size_of};

use crate::allocator::Heap;
use crate::export::Ordinary;
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
    let text = Text::new().put("compiler ").put(env!("REPLUG_COMPILER"));
    let text = text.put("\nfeatures ").put(env!("REPLUG_FEATURES"));
    let text = text.put("\nflags ").put(env!("REPLUG_FLAGS"));
    let mut text = text.put("\nprobe");
    let mut at = 0;
    while at < PROBE.len() {
        text = text.put(" ").number(PROBE[at]);
        at += 1;
    }
    let text = text.put("\ntables ").number(size_of::<Ordinary>());
    text.put(" ").number(size_of::<Heap>()).put("\n")
}

const LEN: usize = written::<0>().len();

const WRITTEN: Text<LEN> = written();

/// The facts, a line for each.
pub const FACTS: &str = WRITTEN.as_str();
