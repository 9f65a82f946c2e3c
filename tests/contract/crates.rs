//! Types of other crates between a host and a plugin that are built as a person builds them: the workspace in `crates/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vocabulary::{built, cargo_build, target_tmp, workspace};

/// The crates, each with the types that the plugin has otherwise if it has another version of the crate, or another
/// feature of it.
const CRATES: &[(&str, &[&str], &[&str])] = &[
    ("glam", &["Vec3"], &["Vec3"]),
    ("uuid", &["Uuid"], &["Uuid"]),
    ("chrono", &["DateTime<Utc>"], &["DateTime<Utc>"]),
    // That version turns on a feature of a crate which chrono uses too.
    ("serde_json", &["Value", "DateTime<Utc>"], &["Value"]),
    ("smallvec", &["SmallVec<[u8; 4]>"], &["SmallVec<[u8; 4]>"]),
    (
        "indexmap",
        &["IndexMap<String, u32>"],
        &["IndexMap<String, u32>"],
    ),
];

/// What the host says of a plugin that took its bag and gave it back.
const CARRIED: &str = "carried [2, 2, 3] as 2 from 1000000000 with [{\"to\":[\"the\",\"sea\"]}], 13 coins and 1 a map, 1 a pen, \
     2 a shell, 3 a stone";

/// Builds a part of the workspace with these features of the plugin.
#[track_caller]
fn build(packages: &[&str], features: &str) -> PathBuf {
    let target = target_tmp().join("crates");
    let mut cargo = cargo_build();
    for package in packages {
        cargo.args(["-p", package]);
    }
    let status = cargo
        .args(["--quiet", "--locked", "--features", features])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(workspace().join("tests/contract/crates"))
        .status();
    assert!(status.unwrap().success(), "it does not compile: {features}");
    built(&target, "debug")
}

/// What the host says of each plugin.
#[track_caller]
fn said_of(host: &Path, plugins: &[PathBuf]) -> Vec<String> {
    let output = Command::new(host).args(plugins).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(str::to_owned).collect()
}

#[test]
fn types_of_other_crates_cross_unless_their_crate_has_another_version_or_feature() {
    let both = ["bag_host", "bag_plugin"];
    let features = CRATES
        .iter()
        .map(|(name, ..)| format!("bag_plugin/{name}_feature"));
    let features: Vec<_> = features.collect();
    // What the messages advise: cargo gives the features to both.
    let built = build(&both, &features.join(","));
    let (host, plugin) = (built.join("bag_host"), built.join("libbag_plugin.so"));
    let said = said_of(&host, std::slice::from_ref(&plugin));
    assert_eq!(said, [CARRIED], "with all features on both sides");

    build(&both, "");
    let apart = target_tmp().join("crates/apart");
    fs::create_dir_all(&apart).unwrap();
    let keep = |name: &str| {
        let kept = apart.join(format!("lib{name}.so"));
        fs::copy(&plugin, &kept).unwrap();
        kept
    };
    let mut plugins = vec![keep("same")];
    let mut expected = vec![Vec::new()];
    for (name, by_version, by_feature) in CRATES {
        for (other, types) in [("version", by_version), ("feature", by_feature)] {
            let other = format!("{name}_{other}");
            build(&both[1..], &other);
            plugins.push(keep(&other));
            expected.push(types.to_vec());
        }
    }
    let said = said_of(&host, &plugins);
    assert_eq!(said.len(), expected.len(), "{said:?}");
    assert_eq!(said[0], CARRIED);
    for ((said, types), plugin) in said.iter().zip(expected).zip(plugins).skip(1) {
        // Each is named before these words.
        let mut told: Vec<_> = said.split("`: it comes from another build").collect();
        told.pop();
        let named = |it: &&str| it.rsplit('`').next().map(str::to_owned);
        let told: Vec<_> = told.iter().filter_map(named).collect();
        assert_eq!(told, types, "{}: {said}", plugin.display());
    }
}
