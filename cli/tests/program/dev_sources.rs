//! The sources that `replug dev` watches: whatever decides about a build, and nothing that a build writes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use vocabulary::{Package, Program, Scratch, wait_until};

use super::dev::{command, dev};

/// How long a build that should not be would take to be seen: several times the pauses between looks.
const A_WHILE: Duration = Duration::from_millis(600);

/// Makes `package` a plugin that answers with the expression `answer`, with `items` beside its function.
fn write_plugin(package: &Package, items: &str, answer: &str) {
    package.edit("SEE BELOW");
    let file = package.manifest().with_file_name("src").join("lib.rs");
    let source = fs::read_to_string(file).unwrap();
    let of_input = source.replace("format!(\"SEE BELOW, {input}\")", answer);
    assert_ne!(source, of_input);
    package.write("src/lib.rs", &format!("{of_input}\n{items}\n"));
}

/// A package whose answers come from everywhere: a module, an included file, a build script's input, a feature, the
/// settings of cargo, and a package that it depends on by path.
fn package_of_many_sources(scratch: &Scratch) -> Package {
    let package = Package::of_type(scratch, "cdylib");
    let root = package.manifest().with_file_name("");
    for directory in ["dep/src", "assets", "input", ".cargo"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let manifest = fs::read_to_string(package.manifest()).unwrap();
    let manifest = manifest.replace(
        "[workspace]",
        "[dependencies]\ndep = { path = \"dep\" }\n\n[features]\ndefault = []\nloud = []\n\n[workspace]",
    );
    package.write("Cargo.toml", &manifest);
    package.write(
        "dep/Cargo.toml",
        "[package]\nname = \"dep\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    package.write("dep/src/lib.rs", "pub const WORD: &str = \"dep-1\";");
    package.write("src/module.rs", "pub const WORD: &str = \"module-1\";");
    package.write("assets/a text.txt", "text-1");
    package.write("input/word", "input-1");
    package.write(
        "build.rs",
        "fn main() {
            println!(\"cargo::rerun-if-changed=input\");
            let words = std::fs::read_dir(\"input\").unwrap().map(|it| it.unwrap().path());
            let mut words: Vec<_> = words.map(|it| std::fs::read_to_string(it).unwrap()).collect();
            words.sort();
            println!(\"cargo::rustc-env=INPUT={}\", words.concat());
            let out = std::env::var(\"OUT_DIR\").unwrap();
            let now = std::time::SystemTime::now();
            std::fs::write(format!(\"{out}/made.rs\"), format!(\"// {now:?}\")).unwrap();
        }",
    );
    write_plugin(
        &package,
        "mod module; mod made { include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\")); }",
        "format!(\"{} {} {} {} {} {:?} {input}\", dep::WORD, module::WORD, include_str!(\"../assets/a text.txt\"), \
         env!(\"INPUT\"), cfg!(feature = \"loud\"), option_env!(\"SETTING\"))",
    );
    package
}

#[test]
fn a_change_of_whatever_decides_about_a_build_is_built() {
    let scratch = Scratch::new();
    let package = package_of_many_sources(&scratch);
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_answer("dep-1 module-1 text-1 input-1 false");
    package.write("dep/src/lib.rs", "pub const WORD: &str = \"dep-2\";");
    program.wait_for_answer("dep-2 module-1");
    package.write("src/module.rs", "pub const WORD: &str = \"module-2\";");
    program.wait_for_answer("module-2 text-1");
    package.write("assets/a text.txt", "text-2");
    program.wait_for_answer("text-2 input-1");
    package.write("input/word", "input-2");
    program.wait_for_answer("text-2 input-2 false");
    package.write("input/another", "input-3");
    program.wait_for_answer("text-2 input-2input-3 false");
    let manifest = fs::read_to_string(package.manifest()).unwrap();
    let loud = manifest.replace("default = []", "default = [\"loud\"]");
    package.write("Cargo.toml", &loud);
    program.wait_for_answer("input-2input-3 true");
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("building").len(), 7, "each is one build");
}

#[test]
fn nothing_that_a_build_writes_is_built() {
    let scratch = Scratch::new();
    let package = package_of_many_sources(&scratch);
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_event("live");
    let lock = package.manifest().with_file_name("Cargo.lock");
    assert!(lock.exists(), "the build has written it");
    program.go_on_for(A_WHILE);
    package.write("src/module.rs", "pub const WORD: &str = \"module-2\";");
    program.wait_for_answer("module-2");
    program.go_on_for(A_WHILE);
    let ended = program.stop_cleanly(&scratch);
    assert_eq!(ended.said("building").len(), 2);
}

#[test]
fn a_module_that_was_missing_is_built_when_it_comes() {
    let scratch = Scratch::new();
    let package = Package::of_type(&scratch, "cdylib");
    write_plugin(&package, "mod late;", "format!(\"{} {input}\", late::WORD)");
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_event("failed");
    package.write("src/late.rs", "pub const WORD: &str = \"late\";");
    program.wait_for_answer("late");
    // It is a source like the others by now.
    package.write("src/late.rs", "pub const WORD: &str = \"later\";");
    program.wait_for_answer("later");
    program.stop_cleanly(&scratch);
}

#[test]
fn the_settings_of_cargo_are_sources() {
    let scratch = Scratch::new();
    let package = package_of_many_sources(&scratch);
    let root = package.manifest().with_file_name("");
    let mut command = Program::command_of("dev", &scratch);
    command.args(["--every-ms", "20"]).args(package.options());
    command.current_dir(root);
    let mut program = Program::start(command);
    program.wait_for_answer("None");
    package.write(".cargo/config.toml", "[env]\nSETTING = \"set\"\n");
    program.wait_for_answer("Some(\"set\")");
    program.stop_cleanly(&scratch);
}

/// A file with this content and an old write time, beside its place.
fn old_file(path: &Path, content: &str) -> PathBuf {
    let aside = path.with_extension("aside");
    fs::write(&aside, content).unwrap();
    let file = File::options().write(true).open(&aside).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
        .unwrap();
    aside
}

#[test]
fn a_source_that_was_moved_into_place_with_an_old_write_time_is_built() {
    let scratch = Scratch::new();
    let package = package_of_many_sources(&scratch);
    let root = package.manifest().with_file_name("");
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_answer("dep-1 module-1");
    for (file, content, answer) in [
        (
            "src/module.rs",
            "pub const WORD: &str = \"module-2\";",
            "dep-1 module-2",
        ),
        (
            "dep/src/lib.rs",
            "pub const WORD: &str = \"dep-2\";",
            "dep-2 module-2",
        ),
        ("input/word", "input-2", "input-2"),
    ] {
        let file = root.join(file);
        fs::rename(old_file(&file, content), &file).unwrap();
        program.wait_for_answer(answer);
    }
    program.stop_cleanly(&scratch);
}

/// A package with a source that each build writes anew, before its build script ends by `end`.
fn package_that_writes_itself(scratch: &Scratch, end: &str) -> Package {
    let package = Package::plugin(scratch, "as it was");
    package.write("src/made.rs", "");
    let script = format!(
        "fn main() {{
            let now = std::time::SystemTime::now();
            std::fs::write(\"src/made.rs\", format!(\"// {{now:?}}\")).unwrap();
            {end}
        }}"
    );
    package.write("build.rs", &script);
    write_plugin(&package, "mod made;", "format!(\"as it was, {input}\")");
    package
}

#[test]
fn a_source_that_each_build_writes_anew_is_told_and_does_not_keep_the_machine_busy() {
    let scratch = Scratch::new();
    let package = package_that_writes_itself(&scratch, "");
    let mut program = dev(&scratch, &package, &[]);
    let warning = program.wait_for_event("warning");
    assert_eq!(warning.text("about"), "written-by-build");
    assert!(warning.text("path").ends_with("src/made.rs"));
    program.wait_for_answer("as it was");
    program.stop_cleanly(&scratch);
}

#[test]
fn the_failure_of_builds_that_write_a_source_anew_is_told() {
    let scratch = Scratch::new();
    let package = package_that_writes_itself(&scratch, "std::process::exit(1)");
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_event("failed");
    program.stop_cleanly(&scratch);
}

#[test]
fn of_six_builds_into_each_of_which_a_save_came_nothing_is_told_or_loaded() {
    // The last of these saves is seen before the build has ended, or after.
    for last_words in ["sleep 0.2", ""] {
        let scratch = Scratch::new();
        let package = Package::plugin(&scratch, "as it was");
        let builds = scratch.join("builds");
        let save = |answer: &str| {
            let source = package.manifest().with_file_name("src").join("lib.rs");
            let aside = scratch.join("aside");
            format!(
                "sed 's/draft [0-9]/{answer}/' {source:?} > {aside:?} && mv {aside:?} {source:?}"
            )
        };
        let steps = format!(
            "if [ \"$1\" = build ] && [ -e {builds:?} ]; then
                echo >> {builds:?}
                number=$(wc -l < {builds:?})
                if [ $number -lt 6 ]; then
                    sleep 0.2
                    {next}
                    exec sleep 600
                fi
                if [ $number = 6 ]; then
                    {cargo:?} \"$@\"
                    {last}
                    {last_words}
                    exit 0
                fi
            fi
            exec {cargo:?} \"$@\"",
            next = save("draft '$number'"),
            last = save("final"),
            cargo = env!("CARGO"),
        );
        let mut command = command(&scratch, &package, &[]);
        command.env("CARGO", scratch.script("cargo", &steps));
        let mut program = Program::start(command);
        program.wait_for_answer("as it was");
        fs::write(&builds, "").unwrap();
        package.edit("draft 0");
        program.wait_for_answer("final");
        let ended = program.stop_cleanly(&scratch);
        let answers = ended.said("result");
        let of_draft = answers.iter().find(|it| it.text("value").contains("draft"));
        assert!(of_draft.is_none(), "{last_words}: {of_draft:?}");
        assert_eq!(ended.said("built").len(), 2, "{last_words}");
        assert!(ended.said("warning").is_empty(), "a person is no build");
    }
}

#[test]
fn a_build_counts_although_a_source_is_written_without_end() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let data = package.manifest().with_file_name("data");
    fs::write(&data, "").unwrap();
    package.write(
        "build.rs",
        "fn main() { println!(\"cargo::rerun-if-changed=data\") }",
    );
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_answer("as it was");
    let (stop, stopped) = mpsc::channel::<()>();
    let writing = thread::spawn(move || {
        let pause = Duration::from_millis(10);
        let mut number = 0;
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            number += 1;
            fs::write(&data, number.to_string()).unwrap();
        }
    });
    package.edit("as edited");
    program.wait_for_answer("as edited");
    drop(stop);
    writing.join().unwrap();
    program.stop_cleanly(&scratch);
}

/// A cargo at whose end `source` is saved, once `next` is there.
fn cargo_that_ends_in_a_save(scratch: &Scratch, next: &Path, source: &Path) -> PathBuf {
    let steps = format!(
        "{cargo:?} \"$@\"
        status=$?
        if [ \"$1\" = build ] && [ -e {next:?} ]; then touch {next:?}; mv {next:?} {source:?}; fi
        exit $status",
        cargo = env!("CARGO"),
    );
    scratch.script("cargo", &steps)
}

#[test]
fn nothing_is_loaded_of_half_a_file_that_the_build_was_the_first_to_read() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let [text, next] = ["text", "next"].map(|name| scratch.join(name));
    fs::write(&text, "half").unwrap();
    let mut command = command(&scratch, &package, &[]);
    command.env("CARGO", cargo_that_ends_in_a_save(&scratch, &next, &text));
    let mut program = Program::start(command);
    program.wait_for_answer("as it was");
    fs::write(&next, "whole").unwrap();
    let answer = format!("format!(\"{{input}} {{}}\", include_str!({text:?}))");
    write_plugin(&package, "", &answer);
    program.wait_for_answer("whole");
    let ended = program.stop_cleanly(&scratch);
    let answers = ended.said("result");
    let of_half = answers.iter().find(|it| it.text("value").contains("half"));
    assert!(of_half.is_none(), "{of_half:?}");
}

#[test]
fn a_package_outside_of_the_workspace_is_followed_although_the_build_that_named_it_counted_for_nothing()
 {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let dependency = scratch.join("beside");
    fs::create_dir_all(dependency.join("src")).unwrap();
    let manifest = "[package]\nname = \"beside\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(dependency.join("Cargo.toml"), manifest).unwrap();
    fs::write(dependency.join("src/lib.rs"), "").unwrap();
    let [source, next] = ["tiny/src/lib.rs", "next"].map(|name| scratch.join(name));
    let mut command = command(&scratch, &package, &[]);
    command.env("CARGO", cargo_that_ends_in_a_save(&scratch, &next, &source));
    let mut program = Program::start(command);
    program.wait_for_answer("as it was");
    // It needs what the dependency has not.
    let text = fs::read_to_string(&source).unwrap();
    fs::write(
        &next,
        format!(
            "use beside::late as _;\n{}",
            text.replace("as it was", "at the end")
        ),
    )
    .unwrap();
    let manifest = fs::read_to_string(package.manifest()).unwrap();
    let depends = "[dependencies]\nbeside = { path = \"../beside\" }\n\n[workspace]";
    package.write("Cargo.toml", &manifest.replace("[workspace]", depends));
    program.wait_for_event("failed");
    fs::write(dependency.join("src/lib.rs"), "pub fn late() {}").unwrap();
    program.wait_for_answer("at the end");
    program.stop_cleanly(&scratch);
}

#[test]
fn a_failure_is_told_while_the_plugin_writes_beside_its_sources() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "");
    let log = package.manifest().with_file_name("src").join("app.log");
    fs::write(&log, "").unwrap();
    let items = format!(
        "fn log() {{ std::fs::write({log:?}, format!(\"{{:?}}\", std::time::SystemTime::now())).unwrap() }}"
    );
    write_plugin(
        &package,
        &items,
        "{ log(); format!(\"as it was, {input}\") }",
    );
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_answer("as it was");
    package.write("src/lib.rs", "this is no Rust");
    program.wait_for_event("failed");
    program.stop_cleanly(&scratch);
}

#[test]
fn the_lock_file_that_somebody_writes_during_a_build_is_built() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    // A cargo that says that it has built, and stays for as long as it is held.
    let [over, held] = ["over", "held"].map(|name| scratch.join(name));
    let steps = format!(
        "{cargo:?} \"$@\"
        status=$?
        touch {over:?}
        while [ -e {held:?} ]; do sleep 0.01; done
        exit $status",
        cargo = env!("CARGO"),
    );
    let mut command = command(&scratch, &package, &[]);
    command.env("CARGO", scratch.script("cargo", &steps));
    let mut program = Program::start(command);
    program.wait_for_answer("as it was");
    let lock = package.manifest().with_file_name("Cargo.lock");
    let good = fs::read_to_string(&lock).unwrap();
    fs::write(&held, "").unwrap();
    fs::remove_file(&over).unwrap();
    fs::write(&lock, format!("{good}\n")).unwrap();
    program.wait_for_event("building");
    wait_until("the end of cargo", || over.exists());
    fs::write(&lock, "this is no lock file").unwrap();
    fs::remove_file(&held).unwrap();
    program.wait_for_event("failed");
    fs::write(&lock, good).unwrap();
    program.wait_for_event("built");
    program.stop_cleanly(&scratch);
}
