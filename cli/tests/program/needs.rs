//! What a plugin needs of the process that loads it, and what it brings along: other libraries, objects of which a
//! process has only one, a sanitizer's runtime.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use replug::Digest;
use rustix::fs::{CWD, Mode, mkfifoat};
use vocabulary::{Artifact, Line, Program, Scratch, program};

use crate::key::Key;

/// A directory in which a plugin and the libraries beside it are published, each put into place whole.
struct Beside {
    scratch: Scratch,
    directory: PathBuf,
}

impl Beside {
    fn new() -> Beside {
        let scratch = Scratch::new();
        let directory = scratch.join("plugins");
        fs::create_dir(&directory).unwrap();
        Beside { scratch, directory }
    }

    fn plugin(&self) -> PathBuf {
        self.directory.join("libplugin.so")
    }

    /// Publishes a library that a C compiler makes of `source`, with these flags.
    #[track_caller]
    fn publish(&self, name: &str, source: &str, flags: &[&str]) {
        let (input, output) = (self.scratch.join("source.c"), self.scratch.join("made"));
        fs::write(&input, source).unwrap();
        let made = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&output, &input])
            .arg("-L")
            .arg(&self.directory)
            .args(flags)
            .status()
            .expect("cc can be started");
        assert!(made.success(), "{name} does not compile");
        Artifact::at(self.directory.join(name)).replace_with(&fs::read(output).unwrap());
    }

    /// Publishes a helper that answers `number`, under its soname.
    fn publish_helper(&self, number: u32) {
        let soname = "-Wl,-soname,libhelper.so";
        self.publish("libhelper.so", &helper(number), &[soname]);
    }

    /// Publishes a plugin that answers its number, and that of the helper; the loader finds the helper by `path`.
    fn publish_plugin(&self, number: u32, path: &str) {
        let path = format!("-Wl,-rpath,{path}");
        self.publish(
            "libplugin.so",
            &plugin(number, "helper", "int helper(void);"),
            &["-lhelper", &path],
        );
    }

    fn watch(&self, options: &[&str]) -> Program {
        Program::watch(&self.scratch, &self.plugin(), options)
    }
}

fn helper(number: u32) -> String {
    format!("int helper(void) {{ return {number}; }}")
}

/// The source of a plugin that answers its number, and what `asked` returns, which is declared as `declared`.
fn plugin(number: u32, asked: &str, declared: &str) -> String {
    format!(
        "#include <stdio.h>
        #include <stdlib.h>
        {declared}
        char *plugin_function(const char *input) {{
            char *answer = malloc(64);
            (void)input;
            sprintf(answer, \"plugin {number} over %d\", {asked}());
            return answer;
        }}
        void plugin_free(char *answer) {{ free(answer); }}"
    )
}

/// Waits until a build is kept out for a reason that holds `reason`.
#[track_caller]
fn wait_for_kept(program: &mut Program, step: &str, reason: &str) -> Line {
    program.wait_for(&format!("build kept out, for {reason}"), |line| {
        let is_kept = line.event() == "kept" && line.text("step") == step;
        is_kept && line.text("reason").contains(reason)
    })
}

#[test]
fn a_library_beside_a_plugin_comes_with_it_whether_told_by_origin_or_by_its_directory() {
    for told_by_origin in [true, false] {
        let beside = Beside::new();
        let directory = beside.directory.to_str().unwrap();
        let path = if told_by_origin { "$ORIGIN" } else { directory };
        beside.publish_helper(1);
        beside.publish_plugin(1, path);
        let mut program = beside.watch(&[]);
        program.wait_for_answer("plugin 1 over 1");
        assert!(program.said("warning").is_empty(), "{:?}", program.said);
        // The watched files are never mapped.
        let maps = fs::read_to_string(format!("/proc/{}/maps", program.id())).unwrap();
        assert!(!maps.contains(directory), "{maps}");
        program.stop_cleanly(&beside.scratch);
    }
}

#[test]
fn a_library_that_comes_with_one_that_comes_along_comes_too() {
    let beside = Beside::new();
    let source = "int deep(void) { return 7; }";
    beside.publish("libdeep.so", source, &["-Wl,-soname,libdeep.so"]);
    let source = "int deep(void); int helper(void) { return deep(); }";
    let flags = ["-Wl,-soname,libhelper.so", "-ldeep", "-Wl,-rpath,$ORIGIN"];
    beside.publish("libhelper.so", source, &flags);
    beside.publish_plugin(1, "$ORIGIN");
    let mut program = beside.watch(&[]);
    program.wait_for_answer("plugin 1 over 7");
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn a_library_that_comes_along_has_to_be_allowed_too() {
    let beside = Beside::new();
    beside.publish_helper(1);
    beside.publish_plugin(1, "$ORIGIN");
    let list = beside.scratch.join("allowed");
    let allow = |names: &[&str]| {
        let line = |name: &&str| {
            let library = fs::read(beside.directory.join(name)).unwrap();
            format!("{}  {name}\n", Digest::of(&library))
        };
        fs::write(&list, names.iter().map(line).collect::<String>()).unwrap();
    };
    allow(&["libplugin.so"]);
    let mut program = beside.watch(&["--allow", list.to_str().unwrap()]);
    wait_for_kept(&mut program, "trust", "libhelper.so`: ");
    allow(&["libplugin.so", "libhelper.so"]);
    program.wait_for_answer("plugin 1 over 1");
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn an_old_library_never_serves_a_new_plugin_and_the_same_one_does() {
    let beside = Beside::new();
    beside.publish_helper(1);
    beside.publish_plugin(1, "$ORIGIN");
    let mut program = beside.watch(&[]);
    program.wait_for_answer("plugin 1 over 1");
    beside.publish_plugin(2, "$ORIGIN");
    program.wait_for_answer("plugin 2 over 1");
    // A change of the library alone is a change.
    beside.publish_helper(2);
    let kept = wait_for_kept(&mut program, "load", "it needs `libhelper.so`");
    assert_eq!(kept.number("generation"), 2);
    assert!(kept.text("reason").contains("restart the host"), "{kept:?}");
    beside.publish_plugin(3, "$ORIGIN");
    let is_other = kept.text("sha256").to_owned();
    program.wait_for("the next build kept out", |line| {
        line.event() == "kept" && line.text("sha256") != is_other
    });
    beside.publish_helper(1);
    program.wait_for_answer("plugin 3 over 1");
    let ended = program.stop_cleanly(&beside.scratch);
    for result in ended.said("result") {
        let answer = result.text("value");
        assert!(answer.ends_with("over 1"), "{answer}");
    }
}

#[test]
fn a_plugin_whose_library_comes_later_is_loaded_then() {
    let beside = Beside::new();
    beside.publish_helper(1);
    beside.publish_plugin(1, "$ORIGIN");
    fs::remove_file(beside.directory.join("libhelper.so")).unwrap();
    let mut program = beside.watch(&[]);
    wait_for_kept(&mut program, "load", "libhelper.so");
    beside.publish_helper(1);
    program.wait_for_answer("plugin 1 over 1");
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn half_a_library_beside_a_plugin_is_waited_for() {
    let beside = Beside::new();
    beside.publish_helper(1);
    beside.publish_plugin(1, "$ORIGIN");
    let helper = beside.directory.join("libhelper.so");
    let whole = fs::read(&helper).unwrap();
    fs::write(&helper, &whole[..whole.len() / 2]).unwrap();
    let mut program = beside.watch(&[]);
    program.wait_for_event("waiting");
    fs::write(&helper, &whole).unwrap();
    program.wait_for_answer("plugin 1 over 1");
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn half_a_library_beside_a_plugin_that_nobody_finishes_is_named_once() {
    let beside = Beside::new();
    beside.publish_helper(1);
    beside.publish_plugin(2, "$ORIGIN");
    let next_build = fs::read(beside.plugin()).unwrap();
    beside.publish_plugin(1, "$ORIGIN");
    let helper = beside.directory.join("libhelper.so");
    fs::write(&helper, "").unwrap();
    let mut program = beside.watch(&[]);
    program.wait_for("a wait for the rest", |line| {
        line.event() == "waiting" && line.text("reason") == "incomplete"
    });
    wait_for_kept(&mut program, "vet", "libhelper.so`: it is empty");
    // Another build of the plugin changes nothing about that.
    Artifact::at(beside.plugin()).replace_with(&next_build);
    // In one step: without a helper the plugin would be tried, and kept out by the loader.
    let aside = beside.directory.join("aside");
    symlink("libhelper.so", &aside).unwrap();
    fs::rename(&aside, &helper).unwrap();
    let kept = wait_for_kept(&mut program, "stage", "libhelper.so`: ");
    assert!(kept.text("reason").contains("cannot read"), "{kept:?}");
    beside.publish_helper(1);
    program.wait_for_answer("plugin 2 over 1");
    assert_eq!(program.said("kept").len(), 2, "{:?}", program.said);
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn a_wait_for_a_library_ends_with_a_plugin_that_needs_none() {
    let beside = Beside::new();
    beside.publish_helper(1);
    beside.publish_plugin(2, "$ORIGIN");
    let needs_helper = fs::read(beside.plugin()).unwrap();
    let alone = plugin(1, "one", "static int one(void) { return 1; }");
    beside.publish("libplugin.so", &alone, &[]);
    let needs_none = fs::read(beside.plugin()).unwrap();
    fs::write(beside.directory.join("libhelper.so"), "").unwrap();
    let mut program = beside.watch(&[]);
    program.wait_for_answer("plugin 1 over 1");
    // Each wait is one of its own, and is said.
    for _ in 0..2 {
        Artifact::at(beside.plugin()).replace_with(&needs_helper);
        wait_for_kept(&mut program, "vet", "libhelper.so`: it is empty");
        Artifact::at(beside.plugin()).replace_with(&needs_none);
        program.wait_for_event("unchanged");
    }
    program.stop_cleanly(&beside.scratch);
}

/// Puts things that are no libraries into the place of one, each in its turn, and shows each to `then`.
fn for_each_thing_at(place: &Path, then: impl Fn(&str)) {
    type Put<'a> = &'a dyn Fn();
    let things: [(&str, Put); 4] = [
        ("a FIFO", &|| {
            mkfifoat(CWD, place, Mode::RWXU).unwrap();
        }),
        ("a directory", &|| fs::create_dir(place).unwrap()),
        ("a device", &|| symlink("/dev/zero", place).unwrap()),
        ("a loop", &|| {
            symlink(place.file_name().unwrap(), place).unwrap();
        }),
    ];
    for (thing, put) in things {
        put();
        then(thing);
        if fs::remove_file(place).is_err() {
            fs::remove_dir(place).unwrap();
        }
    }
}

#[test]
fn what_the_process_has_itself_is_not_looked_for_beside_a_plugin() {
    let beside = Beside::new();
    beside.publish_helper(1);
    beside.publish_plugin(1, "$ORIGIN");
    let libc = beside.directory.join("libc.so.6");
    let is_loaded = |_: &str| {
        let mut program = beside.watch(&["--trust", "off"]);
        let first = program.wait_for("a word about the plugin", |line| {
            matches!(line.event(), "loaded" | "kept")
        });
        assert_eq!(first.event(), "loaded", "{:?}", program.said);
        program.stop_cleanly(&beside.scratch);
    };
    for_each_thing_at(&libc, is_loaded);
    fs::write(&libc, "no library at all").unwrap();
    is_loaded("a text");
}

#[test]
fn what_is_no_file_in_place_of_a_library_is_named_and_never_opened() {
    let beside = Beside::new();
    beside.publish_helper(1);
    beside.publish_plugin(1, "$ORIGIN");
    let helper = beside.directory.join("libhelper.so");
    fs::remove_file(&helper).unwrap();
    for_each_thing_at(&helper, |thing| {
        let mut program = beside.watch(&[]);
        let kept = wait_for_kept(&mut program, "stage", "libhelper.so`: ");
        let is_named = kept.text("reason").contains(thing) || thing == "a loop";
        assert!(is_named, "{kept:?}");
        program.stop_cleanly(&beside.scratch);
    });
    mkfifoat(CWD, &helper, Mode::RWXU).unwrap();
    let mut program = beside.watch(&[]);
    wait_for_kept(&mut program, "stage", "libhelper.so`: ");
    beside.publish_helper(1);
    program.wait_for_answer("plugin 1 over 1");
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn a_library_beside_a_plugin_that_others_can_write_is_kept_out_once() {
    let beside = Beside::new();
    beside.publish_helper(1);
    beside.publish_plugin(1, "$ORIGIN");
    let helper = beside.directory.join("libhelper.so");
    let allow = |mode| fs::set_permissions(&helper, Permissions::from_mode(mode)).unwrap();
    allow(0o666);
    let mut program = beside.watch(&["--trust", "strict"]);
    wait_for_kept(&mut program, "trust", "libhelper.so");
    // Builds that are judged anew, each of which takes a compiler longer than a new try takes replug.
    beside.publish_plugin(2, "$ORIGIN");
    beside.publish_plugin(3, "$ORIGIN");
    allow(0o644);
    program.wait_for_answer("plugin 3 over 1");
    assert_eq!(program.said("kept").len(), 1, "{:?}", program.said);
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn a_library_beside_a_plugin_comes_before_one_of_the_search_path() {
    let beside = Beside::new();
    beside.publish_helper(1);
    let elsewhere = beside.scratch.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let helper = beside.directory.join("libhelper.so");
    fs::rename(&helper, elsewhere.join("libhelper.so")).unwrap();
    beside.publish_helper(2);
    let flags = ["-lhelper", "-Wl,-rpath,$ORIGIN", "-Wl,--enable-new-dtags"];
    let source = plugin(1, "helper", "int helper(void);");
    beside.publish("libplugin.so", &source, &flags);
    let mut command = Program::command(&beside.scratch);
    command.args(["--interval-ms", "20", "--every-ms", "20"]);
    command
        .env("LD_LIBRARY_PATH", &elsewhere)
        .arg(beside.plugin());
    let mut program = Program::start(command);
    program.wait_for_answer("plugin 1 over 2");
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn a_library_without_a_soname_is_kept_out_or_warned_of_by_name() {
    let beside = Beside::new();
    beside.publish("libhelper.so", &helper(1), &[]);
    beside.publish_plugin(1, "$ORIGIN");
    let mut program = beside.watch(&[]);
    let kept = wait_for_kept(&mut program, "vet", "has no such soname");
    assert!(
        kept.text("reason").contains("-Wl,-soname,libhelper.so"),
        "{kept:?}"
    );
    beside.publish_plugin(2, beside.directory.to_str().unwrap());
    let warned = program.wait_for_event("warning");
    assert_eq!(warned.text("about"), "unstaged");
    assert!(
        warned.text("reason").contains("`libhelper.so`"),
        "{warned:?}"
    );
    program.wait_for_answer("plugin 2 over 1");
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn of_two_watched_plugins_the_one_that_needs_the_other_never_runs_on_an_old_one() {
    let beside = Beside::new();
    let base = |number| {
        let declared = format!("int base(void) {{ return {number}; }}");
        let flags = ["-Wl,-soname,libbase.so", "-Wl,-Bsymbolic"];
        beside.publish("libbase.so", &plugin(number, "base", &declared), &flags);
    };
    let over = |number| {
        let source = plugin(number, "base", "int base(void);");
        let flags = ["-lbase", "-Wl,-rpath,$ORIGIN", "-Wl,-Bsymbolic"];
        beside.publish("libover.so", &source, &flags);
    };
    base(1);
    over(11);
    let mut program = Program::watch(&beside.scratch, &beside.directory, &[]);
    program.wait_for_answer("plugin 11 over 1");
    base(2);
    let kept = wait_for_kept(&mut program, "load", "it needs `libbase.so`");
    program.wait_for_answer("plugin 2 over 2");
    over(12);
    let before = kept.text("sha256");
    program.wait_for("the next build kept out", |line| {
        line.event() == "kept" && line.text("sha256") != before
    });
    let ended = program.stop_cleanly(&beside.scratch);
    let mixed = |line: &&&Line| line.text("value").contains("plugin 12");
    assert!(ended.said("result").iter().find(mixed).is_none());
}

/// What C++ compilers make of a static in an inline function.
fn with_unique(number: u32, section: &str) -> String {
    let declared = format!(
        "__asm__(\".section {section}\\n .globl shared_level\\n .type shared_level, %gnu_unique_object\\n\"
            \".size shared_level, 4\\n shared_level: .long {number}\\n .previous\");
        extern int shared_level;
        static int level(void) {{ return shared_level; }}"
    );
    plugin(number, "level", &declared)
}

#[test]
fn a_build_that_would_run_on_the_objects_of_an_earlier_one_is_kept_out() {
    let beside = Beside::new();
    let publish = |number| {
        let source = with_unique(number, ".data");
        beside.publish("libplugin.so", &source, &[]);
    };
    publish(1);
    let mut program = beside.watch(&[]);
    let warned = program.wait_for_event("warning");
    assert_eq!(warned.text("about"), "unique");
    assert!(
        warned.text("reason").contains("-fno-gnu-unique"),
        "{warned:?}"
    );
    program.wait_for_answer("plugin 1 over 1");
    publish(2);
    let kept = wait_for_kept(&mut program, "load", "`shared_level`");
    assert!(kept.text("reason").contains("-fno-gnu-unique"), "{kept:?}");
    // What cures it.
    let source = plugin(3, "level", "static int level(void) { return 3; }");
    beside.publish("libplugin.so", &source, &[]);
    program.wait_for_answer("plugin 3 over 3");
    assert_eq!(program.said("warning").len(), 1);
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn another_plugin_with_the_same_object_is_kept_out_unless_all_may_share() {
    let beside = Beside::new();
    for (name, number) in [("liba.so", 1), ("libb.so", 2)] {
        beside.publish(name, &with_unique(number, ".data"), &[]);
    }
    let mut program = Program::watch(&beside.scratch, &beside.directory, &[]);
    wait_for_kept(&mut program, "load", "or of another plugin");
    program.stop_cleanly(&beside.scratch);

    let options = ["--allow-unique"];
    let mut program = Program::watch(&beside.scratch, &beside.directory, &options);
    wait_for_both(&mut program);
    assert!(program.said("warning").is_empty(), "{:?}", program.said);
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn a_plugin_of_the_same_bytes_under_another_name_shares_its_objects() {
    let beside = Beside::new();
    for name in ["liba.so", "libb.so"] {
        beside.publish(name, &with_unique(1, ".data"), &[]);
    }
    let mut program = Program::watch(&beside.scratch, &beside.directory, &[]);
    wait_for_both(&mut program);
    program.stop_cleanly(&beside.scratch);
}

/// Waits until the plugins `a` and `b` are live.
fn wait_for_both(program: &mut Program) {
    for name in ["a", "b"] {
        let is_loaded = |line: &Line| line.event() == "loaded" && line.text("plugin") == name;
        if !program.said.iter().any(is_loaded) {
            program.wait_for(name, is_loaded);
        }
    }
}

#[test]
fn equal_constants_of_two_builds_may_be_one_and_others_may_not() {
    let beside = Beside::new();
    let publish = |constant, more: &str| {
        let source = with_unique(constant, ".rodata") + more;
        // The constant in a segment that nobody can write to.
        beside.publish("libplugin.so", &source, &["-Wl,-z,separate-code"]);
    };
    publish(1, "");
    let mut program = beside.watch(&[]);
    program.wait_for_generation(1);
    publish(1, "int more;");
    program.wait_for_generation(2);
    publish(2, "");
    wait_for_kept(&mut program, "load", "`shared_level`");
    assert!(program.said("warning").is_empty(), "{:?}", program.said);
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn a_plugin_with_a_sanitizer_that_the_host_lacks_is_kept_out_and_ends_nobody() {
    let beside = Beside::new();
    let good = plugin(1, "one", "static int one(void) { return 1; }");
    beside.publish("libplugin.so", &good, &[]);
    let mut program = beside.watch(&[]);
    program.wait_for_answer("plugin 1");
    // As the runtime does that finds that it comes too late.
    let runtime = "#include <stdlib.h>
        void __asan_init(void) { _Exit(1); }
        __attribute__((constructor)) static void begin(void) { __asan_init(); }";
    let flags = ["-Wl,-soname,libasan.so.8"];
    beside.publish("libasan.so.8", runtime, &flags);
    let flags = [
        "-l:libasan.so.8",
        "-Wl,--no-as-needed",
        "-Wl,-rpath,$ORIGIN",
    ];
    let needs = "void __asan_init(void); static int one(void) { __asan_init(); return 2; }";
    beside.publish("libplugin.so", &plugin(2, "one", needs), &flags);
    let kept = wait_for_kept(&mut program, "vet", "AddressSanitizer");
    // A host in Rust has the runtime for itself alone, unless it is told otherwise.
    for needed in ["-fsanitize=address", "-Clink-arg=-rdynamic"] {
        assert!(kept.text("reason").contains(needed), "{kept:?}");
    }
    // In a library that comes along, too.
    let needs = "void __asan_init(void); int helper(void) { __asan_init(); return 3; }";
    let flags = ["-Wl,-soname,libhelper.so", "-l:libasan.so.8"];
    beside.publish("libhelper.so", needs, &flags);
    beside.publish(
        "libplugin.so",
        &plugin(3, "helper", "int helper(void);"),
        &[
            "-lhelper",
            "-Wl,-rpath,$ORIGIN",
            "-Wl,--allow-shlib-undefined",
        ],
    );
    wait_for_kept(
        &mut program,
        "vet",
        "libhelper.so`: it is built with AddressSanitizer",
    );
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn data_under_the_name_of_a_function_is_kept_out_and_not_called() {
    let beside = Beside::new();
    let good = plugin(1, "one", "static int one(void) { return 1; }");
    beside.publish("libplugin.so", &good, &[]);
    let mut program = beside.watch(&[]);
    program.wait_for_answer("plugin 1");
    let data = "int plugin_function = 5; void plugin_free(char *answer) { (void)answer; }";
    beside.publish("libplugin.so", data, &[]);
    wait_for_kept(&mut program, "vet", "it exports `plugin_function` as data");
    program.stop_cleanly(&beside.scratch);
}

#[test]
fn a_warning_is_said_once_for_as_long_as_its_cause_stays_and_again_when_it_is_back() {
    let beside = Beside::new();
    for (about, declared, flags) in [
        (
            "static-tls",
            "static __thread int one_; static int one(void) { return ++one_; }",
            &["-ftls-model=initial-exec"][..],
        ),
        (
            "executable-stack",
            "static int one(void) { return 1; }",
            &["-Wl,-z,execstack"],
        ),
        (
            "text-relocations",
            "__asm__(\".text\\n .quad plugin_free\"); static int one(void) { return 1; }",
            &["-Wl,-z,notext"],
        ),
    ] {
        let publish = |number, flags: &[&str]| {
            let declared = match flags {
                [] => "static int one(void) { return 1; }",
                _ => declared,
            };
            beside.publish("libplugin.so", &plugin(number, "one", declared), flags);
        };
        publish(1, flags);
        let mut program = beside.watch(&[]);
        for (number, flags, warned) in [(2, flags, 1), (3, &[], 1), (4, flags, 2)] {
            publish(number, flags);
            let digest = replug::Digest::of(&fs::read(beside.plugin()).unwrap()).to_string();
            // Some systems do not load such a library, and say so.
            program.wait_for(&format!("build {number}"), |line| {
                matches!(line.event(), "loaded" | "kept") && line.text("sha256") == digest
            });
            let said = program.said("warning");
            let said = said.iter().filter(|line| line.text("about") == about);
            assert_eq!(said.count(), warned, "{about} {number}: {:?}", program.said);
        }
        program.stop_cleanly(&beside.scratch);
    }
}

#[test]
fn a_warning_of_a_library_beside_a_plugin_names_it_and_is_said_once() {
    let beside = Beside::new();
    for (about, source, flags) in [
        (
            "static-tls",
            "static __thread int one_ = 6; int helper(void) { return ++one_; }".to_owned(),
            "-ftls-model=initial-exec",
        ),
        ("executable-stack", helper(7), "-Wl,-z,execstack"),
        (
            "text-relocations",
            format!("__asm__(\".text\\n .quad helper\"); {}", helper(7)),
            "-Wl,-z,notext",
        ),
    ] {
        let flags = ["-Wl,-soname,libhelper.so", flags];
        beside.publish("libhelper.so", &source, &flags);
        beside.publish_plugin(1, "$ORIGIN");
        let mut program = beside.watch(&[]);
        for number in [1, 2] {
            beside.publish_plugin(number, "$ORIGIN");
            // Some systems do not load such a library, and say so.
            program.wait_for(&format!("build {number}"), |line| {
                matches!(line.event(), "loaded" | "kept")
            });
            let said = program.said("warning");
            let mut said = said.iter().filter(|line| line.text("about") == about);
            let warned = said.next().expect("a warning");
            let reason = warned.text("reason");
            assert!(reason.contains("of `libhelper.so`"), "{warned:?}");
            assert!(said.next().is_none(), "{about}: {:?}", program.said);
        }
        program.stop_cleanly(&beside.scratch);
    }
}

#[test]
fn a_plugin_comes_back_out_of_a_store_with_what_it_brings_along() {
    let beside = Beside::new();
    let key = Key::new(&beside.scratch, "ours");
    let store = beside.scratch.join("store");
    let public = key.public.to_str().unwrap();
    for is_signed in [false, true] {
        let mut options = vec!["--store", store.to_str().unwrap()];
        if is_signed {
            options.extend(["--require-signature", public]);
        }
        let publish = |number| {
            // Each build of the helper has a name of its own, for a process takes one library of a name.
            let helper = format!("libhelper{number}.so");
            let soname = format!("-Wl,-soname,{helper}");
            beside.publish(&helper, &self::helper(number), &[&soname]);
            let source = plugin(number, "helper", "int helper(void);");
            let link = format!("-lhelper{number}");
            beside.publish("libplugin.so", &source, &[&link, "-Wl,-rpath,$ORIGIN"]);
            for name in [&*helper, "libplugin.so"] {
                let (place, file) = (beside.directory.join(name), beside.scratch.join(name));
                fs::copy(&place, &file).unwrap();
                let mut command = Command::new(program());
                command.args(["publish", "--sign"]).arg(&key.secret);
                command.arg(&file).arg(&place);
                let published = command.output().unwrap();
                assert!(published.status.success(), "{published:?}");
            }
        };
        let back = |arguments: &[&str]| {
            let mut command = Command::new(program());
            command.args(["back", "--json", "--store"]).arg(&store);
            let ended = Program::start({
                command.args(arguments);
                command
            });
            ended.end().assert_quiet_success();
        };
        publish(1);
        let mut host = beside.watch(&options);
        host.wait_for_answer("plugin 1 over 1");
        let first = host.loaded().last().unwrap().to_string();
        publish(2);
        host.wait_for_answer("plugin 2 over 2");
        // The builder's files are those of the second build alone.
        fs::remove_file(beside.directory.join("libhelper1.so")).unwrap();
        back(&[&first]);
        host.wait_for_answer("plugin 1 over 1");
        assert_eq!(*host.loaded().last().unwrap(), first);
        // At the next start, too, whose files are those of the build that was left.
        host.stop_cleanly(&beside.scratch);
        let mut host = beside.watch(&options);
        host.wait_for_answer("plugin 1 over 1");
        assert_eq!(host.loaded(), [&*first]);
        host.stop_cleanly(&beside.scratch);
        fs::remove_dir_all(&store).unwrap();
    }
}
