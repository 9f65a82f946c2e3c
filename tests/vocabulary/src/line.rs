//! A line of the program's JSON output.

use std::fmt;

use serde_json::Value;

/// One JSON line of the program.
#[derive(Clone, PartialEq)]
pub struct Line(pub Value);

impl Line {
    /// The line in which a program said `text`.
    pub(crate) fn of(text: &str) -> Line {
        let value = serde_json::from_str(text);
        Line(value.unwrap_or_else(|error| panic!("not JSON ({error}): {text}")))
    }

    /// The kind of event that the line is about.
    pub fn event(&self) -> &str {
        self.text("event")
    }

    /// The text in a field, which must be there.
    #[track_caller]
    pub fn text(&self, field: &str) -> &str {
        self.0[field]
            .as_str()
            .unwrap_or_else(|| panic!("no text `{field}` in {self:?}"))
    }

    /// Whether the field holds a text.
    pub fn is_text(&self, field: &str) -> bool {
        self.0[field].is_string()
    }

    /// The number in a field, which must be there.
    #[track_caller]
    pub fn number(&self, field: &str) -> u64 {
        self.0[field]
            .as_u64()
            .unwrap_or_else(|| panic!("no number `{field}` in {self:?}"))
    }
}

/// Those of the lines that are about one kind of event.
pub(crate) fn about<'a>(lines: &'a [Line], event: &str) -> Vec<&'a Line> {
    let fits = |line: &&Line| line.event() == event;
    lines.iter().filter(fits).collect()
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
