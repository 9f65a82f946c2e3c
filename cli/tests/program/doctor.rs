//! `replug doctor`: what is wrong at a path is named, with what to do; what is well is said to be; nothing is left
//! behind.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, Mode, mkfifoat};
use vocabulary::{
    Ended, Halted, Line, Package, Program, Scratch, cargo, library, program, workspace,
};

/// The program's way to say what it finds at a path, in a directory that is in no cargo workspace.
fn command(scratch: &Scratch) -> Command {
    let mut command = Command::new(program());
    command
        .args(["doctor", "--json"])
        .current_dir(scratch.path());
    command
}

fn doctor(scratch: &Scratch, path: &Path) -> Ended {
    let mut command = command(scratch);
    command.arg(path);
    Program::start(command).end()
}

/// A directory with a library that is whole, which nobody else can write.
fn plugins(scratch: &Scratch) -> std::path::PathBuf {
    let (directory, _) = scratch.directory_of("plugins", 1..=1);
    set_mode(&directory, 0o755);
    directory
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// The one line about a subject.
#[track_caller]
fn line_about<'a>(ended: &'a Ended, about: &str) -> &'a Line {
    let mut lines = ended.said.iter().filter(|line| line.0["about"] == about);
    let line = lines.next();
    line.unwrap_or_else(|| panic!("nothing about {about:?} in {:#?}", ended.said))
}

#[test]
fn a_path_that_leads_nowhere_for_ever_is_a_finding() {
    let scratch = Scratch::new();
    let path = plugins(&scratch).join("librules.so");
    symlink(&path, &path).unwrap();
    let ended = doctor(&scratch, &path);
    let said = ended.said.iter().map(|line| format!("{line:?}"));
    assert!(
        said.clone().any(|it| it.contains("cannot look at")),
        "{:?}",
        ended.said
    );
    ended.assert_failed(1, &[]);
}

#[test]
fn where_all_is_well_it_says_so_and_leaves_nothing() {
    let scratch = Scratch::new();
    let directory = plugins(&scratch);
    let before = names_in(&directory);
    for path in [
        &directory,
        &directory.join("lib00.so"),
        &scratch.join("no/where/libx.so"),
    ] {
        let ended = doctor(&scratch, path);
        assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.said);
        assert_eq!(ended.stderr, "");
        let (last, found) = ended.said.split_last().unwrap();
        assert_eq!(last.event(), "doctor");
        assert_eq!(last.text("path"), path.to_str().unwrap());
        for (event, field) in [("finding", "findings"), ("note", "notes"), ("ok", "ok")] {
            let count = found.iter().filter(|line| line.event() == event).count();
            assert_eq!(last.number(field), count as u64, "{event}");
        }
        for about in [
            "filesystem",
            "events",
            "changes",
            "leases",
            "locks",
            "clock",
            "trust",
            "stage",
            "cargo",
        ] {
            line_about(&ended, about);
        }
    }
    assert_eq!(names_in(&directory), before);
    assert_eq!(names_in(scratch.path()), ["plugins", "stage"]);
}

#[test]
fn a_change_of_each_way_of_builders_is_made_and_read() {
    let scratch = Scratch::new();
    let ended = doctor(&scratch, &plugins(&scratch));
    let changes = line_about(&ended, "changes");
    assert_eq!(changes.event(), "ok");
    for way in [
        "written in place",
        "renamed over",
        "linked over",
        "removed and made again",
    ] {
        assert!(
            changes.text("words").contains(&format!("ms ({way})")),
            "{changes:?}"
        );
    }
}

/// A path at which something is wrong: how it comes about, and what is said of it.
struct Wrong {
    about: &'static str,
    telling: &'static str,
    make: fn(&Path),
}

#[test]
fn each_cause_is_named_with_what_to_do_and_where_more_is_said() {
    let wrongs = [
        Wrong {
            about: "library",
            telling: "it ends at byte 3000",
            make: |it| fs::write(it.join("libhalf.so"), &library(1)[..3000]).unwrap(),
        },
        Wrong {
            about: "trust",
            telling: "everybody can write to",
            make: |it| set_mode(it, 0o777),
        },
        Wrong {
            about: "trust",
            telling: "plugins` (owner",
            // Where no library is judged, the way there is.
            make: |it| {
                fs::remove_file(it.join("lib00.so")).unwrap();
                set_mode(it, 0o777);
            },
        },
        Wrong {
            about: "trust",
            telling: "lib00.so` (owner",
            make: |it| set_mode(&it.join("lib00.so"), 0o666),
        },
        Wrong {
            about: "names",
            telling: "only `mod_hello.so`",
            make: |it| fs::rename(it.join("lib00.so"), it.join("mod_hello.so")).unwrap(),
        },
    ];
    for Wrong {
        about,
        telling,
        make,
    } in wrongs
    {
        let scratch = Scratch::new();
        let directory = plugins(&scratch);
        make(&directory);
        let ended = doctor(&scratch, &directory);
        assert_eq!(ended.status.code(), Some(1), "{telling}: {:#?}", ended.said);
        let findings = ended.said("finding");
        let is_named =
            |line: &&&Line| line.0["about"] == about && line.text("words").contains(telling);
        let line = findings.iter().find(is_named);
        let line = line.unwrap_or_else(|| panic!("no {telling:?} in {findings:#?}"));
        assert!(!line.text("remedy").is_empty(), "{line:?}");
        assert!(line.text("doc").starts_with("docs/"), "{line:?}");
    }
}

#[test]
fn what_is_neither_a_library_nor_a_directory_is_not_opened() {
    let scratch = Scratch::new();
    let pipe = scratch.join("pipe");
    mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
    let ended = doctor(&scratch, &pipe);
    assert_eq!(ended.status.code(), Some(1));
    let findings = ended.said("finding");
    let is_named = |line: &&Line| line.text("words").contains("is a FIFO");
    assert!(findings.iter().any(is_named), "{findings:?}");
}

#[test]
fn limits_that_a_host_reaches_are_findings() {
    let scratch = Scratch::new();
    let directory = plugins(&scratch);
    for (limit, telling) in [("-f 100", "no file above"), ("-n 40", "40 files open")] {
        let mut shell = Command::new("sh");
        let script = format!("ulimit {limit} && exec \"$0\" doctor --json \"$1\"");
        shell.args(["-c", &script]).arg(program()).arg(&directory);
        shell.current_dir(scratch.path());
        let ended = Program::start(shell).end();
        assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.said);
        let line = line_about(&ended, "limits");
        assert!(line.text("words").contains(telling), "{line:?}");
        assert!(line.text("remedy").contains("ulimit"), "{line:?}");
    }
}

#[test]
fn a_check_in_the_target_directory_is_named_and_is_no_finding() {
    let scratch = Scratch::new();
    let package = Package::of_type(&scratch, "lib");
    let mut check = cargo();
    check.arg("check");
    let check = Halted::start(check, &package);
    let ended = doctor(&scratch, &package.target());
    let line = line_about(&ended, "check");
    assert_eq!(line.event(), "note");
    let holder = format!("`cargo check`, process {}", check.id());
    assert!(line.text("words").contains(&holder), "{line:?}");
    assert!(line.text("remedy").contains("--target-dir"), "{line:?}");
    check.goes_on();
    let ended = doctor(&scratch, &package.target());
    assert!(ended.said.iter().all(|line| line.0["about"] != "check"));
}

#[test]
fn behind_a_link_it_looks_where_the_library_is_built() {
    let scratch = Scratch::new();
    let (directory, libraries) = scratch.directory_of("debug", 1..=1);
    let links = scratch.join("links");
    fs::create_dir(&links).unwrap();
    let link = links.join("libx.so");
    symlink(&libraries[0], &link).unwrap();
    let lock = File::create(directory.join(".cargo-lock")).unwrap();
    lock.try_lock().unwrap();
    let ended = doctor(&scratch, &link);
    let words = line_about(&ended, "lock").text("words");
    let holder = format!("process {}", std::process::id());
    assert!(words.contains(&holder), "{words}");
}

#[test]
fn an_editor_that_works_in_the_workspace_is_named() {
    let scratch = Scratch::new();
    let package = Package::of_type(&scratch, "lib");
    let directory = package.manifest().parent().unwrap().to_owned();
    // A process has the name of the link by which it was started.
    let name = scratch.join("rust-analyzer");
    symlink(fs::canonicalize("/bin/sh").unwrap(), &name).unwrap();
    let mut editor = Command::new(name);
    editor
        .args(["-c", "read line"])
        .stdin(Stdio::piped())
        .current_dir(&directory);
    let mut editor = editor.spawn().unwrap();
    let here = |directory: &Path| {
        let mut command = command(&scratch);
        command.current_dir(directory);
        Program::start(command).end()
    };
    let ended = here(&directory);
    let words = line_about(&ended, "editor").text("words");
    assert!(
        words.contains(&format!("process {}", editor.id())),
        "{words}"
    );
    let elsewhere = Scratch::new();
    let other = Package::of_type(&elsewhere, "lib");
    let ended = here(other.manifest().parent().unwrap());
    line_about(&ended, "profile");
    assert!(
        ended.said.iter().all(|line| line.0["about"] != "editor"),
        "not of this workspace"
    );
    drop(editor.stdin.take());
    editor.wait().unwrap();
}

#[test]
fn without_a_path_it_looks_where_cargo_builds_and_reads_the_profile() {
    let scratch = Scratch::new();
    let package = Package::of_type(&scratch, "lib");
    let directory = package.manifest().parent().unwrap().to_owned();
    let here = || {
        let mut command = command(&scratch);
        command
            .current_dir(&directory)
            .env_remove("CARGO_TARGET_DIR");
        Program::start(command).end()
    };
    let path = |ended: &Ended| ended.said.last().unwrap().text("path").to_owned();
    assert_eq!(
        path(&here()),
        directory.to_str().unwrap(),
        "nothing is built yet"
    );
    fs::create_dir_all(package.target()).unwrap();
    let ended = here();
    assert_eq!(path(&ended), package.target().to_str().unwrap());
    assert_eq!(line_about(&ended, "profile").event(), "note");
    let manifest = fs::read_to_string(package.manifest()).unwrap();
    let lines = "[profile.dev]\ndebug = \"line-tables-only\"\n";
    package.write("Cargo.toml", &format!("{manifest}\n{lines}"));
    assert_eq!(line_about(&here(), "profile").event(), "ok");
}

/// What people get to see of a path.
fn for_people(scratch: &Scratch, path: &str) -> Output {
    let mut command = Command::new(program());
    command.args(["doctor", path]).current_dir(scratch.path());
    command.output().unwrap()
}

#[test]
fn a_name_moves_nothing_on_a_terminal() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("a\n\u{1b}[2Jb")).unwrap();
    set_mode(&scratch.join("a\n\u{1b}[2Jb"), 0o777);
    let said = for_people(&scratch, "a\n\u{1b}[2Jb");
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert!(said.contains(r"a\n\x1b[2Jb"), "{said}");
}

/// The weight and the subject of each line, without what is indented.
fn shape(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.starts_with(' '));
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(shape, _)| shape)
        .collect()
}

#[test]
fn the_page_about_it_shows_what_it_says() {
    let page = fs::read_to_string(workspace().join("docs/cli.md")).unwrap();
    let (_, shown) = page.split_once("$ replug doctor plugins\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let scratch = Scratch::new();
    let directory = plugins(&scratch);
    set_mode(&directory, 0o777);
    let said = for_people(&scratch, "plugins");
    assert_eq!(said.status.code(), Some(1));
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(shape(&said), shape(shown), "{said}");
}
