//! The place that a new workspace takes replug's crates from: a checkout, or what was published.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use replug::shown::{shown, spelled};

/// The directory of the program's own sources when it was built. Their checkout is the one above.
const BUILT_IN: &str = env!("CARGO_MANIFEST_DIR");

/// The version of this program, which all crates of replug share.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The crates, each with its directory in a checkout.
const CRATES: [(&str, &str); 3] = [
    ("replug", ""),
    ("replug-derive", "derive"),
    ("replug-plugin", "plugin"),
];

/// Where the crates are taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Crates {
    /// A checkout, as an absolute path.
    Checkout(String),
    /// The published crates of this program's version.
    Published,
}

/// The reasons why crates cannot be taken from a directory.
#[derive(Debug, thiserror::Error)]
pub(super) enum CratesError {
    #[error("cannot read `{}`, which a checkout of replug has", shown(path))]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "cannot take replug's crates from `{}`: there is no crate `{name}` in `{}`; name the root of a checkout of replug",
        shown(path),
        shown(manifest)
    )]
    NoCheckout {
        path: PathBuf,
        name: &'static str,
        manifest: PathBuf,
    },
    #[error("cannot take replug's crates from `{}`: cargo takes no path that is not UTF-8", shown(.0))]
    NotText(PathBuf),
}

impl Crates {
    /// The crates of the checkout that was asked for, of the one that this program was built in, or those that were
    /// published.
    pub(super) fn chosen(asked: Option<&Path>) -> Result<Crates, Box<dyn Error>> {
        if let Some(checkout) = asked {
            return Ok(Crates::of(checkout)?);
        }
        // One that is gone is no error: nobody asked for it.
        let built_in = Path::new(BUILT_IN).parent().map(Crates::of);
        Ok(built_in.and_then(Result::ok).unwrap_or(Crates::Published))
    }

    fn of(path: &Path) -> Result<Crates, CratesError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |source| CratesError::Read { path, source }
        };
        let root = std::path::absolute(path).map_err(unread(path))?;
        for (name, directory) in CRATES {
            let manifest = root.join(directory).join("Cargo.toml");
            let content = fs::read_to_string(&manifest).map_err(unread(&manifest))?;
            if !content
                .lines()
                .any(|line| line == format!("name = \"{name}\""))
            {
                let path = path.to_owned();
                return Err(CratesError::NoCheckout {
                    path,
                    name,
                    manifest,
                });
            }
        }
        match root.to_str() {
            Some(root) => Ok(Crates::Checkout(root.to_owned())),
            None => Err(CratesError::NotText(path.to_owned())),
        }
    }

    /// What stands behind `replug =` in a manifest, and so on for each crate.
    pub(super) fn requirements(&self) -> impl Iterator<Item = (&'static str, String)> {
        CRATES.into_iter().map(|(name, directory)| match self {
            Crates::Checkout(root) => {
                let path = Path::new(root).join(directory);
                let path = path.components().collect::<PathBuf>();
                (name, format!("{{ path = {} }}", quoted(&spelled(&path))))
            }
            Crates::Published => (name, quoted(&format!("={VERSION}"))),
        })
    }
}

impl fmt::Display for Crates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Crates::Checkout(root) => {
                write!(f, "replug's crates from the checkout `{}`", shown(root))
            }
            Crates::Published => write!(f, "replug's crates as published, version {VERSION}"),
        }
    }
}

/// A text as TOML has it: the escapes of JSON are escapes there, too, which leave one character out.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_are_those_of_the_checkout_or_of_just_this_version() {
        let checkout = Crates::chosen(None).unwrap();
        // Built on another system, the path may lack a drive.
        let root = std::path::absolute(Path::new(BUILT_IN).parent().unwrap()).unwrap();
        let root = root.to_str().unwrap();
        assert_eq!(checkout, Crates::Checkout(root.to_owned()));
        let lines: Vec<_> = checkout.requirements().collect();
        let replug = format!("{{ path = {} }}", quoted(root));
        assert_eq!(lines[0], ("replug", replug));
        let plugin = Path::new(root).join("plugin");
        let plugin = format!("{{ path = {} }}", quoted(&spelled(&plugin)));
        assert_eq!(lines[2], ("replug-plugin", plugin));
        let published: Vec<_> = Crates::Published.requirements().collect();
        assert_eq!(published[1], ("replug-derive", format!("\"={VERSION}\"")));
    }

    #[test]
    fn a_directory_that_is_no_checkout_is_refused_with_the_reason() {
        let scratch = tempfile::tempdir().unwrap();
        let missing = Crates::chosen(Some(scratch.path())).unwrap_err();
        assert!(missing.to_string().contains("Cargo.toml"), "{missing}");
        assert!(missing.source().is_some());
        fs::write(scratch.path().join("Cargo.toml"), "name = \"other\"\n").unwrap();
        let other = Crates::chosen(Some(scratch.path())).unwrap_err();
        assert!(other.to_string().contains("no crate `replug`"), "{other}");
    }

    #[test]
    fn a_path_is_quoted_as_toml_has_it() {
        assert_eq!(
            quoted("C:\\a \"b\"\n\u{7f}é"),
            "\"C:\\\\a \\\"b\\\"\\n\\u007fé\""
        );
    }
}
