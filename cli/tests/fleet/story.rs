//! `docs/production.md`: its story from a build to a fleet, played as the page has it.

use std::env;
use std::fs;
use std::process::Command;

use vocabulary::{Build, Scratch, plugin, program, workspace};

use crate::key::Key;
use crate::likeness::Digests;

/// A command of the story, and the lines that it says.
type Step<'p> = (&'p str, Vec<&'p str>);

/// The steps of the page's first block that begins with ```` ```console ````. A line behind `$ ` is a command.
fn steps(page: &str) -> Vec<Step<'_>> {
    let block = page.split("```console\n").nth(1).expect("a story");
    let block = block.split("```").next().unwrap();
    let mut steps: Vec<Step<'_>> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => steps.push((command, Vec::new())),
            None => steps.last_mut().expect("a command first").1.push(line),
        }
    }
    steps
}

/// A line without what differs from run to run and is in no other page: the key, the number of polls, and the times of a history.
fn alike(line: &str) -> String {
    /// The length of a key's name.
    const KEY: usize = 16;
    if line.starts_with("stopped; ") {
        return "stopped".to_owned();
    }
    let words: Vec<_> = line.split_whitespace().collect();
    if let [plugin, digest, _, _, times, ..] = words.as_slice()
        && times.ends_with("x,")
    {
        return format!("{plugin} {digest} {times}");
    }
    match line.split_once("signed with ") {
        Some((head, tail)) => format!("{head}signed with a key{}", &tail[KEY..]),
        None => line.to_owned(),
    }
}

#[test]
fn the_story_from_a_build_to_a_fleet_is_what_the_program_says() {
    let page = fs::read_to_string(workspace().join("docs/production.md")).unwrap();
    let scratch = Scratch::new();
    // In memory: a host that ends does not wait for a disk that is slow to write its store, says so, and leaves that undone.
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let at = |path: &str| memory.path().join(path);
    for directory in ["target/debug", "target/release", "share", "plugins"] {
        fs::create_dir_all(at(directory)).unwrap();
    }
    let key = Key::new(&scratch, "fleet");
    fs::copy(key.secret, at("fleet.key")).unwrap();
    fs::copy(key.public, at("fleet.pub")).unwrap();
    for (directory, build) in [("debug", Build::Debug), ("release", Build::Release)] {
        let library = at(&format!("target/{directory}/libplugin01.so"));
        fs::write(library, &*plugin(build)).unwrap();
    }
    let binaries = program().parent().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = [binaries].into_iter().chain(env::split_paths(&path));
    let path = env::join_paths(path).unwrap();
    let mut digests = Digests::default();
    for (command, lines) in steps(&page) {
        let ended = Command::new("sh")
            .args(["-c", command])
            .current_dir(memory.path())
            .env("PATH", &path)
            .env("TMPDIR", scratch.stage())
            .output()
            .unwrap();
        assert!(ended.status.success(), "`{command}`: {ended:?}");
        let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        let said: Vec<_> = said.lines().collect();
        assert_eq!(said.len(), lines.len(), "`{command}` says {said:#?}");
        for (shown, said) in lines.into_iter().zip(said) {
            let said = said.replace(memory.path().to_str().unwrap(), "/srv");
            assert!(
                digests.fits(&alike(shown), &alike(&said)),
                "`{command}`:\n{shown}\n  is shown, and said is\n{said}"
            );
        }
    }
}
