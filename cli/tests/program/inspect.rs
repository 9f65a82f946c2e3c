//! `replug inspect`: what is said of a library, and that nothing of it runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use replug::Digest;
use rustix::fs::{CWD, Mode, mkfifoat};
use vocabulary::{
    Ended, Line, Package, Program, Scratch, c_example, c_library, library, program, specimen,
};

fn inspect(options: &[&str], path: &Path) -> Ended {
    let mut command = Command::new(program());
    command.args(["inspect", "--json"]).args(options).arg(path);
    Program::start(command).end()
}

/// The line about a library that would be loaded.
#[track_caller]
fn good(options: &[&str], path: &Path) -> Line {
    let ended = inspect(options, path);
    ended.assert_quiet_success();
    assert_eq!(ended.said.len(), 1);
    assert_eq!(ended.said[0].0["loads"], true);
    ended.said[0].clone()
}

/// The line about a library that would not be used.
#[track_caller]
fn bad(options: &[&str], path: &Path) -> Line {
    let ended = inspect(options, path);
    assert_eq!(ended.status.code(), Some(1), "{:?}", ended.said);
    assert_eq!((ended.said.len(), ended.stderr.as_str()), (1, ""));
    ended.said[0].clone()
}

#[test]
fn what_cannot_be_read_is_a_line_too() {
    let scratch = Scratch::new();
    let ended = inspect(&[], &scratch.join("nothing.so"));
    ended.assert_failed(1, &["nothing.so", "No such file"]);
    assert_eq!(ended.said.len(), 1);
    assert_eq!(ended.said[0].0["loads"], false);
    assert_eq!(ended.said[0].text("step"), "stage");
}

/// A file of this content in a scratch directory.
fn file(scratch: &Scratch, content: &[u8]) -> std::path::PathBuf {
    let path = scratch.join("libx.so");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    path
}

#[test]
fn a_plugin_in_plain_c_is_described() {
    let scratch = Scratch::new();
    let content = library(1);
    let seen = good(&["--call", "plugin_function"], &file(&scratch, &content));
    assert_eq!(seen.event(), "inspected");
    assert_eq!(seen.number("size"), content.len() as u64);
    assert_eq!(seen.text("sha256"), Digest::of(&content).to_string());
    assert_eq!(seen.text("format"), "64-bit ELF");
    assert_eq!(seen.text("machine"), std::env::consts::ARCH);
    assert_eq!(seen.0["declaration"], serde_json::Value::Null);
    let functions = seen.0["functions"].as_array().unwrap();
    assert!(functions.contains(&"plugin_function".into()), "{seen:?}");
    let libc = seen.0["needed"].as_array().unwrap();
    let libc = libc.iter().find(|it| it["name"] == "libc.so.6").unwrap();
    assert_eq!(libc["found"], "process");
}

#[test]
fn a_declaration_is_said_with_its_level_functions_and_types() {
    let scratch = Scratch::new();
    let seen = good(&[], &file(&scratch, &specimen("pure", 1)));
    let declared = &seen.0["declaration"];
    assert_eq!(declared["interface"], "Fixture version 1");
    assert_eq!(declared["level"], "plain");
    assert!(declared["compiler"].as_str().unwrap().starts_with("rustc "));
    assert_eq!(declared["functions"][0], "add(u64, u64) -> u64");
    let world = declared["types"][0].as_str().unwrap();
    assert!(
        world.starts_with("World size 16 align 8 { frames: u64 at 0"),
        "{world}"
    );
    let seen = good(&[], &file(&scratch, &specimen("costs", 1)));
    assert_eq!(seen.0["declaration"]["level"], "rust");
    assert_eq!(seen.0["unloads"], false);
    let mapped = seen.text("mapped");
    assert!(mapped.contains("ordinary Rust crosses"), "{mapped}");
}

#[test]
fn nothing_of_a_library_runs() {
    let scratch = Scratch::new();
    let note = scratch.join("note");
    let source = format!(
        "#include <stdio.h>\n__attribute__((constructor)) static void run(void) {{ fclose(fopen(\"{}\", \"w\")); }}\n\
         char *plugin_function(const char *it);\nchar *plugin_function(const char *it) {{ (void)it; return 0; }}\n",
        note.display()
    );
    good(&[], &file(&scratch, &c_library(&source, &scratch)));
    assert!(!note.exists());
}

#[test]
fn what_is_kept_out_is_said_in_the_words_of_a_run() {
    let scratch = Scratch::new();
    let whole = library(1);
    let call = ["--call", "plugin_function"];
    for (content, options) in [
        (b"#!/bin/sh\n".to_vec(), &call[..]),
        (specimen("pure", 1), &call),
        (specimen("aborts", 1), &[]),
    ] {
        let path = file(&scratch, &content);
        let seen = bad(options, &path);
        let run = Program::watch(&scratch, &path, &[options, &["--exit-on-kept"]].concat()).end();
        let kept = run.said("kept");
        assert_eq!(seen.text("step"), kept[0].text("step"));
        assert_eq!(seen.text("reason"), kept[0].text("reason"));
        assert_eq!(seen.0["sha256"], kept[0].0["sha256"]);
    }
    // What a run waits for is said, too.
    let cut = bad(&[], &file(&scratch, &whole[..whole.len() - 1]));
    assert_eq!(cut.text("step"), "vet");
    let words = format!("it ends at byte {} of {}", whole.len() - 1, whole.len());
    assert!(cut.text("reason").contains(&words), "{cut:?}");
    assert_eq!(cut.text("machine"), std::env::consts::ARCH);
}

#[test]
fn what_a_library_brings_along_is_found_and_judged_and_what_is_nowhere_keeps_it_out() {
    let scratch = Scratch::new();
    let helper = scratch.join("libhelper.so");
    let compile = |source: &str, output: &Path, flags: &[&str]| {
        let input = scratch.join("source.c");
        fs::write(&input, source).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-o"]).args([output, &input]);
        cc.arg("-L").arg(scratch.path()).args(flags);
        assert!(cc.status().unwrap().success());
    };
    let soname = "-Wl,-soname,libhelper.so";
    compile("int help(void) { return 1; }", &helper, &[soname]);
    let path = scratch.join("libx.so");
    let flags = ["-lhelper", "-Wl,-rpath,$ORIGIN"];
    compile(
        "int help(void); int f(void) { return help(); }",
        &path,
        &flags,
    );
    let seen = good(&["--trust", "off"], &path);
    assert_eq!(seen.0["search"]["path"], "$ORIGIN");
    let needed = &seen.0["needed"][0];
    assert_eq!(
        (needed["name"].as_str(), needed["found"].as_str()),
        (Some("libhelper.so"), Some("beside"))
    );
    assert_eq!(needed["path"].as_str(), helper.to_str());

    let whole = fs::read(&helper).unwrap();
    fs::write(&helper, &whole[..whole.len() / 2]).unwrap();
    let seen = bad(&[], &path);
    assert_eq!(seen.text("step"), "vet");
    assert!(
        seen.text("reason")
            .contains("libhelper.so`: it ends at byte"),
        "{seen:?}"
    );

    compile("int help(void) { return 1; }", &helper, &[]);
    let seen = bad(&[], &path);
    assert!(
        seen.text("reason").contains("-Wl,-soname,libhelper.so"),
        "{seen:?}"
    );

    fs::remove_file(&helper).unwrap();
    mkfifoat(CWD, &helper, Mode::RWXU).unwrap();
    let seen = bad(&[], &path);
    assert!(seen.text("reason").contains("it is a FIFO"), "{seen:?}");

    fs::remove_file(&helper).unwrap();
    let seen = bad(&[], &path);
    assert_eq!(seen.text("step"), "load");
    assert_eq!(seen.0["needed"][0]["found"], "nowhere");
    let words = "it needs `libhelper.so`, and no such library is where the loader looks";
    assert!(seen.text("reason").contains(words), "{seen:?}");
}

#[test]
fn two_libraries_are_compared_in_the_words_of_a_host() {
    let scratch = Scratch::new();
    let path = file(&scratch, &specimen("pure", 1));
    let other = scratch.join("libother.so");
    let against = |content: &[u8]| {
        fs::write(&other, content).unwrap();
        ["--against", other.to_str().unwrap()]
    };
    let equal = good(&against(&specimen("panics", 1)), &path);
    assert_eq!(equal.0["against"]["equal"], true);
    for (name, words) in [
        ("other_signature", "host calls"),
        ("extra_function", "the plugin lacks it"),
        ("other_interface", "this host calls `"),
        ("other_layout", "plugin has"),
        (
            "costs",
            "it implements `Fixture version 1`, this host calls `Costs version 1`",
        ),
    ] {
        let seen = bad(&against(&specimen(name, 1)), &path);
        assert_eq!(seen.0["loads"], true, "by itself it is good");
        let reason = seen.0["against"]["reason"].as_str().unwrap();
        assert!(reason.contains(words), "{name}: {reason}");
    }
    fs::write(&other, library(1)).unwrap();
    let options = ["--against", other.to_str().unwrap()];
    let ended = inspect(&options, &path);
    ended.assert_failed(1, &["cannot compare with", "it carries no declaration"]);
}

#[test]
fn a_library_is_compared_with_that_of_a_package() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "1.0");
    let mut command = Command::new(program());
    command
        .args(["inspect", "--against-package", "tiny"])
        .arg(file(
            &scratch,
            &c_library(&c_example("handler.c"), &scratch),
        ))
        .env("CARGO_TARGET_DIR", package.target())
        .current_dir(package.manifest().parent().unwrap());
    let ended = Program::start(command).end();
    // It was built and looked at, and has none.
    ended.assert_failed(1, &["cannot compare with", "it carries no declaration"]);
}

#[test]
fn what_is_no_file_is_not_opened() {
    let scratch = Scratch::new();
    let fifo = scratch.join("libx.so");
    mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    inspect(&[], &fifo).assert_failed(1, &["cannot read", "it is a FIFO, not a regular file"]);
    inspect(&[], scratch.path()).assert_failed(1, &["it is a directory, not a regular file"]);
    inspect(&[], &scratch.join("nothing")).assert_failed(1, &["cannot look at"]);
}

#[test]
fn a_large_file_that_is_no_library_is_not_read_on() {
    let scratch = Scratch::new();
    let path = file(&scratch, b"garbage");
    let sparse = fs::File::options().write(true).open(&path).unwrap();
    sparse.set_len(3 << 30).unwrap();
    let seen = bad(&[], &path);
    assert_eq!(seen.0["sha256"], serde_json::Value::Null);
    assert!(
        seen.text("reason").contains("it is not a shared library"),
        "{seen:?}"
    );
    sparse.set_len(5 << 30).unwrap();
    inspect(&[], &path).assert_failed(1, &["what has more than", "`--max-size`"]);
}

#[test]
fn names_that_a_library_was_given_move_nothing() {
    let scratch = Scratch::new();
    let content = c_library("int x;\n", &scratch);
    let path = scratch.join("libx\n\u{1b}[2J.so");
    fs::write(&path, content).unwrap();
    let written = Command::new(program())
        .arg("inspect")
        .arg(&path)
        .output()
        .unwrap();
    let text = String::from_utf8(written.stdout).unwrap();
    assert!(
        text.lines().next().unwrap().ends_with(r"libx\n\x1b[2J.so"),
        "{text:?}"
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
