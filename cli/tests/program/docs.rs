//! `docs/cli.md`: what it shows of the program is what the program says now, and its tables name the program's options.
//!
//! A block that begins with ```` ```console ```` is played: each line behind `$ ` is a command, and the lines up to the next
//! command are what is said. Commands run in one directory for each block. `replug run` and `replug dev` go on until the
//! block ends, while the commands behind them run; the others end by themselves. `..` stands for lines that are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use vocabulary::{Build, Scratch, Speaker, cargo_build, plugin, program, target_tmp, workspace};

use crate::help::{options, said, subcommands};

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

/// The checkout, as the page has it.
const CHECKOUT: &str = "/src/replug";

fn page() -> String {
    fs::read_to_string(workspace().join("docs/cli.md")).unwrap()
}

/// The chapter of the page about a subcommand.
#[track_caller]
fn chapter<'a>(page: &'a str, subcommand: &str) -> &'a str {
    let title = format!("\n## `replug {subcommand}`\n");
    let (_, rest) = page.split_once(&title).expect(&title);
    rest.split("\n## ").next().unwrap()
}

/// The long options that the tables of a chapter name. A row that begins with `as` another subcommand stands for the options
/// of that one, but for those that the row names.
fn documented(page: &str, subcommand: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for row in chapter(page, subcommand).lines() {
        let Some(cell) = row
            .strip_prefix("| ")
            .and_then(|row| row.split(" | ").next())
        else {
            continue;
        };
        let long = cell
            .split(['`', ' ', ','])
            .filter(|it| it.len() > 2 && it.starts_with("--"));
        let named: BTreeSet<String> = long.map(str::to_owned).collect();
        match cell
            .strip_prefix("as `")
            .and_then(|cell| cell.split('`').next())
        {
            Some(other) => found.extend(&documented(page, other) - &named),
            None => found.extend(named),
        }
    }
    found
}

#[test]
fn the_tables_name_the_options_of_the_help_and_no_others() {
    let page = page();
    for subcommand in subcommands() {
        let (documented, offered) = (documented(&page, &subcommand), options(&subcommand));
        assert_eq!(
            documented, offered,
            "of `{subcommand}`: documented, and offered"
        );
    }
}

#[test]
fn the_page_begins_with_the_usage_of_each_subcommand() {
    let page = page();
    let block = page.split("```").nth(1).unwrap();
    for subcommand in subcommands() {
        let help = said(&[&subcommand, "--help"]);
        let (_, usage) = help.split_once("Usage: ").unwrap();
        for line in usage.split("\n\n").next().unwrap().lines() {
            let line = line.trim();
            assert!(block.lines().any(|it| it.starts_with(line)), "{line}");
        }
    }
}

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

/// What is known of the digests of a block: which one of the page stands for which one of this run.
#[derive(Debug, Default)]
struct Digests(BTreeMap<String, String>);

impl Digests {
    /// Whether a line of the page says what the program said, but for what differs from run to run. One digest of the page
    /// is one digest of the run, short or whole.
    fn fits(&mut self, shown: &str, said: &str) -> bool {
        let ((shown, ours), (said, theirs)) = (shape(shown), shape(said));
        if shown != said || ours.len() != theirs.len() {
            return false;
        }
        let mut known = self.0.clone();
        for (our, their) in ours.into_iter().zip(theirs) {
            if *known.entry(our).or_insert_with(|| their.clone()) != their {
                return false;
            }
        }
        self.0 = known;
        true
    }
}

/// A line without what differs from run to run, and the digests in it, short.
fn shape(line: &str) -> (String, Vec<String>) {
    let (mut words, mut digests) = (Vec::new(), Vec::new());
    let line = line.replace(workspace().to_str().unwrap(), CHECKOUT);
    let all: Vec<&str> = line.split(' ').collect();
    for (at, word) in all.iter().enumerate() {
        let bare = word.trim_matches(|it: char| "():,".contains(it));
        let before = at.checked_sub(1).map(|before| all[before]);
        let next = all.get(at + 1).map(|it| it.trim_end_matches([',', ':']));
        let is_digest =
            [8, 64].contains(&bare.len()) && bare.chars().all(|it| it.is_ascii_hexdigit());
        let is_number = !bare.is_empty() && bare.chars().all(|it| it.is_ascii_digit());
        let differs = match before {
            // Times and sizes.
            _ if is_number && matches!(next, Some("ms" | "bytes")) => true,
            // The machine.
            Some("filesystem" | "for")
                if line.contains("filesystem ") || line.contains(" ELF for ") =>
            {
                true
            }
            // The compiler.
            Some("rustc") => true,
            _ => is_digest || bare.starts_with("ld-linux"),
        };
        if is_digest {
            digests.push(bare[..8].to_owned());
        }
        words.push(if differs {
            word.replace(bare, "..")
        } else {
            (*word).to_owned()
        });
    }
    let line = words.join(" ");
    // The commit and the date behind the compiler's version.
    match line.split_once("rustc ") {
        Some((head, _)) => (format!("{head}rustc .."), Vec::new()),
        None => (line, digests),
    }
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
    for directory in ["plugin01/src", "target/debug", "target/release", "plugins"] {
        fs::create_dir_all(scratch.join(directory)).unwrap();
    }
    for file in ["plugin01/src/lib.rs", "README.md"] {
        fs::copy(workspace().join(file), scratch.join(file)).unwrap();
    }
    let manifest = "[package]\nname = \"plugin01\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n";
    fs::write(scratch.join("plugin01/Cargo.toml"), manifest).unwrap();
    let members = "[workspace]\nresolver = \"3\"\nmembers = [\"plugin01\"]\n";
    fs::write(scratch.join("Cargo.toml"), members).unwrap();
    for library in ["libgame_rules.so", "libline_handler.so"] {
        let built = scratch.join(&format!("target/debug/{library}"));
        fs::copy(EXAMPLES.join(library), built).unwrap();
    }
    for (directory, build) in [("debug", Build::Debug), ("release", Build::Release)] {
        let library = scratch.join(&format!("target/{directory}/libplugin01.so"));
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
    let shown: BTreeSet<_> = lines_of(&picture)
        .iter()
        .map(|line| shape(line).0)
        .collect();
    let page = page();
    let blocks = blocks(chapter(&page, "dev"));
    let [started, changed, mistaken, _mended] = blocks[0].as_slice() else {
        panic!("{blocks:?}");
    };
    for line in [started, changed, mistaken]
        .iter()
        .flat_map(|step| &step.lines)
    {
        assert!(
            shown.contains(&shape(line).0),
            "{line} is not in {shown:#?}"
        );
    }
}

#[test]
fn lines_fit_but_for_times_sizes_digests_and_the_machine() {
    let mut digests = Digests::default();
    let (first, second, third) = ("0bc0df9f", "a7e3af1c", "51f0c0de");
    let mut fits = |shown: &str, said: &str| digests.fits(shown, said);
    assert!(fits("built in 103 ms", "built in 7 ms"));
    assert!(!fits("built in 103 ms", "built in 7 s"));
    assert!(!fits("generation 1", "generation 2"));
    assert!(fits(
        "  filesystem ext4, local: x",
        "  filesystem tmpfs, local: x"
    ));
    assert!(!fits(
        "  filesystem ext4, local: x",
        "  filesystem ext4, remote: x"
    ));
    assert!(fits(&format!("is ({first})"), &format!("is ({second})")));
    let whole = |short: &str| short.repeat(8);
    assert!(fits(
        &format!("sha256 {}", whole(first)),
        &format!("sha256 {}", whole(second))
    ));
    assert!(!fits(&format!("is ({first})"), &format!("is ({third})")));
}
