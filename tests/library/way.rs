//! The way to a library: which directories are asked for names before a look is believed, and what it means that a part
//! of the way is gone.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use replug::watch::{Files as _, Locality, News, OsFiles};
use replug::{Audit, FsPolicy, Options};
use vocabulary::{
    Artifact, Asked, ByHand, Nfs, Rule, Scratch, Spy, failure, holds, library, library_name,
    make_link,
};

/// The requests for the names on the way to a directory of a test, from the root of its filesystem on: for the name of
/// each directory, for a look at it, and for the names in the directory of the test. How many names the directories above
/// hold is nobody's business here, and decides whether they are read; see [`is_of_a_test`].
pub fn asks_on_the_way_to(directory: &Path) -> Vec<Asked> {
    let device = |path: &Path| OsFiles.look(path).unwrap().device;
    let mut above: Vec<_> = directory
        .ancestors()
        .take_while(|above| device(above) == device(directory))
        .collect();
    above.reverse();
    let ask = |directory: &Path| {
        let directory = directory.to_owned();
        [
            Asked::Name(directory.clone()),
            Asked::LookLink(directory.clone()),
            Asked::Names(directory),
        ]
    };
    let asked = above.into_iter().flat_map(ask);
    asked
        .filter(|asked| is_of_a_test(asked, directory))
        .collect()
}

/// Whether a request depends on nothing but the test whose directory this is: not on how many names others have put into
/// the directories above.
pub fn is_of_a_test(asked: &Asked, directory: &Path) -> bool {
    !matches!(asked, Asked::Names(above) if above != directory && directory.starts_with(above))
}

/// The root of a filesystem that is on NFS as long as it is mounted, and a library some directories below.
pub struct Mount {
    pub root: PathBuf,
    pub directory: PathBuf,
    pub artifact: Artifact,
    pub nfs: Nfs,
}

impl Mount {
    /// The mount, and files that know of it and tell `hear` of each request.
    pub fn new<H: Fn(Asked)>(scratch: &Scratch, hear: H) -> (Mount, Spy<H>) {
        let root = scratch.join("mount");
        let directory = root.join("target/debug");
        let files = Spy::on_this_machine(hear);
        let mount = Mount {
            artifact: Artifact::at(directory.join(library_name("x"))),
            root,
            directory,
            nfs: files.nfs.clone(),
        };
        fs::create_dir(&mount.root).unwrap();
        mount.mount();
        (mount, files)
    }

    pub fn mount(&self) {
        self.nfs.mount(&self.root);
        fs::create_dir_all(&self.directory).unwrap();
    }

    pub fn unmount(&self) {
        self.nfs.unmount();
        fs::remove_dir_all(self.root.join("target")).unwrap();
    }
}

#[test]
fn an_idle_poll_on_nfs_looks_at_each_directory_from_the_root_of_the_mount_and_at_the_library() {
    let scratch = Scratch::new();
    let asked = Rc::<RefCell<Vec<Asked>>>::default();
    let heard = Rc::clone(&asked);
    let (mount, files) = Mount::new(&scratch, move |asked| heard.borrow_mut().push(asked));
    mount.artifact.link(&library(1));
    let mut watch = ByHand::watch(&scratch, mount.artifact.path(), files);
    assert_eq!(watch.poll_until_settled(), 1);
    asked.borrow_mut().clear();
    watch.poll();
    let wanted = [
        Asked::LookLink(mount.root.clone()),
        Asked::LookLink(mount.root.join("target")),
        Asked::LookLink(mount.directory.clone()),
        Asked::Look(mount.artifact.path().to_owned()),
    ];
    assert_eq!(asked.take(), wanted);
}

#[test]
fn an_unmounted_library_below_the_root_of_its_mount_is_not_missing() {
    for (is_directory, loses_mount_point) in
        [(false, false), (false, true), (true, false), (true, true)]
    {
        let scratch = Scratch::new();
        let (mount, files) = Mount::new(&scratch, |_| {});
        mount.artifact.link(&library(1));
        let path = match is_directory {
            true => mount.directory.as_path(),
            false => mount.artifact.path(),
        };
        let mut watch = ByHand::watch(&scratch, path, files);
        assert_eq!(watch.poll_until_settled(), 1);
        mount.unmount();
        if loses_mount_point {
            fs::remove_dir(&mount.root).unwrap();
        }
        assert_eq!(watch.news_of_a_while(), ["degraded"], "{path:?}");
        mount.mount();
        mount.artifact.link(&library(1));
        assert_eq!(watch.news_of_a_while(), ["recovered"], "{path:?}");

        // What is removed from a filesystem that is there is missing.
        fs::remove_dir_all(mount.root.join("target")).unwrap();
        assert_eq!(watch.news_of_a_while(), ["missing"], "{path:?}");
        mount.mount();
        mount.artifact.link(&library(2));
        assert_eq!(watch.news_of_a_while(), ["returned"], "{path:?}");
    }
}

#[test]
fn a_linked_library_is_missing_if_its_link_is_removed_and_not_if_its_filesystem_is_unmounted() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (mount, files) = Mount::new(&scratch, |_| {});
    mount.artifact.link(&library(1));
    let link = scratch.join(library_name("x"));
    make_link(mount.artifact.path(), &link).unwrap();
    let mut watch = ByHand::watch(&scratch, &link, files);
    assert_eq!(watch.poll_until_settled(), 1);
    mount.unmount();
    assert_eq!(watch.news_of_a_while(), ["degraded"]);
    mount.mount();
    mount.artifact.link(&library(1));
    assert_eq!(watch.news_of_a_while(), ["recovered"]);
    fs::remove_file(&link).unwrap();
    // Without the link, the path is on the disk of the link.
    assert_eq!(watch.news_of_a_while(), ["placed", "missing"]);
}

#[test]
fn a_filesystem_that_is_mounted_on_the_way_to_nothing_is_noticed_and_said() {
    let scratch = Scratch::new();
    let (mount, files) = Mount::new(&scratch, |_| {});
    mount.unmount();
    let mut watch = ByHand::watch(&scratch, mount.artifact.path(), files);
    assert_eq!(watch.news_of_a_while(), [""; 0]);
    assert_eq!(watch.poller.place().locality, Locality::Local);
    // The directories of the library are not there yet.
    mount.nfs.mount(&mount.root);
    assert_eq!(watch.news_of_a_while(), ["placed"]);
    assert_eq!(watch.poller.place().filesystem, "nfs");
    mount.mount();
    mount.artifact.link(&library(1));
    assert_eq!(watch.poll_until_settled(), 1);
}

/// Unmounts what is watched, and mounts it again just before a question of a poll. Says whether the poll asks so many; if so,
/// sees that the root of the mount is asked from then on.
#[track_caller]
fn is_asked_if_mounted_before_question(number: usize, is_directory: bool) -> bool {
    let scratch = Scratch::new();
    let asked = Rc::<RefCell<Vec<Asked>>>::default();
    let late = Rc::<RefCell<Option<Mount>>>::default();
    let (heard, returns) = (Rc::clone(&asked), Rc::clone(&late));
    let (mount, files) = Mount::new(&scratch, move |question| {
        if heard.borrow().len() == number
            && let Some(mount) = returns.take()
        {
            mount.mount();
            mount.artifact.link(&library(1));
        }
        heard.borrow_mut().push(question);
    });
    mount.artifact.link(&library(1));
    let path = match is_directory {
        true => mount.directory.as_path(),
        false => mount.artifact.path(),
    };
    let mut watch = ByHand::watch(&scratch, path, files);
    assert_eq!(watch.poll_until_settled(), 1);
    mount.unmount();
    assert_eq!(watch.news_of_a_while(), ["degraded"]);
    asked.borrow_mut().clear();
    let root = Asked::LookLink(mount.root.clone());
    *late.borrow_mut() = Some(mount);
    watch.pass(Duration::from_secs(3));
    watch.poll();
    if late.borrow().is_some() {
        return false;
    }
    assert_eq!(watch.news_of_a_while().last(), Some(&"recovered"));
    asked.borrow_mut().clear();
    watch.poll();
    let asked = asked.take();
    assert!(asked.contains(&root), "{number}: {asked:#?}");
    true
}

#[test]
fn a_way_is_asked_from_the_root_of_its_mount_whenever_that_came_back() {
    for is_directory in [false, true] {
        let mut numbers = 0..;
        let last = numbers.find(|it| !is_asked_if_mounted_before_question(*it, is_directory));
        assert!(last > Some(5), "{last:?} questions in a poll");
    }
}

#[test]
fn a_directory_behind_a_link_is_asked_again_once_it_is_not_covered_any_more() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    for is_directory in [false, true] {
        let scratch = Scratch::new();
        let asked = Rc::<RefCell<Vec<Asked>>>::default();
        let heard = Rc::clone(&asked);
        let (mount, files) = Mount::new(&scratch, move |asked| heard.borrow_mut().push(asked));
        let link = mount.root.join("current");
        make_link("target", &link).unwrap();
        mount.artifact.link(&library(1));
        let directory = link.join("debug");
        let path = match is_directory {
            true => directory.clone(),
            false => directory.join(library_name("x")),
        };
        let mut watch = ByHand::watch(&scratch, &path, files);
        assert_eq!(watch.poll_until_settled(), 1);
        fs::remove_dir_all(&mount.directory).unwrap();
        mount.nfs.cover(&mount.root.join("target"));
        assert_eq!(watch.news_of_a_while(), ["degraded"], "{path:?}");
        mount.nfs.uncover();
        assert_eq!(
            watch.news_of_a_while(),
            ["recovered", "missing"],
            "{path:?}"
        );
        asked.borrow_mut().clear();
        watch.poll();
        let asked = asked.take();
        let wanted = Asked::LookLink(mount.root.join("target"));
        assert!(asked.contains(&wanted), "{path:?}: {asked:#?}");
    }
}

/// A link on a mount, which was swapped while nobody said what the directory is to which the link leads by now.
#[test]
fn a_library_at_the_end_of_a_way_that_could_not_be_followed_is_missing_if_removed_and_not_if_covered()
 {
    if !holds(Rule::MakesLinks) {
        return;
    }
    for (is_covered, wanted) in [(true, "degraded"), (false, "missing")] {
        let scratch = Scratch::new();
        let (mount, files) = Mount::new(&scratch, |_| {});
        let (link, ends) = (mount.root.join("current"), ["v1", "v2"]);
        for (number, end) in (1..).zip(ends) {
            let directory = mount.root.join(end);
            fs::create_dir(&directory).unwrap();
            Artifact::at(directory.join(library_name("x"))).link(&library(number));
        }
        make_link("v1", &link).unwrap();
        let faults = files.faults.clone();
        let mut watch = ByHand::watch(&scratch, &link.join(library_name("x")), files);
        assert_eq!(watch.poll_until_settled(), 1);

        let end = mount.root.join("v2");
        let failing = end.clone();
        faults.begin(move |asked| {
            (*asked == Asked::Look(failing.clone())).then_some(failure::TIMED_OUT)
        });
        make_link("v2", mount.root.join("new")).unwrap();
        fs::rename(mount.root.join("new"), &link).unwrap();
        assert_eq!(watch.poll_until_settled(), 1, "it is found all the same");
        fs::remove_file(end.join(library_name("x"))).unwrap();
        if is_covered {
            mount.nfs.cover(&end);
        }
        faults.end();
        assert_eq!(watch.news_of_a_while(), [wanted], "covered: {is_covered}");
    }
}

#[test]
fn a_way_that_could_not_be_followed_is_learned_once_it_can_be() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let asked = Rc::<RefCell<Vec<Asked>>>::default();
    let heard = Rc::clone(&asked);
    let files = Spy::on_this_machine(move |asked| heard.borrow_mut().push(asked));
    let path = scratch.join(library_name("current/x"));
    for (number, version) in (1..).zip(["v1", "v2"]) {
        fs::create_dir(scratch.join(version)).unwrap();
        Artifact::at(scratch.join(version).join(library_name("x"))).link(&library(number));
    }
    make_link("v1", scratch.join("current")).unwrap();
    let faults = files.faults.clone();
    let mut watch = ByHand::watch(&scratch, &path, files);
    assert_eq!(watch.poll_until_settled(), 1);
    let end = scratch.join("v2");
    faults.begin(move |asked| (*asked == Asked::Look(end.clone())).then_some(failure::TIMED_OUT));
    make_link("v2", scratch.join("new")).unwrap();
    fs::rename(scratch.join("new"), scratch.join("current")).unwrap();
    assert_eq!(watch.poll_until_settled(), 1);
    faults.end();
    let mut is_followed = || {
        asked.borrow_mut().clear();
        watch.poll();
        asked.take().contains(&Asked::Route(path.clone()))
    };
    assert!(is_followed(), "nobody knows where it is at home");
    assert!(!is_followed(), "an idle poll follows no way");
}

#[test]
fn a_watched_directory_that_is_a_swapped_link_is_another_directory() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    for version in ["v1", "v2"] {
        fs::create_dir(scratch.join(version)).unwrap();
    }
    // One file with two names: only reading can tell.
    let artifact = Artifact::at(scratch.join(library_name("v1/x")));
    artifact.link(&library(1));
    fs::hard_link(artifact.path(), scratch.join(library_name("v2/x"))).unwrap();
    Artifact::at(scratch.join(library_name("v2/y"))).link(&library(2));
    let current = scratch.join("current");
    make_link("v1", &current).unwrap();
    let options = Options::new(&current).audit(Audit::Off);
    let mut watch = ByHand::with(&scratch, options, replug::watch::OsFiles);
    assert_eq!(watch.poll_until_settled(), 1);
    let digests = watch.poller.digests();
    make_link("v2", scratch.join("new")).unwrap();
    fs::rename(scratch.join("new"), &current).unwrap();
    assert_eq!(watch.poll_until_settled(), 1);
    assert!(watch.poller.digests() > digests + 1, "both were read");
}

#[test]
fn a_directory_on_the_way_that_becomes_a_link_is_followed_and_asked() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let asked = Rc::<RefCell<Vec<Asked>>>::default();
    let heard = Rc::clone(&asked);
    let files = Spy::on_this_machine(move |asked| heard.borrow_mut().push(asked));
    let (way, elsewhere) = (scratch.join("way"), scratch.join("elsewhere/inner"));
    fs::create_dir(&way).unwrap();
    fs::create_dir(scratch.join("elsewhere")).unwrap();
    let artifact = Artifact::at(way.join(library_name("x")));
    artifact.link(&library(1));
    let options = Options::new(artifact.path()).fs(FsPolicy::Remote);
    let mut watch = ByHand::with(&scratch, options, files);
    assert_eq!(watch.poll_until_settled(), 1);
    // The very file, behind a link.
    fs::rename(&way, &elsewhere).unwrap();
    make_link(&elsewhere, &way).unwrap();
    assert_eq!(watch.poll_until_settled(), 0, "the bytes are the same");
    asked.borrow_mut().clear();
    watch.poll();
    let asked = asked.take();
    for directory in [scratch.join("elsewhere"), elsewhere] {
        assert!(asked.contains(&Asked::Names(directory)), "{asked:?}");
    }
}

#[test]
fn a_link_that_has_come_to_be_there_is_followed_and_asked_though_nothing_is_found_behind_it() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let asked = Rc::<RefCell<Vec<Asked>>>::default();
    let heard = Rc::clone(&asked);
    let files = Spy::on_this_machine(move |asked| heard.borrow_mut().push(asked));
    let (path, elsewhere) = (scratch.join(library_name("x")), scratch.join("elsewhere"));
    let inner = elsewhere.join("inner");
    fs::create_dir_all(&inner).unwrap();
    let options = Options::new(&path).fs(FsPolicy::Remote);
    let mut watch = ByHand::with(&scratch, options, files);
    watch.poll();
    make_link(inner.join(library_name("x")), &path).unwrap();
    watch.poll();
    asked.borrow_mut().clear();
    watch.poll();
    let asked = asked.take();
    for directory in [elsewhere, inner] {
        assert!(asked.contains(&Asked::Names(directory)), "{asked:?}");
    }
}

#[test]
fn a_directory_on_the_way_that_cannot_be_asked_is_a_failure_to_look() {
    if !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let (way, aside) = (scratch.join("way"), scratch.join("aside"));
    fs::create_dir(&way).unwrap();
    let artifact = Artifact::at(way.join(library_name("x")));
    artifact.link(&library(1));
    let options = Options::new(artifact.path()).fs(FsPolicy::Remote);
    let mut watch = ByHand::with(&scratch, options, Spy::on_this_machine(|_| {}));
    assert_eq!(watch.poll_until_settled(), 1);
    fs::rename(&way, &aside).unwrap();
    make_link("way", &way).unwrap();
    let mut said = Vec::new();
    for _ in 0..10 {
        watch.pass(Duration::from_secs(3));
        watch.poll();
        said.extend(watch.poller.updates().try_iter());
    }
    assert!(
        matches!(said.as_slice(), [update] if matches!(update.news, News::Degraded(_))),
        "{said:?}"
    );
    fs::remove_file(&way).unwrap();
    fs::rename(&aside, &way).unwrap();
    assert_eq!(watch.news_of_a_while(), ["recovered"]);
}
