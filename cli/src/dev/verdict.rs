//! The verdict of a build: its errors and warnings, out of what cargo and the compiler said. Pure.

use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel};

/// The words before errors of cargo itself, which are on stderr and not in its JSON.
const ERROR: &str = "error";

/// How the line begins by which cargo says that it waits for another cargo.
const BLOCKED: &str = "Blocking waiting for file lock";

/// An error that kept a build from coming to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The error in a line.
    pub(crate) message: String,
    /// The place in the sources, where there is one: a file as cargo names it, a line and a column.
    pub(crate) place: Option<(String, usize, usize)>,
    /// The error as the compiler shows it, with colours if they were asked for.
    pub(crate) rendered: String,
}

/// What was found wrong.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) mistakes: Vec<Mistake>,
    pub(crate) warnings: usize,
}

impl Verdict {
    /// Takes down what the compiler says.
    pub(super) fn hear(&mut self, said: &Diagnostic) {
        match said.level {
            // The last error only counts the others ("aborting due to 2 previous errors").
            DiagnosticLevel::Error | DiagnosticLevel::Ice if !is_sum(said) => {
                self.mistakes.push(Mistake::of(said));
            }
            DiagnosticLevel::Warning if !is_sum(said) => self.warnings += 1,
            _ => {}
        }
    }

    /// Adds the words of cargo itself, for a build that failed though no compiler said why.
    pub(super) fn fail(&mut self, stderr: &str) {
        if !self.mistakes.is_empty() {
            return;
        }
        let mut lines = stderr.lines().skip_while(|line| !line.starts_with(ERROR));
        let first = lines.next().map(str::to_owned);
        let rest: Vec<_> = lines.collect();
        let message = first.unwrap_or_else(|| "cargo failed, and did not say why".to_owned());
        self.mistakes.push(Mistake {
            rendered: match rest.is_empty() {
                true => message.clone(),
                false => format!("{message}\n{}", rest.join("\n")),
            },
            message,
            place: None,
        });
    }

    /// Adds an error that neither cargo nor the compiler knows of.
    pub(super) fn miss(&mut self, message: &str) {
        self.mistakes.push(Mistake {
            message: message.to_owned(),
            place: None,
            rendered: format!("{ERROR}: {message}"),
        });
    }
}

impl Mistake {
    fn of(said: &Diagnostic) -> Mistake {
        let primary = said.spans.iter().find(|span| span.is_primary);
        let place = |span: &cargo_metadata::diagnostic::DiagnosticSpan| {
            (span.file_name.clone(), span.line_start, span.column_start)
        };
        let rendered = said.rendered.as_deref().unwrap_or(&said.message);
        Mistake {
            message: said.message.clone(),
            place: primary.map(place),
            rendered: rendered.trim_end().to_owned(),
        }
    }
}

/// Whether the compiler only counts what it said before.
fn is_sum(said: &Diagnostic) -> bool {
    said.spans.is_empty()
        && (said.message.starts_with("aborting due to") || said.message.ends_with("emitted"))
}

/// Whether a line of cargo says that it waits until another cargo lets go of a target directory. Of the lock on
/// downloaded packages, which all builds of a user share for a moment each, nothing need be said.
pub(super) fn is_blocked(line: &str) -> bool {
    line.contains(BLOCKED) && !line.contains("package cache")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(level: &str, message: &str, file: Option<&str>) -> Diagnostic {
        let span = |file: &str| {
            json!({
                "file_name": file, "byte_start": 0, "byte_end": 1, "line_start": 7, "line_end": 7,
                "column_start": 3, "column_end": 4, "is_primary": true, "text": [], "label": null,
                "suggested_replacement": null, "suggestion_applicability": null, "expansion": null,
            })
        };
        let spans: Vec<_> = file.map(span).into_iter().collect();
        let value = json!({
            "message": message, "code": null, "level": level, "spans": spans, "children": [],
            "rendered": format!("{level}: {message}\n\n"),
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn errors_are_kept_in_order_and_warnings_are_counted_and_sums_are_neither() {
        let mut verdict = Verdict::default();
        for heard in [
            said("warning", "unused", Some("a.rs")),
            said("error", "first", Some("b.rs")),
            said("error", "second", None),
            said("error", "aborting due to 2 previous errors", None),
            said("warning", "1 warning emitted", None),
            said("failure-note", "more information", None),
        ] {
            verdict.hear(&heard);
        }
        let first = Mistake {
            message: "first".to_owned(),
            place: Some(("b.rs".to_owned(), 7, 3)),
            rendered: "error: first".to_owned(),
        };
        assert_eq!(verdict.mistakes[0], first);
        assert_eq!(verdict.mistakes.len(), 2);
        assert_eq!(verdict.warnings, 1);
    }

    #[test]
    fn a_failure_of_cargo_itself_is_told_in_its_own_words() {
        let mut verdict = Verdict::default();
        verdict.fail("   Compiling x\nerror: no such package\n\nCaused by:\n  this\n");
        assert_eq!(verdict.mistakes[0].message, "error: no such package");
        let rendered = "error: no such package\n\nCaused by:\n  this";
        assert_eq!(verdict.mistakes[0].rendered, rendered);
        verdict.fail("error: could not compile");
        assert_eq!(verdict.mistakes.len(), 1, "there was a reason already");
    }

    #[test]
    fn a_cargo_that_waits_for_another_is_recognised() {
        for (line, is) in [
            (
                "    Blocking waiting for file lock on build directory",
                true,
            ),
            ("    Blocking waiting for file lock on package cache", false),
            ("   Compiling tiny v0.1.0", false),
        ] {
            assert_eq!(is_blocked(line), is, "{line}");
        }
    }
}
