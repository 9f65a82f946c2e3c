//! What `replug::testing` offers to the tests of plugins: copies that are changed, built, and live or kept out. Written for
//! Linux, where replug is proven; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use replug::testing::{Error, Source};
use replug::{Host, Options, Text, TextFunction};
use vocabulary::{Scratch, workspace};

/// The example plugin, as a copy.
fn plugin01() -> Source {
    Source::of("plugin01").unwrap()
}

/// A host of the example plugin.
fn host(options: Options) -> Host<Text> {
    // SAFETY: the function of the example plugin takes and returns text.
    #[allow(unsafe_code)]
    let function = unsafe { TextFunction::new(c"plugin_function".to_owned()) };
    Host::<Text>::watch(function, options).unwrap()
}

replug::interface! {
    /// Any interface: nothing is loaded by it.
    interface Line, plugin trait Answer, version 1 {
        /// An answer.
        fn answer() -> u32;
    }
}

/// What the live plugin answers.
fn answer(host: &Host<Text>) -> String {
    host.live().unwrap().call(c"you").unwrap()
}

#[test]
fn a_changed_copy_goes_live_and_its_original_stays_as_it_was() {
    let original = workspace().join("plugin01/src/lib.rs");
    let before = fs::read(&original).unwrap();
    let mut plugin = plugin01();
    let mut host = host(plugin.options());
    assert_eq!(plugin.go_live(&mut host).unwrap(), 1);
    assert!(answer(&host).contains("hello, you"), "{}", answer(&host));
    plugin.replace("hello", "howdy").unwrap();
    assert_eq!(plugin.go_live(&mut host).unwrap(), 2);
    assert!(answer(&host).contains("howdy, you"), "{}", answer(&host));
    assert_eq!(fs::read(&original).unwrap(), before);
    // Cargo may write to it, and that of the workspace is the original.
    let lock = plugin.directory().with_file_name("Cargo.lock");
    assert!(lock.is_file() && !lock.is_symlink());
    // What did not change is live at once.
    assert_eq!(plugin.go_live(&mut host).unwrap(), 2);
    plugin.restore().unwrap();
    assert_eq!(plugin.go_live(&mut host).unwrap(), 3);
    assert!(answer(&host).contains("hello, you"), "{}", answer(&host));
}

#[test]
fn an_error_of_the_compiler_is_shown_as_it_is() {
    let mut plugin = plugin01();
    plugin
        .replace("const VERSION: &str", "const VERSION: u32")
        .unwrap();
    let error = plugin.build().unwrap_err();
    let shown = format!("{error:?}");
    assert!(
        shown.starts_with("cannot build the copy of `plugin01`: cargo ended with "),
        "{shown}"
    );
    assert!(
        shown.contains("error[E0308]: mismatched types\n"),
        "{shown}"
    );
}

#[test]
fn a_build_that_is_kept_out_is_shown_with_the_reason() {
    let mut plugin = plugin01();
    let mut host = host(plugin.options());
    plugin.go_live(&mut host).unwrap();
    plugin
        .replace(
            "extern \"C\" fn plugin_free",
            "extern \"C\" fn plugin_let_go",
        )
        .unwrap();
    let error = plugin.go_live(&mut host).unwrap_err();
    assert!(matches!(error, Error::KeptOut { .. }), "{error:?}");
    let shown = format!("{error:?}");
    assert!(
        shown.starts_with("cannot bring `plugin01` live: it was kept out: cannot vet `"),
        "{shown}"
    );
    assert!(shown.contains("plugin_free"), "{shown}");
    assert_eq!(host.live().unwrap().generation(), 1);
}

#[test]
fn a_build_that_is_not_live_in_time_is_told() {
    let hour = Duration::from_secs(60 * 60);
    let mut plugin = plugin01();
    let mut host = host(plugin.options().interval(hour).steady(true));
    plugin.go_live(&mut host).unwrap();
    let mut plugin = plugin.patience(Duration::ZERO);
    plugin.replace("hello", "howdy").unwrap();
    let error = plugin.go_live(&mut host).unwrap_err();
    let told = "cannot bring `plugin01` live within 0 s; the host told nothing meanwhile";
    assert_eq!(format!("{error:?}"), told);
}

#[test]
fn a_host_of_another_library_is_told_at_once() {
    let scratch = Scratch::new();
    let mut plugin = plugin01();
    let mut host = host(Options::new(scratch.artifact().path()));
    let error = plugin.go_live(&mut host).unwrap_err();
    assert!(matches!(error, Error::Elsewhere { .. }), "{error:?}");
}

#[test]
fn a_text_that_is_nowhere_and_a_package_that_is_nowhere_are_told() {
    let error = plugin01().replace("no such text", "").unwrap_err();
    let told = "cannot replace `no such text`: no source file of `plugin01` has it";
    assert_eq!(format!("{error:?}"), told);
    // Nothing would be everywhere.
    assert!(plugin01().replace("", "x").is_err());
    let error = Source::of("plugin02").unwrap_err();
    let shown = format!("{error:?}");
    assert!(
        shown.starts_with("cannot find the package `plugin02`: the workspace has "),
        "{shown}"
    );
    assert!(shown.contains("`plugin01`"), "{shown}");
    let error = Source::at(Scratch::new().join("nowhere")).unwrap_err();
    assert!(matches!(error, Error::Ask { .. }), "{error:?}");
}

#[test]
fn a_package_that_makes_no_library_to_load_is_told() {
    let error = Source::of("game_interface").unwrap_err();
    assert!(matches!(error, Error::NoLibrary { .. }), "{error:?}");
}

#[test]
fn copies_at_one_time_know_nothing_of_each_other() {
    let (mut one, mut other) = (plugin01(), plugin01());
    assert_ne!(one.library(), other.library());
    let (mut of_one, mut of_other) = (host(one.options()), host(other.options()));
    one.replace("hello", "howdy")
        .unwrap()
        .go_live(&mut of_one)
        .unwrap();
    other.go_live(&mut of_other).unwrap();
    assert!(answer(&of_one).contains("howdy"), "{}", answer(&of_one));
    assert!(answer(&of_other).contains("hello"), "{}", answer(&of_other));
}

#[test]
fn what_another_source_changed_in_another_package_is_undone_for_the_next_one() {
    let declares = |plugin: &mut Source, version: &str| {
        let library = plugin.build().unwrap().options();
        let host = Host::<Line>::watch(library).unwrap();
        let library = fs::read(host.watcher().unwrap().path()).unwrap();
        let text = format!("interface Handler version {version}\n");
        library.windows(text.len()).any(|it| it == text.as_bytes())
    };
    for _ in 0..2 {
        let plugin = Source::of("line_handler").unwrap();
        let mut changed = plugin.with("line_interface").unwrap();
        changed.replace("version 1 {", "version 2 {").unwrap();
        assert!(declares(&mut changed, "2"));
        drop(changed);
        assert!(declares(&mut Source::of("line_handler").unwrap(), "1"));
    }
}

#[test]
fn relative_paths_out_of_the_package_lead_where_they_lead_in_the_original() {
    let scratch = Scratch::new();
    let write = |file: &str, content: &str| {
        let path = scratch.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let source = fs::read_to_string(workspace().join("plugin01/src/lib.rs")).unwrap();
    let greeting = source.replace("None => \"0.1.0\"", "None => words::VERSION");
    write(
        "words/Cargo.toml",
        "[package]\nname = \"words\"\nedition = \"2024\"\n",
    );
    write(
        "words/src/lib.rs",
        "pub const VERSION: &str = include_str!(\"../../version.txt\");\n",
    );
    write("version.txt", "version of beside");
    let manifest = "[package]\nname = \"outside\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
        [dependencies]\nwords = { path = \"../../words\" }\n\n[workspace]\n";
    write("plugins/outside/Cargo.toml", manifest);
    write("plugins/outside/src/lib.rs", &greeting);
    // A package below that of the plugin is another one.
    write(
        "plugins/outside/tools/Cargo.toml",
        "[package]\nname = \"tools\"\n\n[workspace]\n",
    );
    write("plugins/outside/tools/src/lib.rs", "hello from no plugin");

    let mut plugin = Source::at(scratch.join("plugins/outside")).unwrap();
    let mut host = host(plugin.options());
    plugin.go_live(&mut host).unwrap();
    assert!(
        answer(&host).contains("version of beside"),
        "{}",
        answer(&host)
    );
    plugin
        .replace("hello", "howdy")
        .unwrap()
        .go_live(&mut host)
        .unwrap();
    assert!(answer(&host).contains("howdy"), "{}", answer(&host));
    assert!(plugin.directory().join("tools").is_symlink());
}
