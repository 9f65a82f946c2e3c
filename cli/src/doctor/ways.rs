//! The ways in which builders and tools change a file.

use std::fs;
use std::io;
use std::path::Path;

/// A way of changing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The file is opened and written to, as linkers and `cp` do.
    InPlace,
    /// Another file is renamed over it, as `mv`, `rsync` and `replug publish` do.
    Renamed,
    /// It is removed, and another file gets its name as a second one, as cargo does.
    Linked,
    /// It is removed and made again.
    MadeAgain,
}

impl Way {
    pub(super) const ALL: [Way; 4] = [Way::InPlace, Way::Renamed, Way::Linked, Way::MadeAgain];

    /// The way in words.
    pub(super) fn word(self) -> &'static str {
        match self {
            Way::InPlace => "written in place",
            Way::Renamed => "renamed over",
            Way::Linked => "linked over",
            Way::MadeAgain => "removed and made again",
        }
    }

    /// Gives the file this content.
    pub(super) fn change(self, file: &Path, content: &[u8]) -> io::Result<()> {
        let aside = file.with_extension("new");
        match self {
            Way::InPlace => fs::write(file, content),
            Way::Renamed => {
                fs::write(&aside, content)?;
                fs::rename(&aside, file)
            }
            Way::Linked => {
                fs::write(&aside, content)?;
                // Made first, so that a filesystem without links has changed nothing.
                let link = file.with_extension("link");
                fs::hard_link(&aside, &link)?;
                fs::remove_file(&link)?;
                fs::remove_file(file)?;
                fs::hard_link(&aside, file)?;
                fs::remove_file(&aside)
            }
            Way::MadeAgain => {
                fs::remove_file(file)?;
                fs::write(file, content)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_changes_the_file_and_leaves_nothing_beside_it() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "before").unwrap();
        for way in Way::ALL {
            way.change(&file, way.word().as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), way.word());
            assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1, "{way:?}");
        }
    }
}
