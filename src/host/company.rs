//! Company: what the plugins of this process have brought into it that its loader has only once. A build that would be
//! given another build's things by the loader is kept out before anything of it is mapped.

use std::collections::HashMap;
use std::ffi::CString;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::boundary::{self, Image, LoadFailure};
use crate::look::digest::Digest;
use crate::stage::copies::Staged;
use crate::stage::vet::linkage::Unique;
use crate::watch::update::{Ready, Sibling};

/// What all hosts of this process have loaded: the loader makes no difference between them either.
static COMPANY: LazyLock<Mutex<Company>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct Company {
    /// The digest of each library, by the loader's handle.
    libraries: HashMap<usize, Digest>,
    /// The C++ objects of which a process has one each. Grows with the number of objects in the sources of plugins, not
    /// with that of builds: a second build of one is kept out.
    unique: HashMap<CString, Brought>,
}

/// A C++ object of which a process has one, as the first library brought it.
#[derive(Debug, Clone, Copy)]
struct Brought {
    /// The digest of the library.
    by: Digest,
    /// The digest of the object, if it is constant.
    constant: Option<Digest>,
}

/// Maps a build of this artifact, after the libraries that it brings along.
///
/// # Errors
///
/// If the loader would give the build things of another one, or refuses it.
pub(super) fn open(ready: &Ready, artifact: &Path, is_to_go: bool) -> Result<Image, LoadFailure> {
    // Held to the end: two hosts that load at once must not both be the first.
    let mut company = COMPANY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut missing = Vec::new();
    for sibling in &ready.siblings {
        if !company.has(sibling)? {
            company.check(&sibling.unique, sibling.digest, ready.allows_unique)?;
            missing.push(sibling);
        }
    }
    company.check(&ready.unique, ready.own, ready.allows_unique)?;
    for sibling in missing {
        is_vetted(&sibling.staged)?;
        let handle = boundary::keep(sibling.staged.path())?;
        is_vetted(&sibling.staged)?;
        company.add(handle, sibling.digest, &sibling.unique);
    }
    is_vetted(&ready.staged)?;
    let image = Image::open(ready.staged.path(), artifact, is_to_go)?;
    company.add(image.id(), ready.own, &ready.unique);
    Ok(image)
}

/// Takes down that an image is unmapped: the loader may give its handle to another library.
pub(super) fn forget(image: usize) {
    let mut company = COMPANY.lock().unwrap_or_else(PoisonError::into_inner);
    company.libraries.remove(&image);
}

/// Refuses a copy whose path leads to another file than the one that was vetted.
pub(super) fn is_vetted(staged: &Staged) -> Result<(), LoadFailure> {
    match staged.is_what_was_vetted() {
        true => Ok(()),
        false => Err(LoadFailure::NotVetted {
            staged: staged.path().to_owned(),
        }),
    }
}

impl Company {
    /// Whether the loader has a library already that a build needs by this name. If it has another build of it, that is
    /// an error; a library that no plugin brought is the process's own.
    fn has(&self, needed: &Sibling) -> Result<bool, LoadFailure> {
        let Some(handle) = boundary::loaded_as(&needed.soname) else {
            return Ok(false);
        };
        match self.libraries.get(&handle) {
            Some(digest) if *digest != needed.digest => Err(LoadFailure::OtherBuild {
                soname: needed.soname.clone(),
            }),
            _ => Ok(true),
        }
    }

    /// Refuses objects of which the loader would give a build those of another. What the process has for all its
    /// libraries is meant to be one for all.
    fn check(&self, unique: &[Unique], by: Digest, is_allowed: bool) -> Result<(), LoadFailure> {
        if is_allowed || !boundary::JOINS_UNIQUE {
            return Ok(());
        }
        let met = unique.iter().filter(|it| self.differs(it, by));
        let mut met = met.filter(|it| !boundary::process_has(&it.name));
        match met.next() {
            None => Ok(()),
            Some(first) => Err(LoadFailure::Unique {
                name: first.name.clone(),
                others: met.count(),
            }),
        }
    }

    /// Whether there is an object of this name, and it makes a difference which of the two is taken. To a library of the
    /// same bytes it makes none.
    fn differs(&self, new: &Unique, by: Digest) -> bool {
        let before = self.unique.get(&new.name);
        before.is_some_and(|before| {
            let is_equal = before.constant.is_some() && before.constant == new.constant;
            before.by != by && !is_equal
        })
    }

    fn add(&mut self, handle: usize, digest: Digest, unique: &[Unique]) {
        self.libraries.insert(handle, digest);
        for object in unique {
            let first = self.unique.entry(object.name.clone());
            first.or_insert(Brought {
                by: digest,
                constant: object.constant,
            });
        }
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    fn unique(constant: Option<&str>) -> Unique {
        Unique {
            name: c"_ZN4ConfIiE5levelE".to_owned(),
            constant: constant.map(|content| Digest::of(content.as_bytes())),
        }
    }

    #[test]
    fn only_equal_constants_may_be_one_for_two_builds() {
        for (first, second, passes) in [
            (Some("12"), Some("12"), true),
            (Some("12"), Some("13"), false),
            (None, None, false),
            (None, Some("12"), false),
            (Some("12"), None, false),
        ] {
            let mut company = Company::default();
            let second = [unique(second)];
            let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
            assert!(
                company.check(&second, other, false).is_ok(),
                "the first has company of none"
            );
            company.add(1, one, &[unique(first)]);
            let checked = company.check(&second, other, false);
            assert_eq!(checked.is_ok(), passes, "{first:?} {second:?}");
            assert!(
                company.check(&second, other, true).is_ok(),
                "who allows it gets it"
            );
            assert!(
                company.check(&second, one, false).is_ok(),
                "the same bytes once more"
            );
        }
    }

    #[test]
    fn what_the_process_has_for_all_its_libraries_is_one_for_all() {
        let mut company = Company::default();
        let malloc = [Unique {
            name: c"malloc".to_owned(),
            constant: None,
        }];
        company.add(1, Digest::of(b""), &malloc);
        assert!(company.check(&malloc, Digest::of(b"2"), false).is_ok());
    }
}
