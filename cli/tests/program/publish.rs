//! `replug publish`: a library comes into its place as a whole, or not at all.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use replug::Digest;
use rustix::fs::{CWD, Mode, mkfifoat};
use vocabulary::{Ended, Line, Program, Scratch, library, program, version};

fn publish(options: &[&str], file: &Path, dest: &Path) -> Ended {
    let mut command = Command::new(program());
    command.args(["publish", "--json"]).args(options);
    publish_by(command, file, dest)
}

/// Publishes by a command that lacks only the two paths.
fn publish_by(mut command: Command, file: &Path, dest: &Path) -> Ended {
    command.arg(file).arg(dest);
    Program::start(command).end()
}

/// The line about what was published.
#[track_caller]
fn published(options: &[&str], file: &Path, dest: &Path) -> Line {
    let ended = publish(options, file, dest);
    ended.assert_quiet_success();
    assert_eq!(ended.said.len(), 1);
    ended.said[0].clone()
}

/// A build of plugin01, and the directory that builds are published to.
struct Ground {
    scratch: Scratch,
    file: PathBuf,
    directory: PathBuf,
}

impl Ground {
    fn new() -> Ground {
        let scratch = Scratch::new();
        let directory = scratch.join("plugins");
        fs::create_dir(&directory).unwrap();
        let file = scratch.join("libplugin01.so");
        fs::write(&file, library(1)).unwrap();
        Ground {
            scratch,
            file,
            directory,
        }
    }

    fn build(&self, number: u32) {
        fs::write(&self.file, library(number)).unwrap();
    }

    fn dest(&self) -> PathBuf {
        self.directory.join("libplugin01.so")
    }

    /// Fails unless these are the files in the directory.
    #[track_caller]
    fn assert_holds(&self, names: &[&str]) {
        let entries = fs::read_dir(&self.directory).unwrap();
        let found = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut found: Vec<_> = found.collect();
        found.sort();
        assert_eq!(found, names);
    }
}

#[test]
fn a_library_comes_to_a_directory_under_its_own_name_and_to_a_file_under_that_ones() {
    let ground = Ground::new();
    let said = published(&[], &ground.file, &ground.directory);
    assert_eq!(said.event(), "published");
    assert_eq!(said.0["changed"], true);
    assert_eq!(said.text("sha256"), Digest::of(&library(1)).to_string());
    assert_eq!(said.text("path"), ground.dest().to_str().unwrap());
    assert_eq!(said.0["replaced"], serde_json::Value::Null);
    assert_eq!(fs::read(ground.dest()).unwrap(), library(1));
    published(&[], &ground.file, &ground.directory.join("libother.so"));
    ground.assert_holds(&["libother.so", "libplugin01.so"]);
}

#[test]
fn the_file_before_is_never_written_to() {
    let ground = Ground::new();
    published(&[], &ground.file, &ground.dest());
    let mut before = File::open(ground.dest()).unwrap();
    ground.build(2);
    let said = published(&[], &ground.file, &ground.dest());
    assert_eq!(said.text("replaced"), Digest::of(&library(1)).to_string());
    // Whoever has it open or mapped goes on with all of it.
    let mut content = Vec::new();
    before.read_to_end(&mut content).unwrap();
    assert_eq!(content, library(1));
    assert_ne!(
        before.metadata().unwrap().ino(),
        fs::metadata(ground.dest()).unwrap().ino()
    );
    ground.assert_holds(&["libplugin01.so"]);
}

#[test]
fn a_reader_beside_it_sees_one_library_or_the_other() {
    let ground = Ground::new();
    published(&[], &ground.file, &ground.dest());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let whole = [library(1), library(2)];
            while !is_over.load(Ordering::Relaxed) {
                let seen = fs::read(ground.dest()).expect("it is always there");
                assert!(whole.contains(&seen), "{} bytes", seen.len());
            }
        });
        for number in [2, 1, 2, 1] {
            ground.build(number);
            published(&["--keep"], &ground.file, &ground.dest());
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_host_beside_it_loads_what_was_published_and_nothing_that_lies_beside() {
    let ground = Ground::new();
    published(&[], &ground.file, &ground.directory);
    // What a publication leaves that was killed.
    fs::write(
        ground.directory.join(".libplugin01.so.x.publish"),
        library(7),
    )
    .unwrap();
    let mut program = Program::watch(&ground.scratch, &ground.directory, &[]);
    program.wait_for_answer(&version(1));
    ground.build(2);
    let said = published(&["--keep"], &ground.file, &ground.directory);
    let loaded = program.wait_for_generation(2);
    assert_eq!(loaded.text("sha256"), said.text("sha256"));
    assert_eq!(loaded.text("path"), said.text("path"));
    let ended = program.stop_cleanly(&ground.scratch);
    assert_eq!(ended.said("loaded").len(), 2);
    assert_eq!(ended.said("kept").len(), 0);
}

#[test]
fn the_one_before_is_kept_on_request_and_the_same_bytes_change_nothing() {
    let ground = Ground::new();
    let first = published(&["--keep"], &ground.file, &ground.dest());
    assert_eq!(first.0["before"], serde_json::Value::Null);
    for number in [2, 3] {
        ground.build(number);
        let said = published(&["--keep"], &ground.file, &ground.dest());
        let before = Path::new(said.text("before"));
        assert_eq!(before, ground.directory.join("libplugin01.so.before"));
        assert_eq!(fs::read(before).unwrap(), library(number - 1));
        ground.assert_holds(&["libplugin01.so", "libplugin01.so.before"]);
    }
    // As after a run that was killed between the two renames: both names are those of one file.
    let before = ground.directory.join("libplugin01.so.before");
    fs::remove_file(&before).unwrap();
    fs::hard_link(ground.dest(), &before).unwrap();
    ground.build(2);
    published(&["--keep"], &ground.file, &ground.dest());
    assert_eq!(fs::read(&before).unwrap(), library(3));
    ground.assert_holds(&["libplugin01.so", "libplugin01.so.before"]);
    let inode = fs::metadata(ground.dest()).unwrap().ino();
    let said = published(&["--keep"], &ground.file, &ground.dest());
    assert_eq!(said.0["changed"], false);
    assert_eq!(fs::metadata(ground.dest()).unwrap().ino(), inode);
    assert_eq!(fs::read(before).unwrap(), library(3));
}

#[test]
fn a_failure_leaves_the_one_before_and_nothing_else() {
    let ground = Ground::new();
    published(&[], &ground.file, &ground.dest());
    let inode = fs::metadata(ground.dest()).unwrap().ino();
    let whole = library(2);
    let refused = |telling: &[&str]| {
        let ended = publish(&["--keep"], &ground.file, &ground.dest());
        ended.assert_failed(1, telling);
        assert_eq!(ended.said, []);
    };
    fs::write(&ground.file, &whole[..whole.len() - 1]).unwrap();
    refused(&["cannot vet", "it ends at byte"]);
    fs::write(&ground.file, "#!/bin/sh\n").unwrap();
    refused(&[
        "cannot vet",
        "it is not a shared library: it starts with `#!/bin/sh",
    ]);
    fs::remove_file(&ground.file).unwrap();
    refused(&["cannot read"]);
    mkfifoat(CWD, &ground.file, Mode::RWXU).unwrap();
    refused(&["it is no regular file"]);
    // Where the one before is to be kept there is something that cannot be replaced.
    fs::remove_file(&ground.file).unwrap();
    ground.build(2);
    fs::create_dir_all(ground.directory.join("libplugin01.so.before/in")).unwrap();
    refused(&["cannot keep what is at", "libplugin01.so.before`"]);
    ground.assert_holds(&["libplugin01.so", "libplugin01.so.before"]);
    assert_eq!(fs::read(ground.dest()).unwrap(), library(1));
    assert_eq!(fs::metadata(ground.dest()).unwrap().ino(), inode);
}

#[test]
fn a_limit_on_the_size_of_files_is_said_before_the_system_ends_the_program() {
    let ground = Ground::new();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -f 1; exec \"$@\"", "sh"])
        .arg(program())
        .args(["publish", "--json"]);
    let ended = publish_by(command, &ground.file, &ground.dest());
    ended.assert_failed(1, &["may write files of at most", "`ulimit -f`"]);
    ground.assert_holds(&[]);
}

#[test]
fn places_that_are_none_are_refused() {
    let ground = Ground::new();
    let refused = |dest: &Path, telling: &[&str]| {
        publish(&[], &ground.file, dest).assert_failed(1, telling);
    };
    refused(&ground.directory.join("nothing/"), &["cannot publish to"]);
    refused(
        &ground.directory.join("nothing/libx.so"),
        &["cannot publish to"],
    );
    refused(
        &ground.file,
        &["that is the very file which is to be published"],
    );
    refused(
        ground.file.parent().unwrap(),
        &["that is the very file which is to be published"],
    );
    let fifo = ground.scratch.join("fifo");
    mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    refused(&fifo, &["it is neither a file nor a directory"]);
    let dangling = ground.scratch.join("dangling.so");
    symlink("nowhere/libx.so", &dangling).unwrap();
    refused(&dangling, &["cannot publish to"]);
    ground.assert_holds(&[]);
}

#[test]
fn a_link_goes_on_leading_to_the_library() {
    let ground = Ground::new();
    published(&[], &ground.file, &ground.dest());
    let link = ground.scratch.join("current.so");
    symlink("plugins/libplugin01.so", &link).unwrap();
    ground.build(2);
    let said = published(&[], &ground.file, &link);
    assert_eq!(
        Path::new(said.text("path")),
        fs::canonicalize(ground.dest()).unwrap()
    );
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(ground.dest()).unwrap(), library(2));
}

#[test]
fn a_library_has_the_rights_of_the_one_before_and_a_first_one_the_usual() {
    let ground = Ground::new();
    fs::set_permissions(&ground.file, fs::Permissions::from_mode(0o777)).unwrap();
    let mode = || fs::metadata(ground.dest()).unwrap().mode() & 0o7777;
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 027; exec \"$@\"", "sh"])
        .arg(program())
        .args(["publish", "--json"]);
    publish_by(command, &ground.file, &ground.dest()).assert_quiet_success();
    assert_eq!(mode(), 0o640);
    for (number, rights) in [(2, 0o600), (3, 0o775), (4, 0o444)] {
        fs::set_permissions(ground.dest(), fs::Permissions::from_mode(rights)).unwrap();
        ground.build(number);
        published(&[], &ground.file, &ground.dest());
        assert_eq!(mode(), rights);
    }
}
