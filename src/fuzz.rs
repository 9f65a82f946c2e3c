//! Doors for a fuzzer: one takes any bytes as a staged copy, the other takes any bytes as the handshake of a copy.
//! The doors end well, read no more than they may, and let no other declaration pass, or they panic.
//!
//! Not in a normal build. The package in `fuzz/` drives them, and a test runs its seeds through them.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use object::read::{FileKind, ReadCache};

use crate::error::chain;
use crate::handshake::{Declared, ENTRY, Expected, Lines, Mismatch};
use crate::stage::reading::HEAD;
use crate::stage::vet::{self, Refusal, Vetted};
use replug_plugin::Interface;

/// How often all of a file may be read: more often than a file has tables, and once more if it seems incomplete.
const PASSES: u64 = 8;

/// The length, in bytes, that a shorter file counts as: the same header is read several times.
const SHORT: u64 = 4096;

replug_plugin::shared! {
    /// A struct that each seed declares.
    struct World {
        frames: u64,
        mean: f64,
    }
}

replug_plugin::interface! {
    /// The interface that each seed is compared with.
    interface Seed, plugin trait Grow, version 1 {
        fn add(one: u64, other: u64) -> u64;
        fn greet(name: &str, greeting: replug_plugin::Sink<'_>);
        fn step(world: &mut World);
    }
}

/// Vets `bytes` as a staged copy, as each system would, and compares the handshake that the copy carries.
///
/// # Panics
///
/// If more of the copy is read than is allowed.
pub fn vet(bytes: &[u8]) {
    let data = [ENTRY.to_owned()];
    let wanted = vet::Wanted {
        functions: &[],
        data: &data,
        or_declared: false,
    };
    let mut staged = Counted::new(bytes);
    let verdict = vet::vet(&mut staged, wanted);
    // What the head of a large file is refused for, the whole file would be.
    if let Err(early) = vet::judge_head(&bytes[..bytes.len().min(HEAD)]) {
        let late = verdict.as_ref().err().map(Refusal::is_incomplete);
        assert_eq!(late, Some(early.is_incomplete()), "{}", chain(&early));
    }
    follow(verdict);
    staged.assert_bounded();

    if let Ok(FileKind::MachO32 | FileKind::MachO64 | FileKind::Pe32 | FileKind::Pe64) =
        FileKind::parse(bytes)
    {
        let mut staged = Counted::new(bytes);
        follow(vet::image::vet_image(&ReadCache::new(&mut staged), wanted));
        staged.assert_bounded();
    }
    if let Ok(FileKind::MachO64 | FileKind::MachOFat32 | FileKind::MachOFat64) =
        FileKind::parse(bytes)
    {
        let mut staged = Counted::new(bytes);
        follow(vet::vet_macho(&mut staged, wanted));
        staged.assert_bounded();
    }
}

/// Compares `carried` with a declaration.
///
/// # Panics
///
/// If `carried` passes without the host's own lines.
pub fn handshake(carried: &[u8]) {
    let _ = Declared::read(Some(carried), &Lines::default()).map_err(|it| drop(chain(&it)));
    let expected = Expected::of::<Seed>();
    let verdict = told(expected.check_text(Some(carried)));
    let or_more = told(expected.or_more().check_text(Some(carried)));
    assert!(or_more.is_ok() || verdict.is_err(), "fewer pass with more");
    if or_more.is_ok() {
        let carried = str::from_utf8(carried).expect("only text passes");
        let needed = Seed::DECLARATION.lines();
        for line in needed.filter(|line| !line.starts_with("type ")) {
            assert!(carried.lines().any(|it| it == line), "no `{line}`");
        }
    }
}

/// Goes on after vet: compares the handshake of a good copy, or makes the message of a refusal.
fn follow(verdict: Result<Vetted, Refusal>) {
    match verdict {
        Ok(vetted) => {
            let _ = told(Expected::of::<Seed>().check(vetted.handshake.as_deref(), &vetted.lines));
        }
        Err(refusal) => drop(chain(&refusal)),
    }
}

/// Makes the message of a mismatch, as a host would, and passes the verdict on.
fn told(verdict: Result<(), Mismatch>) -> Result<(), Mismatch> {
    verdict.inspect_err(|mismatch| drop(chain(mismatch)))
}

/// Some bytes, with a count of the bytes that are read.
struct Counted<'a> {
    bytes: Cursor<&'a [u8]>,
    read: u64,
}

impl<'a> Counted<'a> {
    fn new(bytes: &'a [u8]) -> Counted<'a> {
        Counted {
            bytes: Cursor::new(bytes),
            read: 0,
        }
    }

    fn assert_bounded(&self) {
        let len = self.bytes.get_ref().len() as u64;
        let most = PASSES * len.max(SHORT);
        assert!(self.read <= most, "{} bytes of {len}", self.read);
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buf)?;
        self.read += read as u64;
        Ok(read)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The handshake that passes here: layouts follow from how wide a pointer is, and how an `u64` is aligned.
    const GOOD: &str = match size_of::<usize>() + align_of::<u64>() {
        16 => "good",
        8 => "good-x86",
        _ => "no seed is for such a processor",
    };

    /// The seeds of a target, by name.
    fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        let found = fs::read_dir(directory.join(target)).unwrap();
        let found = found.map(|it| it.unwrap().path()).map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        });
        let found: Vec<_> = found.collect();
        assert!(!found.is_empty(), "no seeds of {target}");
        found
    }

    #[test]
    fn each_seed_of_the_fuzzers_ends_well_at_both_doors() {
        for (name, bytes) in [seeds("vet"), seeds("handshake")].concat() {
            println!("{name}, {} bytes", bytes.len());
            vet(&bytes);
            handshake(&bytes);
        }
    }

    #[test]
    fn the_seeds_that_are_good_get_to_the_end() {
        println!("{}", Seed::DECLARATION);
        for (name, carried) in seeds("handshake") {
            if name == GOOD {
                let verdict = Expected::of::<Seed>().check_text(Some(&carried));
                assert_eq!(verdict, Ok(()), "{name}: its lines are changed by hand");
            }
        }
        for (name, bytes) in seeds("vet") {
            let data = [ENTRY.to_owned()];
            let wanted = vet::Wanted {
                functions: &[],
                data: &data,
                or_declared: false,
            };
            let staged = Counted::new(&bytes);
            let verdict = match name.split_once('.') {
                _ if !cfg!(target_arch = "x86_64") => continue,
                Some(("good", "so")) if cfg!(target_os = "linux") => vet::vet(staged, wanted),
                Some(("good", "dll" | "dylib")) => {
                    vet::image::vet_image(&ReadCache::new(staged), wanted)
                }
                _ => continue,
            };
            let carried = verdict.expect(&name).handshake;
            let verdict = Expected::of::<Seed>().check_text(carried.as_deref());
            assert_eq!(verdict, Ok(()), "{name}: `fuzz/relink` links it anew");
        }
    }
}
