//! The cases: what happens on the way to a library, each in a part of the server's directory of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use vocabulary::{Artifact, library, pause};

/// The name of the library, wherever its directory is.
const LIBRARY: &str = "libplugin01.so";

/// Where the library's directory is in each site, as in a cargo package.
pub const DIRECTORY: &str = "a/target/debug";

/// For how long a removed directory is gone: longer than what is worth no word.
const GONE_FOR: Duration = Duration::from_secs(4);

/// A part of the server's directory in which one case happens.
pub struct Site {
    pub root: PathBuf,
    /// How many other names there are in each directory.
    pub crowd: u32,
}

impl Site {
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Makes a directory, with the library of this number linked into it.
    fn build(&self, directory: &str, number: u32) {
        fs::create_dir_all(self.path(directory)).unwrap();
        self.crowd(directory);
        self.artifact(directory).link(&library(number));
    }

    /// Puts other, long names into a directory and those above it.
    fn crowd(&self, directory: &str) {
        let directory = self.path(directory);
        let above = directory.ancestors();
        for directory in above.take_while(|directory| *directory != self.root) {
            for number in 0..self.crowd {
                fs::write(directory.join(format!("{number:0200}")), "").unwrap();
            }
        }
    }

    pub fn artifact(&self, directory: &str) -> Artifact {
        Artifact::at(self.path(directory).join(LIBRARY))
    }

    fn remove(&self, directory: &str) {
        fs::remove_dir_all(self.path(directory)).unwrap();
    }

    /// Moves a new directory or link to where another one was, which is kept.
    fn replace(&self, old: &str, new: &str) {
        fs::rename(self.path(old), self.path(&format!("{old}.old"))).unwrap();
        fs::rename(self.path(new), self.path(old)).unwrap();
    }

    /// Makes the link at `link` lead to `target`, in one step, as `ln -sfn` and Kubernetes do.
    fn lead(&self, link: &str, target: &str) {
        let new = self.path(&format!("{link}.new"));
        symlink(target, &new).unwrap();
        fs::rename(new, self.path(link)).unwrap();
    }
}

/// What the program has to say in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// The answer of the second library. The first one was never gone for long.
    Answer,
    /// The answer of the second library. The first one was gone from the begin of the change until its end.
    AnswerAtOnce,
    /// That the library is missing, once; and then the answer of the second library.
    MissingAndAnswer,
    /// That the library is missing, once.
    Missing,
}

/// A case: its name, how the site is before, and what happens there.
pub struct Case {
    pub name: &'static str,
    pub before: fn(&Site),
    pub change: fn(&Site),
    pub says: Says,
}

fn nothing(_: &Site) {}

fn built(site: &Site) {
    site.build(DIRECTORY, 1);
}

pub const CASES: [Case; 15] = [
    Case {
        name: "a new name",
        before: |site| fs::create_dir_all(site.path(DIRECTORY)).unwrap(),
        change: |site| site.artifact(DIRECTORY).link(&library(2)),
        says: Says::Answer,
    },
    Case {
        name: "all directories appear at once",
        before: nothing,
        change: |site| {
            site.build("made/target/debug", 2);
            fs::rename(site.path("made"), site.path("a")).unwrap();
        },
        says: Says::Answer,
    },
    Case {
        name: "one directory after the other appears",
        before: nothing,
        change: |site| {
            for directory in ["a", "a/target", "a/target/debug"] {
                fs::create_dir(site.path(directory)).unwrap();
                pause(Duration::from_millis(1_300));
            }
            built_again(site);
        },
        says: Says::Answer,
    },
    Case {
        name: "the outermost directory is replaced",
        before: built,
        change: |site| {
            site.build("a.new/target/debug", 2);
            site.replace("a", "a.new");
        },
        says: Says::Answer,
    },
    Case {
        name: "the one above the innermost is replaced",
        before: built,
        change: |site| {
            site.build("a/target.new/debug", 2);
            site.replace("a/target", "a/target.new");
        },
        says: Says::Answer,
    },
    Case {
        name: "the innermost directory is replaced",
        before: built,
        change: |site| {
            site.build("a/target/debug.new", 2);
            site.replace("a/target/debug", "a/target/debug.new");
        },
        says: Says::Answer,
    },
    Case {
        name: "removed, made again at once",
        before: built,
        change: |site| {
            site.remove("a/target");
            built_again(site);
        },
        says: Says::AnswerAtOnce,
    },
    Case {
        name: "removed, made again after 4 s",
        before: built,
        change: |site| {
            site.remove("a/target");
            pause(GONE_FOR);
            built_again(site);
        },
        says: Says::MissingAndAnswer,
    },
    Case {
        name: "a directory on the way becomes a link",
        before: built,
        change: |site| {
            site.build("a/elsewhere/debug", 2);
            symlink("elsewhere", site.path("a/target.new")).unwrap();
            site.replace("a/target", "a/target.new");
        },
        says: Says::Answer,
    },
    Case {
        name: "a link on the way is swapped",
        before: |site| {
            site.build("a/one/debug", 1);
            site.lead("a/target", "one");
        },
        change: |site| {
            site.build("a/two/debug", 2);
            site.lead("a/target", "two");
        },
        says: Says::Answer,
    },
    Case {
        name: "the directory is a link, swapped",
        before: |site| {
            site.build("a/target/one", 1);
            site.lead(DIRECTORY, "one");
        },
        change: |site| {
            site.build("a/target/two", 2);
            site.lead(DIRECTORY, "two");
        },
        says: Says::Answer,
    },
    Case {
        name: "`..data` is swapped",
        before: |site| {
            site.build("a/target/debug/..1", 1);
            site.lead("a/target/debug/..data", "..1");
            site.lead("a/target/debug/libplugin01.so", "..data/libplugin01.so");
        },
        change: |site| {
            site.build("a/target/debug/..2", 2);
            site.lead("a/target/debug/..data", "..2");
            site.remove("a/target/debug/..1");
        },
        says: Says::Answer,
    },
    Case {
        name: "the library is removed: `missing`",
        before: built,
        change: |site| site.artifact(DIRECTORY).remove(),
        says: Says::Missing,
    },
    Case {
        name: "the directories are removed: `missing`",
        before: built,
        change: |site| site.remove("a"),
        says: Says::Missing,
    },
    Case {
        name: "a directory is moved away: `missing`",
        before: built,
        change: |site| fs::rename(site.path("a/target"), site.path("a/elsewhere")).unwrap(),
        says: Says::Missing,
    },
];

fn built_again(site: &Site) {
    site.build(DIRECTORY, 2);
}

/// The two paths that are watched, each at a site of its own.
pub const WATCHED: [(&str, &str); 2] = [
    ("library", "a/target/debug/libplugin01.so"),
    ("directory", DIRECTORY),
];
