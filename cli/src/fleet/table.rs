//! The status of a fleet: a table for people, lines for programs.

use std::io;

use replug::shown::{shown, spelled};
use serde_json::{Value, json};

use super::manifest::{Manifest, Rollout};
use super::report::Report;
use super::sealed::Opened;
use super::verdict::Verdict;
use crate::output::Output;

/// Says how a rollout is, and each host.
pub(crate) fn say(
    output: &Output,
    opened: &Opened,
    reports: &[Report],
    verdict: Option<&Verdict>,
) -> io::Result<()> {
    let manifest = &opened.manifest;
    let rollout = manifest.rollout.as_ref();
    let decided = &manifest.decided;
    let (word, reason) = words(verdict);
    let line = json!({
        "event": "rollout", "fleet": manifest.fleet, "name": manifest.name, "sequence": manifest.sequence,
        "stable": manifest.stable.as_ref().map(|it| it.sha256.to_string()), "sha256": rollout.map(|it| it.build.sha256.to_string()),
        "state": rollout.map(|it| it.state.word()), "wave": rollout.map(|it| it.open + 1),
        "waves": rollout.map(|it| it.waves.iter().map(|wave| spelled(&wave.share).into_owned()).collect::<Vec<_>>()),
        "bake_s": rollout.map(|it| it.bake_s), "verdict": word, "reason": spelled(&reason),
        "by": spelled(&decided.by), "what": spelled(&decided.what), "why": decided.why.as_deref().map(spelled), "key": opened.key,
    });
    output.say(line, heading(opened, &reason))?;
    let mut rows = Vec::new();
    for report in reports {
        let wave = rollout.and_then(|it| wave_of(it, &report.host));
        output_json(output, report, wave)?;
        rows.push(row(report, wave));
    }
    if !rows.is_empty() {
        let titles = ["host", "wave", "number", "health", "live", "for", "why"];
        rows.insert(0, titles.map(str::to_owned));
        output.tell(&laid_out(&rows))?;
    }
    Ok(())
}

/// Says what the reports say of the wave that is open.
pub(crate) fn say_verdict(
    output: &Output,
    manifest: &Manifest,
    verdict: Option<&Verdict>,
) -> io::Result<()> {
    let (word, reason) = words(verdict);
    let rollout = manifest.rollout.as_ref();
    let line = json!({
        "event": "verdict", "fleet": manifest.fleet, "sequence": manifest.sequence, "verdict": word, "reason": spelled(&reason),
        "state": rollout.map(|it| it.state.word()), "wave": rollout.map(|it| it.open + 1),
    });
    let wave = rollout.map_or_else(String::new, |it| {
        format!(
            "{}, wave {} of {}: ",
            it.state.word(),
            it.open + 1,
            it.waves.len()
        )
    });
    let words = format!("number {}: {wave}{}", manifest.sequence, shown(&reason));
    output.say(line, words)
}

fn heading(opened: &Opened, reason: &str) -> String {
    let Manifest {
        fleet,
        sequence,
        name,
        stable,
        rollout,
        decided,
        ..
    } = &opened.manifest;
    let stable = stable
        .as_ref()
        .map_or("none".to_owned(), |it| it.sha256.short().to_string());
    let mut words = format!(
        "fleet `{fleet}`, {name}, number {sequence}: {} by {}, signed with {}\n  stable {stable}",
        shown(&decided.what),
        shown(&decided.by),
        opened.key
    );
    if let Some(rollout) = rollout {
        let shares: Vec<_> = rollout
            .waves
            .iter()
            .map(|it| shown(&it.share).to_string())
            .collect();
        words = format!(
            "{words}; rollout of {} is {}, wave {} of {} ({}), bakes {} s\n  {}",
            rollout.build.sha256.short(),
            rollout.state.word(),
            rollout.open + 1,
            rollout.waves.len(),
            shares.join(", "),
            rollout.bake_s,
            shown(reason),
        );
    }
    if let Some(why) = &decided.why {
        words = format!("{words}\n  because: {}", shown(why));
    }
    words
}

/// A verdict as a word, and in words.
fn words(verdict: Option<&Verdict>) -> (&'static str, String) {
    match verdict {
        None => ("none", "no rollout is under way".to_owned()),
        Some(Verdict::Well) => ("well", "each host of the open waves is well".to_owned()),
        Some(Verdict::Early(early)) => ("early", early.to_string()),
        Some(Verdict::Bad { host, why }) => ("bad", format!("{host}: {why}")),
    }
}

/// The first wave that has a host, from 1.
fn wave_of(rollout: &Rollout, host: &str) -> Option<usize> {
    let first = rollout
        .waves
        .iter()
        .position(|it| it.has(&rollout.id, host));
    first.map(|it| it + 1)
}

fn output_json(output: &Output, report: &Report, wave: Option<usize>) -> io::Result<()> {
    let live = report.live.as_ref();
    let line = json!({
        "event": "host", "host": report.host, "wave": wave, "sequence": report.sequence, "health": report.health.word(),
        "wanted": report.wanted.map(|it| it.to_string()), "published": report.published.map(|it| it.to_string()),
        "live": live.map(|it| it.sha256.to_string()), "generation": live.map(|it| it.generation), "live_s": report.live_s,
        "why": report.why.as_deref().map_or(Value::Null, |it| spelled(it).into()),
    });
    output.only_json(line)
}

fn row(report: &Report, wave: Option<usize>) -> [String; 7] {
    let none = || "-".to_owned();
    [
        report.host.clone(),
        wave.map_or_else(none, |it| it.to_string()),
        report.sequence.to_string(),
        report.health.word().to_owned(),
        report.live.as_ref().map_or_else(none, |it| {
            format!("{} ({})", it.sha256.short(), it.generation)
        }),
        format!("{} s", report.live_s),
        report
            .why
            .as_deref()
            .map_or_else(String::new, |it| shown(it).to_string()),
    ]
}

/// Rows with their columns one below the other.
fn laid_out(rows: &[[String; 7]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().enumerate();
        let cells = cells
            .map(|(column, cell)| format!("{cell:width$}", width = width(column).unwrap_or(0)));
        let line: Vec<String> = cells.collect();
        format!("  {}", line.join("  ").trim_end())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_one_below_the_other() {
        let row = |cells: [&str; 7]| cells.map(str::to_owned);
        let rows = [
            row(["host", "w", "n", "h", "l", "f", "why"]),
            row(["h1000", "1", "2", "3", "4", "5", ""]),
        ];
        assert_eq!(
            laid_out(&rows),
            "  host   w  n  h  l  f  why\n  h1000  1  2  3  4  5"
        );
    }
}
