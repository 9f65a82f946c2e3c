//! A lab of two users on one machine: a keeper runs the program, and a stranger does what he can to it. Root makes both, and
//! removes them afterwards.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use rustix::fs::{CWD, Mode, XattrFlags, mkfifoat, setxattr};
use vocabulary::{Artifact, Line, Program, Scratch, library, version};

/// A user, by the numbers of the user and of a group that has no other member.
#[derive(Clone, Copy)]
struct User {
    number: u32,
    group: u32,
}

const ROOT: User = User {
    number: 0,
    group: 0,
};

/// The two users, for as long as some lab needs them.
struct Users {
    keeper: User,
    stranger: User,
}

const NAMES: [&str; 2] = ["replug-lab-keeper", "replug-lab-stranger"];

/// How many labs need the users now.
static NEEDED: Mutex<usize> = Mutex::new(0);

impl Users {
    fn new() -> Users {
        let mut needed = NEEDED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        *needed += 1;
        let [keeper, stranger] = NAMES.map(|name| {
            // Those whom a lab left behind that was killed.
            known(name).unwrap_or_else(|| {
                let options = ["--system", "--no-create-home", "--user-group"];
                let made = Command::new("useradd").args(options).arg(name).output();
                let made = made.expect("this lab needs useradd, and root");
                assert!(made.status.success(), "{made:?}");
                known(name).expect("the user was just made")
            })
        });
        Users { keeper, stranger }
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        let mut needed = NEEDED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        *needed -= 1;
        if *needed == 0 {
            for name in NAMES {
                let _ = Command::new("userdel").arg(name).output();
            }
        }
    }
}

fn known(name: &str) -> Option<User> {
    let number = |what: &str| {
        let answer = Command::new("id").args([what, name]).output().ok()?;
        String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
    };
    Some(User {
        number: number("-u")?,
        group: number("-g")?,
    })
}

/// A place where both users have something, and the program of the keeper.
struct Yard {
    users: Users,
    scratch: Scratch,
}

impl Yard {
    fn new() -> Yard {
        let yard = Yard {
            users: Users::new(),
            scratch: Scratch::new(),
        };
        set_mode(yard.scratch.path(), 0o755);
        yard
    }

    /// A new directory.
    fn directory(&self, name: &str, owner: User, mode: u32) -> PathBuf {
        let path = self.scratch.join(name);
        fs::create_dir(&path).unwrap();
        own(&path, owner);
        set_mode(&path, mode);
        path
    }

    /// A new library, renamed into place.
    fn library(&self, path: &Path, number: u32, owner: User, mode: u32) {
        let new = self.scratch.join("new");
        fs::write(&new, library(number)).unwrap();
        own(&new, owner);
        set_mode(&new, mode);
        fs::rename(new, path).unwrap();
    }

    /// The program, run by one of the users.
    fn command(&self, user: User, options: &[&str]) -> Command {
        let mut command = Program::unprivileged_command(&self.scratch);
        own(&self.scratch.stage(), user);
        command.uid(user.number).gid(user.group);
        command.args(["--interval-ms", "20", "--every-ms", "20"]);
        command.args(options);
        command
    }

    /// The keeper watches a path.
    fn watch(&self, path: &Path, options: &[&str]) -> Program {
        let mut command = self.command(self.users.keeper, options);
        command.arg(path);
        Program::start(command)
    }
}

fn own(path: &Path, user: User) {
    chown(path, Some(user.number), Some(user.group)).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn link(target: &Path, path: &Path, owner: User) {
    symlink(target, path).unwrap();
    std::os::unix::fs::lchown(path, Some(owner.number), Some(owner.group)).unwrap();
}

/// Gives a third user the right to write, by an access control list: version 2, and for each entry its tag, its rights and
/// its user, as `acl(5)` lists them.
pub(crate) fn let_write(path: &Path, third: u32) {
    let [owner, user, group, mask, others] = [0x01_u16, 0x02, 0x04, 0x10, 0x20];
    const NOBODY: u32 = u32::MAX;
    let enter = u16::from(path.is_dir());
    let mut list = 2_u32.to_le_bytes().to_vec();
    let entries = [
        (owner, 6_u16, NOBODY),
        (user, 6, third),
        (group, 4, NOBODY),
        (mask, 6, NOBODY),
        (others, 4, NOBODY),
    ];
    for (tag, rights, user) in entries {
        list.extend(tag.to_le_bytes());
        list.extend((rights | enter).to_le_bytes());
        list.extend(user.to_le_bytes());
    }
    setxattr(path, "system.posix_acl_access", &list, XattrFlags::empty()).unwrap();
}

/// Sees that with `strict` the library at `path` is kept out and with `warn` it is loaded, for a reason that holds `telling`.
#[track_caller]
fn assert_distrusted(yard: &Yard, path: &Path, telling: &[&str]) {
    let tells = |line: &Line| {
        for part in telling {
            assert!(
                line.text("reason").contains(part),
                "no {part:?} in {line:?}"
            );
        }
    };
    let mut program = yard.watch(path, &["--trust", "strict"]);
    let kept = program.wait_for_event("kept");
    assert_eq!(kept.text("step"), "trust");
    tells(&kept);
    // The next tries.
    program.go_on_for(Duration::from_millis(500));
    assert_eq!(program.said("kept").len(), 1, "said once");
    assert_eq!(program.said("loaded").len(), 0);
    program.stop().assert_quiet_success();

    let mut program = yard.watch(path, &[]);
    let warned = program.wait_for_event("warning");
    assert_eq!(warned.text("about"), "trust");
    tells(&warned);
    program.wait_for_generation(1);
    program.go_on_for(Duration::from_millis(200));
    assert_eq!(program.said("warning").len(), 1, "said once");
    program.stop().assert_quiet_success();

    let mut program = yard.watch(path, &["--trust", "off"]);
    program.wait_for_generation(1);
    assert_eq!(program.said("warning").len(), 0);
    program.stop().assert_quiet_success();
}

#[test]
fn what_a_stranger_can_change_is_warned_of_and_strict_keeps_it_out() {
    let yard = Yard::new();
    let Users { keeper, stranger } = yard.users;
    let belongs = format!("belongs to user {}", stranger.number);

    let home = yard.directory("home", keeper, 0o755);
    let open = home.join("libopen.so");
    yard.library(&open, 1, keeper, 0o666);
    assert_distrusted(
        &yard,
        &open,
        &["everybody can write to", "libopen.so", "mode 0666"],
    );

    let sticky = yard.directory("sticky", ROOT, 0o1777);
    let of_stranger = sticky.join("libstranger.so");
    yard.library(&of_stranger, 1, stranger, 0o644);
    assert_distrusted(
        &yard,
        &of_stranger,
        &["libstranger.so", &belongs, "mode 0644"],
    );

    // Where the link leads is the keeper's own; but the stranger says where.
    let own = home.join("libown.so");
    yard.library(&own, 1, keeper, 0o644);
    let by_link = sticky.join("liblink.so");
    link(&own, &by_link, stranger);
    assert_distrusted(&yard, &by_link, &["liblink.so", &belongs]);

    let anybody = yard.directory("anybody", keeper, 0o777);
    let inner = yard.directory("anybody/inner", keeper, 0o755);
    let below = inner.join("libbelow.so");
    yard.library(&below, 1, keeper, 0o644);
    let telling = format!("everybody can write to `{}`", anybody.display());
    assert_distrusted(&yard, &below, &[&telling, "mode 0777"]);

    let shared = home.join("libshared.so");
    yard.library(&shared, 1, keeper, 0o664);
    chown(&shared, None, Some(stranger.group)).unwrap();
    let telling = format!("group {} can write to", stranger.group);
    assert_distrusted(&yard, &shared, &[&telling, "mode 0664"]);

    let listed = home.join("liblisted.so");
    yard.library(&listed, 1, keeper, 0o644);
    let_write(&listed, stranger.number);
    assert_distrusted(&yard, &listed, &["can write to", "liblisted.so"]);
}

#[test]
fn what_no_stranger_can_change_is_loaded_by_strict_without_a_word() {
    let yard = Yard::new();
    let keeper = yard.users.keeper;
    let sticky = yard.directory("sticky", ROOT, 0o1777);
    let home = yard.directory("home", keeper, 0o775);
    let target = home.join("libtarget.so");
    yard.library(&target, 1, ROOT, 0o755);
    let path = sticky.join("libx.so");
    link(&target, &path, keeper);
    // The second build is writable for a group whose only member is the keeper.
    let mut program = yard.watch(&path, &["--trust", "strict"]);
    program.wait_for_answer(&version(1));
    yard.library(&target, 2, keeper, 0o664);
    program.wait_for_answer(&version(2));
    let ended = program.stop();
    ended.assert_quiet_success();
    assert_eq!(ended.said("kept").len() + ended.said("warning").len(), 0);
}

#[test]
fn what_a_stranger_drops_into_a_directory_is_kept_out_and_harms_none_of_its_neighbours() {
    let yard = Yard::new();
    let Users { keeper, stranger } = yard.users;
    let sticky = yard.directory("sticky", ROOT, 0o1777);
    yard.library(&sticky.join("libown.so"), 1, keeper, 0o755);
    let dropped = sticky.join("libdropped.so");
    yard.library(&dropped, 2, stranger, 0o755);
    let pipe = sticky.join("libpipe.so");
    mkfifoat(CWD, &pipe, Mode::from_raw_mode(0o666)).unwrap();
    std::os::unix::fs::lchown(&pipe, Some(stranger.number), None).unwrap();

    let mut program = yard.watch(&sticky, &["--trust", "strict"]);
    program.wait_for_answer(&version(1));
    let is_dropped = |line: &Line| {
        line.event() == "kept" && line.text("plugin") == "dropped" && line.text("step") == "trust"
    };
    if !program.said.iter().any(is_dropped) {
        program.wait_for("the stranger's library kept out", is_dropped);
    }
    yard.library(&sticky.join("libown.so"), 3, keeper, 0o755);
    program.wait_for_answer(&version(3));
    assert!(
        program
            .said("loaded")
            .iter()
            .all(|line| line.text("plugin") == "own")
    );
    // Root gives it to the keeper: nothing but its owner was wrong with it.
    own(&dropped, keeper);
    program.wait_for_answer(&version(2));
    program.stop().assert_quiet_success();
}

#[test]
fn a_library_that_was_kept_out_for_a_directory_goes_live_when_the_directory_is_closed() {
    let yard = Yard::new();
    let keeper = yard.users.keeper;
    let anybody = yard.directory("anybody", keeper, 0o777);
    let artifact = anybody.join("libx.so");
    yard.library(&artifact, 1, keeper, 0o755);
    let mut program = yard.watch(&artifact, &["--trust", "strict"]);
    assert_eq!(program.wait_for_event("kept").text("step"), "trust");
    set_mode(&anybody, 0o755);
    program.wait_for_answer(&version(1));
    assert_eq!(program.said("kept").len(), 1);
    program.stop().assert_quiet_success();
}

#[test]
fn no_lock_of_a_stranger_keeps_anybody_waiting() {
    let yard = Yard::new();
    let Users { keeper, stranger } = yard.users;
    for name in [".cargo-lock", ".cargo-artifact-lock"] {
        let sticky = yard.directory(&format!("sticky{name}"), ROOT, 0o1777);
        let path = sticky.join("libx.so");
        let lock = sticky.join(name);
        yard.library(&path, 1, keeper, 0o755);
        mkfifoat(CWD, &lock, Mode::from_raw_mode(0o666)).unwrap();
        set_mode(&lock, 0o666);
        own(&lock, stranger);
        let mut program = yard.watch(&path, &[]);
        program.wait_for_answer(&version(1));

        // Held for ever, but by nobody who builds here.
        fs::remove_file(&lock).unwrap();
        let held = File::create(&lock).unwrap();
        own(&lock, stranger);
        held.lock().unwrap();
        Artifact::at(&path).restore(&library(2));
        program.wait_for_answer(&version(2));

        // A link to a lock that somebody holds elsewhere.
        fs::rename(&lock, sticky.join("elsewhere")).unwrap();
        own(&sticky.join("elsewhere"), keeper);
        link(&sticky.join("elsewhere"), &lock, stranger);
        Artifact::at(&path).restore(&library(3));
        program.wait_for_answer(&version(3));
        let ended = program.stop();
        ended.assert_quiet_success();
        let gated = ended.said("waiting").into_iter();
        assert_eq!(
            gated.filter(|line| line.text("reason") == "gated").count(),
            0
        );
    }
}

#[test]
fn a_program_with_more_rights_than_its_user_is_strict_whatever_that_user_says() {
    let yard = Yard::new();
    let Users { keeper, stranger } = yard.users;
    let home = yard.directory("home", stranger, 0o755);
    let of_stranger = home.join("libstranger.so");
    yard.library(&of_stranger, 1, stranger, 0o755);
    let of_root = yard.scratch.join("libroot.so");
    yard.library(&of_root, 2, ROOT, 0o755);
    // With the keeper's files, and with her group only.
    for (mode, effective) in [(0o4755, keeper), (0o2755, stranger)] {
        let run = |path: &Path| {
            let mut command = yard.command(stranger, &["--trust", "off"]);
            let program = PathBuf::from(command.get_program());
            own(&program, keeper);
            set_mode(&program, mode);
            own(&yard.scratch.stage(), effective);
            command.arg(path);
            Program::start(command)
        };
        // A copy on the disk would belong to whoever started the program, if its user is the same.
        let is_in_memory = effective.number == stranger.number;
        let assert_ended = |program: Program| match is_in_memory {
            true => program
                .stop()
                .assert_failed(0, &["they are kept in memory"]),
            false => program.stop().assert_quiet_success(),
        };
        let mut program = run(&of_stranger);
        let kept = program.wait_for_event("kept");
        assert_eq!(kept.text("step"), "trust", "{mode:o}");
        for part in [
            &format!("belongs to user {}", stranger.number),
            "this process has more rights than the user who started it",
        ] {
            assert!(kept.text("reason").contains(part), "{mode:o}: {kept:?}");
        }
        assert_ended(program);
        let mut program = run(&of_root);
        let loaded = program.wait_for_generation(1);
        let staged = Path::new(loaded.text("staged"));
        assert_eq!(
            staged.starts_with("/proc/self/fd"),
            is_in_memory,
            "{mode:o}: {loaded:?}"
        );
        program.wait_for_answer(&version(2));
        assert_ended(program);
    }
}

#[test]
fn a_program_with_more_rights_than_its_user_takes_neither_places_nor_commands_from_that_user() {
    let yard = Yard::new();
    let Users { keeper, stranger } = yard.users;
    let of_root = yard.scratch.join("libroot.so");
    yard.library(&of_root, 1, ROOT, 0o755);
    let runtime = yard.directory("runtime", keeper, 0o700);
    let ran = yard.scratch.join("ran");
    let cargo = yard
        .scratch
        .script("cargo", &format!("touch {}", ran.display()));
    let start = |arguments: &[&str]| {
        let program = PathBuf::from(yard.command(stranger, &[]).get_program());
        own(&program, keeper);
        set_mode(&program, 0o4755);
        let mut command = Command::new(program);
        command
            .args(["run", "--json", "--interval-ms", "20", "--every-ms", "20"])
            .args(arguments)
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("CARGO", &cargo)
            .current_dir(yard.scratch.path())
            .uid(stranger.number)
            .gid(stranger.group);
        Program::start(command)
    };
    let mut program = start(&[of_root.to_str().unwrap()]);
    let loaded = program.wait_for_generation(1);
    let staged = Path::new(loaded.text("staged"));
    assert!(!staged.starts_with(&runtime), "{loaded:?}");
    program.stop().assert_quiet_success();

    let ended = start(&["-p", "anything"]).end();
    ended.assert_failed(1, &["has more rights than the user who started it"]);
    assert!(!ran.exists(), "nothing was run");
}
