//! Who may run, by a list of digests and by a check of a host's own.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use replug::error::{Error, Step};
use replug::watch::{Files, News, OsFiles};
use replug::{Digest, Options};
use vocabulary::{Artifact, Asked, ByHand, Scratch, Spy, library, library_name};

/// Longer than anything has to hold still, and than any pause before the checks are asked again.
const A_WHILE: Duration = Duration::from_secs(5);

/// Polls for a while, and says what was decided: `ready`, or the words of a refusal, each with the digest.
fn decided<F: Files>(watch: &mut ByHand<F>) -> Vec<String> {
    watch.poll_for(A_WHILE);
    let updates = watch.poller.updates().try_iter();
    let decided = updates.filter_map(|update| match update.news {
        News::Ready(ready) => Some(format!("ready {}", ready.digest())),
        News::Kept { digest, error } => {
            assert!(matches!(error, Error::Admission { .. }), "{error}");
            assert_eq!(error.step(), Step::Trust);
            let words = replug::chain(&error);
            Some(format!("kept {}: {words}", digest.unwrap()))
        }
        _ => None,
    });
    decided.collect()
}

fn digest(number: u32) -> Digest {
    Digest::of(&library(number))
}

fn publish(path: &Path, number: u32) {
    Artifact::at(path).replace_with(&library(number));
}

#[test]
fn what_is_not_in_the_list_is_kept_out_until_it_is() {
    let scratch = Scratch::new();
    let (path, list) = (scratch.join(library_name("x")), scratch.join("allowed"));
    let allow = |digests: &[Digest]| {
        let lines = digests.iter().map(|it| format!("{it}  libx.so\n"));
        fs::write(&list, lines.collect::<String>()).unwrap();
    };
    publish(&path, 1);
    let refused = |number, why: &str| {
        let (digest, path) = (digest(number), path.display());
        vec![format!(
            "kept {digest}: cannot admit `{path}`: {why} `{}`",
            list.display()
        )]
    };
    let ready = |number| vec![format!("ready {}", digest(number))];
    let absent = |number| refused(number, &format!("{} is not in the list", digest(number)));
    let mut watch = ByHand::with(&scratch, Options::new(&path).allow(&list), OsFiles);
    let said = decided(&mut watch);
    assert!(said[0].contains("cannot read the list"), "{said:?}");
    assert!(decided(&mut watch).is_empty(), "it is said once");
    allow(&[digest(1), digest(2)]);
    assert_eq!(decided(&mut watch), ready(1));
    publish(&path, 2);
    assert_eq!(decided(&mut watch), ready(2));
    publish(&path, 3);
    assert_eq!(decided(&mut watch), absent(3));
    // What was live before is no news, and stays live when it is taken from the list.
    allow(&[digest(1)]);
    publish(&path, 1);
    assert_eq!(decided(&mut watch), ready(1));
    allow(&[]);
    assert!(decided(&mut watch).is_empty());
    publish(&path, 3);
    assert_eq!(decided(&mut watch), absent(3));
    fs::write(&list, format!("{}\nnobody\n", digest(3))).unwrap();
    assert!(
        decided(&mut watch).is_empty(),
        "a list that cannot be read allows nothing"
    );
    allow(&[digest(3)]);
    assert_eq!(decided(&mut watch), ready(3));
}

#[test]
fn a_refused_build_is_not_read_again_and_the_check_is_asked_seldom() {
    let scratch = Scratch::new();
    let path = scratch.join(library_name("x"));
    publish(&path, 1);
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let asked = &ASKED;
    let options = Options::new(&path).admit(move |applicant| {
        assert_eq!(applicant.digest(), digest(1));
        ASKED.fetch_add(1, Ordering::Relaxed);
        Err("not today".into())
    });
    let opened = AtomicU64::new(0);
    let spy = Spy::on_this_machine(|question| {
        if matches!(question, Asked::Open(_)) {
            opened.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut watch = ByHand::with(&scratch, options, spy);
    let kept = decided(&mut watch);
    assert_eq!(kept.len(), 1);
    assert!(kept[0].ends_with("not today"), "{kept:?}");
    let before = [&opened, asked].map(|it| it.load(Ordering::Relaxed));
    assert!(decided(&mut watch).is_empty());
    assert_eq!(opened.load(Ordering::Relaxed), before[0]);
    let asked = asked.load(Ordering::Relaxed) - before[1];
    assert!((2..=3).contains(&asked), "{asked} times in five seconds");
}

#[test]
fn a_check_is_told_what_the_signature_says() {
    let scratch = Scratch::new();
    let path = scratch.join(library_name("x"));
    publish(&path, 1);
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let signed = format!("{}\n", digest(1));
    let signature = minisign::sign(None, &pair.sk, signed.as_bytes(), Some("x 1.2"), None).unwrap();
    fs::write(
        scratch.join(library_name("x") + ".minisig"),
        signature.to_string(),
    )
    .unwrap();
    for (wanted, word) in [("x 1.2", "ready"), ("x 1.3", "it is x 1.2")] {
        let options = Options::new(&path).require_signature(&pair.pk.to_base64());
        let options = options
            .unwrap()
            .admit(move |applicant| match applicant.comment() {
                Some(comment) if comment == wanted => Ok(()),
                comment => Err(format!("it is {}", comment.unwrap()).into()),
            });
        let mut watch = ByHand::with(&scratch, options, OsFiles);
        let said = decided(&mut watch);
        assert!(said.len() == 1 && said[0].contains(word), "{said:?}");
    }
    let refused = Options::new(&path).require_signature("RWnone").unwrap_err();
    assert!(refused.to_string().contains("begins with `RW`"));
}

#[test]
fn each_check_must_agree_and_one_that_panics_refuses() {
    let scratch = Scratch::new();
    let path = scratch.join(library_name("x"));
    publish(&path, 1);
    for (panics, word) in [(false, "ready"), (true, "the check panicked")] {
        let options = Options::new(&path)
            .admit(|_| Ok(()))
            .admit(move |_| match panics {
                true => panic!("a check's own"),
                false => Ok(()),
            });
        let mut watch = ByHand::with(&scratch, options, OsFiles);
        let said = decided(&mut watch);
        assert!(said.len() == 1 && said[0].contains(word), "{said:?}");
    }
}
