//! Writers of directories: what lies above the libraries is replaced, removed and made anew, linked to, and mounted
//! over.

use std::path::{Path, PathBuf};

use crate::ground::{Ground, above};
use crate::world::{DEPS, MOUNT, MS, Op, SECOND};
use crate::writers::Plan;

impl Plan<'_> {
    /// Makes the directories and the first versions that are there at the start.
    pub fn begin_all(&mut self) {
        self.op(Op::Mkdir(DEPS.into()));
        let until = self.ground.late.unwrap_or(self.ground.depth + 1);
        for level in 1..until {
            let above = above(&self.ground.path(level));
            self.make_level(&above, level);
        }
        if self.ground.late.is_none() {
            let directory = self.ground.directory();
            self.begin_libraries(&directory, 100);
        }
    }

    /// Puts directories and old versions there that the mount will cover.
    pub fn begin_below_the_mount(&mut self) {
        self.fill(0, Path::new(MOUNT));
        self.arrived();
    }

    /// Makes the directory of a level inside the one above; should its name be a link, that as well.
    fn make_level(&mut self, above: &Path, level: usize) {
        let path = above.join(Ground::name(level));
        if self.ground.linked == Some(level) {
            self.next_number += 1;
            let target = format!("{}.v{}", Ground::name(level), self.next_number);
            self.op(Op::Mkdir(above.join(&target)));
            self.op(Op::Symlink(PathBuf::from(&target), path));
            self.ground.link_target = target;
        } else {
            self.op(Op::Mkdir(path));
        }
    }

    fn begin_libraries(&mut self, directory: &Path, percent: u64) {
        for name in self.ground.libraries.clone() {
            if !self.random.percent(percent) {
                continue;
            }
            match self.ground.is_linked {
                true => self.begin_linked(&directory.join(name)),
                false => self.begin(&directory.join(name)),
            }
        }
    }

    /// Fills a directory that will be the one of this level with all that is below.
    fn fill(&mut self, level: usize, base: &Path) {
        let mut path = base.to_owned();
        for below in level + 1..=self.ground.depth {
            self.make_level(&path, below);
            path.push(Ground::name(below));
        }
        self.begin_libraries(&path, 90);
    }

    /// All libraries may have come from elsewhere, at once.
    fn arrived(&mut self) {
        for path in self.ground.artifacts() {
            self.op(Op::Arrived(path));
        }
    }

    /// A level that can be replaced, if there is one.
    fn draw_level(&mut self) -> Option<usize> {
        let (low, high) = (self.ground.highest(), self.ground.depth);
        (low <= high).then(|| self.random.between(low as u64, high as u64) as usize)
    }

    fn take_away(&mut self, directory: PathBuf) {
        if self.random.percent(50) {
            self.wait(MS / 10, 5 * SECOND);
            self.op(Op::Clear(directory.clone()));
            self.op(Op::Unlink(directory));
        }
    }

    pub fn replace_directory(&mut self) {
        let Some(level) = self.draw_level() else {
            return;
        };
        let directory = self.ground.real(level);
        self.next_number += 1;
        let beside = |what| directory.with_file_name(format!(".{what}{}", self.next_number));
        let (new, old) = (beside("new"), beside("old"));
        self.op(Op::Mkdir(new.clone()));
        self.fill(level, &new);
        self.wait(MS / 10, 2 * SECOND);
        self.op(Op::Rename(directory.clone(), old.clone()));
        match self.random.percent(80) {
            true => self.wait(MS / 100, 8 * MS),
            false => self.wait(MS, 5 * SECOND),
        }
        self.op(Op::Rename(new, directory));
        self.arrived();
        self.take_away(old);
    }

    pub fn clean_build(&mut self) {
        let Some(level) = self.draw_level() else {
            return;
        };
        for artifact in self.ground.artifacts() {
            self.op(Op::Unlink(artifact));
            self.wait(MS / 100, 3 * MS);
        }
        for below in (level..=self.ground.depth).rev() {
            let directory = self.ground.real(below);
            self.op(Op::Clear(directory.clone()));
            self.wait(MS / 100, 3 * MS);
            self.op(Op::Unlink(directory));
            if below > level {
                self.op(Op::Unlink(self.ground.path(below)));
            }
        }
        match self.random.percent(30) {
            true => self.wait(MS / 10, 30 * MS),
            false => self.wait(MS, 6 * SECOND),
        }
        let directory = self.ground.real(level);
        self.op(Op::Mkdir(directory));
        self.make_the_rest(level + 1, 200 * MS);
        match self.random.percent(50) {
            true => {
                let first = self.ground.artifacts()[0].clone();
                let pause = self.locked_pause;
                self.under_lock(&first, ".cargo-lock", |plan| plan.build_all(pause));
            }
            false => self.build_all(self.pause),
        }
    }

    /// Makes directories one by one.
    fn make_the_rest(&mut self, from: usize, pause: u64) {
        for level in from..=self.ground.depth {
            self.wait(MS / 100, pause);
            let above = above(&self.ground.path(level));
            self.make_level(&above, level);
        }
    }

    fn build_all(&mut self, pause: u64) {
        for artifact in self.ground.artifacts() {
            self.wait(MS, 900 * MS);
            match self.ground.is_linked {
                true => self.begin_linked(&artifact),
                false => self.link_into_place(&artifact, pause),
            }
        }
    }

    pub fn late_directory(&mut self) {
        let Some(first) = self.ground.late.take() else {
            return;
        };
        self.wait(MS, 4 * SECOND);
        self.make_the_rest(first, 2 * SECOND);
        self.build_all(self.pause);
    }

    pub fn swap_directory_link(&mut self) {
        let Some(level) = self.ground.linked else {
            return;
        };
        if level < self.ground.highest() {
            return;
        }
        let (link, old) = (self.ground.path(level), self.ground.real(level));
        self.next_number += 1;
        let name = format!("{}.v{}", Ground::name(level), self.next_number);
        let new = link.with_file_name(&name);
        self.op(Op::Mkdir(new.clone()));
        self.fill(level, &new);
        let aside = link.with_file_name(".link");
        let target = match self.random.percent(50) {
            true => new,
            false => PathBuf::from(&name),
        };
        self.op(Op::Symlink(target, aside.clone()));
        self.wait(MS / 10, 5 * MS);
        self.op(Op::Rename(aside, link));
        self.ground.link_target = name;
        self.arrived();
        self.take_away(old);
    }

    /// Mounts a filesystem somewhere on the way, perhaps an empty one, and perhaps takes it away again.
    pub fn cover(&mut self) {
        let highest = self.ground.covered.iter().max().copied().unwrap_or(0);
        let level = self
            .random
            .between(highest as u64, self.ground.depth as u64) as usize;
        self.next_number += 1;
        let at = PathBuf::from(format!("/v{}", self.next_number));
        let is_own = self.random.percent(30);
        self.op(Op::Volume {
            at: at.clone(),
            device: 10 + self.next_number,
            is_own,
        });
        let link_target = self.ground.link_target.clone();
        if self.random.percent(80) {
            self.fill(level, &at);
        }
        self.wait(MS / 10, SECOND);
        let path = self.ground.path(level);
        self.op(Op::Cover(at, path.clone()));
        self.ground.covered.push(level);
        self.arrived();
        if self.random.percent(60) {
            self.wait(MS, 8 * SECOND);
            self.op(Op::Uncover(path));
            self.ground.covered.pop();
            self.ground.link_target = link_target;
            self.arrived();
        }
    }
}
