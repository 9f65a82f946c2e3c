//! Any bytes as what a library carries of its declaration.

#![no_main]

libfuzzer_sys::fuzz_target!(|carried: &[u8]| replug::fuzz::handshake(carried));
