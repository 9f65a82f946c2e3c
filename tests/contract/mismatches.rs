//! Plugins that were not built from the declaration of their host.

use fixtures::Fixture;
use fixtures::diary::Diary;
use replug::error::Step;
use replug::options::Expected;
use replug::watch::Watcher;
use replug::{Host, Interface, Options, Sink};
use vocabulary::{World, damaged, library, specimen};

/// The end of the message for every difference: how the plugin was built, and what to do.
fn rebuild() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output();
    let version = String::from_utf8(version.unwrap().stdout).unwrap();
    let version = version.trim();
    format!(
        "; rebuild whichever is older, and start the host anew if it is that (the plugin was built by {version})"
    )
}

/// Fixtures that do not fit, and what the message says of each.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "other_signature",
        "`add`: plugin takes (u32, u32) -> u32, host calls (u64, u64) -> u64",
    ),
    (
        "missing_function",
        "`greet`: the plugin lacks it; `step`: number 2 in the plugin, number 3 in the host; \
        `act`: number 3 in the plugin, number 4 in the host",
    ),
    ("extra_function", "`wave`: the host does not know it"),
    (
        "other_order",
        "`add`: number 2 in the plugin, number 1 in the host; `greet`: number 1 in the plugin, number 2 in the host",
    ),
    (
        "other_layout",
        "`World`: plugin has size 24 align 8 { seconds: f64 at 0, frames: u64 at 8, paused: bool at 16 }, \
        host has size 16 align 8 { frames: u64 at 0, seconds: f64 at 8 }",
    ),
];

/// Fixtures that are refused as a whole, and what the message says of each.
const FOREIGN: &[(&str, &str)] = &[
    (
        "other_version",
        "it implements `Fixture version 2`, this host calls `Fixture version 1`",
    ),
    (
        "other_interface",
        "it implements `Greeter version 1`, this host calls `Fixture version 1`",
    ),
    (
        "aborts",
        "it was built with `panic = \"abort\"`, so that a panic in it would end the host; \
        build it with `panic = \"unwind\"`",
    ),
];

/// All fixtures that do not fit, with their messages in full.
fn mismatches() -> Vec<(&'static str, String)> {
    let rebuild = rebuild();
    // Some processors of 32 bits align eight bytes by four.
    let width = align_of::<u64>();
    let here = |why: &str| {
        why.replace("24 align 8", &format!("{} align {width}", 16 + width))
            .replace("16 align 8", &format!("16 align {width}"))
    };
    let different = DIFFERENT
        .iter()
        .map(|(name, why)| (*name, format!("{}{rebuild}", here(why))));
    let foreign = FOREIGN.iter().map(|(name, why)| (*name, why.to_string()));
    let told = |why| format!("cannot shake hands with `IT`: {why}");
    let all = different.chain(foreign);
    all.map(|(name, why)| (name, told(why))).collect()
}

#[test]
fn what_does_not_fit_is_kept_out_with_the_difference_before_anything_of_it_runs() {
    let diary = Diary::open();
    for (name, why) in mismatches() {
        let mut world = World::with("pure");
        assert_eq!(world.keep_out(name), (Step::Handshake, why), "{name}");
        assert_eq!(diary.read(), [""; 0], "{name}");
        assert_eq!(world.generation(), Some(1), "{name}");
        assert_eq!(world.host.act(1), Ok(2), "{name}");
    }
}

#[test]
fn a_host_that_was_told_nothing_before_finds_the_same_difference_at_the_load() {
    let diary = Diary::open();
    for (name, why) in mismatches() {
        let mut world = World::unsuspecting().and("pure");
        assert_eq!(world.keep_out(name), (Step::Handshake, why), "{name}");
        // This shows that the diary would have told of it before.
        assert_eq!(diary.read(), ["code of it ran"], "{name}");
        assert_eq!(world.generation(), Some(1), "{name}");
        assert_eq!(world.host.act(1), Ok(2), "{name}");
    }
}

#[test]
fn what_can_do_more_is_welcome_to_a_host_that_says_so() {
    let expected = Expected::of::<Fixture>().or_more();
    let mut world =
        World::watched_by(|options| Host::<Fixture>::watch(options.expected(expected)).unwrap());
    assert_eq!(world.load("extra_function").generation, 1);
    assert_eq!(world.host.add(2, 3), Ok(5));
    assert_eq!(world.host.act(7), Ok(7));
    assert_eq!(world.load("pure").generation, 2);
    let (step, _) = world.keep_out("missing_function");
    assert_eq!(step, Step::Handshake);
}

replug::interface! {
    /// The interface that `other_interface` implements.
    interface Greeter, plugin trait Greet, version 1 {
        /// The sum, as in the fixture.
        fn add(one: u64, other: u64) -> u64;
        /// The greeting, as in the fixture.
        fn greet(name: &str, greeting: Sink<'_>);
        /// One step, as in the fixture.
        fn step(world: &mut fixtures::World, seconds: f64);
        /// An action, as in the fixture.
        fn act(number: u64) -> u64;
    }
}

#[test]
fn a_host_cannot_be_told_to_expect_what_it_does_not_call() {
    let diary = Diary::open();
    let expected = Expected::of::<Greeter>();
    let watching = |options: Options| Host::<Fixture>::watch(options.expected(expected)).unwrap();
    let expecting = |options: Options| {
        let watcher = Watcher::new(options.expected(expected)).unwrap();
        Host::<Fixture>::new().expecting(expected).watching(watcher)
    };
    let told = "cannot shake hands with `IT`: it implements `Greeter version 1`, this host calls `Fixture version 1`";
    let mut world = World::watched_by(watching);
    let kept = world.keep_out("other_interface");
    assert_eq!(kept, (Step::Handshake, told.to_owned()));
    assert_eq!(diary.read(), [""; 0]);
    let mut world = World::watched_by(expecting);
    let kept = world.keep_out("other_interface");
    assert_eq!(kept, (Step::Handshake, told.to_owned()));
}

/// Structs by the names of numbers.
mod named_like_numbers {
    replug::shared! {
        /// Much larger than its name says.
        #[allow(non_camel_case_types)]
        pub struct u32 {
            pub numbers: [u64; 4096],
        }
    }
}

type Struct = named_like_numbers::u32;
type Number = u32;

replug::interface! {
    /// Fills a struct and a number.
    interface StructFirst, plugin trait FillStructFirst, version 1 {
        /// Both are called `u32`.
        fn fill(first: &mut Struct, second: &mut Number);
    }
}

replug::interface! {
    /// Fills a number and a struct.
    interface NumberFirst, plugin trait FillNumberFirst, version 1 {
        /// Both are called `u32`.
        fn fill(first: &mut Number, second: &mut Struct);
    }
}

#[test]
fn a_struct_that_is_called_like_a_number_is_told_from_it() {
    let told = |declaration: &str| declaration.lines().nth(1).unwrap().to_owned();
    let struct_first = "fn fill(&mut struct u32, &mut u32) -> ()";
    assert_eq!(told(StructFirst::DECLARATION), struct_first);
    let number_first = "fn fill(&mut u32, &mut struct u32) -> ()";
    assert_eq!(told(NumberFirst::DECLARATION), number_first);
}

#[test]
fn what_has_no_handshake_is_kept_out_by_both() {
    for world in [World::new(), World::unsuspecting()] {
        let mut world = world.and("pure");
        world.put(&library(1));
        let outcome = world.next_outcome();
        assert_eq!(
            world.why(outcome),
            (
                Step::Handshake,
                "cannot shake hands with `IT`: it has no handshake; build it with `export!` of replug-plugin"
                    .to_owned()
            )
        );
        assert_eq!(world.host.act(1), Ok(2));
    }
}

#[test]
fn a_handshake_that_is_damaged_is_kept_out_by_both() {
    let version = env!("CARGO_PKG_VERSION");
    let own = format!("\nreplug-plugin {version}\n");
    let other = own.replacen(version.split('.').next().unwrap(), "9", 1);
    let misfit = format!(
        "it was built with replug-plugin `{}`, which does not fit this host with `{version}`; build both with one version",
        other.trim().trim_start_matches("replug-plugin ")
    );
    let cases: [(&[u8], &[u8], &str); 5] = [
        (own.as_bytes(), other.as_bytes(), &misfit),
        (
            b"replug handshake 3\n",
            b"replug handshake 2\n",
            "its handshake is `replug handshake 2`, this host speaks `replug handshake 3`; build both with one version of replug",
        ),
        (
            b"replug handshake 3\n",
            b"replug handshake 3\0",
            "its handshake cannot be read",
        ),
        (
            b"interface Fixture version 1\n",
            b"interface Fixtur\xff version 1\n",
            "its handshake cannot be read",
        ),
        (
            b"\nfn add(u64, u64)",
            b"\nfn add{u64, u64)",
            "its handshake cannot be read",
        ),
    ];
    for (from, to, why) in cases {
        for world in [World::new(), World::unsuspecting()] {
            let mut world = world.and("pure");
            world.put(&damaged("diary_one", from, to));
            let outcome = world.next_outcome();
            let why = format!("cannot shake hands with `IT`: {why}");
            assert_eq!(world.why(outcome), (Step::Handshake, why));
            assert_eq!(world.host.act(1), Ok(2));
        }
    }
}

#[test]
fn a_handshake_that_ends_half_way_is_kept_out() {
    let diary = Diary::open();
    let whole = specimen("diary_one", 0);
    let start = b"replug handshake 3\n";
    let at = whole.windows(start.len()).position(|it| it == start);
    let at = at.unwrap();
    let end = at + whole[at..].iter().position(|&byte| byte == 0).unwrap();
    for cut in (at..end).step_by(7) {
        let mut library = whole.clone();
        library[cut..end].fill(0);
        let mut world = World::new();
        world.put(&library);
        let outcome = world.next_outcome();
        let (step, why) = world.why(outcome);
        assert_eq!(step, Step::Handshake, "{why}");
    }
    assert_eq!(diary.read(), [""; 0]);
}
