//! A private copy of a library, and its digest.

use std::any::Any;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use replug::Options;
use replug::watch::Poller;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::library::Library;
use crate::row::{Column, Figures, Row, Target};
use crate::seen::{ms, numbers};
use crate::trial;
use crate::watched::{Watched, Way};

/// The size of the library, in bytes.
const SIZE: usize = 4 << 20;

/// How many are staged in a trial.
const TIMES: u64 = 20;

/// See above.
pub struct Staging;

impl Row for Staging {
    fn name(&self) -> &'static str {
        "staging"
    }

    fn title(&self) -> &'static str {
        "stage and digest 4 MiB"
    }

    fn tools(&self) -> &'static [&'static str] {
        &["limit", "replug", "copy, then hash"]
    }

    fn columns(&self) -> &'static [Column] {
        &[Column {
            figure: "ms",
            title: "ms, the fastest of 20",
            target: Target::TimesLimit(1.05),
        }]
    }

    fn rounds(&self) -> usize {
        10
    }

    fn measure(&self, tool: &str) -> Figures {
        let mut figures = Figures::default();
        let ended = trial::run(self.name(), tool, &[], Duration::from_secs(60));
        if let Some(seen) = ended.or_crashed(&mut figures) {
            // The fastest: what else the machine does, the disk above all, only makes it slower.
            let fastest = numbers(&seen, "ms").into_iter().reduce(f64::min);
            fastest.into_iter().for_each(|ms| figures.take("ms", ms));
        }
        figures
    }

    fn trial(&self, tool: &str, _: &[String]) -> Value {
        let watched = Watched::new();
        let mut stage = match tool {
            "limit" => by(&watched, copy_and_digest),
            "copy, then hash" => by(&watched, copy_then_digest),
            _ => poll(&watched),
        };
        let library = Library::declared();
        let mut took = Vec::new();
        for number in 1..=TIMES {
            let mut bytes = library.numbered(number);
            bytes.resize(SIZE, 0);
            watched.put(&bytes, Way::Rename);
            let begun = Instant::now();
            let staged = stage();
            took.push(ms(begun.elapsed()));
            // Removing it is not a part of it.
            drop(staged);
        }
        json!({ "ms": took })
    }
}

/// Stages what is there now. What it returns has the copy.
type Stage = Box<dyn FnMut() -> Box<dyn Any>>;

/// Stages into one directory, a new name each time.
fn by(watched: &Watched, stage: fn(&Path, &Path) -> [u8; 32]) -> Stage {
    let (library, directory) = (watched.library(), watched.directory().to_owned());
    let mut serial = 0;
    Box::new(move || {
        serial += 1;
        let copy = directory.join(format!("{serial}.so"));
        Box::new(stage(&library, &copy))
    })
}

/// The limit: one pass.
fn copy_and_digest(from: &Path, to: &Path) -> [u8; 32] {
    let mut from = File::open(from).expect("it is there");
    let mut to = File::create_new(to).expect("the name is new");
    let mut buffer = vec![0; 64 << 10];
    let mut digest = Sha256::new();
    loop {
        let read = from.read(&mut buffer).expect("it can be read");
        if read == 0 {
            return digest.finalize().into();
        }
        digest.update(&buffer[..read]);
        to.write_all(&buffer[..read])
            .expect("there is room on the disk");
    }
}

/// The way of whoever has a copy already.
fn copy_then_digest(from: &Path, to: &Path) -> [u8; 32] {
    fs::copy(from, to).expect("there is room on the disk");
    let bytes = fs::read(to).expect("it can be read");
    Sha256::digest(bytes).into()
}

/// replug: the poll that finds the library, which looks, stages, digests and vets.
fn poll(watched: &Watched) -> Stage {
    let mut poller = Poller::new(Options::new(watched.library())).expect("it can be watched");
    // That there is nothing yet.
    poller.poll(Instant::now());
    poller.updates().try_iter().for_each(drop);
    Box::new(move || {
        poller.poll(Instant::now());
        let update = poller.updates().try_recv();
        Box::new(update.expect("a poll finds what was renamed into place"))
    })
}
