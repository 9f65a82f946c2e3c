//! Hosts with allocators of their own: the crates `heap_host` and `heap_plugin` in `crates/`.

use std::path::PathBuf;
use std::process::Command;

use vocabulary::{Scratch, built, cargo_build, library_name, target_tmp, workspace};

/// Builds the plugin, and the host with this allocator in the place of the system's.
#[track_caller]
fn build(allocator: &str) -> [PathBuf; 2] {
    let target = target_tmp().join("crates");
    let status = cargo_build()
        .args([
            "--quiet",
            "--locked",
            "-p",
            "heap_host",
            "-p",
            "heap_plugin",
        ])
        .args(["--features", &format!("heap_host/{allocator}")])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(workspace().join("tests/contract/crates"))
        .status();
    assert!(
        status.unwrap().success(),
        "it does not compile with {allocator}"
    );
    let built = built(&target, "debug");
    ["heap_host", &library_name("heap_plugin")].map(|name| built.join(name))
}

/// Sees that threads exchange memory with a plugin that is reloaded fifty times, in a host with this allocator.
#[track_caller]
fn exchange(allocator: &str) {
    let [host, plugin] = build(allocator);
    let scratch = Scratch::new();
    let output = Command::new(host)
        .arg(plugin)
        .arg(scratch.artifact().path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{allocator}: {}, {said}",
        output.status
    );
    assert_eq!(output.stdout, b"50 reloads\n", "{allocator}");
}

#[test]
fn threads_exchange_memory_with_reloaded_plugins_in_a_host_with_mimalloc() {
    exchange("mimalloc");
}

/// Two minutes to build.
#[cfg(feature = "allocators")]
#[test]
fn threads_exchange_memory_with_reloaded_plugins_in_a_host_with_jemalloc() {
    exchange("jemalloc");
}
