//! Libraries to load: plugin01 and some plugins written here for one purpose each, built once per test run, and any
//! number of distinct libraries made by patching their version text.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use replug::TextFunction;

use crate::{library_name, rustc, target_tmp, workspace};

/// The version text that is compiled in, and that [`library`] replaces with a text of the same length.
const MARKER: &str = "version-00000000";

/// The function `plugin_function` of the plugins here, which all of them have.
pub fn plugin_function() -> TextFunction {
    // SAFETY: each library that tests load by this name has the surface below, or `plugin01`'s, which is the same.
    #[allow(unsafe_code)]
    unsafe {
        TextFunction::new(c"plugin_function")
    }
}

/// How a fixture is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Build {
    /// Not optimised, with debug information.
    Debug,
    /// Not optimised, without symbols.
    DebugStripped,
    /// Optimised, with symbols.
    Release,
    /// Optimised, without symbols.
    ReleaseStripped,
}

impl Build {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Build::Debug => &["-Cdebuginfo=2"],
            Build::DebugStripped => &["-Cstrip=symbols"],
            Build::Release => &["-Copt-level=3"],
            Build::ReleaseStripped => &["-Copt-level=3", "-Cstrip=symbols"],
        }
    }
}

/// The plain C surface around a function `answer(&str) -> String`.
const SURFACE: &str = r#"
use std::ffi::{CStr, CString, c_char};

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_function(input: *const c_char) -> *mut c_char {
    let input = unsafe { CStr::from_ptr(input) }.to_str().unwrap();
    CString::new(answer(input)).unwrap().into_raw()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn plugin_free(answer: *mut c_char) {
    drop(unsafe { CString::from_raw(answer) });
}
"#;

/// A function that takes a thread-local key for good, because asking for the current thread makes a copy of std take
/// one.
const KEY_TAKER: &str = r#"
fn answer(_: &str) -> String {
    format!("{:?} says {}", std::thread::current().id(), env!("PLUGIN01_VERSION"))
}
"#;

/// A function that connects to the address that it is given, and never returns.
const SLEEPER: &str = r#"
fn answer(doorbell: &str) -> String {
    let _doorbell = std::net::TcpStream::connect(doorbell).unwrap();
    loop {
        std::thread::park();
    }
}
"#;

/// A function that panics, takes a backtrace, and leaves a thread behind that goes on taking backtraces.
const BACKTRACER: &str = r#"
use std::backtrace::Backtrace;
use std::time::Duration;

static FORGOTTEN: std::sync::Once = std::sync::Once::new();

#[inline(never)]
fn trace() -> usize {
    Backtrace::force_capture().to_string().len()
}

fn answer(_: &str) -> String {
    FORGOTTEN.call_once(|| {
        std::thread::spawn(|| loop {
            trace();
            std::thread::sleep(Duration::from_secs(1));
        });
    });
    let panicked = std::panic::catch_unwind(|| panic!("to see its backtrace"));
    format!("{} {} {}", env!("PLUGIN01_VERSION"), panicked.is_err(), trace() > 0)
}
"#;

/// A source and how it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Recipe {
    Plugin01(Build),
    Written(&'static str, Build),
}

/// A compiled plugin, and every place where it holds [`MARKER`].
struct Fixture {
    bytes: Arc<Vec<u8>>,
    marks: Vec<usize>,
}

/// The source of a plugin that answers with the result of `answer`, a function from `&str` to `String`, for its
/// input.
pub(crate) fn plugin_source(answer: &str) -> String {
    format!("{SURFACE}{answer}")
}

/// plugin01 as its sources are, built in a given way. Its answer holds [`version`]`(0)`.
pub fn plugin(build: Build) -> Arc<Vec<u8>> {
    Arc::clone(&built(Recipe::Plugin01(build)).bytes)
}

/// One of any number of valid libraries, all different. Its answer holds [`version`]`(number)`.
pub fn library(number: u32) -> Vec<u8> {
    built(Recipe::Plugin01(Build::ReleaseStripped)).patched(number)
}

/// Like [`library`], but each library takes one of the process's thread-local keys when it is called.
pub fn key_taker(number: u32) -> Vec<u8> {
    built(Recipe::Written(KEY_TAKER, Build::DebugStripped)).patched(number)
}

/// Like [`library`], but with debug information; each panics when it is called, and leaves a thread behind that takes
/// backtraces for ever.
pub fn backtracer(number: u32) -> Vec<u8> {
    built(Recipe::Written(BACKTRACER, Build::Debug)).patched(number)
}

/// A plugin whose function never returns. It connects to the address that is its input.
pub fn sleeper() -> Vec<u8> {
    built(Recipe::Written(SLEEPER, Build::DebugStripped))
        .bytes
        .to_vec()
}

/// Like [`library`], but the libraries differ in their first and last bytes too, in fields that no loader reads.
/// Every mixture of two of them is a valid library: a file that was read half-written would be loaded.
pub fn mixable(number: u32) -> Vec<u8> {
    let mut bytes = library(number);
    let (first, last) = unread_fields(&mut bytes);
    bytes[first..first + 4].copy_from_slice(&number.to_ne_bytes());
    bytes[last..last + 4].copy_from_slice(&number.to_ne_bytes());
    bytes
}

/// Where a library has four bytes that no loader reads, near its beginning and near its end.
fn unread_fields(bytes: &mut Vec<u8>) -> (usize, usize) {
    const WIDTH: usize = size_of::<usize>();
    if cfg!(windows) {
        // A field of the header for DOS that is for nothing, and bytes behind the last section.
        let end = bytes.len();
        bytes.extend([0; 4]);
        return (40, end);
    }
    // The header of an ELF file says where its tables of segments and of sections are. An entry of the first has an
    // unused physical address, the last entry of the second the information of its kind.
    let (segments, sections, counts, physical, entry, information) = match WIDTH {
        8 => (32, 40, 60, 24, 64, 44),
        _ => (28, 32, 48, 12, 40, 28),
    };
    let field = |at: usize| usize::from_ne_bytes(bytes[at..at + WIDTH].try_into().unwrap());
    let count = usize::from(u16::from_ne_bytes([bytes[counts], bytes[counts + 1]]));
    let last = field(sections) + (count - 1) * entry + information;
    (field(segments) + physical, last)
}

/// The version text of [`library`]`(number)`.
pub fn version(number: u32) -> String {
    format!("version-{number:08}")
}

/// The fixture of a recipe, compiled by whoever asks first; the others wait.
fn built(recipe: Recipe) -> Arc<Fixture> {
    static BUILT: LazyLock<Mutex<HashMap<Recipe, Arc<Fixture>>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().unwrap();
    Arc::clone(
        built
            .entry(recipe)
            .or_insert_with(|| Arc::new(Fixture::compile(recipe))),
    )
}

impl Fixture {
    fn compile(recipe: Recipe) -> Fixture {
        let directory = tempfile::tempdir_in(target_tmp()).unwrap();
        let (source, flags) = match recipe {
            Recipe::Plugin01(build) => (workspace().join("plugin01/src/lib.rs"), build.flags()),
            Recipe::Written(answer, build) => {
                let source = directory.path().join("lib.rs");
                fs::write(&source, plugin_source(answer)).unwrap();
                (source, build.flags())
            }
        };
        let bytes = compile(
            &source,
            flags,
            &directory.path().join(library_name("plugin01")),
        );
        let marks = bytes
            .windows(MARKER.len())
            .enumerate()
            .filter_map(|(at, window)| (window == MARKER.as_bytes()).then_some(at))
            .collect();
        Fixture {
            bytes: Arc::new(bytes),
            marks,
        }
    }

    /// This plugin with another version text.
    fn patched(&self, number: u32) -> Vec<u8> {
        assert!(!self.marks.is_empty(), "the fixture has no marker to patch");
        let mut bytes = self.bytes.to_vec();
        for &at in &self.marks {
            bytes[at..at + MARKER.len()].copy_from_slice(version(number).as_bytes());
        }
        bytes
    }
}

fn compile(source: &Path, flags: &[&str], output: &Path) -> Vec<u8> {
    let made = rustc()
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "cdylib",
            "--crate-name",
            "plugin01",
        ])
        .args(flags)
        .arg(source)
        .arg("-o")
        .arg(output)
        .env("PLUGIN01_VERSION", MARKER)
        .status()
        .expect("rustc can be started");
    assert!(made.success(), "the fixture does not compile");
    fs::read(output).unwrap()
}
