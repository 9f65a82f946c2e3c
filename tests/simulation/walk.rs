//! A walk along a path, name by name and link by link. Who walks says what each name leads to.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use replug::watch::Kind;
use vocabulary::failure;

use crate::tree::{TOP, Tree};

/// The most links on one path.
const MOST_LINKS: usize = 8;

/// A walk, as far as it has come.
pub struct Walk {
    /// The directories that were passed, and what was found last.
    pub passed: Vec<usize>,
    links: usize,
    /// The links on the way and the path without them, if anybody wants to know.
    pub route: Option<(Vec<PathBuf>, PathBuf)>,
}

impl Default for Walk {
    fn default() -> Walk {
        /// No way is longer. Half of what a seed takes goes into walks, so their list does not grow name by name.
        const NAMES: usize = 16;
        let mut passed = Vec::with_capacity(NAMES);
        passed.push(TOP);
        Walk {
            passed,
            links: 0,
            route: None,
        }
    }
}

impl Walk {
    pub fn here(&self) -> usize {
        self.passed[self.passed.len() - 1]
    }

    /// Walks on along `path`. `find` says what a name in a directory leads to.
    pub fn go(
        &mut self,
        tree: &Tree,
        path: &Path,
        follows_last: bool,
        find: &mut impl FnMut(usize, &OsStr) -> Option<usize>,
    ) -> io::Result<()> {
        let mut parts = path.components();
        while let Some(part) = parts.next() {
            let name = match part {
                Component::Normal(name) => name,
                Component::RootDir => {
                    self.passed.truncate(1);
                    if let Some((_, end)) = &mut self.route {
                        *end = PathBuf::from("/");
                    }
                    continue;
                }
                _ => continue,
            };
            let here = self.here();
            if tree.inodes[here].kind != Kind::Directory {
                return Err(ErrorKind::NotADirectory.into());
            }
            let found = find(here, name);
            if let Some((_, end)) = &mut self.route {
                end.push(name);
                if found.is_none() {
                    end.extend(parts.clone());
                }
            }
            let found = found.ok_or(ErrorKind::NotFound)?;
            let inode = &tree.inodes[found];
            if inode.kind != Kind::Link || !follows_last && parts.as_path().as_os_str().is_empty() {
                self.passed.push(found);
                continue;
            }
            self.links += 1;
            if self.links > MOST_LINKS {
                return Err(io::Error::from_raw_os_error(failure::CIRCLE));
            }
            if let Some((links, end)) = &mut self.route {
                links.push(end.clone());
                end.pop();
            }
            let led = self.go(tree, &inode.target, true, find);
            if led.is_err()
                && let Some((_, end)) = &mut self.route
            {
                end.extend(parts.clone());
            }
            led?;
        }
        Ok(())
    }
}
