//! A lab for two users of one machine: one runs the program, the other is hostile. Needs root, to be both.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use replug::watch::{Stage, StageDirectory};
use vocabulary::{Program, Scratch, library, pause, program, version};

use crate::assert_installed;
use crate::users::let_write;

/// Numbers of users who need no account. They are far from those that systems give away by themselves.
const KEEPER: u32 = 61_001;
const STRANGER: u32 = 61_002;

/// Two users, and a temporary directory that they share.
struct Neighbours {
    scratch: Scratch,
}

impl Neighbours {
    fn new() -> Neighbours {
        assert!(
            rustix::process::geteuid().is_root(),
            "this lab needs root, to act as two users"
        );
        let scratch = Scratch::new();
        allow(scratch.path(), 0o755);
        let neighbours = Neighbours { scratch };
        fs::create_dir(neighbours.temporary()).unwrap();
        allow(&neighbours.temporary(), 0o1777);
        neighbours.put(1);
        neighbours
    }

    fn temporary(&self) -> PathBuf {
        self.scratch.join("tmp")
    }

    /// Puts the library of this number in place.
    fn put(&self, number: u32) {
        self.scratch.artifact().link(&library(number));
        allow(self.scratch.artifact().path(), 0o755);
    }

    /// A command of the keeper: this script, in which `"$@"` is the program.
    fn keeper(&self, script: &str) -> Program {
        // A copy, because the target directory may be one that only root can enter.
        let copy = self.scratch.join("replug");
        let copied = Command::new("cp").args([&program(), &copy]).status();
        assert!(copied.unwrap().success(), "the program cannot be copied");
        let mut command = self.shell(KEEPER, script);
        command
            .arg(&copy)
            .args(["run", "--json", "--interval-ms", "20", "--every-ms", "20"])
            .arg(self.scratch.artifact().path());
        Program::start(command)
    }

    /// Lets the stranger run a script in the temporary directory, and waits for its end.
    #[track_caller]
    fn stranger(&self, script: &str, argument: &Path) {
        let mut command = self.shell(STRANGER, script);
        let status = command.arg(argument).status().unwrap();
        assert!(status.success(), "{script}: {status}");
    }

    fn shell(&self, user: u32, script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-ec", script, "sh"])
            .uid(user)
            .gid(user)
            .env("TMPDIR", self.temporary())
            .env_remove("XDG_RUNTIME_DIR")
            .current_dir(self.temporary());
        command
    }

    /// The only directory of the keeper's copies.
    #[track_caller]
    fn stage(&self) -> PathBuf {
        let stages = self.stages();
        assert_eq!(stages.len(), 1, "{stages:?}");
        stages.into_iter().next().unwrap()
    }

    /// The directories of the keeper's copies.
    fn stages(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.temporary()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| fs::symlink_metadata(path).unwrap().uid() == KEEPER)
            .collect()
    }
}

/// Sets the rights of a file or a directory.
fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

const AS_IT_IS: &str = r#"exec "$@""#;

#[test]
fn who_takes_the_name_of_a_stage_directory_that_was_tidied_away_gets_nothing_loaded() {
    let neighbours = Neighbours::new();
    let mut program = neighbours.keeper(AS_IT_IS);
    program.wait_for_answer(&version(1));
    let stage = neighbours.stage();
    fs::remove_dir_all(&stage).unwrap();
    neighbours.stranger(r#"umask 0; mkdir "$1"; echo mine > "$1/mine""#, &stage);
    for number in 2..=3 {
        neighbours.put(number);
        let loaded = program.wait_for_generation(number.into());
        assert!(
            !Path::new(loaded.text("staged")).starts_with(&stage),
            "{loaded:?}"
        );
        program.wait_for_answer(&version(number));
    }
    let names = fs::read_dir(&stage).unwrap().count();
    assert_eq!(names, 1, "nothing was made in the stranger's directory");
    let ended = program.stop();
    ended.assert_failed(0, &["somebody removed or replaced the stage directory"]);
    assert!(
        stage.join("mine").exists(),
        "and nothing was removed from it"
    );
    assert_eq!(neighbours.stages(), [] as [PathBuf; 0]);
}

#[test]
fn what_a_stranger_puts_beside_stage_directories_neither_hangs_nor_misleads_the_sweep() {
    let neighbours = Neighbours::new();
    let own = neighbours.temporary().join("own");
    fs::create_dir(&own).unwrap();
    allow(&own, 0o700);
    fs::write(own.join("owner"), "").unwrap();
    for path in [own.join("owner"), own.clone()] {
        chown(path, Some(KEEPER), Some(KEEPER)).unwrap();
    }
    neighbours.stranger(
        r#"mkfifo replug-1-1-fifo; mkdir replug-1-1-pipe replug-1-1-file; mkfifo replug-1-1-pipe/owner
           touch replug-1-1-file/owner; chmod -R 777 replug-*; ln -s "$1" replug-1-1-link"#,
        &own,
    );
    let mut program = neighbours.keeper(AS_IT_IS);
    program.wait_for_answer(&version(1));
    program.stop().assert_quiet_success();
    assert!(own.join("owner").exists(), "no link was followed");
    for name in ["fifo", "pipe/owner", "file/owner", "link"] {
        let path = neighbours.temporary().join(format!("replug-1-1-{name}"));
        assert!(fs::symlink_metadata(path).is_ok(), "{name}");
    }
}

#[test]
fn a_directory_in_which_a_stranger_can_rename_holds_no_copies() {
    let neighbours = Neighbours::new();
    // Everybody can write there; a group of hers; a group that has the keeper's number, for whoever is in it; and by an
    // access control list, which shows as rights of the group.
    for (mode, owner, group, is_listed) in [
        (0o777, 0, STRANGER, false),
        (0o775, 0, STRANGER, false),
        (0o775, KEEPER, KEEPER, false),
        (0o755, 0, 0, true),
    ] {
        allow(&neighbours.temporary(), mode);
        chown(neighbours.temporary(), Some(owner), Some(group)).unwrap();
        if is_listed {
            let_write(&neighbours.temporary(), STRANGER);
        }
        let mut program = neighbours.keeper(AS_IT_IS);
        let loaded = program.wait_for_generation(1);
        let staged = Path::new(loaded.text("staged"));
        assert!(!staged.starts_with(neighbours.temporary()), "{loaded:?}");
        let ended = program.stop();
        ended.assert_failed(0, &["others can write to", "trying the next place"]);
    }
    let hers = neighbours.scratch.join("hers");
    fs::create_dir(&hers).unwrap();
    chown(&hers, Some(STRANGER), Some(STRANGER)).unwrap();
    let below = hers.join("below");
    fs::create_dir(&below).unwrap();
    chown(&below, Some(KEEPER), Some(KEEPER)).unwrap();
    symlink(&below, neighbours.scratch.join("link")).unwrap();
    for chosen in [below, neighbours.scratch.join("link")] {
        let script = format!(r#"exec "$@" --stage-dir {}"#, chosen.display());
        let ended = neighbours.keeper(&script).end();
        ended.assert_failed(
            1,
            &["cannot make a stage directory in", "belongs to user 61002"],
        );
    }
}

#[test]
fn a_service_that_has_ceased_to_be_root_makes_its_copies_in_a_directory_of_its_new_user() {
    let neighbours = Neighbours::new();
    let stage = StageDirectory::new(Some(&neighbours.temporary())).unwrap();
    let of_root = stage.path().unwrap();
    assert!(neighbours.stages().is_empty());
    let thread = thread::scope(|scope| {
        let as_keeper = || {
            let keeper = rustix::process::Uid::from_raw(KEEPER);
            // Of this thread only, unlike what the C library does.
            rustix::thread::set_thread_res_uid(keeper, keeper, keeper).unwrap();
            stage
                .create(Path::new("libx.so"))
                .map(|copy| copy.path().to_owned())
        };
        scope.spawn(as_keeper).join()
    });
    let copy = thread.unwrap().unwrap();
    assert!(!copy.starts_with(of_root), "{copy:?}");
    assert!(copy.starts_with(neighbours.stage()), "{copy:?}");
}

#[test]
fn copies_are_for_their_owner_alone_whatever_the_umask() {
    for umask in ["0", "0777"] {
        let neighbours = Neighbours::new();
        let mut program = neighbours.keeper(&format!(r#"umask {umask}; exec "$@""#));
        let loaded = program.wait_for_generation(1);
        assert_eq!(mode_of(&neighbours.stage()), 0o700, "umask {umask}");
        let staged = Path::new(loaded.text("staged"));
        assert_eq!(mode_of(staged), 0o600, "umask {umask}");
        program.stop().assert_quiet_success();
    }
}

#[test]
fn systemd_tmpfiles_leaves_a_stage_directory_alone() {
    /// Longer than the age in the rule.
    const OLD: Duration = Duration::from_secs(2);
    assert_installed("systemd-tmpfiles");
    let neighbours = Neighbours::new();
    let mut program = neighbours.keeper(AS_IT_IS);
    let loaded = program.wait_for_generation(1);
    let foreign = neighbours.temporary().join("foreign");
    fs::write(&foreign, "").unwrap();
    pause(OLD);
    let rule = neighbours.scratch.join("rule.conf");
    let temporary = neighbours.temporary();
    fs::write(&rule, format!("e {} - - - 1s\n", temporary.display())).unwrap();
    let mut tidied = Command::new("systemd-tmpfiles");
    let tidied = tidied.arg("--clean").arg(&rule).status().unwrap();
    assert!(tidied.success());
    assert!(!foreign.exists(), "it was at work");
    assert!(Path::new(loaded.text("staged")).exists());
    assert!(neighbours.stage().join("owner").exists());
    program.stop().assert_quiet_success();
}
