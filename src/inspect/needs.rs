//! The libraries that a library needs, and where the loader would find each, by the rules of glibc's. Hosts themselves look
//! only for what is brought along; the rest is for people who ask.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use replug_plugin::shown::spelled;

use crate::boundary::{self, LoadFailure};
use crate::error::Error;
use crate::look::files::Files;
use crate::look::machine::OsFiles;
use crate::look::os;
use crate::look::snapshot::Kind;
use crate::options::Options;
use crate::stage::cache::{CACHE, LONGEST_CACHE, places};
use crate::stage::siblings::{Candidate, candidates, directories};
use crate::stage::vet::linkage::Linkage;
use crate::stage::vet::{self, Refusal, Wanted};
use crate::warning::Warning;
use crate::watch::followed::flaws;
use crate::watch::gathering::MOST;

/// How much of a file of the system's is read to see whether it is for this machine, in bytes.
const HEAD: u64 = 4096;

/// Where glibc's loader looks at last, by its usual configurations.
const LAST: [&str; 4] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// A library that another one needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needed {
    /// The name by which it is needed.
    pub name: String,
    /// The name of the library that needs it, if that is one which is brought along.
    pub by: Option<String>,
    /// Where the loader would find it.
    pub found: Found,
}

/// Where a library would be found that another one needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// This process has it already, as any program in Rust has the libraries of C.
    InProcess,
    /// In a place that the library itself names: a host stages it with the library, as one unit.
    Beside(PathBuf),
    /// In a place of the system's, or where the library's path or `LD_LIBRARY_PATH` leads.
    System(PathBuf),
    /// Nowhere.
    Nowhere,
    /// Where this system's loader looks is not known.
    Unknown,
}

/// The libraries that a library needs, and what follows for it.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) needed: Vec<Needed>,
    pub(super) warnings: Vec<Warning>,
    /// The first reason for which a host keeps the library out.
    refused: Option<Error>,
}

impl Needs {
    /// Looks for all that a library at this absolute path needs, and for what those need that it brings along.
    pub(super) fn of(library: &Path, linkage: &Linkage, options: &Options) -> Needs {
        let mut search = Looking {
            options,
            met: BTreeSet::new(),
            cache: None,
            needs: Needs::default(),
            brought: 0,
        };
        search.bring(library, None, linkage, &[]);
        search.needs
    }

    /// Why a host, or the loader, keeps the library at this path out for what it needs.
    pub(super) fn refused(&mut self, path: &Path) -> Option<Error> {
        let mut needed = self.needed.iter();
        let missing = needed.find(|it| it.found == Found::Nowhere);
        self.refused.take().or_else(|| {
            Some(Error::Load {
                path: path.to_owned(),
                source: LoadFailure::Needs(missing?.name.clone()),
            })
        })
    }
}

/// A search that is going on.
struct Looking<'a> {
    options: &'a Options,
    /// The names that were met.
    met: BTreeSet<String>,
    /// The loader's cache, once it was asked for.
    cache: Option<Vec<u8>>,
    needs: Needs,
    brought: usize,
}

impl Looking<'_> {
    /// Looks for what one library needs, in its own directories and in those that were `handed_on` to it.
    fn bring(
        &mut self,
        library: &Path,
        by: Option<&str>,
        linkage: &Linkage,
        handed_on: &[Candidate],
    ) {
        let own = directories(library, linkage);
        // A library with a `DT_RUNPATH` looks nowhere else.
        let handed_on = if linkage.hands_search_on {
            handed_on
        } else {
            &[]
        };
        let all = [&own[..], handed_on].concat();
        let next = if linkage.hands_search_on {
            &all[..]
        } else {
            &[]
        };
        for name in &linkage.needed {
            if !self.met.insert(name.clone()) {
                continue;
            }
            let at = self.needs.needed.len();
            self.needs.needed.push(Needed {
                name: name.clone(),
                by: by.map(str::to_owned),
                found: Found::Unknown,
            });
            let found = self.find(library, name, candidates(name, &all), linkage, next);
            self.needs.needed[at].found = found;
        }
    }

    fn find(
        &mut self,
        library: &Path,
        name: &str,
        places: Vec<Candidate>,
        linkage: &Linkage,
        handed_on: &[Candidate],
    ) -> Found {
        if !boundary::KNOWS_BY_SONAME {
            return Found::Unknown;
        }
        let mut there = places.into_iter();
        let there = there.find_map(|place| Some((OsFiles.look(&place.path).ok()?.kind, place)));
        if boundary::has_itself(name) {
            return Found::InProcess;
        }
        let Some((kind, place)) = there else {
            return self.in_system(name, linkage);
        };
        let path = place.path.clone();
        if let Err(error) = self.bring_one(library, name, place, kind, handed_on) {
            self.needs.refused.get_or_insert(error);
        }
        Found::Beside(path)
    }

    /// Judges a library that is brought along, and goes on with what it needs.
    fn bring_one(
        &mut self,
        library: &Path,
        name: &str,
        place: Candidate,
        kind: Kind,
        handed_on: &[Candidate],
    ) -> Result<(), Error> {
        let Candidate { path, is_relative } = place;
        if kind != Kind::File {
            return Err(Error::NotAFile { path, kind });
        }
        let refused = |path: &Path, source| Error::Vet {
            path: path.to_owned(),
            source,
        };
        self.brought += 1;
        if self.brought > MOST {
            return Err(refused(&path, Refusal::TooMany(MOST)));
        }
        let unread = |source| Error::Read {
            path: path.clone(),
            source,
        };
        let mut file = OsFiles.open(&path).map_err(unread)?;
        let (size, limit) = (
            OsFiles.look_open(&file).map_err(unread)?.size,
            self.options.max_size,
        );
        if size > limit {
            return Err(Error::TooLarge { path, size, limit });
        }
        let vetted = vet::vet(&mut file, Wanted::default());
        let vetted = vetted.and_then(|it| it.check_process(boundary::process_has).map(|()| it));
        let vetted = vetted.map_err(|source| refused(&path, source))?;
        let flaws = flaws(&vetted).into_iter().filter(|(holds, _)| *holds);
        self.needs
            .warnings
            .extend(flaws.map(|(_, warning)| Warning::Beside {
                library: name.to_owned(),
                warning: Box::new(warning),
            }));
        let soname = vetted.linkage.soname.as_ref();
        if soname.is_none_or(|it| it.as_bytes() != name.as_bytes()) {
            if is_relative {
                return Err(refused(library, Refusal::Soname(name.to_owned())));
            }
            self.needs.warnings.push(Warning::Unstaged(name.to_owned()));
            return Ok(());
        }
        self.bring(&path, Some(name), &vetted.linkage, handed_on);
        Ok(())
    }

    /// Looks where the loader does, beside what is brought along.
    fn in_system(&mut self, name: &str, linkage: &Linkage) -> Found {
        if name.contains('/') {
            let path = PathBuf::from(name);
            return match is_for_this_machine(&path) {
                true => Found::System(path),
                false => Found::Nowhere,
            };
        }
        let named = linkage.search.split(':').map(PathBuf::from);
        let named = named.filter(|it| it.is_absolute() && !spelled(it).contains('$'));
        // What a library says is asked first if it is an `RPATH`, and otherwise after the environment.
        let environment: Vec<_> = env::split_paths(&library_path()).collect();
        let environment = environment.into_iter().filter(|it| it.is_absolute());
        let directories: Vec<PathBuf> = match linkage.hands_search_on {
            true => named.chain(environment).collect(),
            false => environment.chain(named).collect(),
        };
        let cache = self
            .cache
            .get_or_insert_with(|| read_cache().unwrap_or_default());
        let known = places(cache, name);
        let first = directories.iter().map(|it| it.join(name));
        let last = LAST.iter().map(|it| Path::new(it).join(name));
        let mut all = first.chain(known).chain(last);
        let found = all.find(|path| is_for_this_machine(path));
        found.map_or(Found::Nowhere, Found::System)
    }
}

/// The variable by which a person leads the loader, which it leaves out in a process with more rights.
fn library_path() -> OsString {
    match OsFiles.standing().has_more_rights {
        true => OsString::new(),
        false => env::var_os("LD_LIBRARY_PATH").unwrap_or_default(),
    }
}

fn read_cache() -> Option<Vec<u8>> {
    let mut cache = Vec::new();
    let file = OsFiles.open(Path::new(CACHE)).ok()?;
    file.take(LONGEST_CACHE).read_to_end(&mut cache).ok()?;
    Some(cache)
}

/// Whether there is a library for this machine: the loader passes over others.
fn is_for_this_machine(path: &Path) -> bool {
    let is_file = OsFiles.look(path).is_ok_and(|it| it.kind == Kind::File);
    let head = |file: os::Artifact| {
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head).map(|_| head)
    };
    let head = is_file.then(|| OsFiles.open(path).and_then(head).ok());
    head.flatten()
        .is_some_and(|it| vet::judge_head(&it).is_ok())
}
