//! `replug back`, `replug release` and `replug history`: a host's store, for people and programs.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use replug::shown::{shown, spelled};
use replug::store::{self, End, Past, Verb, Wish};
use serde_json::{Value, json};

use crate::args::{Asking, History};
use crate::output::Output;

/// Asks the host that keeps a store, and says what has happened.
pub(crate) fn ask(verb: Verb, args: &Asking) -> Result<ExitCode, Box<dyn Error>> {
    let wish = Wish {
        verb,
        digest: args.digest.clone(),
        plugin: args.plugin.clone(),
    };
    let timeout = Duration::from_secs(args.timeout_s);
    let output = Output::new(args.json, Instant::now());
    let answer = store::ask(&args.store, &wish, timeout)?;
    let words = shown(&answer.words).to_string();
    let verb = match verb {
        Verb::Back => "back",
        Verb::Release => "release",
    };
    output.say(
        json!({ "event": "answered", "verb": verb, "done": answer.is_done, "reason": words }),
        words.clone(),
    )?;
    Ok(match answer.is_done {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(crate::FAILED),
    })
}

/// Says what became of each build in a store.
pub(crate) fn history(args: &History) -> Result<ExitCode, Box<dyn Error>> {
    let history = store::history(&args.store)?;
    let has_host = store::is_in_use(&args.store)?;
    let mut builds = history.builds();
    if let Some(name) = &args.plugin {
        builds.retain(|past| past.plugin() == *name);
    }
    let output = Output::new(args.json, Instant::now());
    if args.json {
        for past in builds {
            output.say(line(past, has_host), String::new())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let head = ["PLUGIN", "DIGEST", "SEEN (UTC)", "LIVE", ""].map(str::to_owned);
    let rows = builds.iter().map(|past| row(past, has_host));
    let rows: Vec<_> = [head].into_iter().chain(rows).collect();
    for line in table(&rows) {
        output.say(Value::Null, line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(past: &Past, has_host: bool) -> Value {
    let lives = past.lives().iter().map(|life| {
        let (end, until) = match life.end {
            End::Open => ("open", None),
            End::At(at) => ("at", Some(at)),
            End::Unknown => ("unknown", None),
        };
        json!({
            "generation": life.generation, "from_ms": life.from_ms, "end": end, "until_ms": until,
        })
    });
    let kept = past.kept();
    let kept =
        kept.map(|(step, reason)| json!({ "step": step, "reason": shown(reason).to_string() }));
    let text = |text: Option<&str>| text.map(|text| shown(text).to_string());
    json!({
        "event": "build", "plugin": past.plugin(), "path": spelled(past.artifact()),
        "sha256": past.digest(), "seen_ms": past.seen_ms(), "live": has_host && past.is_live(),
        "lives": lives.collect::<Vec<_>>(), "copy": past.has_copy(), "proven": past.is_proven(),
        "deaths": past.deaths(), "died": text(past.died()), "left": text(past.left().as_deref()),
        "kept": kept,
    })
}

fn row(past: &Past, has_host: bool) -> [String; 5] {
    [
        past.plugin(),
        past.digest().short().to_string(),
        utc(past.seen_ms()),
        live(past),
        state(past, has_host),
    ]
}

/// How often and how long a build was live, as far as is known.
fn live(past: &Past) -> String {
    let lives = past.lives();
    let known = lives.iter().filter_map(|life| match life.end {
        End::At(at) => Some(at.saturating_sub(life.from_ms)),
        End::Open | End::Unknown => None,
    });
    let (times, total): (usize, u64) = (lives.len(), known.sum());
    let more = match lives.iter().any(|it| !matches!(it.end, End::At(_))) {
        true => " and more",
        false => "",
    };
    match times {
        0 => "never".to_owned(),
        times => format!("{times}x, {}{more}", span(total)),
    }
}

fn state(past: &Past, has_host: bool) -> String {
    let mut words = Vec::new();
    if past.is_live() {
        words.push(match has_host {
            true => "live".to_owned(),
            false => "live when its host ended".to_owned(),
        });
    }
    if past.is_proven() {
        words.push("outlived its probation".to_owned());
    }
    match (past.left(), past.died(), past.kept()) {
        (Some(left), ..) => words.push(format!("not loaded: {}", shown(&left))),
        (None, Some(died), _) => words.push(shown(died).to_string()),
        (None, None, Some((step, reason))) => {
            words.push(format!("kept out at {}: {}", shown(step), shown(reason)));
        }
        (None, None, None) => {}
    }
    if !past.lives().is_empty() && !past.has_copy() {
        words.push("no copy any more".to_owned());
    }
    words.join("; ")
}

/// The rows, with columns that are as wide as the widest text in them.
fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

/// A time in milliseconds since 1970, as a date and a time of day: by the algorithm of Howard Hinnant's `civil_from_days`.
fn utc(ms: u64) -> String {
    let (days, seconds) = (ms / 86_400_000, ms / 1000 % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}",
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_and_a_time_of_day() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_767_225_599, "2025-12-31 23:59:59"),
            (4_102_444_800, "2100-01-01 00:00:00"),
        ] {
            assert_eq!(utc(seconds * 1000 + 999), text);
        }
    }

    #[test]
    fn columns_are_as_wide_as_the_widest_text() {
        let rows = [["a", "bb", ""], ["ccc", "d", "e"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), ["a    bb", "ccc  d   e"]);
    }
}
