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

/// Runs rows, each in as many rounds as it wants unless told otherwise.
pub fn rows<'a>(rows: impl Iterator<Item = &'a dyn Row>, rounds: Option<usize>) -> Results {
    let results = rows.map(|row| (row.name().to_owned(), all_tools(row, rounds)));
    Results(results.collect())
}

fn all_tools(row: &dyn Row, rounds: Option<usize>) -> BTreeMap<String, Figures> {
    let mut by_tool: BTreeMap<String, Figures> = BTreeMap::new();
    let rounds = rounds.unwrap_or(row.rounds());
    for round in 1..=rounds {
        for tool in row.tools() {
            eprintln!("{} {round}/{rounds}: {tool}", row.name());
            let seen = row.measure(tool);
            by_tool.entry((*tool).to_owned()).or_default().join(seen);
        }
    }
    by_tool
}
