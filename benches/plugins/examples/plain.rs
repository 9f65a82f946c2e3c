//! A library that knows nothing of replug: functions of the C ABI, and the same of Rust's for hot-lib-reloader.

/// See [`bench_plugins::version`].
#[unsafe(no_mangle)]
pub extern "C" fn version() -> u64 {
    bench_plugins::version()
}

/// See [`bench_plugins::sum`].
#[unsafe(no_mangle)]
pub extern "C" fn sum(one: u64, other: u64) -> u64 {
    bench_plugins::sum(one, other)
}

/// See [`bench_plugins::touch`].
#[unsafe(no_mangle)]
pub extern "C" fn touch(number: u64) {
    bench_plugins::touch(number);
}

/// See [`bench_plugins::version`].
#[unsafe(no_mangle)]
pub fn hot_version() -> u64 {
    bench_plugins::version()
}

/// See [`bench_plugins::sum`].
#[unsafe(no_mangle)]
pub fn hot_sum(one: u64, other: u64) -> u64 {
    bench_plugins::sum(one, other)
}

/// See [`bench_plugins::touch`].
#[unsafe(no_mangle)]
pub fn hot_touch(number: u64) {
    bench_plugins::touch(number);
}
