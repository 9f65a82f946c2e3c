//! The rules that do not hold on every system: what a test that is about one asks before it begins. This is the only
//! place where such a test is left out, and it says why. `docs/platforms.md` has the same words in a table.

#[cfg(target_env = "gnu")]
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
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 3] = [
        Rule::Unmaps,
        Rule::HasRoomForStaticLocals,
        Rule::CompilesCPlusPlus,
    ];

    /// The rule, in words.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Unmaps => "retired generations are unmapped",
            Rule::HasRoomForStaticLocals => "there is some room for initial-exec thread-locals",
            Rule::CompilesCPlusPlus => "plugins in C++ are built",
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
            ],
            Rule::HasRoomForStaticLocals => {
                &[("musl", "its loader refuses the first such library already")]
            }
            Rule::CompilesCPlusPlus => &[("musl", "Debian has no C++ library for it")],
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
#[cfg(target_env = "gnu")]
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
#[cfg(not(target_env = "gnu"))]
fn glibc() -> Option<&'static str> {
    None
}
