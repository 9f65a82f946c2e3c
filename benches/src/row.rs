//! What is measured, and what came out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One thing that is measured, the same way of every tool that can do it.
pub trait Row: Sync {
    /// Its name on the command line and in the JSON.
    fn name(&self) -> &'static str;
    /// What the table calls it.
    fn title(&self) -> &'static str;
    /// Who does it. The first is the limit: the same as a program of a few lines. The second is replug.
    fn tools(&self) -> &'static [&'static str];
    /// The figures that the table shows, in their order. Others are in the JSON only.
    fn columns(&self) -> &'static [Column];
    /// How many rounds; in each of them every tool has its turn.
    fn rounds(&self) -> usize;
    /// Where it runs.
    fn place(&self) -> Place {
        Place::Here
    }
    /// One measurement of one tool. Runs its trials by those of `trial`.
    fn measure(&self, tool: &str) -> Figures;
    /// The child's side of a trial: does it, and returns what it saw. A panic is a trial that ended badly.
    fn trial(&self, tool: &str, arguments: &[String]) -> serde_json::Value;
}

/// Where a row runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Here,
    /// In the guest, whose clock counts instructions, the kernel's included.
    Guest,
}

/// A figure that the table shows: the median of what was taken under this name.
pub struct Column {
    /// Its name in [`Figures::values`].
    pub figure: &'static str,
    /// How the table's head calls it, with the unit.
    pub title: &'static str,
    /// What replug's is to be.
    pub target: Target,
}

/// A column of which at most so much was promised.
pub const fn at_most(figure: &'static str, title: &'static str, most: f64) -> Column {
    Column {
        figure,
        title,
        target: Target::AtMost(most),
    }
}

/// What replug's figure is to be.
pub enum Target {
    /// Nothing was promised.
    None,
    /// At most this.
    AtMost(f64),
    /// At most so many times the limit's.
    TimesLimit(f64),
    /// At most so much more than the limit's.
    BesidesLimit(f64),
    /// At most so many times what replug's is in another row.
    TimesRow(f64, &'static str),
}

/// What one measurement of one tool saw: figures by name with the unit in it, such as `instructions`, `ms` or `bytes`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Every value that was taken, in order.
    pub values: BTreeMap<String, Vec<f64>>,
    /// What went wrong in how many trials.
    pub mishaps: Mishaps,
    /// Of how many.
    pub trials: u64,
    /// How those ended that ended badly, each once.
    pub notes: Vec<String>,
    /// Figures that could not be taken here, each with the reason.
    #[serde(default)]
    pub absent: BTreeMap<String, String>,
}

impl Figures {
    /// Takes down one value.
    pub fn take(&mut self, figure: &str, value: f64) {
        self.values
            .entry(figure.to_owned())
            .or_default()
            .push(value);
    }

    /// Takes down what stands out of what was seen in another round.
    pub fn join(&mut self, other: Figures) {
        for (figure, mut values) in other.values {
            self.values.entry(figure).or_default().append(&mut values);
        }
        self.mishaps.crashed += other.mishaps.crashed;
        self.mishaps.missed += other.mishaps.missed;
        self.mishaps.repeated += other.mishaps.repeated;
        self.mishaps.partial += other.mishaps.partial;
        self.trials += other.trials;
        self.absent.extend(other.absent);
        other.notes.into_iter().for_each(|note| self.note(note));
    }

    /// Takes down why a trial ended badly.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The median of what was taken under this name.
    pub fn median(&self, figure: &str) -> Option<f64> {
        let mut values = self.values.get(figure)?.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }
}

/// Trials that did not go as they should.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mishaps {
    /// The process died of a signal or a panic, or did not end in its time.
    pub crashed: u64,
    /// The change was never seen.
    pub missed: u64,
    /// One change was taken for several.
    pub repeated: u64,
    /// Bytes that are not the whole change were loaded.
    pub partial: u64,
}
