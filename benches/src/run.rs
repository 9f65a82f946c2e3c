//! Runs rows: in each round every tool has its turn, so that what disturbs one round disturbs all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::row::{Figures, Row};

/// What one row saw: figures by tool.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results(pub BTreeMap<String, BTreeMap<String, Figures>>);

impl Results {
    /// What `tool` did in `row`.
    pub fn of(&self, row: &str, tool: &str) -> Option<&Figures> {
        self.0.get(row)?.get(tool)
    }
}

/// How much of a row is run.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// So many rounds, instead of as many as the row wants.
    pub rounds: Option<usize>,
    /// Only the tool of this name.
    pub tool: Option<String>,
}

/// Runs rows, of each this part.
pub fn rows<'a>(rows: impl Iterator<Item = &'a dyn Row>, part: &Part) -> Results {
    let results = rows.map(|row| (row.name().to_owned(), all_tools(row, part)));
    Results(results.collect())
}

fn all_tools(row: &dyn Row, part: &Part) -> BTreeMap<String, Figures> {
    let mut by_tool: BTreeMap<String, Figures> = BTreeMap::new();
    let rounds = part.rounds.unwrap_or(row.rounds());
    let is_meant = |tool: &&&str| part.tool.as_ref().is_none_or(|name| name == **tool);
    for round in 1..=rounds {
        for tool in row.tools().iter().filter(is_meant) {
            eprintln!("{} {round}/{rounds}: {tool}", row.name());
            let seen = row.measure(tool);
            by_tool.entry((*tool).to_owned()).or_default().join(seen);
        }
    }
    by_tool
}
