//! Ordinary Rust between host and plugin: values of one are used, changed and dropped by the other, and nothing crosses
//! that is not the same type on both sides.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Instant;

use replug::error::Step;
use replug::outcome::{Loaded, Mapped};
use replug::watch::Watcher;
use replug::wire::{Carried, Moved};
use replug::{CallError, Host, Options, Outcome, Unload, chain};
use vocabulary::{
    Artifact, DEADLINE, Rule, Scratch, built, cargo_build, holds, in_manifest, is_by_the_way,
    library_name, mapped_below, target_tmp, workspace,
};

#[path = "ordinary/town.rs"]
mod town;

use town::{Colour, Council, Grid, Mood, Person, Rules, Town};

/// Plugins whose declaration or making differs from the host's by the change of one text, and what is said of each.
const CHANGED: &[(&str, &str, &str, &str)] = &[
    (
        "more_field",
        "    pub names:",
        "    pub gold: u64,\n    pub names:",
        "`Town`: field `gold: u64` is in the plugin, not in this host; build the host again, or move it into the plugin's \
        own state",
    ),
    (
        "less_field",
        "    pub notes: VecDeque<char>,\n",
        "",
        "`Person`: field `notes: VecDeque<char>` is in this host, not in the plugin; build the plugin again from what the \
        host was built from, or the host, if it is the older one",
    ),
    (
        "field_type",
        "pub age: u32",
        "pub age: i32",
        "`Person`: field `age` is `i32` in the plugin, `u32` in this host; build whichever is older again, and start the \
        host anew if it is that",
    ),
    (
        "deep_type",
        "Arc<Mutex<BTreeMap<String, u64>>>",
        "Arc<Mutex<BTreeMap<String, u32>>>",
        "`Town`: field `told` is `Arc<Mutex<BTreeMap<String, u32>>>` in the plugin, `Arc<Mutex<BTreeMap<String, u64>>>` in \
        this host; build whichever is older again, and start the host anew if it is that",
    ),
    (
        "field_order",
        "    pub age: u32,\n    pub mood: Mood,",
        "    pub mood: Mood,\n    pub age: u32,",
        "`Person`: its fields stand in another order: mood, age, friends, notes in the plugin, age, mood, friends, notes in this \
        host; build whichever is older again, and start the host anew if it is that",
    ),
    (
        "more_variant",
        "    Says(String),",
        "    Sings,\n    Says(String),",
        "`Mood`: variant `Sings` is in the plugin, not in this host; build the host again",
    ),
    (
        "variant_field",
        "by: [f32; 2]",
        "by: [f32; 3]",
        "`Mood::Moves`: field `by` is `[f32; 3]` in the plugin, `[f32; 2]` in this host; build whichever is older again, and \
        start the host anew if it is that",
    ),
    (
        "variant_order",
        "    Red = 1,\n    Green = 2,",
        "    Green = 2,\n    Red = 1,",
        "`Colour`: its variants stand in another order: Green, Red in the plugin, Red, Green in this host; build whichever \
        is older again, and start the host anew if it is that",
    ),
    (
        "discriminant",
        "Green = 2",
        "Green = 3",
        "`Colour`: variant `Green` is 3 in the plugin, 2 in this host; build whichever is older again, and start the host \
        anew if it is that",
    ),
    (
        "repr",
        "#[repr(u8)]",
        "#[repr(i8)]",
        "`Colour`: it is `repr(i8)` in the plugin, `repr(u8)` in this host; build whichever is older again, and start the \
        host anew if it is that",
    ),
    (
        "constant",
        "grid: Grid<u16, 3>",
        "grid: Grid<u16, 4>",
        "`Rules`: an argument or a result is `Grid<u16, 4>` in the plugin, `Grid<u16, 3>` in this host; build whichever is \
        older again, and start the host anew if it is that",
    ),
    (
        "offer",
        "fn decide(&mut self, question: &str, about: Person) -> Option<Vec<String>>;",
        "fn decide(&self, question: &str, about: Person) -> Option<Vec<String>>;",
        "`Council`: plugin has { decide(&self, &str, Person) -> Option<Vec<String>>; count(&self) -> u32 }, host has \
        { decide(&mut self, &str, Person) -> Option<Vec<String>>; count(&self) -> u32 }; rebuild whichever is older, and \
        start the host anew if it is that (the plugin was built by RUSTC)",
    ),
];

/// What a plugin in its own crate needs beside the declaration.
const MANIFEST: &str = "[lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\n";

/// Where cargo leaves the plugins: all that differ, and those that do not.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let town = include_str!("ordinary/town.rs").to_owned();
    let rules = include_str!("ordinary/rules.rs").to_owned();
    let root = target_tmp().join("ordinary");
    let mut plugins = vec![("same", town.clone(), rules.clone())];
    for &(name, from, to, _) in CHANGED {
        assert!(town.contains(from), "{name}");
        let rules = rules.replace("Grid<u16, 3>", "Grid<u16, WIDTH>");
        let town = town.replace(from, to);
        let width = if name == "constant" { "4" } else { "3" };
        plugins.push((name, town, rules.replace("WIDTH", width)));
    }
    // Where the loader finds what is to run first.
    let first = if cfg!(windows) {
        ".CRT$XCU"
    } else {
        ".init_array"
    };
    let early = format!(
        "\nextern \"C\" fn early() {{ std::mem::forget(vec![1]); }}\n\
        #[used]\n#[unsafe(link_section = \"{first}\")]\nstatic EARLY: extern \"C\" fn() = early;\n"
    );
    plugins.push(("allocates_early", town, rules + &early));
    for (name, town, rules) in &plugins {
        let package = root.join(name);
        let source = package.join("src");
        fs::create_dir_all(&source).unwrap();
        let path = |crate_name: &str, folder: &str| {
            format!(
                "{crate_name} = {{ path = {} }}\n",
                in_manifest(&workspace().join(folder))
            )
        };
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{MANIFEST}{}{}",
            path("replug-plugin", "plugin"),
            path("replug-derive", "derive")
        );
        write(&package.join("Cargo.toml"), &manifest);
        write(&source.join("town.rs"), town);
        write(&source.join("lib.rs"), rules);
    }
    let members: Vec<_> = plugins.iter().map(|it| it.0).collect();
    let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n");
    write(&root.join("Cargo.toml"), &manifest);
    let status = cargo_build()
        .args(["--quiet", "--offline"])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .current_dir(&root)
        .arg("--target-dir")
        .arg(root.join("target"))
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "the plugins do not compile");
    built(&root.join("target"), "debug")
});

/// An argument that panics when it is dropped.
#[derive(replug_derive::Shared)]
struct Touchy(u32);

impl Drop for Touchy {
    fn drop(&mut self) {
        panic!("touchy {}", self.0);
    }
}

replug::interface! {
    /// Takes what panics.
    interface Taker, plugin trait Take, version 1 {
        /// Takes two of them.
        fn take(one: Touchy, other: Touchy) -> u64;
    }
}

#[test]
fn a_type_of_ones_own_is_passed_as_a_struct_whatever_attributes_it_has() {
    fn wire<T: Carried<Wire = Moved<T>>>() {}
    wire::<Touchy>();
}

#[test]
fn an_argument_whose_drop_panics_while_nothing_is_live_changes_no_answer() {
    let host = Host::<Taker>::new();
    assert_eq!(host.take(Touchy(1), Touchy(2)), Err(CallError::Absent));
}

/// Writes a file whose content is new, so that nothing is built again for nothing.
fn write(path: &Path, content: &str) {
    if fs::read_to_string(path).ok().as_deref() != Some(content) {
        fs::write(path, content).unwrap();
    }
}

fn plugin(name: &str) -> Vec<u8> {
    fs::read(BUILT.join(library_name(name))).unwrap()
}

/// What a plugin's handshake has for a fact.
fn fact(name: &str, fact: &str) -> String {
    let library = plugin(name);
    let text = String::from_utf8_lossy(&library);
    let (_, behind) = text.split_once(&format!("\n{fact} ")).unwrap();
    behind.lines().next().unwrap().to_owned()
}

/// A plugin with some texts of its file replaced by others of their lengths.
#[track_caller]
fn edited(name: &str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut library = plugin(name);
    let places = library.windows(from.len()).enumerate();
    let places = places.filter_map(|(at, it)| (it == from.as_bytes()).then_some(at));
    let places: Vec<_> = places.collect();
    assert!(!places.is_empty(), "no `{from}` in it");
    for at in places {
        library[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    library
}

/// A host of the rules of a town, and the artifact that it watches.
struct Hosted {
    host: Host<Rules>,
    artifact: Artifact,
    scratch: Scratch,
}

impl Hosted {
    fn watched_by(watch: impl FnOnce(Options) -> Host<Rules>) -> Hosted {
        let scratch = Scratch::new();
        let artifact = scratch.artifact();
        let options = scratch.options();
        Hosted {
            host: watch(options),
            artifact,
            scratch,
        }
    }

    fn new() -> Hosted {
        Hosted::watched_by(|options| Host::<Rules>::watch(options).unwrap())
    }

    /// Puts a library in place, and waits for what becomes of it.
    #[track_caller]
    fn publish(&mut self, library: &[u8]) -> Outcome {
        self.artifact.link(library);
        let deadline = Instant::now() + DEADLINE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.host.wait(left) {
                Some(Outcome::Missing | Outcome::Returned) | None => {}
                Some(outcome) if is_by_the_way(&outcome) => {}
                Some(outcome) => return outcome,
            }
        }
        panic!("nothing happened in time");
    }

    /// How many of the staged copies are mapped into this process.
    fn mapped(&self) -> usize {
        mapped_below(&self.scratch.stage())
    }

    #[track_caller]
    fn load(&mut self, library: &[u8]) -> Loaded {
        match self.publish(library) {
            Outcome::Loaded(loaded) => loaded,
            Outcome::Kept(kept) => panic!("kept out: {}", chain(&kept.error)),
            other => panic!("not loaded: {other:?}"),
        }
    }

    /// Puts a library in place that is kept out; returns the step and the reason.
    #[track_caller]
    fn keep_out(&mut self, library: &[u8]) -> (Step, String) {
        match self.publish(library) {
            Outcome::Kept(kept) => {
                let told = chain(&kept.error);
                let artifact = self.artifact.path().to_str().unwrap();
                (kept.error.step(), told.replace(artifact, "IT"))
            }
            other => panic!("not kept out: {other:?}"),
        }
    }
}

/// Why something was kept out, in full.
fn told(why: &str) -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    format!(
        "cannot shake hands with `IT`: {}",
        why.replace("RUSTC", version.trim())
    )
}

fn guest(age: u32) -> Person {
    let until = Some(Box::new(Mood::Says("done".to_owned())));
    Person {
        age,
        mood: Mood::Moves {
            by: [1.0, 2.0],
            until,
        },
        friends: vec![Person::default()],
        notes: ['x'].into(),
    }
}

#[test]
fn values_are_used_changed_and_dropped_on_both_sides_over_reloads() {
    let mut hosted = Hosted::new();
    let mut town = Town::default();
    let mut moods = Vec::new();
    for generation in 1..=3_u8 {
        let mut library = plugin("same");
        library.push(generation);
        assert_eq!(hosted.load(&library).generation, u64::from(generation));
        let rules = &hosted.host;
        let guests = [guest(7), guest(8)];
        let days = rules.day(&mut town, &guests, 24.0).unwrap().unwrap();
        assert_eq!(days, [guest(7).mood, guest(8).mood]);
        moods.extend(days);
        let (person, colour) = rules.turn(guest(9), Colour::Red).unwrap();
        assert_eq!(person.mood, Mood::Says("turned".to_owned()));
        assert_eq!((person.friends.len(), colour), (2, Some(Colour::Green)));
        assert_eq!(rules.turn(guest(1), Colour::Green).unwrap().1, None);
        let spread = rules.spread(Grid(vec![[1, 2, 3], [4, 5, 6]]));
        assert_eq!(spread, Ok(vec![1, 2, 3, 4, 5, 6]));
        let refused = rules.day(&mut town, &[], -1.0).unwrap();
        assert_eq!(refused, Err("a day has -1 hours".to_owned()));
    }
    assert_eq!(town.people.len(), 6);
    assert_eq!(town.founded.get().unwrap(), "today");
    assert_eq!(town.names[&6], "guest 6");
    assert_eq!(town.told.lock().unwrap()["days"], 3);
    drop(hosted);
    // What generations made is used and dropped when they and their host are gone.
    town.people
        .iter_mut()
        .for_each(|it| it.friends.push(Person::default()));
    town.names.insert(100, "the last".to_owned());
    drop((town, moods));
}

/// `REPLUG_RELOADS=10000` makes the test go on for longer.
#[test]
fn what_a_generation_made_is_read_and_dropped_a_hundred_generations_later() {
    const LATER: usize = 100;
    let reloads: u32 =
        std::env::var("REPLUG_RELOADS").map_or(220, |number| number.parse().unwrap());
    let mut hosted = Hosted::new();
    let mut made = VecDeque::new();
    for generation in 1..=reloads {
        let mut library = plugin("same");
        library.extend_from_slice(&generation.to_le_bytes());
        hosted.load(&library);
        let mut town = Town::default();
        let rules = &hosted.host;
        let moods = rules.day(&mut town, &[guest(7)], 1.0).unwrap().unwrap();
        let (person, _) = rules.turn(guest(generation), Colour::Red).unwrap();
        made.push_back((generation, town, moods, person));
        if made.len() > LATER {
            let (number, mut town, moods, person) = made.pop_front().unwrap();
            assert_eq!((moods, person.age), (vec![guest(7).mood], number));
            assert_eq!(person.mood, Mood::Says("turned".to_owned()));
            assert_eq!(town.founded.get().unwrap(), "today");
            // The generation of now lets go of one part, and this host of the others.
            let (person, _) = rules.turn(person, Colour::Red).unwrap();
            assert_eq!(person.friends.len(), 3);
            rules.day(&mut town, &[person], 1.0).unwrap().unwrap();
            assert_eq!((town.people.len(), town.names.len()), (2, 2));
        }
    }
    assert_eq!(made.len(), LATER);
}

#[test]
fn a_panic_drops_what_was_taken_and_is_an_error() {
    let mut hosted = Hosted::new();
    hosted.load(&plugin("same"));
    let mut town = Town {
        people: vec![Person::default(); 100],
        ..Town::default()
    };
    let error = hosted.host.day(&mut town, &[], 1.0).unwrap_err();
    assert_eq!(error.to_string(), "the plugin panicked: the town is full");
    let value = hosted.host.spread(Grid(vec![[1, 2, 3]]));
    assert_eq!(value, Ok(vec![1, 2, 3]));
}

/// Those who know: so many, who have been asked so often.
struct Wise {
    count: u32,
    asked: u32,
}

impl Council for Wise {
    fn decide(&mut self, question: &str, about: Person) -> Option<Vec<String>> {
        assert!(question != "what is the last number?", "nobody knows");
        self.asked += 1;
        (about == Person::default()).then(|| vec![question.to_uppercase()])
    }

    fn count(&self) -> u32 {
        self.count
    }
}

#[test]
fn a_plugin_calls_what_its_host_offers_and_a_panic_there_ends_as_an_error_of_the_hosts_call() {
    let mut hosted = Hosted::new();
    hosted.load(&plugin("same"));
    let mut wise = Wise { count: 3, asked: 0 };
    let elders = Wise { count: 7, asked: 0 };
    for asked in 1..=2 {
        let said = hosted.host.consult(&mut wise, &elders, "who?");
        assert_eq!(said, Ok(vec!["WHO?".to_owned(), "3 and 7".to_owned()]));
        let lost = hosted
            .host
            .consult(&mut wise, &elders, "what is the last number?");
        assert_eq!(
            lost,
            Err(CallError::HostPanicked("nobody knows".to_owned()))
        );
        assert_eq!(wise.asked, asked);
    }
    let lost = hosted
        .host
        .consult(&mut wise, &elders, "what is the last number?");
    let told = lost.unwrap_err().to_string();
    assert_eq!(
        told,
        "a function that the host offers panicked: nobody knows"
    );
}

#[test]
fn what_a_host_offers_is_lent_in_a_handover_too() {
    let mut hosted = Hosted::new();
    let mut wise = Wise { count: 3, asked: 0 };
    let elders = Wise { count: 7, asked: 0 };
    hosted.artifact.link(&plugin("same"));
    let mut asks = "what is the last number?";
    for asked in 0..2_u32 {
        let outcome = loop {
            let handing = hosted.host.handing_over(|it| {
                it.new.consult(&mut wise, &elders, asks)?;
                Ok(())
            });
            match handing.wait(DEADLINE).expect("an outcome in time") {
                Outcome::Waiting(_) => {}
                outcome => break outcome,
            }
        };
        match outcome {
            Outcome::Kept(kept) if asked == 0 => assert_eq!(
                chain(&kept.error).split_once("`: ").unwrap().1,
                "a function that the host offers panicked: nobody knows"
            ),
            Outcome::Loaded(_) if asked == 1 => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(wise.asked, asked);
        asks = "who?";
        let mut again = plugin("same");
        again.push(1);
        hosted.artifact.link(&again);
    }
}

#[test]
fn a_type_that_differs_is_kept_out_with_the_difference_before_anything_runs_and_the_old_one_stays()
{
    let mut hosted = Hosted::new();
    hosted.load(&plugin("same"));
    for (name, _, _, why) in CHANGED {
        let told = told(why);
        let kept = hosted.keep_out(&plugin(name));
        assert_eq!(kept, (Step::Handshake, told), "{name}");
        if holds(Rule::ListsMappings) {
            assert_eq!(hosted.mapped(), 1, "{name}: only what went live was mapped");
        }
        let spread = hosted.host.spread(Grid(vec![[1, 2, 3]]));
        assert_eq!(spread, Ok(vec![1, 2, 3]), "{name}");
    }
}

#[test]
fn a_host_that_was_told_nothing_before_finds_the_same_difference_at_the_load() {
    for (name, _, _, why) in CHANGED {
        let watch = |options| Host::<Rules>::new().watching(Watcher::new(options).unwrap());
        let mut hosted = Hosted::watched_by(watch);
        let told = told(why);
        assert_eq!(
            hosted.keep_out(&plugin(name)),
            (Step::Handshake, told),
            "{name}"
        );
    }
}

#[test]
fn a_plugin_of_another_compiler_or_built_in_another_way_is_kept_out() {
    let mut hosted = Hosted::new();
    let (step, told) = hosted.keep_out(&edited(
        "same",
        "\ncompiler rustc 1.",
        "\ncompiler rustc 7.",
    ));
    assert_eq!(step, Step::Handshake);
    let (before, after) = told.split_once("it was built by `rustc 7.").unwrap();
    assert_eq!(
        before,
        "cannot shake hands with `IT`: ordinary Rust crosses between them, and "
    );
    assert!(after.contains("`, this host by `rustc 1."), "{told}");
    assert!(after.ends_with("`; build both with one compiler"), "{told}");
    let (_, told) = hosted.keep_out(&edited("same", "\nprobe 0 4", "\nprobe 4 0"));
    assert!(
        told.contains("it was built with fields at `4 0 8"),
        "{told}"
    );
    // The first table is of three pointers.
    let size = 3 * size_of::<usize>();
    let tables = |first, second| format!("{size} {first} {second} ");
    let (own, moved) = (tables(0, size / 3), tables(size / 3, 0));
    let edit = |tables: &str| format!("\ntables {tables}");
    let (_, told) = hosted.keep_out(&edited("same", &edit(&own), &edit(&moved)));
    assert!(told.contains(&moved), "{told}");
    // Which features a processor has is another question on each one.
    let features = fact("same", "features");
    let others = features.to_uppercase();
    assert_ne!(features, others);
    let (_, told) = hosted.keep_out(&edited(
        "same",
        &format!("\nfeatures {features}"),
        &format!("\nfeatures {others}"),
    ));
    assert!(
        told.contains(&format!(
            "it was built with the processor's features `{others}"
        )),
        "{told}"
    );
    // The commit alone tells two nightlies of one day apart.
    let (_, told) = hosted.keep_out(&edited("same", "commit-hash: ", "commit-hash! "));
    assert!(
        told.contains("commit-hash! ") && told.contains("commit-hash: "),
        "{told}"
    );
    let (_, told) = hosted.keep_out(&edited("same", "\nlevel rust\n", "\nlevel plan\n"));
    assert!(told.ends_with("this host exchanges ordinary Rust and it only plain data; build both from one declaration"), "{told}");
}

#[test]
fn a_plugin_that_has_allocated_before_it_got_an_allocator_is_kept_out() {
    let mut hosted = Hosted::new();
    let (step, told) = hosted.keep_out(&plugin("allocates_early"));
    assert_eq!(step, Step::Load);
    assert!(
        told.contains("it allocated memory before its host"),
        "{told}"
    );
    assert_eq!(hosted.load(&plugin("same")).generation, 1);
}

#[test]
fn a_generation_stays_mapped_whatever_was_wished_and_says_so() {
    for unload in [Unload::Never, Unload::WhenProven] {
        let watch = |options| Host::<Rules>::watch(options).unwrap().unloading(unload);
        let mut hosted = Hosted::watched_by(watch);
        hosted.load(&plugin("same"));
        let mut again = plugin("same");
        again.push(1);
        let retired = hosted.load(&again).retired.unwrap();
        assert_eq!(retired.mapped, Some(Mapped::Ordinary));
    }
}
