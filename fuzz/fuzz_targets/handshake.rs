//! A fuzz target: any bytes as the handshake that a library carries.

#![no_main]

libfuzzer_sys::fuzz_target!(|carried: &[u8]| replug::fuzz::handshake(carried));
