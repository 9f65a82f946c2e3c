//! The comparison of two declarations, the host's own and the one that a library carries: the differences, in words.

use std::fmt;

use replug_plugin::__private::{FACTS, FORMAT, LAYOUTS, Line, VERSION, is_ordinary};
use replug_plugin::Interface;
use replug_plugin::shown::{is_hidden, shown};

use super::declaration::Declaration;
use super::lines::{Id, Lines};
use super::types::{MOST_FOUND, TypeDifference, compare, compare_found};

/// How much of a foreign handshake's first line a message quotes, in characters.
const QUOTED: usize = 64;

/// How much of a foreign line about one table a message quotes, in characters. The longest of replug's own has half as
/// many.
const TABLE: usize = 256;

/// How much of a foreign line about a compiler or its flags a message quotes, in characters.
const COMPILER: usize = 512;

/// How many differences a message names.
const NAMED: usize = 3;

/// A host's expectation: the declaration that a plugin must have been built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    declaration: &'static str,
    /// Leads to the line of the interface, if ordinary Rust crosses.
    root: Option<Root>,
    additions: bool,
}

/// The function that leads to the line of an interface.
#[derive(Debug, Clone, Copy)]
struct Root(fn() -> Line);

/// One program has more than one function for a line, and one line for a type.
impl PartialEq for Root {
    fn eq(&self, other: &Root) -> bool {
        Lines::of(self.0).0 == Lines::of(other.0).0
    }
}

impl Eq for Root {}

impl Expected {
    /// Expects a plugin that was built from the declaration of `T`.
    pub fn of<T: Interface>() -> Expected {
        Expected {
            declaration: T::DECLARATION,
            root: T::LINE.map(Root),
            additions: false,
        }
    }

    /// Expects a plugin that may offer more functions, behind the functions that the host knows.
    pub fn or_more(self) -> Expected {
        Expected {
            additions: true,
            ..self
        }
    }

    /// This expectation for a host that calls by the declaration of `T`, whatever declaration was expected before.
    pub(crate) fn called_by<T: Interface>(self) -> Expected {
        Expected {
            declaration: T::DECLARATION,
            root: T::LINE.map(Root),
            ..self
        }
    }

    /// Whether ordinary Rust crosses, so that more than a text must be equal.
    pub(crate) fn is_ordinary(self) -> bool {
        is_ordinary(self.declaration) || self.root.is_some()
    }

    /// Compares the expected declaration with the handshake that a library carries, and if ordinary Rust crosses, all
    /// types with the lines that are in the library's file.
    ///
    /// # Errors
    ///
    /// A [`Mismatch`] that names all differences.
    pub(crate) fn check(self, carried: Option<&[u8]>, lines: &Lines) -> Result<(), Mismatch> {
        self.check_text(carried)?;
        self.check_types(|root, own, additions| compare_found(root, own, lines, additions))
    }

    /// Compares all types, if ordinary Rust crosses, with those that can be reached from a line of the plugin's in memory.
    ///
    /// # Errors
    ///
    /// As of [`check`](Expected::check).
    pub(crate) fn check_mapped(self, plugin: Option<fn() -> Line>) -> Result<(), Mismatch> {
        let plugin = plugin.map(Lines::of);
        self.check_types(|root, own, additions| match &plugin {
            Some((other, lines)) => compare(root, own, *other, lines, additions),
            None => vec![TypeDifference::Unsaid("the interface".to_owned())],
        })
    }

    fn check_types(
        self,
        compare: impl FnOnce(Id, &Lines, bool) -> Vec<TypeDifference>,
    ) -> Result<(), Mismatch> {
        if !self.is_ordinary() {
            return Ok(());
        }
        let (root, own) = self.root.map(|root| Lines::of(root.0)).unwrap_or_default();
        match compare(root, &own, self.additions) {
            differences if differences.is_empty() => Ok(()),
            differences => Err(Mismatch::Types(differences)),
        }
    }

    /// Compares the expected declaration with the handshake that a library carries.
    ///
    /// # Errors
    ///
    /// As of [`check`](Expected::check).
    pub(crate) fn check_text(self, carried: Option<&[u8]>) -> Result<(), Mismatch> {
        let carried = Carried::read(carried)?;
        let own = Declaration::parse(FACTS).ok_or(Mismatch::Unreadable)?;
        let caller = Caller {
            declaration: self.declaration,
            build: own.build,
            is_ordinary: self.is_ordinary(),
            additions: self.additions,
        };
        caller.check(&carried)
    }
}

/// An expectation, and the handshake that last met it. Builds from one declaration carry one handshake, so of all but the
/// first nothing need be taken apart while an owner waits for a load.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) expected: Expected,
    by: Vec<u8>,
}

impl Met {
    /// An expectation that nothing has met yet.
    pub(crate) fn never(expected: Expected) -> Met {
        Met {
            expected,
            by: Vec::new(),
        }
    }

    /// Compares the expected declaration with a handshake, as [`check_text`](Expected::check_text) does.
    ///
    /// # Errors
    ///
    /// As of [`check`](Expected::check).
    pub(crate) fn check(&mut self, carried: &[u8]) -> Result<(), Mismatch> {
        if self.by != carried || carried.is_empty() {
            self.expected.check_text(Some(carried))?;
            self.by = carried.to_vec();
        }
        Ok(())
    }
}

/// The handshake that a library carries, taken apart. It is text that is safe to print, and its tables are this host's.
pub(super) struct Carried<'a> {
    text: &'a str,
    pub(super) facts: Declaration<'a>,
}

impl<'a> Carried<'a> {
    /// Takes a handshake apart.
    ///
    /// # Errors
    ///
    /// If it is none, is none of this version of replug's, or is about tables that lie differently in memory.
    pub(super) fn read(carried: Option<&'a [u8]>) -> Result<Carried<'a>, Mismatch> {
        let carried = carried.ok_or(Mismatch::NoHandshake)?;
        let text = str::from_utf8(carried).map_err(|_| Mismatch::Unreadable)?;
        let (format, facts) = text.split_once('\n').ok_or(Mismatch::Unreadable)?;
        if format != FORMAT {
            // The line may be anything, and goes to a terminal.
            let said = shown(format).to_string().chars().take(QUOTED).collect();
            return Err(Mismatch::Format(said));
        }
        // The names in a handshake are quoted in messages, which go to a terminal.
        if facts.contains(|c: char| is_hidden(c) && c != '\n') {
            return Err(Mismatch::Unreadable);
        }
        let facts = Declaration::parse(facts).ok_or(Mismatch::Unreadable)?;
        if let Some(version) = facts.version.filter(|version| !fits(version, VERSION)) {
            let said = version.chars().take(QUOTED).collect();
            return Err(Mismatch::Version(said));
        }
        check_tables(&facts)?;
        Ok(Carried { text, facts })
    }

    /// The declaration, from its first line on.
    fn declared(&self) -> &'a str {
        let at = self.text.find("\ninterface ");
        at.map_or("", |at| &self.text[at + 1..])
    }

    /// The side that calls by this very declaration, and was built as this library was.
    pub(super) fn as_caller(&self) -> Caller<'a> {
        Caller {
            declaration: self.declared(),
            build: self.facts.build.clone(),
            is_ordinary: self.facts.is_ordinary,
            additions: false,
        }
    }
}

/// The side that calls: what it declares, and how it was built, as far as that can make one definition two types.
pub(super) struct Caller<'a> {
    declaration: &'a str,
    build: Vec<(&'a str, &'a str)>,
    is_ordinary: bool,
    additions: bool,
}

impl Caller<'_> {
    /// Compares this side with the handshake of a library that it is to call.
    ///
    /// # Errors
    ///
    /// A [`Mismatch`] that names all differences.
    pub(super) fn check(&self, carried: &Carried<'_>) -> Result<(), Mismatch> {
        let plugin = &carried.facts;
        let host = Declaration::parse(self.declaration).ok_or(Mismatch::Unreadable)?;
        if plugin.interface != host.interface {
            return Err(Mismatch::Interface {
                plugin: plugin.interface.to_owned(),
                host: host.interface.to_owned(),
            });
        }
        if plugin.panic != Some("unwind") {
            return Err(Mismatch::PanicsAbort);
        }
        if self.is_ordinary && plugin.is_ordinary {
            check_build(plugin, &self.build)?;
        }
        match host.differences(plugin, self.additions) {
            differences if differences.is_empty() => {
                if plugin.is_ordinary != self.is_ordinary {
                    return Err(Mismatch::Level {
                        is_plugin: plugin.is_ordinary,
                    });
                }
                // No difference can be named. But a text that is not the host's whole declaration was damaged, or says
                // of something that the host knows what the host does not.
                let more = carried.declared().strip_prefix(self.declaration);
                let is_equal = more.is_some_and(|more| {
                    more.is_empty() || self.additions && more.starts_with("fn ")
                });
                is_equal.then_some(()).ok_or(Mismatch::Unreadable)
            }
            differences => Err(Mismatch::Differences {
                differences,
                rustc: plugin.rustc.unwrap_or("another compiler").to_owned(),
            }),
        }
    }
}

/// Why a plugin cannot be called by its host; completes the sentence "cannot shake hands with `PATH`: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The library was not made with `export!`.
    #[error("it has no handshake; build it with `export!` of replug-plugin")]
    NoHandshake,
    /// Only one of the two exchanges ordinary Rust.
    #[error(
        "{} exchanges ordinary Rust and {} only plain data; build both from one declaration",
        Side(*is_plugin), Side(!is_plugin)
    )]
    Level {
        /// Whether it is the plugin that exchanges ordinary Rust.
        is_plugin: bool,
    },
    /// Ordinary Rust crosses, and host and plugin were built by different compilers.
    #[error(
        "ordinary Rust crosses between them, and it was built by `{plugin}`, this host by `{host}`; build both with one \
         compiler"
    )]
    Compiler {
        /// The compiler that built the plugin.
        plugin: String,
        /// The compiler that built the host.
        host: String,
    },
    /// Ordinary Rust crosses, and host and plugin were built in different ways.
    #[error(
        "ordinary Rust crosses between them, and it was built with {what} `{plugin}`, this host with `{host}`; build both \
         alike"
    )]
    Build {
        /// What is different: flags, features of the processor, or how fields are laid out.
        what: &'static str,
        /// The plugin's.
        plugin: String,
        /// The host's.
        host: String,
    },
    /// Types that cross are not the same in the plugin: the first differences, if there are many.
    #[error("{}{}", Listed(.0, MOST_FOUND), advice(.0))]
    Types(Vec<TypeDifference>),
    /// The library carries bytes that can be no handshake.
    #[error("its handshake cannot be read")]
    Unreadable,
    /// The library was made by another version of replug.
    #[error(
        "its handshake is `{0}`, this host speaks `{FORMAT}`; build both with one version of replug"
    )]
    Format(String),
    /// The plugin was built with a version of `replug-plugin` that this host does not fit.
    #[error(
        "it was built with replug-plugin `{0}`, which does not fit this host with `{VERSION}`; build both with one version"
    )]
    Version(String),
    /// The plugin was built with other tables of replug's own than this host reads.
    #[error(
        "a table of replug's own lies differently in memory: plugin has {plugin}, host has {host}; build both with one \
         version of replug"
    )]
    Tables {
        /// The first table that differs, as the plugin has it.
        plugin: String,
        /// The same table, as the host has it.
        host: String,
    },
    /// The library is another plugin, or a plugin for another host.
    #[error("it implements `{plugin}`, this host calls `{host}`")]
    Interface {
        /// The name and version that the plugin implements.
        plugin: String,
        /// The name and version that the host calls.
        host: String,
    },
    /// A panic in the plugin would end the process.
    #[error(
        "it was built with `panic = \"abort\"`, so that a panic in it would end the host; build it with `panic = \"unwind\"`"
    )]
    PanicsAbort,
    /// The plugin was built from another declaration.
    #[error(
        "{}; rebuild whichever is older, and start the host anew if it is that (the plugin was built by {rustc})",
        Listed(differences, usize::MAX)
    )]
    Differences {
        /// The differences, the most telling first.
        differences: Vec<Difference>,
        /// The compiler that built the plugin.
        rustc: String,
    },
}

/// One difference between two declarations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// A function takes or returns something else.
    #[error(
        "`{name}`: plugin {}, host {}",
        Told(plugin, "takes"),
        Told(host, "calls")
    )]
    Signature {
        /// The function.
        name: String,
        /// The function's signature in the plugin.
        plugin: String,
        /// The function's signature in the host.
        host: String,
    },
    /// The plugin lacks a function that the host calls.
    #[error("`{0}`: the plugin lacks it")]
    Absent(String),
    /// The plugin has a function that the host does not know.
    #[error("`{0}`: the host does not know it")]
    Unknown(String),
    /// The plugin has a function at another place than the host.
    #[error("`{name}`: number {plugin} in the plugin, number {host} in the host")]
    Order {
        /// The function.
        name: String,
        /// The function's number in the plugin, from 1.
        plugin: usize,
        /// The function's number in the host, from 1.
        host: usize,
    },
    /// A struct that crosses lies differently in memory.
    #[error("`{name}`: plugin has {plugin}, host has {host}")]
    Layout {
        /// The struct.
        name: String,
        /// The struct's layout in the plugin.
        plugin: String,
        /// The struct's layout in the host.
        host: String,
    },
}

/// The first few of a list, for people; and the length at which the list was cut.
struct Listed<'a, T>(&'a [T], usize);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, difference) in self.0.iter().take(NAMED).enumerate() {
            let between = if number == 0 { "" } else { "; " };
            write!(f, "{between}{difference}")?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more if self.0.len() == self.1 => write!(f, "; and at least {more} more"),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// A signature, as one side has it: `takes (u32)`, with the result where there is one.
struct Told<'a>(&'a str, &'a str);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = self.0.strip_suffix(" -> ()").unwrap_or(self.0);
        write!(f, "{} {signature}", self.1)
    }
}

impl Declaration<'_> {
    /// The differences of `plugin` from this declaration, which is the host's.
    fn differences(&self, plugin: &Declaration<'_>, additions: bool) -> Vec<Difference> {
        let mut differences: Vec<_> = self
            .functions
            .iter()
            .enumerate()
            .filter_map(|(index, function)| plugin.difference(index, *function))
            .collect();
        if !additions {
            let unknown = plugin.functions.iter().filter(|(name, _)| !self.has(name));
            differences.extend(unknown.map(|(name, _)| Difference::Unknown((*name).to_owned())));
        }
        for &(name, host) in &self.layouts {
            // A struct that the plugin does not have shows in the signature of the function that takes it.
            let found = plugin.layouts.iter().find(|(other, _)| *other == name);
            if let Some((_, plugin)) = found.filter(|(_, plugin)| *plugin != host) {
                let (name, plugin, host) = (name.to_owned(), (*plugin).to_owned(), host.to_owned());
                differences.push(Difference::Layout { name, plugin, host });
            }
        }
        differences
    }

    /// The difference, if there is one, in the function that the host calls by this name and expects at `index`.
    fn difference(&self, index: usize, (name, host): (&str, &str)) -> Option<Difference> {
        let found = self.functions.iter().position(|(other, _)| *other == name);
        let Some(found) = found else {
            return Some(Difference::Absent(name.to_owned()));
        };
        let plugin = self.functions[found].1;
        let name = name.to_owned();
        if plugin != host {
            let (plugin, host) = (plugin.to_owned(), host.to_owned());
            return Some(Difference::Signature { name, plugin, host });
        }
        (found != index).then_some(Difference::Order {
            name,
            plugin: found + 1,
            host: index + 1,
        })
    }

    fn has(&self, name: &str) -> bool {
        self.functions.iter().any(|(other, _)| *other == name)
    }
}

/// Compares the tables that the host reads of a plugin, beside the functions that were declared.
fn check_tables(plugin: &Declaration<'_>) -> Result<(), Mismatch> {
    let own = Declaration::parse(LAYOUTS).ok_or(Mismatch::Unreadable)?;
    if plugin.tables == own.tables {
        return Ok(());
    }
    let count = plugin.tables.len().max(own.tables.len());
    let differing = (0..count).find(|at| plugin.tables.get(*at) != own.tables.get(*at));
    let told = |tables: &[&str]| match differing.and_then(|at| tables.get(at)) {
        Some(line) => format!("`{}`", line.chars().take(TABLE).collect::<String>()),
        None => "none".to_owned(),
    };
    Err(Mismatch::Tables {
        plugin: told(&plugin.tables),
        host: told(&own.tables),
    })
}

/// Compares how host and plugin were built, as far as that can make one definition two types.
fn check_build(plugin: &Declaration<'_>, own: &[(&str, &str)]) -> Result<(), Mismatch> {
    if plugin.build == own {
        return Ok(());
    }
    let count = plugin.build.len().max(own.len());
    let differing = (0..count).find(|at| plugin.build.get(*at) != own.get(*at));
    let line = |build: &[(&str, &str)]| match differing.and_then(|at| build.get(at)) {
        Some((_, said)) => said.chars().take(COMPILER).collect::<String>(),
        None => "nothing".to_owned(),
    };
    let (said, host) = (line(&plugin.build), line(own));
    let word = differing.and_then(|at| own.get(at)).map(|it| it.0);
    let what = match word {
        Some("compiler") => {
            // The first part is what `rustc --version` says, and mostly tells them apart.
            let short = |it: &str| it.split("; ").next().unwrap_or_default().to_owned();
            let (plugin, host) = match short(&said) != short(&host) {
                true => (short(&said), short(&host)),
                false => (said, host),
            };
            return Err(Mismatch::Compiler { plugin, host });
        }
        Some("features") => "the processor's features",
        Some("flags") => "the flags",
        Some("probe") => "fields at",
        _ => "tables of",
    };
    Err(Mismatch::Build {
        what,
        plugin: said,
        host,
    })
}

/// The way out, by the first difference of types.
fn advice(differences: &[TypeDifference]) -> &'static str {
    match differences.first() {
        Some(TypeDifference::Field {
            is_in_plugin: true, ..
        }) => "; build the host again, or move it into the plugin's own state",
        Some(TypeDifference::Variant {
            is_in_plugin: true, ..
        }) => "; build the host again",
        Some(TypeDifference::Field { .. } | TypeDifference::Variant { .. }) => {
            "; build the plugin again from what the host was built from, or the host, if it is the older one"
        }
        // These say themselves what to do.
        Some(
            TypeDifference::Foreign { .. }
            | TypeDifference::Layout(_)
            | TypeDifference::Std(_)
            | TypeDifference::Unsaid(_),
        ) => "",
        _ => "; build whichever is older again, and start the host anew if it is that",
    }
}

struct Side(bool);

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "it" } else { "this host" })
    }
}

/// Whether two versions are compatible by the rules of cargo: they agree up to the first number that is not zero. A version
/// that is not three numbers fits only itself.
fn fits(one: &str, other: &str) -> bool {
    match (promise(one), promise(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// The numbers of a version up to the first that is not zero.
fn promise(version: &str) -> Option<Vec<u64>> {
    let numbers: Option<Vec<u64>> = version.split('.').map(|it| it.parse().ok()).collect();
    let mut numbers = numbers.filter(|numbers| numbers.len() == 3)?;
    let first = numbers.iter().position(|number| *number != 0);
    numbers.truncate(first.map_or(3, |at| at + 1));
    Some(numbers)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::time::Duration;

    use super::*;
    #[cfg(target_os = "linux")]
    use crate::handshake::LONGEST;

    const HOST: &str = "interface Greeter version 1\n\
        fn greet(&str, Sink) -> ()\n\
        fn add(u64, u64) -> u64\n\
        fn step(&mut struct World) -> ()\n\
        type World size 16 align 8 { frames: u64 at 0, mean: f64 at 8 }\n";

    const FACTS: &str = "replug handshake 3\nrustc rustc 1.95.0\ntarget here\npanic unwind\n";

    fn check(carried: &str, additions: bool) -> String {
        let expected = Expected {
            declaration: HOST,
            additions,
            root: None,
        };
        match expected.check_text(Some(carried.as_bytes())) {
            Ok(()) => "equal".to_owned(),
            Err(mismatch) => mismatch.to_string(),
        }
    }

    #[test]
    fn of_many_types_that_differ_it_is_said_that_there_are_more() {
        let said = |count| {
            let of = |number| TypeDifference::Std(format!("T{number}"));
            Mismatch::Types((0..count).map(of).collect()).to_string()
        };
        assert!(said(5).ends_with("; and 2 more"), "{}", said(5));
        let many = said(MOST_FOUND);
        assert!(many.ends_with("; and at least 13 more"), "{many}");
    }

    #[test]
    fn an_equal_declaration_is_good_and_each_difference_is_told() {
        let rebuild = "; rebuild whichever is older, and start the host anew if it is that (the plugin was built by rustc 1.95.0)";
        let cases = [
            ("", "", "equal"),
            (
                "add(u64, u64)",
                "add(u32, u64)",
                "`add`: plugin takes (u32, u64) -> u64, host calls (u64, u64) -> u64",
            ),
            (
                "greet(&str, Sink)",
                "greet(&str)",
                "`greet`: plugin takes (&str), host calls (&str, Sink)",
            ),
            (
                "fn add(u64, u64) -> u64\n",
                "",
                "`add`: the plugin lacks it; `step`: number 2 in the plugin, number 3 in the host",
            ),
            (
                "fn greet",
                "fn hello() -> u8\nfn greet",
                "`greet`: number 2 in the plugin, number 1 in the host; \
                `add`: number 3 in the plugin, number 2 in the host; `step`: number 4 in the plugin, number 3 in the host; and 1 more",
            ),
            (
                "mean: f64 at 8",
                "mean: f32 at 8",
                "`World`: plugin has size 16 align 8 { frames: u64 at 0, mean: f32 at 8 }, \
                host has size 16 align 8 { frames: u64 at 0, mean: f64 at 8 }",
            ),
        ];
        for (from, to, expected) in cases {
            let expected = match expected {
                "equal" => expected.to_owned(),
                difference => format!("{difference}{rebuild}"),
            };
            assert_eq!(
                check(
                    &format!("{FACTS}{LAYOUTS}{}", HOST.replace(from, to)),
                    false
                ),
                expected
            );
        }
    }

    #[test]
    fn a_version_that_does_not_fit_is_said_before_anything_else() {
        let with = |version: &str| {
            let line = format!("\nreplug-plugin {version}\nrustc");
            check(
                &format!("{FACTS}{LAYOUTS}{HOST}").replacen("\nrustc", &line, 1),
                false,
            )
        };
        assert_eq!(with(VERSION), "equal");
        let twice = format!("{VERSION}\nreplug-plugin {VERSION}");
        assert_eq!(with(&twice), "its handshake cannot be read");
        let long = format!("9{}", "9".repeat(1000));
        assert!(with(&long).len() < 200);
        let other = "99.0.0";
        let told = format!(
            "it was built with replug-plugin `{other}`, which does not fit this host with `{VERSION}`; build both with one version"
        );
        assert_eq!(with(other), told);
        for (one, other, expected) in [
            ("0.1.0", "0.1.7", true),
            ("0.1.0", "0.2.0", false),
            ("0.0.1", "0.0.2", false),
            ("1.2.0", "1.9.3", true),
            ("1.2.0", "2.2.0", false),
            ("0.1.0", "1.1.0", false),
            ("", "0.1.0", false),
            ("0.1", "0.1.0", false),
            ("0.1.0-alpha.1", "0.1.0", false),
            ("0.1.0-alpha.1", "0.1.0-alpha.1", true),
            ("0.1.0.0", "0.1.0", false),
        ] {
            assert_eq!(fits(one, other), expected, "{one} and {other}");
        }
    }

    #[test]
    fn tables_of_replugs_own_that_lie_differently_are_told_before_the_declaration() {
        let build = "; build both with one version of replug";
        let first = LAYOUTS.lines().next().unwrap();
        let moved = first.replace("table at 0", "table at 8");
        let (_, host) = first.split_once(' ').unwrap();
        let plugin = host.replace("table at 0", "table at 8");
        let whole = format!("{FACTS}{LAYOUTS}{HOST}");
        let told = |plugin: &str| {
            format!(
                "a table of replug's own lies differently in memory: plugin has {plugin}, host has `{host}`{build}"
            )
        };
        let said = check(&whole.replace(first, &moved), true);
        assert_eq!(said, told(&format!("`{plugin}`")));
        let said = check(&format!("{FACTS}{HOST}"), true);
        assert_eq!(said, told("none"));
        for line in LAYOUTS.lines() {
            let without = whole.replace(&format!("{line}\n"), "");
            let twice = whole.replace(line, &format!("{line}\n{line}"));
            for text in [without, twice] {
                assert!(check(&text, true).ends_with(build), "{line}");
            }
        }
    }

    #[test]
    fn nothing_is_said_behind_what_the_host_knows_but_functions_and_those_if_they_are_welcome() {
        let whole = format!("{FACTS}{LAYOUTS}{HOST}");
        for more in [
            "type u64 size 64 align 8 { at: u64 at 0 }\n",
            "layout\n",
            "x y\n",
        ] {
            for additions in [false, true] {
                let said = check(&format!("{whole}{more}"), additions);
                assert_eq!(said, "its handshake cannot be read", "{more}");
            }
        }
    }

    #[test]
    fn a_declaration_that_lost_what_nothing_else_tells_of_is_damaged() {
        let whole = format!("{FACTS}{LAYOUTS}{HOST}");
        let without_layout = &whole[..whole.find("type World").unwrap()];
        for additions in [false, true] {
            for text in [without_layout, whole.trim_end()] {
                assert_eq!(check(text, additions), "its handshake cannot be read");
            }
        }
    }

    #[test]
    fn two_structs_of_one_name_are_each_compared_with_their_own() {
        const TWO: &str = "interface Greeter version 1\n\
            fn greet(&struct One) -> ()\n\
            type One size 1 align 1 { at: u8 at 0 }\n\
            fn step(&struct One#2) -> ()\n\
            type One#2 size 8 align 8 { at: u64 at 0 }\n";
        let expected = Expected {
            declaration: TWO,
            additions: false,
            root: None,
        };
        let equal = format!("{FACTS}{LAYOUTS}{TWO}");
        assert_eq!(expected.check_text(Some(equal.as_bytes())), Ok(()));
        let told = |from: &str, to: &str| {
            let other = equal.replace(from, to);
            let mismatch = expected.check_text(Some(other.as_bytes())).unwrap_err();
            mismatch.to_string()
        };
        let said = told("at: u64 at 0", "at: f64 at 0");
        let words = "`One#2`: plugin has size 8 align 8 { at: f64 at 0 }, host has size 8 align 8 { at: u64 at 0 }; rebuild";
        assert!(said.starts_with(words), "{said}");
        let said = told("step(&struct One#2)", "step(&struct One)");
        let words = "`step`: plugin takes (&struct One), host calls (&struct One#2); rebuild";
        assert!(said.starts_with(words), "{said}");
        // Without one of the two, nothing that the host knows is described differently.
        let said = told("type One#2 size 8 align 8 { at: u64 at 0 }\n", "");
        assert_eq!(said, Mismatch::Unreadable.to_string());
    }

    #[test]
    fn functions_behind_those_that_the_host_knows_are_good_if_the_host_says_so() {
        let more = format!(
            "{FACTS}{LAYOUTS}{HOST}fn wave(struct Wave) -> ()\ntype Wave size 1 align 1 {{ high: u8 at 0 }}\n"
        );
        assert!(check(&more, false).starts_with("`wave`: the host does not know it; rebuild"));
        assert_eq!(check(&more, true), "equal");
        let before = more.replace("fn add", "fn sub(u64) -> u64\nfn add");
        assert!(
            check(&before, true).starts_with("`add`: number 3 in the plugin, number 2 in the host")
        );
    }

    #[test]
    fn what_has_met_an_expectation_meets_it_again_and_makes_nothing_else_meet_it() {
        let expected = Expected {
            declaration: HOST,
            additions: false,
            root: None,
        };
        let mut met = Met::never(expected);
        let good = format!("{FACTS}{LAYOUTS}{HOST}");
        let longer = format!("{good}fn wave() -> ()\n");
        for _ in 0..2 {
            for bad in ["", "x", &good[..good.len() - 5], &longer] {
                assert!(met.check(bad.as_bytes()).is_err(), "{bad}");
            }
            assert_eq!(met.check(good.as_bytes()), Ok(()));
        }
    }

    /// The time for which this thread has had a processor, which a busy machine does not change.
    #[cfg(target_os = "linux")]
    fn worked() -> Duration {
        let worked = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        let nanoseconds = worked.split(' ').next().and_then(|it| it.parse().ok());
        Duration::from_nanos(nanoseconds.unwrap())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_longest_handshake_takes_no_time_worth_telling() {
        let mut carried = format!("{FACTS}{LAYOUTS}{HOST}");
        for number in 0.. {
            let line = format!("type T{number} x\n");
            if carried.len() + line.len() >= LONGEST as usize {
                break;
            }
            carried += &line;
        }
        let before = worked();
        assert_eq!(check(&carried, false), "its handshake cannot be read");
        let took = worked() - before;
        // Many seconds would pass if each line were compared with all lines before it.
        assert!(took < Duration::from_secs(2), "{took:?}");
    }

    #[test]
    fn what_is_no_handshake_or_another_one_is_told_from_it() {
        let cases = [
            ("", "its handshake cannot be read"),
            (
                "replug handshake 2\nelse",
                "its handshake is `replug handshake 2`, this host speaks `replug handshake 3`; build both with one version of \
                replug",
            ),
            ("replug handshake 3\nfn\n", "its handshake cannot be read"),
        ];
        for (carried, expected) in cases {
            assert_eq!(check(carried, false), expected);
        }
        let other = format!("{FACTS}{LAYOUTS}interface Greeter version 2\n");
        let told = "it implements `Greeter version 2`, this host calls `Greeter version 1`";
        assert_eq!(check(&other, false), told);
        let aborts = format!("{FACTS}{LAYOUTS}{HOST}").replace("panic unwind", "panic abort");
        assert!(check(&aborts, false).starts_with("it was built with `panic = \"abort\"`"));
        let expected = Expected {
            declaration: HOST,
            additions: false,
            root: None,
        };
        assert_eq!(expected.check_text(None), Err(Mismatch::NoHandshake));
        assert_eq!(
            expected.check_text(Some(b"\xff\n")),
            Err(Mismatch::Unreadable)
        );
        for hidden in ["\x1b[2J", "\u{9b}", "\u{202e}", "\u{2028}"] {
            let hides = HOST.replace("add", &format!("{hidden}add"));
            let hides = format!("{FACTS}{LAYOUTS}{hides}");
            assert_eq!(check(&hides, false), Mismatch::Unreadable.to_string());
        }
    }
}
