//! Records what a poller can see of a cargo build: `cargo run --example timeline -- target/debug 10`
//!
//! ```text
//! timeline DIR [SECONDS] [STEM]     without SECONDS it stops when stdin ends; STEM is `plugin01` unless given
//! ```
//!
//! The recorder looks at cargo's three locks and at the two names of the library in `DIR`, as often as it reasonably
//! can, and prints a line whenever one of them differs from the look before. A `|` means "as in the line above", so
//! that a state that lasts reads as a bar. A file is shown as
//!
//! ```text
//! B x2 4402160 whole, 16 ms old     letter, number of links, bytes, completeness, age of its modification time
//! ```
//!
//! where a letter stands for one inode number with one birth time: two names with one letter are one file.
//! `docs/ffi.md` has recordings and explains them.
//!
//! This is a microscope, not a model. To learn who else holds a lock it takes the lock itself for some microseconds,
//! shared and then exclusive. A cargo that asks in such a moment says "Blocking waiting for file lock" and waits.
//! replug itself asks only for shared locks, and only while something is suspect.

use std::convert::Infallible;
use std::fmt::{self, Write as _};
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};
use std::{env, process, thread};

/// Cargo's locks, in the directory of the profile, as far as their names differ.
const LOCKS: [&str; 3] = ["lock", "artifact-lock", "build-lock"];

/// Time between two looks, on top of which the timer adds about as much (50 µs on Linux). Without a pause the recorder
/// held each lock 8 % of the time, and one build in ten said that it was blocked; so it is 0.5 %, and one in 240.
const PAUSE: Duration = Duration::from_micros(50);

/// The narrowest column that keeps `B x2 4402160 whole, 9999 ms old` in line.
const FILE_WIDTH: usize = 32;

fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let dir = args.next().unwrap_or_else(|| usage());
    let seconds = args
        .next()
        .map(|text| text.parse().unwrap_or_else(|_| usage()));
    let stem = args.next().unwrap_or_else(|| "plugin01".to_owned());

    let (hold, end) = mpsc::channel();
    let deadline = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let _hold = match deadline {
        Some(_) => Some(hold), // never hung up, so that only the clock ends the recording
        None => hang_up_with_stdin(hold).map(|()| None)?,
    };
    record(
        &columns(Path::new(&dir), &stem),
        &end,
        deadline,
        &mut io::stdout().lock(),
    )
}

fn usage() -> ! {
    eprintln!("usage: timeline DIR [SECONDS] [STEM]");
    process::exit(2);
}

/// Drops `hold` when stdin ends.
fn hang_up_with_stdin(hold: mpsc::Sender<Infallible>) -> io::Result<()> {
    let wait = move || {
        let _hold = hold;
        io::copy(&mut io::stdin().lock(), &mut io::sink())
    };
    thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(wait)
        .map(drop)
}

/// Looks until `deadline` or until `end` is hung up, and prints what changed.
fn record(
    columns: &[Column],
    end: &Receiver<Infallible>,
    deadline: Option<Instant>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(
        out,
        "{}",
        line("t ms", columns, |_, column| column.heading.clone())
    )?;
    let start = Instant::now();
    let mut letters = Letters::default();
    let mut before: Vec<Seen> = Vec::new();
    let (mut last, mut looks, mut longest) = (start, 0_u32, Duration::ZERO);
    loop {
        let now = Instant::now();
        let look: Vec<Seen> = columns.iter().map(Column::look).collect();
        if look != before {
            let t = format!("{:.1}", ms(now - start));
            let text = line(&t, columns, |i, column| match before.get(i) {
                Some(seen) if *seen == look[i] => "|".to_owned(),
                _ => look[i].describe(&column.path, &mut letters),
            });
            writeln!(out, "{text}")?;
            before = look;
        }
        longest = longest.max(now - last);
        last = now;
        looks += 1;
        if deadline.is_some_and(|deadline| now >= deadline) || hung_up(end) {
            break;
        }
    }
    let mean = (last - start) / looks;
    writeln!(
        out,
        "{looks} looks, {:.2} ms apart on average, {:.1} ms at most",
        ms(mean),
        ms(longest)
    )
}

/// Waits for [`PAUSE`] and tells whether the recording is to end.
fn hung_up(end: &Receiver<Infallible>) -> bool {
    matches!(end.recv_timeout(PAUSE), Err(RecvTimeoutError::Disconnected))
}

/// The columns of the recording, from left to right: the locks, the linker's name of the library, cargo's name of it.
fn columns(dir: &Path, stem: &str) -> Vec<Column> {
    let library = format!(
        "{}{stem}{}",
        env::consts::DLL_PREFIX,
        env::consts::DLL_SUFFIX
    );
    let locks = LOCKS.map(|lock| Column {
        heading: lock.to_owned(),
        path: dir.join(format!(".cargo-{lock}")),
        width: lock.len().max("EXCLUSIVE".len()),
        look: holder,
    });
    let files = [format!("deps/{library}"), library].map(|name| Column {
        path: dir.join(&name),
        heading: name,
        width: FILE_WIDTH,
        look: snapshot,
    });
    locks.into_iter().chain(files).collect()
}

struct Column {
    heading: String,
    path: PathBuf,
    width: usize,
    look: fn(&Path) -> io::Result<Seen>,
}

impl Column {
    fn look(&self) -> Seen {
        (self.look)(&self.path).unwrap_or_else(|error| Seen::Not(error.kind()))
    }
}

/// One line of the recording.
fn line(t: &str, columns: &[Column], mut cell: impl FnMut(usize, &Column) -> String) -> String {
    let mut line = format!("{t:>8}");
    for (i, column) in columns.iter().enumerate() {
        let (cell, width) = (cell(i, column), column.width);
        write!(line, "  {cell:width$}").expect("a String takes any text");
    }
    line.truncate(line.trim_end().len());
    line
}

/// The result of one look at one name.
#[derive(PartialEq)]
enum Seen {
    /// A lock nobody else holds.
    Free,
    /// A lock that others hold and would share.
    Shared,
    /// A lock that another holds alone.
    Exclusive,
    File(Snapshot),
    Not(ErrorKind),
}

impl Seen {
    fn describe(&self, path: &Path, letters: &mut Letters) -> String {
        match self {
            Self::Free => "free".to_owned(),
            Self::Shared => "shared".to_owned(),
            Self::Exclusive => "EXCLUSIVE".to_owned(),
            Self::File(snapshot) => {
                let letter = letters.of(snapshot);
                let shape = shape(path).unwrap_or("unreadable");
                format!(
                    "{letter} {snapshot} {shape}, {} old",
                    Age(snapshot.modified)
                )
            }
            Self::Not(ErrorKind::NotFound) => "absent".to_owned(),
            Self::Not(kind) => kind.to_string(),
        }
    }
}

/// Asks for the lock twice and gives it back by closing the file. Never creates the file.
fn holder(path: &Path) -> io::Result<Seen> {
    let file = File::open(path)?;
    if refused(file.try_lock_shared())? {
        return Ok(Seen::Exclusive);
    }
    Ok(if refused(file.try_lock())? {
        Seen::Shared
    } else {
        Seen::Free
    })
}

fn refused(answer: Result<(), TryLockError>) -> io::Result<bool> {
    match answer {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn snapshot(path: &Path) -> io::Result<Seen> {
    fs::symlink_metadata(path).map(|metadata| Seen::File(Snapshot::from(&metadata)))
}

/// The part of a file's metadata that tells builds apart.
#[derive(PartialEq)]
struct Snapshot {
    inode: u64,
    born: Option<SystemTime>,
    links: u64,
    size: u64,
    modified: Option<SystemTime>,
}

impl From<&Metadata> for Snapshot {
    fn from(metadata: &Metadata) -> Self {
        let (inode, links) = inode_and_links(metadata);
        Self {
            inode,
            born: metadata.created().ok(),
            links,
            size: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{} {:>7}", self.links, self.size)
    }
}

#[cfg(unix)]
fn inode_and_links(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.ino(), metadata.nlink())
}

/// On other systems std tells neither, and only the birth time tells files apart.
#[cfg(not(unix))]
fn inode_and_links(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Gives each file a letter, in the order of first sight.
#[derive(Default)]
struct Letters(Vec<(u64, Option<SystemTime>)>);

impl Letters {
    fn of(&mut self, snapshot: &Snapshot) -> char {
        let file = (snapshot.inode, snapshot.born);
        let known = self.0.iter().position(|&other| other == file);
        let index = known.unwrap_or_else(|| {
            self.0.push(file);
            self.0.len() - 1
        });
        ('A'..='Z').nth(index).unwrap_or('?')
    }
}

/// The age of something, in a unit that fits.
struct Age(Option<SystemTime>);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.and_then(|time| time.elapsed().ok()) {
            Some(age) if age < Duration::from_secs(10) => write!(f, "{:.0} ms", ms(age)),
            Some(age) => write!(f, "{} s", age.as_secs()),
            None => f.write_str("?"),
        }
    }
}

/// Whether a 64-bit little-endian ELF file reaches to the end of its section table, which linkers put last.
fn shape(path: &Path) -> io::Result<&'static str> {
    let mut file = File::open(path)?;
    let mut header = [0; 64];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok("cut"),
        read => read?,
    }
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok("no ELF");
    }
    let number = |at: usize, len: usize| {
        let bytes = header[at..at + len].iter().rev();
        bytes.fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
    };
    let (table, entry, entries) = (number(0x28, 8), number(0x3A, 2), number(0x3C, 2));
    let whole = table > 0 && table.saturating_add(entry * entries) <= file.metadata()?.len();
    Ok(if whole { "whole" } else { "cut" })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
