//! What others wrote and the program prints: names of files, words of the loader, answers of plugins. None of it moves a
//! cursor, begins a line, or turns letters around, on a terminal, in the log and in JSON.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use replug::shown::is_hidden;
use rustix::process::{Pid, Signal, kill_process};
use vocabulary::{Scratch, c_library, program, wait_for_exit, wait_until};

/// A line that a name or an answer tries to forge.
const FORGED: &str = "plugin01: generation 7 (deadbeef) is live, 3 ms after the change was seen";

/// What a run wrote on stdout and on stderr, as bytes.
struct Written {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Watches `path` until stdout holds `until` so many times.
fn watch(scratch: &Scratch, path: &Path, options: &[&str], until: (&str, usize)) -> Written {
    let (stdout, stderr) = (scratch.join("stdout"), scratch.join("stderr"));
    let open = |path| Stdio::from(fs::File::create(path).unwrap());
    let mut child = Command::new(program())
        .args([
            "run",
            "--interval-ms",
            "20",
            "--every-ms",
            "20",
            "--stage-dir",
        ])
        .arg(scratch.stage())
        .args(options)
        .arg(path)
        .env("RUST_LOG", "replug=debug")
        // What the log's own colours are made of is what names must not bring.
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(open(&stdout))
        .stderr(open(&stderr))
        .spawn()
        .unwrap();
    let (what, times) = until;
    wait_until(what, || {
        let said = fs::read(&stdout).unwrap();
        let found = said.windows(what.len()).filter(|it| *it == what.as_bytes());
        found.count() >= times
    });
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(wait_for_exit(&mut child).success());
    Written {
        stdout: fs::read(stdout).unwrap(),
        stderr: fs::read(stderr).unwrap(),
    }
}

impl Written {
    /// Fails unless all of it is text in which nothing is hidden and no line is forged; returns stdout.
    #[track_caller]
    fn assert_harmless(&self) -> &str {
        for written in [&self.stdout, &self.stderr] {
            let text = str::from_utf8(written).expect("what is written is text");
            for line in text.lines() {
                assert!(!line.chars().any(is_hidden), "{line:?}");
                assert!(!line.starts_with(FORGED), "{text}");
            }
        }
        str::from_utf8(&self.stdout).unwrap()
    }
}

/// Names of libraries that do harm to whoever prints them, in a directory of their own.
fn hostile_names() -> [Vec<u8>; 6] {
    [
        b"lib\x1b]0;owned\x07\x1b[2J.so".to_vec(),
        format!("libx\n{FORGED}\n.so").into_bytes(),
        b"lib\xff\xfe.so".to_vec(),
        b"lib\xff\xfd.so".to_vec(),
        "lib\u{202e}gpj\u{9b}2J.so".into(),
        "lib\u{feff}\u{2028}é日本.so".into(),
    ]
}

fn directory_of_hostile_names(scratch: &Scratch) -> std::path::PathBuf {
    let directory = scratch.join("w\n\u{1b}[2J\u{7f}\u{202e}");
    fs::create_dir(&directory).unwrap();
    for name in hostile_names() {
        fs::write(directory.join(OsStr::from_bytes(&name)), "no library").unwrap();
    }
    directory
}

#[test]
fn names_of_files_are_printed_so_that_they_move_nothing() {
    let scratch = Scratch::new();
    let directory = directory_of_hostile_names(&scratch);
    let count = hostile_names().len();
    let written = watch(&scratch, &directory, &[], (": kept out", count));
    let said = written.assert_harmless();
    for name in [
        r"\x1b]0;owned\x07\x1b[2J: kept",
        r"\xff\xfe: kept",
        r"é日本: kept",
    ] {
        assert!(said.contains(name), "no {name} in {said}");
    }
    let log = String::from_utf8_lossy(&written.stderr);
    assert!(log.contains(r"w\n\x1b[2J"), "{log}");
}

#[test]
fn json_lines_are_ascii_where_characters_are_hidden_and_keep_what_they_say() {
    let scratch = Scratch::new();
    let directory = directory_of_hostile_names(&scratch);
    let count = hostile_names().len();
    let until = ("\"event\":\"kept\"", count);
    let written = watch(&scratch, &directory, &["--json"], until);
    let said = written.assert_harmless();
    let lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    assert_eq!(lines[0]["path"], directory.to_str().unwrap());
    let kept = lines.iter().filter(|line| line["event"] == "kept");
    let mut plugins: Vec<_> = kept.map(|line| line["plugin"].to_string()).collect();
    plugins.sort();
    plugins.dedup();
    assert_eq!(plugins.len(), count, "each has a name: {plugins:?}");
}

#[test]
fn words_of_the_loader_about_a_library_are_printed_so_that_they_move_nothing() {
    let scratch = Scratch::new();
    let source = "#include <stdlib.h>
        char *plugin_function(const char *input) { (void)input; return calloc(1, 1); }
        void plugin_free(char *answer) { free(answer); }";
    let mut content = c_library(source, &scratch);
    // The name of a library that this one needs, which the loader repeats when it cannot find it.
    let (needed, hostile) = (b"libc.so.6", b"\x1b[2J\n\x9b\x1b]0");
    let mut replaced = 0;
    for at in 0..content.len() - needed.len() {
        if content[at..].starts_with(needed) {
            content[at..at + hostile.len()].copy_from_slice(hostile);
            replaced += 1;
        }
    }
    assert!(replaced > 0, "it needs no libc");
    let artifact = scratch.artifact();
    artifact.replace_with(&content);
    for options in [&[][..], &["--json"]] {
        let written = watch(&scratch, artifact.path(), options, ("cannot load", 1));
        let said = written.assert_harmless();
        assert!(
            said.contains(r"\x1b[2J\n") || said.contains(r"\\x1b[2J\\n"),
            "{said}"
        );
    }
}

#[test]
fn an_answer_of_a_plugin_is_one_line_for_people_and_as_it_is_in_json() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    let source = format!(
        "char *plugin_function(const char *input) {{
            (void)input;
            return \"one\\r\\n{FORGED}\\033[2J\\342\\200\\256\\377\";
        }}
        void plugin_free(char *answer) {{ (void)answer; }}"
    );
    artifact.replace_with(&c_library(&source, &scratch));
    let written = watch(&scratch, artifact.path(), &[], ("one", 2));
    let said = written.assert_harmless();
    let shown = format!(r"one\r\n{FORGED}\x1b[2J\u{{202e}}\xff");
    assert!(said.contains(&shown), "{said}");

    let until = ("\"event\":\"result\"", 1);
    let written = watch(&scratch, artifact.path(), &["--json"], until);
    let said = written.assert_harmless();
    let result = said
        .lines()
        .find(|line| line.contains("\"result\""))
        .unwrap();
    let result: serde_json::Value = serde_json::from_str(result).unwrap();
    assert_eq!(
        result["value"],
        format!("one\r\n{FORGED}\x1b[2J\u{202e}\\xff")
    );
}
