//! The rules that do not hold on every system: what a test that is about one asks before it begins. This is the only
//! place where such a test is left out, and it says why. `docs/platforms.md` has the same words in a table.

#[cfg(all(unix, target_env = "gnu"))]
use std::ffi::CStr;

/// A rule that does not hold on every system on which tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Retired generations are unmapped.
    Unmaps,
    /// A process has some room for initial-exec thread-locals of libraries that are loaded later.
    HasRoomForStaticLocals,
    /// There is a compiler for C++.
    CompilesCPlusPlus,
    /// A name can lead to another path.
    MakesLinks,
    /// A pipe can have a name in a directory.
    MakesPipes,
    /// The private copy of a generation leaves the disk when the generation is retired.
    RemovesMapped,
    /// What is loaded is seen to be code or data, whatever its file says.
    SeesCode,
    /// Who has a file open for writing shows.
    SeesWriters,
    /// It is listed what is mounted where.
    ListsMounts,
    /// The files that are mapped into a process are listed.
    ListsMappings,
    /// It is judged who else could have written what is loaded.
    JudgesRights,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 11] = [
        Rule::Unmaps,
        Rule::HasRoomForStaticLocals,
        Rule::CompilesCPlusPlus,
        Rule::MakesLinks,
        Rule::MakesPipes,
        Rule::RemovesMapped,
        Rule::SeesCode,
        Rule::SeesWriters,
        Rule::ListsMounts,
        Rule::ListsMappings,
        Rule::JudgesRights,
    ];

    /// The rule, in words.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Unmaps => "retired generations are unmapped",
            Rule::HasRoomForStaticLocals => "there is some room for initial-exec thread-locals",
            Rule::CompilesCPlusPlus => "plugins in C++ are built",
            Rule::MakesLinks => "a symbolic link leads on",
            Rule::MakesPipes => "a pipe has a name in a directory",
            Rule::RemovesMapped => "a retired generation leaves the disk",
            Rule::SeesCode => "data is told from functions once more when it is loaded",
            Rule::SeesWriters => "whoever has a file open for writing shows",
            Rule::ListsMounts => "what is mounted where is listed",
            Rule::ListsMappings => "what is mapped into a process is listed",
            Rule::JudgesRights => "what others can write is told from what they cannot",
        }
    }

    /// The systems on which the rule does not hold, and why.
    pub fn exceptions(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Rule::Unmaps => &[
                ("musl", "its `dlclose` does nothing"),
                (
                    "32-bit x86",
                    "what a plugin asks its host instead of libc is written for 64 bits",
                ),
                (
                    "aarch64 with glibc before 2.39",
                    "that glibc can give a new image the thread-locals of one that is gone",
                ),
                (
                    "Windows",
                    "what threads have in an image is not known there",
                ),
            ],
            Rule::HasRoomForStaticLocals => &[
                ("musl", "its loader refuses the first such library already"),
                ("Windows", "there are no such thread-locals"),
            ],
            Rule::CompilesCPlusPlus => &[
                ("musl", "Debian has no C++ library for it"),
                (
                    "Windows",
                    "MinGW's libraries of C++ would have to lie beside the plugin",
                ),
            ],
            Rule::MakesLinks => &[(
                "Windows",
                "making one takes a right that users do not have, and wine makes none",
            )],
            Rule::MakesPipes => &[("Windows", "its pipes are in no directory of files")],
            Rule::RemovesMapped => &[(
                "Windows",
                "the file of a loaded library stays until the program has ended",
            )],
            Rule::SeesCode => &[("Windows", "vet alone tells them apart there")],
            Rule::SeesWriters => &[("Windows", "only who lets nobody else in shows there")],
            Rule::ListsMounts => &[("Windows", "no table of mounts is read there")],
            Rule::ListsMappings => &[("Windows", "nobody asks for the list there")],
            Rule::JudgesRights => &[("Windows", "nothing is judged there")],
        }
    }
}

/// Whether a rule holds on this system. If not, a line on stderr says what is left out.
pub fn holds(rule: Rule) -> bool {
    let system = system();
    let mut exceptions = rule.exceptions().iter();
    let exception = exceptions.find(|(name, _)| system.contains(name));
    if let Some((system, why)) = exception {
        eprintln!("left out: {}: not on {system}, for {why}", rule.name());
    }
    exception.is_none()
}

/// The names that this system has in the exceptions.
fn system() -> &'static [&'static str] {
    match () {
        () if cfg!(windows) => &["Windows"],
        () if cfg!(target_env = "musl") => &["musl"],
        () if cfg!(target_arch = "x86") => &["32-bit x86"],
        () if cfg!(target_arch = "aarch64") && !has_glibc(2, 39) => {
            &["aarch64 with glibc before 2.39"]
        }
        () => &[],
    }
}

/// Whether the C library of this process is glibc of a version, or of a later one.
fn has_glibc(major: u32, minor: u32) -> bool {
    let Some(version) = glibc() else {
        return false;
    };
    let mut numbers = version.split('.').map(|it| it.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(major), Some(minor))
}

/// The version of glibc.
#[cfg(all(unix, target_env = "gnu"))]
#[allow(unsafe_code)]
fn glibc() -> Option<&'static str> {
    unsafe extern "C" {
        fn gnu_get_libc_version() -> *const std::ffi::c_char;
    }
    // SAFETY: the call has no conditions.
    let version = unsafe { gnu_get_libc_version() };
    // SAFETY: the text is a constant of glibc's, with a NUL at its end.
    unsafe { CStr::from_ptr(version) }.to_str().ok()
}

/// There is no glibc.
#[cfg(not(all(unix, target_env = "gnu")))]
fn glibc() -> Option<&'static str> {
    None
}
