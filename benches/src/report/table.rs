//! The table, as Markdown: first what was promised, beside the limit and the best peer; then each row with all tools.

use std::fmt::Write;

use crate::row::{Column, Figures, Row, Target};
use crate::rows;
use crate::run::Results;

/// Tools that are no peers: what is physically possible, ourselves, and who waits for events instead of polling.
const NO_PEERS: [&str; 3] = ["limit", "replug", "inotify"];

/// All of it.
pub fn of(results: &Results) -> String {
    let rows = || {
        rows::ALL
            .iter()
            .copied()
            .filter(|row| results.0.contains_key(row.name()))
    };
    let mut text = String::from(
        "| what | limit | best peer | target | replug | met |\n|---|--:|--:|--:|--:|---|\n",
    );
    rows().for_each(|row| promises(&mut text, row, results));
    for row in rows() {
        details(&mut text, row, results);
    }
    text
}

/// One that was left at an interval a hundred times as long as ours is none either.
fn is_peer(tool: &str) -> bool {
    !NO_PEERS.iter().any(|other| tool.starts_with(other)) && !tool.ends_with("apart")
}

/// A line for each figure of which something was promised.
fn promises(text: &mut String, row: &dyn Row, results: &Results) {
    let [limit, replug, ..] = row.tools() else {
        return;
    };
    let mut line = |what: &str, cells: [String; 4], met: Option<&str>| {
        let met = met.unwrap_or("");
        writeln!(text, "| {what} | {} | {met} |", cells.join(" | ")).expect("text grows");
    };
    for column in row.columns() {
        let of = |tool: &str| results.of(row.name(), tool)?.median(column.figure);
        let target = target(column, of(limit), results);
        if matches!(column.target, Target::None) {
            continue;
        }
        let met = of(replug)
            .zip(target)
            .map(|(ours, most)| verdict(shown(ours) <= shown(most)));
        let absent = || results.of(row.name(), replug)?.absent.get(column.figure);
        let met = met.or_else(|| absent().map(String::as_str));
        let what = format!("{}: {}", row.title(), column.title);
        let cells = [
            number(of(limit)),
            best(row, &of),
            number(target),
            number(of(replug)),
        ];
        line(&what, cells, met);
    }
    let wrong = |tool: &str| {
        let figures = results.of(row.name(), tool)?;
        Some((mishaps(figures).iter().sum::<u64>(), figures.trials))
    };
    let is_all = row
        .columns()
        .iter()
        .all(|column| matches!(column.target, Target::None));
    let ours = wrong(replug).map(|(wrong, _)| wrong);
    if is_all || ours != Some(0) {
        let said = |tool: &str| {
            wrong(tool).map_or_else(String::new, |(wrong, of)| format!("{wrong} of {of}"))
        };
        let fewest = row
            .tools()
            .iter()
            .filter(|tool| is_peer(tool))
            .min_by_key(|tool| wrong(tool));
        let best = fewest.map_or_else(String::new, |tool| format!("{} ({tool})", said(tool)));
        let cells = [said(limit), best, "0".into(), said(replug)];
        line(
            &format!("{}: went wrong", row.title()),
            cells,
            ours.map(|wrong| verdict(wrong == 0)),
        );
    }
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "yes" } else { "**no**" }
}

/// What the target comes to in this run.
fn target(column: &Column, limit: Option<f64>, results: &Results) -> Option<f64> {
    match column.target {
        Target::None => None,
        Target::AtMost(most) => Some(most),
        Target::TimesLimit(times) => Some(times * limit?),
        Target::BesidesLimit(more) => Some(limit? + more),
        Target::TimesRow(times, row) => {
            let [_, replug, ..] = rows::called(row)?.tools() else {
                return None;
            };
            Some(times * results.of(row, replug)?.median(column.figure)?)
        }
    }
}

/// As exactly as the table shows it: that one poll more fell into a minute breaks no promise.
fn shown(value: f64) -> f64 {
    (value * 100.0).round()
}

/// The least of what peers need, and whose it is.
fn best(row: &dyn Row, of: &dyn Fn(&str) -> Option<f64>) -> String {
    let peers = row.tools().iter().filter(|tool| is_peer(tool));
    let known = peers.filter_map(|tool| Some((of(tool)?, tool)));
    // To load what is still being written is no merit.
    let known = known.filter(|(value, _)| *value >= 0.0);
    let best = known.min_by(|one, other| one.0.total_cmp(&other.0));
    best.map_or_else(String::new, |(value, tool)| {
        format!("{} ({tool})", number(Some(value)))
    })
}

/// All tools of a row.
fn details(text: &mut String, row: &dyn Row, results: &Results) {
    let tools = || {
        row.tools()
            .iter()
            .filter_map(|tool| Some((*tool, results.of(row.name(), tool)?)))
    };
    let has_mishaps =
        row.columns().is_empty() || tools().any(|(_, figures)| mishaps(figures) != [0; 4]);
    let mut titles: Vec<&str> = row.columns().iter().map(|column| column.title).collect();
    if has_mishaps {
        titles.extend(["trials", "crashed", "missed", "repeated", "partial"]);
    }
    let head = titles.join(" | ");
    let rule = "--:|".repeat(titles.len());
    write!(
        text,
        "\n`{}`: {}\n\n| tool | {head} |\n|---|{rule}\n",
        row.name(),
        row.title()
    )
    .expect("text grows");
    for (tool, figures) in tools() {
        let values = row
            .columns()
            .iter()
            .map(|column| cell(figures, column.figure));
        let mut cells: Vec<String> = values.collect();
        if has_mishaps {
            cells.push(figures.trials.to_string());
            cells.extend(mishaps(figures).iter().map(u64::to_string));
        }
        writeln!(text, "| {tool} | {} |", cells.join(" | ")).expect("text grows");
    }
}

/// The median, or why there is none.
fn cell(figures: &Figures, figure: &str) -> String {
    let median = figures.median(figure);
    let absent = figures.absent.get(figure).filter(|_| median.is_none());
    absent.map_or_else(|| number(median), String::clone)
}

fn mishaps(figures: &Figures) -> [u64; 4] {
    let seen = figures.mishaps;
    [seen.crashed, seen.missed, seen.repeated, seen.partial]
}

/// A number with three digits that say something, and with commas between thousands.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else {
        return "-".into();
    };
    if value < 100.0 {
        let decimals = if value < 10.0 { 2 } else { 1 };
        let text = format!("{value:.decimals$}");
        return text.trim_end_matches('0').trim_end_matches('.').into();
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
