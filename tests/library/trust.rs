//! Whom the library trusts to write what it loads. What two users do to each other is in the labs; here one user opens and
//! closes what is his own, below a temporary directory that others cannot harm.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::Duration;

use replug::error::{Error, Step};
use replug::watch::{Files, News, OsFiles};
use replug::{Options, Trust, Warning};
use vocabulary::{
    Artifact, Asked, ByHand, Rule, Scratch, Spy, holds, library, library_name, make_link, set_mode,
};

/// Longer than anything has to hold still, and than any pause before a new try.
const A_WHILE: Duration = Duration::from_secs(5);

/// Polls for a while, and says what was heard: `ready`, or the words of a warning, of a refusal, or of a wait after those.
fn heard<F: Files>(watch: &mut ByHand<F>) -> Vec<String> {
    watch.poll_for(A_WHILE);
    let updates = watch.poller.updates().try_iter();
    let heard = updates.filter_map(|update| match update.news {
        News::Ready(_) => Some("ready".to_owned()),
        News::Warned(warning @ Warning::Trust(_)) => Some(format!("warned: {warning}")),
        News::Kept { error, .. } => {
            assert_eq!(error.step(), Step::Trust, "{error}");
            assert!(matches!(error, Error::Trust { .. }));
            Some(format!("kept: {}", replug::chain(&error)))
        }
        News::Waiting(reason) => Some(format!("waiting: {reason}")),
        _ => None,
    });
    // A file may first have to hold still; but whoever was told more does not wait any longer.
    let is_waiting = |said: &String| said.starts_with("waiting");
    heard.skip_while(is_waiting).collect()
}

/// A library that is closed to others, in a directory that is so as well.
fn closed_library(scratch: &Scratch) -> std::path::PathBuf {
    let directory = scratch.join("libraries");
    fs::create_dir(&directory).unwrap();
    set_mode(&directory, 0o755);
    let path = directory.join(library_name("x"));
    publish(&path, 1, 0o644);
    path
}

/// Renames a new build into place.
fn publish(path: &Path, number: u32, mode: u32) {
    let new = path.with_extension("new");
    fs::write(&new, library(number)).unwrap();
    set_mode(&new, mode);
    fs::rename(new, path).unwrap();
}

#[test]
fn a_library_that_only_its_user_can_change_is_loaded_without_a_word() {
    if !holds(Rule::JudgesRights) {
        return;
    }
    let scratch = Scratch::new();
    let path = closed_library(&scratch);
    for trust in [Trust::Strict, Trust::Warn, Trust::Off] {
        let options = Options::new(&path).trust(trust);
        let mut watch = ByHand::with(&scratch, options, OsFiles);
        assert_eq!(heard(&mut watch), ["ready"], "{trust:?}");
    }
}

#[test]
fn what_others_can_write_is_said_once_and_loaded() {
    if !holds(Rule::JudgesRights) {
        return;
    }
    let scratch = Scratch::new();
    let path = closed_library(&scratch);
    set_mode(&path, 0o666);
    let mut watch = ByHand::with(&scratch, Options::new(&path), OsFiles);
    let said = heard(&mut watch);
    assert_eq!(said.len(), 2, "{said:?}");
    let words = format!("everybody can write to `{}`", path.display());
    assert!(
        said[0].starts_with("warned: ") && said[0].contains(&words),
        "{said:?}"
    );
    assert!(said[0].contains("mode 0666"), "{said:?}");
    assert_eq!(said[1], "ready");
    // The next build has the same flaw, and the one after that has none.
    publish(&path, 2, 0o666);
    assert_eq!(heard(&mut watch), ["ready"]);
    publish(&path, 3, 0o644);
    assert_eq!(heard(&mut watch), ["ready"]);
    publish(&path, 4, 0o666);
    assert_eq!(
        heard(&mut watch).len(),
        2,
        "a flaw that comes again is news"
    );
}

#[test]
fn strict_keeps_out_what_others_can_write_until_its_rights_are_mended() {
    if !holds(Rule::JudgesRights) {
        return;
    }
    let scratch = Scratch::new();
    let path = closed_library(&scratch);
    let directory = path.parent().unwrap();
    let mut watch = ByHand::with(&scratch, Options::new(&path).trust(Trust::Strict), OsFiles);
    // It came whole, so that nothing had to be waited for before.
    Artifact::at(&path).restore(&library(1));
    set_mode(&path, 0o644);
    // A look at the file sees nothing of what happens to the rights of the directory.
    set_mode(directory, 0o777);
    let said = heard(&mut watch);
    assert_eq!(
        said.len(),
        1,
        "said once, and nothing is waited for: {said:?}"
    );
    let words = format!("kept: cannot trust `{}`: others may change", path.display());
    assert!(said[0].starts_with(&words), "{said:?}");
    assert!(said[0].contains("mode 0777"), "{said:?}");
    assert!(heard(&mut watch).is_empty());
    set_mode(directory, 0o755);
    assert_eq!(heard(&mut watch), ["ready"]);
    publish(&path, 2, 0o666);
    assert_eq!(heard(&mut watch).len(), 1);
    // Another reason is another word.
    set_mode(directory, 0o777);
    assert_eq!(heard(&mut watch).len(), 1);
    set_mode(directory, 0o755);
    set_mode(&path, 0o644);
    assert_eq!(heard(&mut watch).last().map(String::as_str), Some("ready"));
}

#[test]
fn the_way_behind_a_link_counts_like_the_way_to_it() {
    if !holds(Rule::JudgesRights) || !holds(Rule::MakesLinks) {
        return;
    }
    let scratch = Scratch::new();
    let path = closed_library(&scratch);
    let directory = path.parent().unwrap();
    let link = scratch.join("link.so");
    make_link(&path, &link).unwrap();
    set_mode(directory, 0o777);
    let options = Options::new(&link).trust(Trust::Strict);
    let said = heard(&mut ByHand::with(&scratch, options, OsFiles));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(&format!("`{}`", directory.display())),
        "{said:?}"
    );
}

#[test]
fn a_sticky_directory_is_as_good_as_what_is_in_it() {
    if !holds(Rule::JudgesRights) {
        return;
    }
    let scratch = Scratch::new();
    let path = closed_library(&scratch);
    set_mode(path.parent().unwrap(), 0o1777);
    let options = Options::new(&path).trust(Trust::Strict);
    let mut watch = ByHand::with(&scratch, options, OsFiles);
    assert_eq!(heard(&mut watch), ["ready"]);
}

#[test]
fn libraries_of_one_directory_say_once_what_is_wrong_with_it() {
    if !holds(Rule::JudgesRights) {
        return;
    }
    let scratch = Scratch::new();
    let path = closed_library(&scratch);
    let directory = path.parent().unwrap();
    for name in [library_name("y"), library_name("z")] {
        publish(&directory.join(name), 2, 0o644);
    }
    set_mode(directory, 0o777);
    let mut watch = ByHand::with(&scratch, Options::new(directory), OsFiles);
    let said = heard(&mut watch);
    let warned = said.iter().filter(|said| said.starts_with("warned"));
    assert_eq!(warned.count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|said| *said == "ready").count(), 3);
}

#[test]
fn rights_are_asked_for_only_when_a_change_is_followed_and_never_if_trust_is_off() {
    if !holds(Rule::JudgesRights) {
        return;
    }
    let scratch = Scratch::new();
    let path = closed_library(&scratch);
    for (trust, at_first, after_a_change) in [(Trust::Warn, true, true), (Trust::Off, false, false)]
    {
        let asked = RefCell::new(0);
        let spy = Spy::on_this_machine(|question| {
            if matches!(question, Asked::Rights(_)) {
                *asked.borrow_mut() += 1;
            }
        });
        let options = Options::new(&path).trust(trust);
        let mut watch = ByHand::with(&scratch, options, spy);
        watch.poll_until_settled();
        assert_eq!(asked.replace(0) > 0, at_first, "{trust:?}");
        watch.poll_for(A_WHILE);
        assert_eq!(asked.replace(0), 0, "an idle poll, {trust:?}");
        publish(&path, 2, 0o644);
        watch.poll_for(A_WHILE);
        assert_eq!(asked.replace(0) > 0, after_a_change, "{trust:?}");
        publish(&path, 1, 0o644);
    }
}
