//! A plugin that computes, and does nothing else.

#![allow(unsafe_code)]

fixtures::fixture!(|number| number + 1);

/// The same sum as a plain C function, to compare with.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn plain_sum(one: u64, other: u64) -> u64 {
    one.wrapping_add(other)
}
