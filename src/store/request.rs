//! Requests to a host, as a small file in its store: what somebody wants of which builds, and the host's answer. Pure.

use std::path::PathBuf;

use super::history::{History, Past};
use super::lines::{Build, escaped, summed, text_of, unsummed};
use crate::look::digest::Digest;

/// A wish: what somebody wants of a host's builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The kind of wish.
    pub verb: Verb,
    /// The beginning of the build's digest, in hexadecimal digits; without one, the build before the live one, or all that
    /// is not loaded any more.
    pub digest: Option<String>,
    /// The name of the plugin; needed only if the store has builds of several.
    pub plugin: Option<String>,
}

/// The kind of wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// To make another build live, and to leave the one that is.
    Back,
    /// To let a build be loaded again.
    Release,
}

/// What is to be done for a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// To go back to a build, from the one that is live, if any is.
    Back { to: Build, from: Option<Build> },
    /// To release these builds.
    Release(Vec<Build>),
}

/// Why a wish cannot be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoWay {
    /// There is nothing to go back to.
    #[error(
        "there is no build before this one to go back to: none that was live, has a copy in the store, and may be loaded"
    )]
    First,
    /// No build has such a digest.
    #[error(
        "no build in the store has a digest that begins with `{0}`; `replug history` lists them"
    )]
    Unknown(String),
    /// Several builds have such a digest.
    #[error("several builds have a digest that begins with `{0}`; give more of it")]
    Ambiguous(String),
    /// The store has builds of several plugins.
    #[error("the store has builds of several plugins; say which is meant: {0}")]
    WhichPlugin(String),
    /// There is no such plugin.
    #[error("the store has no build of a plugin `{0}`")]
    NoPlugin(String),
    /// The build is live already.
    #[error("{0} is live already")]
    IsLive(String),
    /// The copy has left the store.
    #[error("there is no copy of {0} in the store any more")]
    NoCopy(String),
    /// The build has been kept out, and never was live.
    #[error("{0} was never live")]
    NeverLive(String),
    /// Nothing is kept from being loaded.
    #[error("no build is kept from being loaded: there is nothing to release")]
    NothingLeft,
}

impl Wish {
    /// What is to be done, by what the history says.
    pub(crate) fn plan(&self, history: &History) -> Result<Plan, NoWay> {
        let meant: Vec<_> = self.meant(history)?;
        match self.verb {
            Verb::Back => self.back(history, &meant),
            Verb::Release => {
                let held = |past: &&Past| past.left().is_some() || past.deaths() > 0;
                let held = meant.into_iter().filter(held);
                let held: Vec<_> = held.map(|past| past.build.clone()).collect();
                match held.is_empty() {
                    true => Err(NoWay::NothingLeft),
                    false => Ok(Plan::Release(held)),
                }
            }
        }
    }

    /// The builds that can be meant.
    fn meant<'h>(&self, history: &'h History) -> Result<Vec<&'h Past>, NoWay> {
        let mut all = history.builds();
        if let Some(name) = &self.plugin {
            all.retain(|past| past.plugin() == *name);
            if all.is_empty() {
                return Err(NoWay::NoPlugin(name.clone()));
            }
        }
        if let Some(beginning) = &self.digest {
            let beginning = beginning.to_ascii_lowercase();
            all.retain(|past| past.digest().to_string().starts_with(&beginning));
            if all.is_empty() {
                return Err(NoWay::Unknown(beginning));
            }
            let first = all[0].digest();
            if all.iter().any(|past| past.digest() != first) {
                return Err(NoWay::Ambiguous(beginning));
            }
        }
        Ok(all)
    }

    fn back(&self, history: &History, meant: &[&Past]) -> Result<Plan, NoWay> {
        let mut artifacts: Vec<&PathBuf> = meant.iter().map(|it| &it.build.artifact).collect();
        artifacts.sort();
        artifacts.dedup();
        let artifact = match artifacts[..] {
            [] => return Err(NoWay::First),
            [artifact] => artifact,
            _ => {
                let mut names: Vec<_> = meant.iter().map(|past| past.plugin()).collect();
                names.sort();
                names.dedup();
                return Err(NoWay::WhichPlugin(names.join(", ")));
            }
        };
        let live = history.last_live(artifact);
        let to = match self.digest {
            Some(_) => meant[0],
            None => {
                let before = history.before(artifact, live.map(Past::digest));
                before.ok_or(NoWay::First)?
            }
        };
        let short = to.digest().short().to_string();
        if live.is_some_and(|live| live.build == to.build && live.is_live()) {
            return Err(NoWay::IsLive(short));
        }
        if !to.has_copy() {
            return Err(match to.lives().is_empty() {
                true => NoWay::NeverLive(short),
                false => NoWay::NoCopy(short),
            });
        }
        let from = live.filter(|live| live.build != to.build);
        let from = from.map(|past| past.build.clone());
        let to = to.build.clone();
        Ok(Plan::Back { to, from })
    }
}

impl Plan {
    /// The plan to go back from a build of a library to the one before it, or to that of a digest.
    pub(crate) fn back(
        history: &History,
        artifact: &std::path::Path,
        to: Option<Digest>,
    ) -> Result<Plan, NoWay> {
        let meant = history.builds().into_iter();
        let meant: Vec<_> = meant.filter(|it| it.artifact() == artifact).collect();
        let wish = Wish {
            verb: Verb::Back,
            digest: to.map(|digest| digest.to_string()),
            plugin: None,
        };
        let meant: Vec<_> = match to {
            None => meant,
            Some(to) => meant.into_iter().filter(|it| it.digest() == to).collect(),
        };
        match (to, meant.is_empty()) {
            (Some(to), true) => Err(NoWay::Unknown(to.short().to_string())),
            _ => wish.back(history, &meant),
        }
    }
}

/// A request as its file has it: a wish, and a number by which its answer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) number: u64,
    pub(crate) wish: Wish,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub(crate) number: u64,
    /// Whether what was wished has happened.
    pub is_done: bool,
    /// What has happened, or why not, for a person.
    pub words: String,
}

const NOTHING: &str = "-";

impl Request {
    pub(crate) fn text(&self) -> String {
        let verb = match self.wish.verb {
            Verb::Back => "back",
            Verb::Release => "release",
        };
        let field = |it: &Option<String>| match it {
            Some(text) => format!("={}", escaped(text.as_bytes())),
            None => NOTHING.to_owned(),
        };
        let (digest, plugin) = (field(&self.wish.digest), field(&self.wish.plugin));
        summed(&format!("{}\t{verb}\t{digest}\t{plugin}", self.number))
    }

    /// Reads a request; `None` if it is none, or was cut.
    pub(crate) fn read(text: &[u8]) -> Option<Request> {
        let mut fields = unsummed(text.strip_suffix(b"\n")?)?.split('\t');
        let number = fields.next()?.parse().ok()?;
        let verb = match fields.next()? {
            "back" => Verb::Back,
            "release" => Verb::Release,
            _ => return None,
        };
        let mut field = || match fields.next()? {
            NOTHING => Some(None),
            text => text_of(text.strip_prefix('=')?).map(Some),
        };
        let (digest, plugin) = (field()?, field()?);
        let wish = Wish {
            verb,
            digest,
            plugin,
        };
        Some(Request { number, wish })
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        let is_done = if self.is_done { "done" } else { "not" };
        let words = escaped(self.words.as_bytes());
        summed(&format!("{}\t{is_done}\t{words}", self.number))
    }

    /// Reads an answer; `None` if it is none, or was cut.
    pub(crate) fn read(text: &[u8]) -> Option<Answer> {
        let mut fields = unsummed(text.strip_suffix(b"\n")?)?.split('\t');
        Some(Answer {
            number: fields.next()?.parse().ok()?,
            is_done: fields.next()? == "done",
            words: text_of(fields.next()?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    use std::path::Path;

    use super::super::lines::{Entry, Event, Parts};
    use super::*;

    fn build(path: &str, name: &str) -> Build {
        Build::new(Path::new(path), Digest::of(name.as_bytes()))
    }

    fn history(lives: &[(&str, &str)]) -> History {
        let events = lives.iter().flat_map(|(path, name)| {
            let build = build(path, name);
            let parts = Parts {
                own: build.digest,
                along: Vec::new(),
            };
            let stored = Event::Stored {
                build: build.clone(),
                parts,
            };
            let live = Event::Live {
                build,
                generation: 1,
            };
            [stored, live]
        });
        let entries: Vec<_> = events.map(|event| Entry { at: 0, event }).collect();
        History::of(&entries)
    }

    fn wish(verb: Verb, digest: Option<&str>, plugin: Option<&str>) -> Wish {
        Wish {
            verb,
            digest: digest.map(str::to_owned),
            plugin: plugin.map(str::to_owned),
        }
    }

    #[test]
    fn a_wish_names_a_build_by_the_beginning_of_its_digest_or_means_the_one_before() {
        let history = history(&[("/liba.so", "1"), ("/liba.so", "2"), ("/liba.so", "3")]);
        let one = Digest::of(b"1").to_string();
        let from = Some(build("/liba.so", "3"));
        let back = |digest| wish(Verb::Back, digest, None).plan(&history);
        let to = |name| Plan::Back {
            to: build("/liba.so", name),
            from: from.clone(),
        };
        assert_eq!(back(None), Ok(to("2")));
        assert_eq!(back(Some(&one[..8])), Ok(to("1")));
        let (upper, three) = (one.to_uppercase(), Digest::of(b"3").to_string());
        assert_eq!(back(Some(&upper)), Ok(to("1")));
        assert!(matches!(back(Some(&three)), Err(NoWay::IsLive(_))));
        assert!(matches!(back(Some("xyz")), Err(NoWay::Unknown(_))));
        assert!(matches!(back(Some("")), Err(NoWay::Ambiguous(_))));
        let release = wish(Verb::Release, None, None).plan(&history);
        assert_eq!(release, Err(NoWay::NothingLeft));
    }

    #[test]
    fn of_several_plugins_the_one_that_is_meant_has_to_be_named() {
        let named = |name: &str| format!("/{DLL_PREFIX}{name}{DLL_SUFFIX}");
        let (a, b) = (&*named("a"), &*named("b"));
        let history = history(&[(a, "1"), (a, "2"), (b, "3")]);
        let back = |plugin| wish(Verb::Back, None, plugin).plan(&history);
        assert!(matches!(back(None), Err(NoWay::WhichPlugin(names)) if names == "a, b"));
        assert!(matches!(back(Some("a")), Ok(Plan::Back { to, .. }) if to == build(a, "1")));
        assert_eq!(back(Some("b")), Err(NoWay::First));
        assert!(matches!(back(Some("c")), Err(NoWay::NoPlugin(_))));
    }

    #[test]
    fn requests_and_answers_come_back_as_they_were_written_and_not_if_they_were_cut() {
        let wish = wish(Verb::Back, Some("0a\n"), None);
        let request = Request { number: 7, wish };
        let text = request.text().into_bytes();
        assert_eq!(Request::read(&text), Some(request));
        let answer = Answer {
            number: 7,
            is_done: true,
            words: "one\ttwo\n".to_owned(),
        };
        let said = answer.text().into_bytes();
        assert_eq!(Answer::read(&said), Some(answer));
        for cut in 0..text.len() {
            assert_eq!(Request::read(&text[..cut]), None);
        }
        for cut in 0..said.len() {
            assert_eq!(Answer::read(&said[..cut]), None);
        }
    }
}
