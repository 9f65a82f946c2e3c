//! `Heard`: what a host made of its builds, by the JSON lines that it writes. Pure.
//!
//! The lines are those of `replug run --json`, which a host in Rust writes, too. Whoever writes them may be killed in the middle
//! of one, and start again behind it: what is no line of this kind means nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use replug::Digest;
use serde_json::Value;

use super::report::{Health, LiveBuild, why};

/// How many builds are remembered that a host has kept out, died of or left.
const MOST: usize = 64;

/// What was heard of a host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// The plugin that is meant, as the lines name it.
    plugin: String,
    /// Whether there was any line about a host.
    is_told: bool,
    live: Option<(Digest, u64, Duration)>,
    kept: BTreeMap<Digest, String>,
    died: BTreeMap<Digest, String>,
    was_live: BTreeSet<Digest>,
}

/// What the host has made of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) health: Health,
    pub(crate) live: Option<LiveBuild>,
    /// For how long it has been live.
    pub(crate) live_for: Duration,
    pub(crate) why: Option<String>,
}

impl Heard {
    pub(crate) fn of_plugin(plugin: String) -> Heard {
        Heard {
            plugin,
            ..Heard::default()
        }
    }

    pub(crate) fn is_of(&self, plugin: &str) -> bool {
        self.plugin == plugin
    }

    /// Takes one line that was read now.
    pub(crate) fn line(&mut self, now: Duration, line: &str) {
        let Ok(Value::Object(line)) = serde_json::from_str(line) else {
            return;
        };
        let text = |field: &str| line.get(field).and_then(Value::as_str);
        let Some(event) = text("event") else { return };
        match event {
            "started" => self.started(),
            // It has gone in good order.
            "stopped" => self.live = None,
            _ if text("plugin") != Some(&self.plugin) => return,
            "loaded" => {
                let digest = text("sha256").and_then(|it| it.parse().ok());
                let generation = line.get("generation").and_then(Value::as_u64);
                if let (Some(digest), Some(generation)) = (digest, generation) {
                    self.kept.remove(&digest);
                    self.live = Some((digest, generation, now));
                    self.was_live.insert(digest);
                }
            }
            "kept" => {
                if let Some(digest) = text("sha256").and_then(|it| it.parse().ok()) {
                    let [step, reason] = ["step", "reason"].map(|it| text(it).unwrap_or("?"));
                    self.kept
                        .insert(digest, why(&format!("at {step}: {reason}")));
                }
            }
            _ => {}
        }
        self.is_told = true;
        self.forget_some();
    }

    /// A host begins. If there was one before, and it had not said that it stops, it ended without a word.
    fn started(&mut self) {
        if let Some((digest, ..)) = self.live.take() {
            let why = "the host ended without a word while it was live, and was started again";
            self.died.insert(digest, why.to_owned());
        }
    }

    /// What a check of the host says: that it is not well, with what is live.
    pub(crate) fn is_unwell(&mut self, reason: &str) {
        if let Some((digest, ..)) = self.live {
            self.died.insert(digest, why(reason));
        }
    }

    /// A build is published again: that the host had left it before is over.
    pub(crate) fn is_published(&mut self, digest: Digest) {
        if self.live.is_none_or(|(live, ..)| live != digest) {
            self.was_live.remove(&digest);
            self.died.remove(&digest);
        }
    }

    fn forget_some(&mut self) {
        while self.kept.len() > MOST {
            self.kept.pop_first();
        }
        while self.died.len() > MOST {
            self.died.pop_first();
        }
        while self.was_live.len() > MOST {
            self.was_live.pop_first();
        }
    }

    /// What the host has made of a build.
    pub(crate) fn made_of(&self, now: Duration, build: Digest) -> Made {
        let live = self
            .live
            .map(|(sha256, generation, _)| LiveBuild { sha256, generation });
        let since = self.live.filter(|(live, ..)| *live == build);
        let live_for = since.map_or(Duration::ZERO, |(.., since)| now.saturating_sub(since));
        let (health, why) = if let Some(why) = self.died.get(&build) {
            (Health::Died, Some(why.clone()))
        } else if since.is_some() {
            (Health::Live, None)
        } else if let Some(why) = self.kept.get(&build) {
            (Health::Kept, Some(why.clone()))
        } else if self.was_live.contains(&build) && live.is_some() {
            let why = "it was live, and the host went to another build by itself";
            (Health::Left, Some(why.to_owned()))
        } else if self.is_told {
            (Health::Waiting, None)
        } else {
            let why = "nobody tells what the host has made of it";
            (Health::Unknown, Some(why.to_owned()))
        };
        Made {
            health,
            live,
            live_for,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NEW: &[u8] = b"new";

    fn loaded(build: &[u8], generation: u64) -> String {
        let sha256 = Digest::of(build).to_string();
        json!({"event": "loaded", "plugin": "rules", "generation": generation, "sha256": sha256})
            .to_string()
    }

    fn kept(build: &[u8]) -> String {
        let sha256 = Digest::of(build).to_string();
        json!({"event": "kept", "plugin": "rules", "sha256": sha256, "step": "init", "reason": "no"})
            .to_string()
    }

    fn event(event: &str) -> String {
        json!({ "event": event }).to_string()
    }

    /// What is made of the new build after these lines, one second apart.
    fn after(lines: &[String]) -> (&'static str, u64) {
        let mut heard = Heard::of_plugin("rules".to_owned());
        let mut now = Duration::ZERO;
        for line in lines {
            heard.line(now, line);
            now += Duration::from_secs(1);
        }
        let made = heard.made_of(now, Digest::of(NEW));
        (made.health.word(), made.live_for.as_secs())
    }

    #[test]
    fn the_lines_of_a_host_say_what_it_made_of_a_build() {
        let (new, old) = (loaded(NEW, 2), loaded(b"old", 1));
        let [started, stopped] = ["started", "stopped"].map(event);
        let result = json!({"event": "result", "plugin": "rules", "value": "x"}).to_string();
        for (lines, health) in [
            (vec![], ("unknown", 0)),
            (vec![started.clone()], ("waiting", 0)),
            (vec![started.clone(), old.clone()], ("waiting", 0)),
            (vec![old.clone(), new.clone()], ("live", 1)),
            (vec![new.clone(), result.clone(), result], ("live", 3)),
            (vec![old.clone(), kept(NEW)], ("kept", 0)),
            (vec![kept(NEW), new.clone()], ("live", 1)),
            (vec![kept(b"other")], ("waiting", 0)),
            (vec![new.clone(), old.clone()], ("left", 0)),
            // Killed, and started again.
            (vec![new.clone(), started.clone()], ("died", 0)),
            (vec![new.clone(), started.clone(), new.clone()], ("died", 1)),
            // Stopped in good order, and started again: the time begins anew.
            (
                vec![new.clone(), stopped, started.clone(), new.clone()],
                ("live", 1),
            ),
            (vec![old, started, new.clone()], ("live", 1)),
            // Half a line of a host that was killed, and what is no line at all.
            (vec![new.clone(), new[..20].to_owned()], ("live", 2)),
            (
                vec!["[1]".to_owned(), "\u{1b}[2J".to_owned()],
                ("unknown", 0),
            ),
            (vec![new.replace("rules", "other")], ("unknown", 0)),
        ] {
            assert_eq!(after(&lines), health, "{lines:?}");
        }
    }

    #[test]
    fn what_is_published_again_is_judged_anew() {
        let mut heard = Heard::of_plugin("rules".to_owned());
        let zero = Duration::ZERO;
        for line in [loaded(NEW, 1), loaded(b"old", 2)] {
            heard.line(zero, &line);
        }
        let new = Digest::of(NEW);
        assert_eq!(heard.made_of(zero, new).health, Health::Left);
        heard.is_published(new);
        assert_eq!(heard.made_of(zero, new).health, Health::Waiting);
    }

    #[test]
    fn a_check_that_fails_speaks_against_what_is_live() {
        let mut heard = Heard::of_plugin("rules".to_owned());
        heard.line(Duration::ZERO, &loaded(NEW, 1));
        heard.is_unwell("it answers nothing");
        let made = heard.made_of(Duration::ZERO, Digest::of(NEW));
        assert_eq!(made.why.as_deref(), Some("it answers nothing"));
        assert!(made.health.is_bad());
    }

    #[test]
    fn a_host_that_writes_without_end_is_remembered_in_bounds() {
        let mut heard = Heard::of_plugin("rules".to_owned());
        for number in 0..1000_u64 {
            let build = number.to_be_bytes();
            heard.line(Duration::ZERO, &kept(&build));
            heard.line(Duration::ZERO, &loaded(&build, number));
            heard.line(Duration::ZERO, &event("started"));
        }
        let count = heard.kept.len() + heard.died.len() + heard.was_live.len();
        assert!(count <= 3 * MOST, "{count}");
    }
}
