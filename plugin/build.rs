//! Tells the library which compiler and target it is built with, because a plugin carries both in its handshake; and
//! whether images can be unmapped on that target.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").expect("cargo names the compiler");
    let version = Command::new(rustc).arg("--version").output();
    let version = version.expect("the compiler that builds this can say its version");
    let version = String::from_utf8_lossy(&version.stdout);
    println!("cargo::rustc-env=REPLUG_RUSTC={}", version.trim());
    let target = env::var("TARGET").expect("cargo names the target");
    println!("cargo::rustc-env=REPLUG_TARGET={target}");
    // The target on which plugins ask their host instead of libc, and so can be unmapped.
    println!("cargo::rustc-check-cfg=cfg(unloads)");
    if target == "x86_64-unknown-linux-gnu" {
        println!("cargo::rustc-cfg=unloads");
    }
}
