//! The words of an outcome: one line that a host can print as it is.

use std::time::Duration;

use replug::outcome::{Kept, Mapped, Retired, Waiting};
use replug::watch::Holder;
use replug::{Outcome, chain};
use vocabulary::World;

#[test]
fn an_outcome_says_in_one_line_what_the_program_says() {
    let cases = [
        (
            Outcome::Waiting(Waiting::Missing),
            "waiting: there is no library yet",
        ),
        (
            Outcome::Waiting(Waiting::Gated(None)),
            "waiting: a cargo build is running",
        ),
        (
            Outcome::Waiting(Waiting::Gated(Some(Holder::new(4711, Some(b"test"))))),
            "waiting: a cargo build is running: `cargo test`, process 4711",
        ),
        (
            Outcome::Waiting(Waiting::Gated(Some(Holder::new(4711, Some(b"lint"))))),
            "waiting: cargo's lock is held: process 4711",
        ),
        (
            Outcome::Waiting(Waiting::Gated(Some(Holder::new(4711, Some(b"check"))))),
            "waiting: cargo's lock is held: `cargo check`, process 4711",
        ),
        (
            Outcome::Waiting(Waiting::Settling),
            "waiting: the file must hold still",
        ),
        (
            Outcome::Waiting(Waiting::Incomplete),
            "waiting: the file is the beginning of a library",
        ),
        (
            Outcome::Missing,
            "the library is gone; what was loaded stays",
        ),
        (Outcome::Returned, "the library is back"),
        (
            Outcome::Recovered,
            "recovered, it can be looked at and read again",
        ),
        (
            Outcome::Stalled(Duration::from_millis(3900)),
            "stalled, the filesystem has not answered for 3 s; what was loaded goes on, and nothing is reloaded until it \
             answers; if it stays so, start its server or daemon",
        ),
    ];
    for (outcome, words) in cases {
        assert_eq!(outcome.to_string(), words);
    }
}

#[test]
fn what_went_live_and_what_was_kept_out_name_generation_digest_and_reason() {
    let mut world = World::new();
    let kept = world.publish("other_version");
    let Outcome::Kept(Kept {
        live: None,
        digest: Some(digest),
        error,
    }) = &kept
    else {
        panic!("not kept out: {kept:?}");
    };
    let reason = chain(error);
    assert!(
        reason.contains("it implements `Fixture version 2`"),
        "{reason}"
    );
    let words = format!(
        "kept out {}, nothing is loaded yet: {reason}",
        digest.short()
    );
    assert_eq!(kept.to_string(), words);

    let loaded = world.publish("pure");
    let Outcome::Loaded(first) = &loaded else {
        panic!("not loaded: {loaded:?}");
    };
    let (digest, latency) = (first.digest.short(), first.latency.as_millis());
    let words = format!("generation 1 ({digest}) is live, {latency} ms after the change was seen");
    assert_eq!(loaded.to_string(), words);

    let kept = world.publish("other_version");
    let said = kept.to_string();
    assert!(said.starts_with("kept generation 1, not "), "{said}");
    assert!(said.contains("it implements `Fixture version 2`"), "{said}");
}

#[test]
fn a_retired_generation_says_what_became_of_it() {
    let retired = |mapped| {
        Outcome::Retired(Retired {
            generation: 7,
            mapped,
            stop: None,
        })
    };
    assert_eq!(
        retired(None).to_string(),
        "generation 7 is retired, and unmapped: nothing can reach it any more"
    );
    assert_eq!(
        retired(Some(Mapped::Lent)).to_string(),
        "generation 7 is retired, kept mapped while a handle or a future lends it"
    );
}
