//! `replug mirror`: takes the builds that a manifest has for this host out of the storage into a directory that hosts watch, and
//! reports what the host made of them. It carries out what was decided elsewhere.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use replug::shown::{shown, spelled};
use replug::watch::plugin_name;
use replug::{Digest, chain};
use serde_json::{Value, json};

use super::accept::{Seen, accept};
use super::check::Check;
use super::events::Events;
use super::fetch::{digest_of, fetch, object_of};
use super::heard::Heard;
use super::manifest::{Build, Manifest, is_name};
use super::nest::Nest;
use super::refused::Refused;
use super::report::{self, Health, Report};
use super::sealed::{Key, open, verify};
use super::storage::{Storage, StorageError, Version};
use super::trouble::Trouble;
use super::{host_name, keys, misuse_of};
use crate::args;
use crate::output::{Output, absolute};
use crate::publish::publish_exactly;
use crate::stop::Stop;

/// The most bytes of a build's signature.
const MOST_OF_SIGNATURE: u64 = 16 * 1024;

/// How long a report stands without news, so that a host that is gone can be told from one that is quiet.
const HEARTBEAT: Duration = Duration::from_secs(15 * 60);

type Failure = Box<dyn Error>;

/// A mirror between its start and its end.
struct Mirror<'a> {
    args: &'a args::Mirror,
    output: Output,
    started: Instant,
    host: String,
    keys: Vec<Key>,
    storage: Storage,
    nest: Nest,
    /// The manifest that is followed.
    followed: Option<Manifest>,
    /// The version of the object that was looked at last, whether it is followed or not.
    looked_at: Option<Version>,
    /// The build in the directory, and what its file looked like then.
    published: Option<(Digest, Look)>,
    /// A build that was refused as a library: its bytes will not change.
    refused: Option<(Digest, String)>,
    events: Option<Events>,
    heard: Heard,
    check: Option<Check>,
    reported: Option<(Report, Instant)>,
    troubles: Troubles,
    polls: u64,
    publications: u64,
}

/// What fails by itself, one trouble each.
#[derive(Debug, Default)]
struct Troubles {
    manifest: Trouble,
    build: Trouble,
    report: Trouble,
    events: Trouble,
}

/// What a file looks like, as far as that tells that it is another one.
type Look = (u64, Option<std::time::SystemTime>, u64);

/// Why a build is not in the directory.
enum Unpublished {
    /// Its bytes are as they should be, and no host could load them.
    Refused(String),
    /// It may be there next time.
    Trouble(&'static str, String),
    /// The program is to stop.
    Stopped,
}

/// Mirrors until the program is to stop.
pub(crate) fn run(args: &args::Mirror) -> Result<ExitCode, Failure> {
    let stop = Stop::on_signals()?;
    let host = match &args.host {
        Some(host) => host.clone(),
        None => host_name(),
    };
    for name in [Some(&host), args.fleet.as_ref()].into_iter().flatten() {
        is_name(name).map_err(|flaw| misuse_of("mirror", flaw))?;
    }
    let started = Instant::now();
    let nest = Nest::take(&args.dir)?;
    let mut mirror = Mirror {
        output: Output::new(args.json, started),
        started,
        host,
        keys: keys(&args.require_signature)?,
        storage: Storage::open(&args.url, stop.requested().clone())?,
        followed: nest.followed()?,
        nest,
        looked_at: None,
        published: None,
        refused: None,
        events: args.host_events.clone().map(Events::of),
        heard: Heard::default(),
        check: args.check.as_deref().map(Check::by),
        reported: None,
        troubles: Troubles::default(),
        polls: 0,
        publications: 0,
        args,
    };
    mirror.begin()?;
    loop {
        let is_well = mirror.poll()?;
        let pause = mirror.pause();
        if args.once || mirror.storage.waits(pause) {
            mirror.end()?;
            return Ok(match is_well || !args.once {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            });
        }
    }
}

impl Mirror<'_> {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says what is mirrored, and takes up what the mirror before has left.
    fn begin(&mut self) -> Result<(), Failure> {
        let (place, host) = (self.storage.place().to_owned(), self.host.clone());
        let directory = absolute(&self.args.dir);
        let interval_ms = crate::output::millis(self.args.interval());
        let line = json!({
            "event": "mirroring", "url": spelled(&place), "path": spelled(&directory), "host": host, "interval_ms": interval_ms,
        });
        let words = format!(
            "mirroring `{}` to `{}` for the host `{host}`, every {interval_ms} ms",
            shown(&place),
            shown(&self.args.dir)
        );
        self.output.say(line, words)?;
        if let Some(fleet) = &self.args.fleet
            && let Some(followed) = &self.followed
            && *fleet != followed.fleet
        {
            return Err(format!(
                "cannot mirror the fleet `{fleet}` to `{}`: the directory belongs to the fleet `{}`",
                shown(&self.args.dir),
                followed.fleet
            )
            .into());
        }
        if let Some(followed) = self.followed.clone() {
            self.takes_up(&followed);
        }
        Ok(())
    }

    /// Sees what there is for a manifest.
    fn takes_up(&mut self, manifest: &Manifest) {
        self.nest.sweep(manifest);
        let plugin = plugin_name(Path::new(&manifest.name));
        if !self.heard.is_of(&plugin) {
            // What the host said of it until now was of no use then.
            self.events = self.args.host_events.clone().map(Events::of);
            self.heard = Heard::of_plugin(plugin);
        }
    }

    /// One round: looks at the manifest, publishes, and reports. Returns whether all is well.
    fn poll(&mut self) -> Result<bool, Failure> {
        self.polls += 1;
        self.look()?;
        self.hear()?;
        let made = self.bring()?;
        self.report(made)?;
        let troubles = &self.troubles;
        Ok(self.followed.is_some()
            && self.refused.is_none()
            && [&troubles.manifest, &troubles.build, &troubles.report]
                .iter()
                .all(|it| it.word().is_none()))
    }

    /// Looks at the manifest, and follows it if it is newer.
    fn look(&mut self) -> Result<(), Failure> {
        let place = self.storage.place().to_owned();
        match self.storage.manifest(self.looked_at.as_ref()) {
            Ok(None) => {
                // It is still the one that is followed, or still the one that was refused.
                let is_refused = self.troubles.manifest.word().is_some_and(is_refusal);
                if !is_refused && self.troubles.manifest.succeeded() {
                    self.recovered(&place)?;
                }
            }
            Ok(Some((sealed, version))) => {
                self.looked_at = Some(version);
                match self.judge(&sealed) {
                    Ok((manifest, key)) => {
                        if self.troubles.manifest.succeeded() {
                            self.recovered(&place)?;
                        }
                        self.follow(manifest, &key, &sealed)?;
                    }
                    Err(refused) => {
                        if self.troubles.manifest.failed(refused.word()) {
                            self.refuses(&place, &refused)?;
                        }
                    }
                }
            }
            Err(StorageError::Stopped) => {}
            Err(error) => {
                // What was refused may be looked at again.
                self.looked_at = self
                    .looked_at
                    .take()
                    .filter(|_| !self.troubles.manifest.word().is_some_and(is_refusal));
                if self.troubles.manifest.failed(error.word()) {
                    self.degraded(&place, error.word(), &chain(&error))?;
                }
            }
        }
        Ok(())
    }

    /// Whether a manifest is followed, and by which key it is signed.
    fn judge(&self, sealed: &[u8]) -> Result<(Manifest, String), Refused> {
        let opened = open(sealed, &self.keys)?;
        let seen = self.followed.as_ref().map(Seen::of);
        accept(&opened.manifest, self.args.fleet.as_deref(), seen.as_ref())?;
        Ok((opened.manifest, opened.key))
    }

    /// Follows a manifest: first on the disk, so that no mirror after this one follows an older one.
    fn follow(&mut self, manifest: Manifest, key: &str, sealed: &[u8]) -> Result<(), Failure> {
        if self.followed.as_ref() == Some(&manifest) {
            return Ok(());
        }
        self.nest.follow(sealed)?;
        self.takes_up(&manifest);
        self.refused = None;
        let wanted = manifest.wanted(&self.host).map(|it| it.sha256);
        let decided = &manifest.decided;
        let line = json!({
            "event": "followed", "fleet": manifest.fleet, "sequence": manifest.sequence, "sha256": wanted.map(|it| it.to_string()),
            "what": spelled(&decided.what), "by": spelled(&decided.by), "why": decided.why.as_deref().map(spelled), "key": key,
        });
        let words = format!(
            "follows number {} of the fleet `{}`: {} by {}, signed with {key}; for this host {}",
            manifest.sequence,
            manifest.fleet,
            shown(&decided.what),
            shown(&decided.by),
            wanted.map_or("there is no build yet".to_owned(), |it| it
                .short()
                .to_string()),
        );
        self.output.say(line, words)?;
        self.followed = Some(manifest);
        Ok(())
    }

    /// Reads what the host says.
    fn hear(&mut self) -> Result<(), Failure> {
        let now = self.now();
        let (Some(events), Some(_)) = (&mut self.events, &self.followed) else {
            return Ok(());
        };
        let heard = &mut self.heard;
        let path = self.args.host_events.clone().unwrap_or_default();
        let place = spelled(&path).into_owned();
        match events.read(|line| heard.line(now, line)) {
            Ok(()) => {
                if self.troubles.events.succeeded() {
                    self.recovered(&place)?;
                }
            }
            Err(error) => {
                if self.troubles.events.failed("unreadable") {
                    let reason = format!("cannot read the events of the host: {error}");
                    self.degraded(&place, "unreadable", &reason)?;
                }
            }
        }
        Ok(())
    }

    /// Brings the wanted build into the directory, if it is not there. Returns why it is not.
    fn bring(&mut self) -> Result<Option<(Health, String)>, Failure> {
        let Some(manifest) = self.followed.clone() else {
            return Ok(None);
        };
        let Some(build) = manifest.wanted(&self.host) else {
            return Ok(None);
        };
        let place = self.nest.place(&manifest.name);
        if let Some((refused, why)) = &self.refused
            && *refused == build.sha256
        {
            return Ok(Some((Health::Refused, why.clone())));
        }
        self.published = self.published_at(&place);
        let is_there = self.published.is_some_and(|(it, _)| it == build.sha256);
        let brought = match is_there {
            true => Ok(None),
            false => self.publish(&manifest, build, &place).map(Some),
        };
        let object = object_of(build.sha256, &manifest.name);
        match brought {
            Ok(resumed) => {
                if self.troubles.build.succeeded() {
                    self.recovered(&object)?;
                }
                if let Some(had) = resumed {
                    self.says_published(build, &place, had)?;
                }
                Ok(None)
            }
            Err(Unpublished::Stopped) => Ok(None),
            Err(Unpublished::Trouble(word, why)) => {
                if self.troubles.build.failed(word) {
                    self.degraded(&object, word, &why)?;
                }
                Ok(Some((Health::Trouble, why)))
            }
            Err(Unpublished::Refused(why)) => {
                let line = json!({
                    "event": "refused", "path": spelled(&object), "word": "no-library", "sha256": build.sha256.to_string(), "reason": why,
                });
                let words = format!("refuses `{}`: {why}", shown(&object));
                self.output.say(line, words)?;
                self.refused = Some((build.sha256, why.clone()));
                Ok(Some((Health::Refused, why)))
            }
        }
    }

    /// The build that is in the directory. It is read again only if its file looks like another one.
    fn published_at(&self, place: &Path) -> Option<(Digest, Look)> {
        let look = look(place)?;
        match self.published {
            Some((digest, before)) if before == look => Some((digest, look)),
            _ => Some((digest_of(place).ok()?, look)),
        }
    }

    /// Gets a build, and publishes it. Returns how many of its bytes were here from before.
    fn publish(
        &mut self,
        manifest: &Manifest,
        build: &Build,
        place: &Path,
    ) -> Result<u64, Unpublished> {
        let (storage, nest) = (&self.storage, &self.nest);
        let trouble = |word, error: &dyn Error| Unpublished::Trouble(word, chain(error));
        let got = fetch(storage, nest, build, &manifest.name, self.args.max_size);
        let (whole, had) = got.map_err(|error| match error.word() {
            "stopped" => Unpublished::Stopped,
            word => trouble(word, &error),
        })?;
        let signature = match build.signed {
            true => Some(self.signature_of(build, &manifest.name)?),
            false => None,
        };
        let publish = publish_exactly(
            whole.clone(),
            place.to_owned(),
            build.sha256,
            signature.as_deref(),
            &crossbeam_channel::never(),
        );
        if let Err(error) = publish {
            if error.is::<replug::Error>() {
                return Err(Unpublished::Refused(chain(error.as_ref())));
            }
            // Whatever it was, the copy here is not believed any more.
            let removed = fs::remove_file(&whole);
            tracing::debug!(?removed, "the copy of a build that could not be published");
            return Err(trouble("disk", error.as_ref()));
        }
        if signature.is_none() {
            // That of a build before says nothing of this one; a host that asks for one refuses it with or without.
            let mut old = place.as_os_str().to_owned();
            old.push(".minisig");
            let removed = fs::remove_file(PathBuf::from(old));
            tracing::debug!(?removed, "the signature of the build before");
        }
        self.heard.is_published(build.sha256);
        self.publications += 1;
        self.published = look(place).map(|look| (build.sha256, look));
        Ok(had)
    }

    /// The signature of a build, which hosts may ask for: that of one of the keys.
    fn signature_of(&self, build: &Build, name: &str) -> Result<String, Unpublished> {
        let object = object_of(build.sha256, &format!("{name}.minisig"));
        let path = self.storage.beside(&object);
        let content = self.storage.small(&path, MOST_OF_SIGNATURE);
        let content = content.map_err(|error| match error {
            StorageError::Stopped => Unpublished::Stopped,
            error => Unpublished::Trouble(error.word(), chain(&error)),
        })?;
        let refuses = |refused: Refused| {
            let why = format!("the signature `{object}` is not followed: {refused}");
            Unpublished::Trouble(refused.word(), why)
        };
        let text = String::from_utf8(content).map_err(|_| refuses(Refused::Unsigned))?;
        // As `publish` signs it: the digest as `sha256sum` writes it, and the end of the line.
        let signed = format!("{}\n", build.sha256);
        match verify(&self.keys, signed.as_bytes(), &text) {
            Ok(_) => Ok(text),
            Err(refused) => Err(refuses(refused)),
        }
    }

    fn says_published(&self, build: &Build, place: &Path, had: u64) -> Result<(), Failure> {
        let (digest, size) = (build.sha256, build.size);
        let line = json!({
            "event": "mirrored", "path": spelled(&absolute(place)), "size": size, "sha256": digest.to_string(), "had": had,
        });
        let words = format!("{} is published: {digest}, {size} bytes", shown(place));
        Ok(self.output.say(line, words)?)
    }

    /// Writes a report, if there is news.
    fn report(&mut self, unpublished: Option<(Health, String)>) -> Result<(), Failure> {
        let followed = self.followed.clone().or_else(|| self.nothing_yet());
        let Some(manifest) = followed else {
            return Ok(());
        };
        let report = self.report_of(&manifest, unpublished);
        if self.args.no_report || self.storage.waits(Duration::ZERO) {
            return Ok(());
        }
        let bake_s = manifest.rollout.as_ref().map(|it| it.bake_s);
        let is_news = self.reported.as_ref().is_none_or(|(before, when)| {
            let is_baked = |report: &Report| bake_s.is_some_and(|bake_s| report.live_s >= bake_s);
            !report.is_like(before)
                || is_baked(&report) != is_baked(before)
                || when.elapsed() >= HEARTBEAT
        });
        if !is_news {
            return Ok(());
        }
        let name = format!("status/{}/{}.json", manifest.fleet, self.host);
        let path = self.storage.beside(&name);
        match self.storage.put(&path, report.text().into_bytes()) {
            Ok(()) => {
                if self.troubles.report.succeeded() {
                    self.recovered(&name)?;
                }
                let line = json!({
                    "event": "reported", "sequence": report.sequence, "health": report.health.word(), "live_s": report.live_s,
                    "why": report.why.as_deref().map(spelled),
                });
                self.output.only_json(line)?;
                self.reported = Some((report, Instant::now()));
            }
            Err(StorageError::Stopped) => {}
            Err(error) => {
                if self.troubles.report.failed(error.word()) {
                    self.degraded(&name, error.word(), &chain(&error))?;
                }
            }
        }
        Ok(())
    }

    /// What is followed before there is a manifest: a host whose fleet is known can be counted for the first wave.
    fn nothing_yet(&self) -> Option<Manifest> {
        let fleet = self.args.fleet.as_deref()?;
        (self.troubles.manifest.word() == Some("absent")).then(|| Manifest::first(fleet, ""))
    }

    fn report_of(&mut self, manifest: &Manifest, unpublished: Option<(Health, String)>) -> Report {
        let now = self.now();
        let wanted = manifest.wanted(&self.host).map(|it| it.sha256);
        let published = self.published.map(|(digest, _)| digest);
        let rollout = manifest.rollout.as_ref().filter(|it| it.is_under_way());
        let is_new = rollout.map(|it| it.build.sha256) == wanted && wanted.is_some();
        if let (true, Some(check), Some(wanted)) = (is_new, &self.check, wanted)
            && self.heard.made_of(now, wanted).health == Health::Live
            && let Err(why) = check.ask()
        {
            self.heard.is_unwell(&why);
        }
        let made = wanted.map(|wanted| self.heard.made_of(now, wanted));
        let (live, live_s) = made.as_ref().map_or((None, 0), |made| {
            (made.live.clone(), made.live_for.as_secs())
        });
        let (health, why) = match (unpublished, made) {
            (Some((health, why)), _) => (health, Some(report::why(&why))),
            (None, Some(made)) => (made.health, made.why),
            (None, None) => (Health::Waiting, None),
        };
        Report {
            fleet: manifest.fleet.clone(),
            host: self.host.clone(),
            sequence: manifest.sequence,
            wanted,
            published,
            health,
            live,
            live_s,
            why,
        }
    }

    /// When to look again.
    fn pause(&self) -> Duration {
        let pause = |trouble: &Trouble| trouble.pause(self.args.interval(), &self.host, self.polls);
        pause(&self.troubles.manifest).max(pause(&self.troubles.build))
    }

    fn end(&self) -> Result<(), Failure> {
        let (polls, requests) = (self.polls, self.storage.requests());
        let published = self.publications;
        let line = json!({
            "event": "closed", "polls": polls, "requests": requests, "published": published,
        });
        let words = format!("stopped; polls {polls}, requests {requests}, published {published}");
        Ok(self.output.say(line, words)?)
    }

    fn refuses(&self, place: &str, refused: &Refused) -> Result<(), Failure> {
        let reason = refused.to_string();
        let line = json!({
            "event": "refused", "path": spelled(place), "word": refused.word(), "sha256": Value::Null, "reason": reason,
        });
        let words = format!(
            "refuses the manifest `{}`: {reason}; what was followed before goes on",
            shown(place)
        );
        Ok(self.output.say(line, words)?)
    }

    fn degraded(&self, place: &str, word: &str, reason: &str) -> Result<(), Failure> {
        let line = json!({ "event": "degraded", "path": spelled(place), "word": word, "reason": spelled(reason) });
        let words = format!(
            "{word}: {}; it is tried again, and what is published stays",
            shown(reason)
        );
        Ok(self.output.say(line, words)?)
    }

    fn recovered(&self, place: &str) -> Result<(), Failure> {
        let line = json!({ "event": "recovered", "path": spelled(place), "reason": Value::Null });
        let words = format!("`{}` is well again", shown(place));
        Ok(self.output.say(line, words)?)
    }
}

/// Whether a word is that of a manifest which came and was refused.
fn is_refusal(word: &str) -> bool {
    !["unreachable", "absent", "endless", "no-place", "disk"].contains(&word)
}

fn look(path: &Path) -> Option<Look> {
    let metadata = fs::metadata(path).ok().filter(|it| it.is_file())?;
    #[cfg(unix)]
    let file = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let file = 0;
    Some((metadata.len(), metadata.modified().ok(), file))
}
