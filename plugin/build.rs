//! Tells the library which compiler, target and flags it is built with, because a plugin carries them in its handshake;
//! whether images can be unmapped on that target; and whether this compiler can write the lines of ordinary types.

use std::env;
use std::process::Command;

/// The first compiler, 1.N, in which the identity of a type is a constant.
const ORDINARY: u32 = 91;

/// Beginnings of flags that change no type: those for the linker and for paths, and those about lints and messages.
const HARMLESS: &[&str] = &[
    "-Clink",
    "-Clinker",
    "-Cdebuginfo",
    "-Csplit-debuginfo",
    "-Cstrip",
    "-Cincremental",
    "-Cpre-link",
    "-L",
    "-l",
    "-A",
    "-W",
    "-D",
    "-F",
    "--allow",
    "--warn",
    "--deny",
    "--forbid",
    "--cap-lints",
    "--remap-path-prefix",
    "--color",
    "--error-format",
    "--diagnostic-width",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").expect("cargo names the compiler");
    let said = |option| {
        let said = Command::new(&rustc).arg(option).output();
        let said = said.expect("the compiler that builds this can say its version");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    };
    let version = said("--version");
    println!("cargo::rustc-env=REPLUG_RUSTC={version}");
    // All of it, commit and LLVM too, on one line.
    let compiler = said("-vV").replace('\n', "; ");
    println!("cargo::rustc-env=REPLUG_COMPILER={compiler}");
    let target = env::var("TARGET").expect("cargo names the target");
    println!("cargo::rustc-env=REPLUG_TARGET={target}");
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    println!("cargo::rustc-env=REPLUG_FEATURES={features}");
    println!("cargo::rustc-env=REPLUG_FLAGS={}", flags());
    // The target on which plugins ask their host instead of libc, and so can be unmapped.
    println!("cargo::rustc-check-cfg=cfg(unloads)");
    if target == "x86_64-unknown-linux-gnu" || target == "aarch64-unknown-linux-gnu" {
        println!("cargo::rustc-cfg=unloads");
    }
    println!("cargo::rustc-check-cfg=cfg(ordinary)");
    let minor = version.split('.').nth(1).and_then(|it| it.parse().ok());
    if minor.is_some_and(|minor: u32| minor >= ORDINARY) {
        println!("cargo::rustc-cfg=ordinary");
    }
}

/// The flags for the compiler that can change a type, in their order.
fn flags() -> String {
    let given = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut flags: Vec<String> = Vec::new();
    for flag in given.split('\x1f').filter(|it| !it.is_empty()) {
        // Some are written in two words: `-C opt-level=3`.
        let is_begun = |it: &String| TWO_WORDS.contains(&it.as_str());
        match flags.last_mut().filter(|it| is_begun(it)) {
            Some(begun) => begun.push_str(&separated(begun, flag)),
            None => flags.push(flag.to_owned()),
        }
    }
    flags.retain(|flag| !HARMLESS.iter().any(|it| flag.starts_with(it)));
    // The text stands on one line of the handshake.
    flags.join(" ").replace(|it: char| it.is_control(), " ")
}

/// Flags whose value can be a word of its own.
const TWO_WORDS: &[&str] = &[
    "-C",
    "-Z",
    "-L",
    "-l",
    "-A",
    "-W",
    "-D",
    "-F",
    "--allow",
    "--warn",
    "--deny",
    "--forbid",
    "--cfg",
    "--check-cfg",
    "--cap-lints",
    "--remap-path-prefix",
    "--codegen",
    "--extern",
];

/// The value as it follows its flag: a long one is set off.
fn separated(flag: &str, value: &str) -> String {
    match flag.starts_with("--") {
        true => format!("={value}"),
        false => value.to_owned(),
    }
}
