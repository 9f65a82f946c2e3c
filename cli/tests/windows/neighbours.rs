//! Libraries beside the plugin.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Program, Scratch, build, replaced};

/// What every plugin of Rust needs, and a name of the same length that nothing else has.
const NEEDED: &[u8] = b"bcryptprimitives.dll";
const RENAMED: &[u8] = b"helperofplugin01.dll";

/// The plugin, as one that needs a library which nobody but itself has.
fn plugin_that_needs(number: u32) -> Vec<u8> {
    replaced(build(number), NEEDED, RENAMED)
}

/// The library that it needs.
fn helper() -> PathBuf {
    let system = Path::new(&env::var_os("SystemRoot").unwrap()).join("System32");
    // wine has none of its own, and is told where another one is.
    let others = env::var_os("PATH").unwrap_or_default();
    let mut all = env::split_paths(&others).chain([system]);
    let found = all.find_map(|directory| {
        let path = directory.join("bcryptprimitives.dll");
        path.is_file().then_some(path)
    });
    found.expect("the system has it")
}

#[test]
fn a_library_beside_the_plugin_is_found_and_one_in_the_current_directory_is_not() {
    let scratch = Scratch::new();
    let plugins = scratch.join("plugins");
    let here = scratch.join("here");
    for directory in [&plugins, &here] {
        fs::create_dir(directory).unwrap();
    }
    let library = plugins.join("plugin01.dll");
    let name = std::str::from_utf8(RENAMED).unwrap();
    fs::copy(helper(), here.join(name)).unwrap();
    fs::write(&library, plugin_that_needs(1)).unwrap();
    let mut command = Program::command(&scratch);
    command.current_dir(&here);
    command.args(["--interval-ms", "5", "--every-ms", "20"]);
    command.arg(&library);
    let mut program = Program::start(command);
    let kept = program.wait_for_event("kept");
    assert_eq!(kept["step"], "load", "{kept}");
    let reason = kept["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("it needs `{name}`")), "{reason}");

    fs::copy(helper(), plugins.join(name)).unwrap();
    fs::write(&library, plugin_that_needs(2)).unwrap();
    program.wait_for_build(2);
}
