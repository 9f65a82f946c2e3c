//! The names that a workspace can have: its packages are called so. Pure.

/// Names of packages that a workspace builds on.
const TAKEN: [&str; 4] = ["ctrlc", "replug", "replug-derive", "replug-plugin"];

/// Names that cargo or Rust have a use of their own for.
const CARGO: [&str; 10] = [
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "proc-macro",
    "proc_macro",
    "std",
    "test",
];

/// The words of Rust, which no crate can be called, in each edition.
const KEYWORDS: [&str; 53] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "_",
];

/// Names that are devices on Windows, and no files.
const DEVICES: [&str; 22] = [
    "aux", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "con", "lpt1",
    "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "nul", "prn",
];

/// The longest name, in bytes: with a suffix of cargo's behind it, a file can still be called so.
const LONGEST: usize = 64;

/// Takes a name by cargo's rules for a new package, within ASCII.
pub(crate) fn name(name: &str) -> Result<String, &'static str> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        _ if name.len() > LONGEST => Err("it has more than 64 characters"),
        _ if !name.chars().all(is_part) => Err(
            "it consists of letters, digits, `-` and `_`; a directory elsewhere is named by `--path`",
        ),
        _ if !name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_') => {
            Err("it begins with a letter or `_`")
        }
        _ if KEYWORDS.contains(&name) => Err("it is a word of Rust"),
        lower if CARGO.contains(&lower) => Err("cargo or Rust has a use of its own for it"),
        lower if TAKEN.contains(&lower) => Err("a package that it builds on is called so"),
        lower if DEVICES.contains(&lower) => Err("it is a device on Windows"),
        _ => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_cargo_takes() {
        for good in ["game", "my-game", "_x", "Game_2", "host"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for (wrong, why) in [
            ("", "begins"),
            ("2d", "begins"),
            ("-x", "begins"),
            ("a/b", "--path"),
            ("..", "--path"),
            ("a b", "--path"),
            ("é", "--path"),
            ("{{name}}", "--path"),
            ("fn", "word of Rust"),
            ("gen", "word of Rust"),
            ("_", "word of Rust"),
            ("test", "use of its own"),
            ("deps", "use of its own"),
            ("replug", "package"),
            ("Replug-Plugin", "package"),
            ("CON", "Windows"),
        ] {
            assert!(name(wrong).unwrap_err().contains(why), "{wrong}");
        }
        assert!(name(&"a".repeat(LONGEST + 1)).is_err());
    }
}
