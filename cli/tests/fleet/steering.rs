//! `replug rollout`: waves that go on and back by themselves, and two who steer.

use std::time::Duration;

use serde_json::Value;
use vocabulary::Line;

use crate::ground::{Ground, MANIFEST};

/// A fleet of four hosts with a stable build, and the mirrors of the hosts.
fn fleet(ground: &mut Ground) -> (Vec<vocabulary::Program>, replug::Digest) {
    let stable = ground.add(1);
    let hosts = ["h1", "h2", "h3", "h4"];
    let mut mirrors: Vec<_> = hosts.iter().map(|it| ground.mirror(it, &[])).collect();
    for mirror in &mut mirrors {
        mirror.wait_for_event("reported");
    }
    ground.decide(&[
        "start",
        &stable.to_string(),
        "--fleet",
        "rules",
        "--waves",
        "100%",
    ]);
    ground.decide(&["promote"]);
    for (mirror, host) in mirrors.iter_mut().zip(hosts) {
        mirror.wait_for_event("mirrored");
        ground.host_says(host, "loaded", stable);
    }
    (mirrors, stable)
}

/// The host that alone has a build.
fn only_one(ground: &Ground, digest: replug::Digest) -> &'static str {
    let hosts = ["h1", "h2", "h3", "h4"];
    let mut having = hosts
        .into_iter()
        .filter(|it| ground.published(it) == Some(digest));
    let one = having.next().unwrap();
    assert_eq!(having.next(), None);
    one
}

#[test]
fn a_build_goes_on_wave_by_wave_while_hosts_are_well_and_its_end_is_stable() {
    let mut ground = Ground::new();
    let (mut mirrors, stable) = fleet(&mut ground);
    let new = ground.add(2);
    let started = ground.decide(&[
        "start",
        &new.to_string(),
        "--waves",
        "1,50%,100%",
        "--bake",
        "0s",
    ]);
    assert_eq!(started.text("state"), "going");
    let mut driver = ground.steers("bob", &["drive"]);
    driver.wait_for_event("verdict");
    let mut told = Vec::new();
    for count in [1, 2, 4] {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while told.len() < count {
            for (mirror, host) in mirrors.iter_mut().zip(["h1", "h2", "h3", "h4"]) {
                mirror.go_on_for(Duration::from_millis(5));
                if !told.contains(&host) && ground.published(host) == Some(new) {
                    // No more hosts have it than the waves that are open.
                    ground.host_says(host, "loaded", new);
                    told.push(host);
                }
            }
            assert!(
                std::time::Instant::now() < deadline,
                "only {told:?} have it"
            );
        }
    }
    let ended = driver.end();
    ended.assert_quiet_success();
    let decided = ended.said("decided");
    let what: Vec<_> = decided.iter().map(|it| it.text("what")).collect();
    assert_eq!(what, ["next", "next", "done"]);
    assert!(decided.iter().all(|it| it.text("by") == "bob"));
    let status = ground.rollout(&["status"]);
    let rollout = status.said("rollout")[0];
    assert_eq!(rollout.text("stable"), new.to_string());
    assert_eq!(rollout.text("state"), "done");
    assert_eq!(status.said("host").len(), 4);
    // A host that is gone is one less. Its last report has come, for one that is on its way when the mirror is killed can
    // come after all.
    let mut last = mirrors.pop().unwrap();
    let sequence = rollout.number("sequence");
    let is_last = |it: &Line| it.event() == "reported" && it.number("sequence") == sequence;
    if !last.said.iter().any(is_last) {
        last.wait_for("its last report", is_last);
    }
    drop(last);
    ground.decide(&["forget", "h4"]);
    assert_eq!(ground.rollout(&["status"]).said("host").len(), 3);
    // And back by hand, to the one before.
    ground.decide(&["back"]);
    for mirror in &mut mirrors {
        mirror.wait_for("the one before", |it| {
            it.event() == "mirrored" && it.text("sha256") == stable.to_string()
        });
    }
}

#[test]
fn a_bad_build_stays_in_the_first_wave_and_goes_back_with_the_reason() {
    let mut ground = Ground::new();
    let (mut mirrors, stable) = fleet(&mut ground);
    let bad = ground.add(2);
    ground.decide(&[
        "start",
        &bad.to_string(),
        "--waves",
        "1,100%",
        "--bake",
        "0s",
    ]);
    let driver = ground.steers("bob", &["drive"]);
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !["h1", "h2", "h3", "h4"]
        .iter()
        .any(|it| ground.published(it) == Some(bad))
    {
        assert!(std::time::Instant::now() < deadline);
        mirrors[0].go_on_for(Duration::from_millis(5));
    }
    let host = only_one(&ground, bad);
    ground.host_says(host, "kept", bad);
    let ended = driver.end();
    assert_eq!(ended.status.code(), Some(1));
    let back = ended.said("decided")[0];
    assert_eq!(back.text("what"), "back");
    assert_eq!(back.text("why"), format!("{host}: at init: not today"));
    let number = host[1..].parse::<usize>().unwrap() - 1;
    mirrors[number].wait_for("the stable one", |it| {
        it.event() == "mirrored" && it.text("sha256") == stable.to_string() && it.number("had") > 0
    });
    for host in ["h1", "h2", "h3", "h4"] {
        assert_eq!(ground.published(host), Some(stable));
    }
    for mirror in mirrors {
        let ended = mirror.stop();
        let of_bad = ended.said("mirrored");
        let of_bad = of_bad
            .iter()
            .filter(|it| it.text("sha256") == bad.to_string());
        assert!(of_bad.count() <= usize::from(ended.said("reported")[0].event() == "reported"));
    }
}

#[test]
fn a_host_of_which_nobody_tells_is_unknown_and_holds_a_rollout_until_a_person_goes_on() {
    let mut ground = Ground::new();
    let (mut mirrors, _) = fleet(&mut ground);
    let new = ground.add(2);
    ground.decide(&[
        "start",
        &new.to_string(),
        "--waves",
        "1,100%",
        "--bake",
        "0s",
    ]);
    let mut driver = ground.steers("bob", &["drive"]);
    driver.wait_for("a verdict", |it| it.event() == "verdict");
    driver.go_on_for(Duration::from_millis(300));
    assert!(driver.said("decided").is_empty());
    ground.decide(&["hold"]);
    ground.decide(&["promote"]);
    ground.decide(&["promote"]);
    for mirror in &mut mirrors {
        mirror.wait_for("the new one", |it| {
            it.event() == "mirrored" && it.text("sha256") == new.to_string()
        });
    }
    driver.end().assert_quiet_success();
}

#[test]
fn of_two_who_steer_at_once_one_wins_and_the_other_is_told() {
    for mut ground in [Ground::new(), Ground::in_a_directory()] {
        let (mirrors, _) = fleet(&mut ground);
        drop(mirrors);
        let new = ground.add(2);
        ground.decide(&["start", &new.to_string(), "--waves", "1,50%,100%"]);
        let is_server = ground.url.starts_with("s3");
        // In a server both have read before either writes; in a directory chance has a say.
        if is_server {
            ground.server.meet(2);
        }
        let both = ["ada", "bob"].map(|by| ground.steers(by, &["hold"]));
        let [one, other] = both.map(|it| it.end());
        let codes = [one.status.code(), other.status.code()];
        assert!(
            codes.contains(&Some(0)) && codes.contains(&Some(1)),
            "{codes:?}"
        );
        let loser = [&one, &other]
            .into_iter()
            .find(|it| it.status.code() == Some(1))
            .unwrap();
        let told = if is_server {
            "another one was faster"
        } else {
            "cannot"
        };
        loser.assert_failed(1, &[told]);
        let winner = [&one, &other]
            .into_iter()
            .find(|it| it.status.code() == Some(0))
            .unwrap();
        let status = ground.rollout(&["status"]);
        let by = winner.said("decided")[0].text("by");
        assert_eq!(status.said("rollout")[0].text("by"), by);
    }
}

#[test]
fn steps_that_there_are_not_are_refused_in_words_and_write_nothing() {
    let mut ground = Ground::new();
    let failed = ground.rollout(&["status"]);
    failed.assert_failed(
        1,
        &[
            "there is no manifest",
            "`start DIGEST --fleet NAME` writes the first",
        ],
    );
    let one = ground.add(1);
    let start = |digest: &str, more: &[&str]| ground.rollout(&[&["start", digest], more].concat());
    start(&one.to_string(), &[]).assert_failed(2, &["needs `--fleet NAME`"]);
    start(&one.to_string(), &["--fleet", "rules"])
        .assert_failed(1, &["no host of this fleet has reported"]);
    start(&"0".repeat(64), &["--fleet", "rules"]).assert_failed(1, &["there is no build 000000"]);
    start("12", &["--fleet", "rules"]).assert_failed(2, &["`12`"]);
    let text = ground.scratch.join("libtext.so");
    std::fs::write(&text, "#!/bin/sh\n").unwrap();
    ground
        .rollout(&["add", text.to_str().unwrap()])
        .assert_failed(1, &["cannot vet"]);
    ground
        .rollout(&["hold", "it"])
        .assert_failed(2, &["needs nothing more"]);
    ground
        .rollout(&["start"])
        .assert_failed(2, &["this needs the digest of a build"]);
    start(&one.to_string(), &["--fleet", "a/b"]).assert_failed(2, &["is no name"]);
    start(&one.to_string(), &["--waves", "0%"]).assert_failed(2, &["is no wave"]);
    assert!(!ground.server.names().contains(&MANIFEST.to_owned()));
    ground.decide(&[
        "start",
        &one.to_string(),
        "--fleet",
        "rules",
        "--waves",
        "100%",
    ]);
    start(&one.to_string(), &["--waves", "100%"]).assert_failed(1, &["a rollout is under way"]);
    start(&one.to_string(), &["--fleet", "others"]).assert_failed(1, &["is of the fleet `rules`"]);
    // Somebody else's manifest is not believed by who steers, either.
    let manifest: Value = ground.manifest(1, 9);
    let others = crate::key::Key::new(&ground.scratch, "others");
    ground.server.put(MANIFEST, &others.seal(&manifest));
    let failed = ground.rollout(&["hold"]);
    failed.assert_failed(1, &["cannot believe", "made with another key"]);
}

#[test]
fn a_check_that_says_no_sends_a_build_back() {
    let mut ground = Ground::new();
    let stable = ground.add(1);
    let file = ground.scratch.join("well");
    std::fs::write(&file, "").unwrap();
    let check = format!("test -e {}", file.display());
    let mut mirror = ground.mirror("h1", &["--check", &check]);
    mirror.wait_for_event("reported");
    ground.decide(&[
        "start",
        &stable.to_string(),
        "--fleet",
        "rules",
        "--bake",
        "1h",
    ]);
    mirror.wait_for_event("mirrored");
    ground.host_says("h1", "loaded", stable);
    mirror.wait_for("it is live", |it| {
        it.event() == "reported" && it.text("health") == "live"
    });
    let driver = ground.steers("ada", &["drive"]);
    std::fs::remove_file(file).unwrap();
    mirror.wait_for("it is unwell", |it| {
        it.event() == "reported" && it.text("health") == "died"
    });
    let ended = driver.end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended.said("decided")[0]
            .text("why")
            .contains("the check `test -e ")
    );
}

#[test]
fn for_people_the_status_is_a_table_and_a_decision_a_line_beside_it() {
    let mut ground = Ground::new();
    let (_mirrors, stable) = fleet(&mut ground);
    let new = ground.add(2);
    let plain = |action: &[&str]| {
        let mut command = ground.plain_command("rollout");
        command.arg("--sign").arg(&ground.key.secret);
        let output = command
            .args(["--by", "ada", &ground.url])
            .args(action)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap())
    };
    let [said, audit] = plain(&["start", &new.to_string(), "--waves", "1,100%"]);
    assert_eq!(said, "");
    assert!(
        audit.starts_with("start: ada decided number 3 of the fleet `rules`: "),
        "{audit}"
    );
    assert!(
        audit.contains(&new.to_string()) && audit.contains("signed with "),
        "{audit}"
    );
    let [said, audit] = plain(&["status"]);
    assert_eq!(audit, "");
    let rows: Vec<&str> = said.lines().filter(|it| it.starts_with("  h")).collect();
    assert_eq!(rows.len(), 5, "{said}");
    assert!(
        rows[0].starts_with("  host  wave  number  health"),
        "{said}"
    );
    assert!(
        said.contains(&format!("stable {}", stable.short())),
        "{said}"
    );
    assert!(
        said.contains("is going, wave 1 of 2 (1, 100%), bakes 300 s"),
        "{said}"
    );
}
