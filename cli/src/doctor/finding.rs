//! One thing that was found: how much it weighs, what it is about, in words, and what to do. Pure.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Value, json};

/// The pages that say more, below the root of the repository.
pub(super) mod page {
    pub(in super::super) const DOCTOR: &str = "docs/cli.md#replug-doctor";
    pub(in super::super) const FILESYSTEMS: &str = "docs/filesystems.md#filesystems";
    pub(in super::super) const HOW_LONG: &str = "docs/filesystems.md#how-long-it-can-take";
    pub(in super::super) const ERRORS: &str = "docs/filesystems.md#errors";
    pub(in super::super) const SSHFS: &str = "docs/filesystems.md#what-sshfs-remembers";
    pub(in super::super) const NOT_SEEN: &str = "docs/filesystems.md#not-seen";
    pub(in super::super) const JUDGED: &str = "docs/security.md#what-is-judged";
    pub(in super::super) const BOUNDS: &str = "docs/security.md#bounds";
    pub(in super::super) const STAGES: &str = "docs/architecture.md#stage-directories";
    pub(in super::super) const TIMES: &str = "docs/architecture.md#how-long-it-takes";
    pub(in super::super) const LIBRARIES: &str =
        "docs/libraries.md#what-a-plugin-needs-of-the-process";
    pub(in super::super) const LOCKS: &str = "docs/ffi.md#what-else-shuts-which-lock";
    pub(in super::super) const INSPECT: &str = "docs/cli.md#replug-inspect";
    pub(in super::super) const DEV: &str = "docs/cli.md#replug-dev";
    pub(in super::super) const WARNINGS: &str = "docs/cli.md#json-lines";

    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [&str; 15] = [
        DOCTOR,
        FILESYSTEMS,
        HOW_LONG,
        ERRORS,
        SSHFS,
        NOT_SEEN,
        JUDGED,
        BOUNDS,
        STAGES,
        TIMES,
        LIBRARIES,
        LOCKS,
        INSPECT,
        DEV,
        WARNINGS,
    ];
}

/// The weight of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Something that makes replug late, wrong or unsafe.
    Finding,
    /// Something that is only worth knowing.
    Note,
    /// Something that is as it should be.
    Ok,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) weight: Weight,
    /// The subject in one word, for programs.
    pub(super) about: Cow<'static, str>,
    /// A clause that says what was found, and what follows from that.
    pub(super) words: String,
    /// What to do, if there is anything to do.
    pub(super) remedy: Option<String>,
    /// The page that says more.
    pub(super) doc: &'static str,
}

impl Said {
    /// Something that is to be mended.
    pub(super) fn finding(
        about: &'static str,
        words: impl Into<String>,
        remedy: impl Into<String>,
        doc: &'static str,
    ) -> Said {
        Said {
            weight: Weight::Finding,
            about: about.into(),
            words: words.into(),
            remedy: Some(remedy.into()),
            doc,
        }
    }

    /// Something that is worth knowing, and what can be done about it.
    pub(super) fn note(
        about: &'static str,
        words: impl Into<String>,
        remedy: Option<&str>,
        doc: &'static str,
    ) -> Said {
        Said {
            weight: Weight::Note,
            about: about.into(),
            words: words.into(),
            remedy: remedy.map(str::to_owned),
            doc,
        }
    }

    /// Something that is well.
    pub(super) fn ok(about: &'static str, words: impl Into<String>, doc: &'static str) -> Said {
        Said {
            weight: Weight::Ok,
            about: about.into(),
            words: words.into(),
            remedy: None,
            doc,
        }
    }

    /// A finding in the library's own words, which end with what to do.
    pub(super) fn of_clause(about: &'static str, clause: &str, doc: &'static str) -> Said {
        let (words, remedy) = clause.rsplit_once("; ").unwrap_or((clause, ""));
        let remedy = Some(remedy.to_owned()).filter(|it| !it.is_empty());
        Said {
            weight: Weight::Finding,
            about: about.into(),
            words: words.to_owned(),
            remedy,
            doc,
        }
    }

    /// The JSON line.
    pub(super) fn line(&self) -> Value {
        json!({
            "event": self.weight.word(), "about": self.about, "words": self.words, "remedy": self.remedy,
            "doc": self.doc,
        })
    }

    /// The same for people. What is well needs no page.
    pub(super) fn words_for_people(&self) -> String {
        let Said {
            weight,
            about,
            words,
            remedy,
            doc,
        } = self;
        let mut told = format!("{:<8} {about}: {words}", weight.word());
        if let Some(remedy) = remedy {
            told = format!("{told}\n         to do: {remedy}");
        }
        match weight {
            Weight::Ok => told,
            Weight::Finding | Weight::Note => format!("{told}\n         see {doc}"),
        }
    }
}

impl Weight {
    fn word(self) -> &'static str {
        match self {
            Weight::Finding => "finding",
            Weight::Note => "note",
            Weight::Ok => "ok",
        }
    }
}

/// How many things of each weight were said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) findings: usize,
    pub(super) notes: usize,
    pub(super) well: usize,
}

impl Counts {
    pub(super) fn count(&mut self, said: &Said) {
        let count = match said.weight {
            Weight::Finding => &mut self.findings,
            Weight::Note => &mut self.notes,
            Weight::Ok => &mut self.well,
        };
        *count += 1;
    }

    /// Whether nothing is to be mended.
    pub(super) fn is_well(&self) -> bool {
        self.findings == 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            findings,
            notes,
            well,
        } = self;
        let verdict = match self.is_well() {
            true => "all is well",
            false => "something is to be mended",
        };
        write!(
            f,
            "{verdict}: findings {findings}, notes {notes}, ok {well}"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The name by which a heading of a page is linked to.
    fn anchor(heading: &str) -> String {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.collect::<String>().replace(' ', "-")
    }

    #[test]
    fn each_page_that_a_finding_names_has_that_heading() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for page in page::ALL {
            let (file, heading) = page.split_once('#').unwrap();
            let text = fs::read_to_string(root.join(file)).unwrap();
            let mut headings = text.lines().filter(|line| line.starts_with('#'));
            assert!(headings.any(|line| anchor(line) == heading), "{page}");
        }
    }

    #[test]
    fn only_findings_make_it_unwell() {
        let mut counts = Counts::default();
        counts.count(&Said::ok("a", "fine", page::DOCTOR));
        counts.count(&Said::note("b", "worth knowing", None, page::DOCTOR));
        assert!(counts.is_well());
        counts.count(&Said::finding("c", "late", "hurry", page::DOCTOR));
        assert!(!counts.is_well());
        assert_eq!(
            counts.to_string(),
            "something is to be mended: findings 1, notes 1, ok 1"
        );
    }

    #[test]
    fn what_to_do_is_the_last_part_of_a_clause_of_the_library() {
        let said = Said::of_clause(
            "names",
            "none is named so; they are not seen; rename them",
            page::DOCTOR,
        );
        assert_eq!(said.words, "none is named so; they are not seen");
        assert_eq!(said.remedy.as_deref(), Some("rename them"));
        assert_eq!(
            Said::of_clause("names", "nothing to do", page::DOCTOR).remedy,
            None
        );
    }

    #[test]
    fn a_person_reads_what_to_do_and_where_more_is_said() {
        let said = Said::finding("clock", "it is late", "set it", page::ERRORS);
        assert_eq!(
            said.words_for_people(),
            "finding  clock: it is late\n         to do: set it\n         see docs/filesystems.md#errors"
        );
        let well = Said::ok("clock", "it is right", page::ERRORS);
        assert_eq!(well.words_for_people(), "ok       clock: it is right");
    }
}
