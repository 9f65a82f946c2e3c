//! A fuzz target: any bytes as a staged copy.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| replug::fuzz::vet(bytes));
