//! The files of a new workspace: templates in which a few words are filled in. Pure.

use crate::args::HostKind;

use super::crates::Crates;

/// A file of a new workspace.
#[derive(Debug)]
pub(super) struct File {
    /// Where it is in the workspace.
    pub(super) path: String,
    pub(super) content: String,
}

/// The templates of a path in the workspace and a content. They lie flat: a directory with a `Cargo.toml` would not be part
/// of this package.
macro_rules! templates {
    ($($path:literal: $template:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../templates/", $template)))),*]
    };
}

/// What every workspace has.
const ALL: &[(&str, &str)] = templates! {
    "Cargo.toml": "workspace.toml",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    "interface/Cargo.toml": "interface.toml",
    "{{plugin}}/Cargo.toml": "plugin.toml",
    "host/Cargo.toml": "host.toml",
};

const LOOP: &[(&str, &str)] = templates! {
    "interface/src/lib.rs": "loop/interface.rs",
    "{{plugin}}/src/lib.rs": "loop/plugin.rs",
    "host/src/main.rs": "loop/host.rs",
    "host/tests/reload.rs": "loop/reload.rs",
};

const SERVER: &[(&str, &str)] = templates! {
    "interface/src/lib.rs": "server/interface.rs",
    "{{plugin}}/src/lib.rs": "server/plugin.rs",
    "host/src/main.rs": "server/host.rs",
    "host/tests/reload.rs": "server/reload.rs",
};

/// The directory of the plugin, which its package has behind the workspace's own name. Cargo tells packages in one target
/// directory apart by their names, and many people have one target directory for all that they build.
pub(super) fn plugin(host: HostKind) -> &'static str {
    match host {
        HostKind::Loop => "rules",
        HostKind::Server => "handler",
    }
}

/// The files of a workspace of this name.
pub(super) fn files(host: HostKind, name: &str, crates: &Crates) -> Vec<File> {
    let (own, what_to_try) = match host {
        HostKind::Loop => (LOOP, "The next step goes by the new rules."),
        HostKind::Server => (SERVER, "Ask once more: `curl localhost:7878/greet/you`."),
    };
    let mut words = vec![
        ("name", name.to_owned()),
        ("plugin", plugin(host).to_owned()),
        ("try", what_to_try.to_owned()),
    ];
    words.extend(crates.requirements());
    let file = |(path, content): &(&str, &str)| File {
        path: filled(path, &words),
        content: filled(content, &words),
    };
    ALL.iter().chain(own).map(file).collect()
}

/// A template with its words, in one pass: a word that is filled in is no place for another.
fn filled(template: &str, words: &[(&str, String)]) -> String {
    let mut parts = template.split("{{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let known = part.split_once("}}").and_then(|(word, rest)| {
            let (_, by) = words.iter().find(|(name, _)| *name == word)?;
            Some((by, rest))
        });
        match known {
            Some((by, rest)) => text.extend([by, rest]),
            None => text.extend(["{{", part]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_template_stays_open() {
        for host in [HostKind::Loop, HostKind::Server] {
            for file in files(host, "game", &Crates::Published) {
                let File { path, content } = file;
                assert!(!path.contains("{{"), "{path}");
                assert!(!content.contains("{{"), "{path}: {content}");
                assert!(content.ends_with('\n'), "{path}");
            }
        }
    }

    #[test]
    fn a_word_that_is_filled_in_is_no_place_for_another() {
        let words = [("a", "{{b}}".to_owned()), ("b", "x".to_owned())];
        assert_eq!(filled("{{a}} {{b}} {{c}} {{", &words), "{{b}} x {{c}} {{");
    }
}
