//! Libraries to load: plugin01, built once per test run, and any number of distinct ones made by patching its
//! version text.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

/// The version text that is compiled in, and that [`library`] replaces with one of the same length.
const MARKER: &str = "version-00000000";

/// How a fixture is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Build {
    Debug,
    DebugStripped,
    Release,
    ReleaseStripped,
}

impl Build {
    pub const ALL: [Build; 4] = [
        Build::Debug,
        Build::DebugStripped,
        Build::Release,
        Build::ReleaseStripped,
    ];

    fn flags(self) -> &'static [&'static str] {
        match self {
            Build::Debug => &["-Cdebuginfo=2"],
            Build::DebugStripped => &["-Cstrip=symbols"],
            Build::Release => &["-Copt-level=3"],
            Build::ReleaseStripped => &["-Copt-level=3", "-Cstrip=symbols"],
        }
    }
}

/// plugin01 as its sources are, built in a given way. Its answer names [`MARKER`].
pub fn plugin(build: Build) -> Arc<Vec<u8>> {
    static BUILT: LazyLock<Mutex<HashMap<Build, Arc<Vec<u8>>>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().unwrap();
    Arc::clone(
        built
            .entry(build)
            .or_insert_with(|| Arc::new(compile(build))),
    )
}

/// One of any number of valid libraries, all different. Its answer holds [`version`]`(number)`.
pub fn library(number: u32) -> Vec<u8> {
    let mut bytes = plugin(Build::ReleaseStripped).to_vec();
    let places: Vec<usize> = bytes
        .windows(MARKER.len())
        .enumerate()
        .filter_map(|(at, window)| (window == MARKER.as_bytes()).then_some(at))
        .collect();
    assert!(!places.is_empty(), "the fixture has no marker to patch");
    for at in places {
        bytes[at..at + MARKER.len()].copy_from_slice(version(number).as_bytes());
    }
    bytes
}

/// Like [`library`], but different in its first and its last bytes too, in fields that no loader reads. Every
/// mixture of two of them is a valid library: one that was read half-written would be loaded.
pub fn mixable(number: u32) -> Vec<u8> {
    let mut bytes = library(number);
    let field = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    // The header of a 64-bit ELF file says where its tables of segments and of sections are. An entry of the
    // first has its unused physical address at 24, one of the second the information of its kind at 44.
    let count = usize::from(u16::from_ne_bytes([bytes[60], bytes[61]]));
    let first = field(32) + 24;
    let last = field(40) + (count - 1) * 64 + 44;
    bytes[first..first + 4].copy_from_slice(&number.to_ne_bytes());
    bytes[last..last + 4].copy_from_slice(&number.to_ne_bytes());
    bytes
}

/// The version text of [`library`]`(number)`.
pub fn version(number: u32) -> String {
    format!("version-{number:08}")
}

fn compile(build: Build) -> Vec<u8> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin01/src/lib.rs");
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output: PathBuf = directory.path().join("libplugin01.so");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(rustc)
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "cdylib",
            "--crate-name",
            "plugin01",
        ])
        .args(build.flags())
        .arg(source)
        .arg("-o")
        .arg(&output)
        .env("PLUGIN01_VERSION", MARKER)
        .status()
        .expect("rustc can be started");
    assert!(made.success(), "the fixture does not compile");
    fs::read(output).unwrap()
}
