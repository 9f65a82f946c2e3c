//! Hosts that ask for signatures: by what these say of builds, nothing older takes the place of what is live, unless somebody
//! asks for that.

use std::fs;
use std::time::{Duration, Instant};

use crate::decided::{decided, digest, next};
use minisign::KeyPair;
use replug::error::Step;
use replug::watch::News;
use replug::{Host, HostSet, Options, Outcome, Text};
use vocabulary::{Artifact, DEADLINE, Scratch, end, library, plugin_function, version};

/// A library that is published with a signature, and a key.
struct Ground {
    scratch: Scratch,
    artifact: Artifact,
    key: KeyPair,
}

impl Ground {
    fn new() -> Ground {
        let scratch = Scratch::new();
        Ground {
            artifact: scratch.artifact(),
            key: KeyPair::generate_unencrypted_keypair().unwrap(),
            scratch,
        }
    }

    /// Signs a build with these words.
    fn sign(&self, number: u32, comment: &str) {
        let signed = format!("{}\n", digest(number));
        let made = minisign::sign(None, &self.key.sk, signed.as_bytes(), Some(comment), None);
        let library = self.artifact.path().extension().unwrap();
        let beside = format!("{}.minisig", library.display());
        let place = self.artifact.path().with_extension(beside);
        Artifact::at(place).replace_with(made.unwrap().to_string().as_bytes());
    }

    /// Publishes a build with its signature.
    fn publish(&self, number: u32, comment: &str) {
        self.sign(number, comment);
        self.artifact.replace_with(&library(number));
    }

    fn options(&self) -> Options {
        let options = Options::new(self.artifact.path())
            .stage_dir(self.scratch.stage())
            .interval(Duration::from_millis(10))
            .probation(Duration::ZERO);
        options.require_signature(&self.key.pk.to_base64()).unwrap()
    }

    fn host(&self) -> Host<Text> {
        host(self.options())
    }

    fn host_with_store(&self) -> Host<Text> {
        host(self.options().store(self.scratch.join("store")))
    }
}

fn host(options: Options) -> Host<Text> {
    Host::<Text>::watch(plugin_function(), options).unwrap()
}

#[track_caller]
fn assert_refused(host: &mut Host<Text>, words: &[&str]) {
    let (step, reason) = next(host).unwrap_err();
    assert_eq!(step, Step::Trust, "{reason}");
    for words in words {
        assert!(reason.contains(words), "{words} in {reason}");
    }
}

#[test]
fn what_is_older_or_of_another_name_or_of_no_version_is_kept_out_and_what_is_live_goes_on() {
    let ground = Ground::new();
    ground.publish(1, "rules 1.10.0");
    let mut host = ground.host();
    assert_eq!(next(&mut host), Ok(digest(1)));
    ground.publish(2, "rules 1.9.0");
    let both = [
        "`rules 1.9.0`, which is older",
        "`rules 1.10.0`",
        "--allow-downgrade",
    ];
    assert_refused(&mut host, &both);
    ground.publish(3, "prices 2.0.0");
    assert_refused(&mut host, &["`prices 2.0.0`, which is another name"]);
    ground.publish(4, "librules.so");
    assert_refused(&mut host, &["`librules.so`", "no name and version"]);
    assert!(host.call(c"you").unwrap().contains(&version(1)));
    // The very bytes that were refused, signed anew.
    ground.sign(4, "rules 1.10.0 by ada");
    assert_eq!(next(&mut host), Ok(digest(4)));
}

#[test]
fn what_is_refused_is_refused_once_while_nothing_changes() {
    let ground = Ground::new();
    ground.publish(1, "rules 2.0.0");
    let mut host = ground.host();
    assert_eq!(next(&mut host), Ok(digest(1)));
    ground.publish(2, "rules 1.0.0");
    assert_refused(&mut host, &["which is older"]);
    // Longer than until the check is asked again.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        let said = host.wait(Duration::from_millis(100)).and_then(decided);
        assert_eq!(said, None);
    }
}

#[test]
fn downgrades_are_loaded_where_they_are_allowed() {
    let ground = Ground::new();
    ground.publish(1, "rules 2.0.0");
    let mut host = host(ground.options().allow_downgrade(true));
    for (number, comment) in [
        (1, ""),
        (2, "rules 1.0.0"),
        (3, "prices 0.1.0"),
        (4, "none"),
    ] {
        if number > 1 {
            ground.publish(number, comment);
        }
        assert_eq!(next(&mut host), Ok(digest(number)));
    }
}

#[test]
fn an_update_that_was_older_than_the_one_before_it_in_the_queue_is_kept_out_at_the_swap() {
    let ground = Ground::new();
    ground.publish(1, "rules 1.0.0");
    let mut host = ground.host();
    assert_eq!(next(&mut host), Ok(digest(1)));
    let ready = |host: &Host<Text>| {
        loop {
            let update = host.updates().recv_timeout(DEADLINE).unwrap();
            if matches!(update.news, News::Ready(_)) {
                return update;
            }
        }
    };
    // The owner has taken one update and not applied it; by what is live, the next one is fine.
    ground.publish(3, "rules 3.0.0");
    let three = ready(&host);
    ground.publish(2, "rules 2.0.0");
    let two = ready(&host);
    let live = host.apply(three).and_then(decided);
    assert_eq!(live, Some(Ok(digest(3))));
    let (step, words) = host.apply(two).and_then(decided).unwrap().unwrap_err();
    assert_eq!(step, Step::Trust);
    assert!(words.contains("`rules 2.0.0`, which is older"), "{words}");
    assert!(host.call(c"you").unwrap().contains(&version(3)));
}

#[test]
fn with_a_store_the_next_run_remembers_and_what_is_asked_for_comes_back_all_the_same() {
    let ground = Ground::new();
    ground.publish(1, "rules 1.0.0");
    let mut host = ground.host_with_store();
    assert_eq!(next(&mut host), Ok(digest(1)));
    ground.publish(2, "rules 2.0.0");
    assert_eq!(next(&mut host), Ok(digest(2)));
    end(host);
    ground.publish(1, "rules 1.0.0");
    let mut host = ground.host_with_store();
    assert_refused(
        &mut host,
        &["`rules 1.0.0`, which is older", "`rules 2.0.0`"],
    );
    assert!(host.live().is_none());
    // Somebody wants it, whatever its version.
    host.back_to(digest(1)).unwrap();
    assert_eq!(next(&mut host), Ok(digest(1)));
    end(host);
    // It is at the path as well, and was chosen.
    let mut host = ground.host_with_store();
    assert_eq!(next(&mut host), Ok(digest(1)));
    ground.publish(3, "rules 1.5.0");
    assert_eq!(next(&mut host), Ok(digest(3)), "2.0.0 was left");
    ground.publish(4, "rules 1.4.0");
    assert_refused(&mut host, &["which is older"]);
}

#[test]
fn what_is_released_runs_whatever_its_version() {
    let ground = Ground::new();
    ground.publish(1, "rules 2.0.0");
    let mut host = ground.host_with_store();
    assert_eq!(next(&mut host), Ok(digest(1)));
    end(host);
    let mut host = self::host(
        ground
            .options()
            .allow_downgrade(true)
            .store(ground.scratch.join("store")),
    );
    assert_eq!(next(&mut host), Ok(digest(1)));
    ground.publish(2, "rules 1.0.0");
    assert_eq!(next(&mut host), Ok(digest(2)));
    host.back().unwrap();
    assert_eq!(next(&mut host), Ok(digest(1)));
    end(host);
    let mut host = ground.host_with_store();
    // It was left, and is older: what is live comes out of the store.
    loop {
        if next(&mut host) == Ok(digest(1)) {
            break;
        }
    }
    host.release(Some(digest(2))).unwrap();
    assert_eq!(next(&mut host), Ok(digest(2)));
}

#[test]
fn what_was_let_go_of_is_compared_with_no_longer_and_what_is_only_gone_is() {
    let ground = Ground::new();
    ground.publish(1, "rules 2.0.0");
    let directory = ground.artifact.path().parent().unwrap();
    let options = Options::new(directory)
        .stage_dir(ground.scratch.stage())
        .interval(Duration::from_millis(10))
        .require_signature(&ground.key.pk.to_base64());
    let mut hosts = HostSet::<Text>::watch(plugin_function(), options.unwrap()).unwrap();
    let next = |hosts: &mut HostSet<Text>| {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            let told = hosts.wait(Duration::from_millis(100));
            match told.map(|(_, outcome)| outcome) {
                Some(Outcome::Missing) => return None,
                Some(outcome) => {
                    if let Some(decided) = decided(outcome) {
                        return Some(decided.map_err(|(step, _)| step));
                    }
                }
                None => {}
            }
        }
        panic!("nothing happened in time");
    };
    assert_eq!(next(&mut hosts), Some(Ok(digest(1))));
    fs::remove_file(ground.artifact.path()).unwrap();
    assert_eq!(next(&mut hosts), None);
    ground.publish(2, "rules 1.0.0");
    assert_eq!(next(&mut hosts), Some(Err(Step::Trust)));
    let name = hosts.iter().next().unwrap().name();
    fs::remove_file(ground.artifact.path()).unwrap();
    assert_eq!(next(&mut hosts), None);
    hosts.remove(&name).unwrap();
    ground.publish(2, "rules 1.0.0");
    assert_eq!(next(&mut hosts), Some(Ok(digest(2))));
}
