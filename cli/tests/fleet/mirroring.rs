//! `replug mirror`: what is signed for a host comes into its directory, whole, and costs little while nothing changes.

use std::fs;
use std::time::Duration;

use vocabulary::wait_until;

use crate::ground::{Ground, LIBRARY, MANIFEST, names};
use crate::server::Fault;

#[test]
fn what_the_manifest_names_comes_into_the_directory_with_its_signature_and_the_next_one_in_its_place()
 {
    for mut ground in [Ground::new(), Ground::in_a_directory()] {
        let one = ground.add(1);
        let mut mirror = ground.mirror("h1", &[]);
        mirror.wait_for("trouble", |it| {
            it.event() == "degraded" && it.text("word") == "absent"
        });
        mirror.wait_for("a report", |it| it.event() == "reported");
        ground.decide(&[
            "start",
            &one.to_string(),
            "--fleet",
            "rules",
            "--waves",
            "1",
        ]);
        mirror.wait_for_event("recovered");
        let followed = mirror.wait_for_event("followed");
        assert_eq!(followed.text("by"), "ada");
        assert_eq!(followed.text("sha256"), one.to_string());
        mirror.wait_for_event("mirrored");
        assert_eq!(ground.published("h1"), Some(one));
        let directory = ground.directory("h1");
        assert_eq!(
            names(&directory),
            [".replug-mirror", LIBRARY, &format!("{LIBRARY}.minisig")]
        );
        // The one wave had all hosts that were known; the last one has whoever comes.
        ground.decide(&["promote"]);
        ground.decide(&["promote"]);
        let two = ground.add(2);
        ground.decide(&["start", &two.to_string(), "--waves", "100%"]);
        mirror.wait_for("the next one", |it| {
            it.event() == "mirrored" && it.text("sha256") == two.to_string()
        });
        // And back: that build is here still.
        ground.decide(&["back"]);
        let again = mirror.wait_for("the one before", |it| {
            it.event() == "mirrored" && it.text("sha256") == one.to_string()
        });
        assert_eq!(again.number("had"), again.number("size"));
        assert_eq!(ground.published("h1"), Some(one));
        let ended = mirror.stop();
        ended.assert_quiet_success();
        let nest = names(&directory.join(".replug-mirror"));
        assert_eq!(nest, [&format!("{one}.build"), "followed", "lock"]);
    }
}

#[test]
fn a_poll_without_news_is_one_small_request() {
    let mut ground = Ground::new();
    ground.serve(1, 1);
    let mut mirror = ground.mirror("h1", &["--no-report", "--interval-ms", "10"]);
    mirror.wait_for_event("mirrored");
    let server = &ground.server;
    wait_until("looks", || server.requests("304") > 5);
    // The end cuts a request off if it comes within one. So that it always does, the last one is not answered.
    server.answers("fleet.json", Fault::Silent);
    wait_until("the last look", || server.requests("silent") == 1);
    let ended = mirror.stop();
    ended.assert_quiet_success();
    let closed = ended.said("closed")[0];
    // One for the content.
    assert_eq!(closed.number("requests"), closed.number("polls") + 1);
    assert_eq!(server.requests("GET"), closed.number("requests"));
    // All looks but the first and the last were answered without content.
    assert_eq!(server.requests("304"), closed.number("polls") - 2);
    assert!(closed.number("polls") > 5, "{closed:?}");
}

#[test]
fn what_broke_off_goes_on_from_there() {
    let mut ground = Ground::new();
    let digest = ground.serve(1, 1);
    ground.server.answers(LIBRARY, Fault::Broken(150_000));
    let mut mirror = ground.mirror("h1", &[]);
    let degraded = mirror.wait_for_event("degraded");
    assert!(
        ["unreachable", "truncated"].contains(&degraded.text("word")),
        "{degraded:?}"
    );
    assert_eq!(ground.published("h1"), None);
    mirror.stop().assert_quiet_success();
    ground.server.answers_well();
    let mut mirror = ground.mirror("h1", &[]);
    let mirrored = mirror.wait_for_event("mirrored");
    assert!(mirrored.number("had") >= 150_000, "{mirrored:?}");
    assert_eq!(ground.published("h1"), Some(digest));
    mirror.stop().assert_quiet_success();
}

#[test]
fn a_server_that_knows_no_ranges_is_asked_for_all_of_it() {
    for speaks in ["s3", "http"] {
        let mut ground = Ground::new();
        if speaks == "http" {
            ground.url = format!("{}/{MANIFEST}", ground.endpoint);
        }
        let digest = ground.serve(1, 1);
        ground.server.answers(LIBRARY, Fault::Broken(150_000));
        let mut mirror = ground.mirror("h1", &["--no-report"]);
        mirror.wait_for_event("degraded");
        ground.server.answers(LIBRARY, Fault::Whole);
        let mirrored = mirror.wait_for_event("mirrored");
        assert_eq!(mirrored.number("had"), 0, "{speaks}");
        assert_eq!(ground.published("h1"), Some(digest), "{speaks}");
    }
}

#[test]
fn a_storage_that_has_less_than_what_came_is_asked_for_all_of_it() {
    for is_directory in [false, true] {
        let mut ground = match is_directory {
            false => Ground::new(),
            true => Ground::in_a_directory(),
        };
        let digest = ground.serve(1, 1);
        let (path, _) = ground.build(1);
        let whole = fs::read(path).unwrap();
        let manifest = ground.manifest(1, 1);
        // The storage has no more than this of the build.
        let has = |length: usize| match is_directory {
            false => ground.server.answers(LIBRARY, Fault::Short(length)),
            true => {
                let object = format!("share/rules/builds/{digest}/{LIBRARY}");
                fs::write(ground.scratch.join(object), &whole[..length]).unwrap();
            }
        };
        if is_directory {
            let builds = format!("share/rules/builds/{digest}");
            fs::create_dir_all(ground.scratch.join(builds)).unwrap();
            fs::write(&ground.url, ground.key.seal(&manifest)).unwrap();
        }
        for (length, word) in [(150_000, "truncated"), (100_000, "unreachable")] {
            has(length);
            let mut mirror = ground.mirror("h1", &["--no-report"]);
            mirror.wait_for("trouble", |it| {
                it.event() == "degraded" && it.text("word") == word
            });
            mirror.stop().assert_quiet_success();
        }
        has(whole.len());
        let mut mirror = ground.mirror("h1", &["--no-report"]);
        let mirrored = mirror.wait_for_event("mirrored");
        assert!(mirrored.number("had") <= 100_000, "{mirrored:?}");
        assert_eq!(ground.published("h1"), Some(digest));
        mirror.stop().assert_quiet_success();
    }
}

#[test]
fn an_outage_is_said_once_and_its_end_once_and_what_is_published_stays() {
    let mut ground = Ground::new();
    let one = ground.serve(1, 1);
    let mut mirror = ground.mirror("h1", &["--no-report"]);
    mirror.wait_for_event("mirrored");
    ground.server.is_out(true);
    let degraded = mirror.wait_for_event("degraded");
    assert_eq!(degraded.text("word"), "unreachable");
    mirror.go_on_for(Duration::from_millis(300));
    assert_eq!(ground.published("h1"), Some(one));
    let two = ground.serve(2, 2);
    ground.server.is_out(false);
    mirror.wait_for_event("recovered");
    mirror.wait_for("the next one", |it| {
        it.event() == "mirrored" && it.text("sha256") == two.to_string()
    });
    let ended = mirror.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("degraded").len(), 1);
    assert_eq!(ended.said("recovered").len(), 1);
}

#[test]
fn two_mirrors_in_one_directory_are_one_too_many() {
    let mut ground = Ground::new();
    ground.serve(1, 1);
    let mut mirror = ground.mirror("h1", &[]);
    mirror.wait_for_event("mirrored");
    let other = ground.mirror("h1", &["--once"]).end();
    other.assert_failed(1, &["another mirror works in it"]);
}

#[test]
fn what_is_no_library_is_refused_and_speaks_against_the_build() {
    let mut ground = Ground::new();
    let text = b"#!/bin/sh\n".repeat(100);
    let digest = replug::Digest::of(&text);
    let mut manifest = ground.manifest(1, 1);
    manifest["stable"]["sha256"] = digest.to_string().into();
    manifest["stable"]["size"] = text.len().into();
    ground
        .server
        .put(&format!("rules/builds/{digest}/{LIBRARY}"), &text);
    ground.server.put(MANIFEST, &ground.key.seal(&manifest));
    let ended = ground.mirror("h1", &["--once"]).end();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.said("refused")[0].text("word"), "no-library");
    assert_eq!(ended.said("reported")[0].text("health"), "refused");
    assert!(!ground.directory("h1").join(LIBRARY).exists());
}

#[test]
fn what_a_host_said_before_there_was_a_manifest_counts() {
    let mut ground = Ground::new();
    let (_, digest) = ground.build(1);
    ground.host_says("h1", "loaded", digest);
    let mut mirror = ground.mirror("h1", &[]);
    mirror.wait_for_event("reported");
    ground.serve(1, 1);
    mirror.wait_for("it is live", |it| {
        it.event() == "reported" && it.text("health") == "live"
    });
}

#[test]
fn what_somebody_changed_in_the_directory_is_put_right() {
    let mut ground = Ground::new();
    let digest = ground.serve(1, 1);
    let mut mirror = ground.mirror("h1", &[]);
    mirror.wait_for_event("mirrored");
    let (other, _) = ground.build(2);
    let place = ground.directory("h1").join(LIBRARY);
    fs::copy(other, ground.scratch.join("other")).unwrap();
    fs::rename(ground.scratch.join("other"), &place).unwrap();
    mirror.wait_for("it again", |it| it.event() == "mirrored");
    assert_eq!(ground.published("h1"), Some(digest));
}
