//! `replug completions` and `replug man` say what `--help` says.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::Command;

use vocabulary::{Scratch, program};

/// The shells that are known.
const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// What the program writes on stdout, and that it succeeds.
#[track_caller]
pub(crate) fn said(arguments: &[&str]) -> String {
    let ended = Command::new(program()).args(arguments).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

/// The subcommands that `--help` lists.
pub(crate) fn subcommands() -> Vec<String> {
    let help = said(&["--help"]);
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let list = list.split("\n\n").next().unwrap();
    // Further lines of a description stand further to the right.
    let names = list.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter_map(|line| line.split(' ').next());
    let names = names.filter(|name| !name.is_empty() && *name != "help");
    names.map(str::to_owned).collect()
}

/// The long options that the help of a subcommand lists, but for `--help`, each with its default, if that is one word.
pub(crate) fn options(subcommand: &str) -> BTreeMap<String, Option<String>> {
    /// How far to the right options stand. The words about them stand further, and those at the end not at all.
    const MARGINS: std::ops::RangeInclusive<usize> = 2..=6;
    let help = said(&[subcommand, "--help"]);
    let (mut found, mut last) = (BTreeMap::new(), None);
    for line in help.lines() {
        let bare = line.trim_start();
        if bare.starts_with('-') && MARGINS.contains(&(line.len() - bare.len())) {
            let long = bare.split_whitespace().find(|word| word.starts_with("--"));
            last = long.filter(|it| *it != "--help").map(str::to_owned);
            found.extend(last.clone().map(|option| (option, None)));
        }
        let default = line
            .split_once("[default: ")
            .and_then(|(_, rest)| rest.split_once(']'));
        if let (Some(option), Some((default, ""))) = (&last, default)
            && !default.contains(' ')
        {
            found.insert(option.clone(), Some(default.to_owned()));
        }
    }
    found
}

#[test]
fn the_subcommands_and_options_of_the_help_are_found() {
    let names = subcommands();
    assert!(names.starts_with(&["run".to_owned(), "dev".to_owned()]));
    let options = options("new");
    let wanted = [
        ("--host", Some("loop")),
        ("--path", None),
        ("--replug", None),
    ];
    let wanted = wanted.map(|(option, default)| (option.to_owned(), default.map(str::to_owned)));
    assert_eq!(options, BTreeMap::from(wanted));
}

#[test]
fn each_shell_completes_each_subcommand_and_each_option() {
    for shell in SHELLS {
        let script = said(&["completions", shell]);
        for subcommand in subcommands() {
            assert!(script.contains(&subcommand), "{shell}: {subcommand}");
            for option in options(&subcommand).into_keys() {
                let word = option.trim_start_matches('-');
                assert!(script.contains(word), "{shell}: {subcommand} {option}");
            }
        }
    }
}

#[test]
fn there_is_a_page_of_each_subcommand_and_each_option_is_in_it() {
    let scratch = Scratch::new();
    let directory = scratch.join("man/man1");
    assert_eq!(said(&["man", "--dir", directory.to_str().unwrap()]), "");
    let page = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!(page("replug.1"), said(&["man"]));
    for subcommand in subcommands() {
        let page = page(&format!("replug-{subcommand}.1"));
        assert_eq!(page, said(&["man", &subcommand]));
        assert!(
            page.contains(&format!("\n.TH replug-{subcommand} 1 ")),
            "{page}"
        );
        for option in options(&subcommand).into_keys() {
            let option = option.replace('-', "\\-");
            assert!(page.contains(&option), "{subcommand} {option}");
        }
    }
    let pages = fs::read_dir(&directory).unwrap().count();
    assert_eq!(pages, subcommands().len() + 1);
}

#[test]
fn a_page_that_is_not_there_is_bad_usage_and_one_that_cannot_be_written_an_error() {
    let scratch = Scratch::new();
    fs::write(scratch.join("file"), "").unwrap();
    for (arguments, status, words) in [
        (
            ["man", "nothing", ""],
            2,
            "there is no subcommand `nothing`",
        ),
        (["man", "--dir", "file"], 1, "cannot write `file`: "),
    ] {
        let mut command = Command::new(program());
        command.args(arguments.iter().filter(|it| !it.is_empty()));
        let ended = command.current_dir(scratch.path()).output().unwrap();
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let scratch = Scratch::new();
    for arguments in [&["completions", "bash"][..], &["man"], &["new", "game"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(program());
        command.args(arguments).current_dir(scratch.path());
        let ended = command.stdout(writer).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }
}

#[cfg(not(feature = "fleet"))]
#[test]
fn what_the_program_was_built_without_it_says_in_a_line_with_the_remedy() {
    for arguments in [
        &[
            "mirror",
            "--require-signature",
            KEY,
            "file:///x/fleet.json",
            ".",
        ][..],
        &["rollout", "file:///x/fleet.json", "status"],
    ] {
        let ended = Command::new(program()).args(arguments).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains("without the feature `fleet`"), "{said}");
        assert!(
            said.contains("`cargo install replug-cli --features fleet`"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1);
    }
}

/// A public key, as minisign's page has one.
#[cfg(not(feature = "fleet"))]
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
