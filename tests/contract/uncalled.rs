//! Plugins with an interface that their host does not have: what is done with them, and what never is.

use std::fs;
use std::time::Instant;

use replug::error::Step;
use replug::inspect::Level;
use replug::{AnyPlugin, HostSet, Options, Outcome, chain};
use replug_plugin::__private::{FACTS, FORMAT, LAYOUTS};
use vocabulary::{DEADLINE, Scratch, c_library, plugin_function, specimen};

/// A plugin in C that claims to be of the rust level. It notes when it is mapped and when it is lent an allocator, and ends the
/// process if anything else of it is called.
fn claimant(scratch: &Scratch, facts: &str, takes_heap: bool) -> Vec<u8> {
    let declaration = "interface Foreign version 1\nlevel rust\nfn f() -> String\n";
    let text = format!("{FORMAT}\nrustc a C compiler\npanic unwind\n{LAYOUTS}{facts}{declaration}");
    let (notes, answer) = (scratch.join("notes"), u8::from(takes_heap));
    let source = format!(
        "#include <stdio.h>
        #include <stdlib.h>
        #include \"replug.h\"
        static void note(const char *word) {{
            FILE *notes = fopen({notes:?}, \"a\");
            fputs(word, notes);
            fclose(notes);
        }}
        __attribute__((constructor)) static void begin(void) {{ note(\"mapped \"); }}
        static bool take(const void *heap) {{ note(heap ? \"lent \" : \"nothing \"); return {answer}; }}
        static size_t alive(void) {{ return 0; }}
        static void call(void) {{ abort(); }}
        static struct replug_done init(void) {{ abort(); }}
        static const struct {{ void (*f)(void); }} TABLE = {{call}};
        static const struct replug_hooks HOOKS = {{init, init, 0, 0}};
        extern REPLUG_EXPORT const struct ordinary {{
            void (*line)(void); bool (*take)(const void *); size_t (*alive)(void);
        }} replug_ordinary;
        REPLUG_EXPORT const struct ordinary replug_ordinary = {{call, take, alive}};
        const char replug_handshake[] = \"{text}\";
        const struct replug_entry replug_entry = {{&TABLE, &HOOKS, NULL}};\n",
        notes = notes.to_str().unwrap(),
        text = text.replace('\n', "\\n"),
    );
    c_library(&source, scratch)
}

/// The outcome for a library at a host that calls text functions, and loads what has an interface.
fn outcome(scratch: &Scratch, library: &[u8]) -> (HostSet<AnyPlugin>, Outcome) {
    let artifact = scratch.artifact();
    artifact.link(library);
    let options = Options::new(artifact.path()).stage_dir(scratch.stage());
    let options = options.or_declared(true);
    let mut plugins = HostSet::<AnyPlugin>::watch(plugin_function(), options).unwrap();
    let deadline = Instant::now() + DEADLINE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let (_, outcome) = plugins.wait(left).expect("an outcome in time");
        if matches!(outcome, Outcome::Loaded(_) | Outcome::Kept(_)) {
            return (plugins, outcome);
        }
    }
}

fn notes(scratch: &Scratch) -> String {
    fs::read_to_string(scratch.join("notes")).unwrap_or_default()
}

#[test]
fn a_plugin_of_the_rust_level_is_lent_the_hosts_allocator_and_nothing_else_of_it_is_called() {
    let scratch = Scratch::new();
    let (plugins, outcome) = outcome(&scratch, &claimant(&scratch, FACTS, true));
    assert!(matches!(outcome, Outcome::Loaded(_)), "{outcome}");
    assert_eq!(notes(&scratch), "mapped lent ");
    let live = plugins.iter().next().unwrap().live().unwrap();
    assert!(live.text().is_none());
    let declared = live.declared().unwrap();
    assert_eq!(declared.interface(), "Foreign version 1");
    assert_eq!(declared.level(), Level::OrdinaryRust);
    drop(plugins);
    assert_eq!(notes(&scratch), "mapped lent ");
}

#[test]
fn a_plugin_that_has_allocated_before_is_kept_out_as_each_host_would() {
    let scratch = Scratch::new();
    let (_plugins, outcome) = outcome(&scratch, &claimant(&scratch, FACTS, false));
    let Outcome::Kept(kept) = outcome else {
        panic!("{outcome}");
    };
    assert_eq!(kept.error.step(), Step::Load);
    let said = chain(&kept.error);
    assert!(
        said.contains("it allocated memory before its host could"),
        "{said}"
    );
}

#[test]
fn a_plugin_whose_tables_are_others_is_kept_out_before_it_is_mapped() {
    let scratch = Scratch::new();
    let facts = FACTS.replace("tables ", "tables 7");
    let (_plugins, outcome) = outcome(&scratch, &claimant(&scratch, &facts, true));
    let Outcome::Kept(kept) = outcome else {
        panic!("{outcome}");
    };
    assert_eq!(kept.error.step(), Step::Handshake);
    assert!(
        chain(&kept.error).contains("tables of `7"),
        "{}",
        chain(&kept.error)
    );
    assert_eq!(notes(&scratch), "");
}

#[test]
fn a_plugin_of_another_compiler_is_loaded_since_nothing_of_it_is_called() {
    let scratch = Scratch::new();
    let facts = FACTS.replace("compiler ", "compiler another ");
    let (_plugins, outcome) = outcome(&scratch, &claimant(&scratch, &facts, true));
    assert!(matches!(outcome, Outcome::Loaded(_)), "{outcome}");
}

#[test]
fn without_being_asked_to_a_host_of_text_functions_takes_no_interface() {
    let scratch = Scratch::new();
    let artifact = scratch.artifact();
    artifact.link(&specimen("pure", 1));
    let options = Options::new(artifact.path()).stage_dir(scratch.stage());
    let mut plugins = HostSet::<AnyPlugin>::watch(plugin_function(), options).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let kept = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match plugins.wait(left).expect("an outcome in time").1 {
            Outcome::Kept(kept) => break kept,
            Outcome::Loaded(_) => panic!("it was loaded"),
            _ => {}
        }
    };
    assert_eq!(kept.error.step(), Step::Vet);
}
