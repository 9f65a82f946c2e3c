//! Ways that turn: links that are swapped, lead to nothing, to another filesystem or away from a dead server; and what slow
//! servers and slow directories cost.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use replug::watch::{
    Clock as _, Files, Filesystem, Kind, Listing, Lock, News, OsFiles, Route, Snapshot,
};
use replug::{Audit, FsPolicy, Options};
use vocabulary::{
    Artifact, Asked, ByHand, Hands, Rule, Scratch, Spy, holds, library, library_name, make_link,
    make_pipe, pause, wait_until,
};

/// Files of this machine; nothing below one directory answers, and looks at another one are frozen.
#[derive(Clone, Default)]
struct Broken {
    dead: Rc<RefCell<Option<PathBuf>>>,
    frozen: Rc<RefCell<Option<(PathBuf, Snapshot)>>>,
    hands: Option<Hands>,
    per_open: Duration,
}

impl Broken {
    fn check(&self, path: &Path) -> io::Result<()> {
        let dead = self.dead.borrow();
        let Some(dead) = &*dead else { return Ok(()) };
        let real = fs::canonicalize(path);
        let real = real.as_deref().unwrap_or(path);
        match real.starts_with(dead) {
            true => Err(io::Error::from_raw_os_error(110)),
            false => Ok(()),
        }
    }
}

impl Files for Broken {
    type Artifact = <OsFiles as Files>::Artifact;
    type Directory = <OsFiles as Files>::Directory;
    fn look(&self, path: &Path) -> io::Result<Snapshot> {
        self.check(path)?;
        if let Some((frozen, seen)) = &*self.frozen.borrow()
            && frozen == path
        {
            return Ok(*seen);
        }
        OsFiles.look(path)
    }
    fn look_open(&self, artifact: &Self::Artifact) -> io::Result<Snapshot> {
        OsFiles.look_open(artifact)
    }
    fn look_link(&self, path: &Path) -> io::Result<Snapshot> {
        self.check(path.parent().unwrap_or(path))?;
        if !path.is_symlink() {
            self.check(path)?;
        }
        OsFiles.look_link(path)
    }
    fn open(&self, path: &Path) -> io::Result<Self::Artifact> {
        self.check(path)?;
        if let Some(hands) = &self.hands {
            hands.turn(self.per_open);
        }
        OsFiles.open(path)
    }
    fn names(&self, directory: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        self.check(directory)?;
        OsFiles.names(directory, each)
    }
    fn list(
        &self,
        directory: &Path,
        depth: usize,
        is_wanted: &dyn Fn(&OsStr, Kind) -> bool,
    ) -> io::Result<Listing> {
        OsFiles.list(directory, depth, is_wanted)
    }
    fn route(&self, path: &Path) -> io::Result<Route> {
        self.check(path)?;
        OsFiles.route(path)
    }
    fn filesystem(&self, path: &Path) -> io::Result<Filesystem> {
        OsFiles.filesystem(path)
    }
    fn probe(&self, lock: &Path) -> io::Result<Lock> {
        OsFiles.probe(lock)
    }
}

fn readies<F: Files>(watch: &ByHand<F>) -> usize {
    let updates = watch.poller.updates().try_iter();
    updates
        .filter(|update| matches!(update.news, News::Ready(_)))
        .count()
}

type Heard = Rc<RefCell<Vec<Asked>>>;

fn spy() -> (Spy<impl Fn(Asked)>, Heard) {
    let asked = Heard::default();
    let heard = Rc::clone(&asked);
    (
        Spy::on_this_machine(move |asked| heard.borrow_mut().push(asked)),
        asked,
    )
}

fn swap(scratch: &Scratch, link: &Path, to: &Path) {
    make_link(to, scratch.join("new-link")).unwrap();
    fs::rename(scratch.join("new-link"), link).unwrap();
}

/// A link on a local disk to a library on NFS, and a clean build.
#[test]
fn a_clean_build_behind_a_local_link_moves_nothing() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (files, _) = spy();
    let root = scratch.join("mount");
    fs::create_dir_all(root.join("target")).unwrap();
    files.nfs.mount(&root);
    let artifact = Artifact::at(root.join(library_name("target/x")));
    artifact.link(&library(1));
    let link = scratch.join(library_name("x"));
    make_link(artifact.path(), &link).unwrap();
    let mut watch = ByHand::watch(&scratch, &link, files);
    assert_eq!(watch.poll_until_settled(), 1);
    assert_eq!(watch.poller.place().filesystem, "nfs");
    let mut said = Vec::new();
    for version in 2..4 {
        fs::remove_dir_all(root.join("target")).unwrap();
        said.extend(watch.news_of_a_while());
        said.push(match watch.poller.place().is_remote() {
            true => "(remote)",
            false => "(local!)",
        });
        fs::create_dir(root.join("target")).unwrap();
        artifact.link(&library(version));
        said.extend(watch.news_of_a_while());
    }
    assert_eq!(
        said,
        [
            "missing", "(remote)", "returned", "missing", "(remote)", "returned"
        ]
    );
}

/// Started before the target of the link is there.
#[test]
fn a_link_that_leads_to_nothing_on_nfs_is_on_nfs() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (files, _) = spy();
    let root = scratch.join("mount");
    fs::create_dir_all(root.join("target")).unwrap();
    files.nfs.mount(&root);
    let link = scratch.join(library_name("x"));
    make_link(root.join(library_name("target/x")), &link).unwrap();
    let mut watch = ByHand::watch(&scratch, &link, files);
    watch.poll();
    assert_eq!(watch.poller.place().filesystem, "nfs");
}

/// The real files: which filesystem is a dangling link on?
#[test]
fn a_dangling_link_is_on_the_filesystem_that_it_leads_to() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let link = scratch.join(library_name("x"));
    make_link(library_name("/dev/shm/replug-nothing-here/x"), &link).unwrap();
    let own = OsFiles.filesystem(scratch.path()).unwrap().name;
    let of_link = OsFiles.filesystem(&link).unwrap().name;
    assert_eq!(of_link, "tmpfs", "the scratch is on {own}");
}

/// The link is swapped away from a server that does not answer any more.
fn failover(is_directory: bool) -> Vec<&'static str> {
    let scratch = Scratch::new();
    for server in ["a/inner", "b/inner"] {
        fs::create_dir_all(scratch.join(server)).unwrap();
    }
    Artifact::at(scratch.join(library_name("a/inner/x"))).link(&library(1));
    Artifact::at(scratch.join(library_name("b/inner/x"))).link(&library(2));
    let current = scratch.join("current");
    make_link("a/inner", &current).unwrap();
    let files = Broken::default();
    let dead = files.dead.clone();
    let path = match is_directory {
        true => current.clone(),
        false => current.join(library_name("x")),
    };
    let mut watch = ByHand::with(&scratch, Options::new(path).fs(FsPolicy::Remote), files);
    assert_eq!(watch.poll_until_settled(), 1);
    *dead.borrow_mut() = Some(scratch.join("a"));
    let mut said = watch.news_of_a_while();
    swap(&scratch, &current, Path::new("b/inner"));
    said.extend(watch.news_of_a_while());
    said.extend(watch.news_of_a_while());
    if watch.poll_until_settled() == 0 && watch.poller.digests() < 3 {
        said.push("(never read)");
    }
    said
}

#[test]
fn a_link_that_leads_away_from_a_dead_server_is_followed_file() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    assert_eq!(failover(false), ["degraded", "recovered"]);
}

#[test]
fn a_link_that_leads_away_from_a_dead_server_is_followed_directory() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    assert_eq!(failover(true), ["degraded", "recovered"]);
}

/// A server that hangs for half a minute within a round.
fn late_after_a_hang(publish: impl Fn(&Artifact)) -> Duration {
    let scratch = Scratch::new();
    let (directory, paths) = scratch.directory_of("plugins", 1..=2);
    let hands = Hands::default();
    let (clock, hangs) = (hands.clone(), Rc::new(Cell::new(false)));
    let hang = hangs.clone();
    let last = paths[1].clone();
    let files = Spy::on_this_machine(move |asked| {
        if asked == Asked::Open(last.clone()) && hang.take() {
            clock.turn(Duration::from_secs(30));
        }
    });
    let options = Options::new(&directory)
        .fs(FsPolicy::Remote)
        .audit(Audit::Off);
    let mut watch = ByHand::by(hands.clone(), &scratch, options, files);
    watch.poll_for(Duration::from_secs(20));
    assert_eq!(readies(&watch), 2);
    hangs.set(true);
    watch.poll_for(Duration::from_secs(1));
    assert!(!hangs.get());
    let back = hands.now();
    publish(&Artifact::at(&paths[0]));
    while readies(&watch) == 0 {
        watch.poll_for(Duration::from_millis(1));
        assert!(hands.now() < back + Duration::from_secs(120));
    }
    hands.now() - back
}

#[test]
fn a_build_after_a_hang_is_not_late_renamed() {
    let late = late_after_a_hang(|artifact| artifact.replace_with(&library(3)));
    assert!(late < Duration::from_secs(2), "{late:?}");
}

#[test]
fn a_build_after_a_hang_is_not_late_in_place() {
    let late = late_after_a_hang(|artifact| artifact.overwrite(&library(3)));
    assert!(late < Duration::from_secs(2), "{late:?}");
}

/// One pipe among two hundred slow libraries.
#[test]
fn a_pipe_does_not_make_looking_free() {
    if !holds(Rule::MakesPipes) {
        return;
    }
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    fs::create_dir(&directory).unwrap();
    for number in 0..200 {
        Artifact::at(directory.join(library_name(format!("{number}")))).link(&library(1));
    }
    make_pipe(directory.join(library_name("pipe")));
    let hands = Hands::default();
    let (clock, spent) = (hands.clone(), Rc::new(Cell::new(Duration::ZERO)));
    let sum = spent.clone();
    let files = Spy::on_this_machine(move |asked| {
        if matches!(asked, Asked::Open(_)) {
            clock.turn(Duration::from_millis(5));
            sum.set(sum.get() + Duration::from_millis(5));
        }
    });
    let options = Options::new(&directory)
        .fs(FsPolicy::Remote)
        .audit(Audit::Off);
    let mut watch = ByHand::by(hands.clone(), &scratch, options, files);
    watch.poll_for(Duration::from_secs(60));
    spent.set(Duration::ZERO);
    let begun = hands.now();
    watch.poll_for(Duration::from_secs(600));
    let share = spent.get().as_secs_f64() / (hands.now() - begun).as_secs_f64();
    assert!(
        share < 0.1,
        "{:.0} % of the time is spent looking",
        100.0 * share
    );
}

/// Watches `watched` below a link to `from`, has the link lead to `to`, where nothing is yet, and sees that the directory
/// there is asked.
#[track_caller]
fn is_asked_behind_a_swapped_link(from: &str, to: &str, watched: &str) {
    let scratch = Scratch::new();
    let (files, asked) = spy();
    let root = scratch.join("mount");
    for directory in [from, "b"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    files.nfs.mount(&root);
    Artifact::at(root.join(from).join(library_name("x"))).link(&library(1));
    let link = root.join("current");
    make_link(from, &link).unwrap();
    let mut watch = ByHand::watch(&scratch, &link.join(watched), files);
    assert_eq!(watch.poll_until_settled(), 1);
    swap(&scratch, &link, Path::new(to));
    assert_eq!(watch.news_of_a_while(), ["missing"]);
    asked.borrow_mut().clear();
    watch.poll();
    let asked = asked.take();
    let look = Asked::LookLink(root.join("b"));
    assert!(asked.contains(&look), "{asked:#?}");
}

#[test]
fn the_way_behind_a_swapped_link_is_asked_before_the_library_is_there() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    is_asked_behind_a_swapped_link("a", "b", &library_name("x"));
}

#[test]
fn the_way_behind_a_swapped_link_is_asked_before_the_directory_is_there() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    is_asked_behind_a_swapped_link("a/inner", "b/inner", "");
}

/// A link in a watched directory that leads to nothing yet.
#[test]
fn the_way_behind_a_listed_link_is_asked_before_the_library_is_there() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (files, asked) = spy();
    let root = scratch.join("mount");
    for directory in ["plugins", "built"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    files.nfs.mount(&root);
    make_link(
        library_name("../built/x"),
        root.join(library_name("plugins/x")),
    )
    .unwrap();
    let mut watch = ByHand::watch(&scratch, &root.join("plugins"), files);
    watch.news_of_a_while();
    asked.borrow_mut().clear();
    watch.poll();
    let asked = asked.take();
    let built = root.join("built");
    assert!(
        asked.contains(&Asked::LookLink(built.clone())) || asked.contains(&Asked::Look(built)),
        "{asked:#?}"
    );
}

/// A new library below a watched directory, whose daemon's attributes lag.
#[test]
fn a_new_library_below_is_looked_at_when_it_is_listed() {
    let scratch = Scratch::new();
    let directory = scratch.join("plugins");
    let below = directory.join("below");
    fs::create_dir_all(&below).unwrap();
    for number in 0..200 {
        Artifact::at(below.join(library_name(format!("{number}")))).link(&library(1));
    }
    let hands = Hands::default();
    let files = Broken {
        hands: Some(hands.clone()),
        per_open: Duration::from_millis(5),
        ..Broken::default()
    };
    let frozen = files.frozen.clone();
    let options = Options::new(&directory)
        .fs(FsPolicy::Remote)
        .depth(2)
        .audit(Audit::Off);
    let mut watch = ByHand::by(hands.clone(), &scratch, options, files);
    watch.poll_for(Duration::from_secs(90));
    assert_eq!(readies(&watch), 200);
    *frozen.borrow_mut() = Some((below.clone(), OsFiles.look(&below).unwrap()));
    watch.poll_for(Duration::from_secs(2));
    let begun = hands.now();
    Artifact::at(below.join(library_name("new"))).link(&library(2));
    while readies(&watch) == 0 {
        watch.poll_for(Duration::from_millis(1));
        assert!(hands.now() < begun + Duration::from_secs(120));
    }
    let late = hands.now() - begun;
    assert!(late < Duration::from_secs(3), "{late:?}");
}

/// A watched directory's link leads to an empty directory on another filesystem.
#[test]
fn a_watched_link_that_leads_to_an_empty_directory_elsewhere_was_not_unmounted() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (files, _) = spy();
    for directory in ["a", "b"] {
        fs::create_dir(scratch.join(directory)).unwrap();
    }
    files.nfs.mount(&scratch.join("b"));
    Artifact::at(scratch.join(library_name("a/x"))).link(&library(1));
    let link = scratch.join("current");
    make_link("a", &link).unwrap();
    let mut watch = ByHand::watch(&scratch, &link, files);
    assert_eq!(watch.poll_until_settled(), 1);
    swap(&scratch, &link, Path::new("b"));
    let said = watch.news_of_a_while();
    assert!(!said.contains(&"degraded"), "{said:?}");
}

/// The target directory is moved to another disk, and built anew there.
#[test]
fn a_target_directory_that_became_a_link_to_another_disk_was_not_unmounted() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (files, _) = spy();
    let disk = scratch.join("disk");
    fs::create_dir(&disk).unwrap();
    files.nfs.mount(&disk);
    let target = scratch.join("target");
    fs::create_dir_all(target.join("debug")).unwrap();
    let artifact = Artifact::at(target.join(library_name("debug/x")));
    artifact.link(&library(1));
    let mut watch = ByHand::watch(&scratch, artifact.path(), files);
    assert_eq!(watch.poll_until_settled(), 1);
    fs::remove_dir_all(&target).unwrap();
    make_link(&disk, &target).unwrap();
    let said = watch.news_of_a_while();
    assert!(!said.contains(&"degraded"), "{said:?}");
}

/// A link that became a directory, and what it led to was unmounted.
#[test]
fn a_library_whose_link_is_gone_is_missing_though_what_it_led_to_is_unmounted() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (files, _) = spy();
    let nfs = files.nfs.clone();
    let root = scratch.join("mount");
    fs::create_dir_all(root.join("target")).unwrap();
    nfs.mount(&root);
    Artifact::at(root.join(library_name("target/x"))).link(&library(1));
    let target = scratch.join("target");
    make_link(root.join("target"), &target).unwrap();
    let mut watch = ByHand::watch(&scratch, &target.join(library_name("x")), files);
    assert_eq!(watch.poll_until_settled(), 1);
    fs::remove_file(&target).unwrap();
    fs::create_dir(&target).unwrap();
    nfs.unmount();
    fs::remove_dir_all(root.join("target")).unwrap();
    let said = watch.news_of_a_while();
    assert!(said.contains(&"missing"), "{said:?}");
}

/// A file on the way that becomes a directory.
#[test]
fn a_file_on_the_way_that_becomes_a_directory_is_asked() {
    let scratch = Scratch::new();
    let (files, asked) = spy();
    let root = scratch.join("mount");
    fs::create_dir(&root).unwrap();
    files.nfs.mount(&root);
    fs::write(root.join("target"), "").unwrap();
    let path = root.join(library_name("target/debug/x"));
    let mut watch = ByHand::watch(&scratch, &path, files);
    watch.news_of_a_while();
    asked.borrow_mut().clear();
    watch.poll();
    let asked = asked.take();
    assert!(asked.contains(&Asked::LookLink(root.clone())), "{asked:#?}");
}

/// A link on NFS that leads to this disk.
#[test]
fn a_link_on_nfs_is_asked_wherever_it_leads() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (files, asked) = spy();
    let root = scratch.join("mount");
    fs::create_dir_all(root.join("plugins")).unwrap();
    fs::create_dir(scratch.join("local")).unwrap();
    files.nfs.mount(&root);
    Artifact::at(scratch.join(library_name("local/x"))).link(&library(1));
    let link = root.join(library_name("plugins/x"));
    make_link(scratch.join(library_name("local/x")), &link).unwrap();
    let mut watch = ByHand::watch(&scratch, &link, files);
    assert_eq!(watch.poll_until_settled(), 1);
    asked.borrow_mut().clear();
    watch.poll();
    let asked = asked.take();
    assert!(
        asked.contains(&Asked::LookLink(root.join("plugins"))),
        "{asked:#?}"
    );
}

/// How many listings an idle poll of a linked remote directory makes of the directory at the link's end.
#[test]
fn a_linked_directory_is_listed_once() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (files, asked) = spy();
    let real = scratch.join("real");
    fs::create_dir(&real).unwrap();
    Artifact::at(real.join(library_name("x"))).link(&library(1));
    let link = scratch.join("current");
    make_link("real", &link).unwrap();
    let options = Options::new(&link).fs(FsPolicy::Remote);
    let mut watch = ByHand::with(&scratch, options, files);
    assert_eq!(watch.poll_until_settled(), 1);
    asked.borrow_mut().clear();
    watch.poll();
    let asked = asked.take();
    let listings = asked
        .iter()
        .filter(|asked| matches!(asked, Asked::Names(of) if *of == real || *of == link))
        .count();
    assert_eq!(listings, 1, "{asked:#?}");
}

/// What an owner who asks all the time learns of stalls, for so long.
fn stalls(watcher: &mut replug::watch::Watcher, time: Duration) -> Vec<String> {
    let begun = std::time::Instant::now();
    let mut said = Vec::new();
    while begun.elapsed() < time {
        said.extend(watcher.stall().map(|stall| format!("{stall:?}")));
        said.extend(
            watcher
                .updates()
                .try_iter()
                .filter_map(|update| match update.news {
                    News::Degraded(_) => Some("degraded".to_owned()),
                    News::Recovered => Some("recovered".to_owned()),
                    _ => None,
                }),
        );
        pause(Duration::from_millis(50));
    }
    said
}

/// A server far away, whose every answer takes 0.4 s, does not hang.
#[test]
fn a_slow_server_is_no_stall() {
    let scratch = Scratch::new();
    let directory = scratch.join("a/b/c/d/e/f");
    fs::create_dir_all(&directory).unwrap();
    let artifact = Artifact::at(directory.join(library_name("x")));
    artifact.link(&library(1));
    let files = Spy::on_this_machine(|_| pause(Duration::from_millis(400)));
    let stage = vocabulary::stage_in(&scratch);
    let options = Options::new(artifact.path()).fs(FsPolicy::Remote);
    let poller = replug::watch::Poller::with(options, files, stage, replug::watch::Monotonic);
    let mut watcher = replug::watch::Watcher::spawn(poller).unwrap();
    let said = stalls(&mut watcher, Duration::from_secs(15));
    assert!(said.is_empty(), "{said:?}");
}

/// Looks that fail slowly are one stall.
#[test]
fn looks_that_fail_slowly_are_one_stall() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&library(1));
    let path = artifact.path().to_owned();
    let slow = path.clone();
    let files = Spy::on_this_machine(move |asked| {
        if (asked == Asked::Look(slow.clone()) || asked == Asked::Open(slow.clone()))
            && slow.is_symlink()
        {
            pause(Duration::from_millis(2500));
        }
    });
    let stage = vocabulary::stage_in(&scratch);
    let options = Options::new(&path).fs(FsPolicy::Remote);
    let poller = replug::watch::Poller::with(options, files, stage, replug::watch::Monotonic);
    let mut watcher = replug::watch::Watcher::spawn(poller).unwrap();
    wait_until("the first library", || !watcher.updates().is_empty());
    watcher.updates().try_iter().for_each(drop);
    fs::remove_file(&path).unwrap();
    make_link(&path, &path).unwrap();
    let said = stalls(&mut watcher, Duration::from_secs(30));
    let begun = said.iter().filter(|said| said.starts_with("Begun")).count();
    assert_eq!(begun, 1, "{said:?}");
}

/// Nobody says where a link leads, for a while; nothing has changed.
#[test]
fn a_link_that_cannot_be_looked_at_has_not_turned() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let files = Broken::default();
    let home = scratch.join("home");
    fs::create_dir(&home).unwrap();
    let artifact = Artifact::at(home.join(library_name("x.1")));
    artifact.link(&library(1));
    let link = home.join(library_name("x"));
    make_link(library_name("x.1"), &link).unwrap();
    let options = Options::new(&link).audit(Audit::Off);
    let mut watch = ByHand::with(&scratch, options, files.clone());
    assert_eq!(watch.poll_until_settled(), 1);
    let digests = watch.poller.digests();
    for is_dead in [true, false] {
        *files.dead.borrow_mut() = is_dead.then(|| fs::canonicalize(&home).unwrap());
        watch.news_of_a_while();
    }
    assert_eq!(watch.poller.digests(), digests, "and it is not read again");
}

/// A mount on the way to a library goes, and the library is published where the mount was.
#[test]
fn a_way_that_began_at_a_mount_begins_above_when_the_mount_is_gone() {
    if !holds(Rule::ListsMounts) {
        return;
    }
    let scratch = Scratch::new();
    let (files, asked) = spy();
    let (outer, inner) = (scratch.join("outer"), scratch.join("outer/way/inner"));
    fs::create_dir_all(&inner).unwrap();
    files.nfs.mount(&inner);
    let nfs = files.nfs.clone();
    let artifact = Artifact::at(inner.join(library_name("x")));
    artifact.link(&library(1));
    let mut watch = ByHand::watch(&scratch, artifact.path(), files);
    assert_eq!(watch.poll_until_settled(), 1);
    fs::remove_dir_all(outer.join("way")).unwrap();
    nfs.mount(&outer);
    watch.news_of_a_while();
    asked.borrow_mut().clear();
    watch.pass(Duration::from_secs(3));
    watch.poll();
    let above = Asked::LookLink(fs::canonicalize(&outer).unwrap());
    assert!(asked.borrow().contains(&above), "{:?}", asked.borrow());
}

/// Watches what `make` makes of a directory on one network filesystem that is mounted on another one, takes the inner one
/// away, and sees that the names above are asked for, which are those of the outer one now.
#[track_caller]
fn is_asked_above_when_uncovered(make: impl Fn(&Scratch, PathBuf) -> PathBuf) {
    let scratch = Scratch::new();
    let (files, asked) = spy();
    let (outer, inner) = (scratch.join("outer"), scratch.join("outer/way/inner"));
    fs::create_dir_all(&inner).unwrap();
    files.nfs.mount(&inner);
    let nfs = files.nfs.clone();
    let watched = make(&scratch, inner);
    let mut watch = ByHand::watch(&scratch, &watched, files);
    assert_eq!(watch.poll_until_settled(), 1);
    nfs.mount(&outer);
    watch.poll();
    asked.borrow_mut().clear();
    watch.poll();
    let above = Asked::LookLink(fs::canonicalize(&outer).unwrap());
    assert!(asked.borrow().contains(&above), "{:?}", asked.borrow());
}

#[test]
fn a_way_that_began_at_a_mount_begins_above_when_another_server_is_uncovered() {
    if !holds(Rule::ListsMounts) {
        return;
    }
    is_asked_above_when_uncovered(|_, inner| {
        Artifact::at(inner.join(library_name("x"))).link(&library(1));
        inner
    });
}

/// The outer filesystem has such a link, too.
#[test]
fn a_way_to_a_link_begins_above_when_another_server_is_uncovered() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    is_asked_above_when_uncovered(|scratch, inner| {
        let artifact = Artifact::at(scratch.join(library_name("x")));
        artifact.link(&library(1));
        let link = inner.join(library_name("x"));
        make_link(artifact.path(), &link).unwrap();
        link
    });
}

/// What is said of waits and health while a library, or its directory, cannot be looked at, comes back for a moment in
/// which a build settles, cannot be looked at again, and comes back for good.
fn said_of_a_moment(of_directory: bool) -> Vec<&'static str> {
    let scratch = Scratch::new();
    let directory = scratch.join("d");
    fs::create_dir(&directory).unwrap();
    let artifact = Artifact::at(directory.join(library_name("x")));
    artifact.link(&library(1));
    let watched = match of_directory {
        true => directory,
        false => artifact.path().to_owned(),
    };
    let mut watch = ByHand::watch(&scratch, &watched, OsFiles);
    assert_eq!(watch.poll_until_settled(), 1);
    let aside = scratch.join("aside");
    let take_away = || {
        fs::rename(&watched, &aside).unwrap();
        // Nobody can look at a link that leads to itself.
        make_link(&watched, &watched).unwrap();
    };
    let bring_back = || {
        fs::remove_file(&watched).unwrap();
        fs::rename(&aside, &watched).unwrap();
    };
    take_away();
    watch.poll_for(Duration::from_secs(5));
    bring_back();
    fs::write(artifact.path(), library(2)).unwrap();
    watch.poll();
    take_away();
    watch.poll_for(Duration::from_secs(5));
    bring_back();
    watch.poll_for(Duration::from_secs(5));
    let updates = watch.poller.updates().try_iter();
    updates
        .filter_map(|update| match update.news {
            News::Waiting(_) => Some("waiting"),
            News::Degraded(_) => Some("degraded"),
            News::Recovered => Some("recovered"),
            News::Ready(_) => Some("ready"),
            _ => None,
        })
        .collect()
}

/// A wait that is said while a trouble is only just over would have no end, should the trouble return: that is said
/// once.
#[test]
fn a_wait_is_not_said_while_a_library_is_degraded() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    assert_eq!(said_of_a_moment(false), ["ready", "recovered"]);
}

#[test]
fn a_wait_is_not_said_while_a_directory_is_degraded() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    assert_eq!(said_of_a_moment(true), ["ready", "recovered"]);
}
