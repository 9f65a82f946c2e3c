//! Trust: whom we trust to write what we load. Pure. Whoever can write the artifact, or can put another file at its
//! path, runs code in this process; so both must be left to this user and to root, as sshd and sudo demand of what they
//! read.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use replug_plugin::shown::shown;

use crate::look::rights::{Rights, Standing};
use crate::look::snapshot::Kind;
use crate::options::Trust;

const ROOT: u32 = 0;

/// The bits of a mode that let the group, and all others, write.
const GROUP_CAN_WRITE: u32 = 0o020;
const OTHERS_CAN_WRITE: u32 = 0o002;

/// The bit of a directory in which each name can be removed only by its owner and by the directory's.
const STICKY: u32 = 0o1000;

/// A reason why others than this user and root can change what is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// A file, a directory or a symbolic link on the way belongs to a third user.
    Owner {
        /// The thing.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
        /// Its mode, without the bits for its kind.
        mode: u32,
    },
    /// A file or a directory on the way can be written by its group, or by everybody.
    Writable {
        /// The thing.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
        /// The number of its group, if only the group can write.
        group: Option<u32>,
        /// Its mode, without the bits for its kind.
        mode: u32,
    },
    /// The filesystem makes owners up, so that nobody can tell who writes there.
    Invented {
        /// The first thing on the way that is on such a filesystem.
        path: PathBuf,
        /// The name of the filesystem.
        filesystem: String,
    },
}

impl Flaw {
    fn path(&self) -> &Path {
        match self {
            Flaw::Owner { path, .. }
            | Flaw::Writable { path, .. }
            | Flaw::Invented { path, .. } => path,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = shown(self.path());
        match self {
            Flaw::Owner { owner, mode, .. } => write!(
                f,
                "`{path}` belongs to user {owner} (mode {mode:04o}), who can change it; give it to this user, or run as \
                 that one"
            ),
            Flaw::Writable {
                owner,
                group: Some(group),
                mode,
                ..
            } => write!(
                f,
                "group {group} can write to `{path}` (owner {owner}, mode {mode:04o}); take that right away with \
                 `chmod g-w`"
            ),
            Flaw::Writable { owner, mode, .. } => write!(
                f,
                "everybody can write to `{path}` (owner {owner}, mode {mode:04o}); take that right away with \
                 `chmod go-w`"
            ),
            Flaw::Invented { filesystem, .. } => write!(
                f,
                "`{path}` is on {filesystem}, which makes owners up, so that those there mean nothing; put the library \
                 on a filesystem that keeps owners"
            ),
        }
    }
}

/// All the reasons why an artifact is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("others may change what is loaded: {}{}", list(.flaws), forced(.is_forced))]
pub struct Distrust {
    /// The reasons, from the root of the filesystem to the artifact. There is at least one.
    pub flaws: Vec<Flaw>,
    /// Whether trust is judged strictly only because the process has more rights than the user who started it.
    pub is_forced: bool,
}

fn list(flaws: &[Flaw]) -> String {
    let flaws: Vec<String> = flaws.iter().map(Flaw::to_string).collect();
    flaws.join("; ")
}

fn forced(is_forced: &bool) -> &'static str {
    match is_forced {
        true => {
            "; this process has more rights than the user who started it, so trust is `strict` whatever is chosen"
        }
        false => "",
    }
}

impl Distrust {
    /// A number that is the same for the same reasons.
    pub(crate) fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.flaws.hash(&mut hasher);
        hasher.finish()
    }
}

/// The choice that holds: a process with more rights than its user does not let that user choose.
pub(crate) fn in_force(chosen: Trust, standing: Standing) -> Trust {
    match standing.has_more_rights {
        true => Trust::Strict,
        false => chosen,
    }
}

/// Judges the rights at everything on the way to an artifact, and at the artifact itself.
pub(crate) fn judge(way: &[Rights], standing: Standing, chosen: Trust) -> Result<(), Distrust> {
    let mut flaws: Vec<Flaw> = Vec::new();
    for rights in way {
        let flaw = flaw_of(rights, standing.user);
        let is_said = |flaw: &Flaw| flaws.iter().any(|said| is_same_filesystem(said, flaw));
        flaws.extend(flaw.filter(|flaw| !is_said(flaw)));
    }
    match flaws.is_empty() {
        true => Ok(()),
        false => Err(Distrust {
            flaws,
            is_forced: in_force(chosen, standing) != chosen,
        }),
    }
}

fn flaw_of(rights: &Rights, user: Option<u32>) -> Option<Flaw> {
    let (path, owner, mode) = (rights.path.clone(), rights.owner, rights.mode);
    if let Some(filesystem) = rights.invented_by.clone() {
        return Some(Flaw::Invented { path, filesystem });
    }
    if owner != ROOT && user != Some(owner) {
        return Some(Flaw::Owner { path, owner, mode });
    }
    let is_sealed = match rights.kind {
        // Nobody can write to a link, whatever its mode; the directory decides who can replace it.
        Kind::Link => true,
        // The next name on the way is judged by itself, and only its owner can remove it.
        Kind::Directory => mode & STICKY != 0,
        _ => false,
    };
    let by_others = mode & OTHERS_CAN_WRITE != 0;
    let by_group = mode & GROUP_CAN_WRITE != 0 && !rights.group_is_private;
    if is_sealed || !by_others && !by_group {
        return None;
    }
    Some(Flaw::Writable {
        path,
        owner,
        group: (!by_others).then_some(rights.group),
        mode,
    })
}

fn is_same_filesystem(one: &Flaw, other: &Flaw) -> bool {
    match (one, other) {
        (
            Flaw::Invented {
                filesystem: one, ..
            },
            Flaw::Invented {
                filesystem: other, ..
            },
        ) => one == other,
        _ => false,
    }
}

/// The flaws that were said in one watch, by their paths, each with the artifact of whose news it was a part. Two hundred
/// libraries in one directory say once what is wrong with the directory.
#[derive(Debug, Default)]
pub(crate) struct Said {
    flaws: HashMap<PathBuf, (Flaw, Arc<Path>)>,
}

impl Said {
    /// The most flaws that are remembered. Whoever has more of them hears of them again.
    const MOST: usize = 10_000;

    /// What is to be said of an `artifact` that was just judged by the rights on its `way`, if anything of it is new: what
    /// nobody has said, and with that what the artifact itself has said, for of its two warnings only the later is sure to
    /// be heard. A flaw that is mended is forgotten: should it come again, that is news.
    pub(crate) fn news(
        &mut self,
        artifact: &Arc<Path>,
        way: &[Rights],
        distrust: Option<&Distrust>,
    ) -> Option<Distrust> {
        let flaws = distrust.map_or(&[][..], |distrust| &distrust.flaws);
        for Rights { path, .. } in way {
            let said = self.flaws.get(path);
            if said.is_some_and(|(said, _)| !flaws.contains(said)) {
                self.flaws.remove(path);
            }
        }
        if self.flaws.len() + flaws.len() > Said::MOST {
            self.flaws.clear();
        }
        let is_new = |flaw: &Flaw| !self.flaws.contains_key(flaw.path());
        if !flaws.iter().any(is_new) {
            return None;
        }
        let is_of_others =
            |flaw: &&Flaw| matches!(self.flaws.get(flaw.path()), Some((_, by)) if by != artifact);
        let share: Vec<Flaw> = flaws
            .iter()
            .filter(|it| !is_of_others(it))
            .cloned()
            .collect();
        for flaw in &share {
            let said = (flaw.clone(), Arc::clone(artifact));
            self.flaws.insert(flaw.path().to_owned(), said);
        }
        distrust.map(|distrust| Distrust {
            flaws: share,
            ..distrust.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This user, and two others.
    const US: u32 = 1000;
    const STRANGER: u32 = 1001;

    fn standing() -> Standing {
        Standing {
            user: Some(US),
            has_more_rights: false,
        }
    }

    fn at(path: &str, kind: Kind, owner: u32, mode: u32) -> Rights {
        Rights {
            path: path.into(),
            kind,
            owner,
            group: owner,
            mode,
            group_is_private: false,
            invented_by: None,
        }
    }

    fn judged(way: &[Rights]) -> Result<(), Distrust> {
        judge(way, standing(), Trust::Warn)
    }

    #[test]
    fn what_belongs_to_us_or_root_and_nobody_else_can_write_is_trusted() {
        use Kind::{Directory, File, Link};
        for (kind, owner, mode, is_trusted) in [
            (File, US, 0o644, true),
            (File, ROOT, 0o755, true),
            (File, US, 0o600, true),
            (File, STRANGER, 0o644, false),
            (File, STRANGER, 0o400, false),
            (File, US, 0o666, false),
            (File, US, 0o602, false),
            (File, US, 0o664, false),
            // Stickiness means nothing at a file.
            (File, US, 0o1666, false),
            (Directory, US, 0o700, true),
            (Directory, ROOT, 0o755, true),
            (Directory, US, 0o777, false),
            (Directory, ROOT, 0o775, false),
            (Directory, ROOT, 0o1777, true),
            (Directory, US, 0o1777, true),
            // Its owner can remove what is in it.
            (Directory, STRANGER, 0o1777, false),
            (Directory, STRANGER, 0o755, false),
            (Link, US, 0o777, true),
            (Link, ROOT, 0o777, true),
            (Link, STRANGER, 0o777, false),
        ] {
            let said = judged(&[at("/x", kind, owner, mode)]);
            assert_eq!(said.is_ok(), is_trusted, "{kind:?} of {owner}, {mode:o}");
        }
    }

    #[test]
    fn a_group_whose_only_member_is_the_owner_may_write() {
        let ours = Rights {
            group_is_private: true,
            ..at("/x", Kind::File, US, 0o664)
        };
        assert!(judged(std::slice::from_ref(&ours)).is_ok());
        assert!(
            judged(&[Rights {
                mode: 0o666,
                ..ours
            }])
            .is_err()
        );
    }

    #[test]
    fn each_flaw_names_what_it_is_about_and_what_to_do() {
        let way = [
            at("/", Kind::Directory, ROOT, 0o755),
            at("/w", Kind::Directory, ROOT, 0o777),
            at("/w/l", Kind::Link, STRANGER, 0o777),
            at("/w/x.so", Kind::File, US, 0o664),
        ];
        let said = judged(&way).unwrap_err().to_string();
        for part in [
            "everybody can write to `/w` (owner 0, mode 0777)",
            "chmod go-w",
            "`/w/l` belongs to user 1001 (mode 0777)",
            "give it to this user",
            "group 1000 can write to `/w/x.so` (owner 1000, mode 0664)",
            "chmod g-w",
        ] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
    }

    #[test]
    fn a_filesystem_that_makes_owners_up_is_said_once_in_place_of_what_it_makes_up() {
        let invented = |path| Rights {
            invented_by: Some("vfat".to_owned()),
            ..at(path, Kind::Directory, STRANGER, 0o777)
        };
        let distrust = judged(&[invented("/mnt"), invented("/mnt/d")]).unwrap_err();
        let filesystem = "vfat".to_owned();
        let path = "/mnt".into();
        assert_eq!(distrust.flaws, [Flaw::Invented { path, filesystem }]);
        assert!(distrust.to_string().contains("mean nothing"), "{distrust}");
    }

    #[test]
    fn a_process_with_more_rights_than_its_user_is_strict_whatever_is_chosen() {
        let raised = Standing {
            user: None,
            has_more_rights: true,
        };
        let of_its_user = [at("/x", Kind::File, US, 0o644)];
        for chosen in [Trust::Strict, Trust::Warn, Trust::Off] {
            assert_eq!(in_force(chosen, raised), Trust::Strict);
            assert_eq!(in_force(chosen, standing()), chosen);
            let distrust = judge(&of_its_user, raised, chosen).unwrap_err();
            assert_eq!(distrust.is_forced, chosen != Trust::Strict);
            assert_eq!(
                distrust.to_string().contains("more rights"),
                distrust.is_forced
            );
        }
        assert!(judge(&[at("/x", Kind::File, ROOT, 0o644)], raised, Trust::Off).is_ok());
    }

    #[test]
    fn each_flaw_is_said_once_for_all_artifacts_until_it_is_mended() {
        let (one, other) = (Arc::from(Path::new("/w/a")), Arc::from(Path::new("/w/b")));
        let way = |directory, path: &Arc<Path>, mode| {
            let file = at(&path.to_string_lossy(), Kind::File, US, mode);
            [at("/w", Kind::Directory, US, directory), file]
        };
        let mut said = Said::default();
        for (artifact, directory, mode, news) in [
            (&one, 0o777, 0o644, vec!["/w"]),
            (&one, 0o777, 0o644, vec![]),
            // What another artifact has said is not said again.
            (&other, 0o777, 0o644, vec![]),
            (&other, 0o777, 0o666, vec!["/w/b"]),
            // Of two warnings of one artifact only the later is sure to be heard.
            (&one, 0o777, 0o666, vec!["/w", "/w/a"]),
            (&one, 0o755, 0o644, vec![]),
            (&other, 0o777, 0o666, vec!["/w", "/w/b"]),
        ] {
            let way = way(directory, artifact, mode);
            let distrust = judged(&way).err();
            let heard = said.news(artifact, &way, distrust.as_ref());
            let flaws = heard.map_or_else(Vec::new, |heard| heard.flaws);
            let paths: Vec<_> = flaws.iter().map(|flaw| flaw.path()).collect();
            let news: Vec<_> = news.into_iter().map(Path::new).collect();
            assert_eq!(paths, news, "{} {directory:o} {mode:o}", artifact.display());
        }
    }
}
