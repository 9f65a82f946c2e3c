//! `docs/cli.md`: what it shows of the program is what the program says now.
//!
//! A block that begins with ```` ```console ```` is played: each line behind `$ ` is a command, and the lines up to the next
//! command are what is said. Commands run in one directory for each block. `replug run` and `replug dev` go on until the
//! block ends, while the commands behind them run; the others end by themselves. `..` stands for lines that are left out.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use vocabulary::{
    Build, Scratch, Speaker, cargo_build, plugin, program, target_tmp, workspace,
    workspace_of_plugin01,
};

use crate::docs::{chapter, page};
use crate::likeness::{Digests, shape};

/// The subcommands whose output is not of the machine on which they run, and so can be compared.
const COMPARED: [&str; 7] = [
    "completions",
    "dev",
    "inspect",
    "man",
    "new",
    "publish",
    "run",
];

/// A command, and the lines that it says.
#[derive(Debug)]
struct Step<'a> {
    command: &'a str,
    lines: Vec<&'a str>,
}

impl Step<'_> {
    /// Whether the command goes on until somebody ends it.
    fn goes_on(&self) -> bool {
        ["replug run", "replug dev"]
            .iter()
            .any(|it| self.command.starts_with(it))
    }

    /// The command, as a shell runs it in the directory of a block.
    fn shell(&self, scratch: &Scratch) -> Command {
        let binaries = program().parent().unwrap().to_owned();
        let path = env::var_os("PATH").unwrap_or_default();
        let path = [binaries].into_iter().chain(env::split_paths(&path));
        let mut shell = Command::new("sh");
        let exec = if self.goes_on() { "exec " } else { "" };
        shell
            .args(["-c", &format!("{exec}{}", self.command)])
            .current_dir(scratch.path())
            .env("PATH", env::join_paths(path).unwrap())
            .env("TMPDIR", scratch.stage())
            .env_remove("XDG_RUNTIME_DIR")
            .env("CARGO_TERM_COLOR", "never");
        shell
    }
}

/// The steps of each block that is played.
fn blocks(text: &str) -> Vec<Vec<Step<'_>>> {
    let blocks = text.split("```console\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks
        .map(|block| {
            let mut steps: Vec<Step<'_>> = Vec::new();
            for line in block.lines() {
                match line.strip_prefix("$ ") {
                    Some(command) => steps.push(Step {
                        command,
                        lines: Vec::new(),
                    }),
                    None => steps.last_mut().expect("a command first").lines.push(line),
                }
            }
            steps
        })
        .collect()
}

/// A library of the examples, and of the plugin of this workspace, as cargo builds them.
static EXAMPLES: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = target_tmp().join("examples");
    let built = cargo_build()
        .args([
            "--quiet",
            "--locked",
            "-p",
            "game_rules",
            "-p",
            "line_handler",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(workspace())
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "the examples do not compile");
    target.join("debug")
});

/// The directory of a block: a workspace with plugin01 in it, and libraries that were built before.
fn ground() -> Scratch {
    let scratch = Scratch::new();
    workspace_of_plugin01(&scratch);
    for directory in ["target/debug", "target/release", "plugins"] {
        fs::create_dir_all(scratch.join(directory)).unwrap();
    }
    fs::copy(workspace().join("README.md"), scratch.join("README.md")).unwrap();
    for library in ["libgame_rules.so", "libline_handler.so"] {
        let built = scratch.join(format!("target/debug/{library}"));
        fs::copy(EXAMPLES.join(library), built).unwrap();
    }
    for (directory, build) in [("debug", Build::Debug), ("release", Build::Release)] {
        let library = scratch.join(format!("target/{directory}/libplugin01.so"));
        fs::write(library, &*plugin(build)).unwrap();
    }
    scratch
}

/// Plays a command that ends by itself.
#[track_caller]
fn play(step: &Step<'_>, scratch: &Scratch, digests: &mut Digests) {
    let ended = step.shell(scratch).output().unwrap();
    let text = [ended.stdout, ended.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let mut said = text.lines().peekable();
    let mut is_open = false;
    for line in &step.lines {
        if *line == ".." {
            is_open = true;
            continue;
        }
        while is_open && said.peek().is_some_and(|said| !digests.fits(line, said)) {
            said.next();
        }
        is_open = false;
        let next = said.next().unwrap_or("nothing more");
        let fits = digests.fits(line, next);
        assert!(
            fits,
            "`{}`:\n{line}\n  is shown, and said is\n{next}\n  of\n{text}",
            step.command
        );
    }
    let rest: Vec<_> = said.collect();
    assert!(
        is_open || rest.is_empty(),
        "`{}` says more: {rest:#?}",
        step.command
    );
}

/// Waits until a command that goes on has said its lines. In between it may say that it waits: a poll can fall into a write.
#[track_caller]
fn hear(step: &Step<'_>, running: &mut Speaker, digests: &mut Digests) {
    let mut is_open = false;
    for line in &step.lines {
        if *line == ".." {
            is_open = true;
            continue;
        }
        loop {
            let said = running.next_line(line);
            if digests.fits(line, &said) {
                break;
            }
            assert!(
                is_open || said.contains(": waiting: "),
                "{said:?} instead of {line:?}"
            );
        }
        is_open = false;
    }
}

#[test]
fn what_the_page_shows_of_the_program_is_what_the_program_says() {
    let page = page();
    for steps in blocks(&page) {
        let (scratch, mut digests) = (ground(), Digests::default());
        let mut running: Option<Speaker> = None;
        for step in &steps {
            match &mut running {
                None if step.goes_on() => {
                    let mut started = Speaker::start(&mut step.shell(&scratch), &scratch);
                    hear(step, &mut started, &mut digests);
                    running = Some(started);
                }
                None => play(step, &scratch, &mut digests),
                // What the running program says of it.
                Some(running) => {
                    let done = step.shell(&scratch).status().unwrap();
                    assert!(done.success(), "`{}`: {done}", step.command);
                    hear(step, running, &mut digests);
                }
            }
        }
        if let Some(running) = running {
            running.end(&scratch);
        }
    }
}

#[test]
fn the_page_shows_a_real_output_of_each_subcommand() {
    let page = page();
    for subcommand in COMPARED {
        let command = format!("replug {subcommand} ");
        let blocks = blocks(chapter(&page, subcommand));
        let mut steps = blocks.iter().flatten();
        assert!(
            steps.any(|step| step.command.starts_with(&command)),
            "{command}"
        );
    }
}

/// The lines of text in a picture.
fn lines_of(picture: &str) -> BTreeSet<String> {
    let lines = picture.lines().filter(|line| line.starts_with("<text "));
    let text = |line: &str| {
        let parts = line.split('<').filter_map(|part| part.split_once('>'));
        let text: String = parts.map(|(_, text)| text).collect();
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&")
    };
    lines.map(text).collect()
}

#[test]
fn the_picture_in_readme_shows_what_the_program_says_of_a_change_and_of_a_mistake() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    assert!(readme.contains("](docs/dev.svg)"));
    let picture = fs::read_to_string(workspace().join("docs/dev.svg")).unwrap();
    let shown: BTreeSet<_> = lines_of(&picture).iter().map(|line| shape(line)).collect();
    let page = page();
    let blocks = blocks(chapter(&page, "dev"));
    let [started, changed, mistaken, _mended] = blocks[0].as_slice() else {
        panic!("{blocks:?}");
    };
    for line in [started, changed, mistaken]
        .iter()
        .flat_map(|step| &step.lines)
    {
        assert!(shown.contains(&shape(line)), "{line} is not in {shown:#?}");
    }
}
