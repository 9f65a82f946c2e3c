//! A look at one library: what its file says of itself, and what would become of it at a host. For programs that show
//! libraries, and for those that publish them.
//!
//! The steps are the host's own: trust, vet, handshake, and the search for libraries that are brought along. Nothing of the file
//! runs and nothing is mapped. The file may be anybody's: as much is read of it as vet reads, and the texts in here that come
//! out of it are to be [`shown`](crate::shown::shown).
//!
//! # Examples
//!
//! ```no_run
//! use replug::{Options, inspect::inspect};
//!
//! let seen = inspect(&Options::new("target/debug/libgame.so"))?;
//! println!("{} bytes, for {:?}", seen.size, seen.machine);
//! if let Err(error) = &seen.verdict {
//!     println!("{}", replug::chain(error));
//! }
//! # Ok::<(), replug::Error>(())
//! ```

mod needs;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use replug_plugin::shown::spelled_bytes;

use self::needs::Needs;
use crate::boundary::{self, Mapped};
use crate::error::Error;
use crate::handshake::Mismatch;
use crate::look::digest::{Digest, Digester};
use crate::look::files::Files;
use crate::look::machine::OsFiles;
use crate::look::os;
use crate::look::snapshot::Kind;
use crate::look::text;
use crate::options::Options;
use crate::stage::reading::HEAD;
use crate::stage::vet::facts::{Facts, facts};
use crate::stage::vet::{self, Vetted, Wanted};
use crate::warning::Warning;
use crate::watch::followed::flaws;
use crate::watch::trusting::Judged;

pub use self::needs::{Found, Needed};
pub use crate::handshake::{Declared, Level};
pub use crate::stage::vet::facts::{Exported, ThreadLocals};

/// How much of a file is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// The things that are known of a library without running it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The path that was looked at.
    pub path: PathBuf,
    /// The file's length, in bytes.
    pub size: u64,
    /// The digest of the file's bytes; `None` of a large file that is no library by its beginning, which is not read on.
    pub digest: Option<Digest>,
    /// The file's format, as `64-bit ELF`; `None` of what is none.
    pub format: Option<&'static str>,
    /// The processor that it is for, by Rust's name.
    pub machine: Option<&'static str>,
    /// The name by which other libraries need it.
    pub soname: Option<String>,
    /// The declaration that it was built from; `None` if it carries none, and the reason if no host of this version could
    /// call it.
    pub declared: Option<Result<Declared, Mismatch>>,
    /// The symbols that it exports by name, some ten thousand at most.
    pub exports: Vec<Exported>,
    /// How many symbols it exports.
    pub exported: usize,
    /// The directories in which the loader looks for what it needs, with a colon between them, and the name of the entry
    /// that says so: `RPATH` or `RUNPATH`. `None` if it says none.
    pub search: Option<(&'static str, String)>,
    /// The libraries that it needs, each with those that it brings along behind it.
    pub needed: Vec<Needed>,
    /// How its thread-locals are reached.
    pub thread_locals: ThreadLocals,
    /// Why its images would stay mapped at a host that unmaps what it can; `None` if nothing in the file speaks for that.
    pub mapped: Option<Mapped>,
    /// What a person should know of it although a host would load it.
    pub warnings: Vec<Warning>,
    /// Whether a host would load it, and if not, why it would be kept out.
    pub verdict: Result<(), Error>,
}

/// Looks at the library that these options are about: at its path, and as a host with these options would.
///
/// # Errors
///
/// If there is no regular file, it cannot be read, or it is larger than the options allow. Whatever is wrong with its content
/// is in the [verdict](Inspection::verdict).
pub fn inspect(options: &Options) -> Result<Inspection, Error> {
    let path = &options.path;
    let look = |source| Error::Look {
        path: path.clone(),
        source,
    };
    let kind = OsFiles.look(path).map_err(look)?.kind;
    // What is no file is not opened: a FIFO would be, and then be waited for.
    if kind != Kind::File {
        let path = path.clone();
        return Err(Error::NotAFile { path, kind });
    }
    let file = OsFiles.open(path).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })?;
    inspect_artifact(file, options)
}

/// Looks at an open file as at the library that these options are about: for a copy that is to come to their path.
///
/// # Errors
///
/// As of [`inspect`].
pub fn inspect_open(file: File, options: &Options) -> Result<Inspection, Error> {
    inspect_artifact(os::opened(file), options)
}

fn inspect_artifact(mut file: os::Artifact, options: &Options) -> Result<Inspection, Error> {
    let path = &options.path;
    let unread = |source| Error::Read {
        path: path.clone(),
        source,
    };
    let before = OsFiles.look_open(&file).map_err(unread)?;
    let (size, limit) = (before.size, options.max_size);
    if size > limit {
        let path = path.clone();
        return Err(Error::TooLarge { path, size, limit });
    }
    let judged = Judged::of(&OsFiles, &file, path, options.trust).map_err(unread)?;
    let mut head = Vec::new();
    let beginning = (&mut file).take(HEAD as u64).read_to_end(&mut head);
    beginning.map_err(unread)?;
    let is_worth_it = head.len() < HEAD || vet::judge_head(&head).is_ok();
    file.rewind().map_err(unread)?;
    let digest = is_worth_it.then(|| digest(&mut file)).transpose();
    let digest = digest.map_err(unread)?;
    file.rewind().map_err(unread)?;
    let facts = facts(&mut file);
    file.rewind().map_err(unread)?;
    let vetted = vet(&mut file, options);
    if OsFiles.look_open(&file).map_err(unread)? != before {
        return Err(unread(io::Error::other("it changed while it was read")));
    }
    let library = std::path::absolute(path).map_err(unread)?;
    Ok(assemble(Parts {
        path: library,
        size: before.size,
        digest,
        facts,
        vetted,
        judged,
        options,
    }))
}

/// The steps' results, to be put together.
struct Parts<'a> {
    path: PathBuf,
    size: u64,
    digest: Option<Digest>,
    facts: Facts,
    vetted: Result<Vetted, Error>,
    judged: Judged,
    options: &'a Options,
}

fn assemble(parts: Parts<'_>) -> Inspection {
    let Parts {
        path: library,
        size,
        digest,
        facts,
        vetted,
        judged,
        options,
    } = parts;
    let path = &options.path;
    let mut warnings = Vec::new();
    let vetted = refuse_distrusted(judged, path, &mut warnings).and(vetted);
    let declared = vetted.as_ref().ok().and_then(|vetted| {
        let carried = vetted.handshake.as_deref()?;
        Some(Declared::read(Some(carried), &vetted.lines))
    });
    let tables = facts.tables;
    let linkage = tables.as_ref().map(|it| &it.linkage);
    let mut needs = linkage.map_or_else(Needs::default, |it| Needs::of(&library, it, options));
    if let Ok(vetted) = &vetted {
        let flaws = flaws(vetted).into_iter().filter(|(holds, _)| *holds);
        warnings.extend(flaws.map(|(_, warning)| warning));
        warnings.extend(needs.warnings.iter().cloned());
        warnings.extend(of_unique(vetted, options));
    }
    let mapped = mapped(
        declared.as_ref(),
        tables.as_ref().and_then(|it| it.kept.clone()),
    );
    let verdict = vetted.and_then(|vetted| {
        shake_hands(&vetted, declared.as_ref(), options)?;
        admit(path, digest, options)?;
        match needs.refused(path) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    });
    Inspection {
        path: path.clone(),
        size,
        digest,
        format: facts.format,
        machine: facts.machine,
        soname: linkage
            .and_then(|it| it.soname.as_ref())
            .map(|it| spelled_bytes(it.to_bytes()).into_owned()),
        search: linkage.filter(|it| !it.search.is_empty()).map(|it| {
            let entry = if it.hands_search_on {
                "RPATH"
            } else {
                "RUNPATH"
            };
            (entry, it.search.clone())
        }),
        needed: needs.needed,
        thread_locals: tables
            .as_ref()
            .map_or(ThreadLocals::Absent, |it| it.thread_locals),
        exported: tables.as_ref().map_or(0, |it| it.exported),
        exports: tables.map_or_else(Vec::new, |it| it.exports),
        declared,
        mapped,
        warnings,
        verdict,
    }
}

/// Vets a file for this process, as a host does with a copy.
fn vet(file: &mut os::Artifact, options: &Options) -> Result<Vetted, Error> {
    let wanted = Wanted {
        functions: &options.exports,
        data: &options.exports_data,
        or_declared: options.or_declared,
    };
    let vetted = vet::vet(file, wanted);
    let vetted = vetted.and_then(|it| it.check_process(boundary::process_has).map(|()| it));
    vetted.map_err(|source| Error::Vet {
        path: options.path.clone(),
        source,
    })
}

/// Compares with the host's declaration, if there is one. Without one, a declaration must be such that a host could call the
/// library which has the same.
fn shake_hands(
    vetted: &Vetted,
    declared: Option<&Result<Declared, Mismatch>>,
    options: &Options,
) -> Result<(), Error> {
    let carried = vetted.handshake.as_deref();
    let compared = match (options.expected, declared) {
        (Some(expected), _) => expected.check(carried, &vetted.lines),
        (None, Some(Err(mismatch))) => Err(mismatch.clone()),
        (None, _) => Ok(()),
    };
    compared.map_err(|source| Error::Handshake {
        path: options.path.clone(),
        source,
    })
}

/// Asks the checks of a person, as a host does.
fn admit(path: &Path, digest: Option<Digest>, options: &Options) -> Result<(), Error> {
    // What was not read to its end does not come this far.
    let Some(digest) = digest else {
        return Ok(());
    };
    let texts = |path: &Path| text::read(&OsFiles, path);
    let asked = options.checks.ask(path, digest, &texts);
    asked.map(drop).map_err(|source| {
        let path = path.to_owned();
        Error::Admission { path, source }
    })
}

fn refuse_distrusted(
    judged: Judged,
    path: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let is_refused = judged.is_refused();
    match judged.into_distrust() {
        Some(source) if is_refused => {
            let path = path.to_owned();
            return Err(Error::Trust { path, source });
        }
        Some(distrust) => warnings.push(Warning::Trust(distrust)),
        None => {}
    }
    Ok(())
}

/// The warning of C++ objects of which a process has one each.
fn of_unique(vetted: &Vetted, options: &Options) -> Option<Warning> {
    let asks = boundary::JOINS_UNIQUE && !options.allow_unique;
    let mut unique = vetted.linkage.unique.iter();
    let found = unique.find(|it| it.constant.is_none() && !boundary::process_has(&it.name));
    let name = &found.filter(|_| asks)?.name;
    Some(Warning::Unique(spelled_bytes(name.to_bytes()).into_owned()))
}

/// Why images would stay mapped, by the declaration first.
fn mapped(declared: Option<&Result<Declared, Mismatch>>, kept: Option<Mapped>) -> Option<Mapped> {
    match declared {
        Some(Ok(declared)) if declared.level() == Level::OrdinaryRust => Some(Mapped::Ordinary),
        Some(Ok(declared)) if boundary::unmaps() && declared.made_with().is_some() => kept,
        _ => Some(Mapped::Forever(
            "it was not built with `export!` for this system",
        )),
    }
}

/// The digest of a whole file.
fn digest(file: &mut os::Artifact) -> io::Result<Digest> {
    let (mut digester, mut chunk) = (Digester::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(digester.finish()),
            Ok(read) => digester.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
