//! Each thing that a plugin can do, reloaded under calls from many threads: it never crashes, each call is answered,
//! and what stays behind is what the documentation says.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use replug::error::Step;
use replug::{Host, Options, Outcome, Text, Unload, chain};
use vocabulary::{
    Artifact, DEADLINE, Rule, Scratch, World, holds, is_by_the_way, library_name, plugin_function,
    wait_until,
};

/// How often each plugin is reloaded.
const RELOADS: u64 = 50;

/// How many threads call the plugin meanwhile.
const CALLERS: usize = 8;

/// What is left of a plugin's old generations when all calls are over.
enum Left {
    /// Nothing is left.
    Nothing,
    /// Generations that started threads which still run.
    Threads,
}

const MATRIX: &[(&str, Left)] = &[
    ("pure", Left::Nothing),
    ("println", Left::Nothing),
    ("thread_local", Left::Nothing),
    ("current", Left::Nothing),
    ("spawn", Left::Nothing),
    ("channel", Left::Nothing),
    ("runtime", Left::Nothing),
    ("traced", Left::Nothing),
    ("counter", Left::Nothing),
    ("keeps", Left::Nothing),
    ("keeps_more", Left::Nothing),
    ("panics", Left::Nothing),
    ("stop_panics", Left::Nothing),
    ("detached", Left::Threads),
];

#[test]
fn every_plugin_is_reloaded_fifty_times_under_calls_from_eight_threads() {
    if !holds(Rule::Unmaps) {
        return;
    }
    for (name, left) in MATRIX {
        let unloaded = reload_under_calls(name);
        match left {
            Left::Nothing => assert_eq!(unloaded, RELOADS - 1, "{name}"),
            // A generation that was replaced before anybody called it has started no thread.
            Left::Threads => assert!(unloaded < RELOADS / 2, "{name}: {unloaded}"),
        }
    }
}

/// Reloads a plugin under calls, and returns how many of its retired generations were unmapped in the end.
fn reload_under_calls(name: &str) -> u64 {
    let mut world = World::unloading(name);
    let handle = world.host.handle();
    let is_over = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    // A forgotten thread for each call would be too many.
    let pause = Duration::from_millis(if name == "detached" { 20 } else { 0 });
    let caller = |_| {
        let (handle, is_over, calls) = (handle.clone(), Arc::clone(&is_over), Arc::clone(&calls));
        thread::spawn(move || {
            let mut caller = handle.caller();
            while !is_over.load(Ordering::Relaxed) {
                caller.live().act(1).unwrap();
                calls.fetch_add(1, Ordering::Relaxed);
                thread::park_timeout(pause);
            }
        })
    };
    let callers: Vec<_> = (0..CALLERS).map(caller).collect();
    let mut unloaded = 0;
    for generation in 2..=RELOADS {
        let before = calls.load(Ordering::Relaxed);
        wait_until("call", || calls.load(Ordering::Relaxed) > before);
        let loaded = world.load(name);
        assert_eq!(loaded.generation, generation, "{name}");
        unloaded += u64::from(loaded.retired.unwrap().mapped.is_none());
    }
    is_over.store(true, Ordering::Relaxed);
    callers
        .into_iter()
        .for_each(|caller| caller.join().unwrap());
    while let Some(outcome) = world.host.poll() {
        if let Outcome::Retired(retired) = outcome {
            world.retired.push(retired);
        }
    }
    let later = world.retired.iter().filter(|it| it.mapped.is_none());
    unloaded + later.count() as u64
}

/// Plugins in C and C++, which ask libc, and so stay mapped.
const FOREIGN: &[(&str, &str, &[&str])] = &[
    ("c", "", &[]),
    (
        "cc",
        "struct Guard { Guard() : calls(0) {} ~Guard() { calls = -1; } long calls; }; static Guard guard;",
        &["-xc++"],
    ),
];

/// The plain C surface. Each build has another number in it.
fn source(number: u64, beside: &str) -> String {
    format!(
        "#include <stdlib.h>\n#include <string.h>\n#include <stdio.h>\n{beside}\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\
         char *plugin_function(const char *input) {{\n\
             char *answer = (char *)malloc(64);\n\
             snprintf(answer, 64, \"{number} %s\", input);\n\
             return answer;\n\
         }}\n\
         void plugin_free(char *answer) {{ free(answer); }}\n\
         #ifdef __cplusplus\n}}\n#endif\n"
    )
}

fn compile(scratch: &Scratch, source: &str, flags: &[&str]) -> Vec<u8> {
    let (file, library) = (scratch.join("plugin.c"), scratch.join("plugin.out"));
    fs::write(&file, source).unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .args(flags)
        .arg(&file)
        .args(flags.contains(&"-xc++").then_some("-lstdc++"))
        .status()
        .expect("cc can be started");
    assert!(compiled.success(), "{source}");
    fs::read(library).unwrap()
}

fn watch(scratch: &Scratch, artifact: &Path) -> Host<Text> {
    let options = Options::new(artifact)
        .stage_dir(scratch.stage())
        .interval(Duration::from_millis(2));
    let host = Host::<Text>::watch(plugin_function(), options).unwrap();
    host.unloading(Unload::WhenProven)
}

#[track_caller]
fn next(host: &mut Host<Text>) -> Outcome {
    loop {
        match host.wait(DEADLINE).expect("in time") {
            Outcome::Warned(_) => {}
            outcome if is_by_the_way(&outcome) => {}
            outcome => return outcome,
        }
    }
}

#[test]
fn plugins_in_c_and_cplusplus_are_reloaded_and_stay_mapped() {
    for (name, beside, flags) in FOREIGN {
        if *name == "cc" && !holds(Rule::CompilesCPlusPlus) {
            continue;
        }
        let scratch = Scratch::new();
        let artifact = Artifact::at(scratch.join(library_name("foreign")));
        let mut host = watch(&scratch, artifact.path());
        for number in 1..=RELOADS {
            artifact.link(&compile(&scratch, &source(number, beside), flags));
            let Outcome::Loaded(loaded) = next(&mut host) else {
                panic!("{name}: build {number} was not loaded");
            };
            let mapped = loaded.retired.and_then(|retired| retired.mapped);
            let mapped = mapped.map(|mapped| mapped.to_string());
            let expected = "kept mapped: it was not built with `export!` for this system";
            assert_eq!(
                mapped.as_deref(),
                (number > 1).then_some(expected),
                "{name}"
            );
            assert_eq!(host.call(c"calls"), Ok(format!("{number} calls")));
        }
    }
}

/// The room for such thread-locals is set aside when the process starts, so in the end a build comes that has no
/// room.
#[test]
fn a_plugin_with_initial_exec_thread_locals_is_kept_out_when_there_is_no_room_left() {
    if !holds(Rule::HasRoomForStaticLocals) {
        return;
    }
    let scratch = Scratch::new();
    let artifact = Artifact::at(scratch.join(library_name("foreign")));
    let mut host = watch(&scratch, artifact.path());
    let beside = "__attribute__((tls_model(\"initial-exec\"))) __thread char room[200];\n\
                  char *touch(void) { return room; }";
    for number in 1..=RELOADS {
        artifact.link(&compile(&scratch, &source(number, beside), &[]));
        match next(&mut host) {
            Outcome::Loaded(_) => {}
            Outcome::Kept(kept) => {
                assert_eq!(kept.error.step(), Step::Load);
                let said = chain(&kept.error);
                assert!(said.contains("static TLS"), "{said}");
                let live = number - 1;
                assert!(live > 1, "some are loaded");
                assert_eq!(host.call(c"calls"), Ok(format!("{live} calls")));
                return;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("there is room for ever");
}
