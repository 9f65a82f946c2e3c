//! Places on the disk: the program under test, the directory for what tests build, and the workspace.
//!
//! Cargo tells the first two to test binaries only, when they are compiled. This crate is a library of many of them,
//! and asks at run time where the binary is that it became a part of.

use std::env;
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};

/// The program under test, as cargo built it for the running test.
///
/// # Panics
///
/// If there is no program: cargo builds it for the tests of its own package, and for no others.
pub fn program() -> PathBuf {
    let program = profile().join(format!("replug{EXE_SUFFIX}"));
    assert!(
        program.is_file(),
        "there is no program `{}`: cargo builds it for the tests of its own package only, which is in `cli`",
        program.display()
    );
    program
}

/// A directory for what tests build and other tests use again: `tmp` in the target directory.
pub fn target_tmp() -> PathBuf {
    let directory = profile().with_file_name("tmp");
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// The root of the workspace, where its `Cargo.toml` is.
pub fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors()
        .nth(2)
        .expect("this package is two directories below")
}

/// Where cargo leaves programs that it built as it built the running test, such as `target/debug`. Test binaries are
/// one directory further down, in `deps`.
fn profile() -> PathBuf {
    let binary = env::current_exe().expect("a test knows its own binary");
    let deps = binary.parent().filter(|parent| parent.ends_with("deps"));
    match deps.and_then(Path::parent) {
        Some(profile) => profile.to_owned(),
        None => panic!(
            "`{}` is not in a directory `deps`, where cargo puts test binaries",
            binary.display()
        ),
    }
}
