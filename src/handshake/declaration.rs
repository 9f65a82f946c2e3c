//! A declaration, parsed from its text: the compiler that built a library, its functions, and the structs that cross.

/// A declaration, parsed into its facts.
#[derive(Debug, Default)]
pub(super) struct Declaration<'a> {
    /// The version of `replug-plugin` that it was built with, if it says so.
    pub(super) version: Option<&'a str>,
    pub(super) rustc: Option<&'a str>,
    pub(super) panic: Option<&'a str>,
    /// The layouts of replug's own tables, a line for each.
    pub(super) tables: Vec<&'a str>,
    /// How it was built, as far as that can make one definition two types: a word and what it says.
    pub(super) build: Vec<(&'a str, &'a str)>,
    /// Whether ordinary Rust crosses.
    pub(super) is_ordinary: bool,
    pub(super) interface: &'a str,
    pub(super) functions: Vec<(&'a str, &'a str)>,
    pub(super) layouts: Vec<(&'a str, &'a str)>,
}

impl<'a> Declaration<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Declaration<'a>> {
        let mut found = Declaration::default();
        for line in text.lines() {
            let (word, rest) = line.split_once(' ')?;
            match word {
                // One that is said twice says nothing.
                "replug-plugin" if found.version.is_some() => return None,
                "replug-plugin" => found.version = Some(rest),
                "rustc" => found.rustc = Some(rest),
                "panic" => found.panic = Some(rest),
                "layout" => found.tables.push(rest),
                "compiler" | "features" | "flags" | "probe" | "tables" => {
                    found.build.push((word, rest));
                }
                "level" => found.is_ordinary = rest == "rust",
                "interface" => found.interface = rest,
                "fn" => {
                    let at = rest.find('(')?;
                    found.functions.push(rest.split_at(at));
                }
                // Of several with one name, all but the first have a number behind it: `World#2`.
                "type" | "host" => found.layouts.push(rest.split_once(' ')?),
                // A fact that the host does not need.
                _ => {}
            }
        }
        Some(found)
    }
}
