//! The logs of a host: whatever is about a build names its artifact, its digest, and its generation if it has one, in fields
//! that are called the same everywhere.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use replug::options::Expected;
use replug::watch::OsFiles;
use replug::{Digest, Options};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};
use vocabulary::{ByHand, Scratch, World, specimen};

/// The fields of one event of the log; its words are called `message`.
type Fields = BTreeMap<&'static str, String>;

/// A log that is kept.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<Fields>>>);

impl Log {
    /// The fields of the event whose words hold these.
    #[track_caller]
    fn saying(&self, words: &str) -> Fields {
        let events = self.0.lock().unwrap();
        let found = events.iter().find(|it| it["message"].contains(words));
        found
            .unwrap_or_else(|| panic!("nothing says `{words}`: {events:#?}"))
            .clone()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("replug")
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Collected(Fields::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Collected(Fields);

impl Visit for Collected {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// Checks that an event is about a build of the world's artifact with this digest, and about this generation.
#[track_caller]
fn assert_is_about(event: &Fields, world: &World, digest: Digest, generation: Option<u64>) {
    assert_eq!(event["artifact"], world.artifact.path().to_str().unwrap());
    assert_eq!(event["digest"], digest.to_string());
    let named = event.get("generation").cloned();
    assert_eq!(named, generation.map(|it| it.to_string()), "{event:?}");
}

#[test]
fn what_a_host_logs_names_artifact_digest_and_generation() {
    let log = Log::default();
    with_default(log.clone(), || {
        let mut world = World::new();
        let first = world.load("stop_panics").digest;
        let event = log.saying("a generation is live");
        assert_is_about(&event, &world, first, Some(1));
        assert!(
            event.contains_key("latency") && event.contains_key("pause"),
            "{event:?}"
        );

        world.keep_out("init_refuses");
        let refused = Digest::of(&specimen("init_refuses", 2));
        let event = log.saying("a build is kept out: cannot initialise");
        assert_is_about(&event, &world, refused, Some(1));
        assert_eq!(event["step"], "init");
        let event = log.saying("a build that was kept out is kept mapped");
        assert_is_about(&event, &world, refused, None);

        world.load("pure");
        let event = log.saying("generation 1 is retired");
        assert_is_about(&event, &world, first, Some(1));
        let event = log.saying("a retired generation did not stop");
        assert_is_about(&event, &world, first, Some(1));
    });
}

#[test]
fn what_no_generation_was_live_for_names_none() {
    let log = Log::default();
    with_default(log.clone(), || {
        let mut world = World::new();
        world.keep_out("other_version");
        let event = log.saying("a build is kept out: cannot shake hands");
        assert_is_about(
            &event,
            &world,
            Digest::of(&specimen("other_version", 1)),
            None,
        );
    });
}

#[test]
fn what_the_worker_logs_of_an_artifact_names_it() {
    let log = Log::default();
    with_default(log.clone(), || {
        let scratch = Scratch::new();
        let artifact = scratch.artifact();
        let whole = specimen("pure", 1);
        let half = &whole[..whole.len() / 2];
        artifact.link(half);
        let options = Options::new(artifact.path()).expected(Expected::of::<fixtures::Fixture>());
        let mut watch = ByHand::with(&scratch, options, OsFiles);
        watch.poll_until_settled();
        let path = artifact.path().to_str().unwrap();
        for words in ["surveyed", "not complete yet"] {
            assert_eq!(log.saying(words)["artifact"], path);
        }
        let event = log.saying("not complete yet");
        assert_eq!(event["digest"], Digest::of(half).to_string());
    });
}
