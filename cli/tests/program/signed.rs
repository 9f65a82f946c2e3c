//! Signed builds: made by `replug publish --sign`, and required by `replug run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use replug::Digest;
use rustix::fs::{CWD, Mode, mkfifoat};
use vocabulary::{Artifact, Ended, Line, Program, Scratch, library, program};

use crate::key::Key;

/// A place for a library that is published there, and watched.
struct Ground {
    scratch: Scratch,
    place: PathBuf,
    ours: Key,
    anothers: Key,
}

impl Ground {
    fn new() -> Ground {
        let scratch = Scratch::new();
        let directory = scratch.join("plugins");
        fs::create_dir(&directory).unwrap();
        Ground {
            place: directory.join("libplugin01.so"),
            ours: Key::new(&scratch, "ours"),
            anothers: Key::new(&scratch, "anothers"),
            scratch,
        }
    }

    fn signature(&self) -> PathBuf {
        self.place.with_extension("so.minisig")
    }

    /// Publishes a build that is signed.
    #[track_caller]
    fn publish(&self, number: u32, key: &Key, options: &[&str]) -> Line {
        let file = self.scratch.join("libplugin01.so");
        fs::write(&file, library(number)).unwrap();
        let published = publish(&file, &self.place, &key.secret, options);
        published.assert_quiet_success();
        published.said("published")[0].clone()
    }

    fn watch(&self, keys: &[&Key]) -> Program {
        let mut options = Vec::new();
        for key in keys {
            options.extend(["--require-signature", key.public.to_str().unwrap()]);
        }
        Program::watch(&self.scratch, &self.place, &options)
    }
}

fn publish(file: &Path, place: &Path, key: &Path, options: &[&str]) -> Ended {
    let mut command = Command::new(program());
    command.args(["publish", "--json", "--sign"]);
    command.arg(key).args(options).arg(file).arg(place);
    Program::start(command).end()
}

#[track_caller]
fn wait_for_refusal(program: &mut Program, reason: &str) -> Line {
    program.wait_for(&format!("refusal for {reason}"), |line| {
        let is_kept = line.event() == "kept" && line.text("step") == "trust";
        is_kept && line.text("reason").contains(reason)
    })
}

#[test]
fn what_is_signed_with_the_key_runs_and_nothing_else_does() {
    let ground = Ground::new();
    let said = ground.publish(1, &ground.ours, &[]);
    assert_eq!(
        Path::new(said.text("signature")),
        ground.signature(),
        "{said:?}"
    );
    let mut program = ground.watch(&[&ground.ours]);
    program.wait_for_bytes(&library(1));
    // The signature is that of the build before.
    Artifact::at(&ground.place).replace_with(&library(2));
    let refused = wait_for_refusal(&mut program, "is not one of these bytes");
    let digest = Digest::of(&library(2)).to_string();
    assert_eq!(refused.text("sha256"), digest);
    assert!(refused.text("reason").contains(&digest));
    ground.publish(3, &ground.anothers, &[]);
    wait_for_refusal(&mut program, "was made with another key");
    fs::remove_file(ground.signature()).unwrap();
    Artifact::at(&ground.place).replace_with(&library(4));
    wait_for_refusal(&mut program, "cannot read its signature");
    program.go_on_for(std::time::Duration::from_millis(50));
    // It is signed where it lies, and runs then.
    let said = ground.publish(4, &ground.ours, &[]);
    assert_eq!(said.0["changed"], false);
    program.wait_for_bytes(&library(4));
    assert_eq!(program.loaded().len(), 2);
    program.stop_cleanly(&ground.scratch);
}

#[test]
fn one_of_several_keys_is_enough_so_that_keys_can_be_changed() {
    let ground = Ground::new();
    ground.publish(1, &ground.ours, &[]);
    let mut program = ground.watch(&[&ground.anothers, &ground.ours]);
    program.wait_for_bytes(&library(1));
    ground.publish(2, &ground.anothers, &["--comment", "rules 2.0"]);
    program.wait_for_bytes(&library(2));
    let text = fs::read_to_string(ground.signature()).unwrap();
    assert!(text.contains("trusted comment: rules 2.0\n"), "{text}");
    program.stop_cleanly(&ground.scratch);
    // The comment is signed, too.
    fs::write(ground.signature(), text.replace("2.0", "2.1")).unwrap();
    let mut program = ground.watch(&[&ground.anothers]);
    wait_for_refusal(&mut program, "is not one of these bytes");
    program.stop_cleanly(&ground.scratch);
}

#[test]
fn a_build_of_a_lower_version_is_kept_out_unless_somebody_asks_for_it() {
    let ground = Ground::new();
    let (store, key) = (ground.scratch.join("store"), &ground.ours);
    let store = store.to_str().unwrap();
    let public = key.public.to_str().unwrap();
    let watch = |options: &[&str]| {
        let options = [
            &["--store", store, "--require-signature", public][..],
            options,
        ]
        .concat();
        Program::watch(&ground.scratch, &ground.place, &options)
    };
    ground.publish(1, key, &["--comment", "rules 1.4.1"]);
    let mut program = watch(&[]);
    program.wait_for_bytes(&library(1));
    ground.publish(2, key, &["--comment", "rules 1.4.2"]);
    program.wait_for_bytes(&library(2));
    for (number, comment, words) in [
        (1, "rules 1.4.1", "`rules 1.4.1`, which is older"),
        (3, "prices 9.0.0", "`prices 9.0.0`, which is another name"),
        (4, "the best rules", "no name and version"),
    ] {
        ground.publish(number, key, &["--comment", comment]);
        let refused = wait_for_refusal(&mut program, words);
        let reason = refused.text("reason");
        assert!(reason.contains("`rules 1.4.2`"), "{reason}");
        assert!(reason.contains("--allow-downgrade"), "{reason}");
    }
    // Without `--comment` the signature says the name of the file.
    ground.publish(5, key, &[]);
    wait_for_refusal(&mut program, "`libplugin01.so`");
    let mut command = Command::new(vocabulary::program());
    command.args(["back", "--json", "--store", store]);
    Program::start(command).end().assert_quiet_success();
    program.wait_for_bytes(&library(1));
    ground.publish(6, key, &["--comment", "rules 1.5.0"]);
    program.wait_for_bytes(&library(6));
    program.stop_cleanly(&ground.scratch);
    // The next run remembers.
    ground.publish(3, key, &["--comment", "rules 1.4.0"]);
    let mut program = watch(&[]);
    wait_for_refusal(&mut program, "`rules 1.4.0`, which is older");
    program.stop_cleanly(&ground.scratch);
    let mut program = watch(&["--allow-downgrade"]);
    program.wait_for_bytes(&library(3));
    program.stop_cleanly(&ground.scratch);
}

#[test]
fn a_signature_that_cannot_be_one_holds_nobody_up() {
    let ground = Ground::new();
    fs::write(&ground.place, library(1)).unwrap();
    mkfifoat(CWD, ground.signature(), Mode::RWXU).unwrap();
    let mut program = ground.watch(&[&ground.ours]);
    wait_for_refusal(&mut program, "it is a FIFO");
    fs::remove_file(ground.signature()).unwrap();
    fs::write(ground.signature(), "RW\n").unwrap();
    Artifact::at(&ground.place).replace_with(&library(2));
    wait_for_refusal(&mut program, "is none as minisign makes them");
    program.stop_cleanly(&ground.scratch);
}

#[test]
fn a_library_is_not_published_with_a_key_that_cannot_sign() {
    let ground = Ground::new();
    let file = ground.scratch.join("libplugin01.so");
    fs::write(&file, library(1)).unwrap();
    for key in [&ground.ours.public, &ground.scratch.join("none")] {
        let failed = publish(&file, &ground.place, key, &[]);
        failed.assert_failed(1, &["cannot sign with the key in", key.to_str().unwrap()]);
    }
    assert!(!ground.place.exists());
    let failed = publish(
        &file,
        &ground.place,
        &ground.ours.secret,
        &["--comment", "a\nb"],
    );
    failed.assert_failed(2, &["is more than one line"]);
}

#[test]
fn what_is_no_key_is_bad_usage() {
    let ground = Ground::new();
    for (key, reason) in [
        ("RWnone", "it is no public key, and no file"),
        (
            ground.ours.secret.to_str().unwrap(),
            "there is no key in this file",
        ),
    ] {
        let mut command = Command::new(program());
        command
            .args(["run", "--require-signature", key])
            .arg(&ground.place);
        Program::start(command).end().assert_failed(2, &[reason]);
    }
}
