//! Storage that is not what it should be: nothing of it is published, each kind has its word, and what was published stays.

use std::fs;

use serde_json::Value;
use vocabulary::Program;

use crate::ground::{Ground, LIBRARY, MANIFEST};
use crate::key::Key;
use crate::server::Fault;

#[track_caller]
fn wait_for_word(mirror: &mut Program, word: &str) {
    mirror.wait_for(word, |it| {
        ["refused", "degraded"].contains(&it.event()) && it.text("word") == word
    });
}

#[test]
fn no_manifest_is_followed_but_a_newer_one_of_this_fleet_that_one_of_the_keys_signed() {
    let mut ground = Ground::new();
    let old = ground.serve(1, 4);
    let replay = ground.server.get(MANIFEST).unwrap();
    let good = ground.serve(2, 5);
    let followed = ground.server.get(MANIFEST).unwrap();
    let (path, bad) = ground.build(3);
    let object = format!("rules/builds/{bad}/{LIBRARY}");
    ground.server.put(&object, &fs::read(path).unwrap());
    let mut mirror = ground.mirror("h1", &[]);
    mirror.wait_for_event("mirrored");
    let (anothers, manifest) = (Key::new(&ground.scratch, "anothers"), ground.manifest(3, 6));
    let with = |field: &str, value: Value| {
        let mut manifest = manifest.clone();
        manifest[field] = value;
        ground.key.seal(&manifest)
    };
    let sealed = ground.key.seal(&manifest);
    let text = String::from_utf8(sealed.clone()).unwrap();
    let body = text.split("untrusted").next().unwrap().as_bytes().to_vec();
    let cases = [
        (replay, "older"),
        (ground.key.seal(&ground.manifest_of(&manifest, 5)), "twice"),
        (body, "unsigned"),
        (anothers.seal(&manifest), "anothers-key"),
        (
            text.replace("\"sequence\": 6", "\"sequence\": 7")
                .into_bytes(),
            "changed",
        ),
        (sealed[..sealed.len() / 2].to_vec(), "unsigned"),
        (sealed[..sealed.len() - 40].to_vec(), "unsigned"),
        (with("fleet", "others".into()), "foreign"),
        (with("name", "../../librules.so".into()), "no-manifest"),
        (with("format", 2.into()), "no-manifest"),
        (vec![b'x'; 100_000], "too-large"),
        (Vec::new(), "unsigned"),
    ];
    let mut last = "";
    for (content, word) in cases {
        if word == last {
            // Said once: between two of one word there is a good one.
            ground.server.put(MANIFEST, &followed);
            mirror.wait_for_event("recovered");
        }
        ground.server.put(MANIFEST, &content);
        wait_for_word(&mut mirror, word);
        assert_eq!(ground.published("h1"), Some(good), "{word}");
        last = word;
    }
    ground.server.answers("fleet.json", Fault::Endless);
    ground.server.put(MANIFEST, &followed);
    mirror.wait_for("a refusal", |it| it.event() == "refused");
    ground.server.answers_well();
    mirror.wait_for_event("recovered");
    // A mirror that starts anew knows how far it was.
    mirror.stop().assert_quiet_success();
    ground.server.put(
        MANIFEST,
        &ground.key.seal(&ground.manifest_of(&manifest, 3)),
    );
    let ended = ground.mirror("h1", &["--once"]).end();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.said("refused")[0].text("word"), "older");
    assert_eq!(ground.published("h1"), Some(good));
    assert_ne!(old, good);
}

impl Ground {
    fn manifest_of(&self, manifest: &Value, sequence: u64) -> Value {
        let mut manifest = manifest.clone();
        manifest["sequence"] = sequence.into();
        manifest
    }
}

#[test]
fn no_content_is_published_but_that_of_the_digest() {
    let mut ground = Ground::new();
    let good = ground.serve(1, 1);
    let mut mirror = ground.mirror("h1", &[]);
    mirror.wait_for_event("mirrored");
    let other = fs::read(ground.build(3).0).unwrap();
    let mut changed = fs::read(ground.build(2).0).unwrap();
    changed[100_000] ^= 1;
    let longer = [&other[..], &[0; 10]].concat();
    ground.server.answers(LIBRARY, Fault::Short(10));
    ground.serve(2, 2);
    for (fault, words) in [
        (Fault::Instead(changed), &["changed"][..]),
        (Fault::Instead(longer), &["endless"]),
        (Fault::Short(1000), &["truncated"]),
        (Fault::Endless, &["endless"]),
        (Fault::Broken(2000), &["unreachable", "truncated"]),
    ] {
        ground.server.answers(LIBRARY, fault);
        mirror.wait_for(words[0], |it| {
            it.event() == "degraded" && words.contains(&it.text("word"))
        });
        assert_eq!(ground.published("h1"), Some(good), "{words:?}");
    }
    ground.server.answers_well();
    mirror.wait_for_event("mirrored");
    // A signature that the manifest promises, and that is another's.
    let mut manifest = ground.manifest(3, 3);
    manifest["stable"]["signed"] = true.into();
    let digest = manifest["stable"]["sha256"].as_str().unwrap().to_owned();
    let object = format!("rules/builds/{digest}/{LIBRARY}");
    ground.server.put(&object, &other);
    ground
        .server
        .put(&format!("{object}.minisig"), b"untrusted comment: x\nRW\n");
    ground.server.put(MANIFEST, &ground.key.seal(&manifest));
    wait_for_word(&mut mirror, "unsigned");
    assert_eq!(ground.published("h1"), Some(ground.build(2).1));
}

#[test]
fn a_copy_that_was_spoiled_on_the_disk_is_got_anew() {
    let mut ground = Ground::new();
    let digest = ground.serve(1, 1);
    let mut spoiled = fs::read(ground.build(1).0).unwrap();
    spoiled[150_000] ^= 1;
    let nest = ground.directory("h1").join(".replug-mirror");
    fs::create_dir(&nest).unwrap();
    fs::write(nest.join(format!("{digest}.build")), spoiled).unwrap();
    let mut mirror = ground.mirror("h1", &[]);
    wait_for_word(&mut mirror, "disk");
    let mirrored = mirror.wait_for_event("mirrored");
    assert_eq!(mirrored.number("had"), 0);
    assert_eq!(ground.published("h1"), Some(digest));
}

#[test]
fn a_build_that_is_larger_than_a_person_allows_is_not_asked_for() {
    let mut ground = Ground::new();
    ground.serve(1, 1);
    let ended = ground.mirror("h1", &["--once", "--max-size", "100K"]).end();
    assert_eq!(ended.said("degraded")[0].text("word"), "too-large");
    assert!(!ground.directory("h1").join(LIBRARY).exists());
}

#[test]
fn words_of_a_server_move_nothing() {
    let mut ground = Ground::new();
    ground.serve(1, 1);
    let mut manifest = ground.manifest(1, 2);
    manifest["decided"]["by"] = "e\u{1b}[2Jve\nx".into();
    ground.server.put(MANIFEST, &ground.key.seal(&manifest));
    let mut command = ground.plain_command("mirror");
    command.arg("--require-signature").arg(&ground.key.public);
    command
        .args(["--once", &ground.url])
        .arg(ground.directory("h1"));
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(r"start by e\x1b[2Jve\nx"), "{said}");
    assert!(!said.contains('\u{1b}'));
}
