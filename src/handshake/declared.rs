//! A plugin's declaration as the plugin's own file has it: for programs that show it, and that compare two files. Pure.

use std::fmt;

use replug_plugin::__private::FACTS;

use super::compare::{Carried, Mismatch};
use super::declaration::Declaration;
use super::lines::Lines;
use super::types::{TypeDifference, compare_found, described};

/// How much of a foreign line about tables a message quotes, in characters.
const TABLES: usize = 256;

/// The most types that are described: a large interface has some hundred.
const MOST_TYPES: usize = 4096;

/// The declaration that a library was built from, as the library's file says. Its texts are safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    handshake: Vec<u8>,
    lines: Lines,
    interface: String,
    level: Level,
    compiler: String,
    made_with: Option<String>,
    functions: Vec<String>,
    types: Vec<String>,
}

/// The level of a declaration: how much of Rust it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Types with the layout of C: host and plugin can be built by any two compilers.
    PlainData,
    /// Ordinary types: host and plugin are built by one compiler, and the plugin is never unmapped.
    OrdinaryRust,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::PlainData => "plain",
            Level::OrdinaryRust => "rust",
        })
    }
}

impl Declared {
    /// Reads the handshake that a library carries, and the lines of its types; and judges them as each host would whose
    /// interface this is.
    ///
    /// # Errors
    ///
    /// Why no host of this version of replug's could call the library, whatever the host declares.
    pub(crate) fn read(carried: Option<&[u8]>, lines: &Lines) -> Result<Declared, Mismatch> {
        let read = Carried::read(carried)?;
        let facts = &read.facts;
        if facts.interface.is_empty() {
            return Err(Mismatch::Unreadable);
        }
        check_shared_tables(facts)?;
        read.as_caller().check(&read)?;
        let line = |&(name, rest): &(&str, &str)| format!("{name}{rest}");
        Ok(Declared {
            handshake: carried.unwrap_or_default().to_vec(),
            lines: lines.clone(),
            interface: facts.interface.to_owned(),
            level: match facts.is_ordinary {
                true => Level::OrdinaryRust,
                false => Level::PlainData,
            },
            compiler: facts.rustc.unwrap_or("another compiler").to_owned(),
            made_with: facts.version.map(str::to_owned),
            functions: facts.functions.iter().map(line).collect(),
            types: types(facts, lines),
        })
    }

    /// The name and version of the interface, as `Rules version 1`.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The compiler that built the library, in its own words.
    pub fn compiler(&self) -> &str {
        &self.compiler
    }

    /// The version of `replug-plugin` that the library was built with; `None` if its handshake was written by hand, as in C.
    pub fn made_with(&self) -> Option<&str> {
        self.made_with.as_deref()
    }

    /// The functions, in the order of the declaration: `add(u64, u64) -> u64`.
    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// The types of somebody's own that cross: the structs of plain data with the places of their fields, and at the rust
    /// level the other types with their sizes.
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// Compares this library with another one's declaration, as a host does that was built from the other one, by the
    /// same compiler and with the same flags.
    ///
    /// # Errors
    ///
    /// A [`Mismatch`] that names all differences, and calls the other one the host.
    pub fn compare(&self, host: &Declared) -> Result<(), Mismatch> {
        let plugin = Carried::read(Some(&self.handshake))?;
        let caller = Carried::read(Some(&host.handshake))?.as_caller();
        caller.check(&plugin)?;
        if host.level == Level::PlainData {
            return Ok(());
        }
        let name = host.interface.split(' ').next().unwrap_or_default();
        // A library can have several interfaces of one name, and its handshake is that of one of them.
        let roots = host.lines.interfaces(&format!("interface {name}\n"));
        let found = roots
            .into_iter()
            .map(|root| compare_found(root, &host.lines, &self.lines, false));
        match found.min_by_key(Vec::len) {
            Some(differences) if differences.is_empty() => Ok(()),
            Some(differences) => Err(Mismatch::Types(differences)),
            None => Err(Mismatch::Types(vec![TypeDifference::Unsaid(
                name.to_owned(),
            )])),
        }
    }
}

/// The types in a handshake, and then those that only lines describe.
fn types(facts: &Declaration<'_>, lines: &Lines) -> Vec<String> {
    let layouts = facts.layouts.iter();
    let mut types: Vec<_> = layouts
        .map(|(name, layout)| format!("{name} {layout}"))
        .collect();
    if facts.is_ordinary {
        let is_new = |name: &String| !facts.layouts.iter().any(|it| it.0 == name);
        let found = described(lines, MOST_TYPES).into_iter();
        let found = found.filter(|(name, _)| is_new(name));
        types.extend(found.map(|(name, definition)| format!("{name} {definition}")));
    }
    types
}

/// Refuses a library at the rust level whose tables for that level are not this host's: a host could not even lend it its
/// allocator.
fn check_shared_tables(plugin: &Declaration<'_>) -> Result<(), Mismatch> {
    let own = Declaration::parse(FACTS).ok_or(Mismatch::Unreadable)?;
    let tables = |of: &Declaration<'_>| {
        let mut found = of.build.iter().filter(|(word, _)| *word == "tables");
        found
            .next()
            .map_or("nothing".to_owned(), |it| it.1.to_owned())
    };
    let (plugin_has, host_has) = (tables(plugin), tables(&own));
    if !plugin.is_ordinary || plugin_has == host_has {
        return Ok(());
    }
    Err(Mismatch::Build {
        what: "tables of",
        plugin: plugin_has.chars().take(TABLES).collect(),
        host: host_has,
    })
}

#[cfg(test)]
mod tests {
    use replug_plugin::__private::{FORMAT, LAYOUTS, VERSION};
    use replug_plugin::Interface;

    use super::*;

    replug_plugin::interface! {
        /// A declaration of plain data.
        interface Greeter, plugin trait Greet, version 1 {
            fn greet(name: &str) -> u32;
        }
    }

    /// The handshake of a library with this declaration, and these words about how it ends.
    fn handshake(declaration: &str, panics: &str) -> String {
        format!(
            "{FORMAT}\nreplug-plugin {VERSION}\nrustc rustc 1.95.0\npanic {panics}\n{LAYOUTS}{declaration}"
        )
    }

    fn read(handshake: &str) -> Result<Declared, Mismatch> {
        Declared::read(Some(handshake.as_bytes()), &Lines::default())
    }

    #[test]
    fn a_declaration_is_read_out_of_a_handshake() {
        let declared = read(&handshake(Greeter::DECLARATION, "unwind")).unwrap();
        assert_eq!(declared.interface(), "Greeter version 1");
        assert_eq!(declared.level(), Level::PlainData);
        assert_eq!(declared.compiler(), "rustc 1.95.0");
        assert_eq!(declared.made_with(), Some(VERSION));
        assert_eq!(declared.functions(), ["greet(&str) -> u32"]);
        assert!(declared.types().is_empty());
    }

    #[test]
    fn what_no_host_could_call_is_refused_in_the_words_of_a_host() {
        let good = handshake(Greeter::DECLARATION, "unwind");
        let moved = good.replace("layout Entry size ", "layout Entry size 1");
        let hidden = good.replace("greet", "gr\u{1b}et");
        for (handshake, words) in [
            (
                good.replace("handshake 3", "handshake 2"),
                "its handshake is `replug handshake 2`",
            ),
            (
                good.replace(VERSION, "99.0.0"),
                "it was built with replug-plugin `99.0.0`",
            ),
            (moved, "a table of replug's own lies differently in memory"),
            (
                handshake(Greeter::DECLARATION, "abort"),
                "it was built with `panic = \"abort\"`",
            ),
            (handshake("", "unwind"), "its handshake cannot be read"),
            (hidden, "its handshake cannot be read"),
        ] {
            let said = read(&handshake).unwrap_err().to_string();
            assert!(said.starts_with(words), "{said}");
        }
        let shared = good.replace(
            "interface Greeter version 1\n",
            "tables 1 2 3\ninterface Greeter version 1\nlevel rust\n",
        );
        let said = read(&shared).unwrap_err().to_string();
        assert!(said.contains("tables of `1 2 3`"), "{said}");
        assert_eq!(
            Declared::read(None, &Lines::default()),
            Err(Mismatch::NoHandshake)
        );
    }

    #[test]
    fn two_libraries_are_compared_as_a_plugin_and_its_host() {
        let plugin = read(&handshake(Greeter::DECLARATION, "unwind")).unwrap();
        assert_eq!(plugin.compare(&plugin), Ok(()));
        let other = Greeter::DECLARATION.replace("u32", "u64");
        let host = read(&handshake(&other, "unwind")).unwrap();
        let said = plugin.compare(&host).unwrap_err().to_string();
        let words = "`greet`: plugin takes (&str) -> u32, host calls (&str) -> u64";
        assert!(said.starts_with(words), "{said}");
    }

    #[test]
    fn at_the_rust_level_the_types_are_compared_too() {
        let declared = |build: &str| {
            let facts = FACTS.replace("compiler ", build);
            let text =
                format!("{facts}interface Rules version 1\nlevel rust\nfn count() -> String\n");
            read(&handshake(&text, "unwind")).unwrap()
        };
        let (one, other) = (declared("compiler "), declared("compiler another "));
        let said = one.compare(&other).unwrap_err().to_string();
        assert!(said.contains("build both with one compiler"), "{said}");
        // Neither has lines.
        let said = one.compare(&one).unwrap_err().to_string();
        assert!(
            said.starts_with("`Rules`: the plugin does not say what it consists of"),
            "{said}"
        );
    }
}
