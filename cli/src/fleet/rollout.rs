//! `replug rollout`: reads what the mirrors report, and writes the next manifest. What the next one is, is decided elsewhere.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::error::ErrorKind;
use minisign::SecretKey;
use replug::inspect::inspect;
use replug::shown::{shown, spelled};
use replug::{Digest, Options, Trust, chain};
use serde_json::json;

use super::fetch::object_of;
use super::manifest::{Build, Manifest, State, is_library, is_name};
use super::report::{self, Report};
use super::sealed::{Key, Opened, open, seal};
use super::step::{self, By, NoStep};
use super::storage::{Storage, StorageError, Version};
use super::table;
use super::trouble::Trouble;
use super::verdict::{Verdict, judge};
use super::waves::Share;
use super::{host_name, keys, misuse_of};
use crate::args::{Action, Rollout};
use crate::output::Output;
use crate::publish::secret_key;
use crate::stop::Stop;
use crate::stream::Stream;

type Failure = Box<dyn Error>;

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(
        "cannot write `{}`: another one was faster, and that one's decision stands; look at it with `status`, and say again \
         what is to be done",
        shown(.0)
    )]
    Outrun(String),
    #[error("cannot believe `{}`", shown(place))]
    Refused {
        place: String,
        source: super::refused::Refused,
    },
    #[error("there is no manifest `{}` yet; `start DIGEST --fleet NAME` writes the first one", shown(.0))]
    NoManifest(String),
    #[error("cannot take this step")]
    NoStep(#[from] NoStep),
    #[error("there is no build {digest} in the storage; `add FILE` puts one there")]
    NoBuild { digest: Digest },
    #[error("cannot add `{}`: {}", shown(file), shown(why))]
    NotAdded { file: String, why: String },
    #[error(
        "the manifest is of the fleet `{}`, and not of `{}`",
        shown(theirs),
        shown(ours)
    )]
    Foreign { theirs: String, ours: String },
}

/// One who steers.
struct Steerer<'a> {
    args: &'a Rollout,
    output: Output,
    storage: Storage,
    secret: Option<SecretKey>,
    keys: Vec<Key>,
    by: String,
    /// The reports that were read, with the version of each.
    reports: BTreeMap<String, (Option<String>, Option<Report>)>,
}

/// Does what was asked for.
pub(crate) fn run(args: &Rollout) -> Result<ExitCode, Failure> {
    let misuse = |words: String| misuse_of("rollout", words);
    let subject = match (args.action.subject(), &args.subject) {
        (Some(what), None) => return Err(misuse(format!("this needs {what}")).into()),
        (None, Some(_)) => return Err(misuse("this needs nothing more".to_owned()).into()),
        (_, subject) => subject.as_deref().unwrap_or_default(),
    };
    let wants_key = !matches!(args.action, Action::Status | Action::Forget | Action::Add);
    if wants_key && args.sign.is_none() {
        return Err(crate::args::misuse(
            "rollout",
            ErrorKind::MissingRequiredArgument,
            "whoever decides signs: `--sign KEYFILE` is missing",
        )
        .into());
    }
    let shares = args.waves.iter().map(|it| it.parse::<Share>());
    let shares: Vec<Share> = shares.collect::<Result<_, _>>().map_err(misuse)?;
    if let Some(fleet) = &args.fleet {
        is_name(fleet).map_err(misuse)?;
    }
    let stop = Stop::on_signals()?;
    let secret = args.sign.as_deref().map(secret_key).transpose()?;
    let mut keys = keys(&args.require_signature)?;
    if let (true, Some(secret)) = (keys.is_empty(), &secret) {
        let public = minisign::PublicKey::from_secret_key(secret)?;
        keys.push(public.to_base64().parse()?);
    }
    let wants_keys = !matches!(args.action, Action::Forget | Action::Add);
    if wants_keys && keys.is_empty() {
        return Err(misuse("`--require-signature KEY` says whom to believe".to_owned()).into());
    }
    let mut steerer = Steerer {
        output: Output::new(args.json, Instant::now()),
        storage: Storage::open(&args.manifest, stop.requested().clone())?,
        secret,
        keys,
        by: args.by.clone().unwrap_or_else(who),
        reports: BTreeMap::new(),
        args,
    };
    match args.action {
        Action::Add => steerer.add(Path::new(subject)),
        Action::Start => {
            let digest = subject.parse::<Digest>();
            let digest =
                digest.map_err(|error| misuse(format!("`{}`: {error}", shown(subject))))?;
            steerer.start(digest, &shares)
        }
        Action::Status => steerer.status(),
        Action::Drive => steerer.drive(false),
        Action::Hold => steerer.decides(|_, manifest, by, _| step::hold(manifest, by)),
        Action::Promote => {
            steerer.decides(|_, manifest, by, verdict| step::promote(manifest, verdict, by))
        }
        Action::Back => steerer.decides(|_, manifest, by, _| step::back(manifest, by, None)),
        Action::Forget => {
            is_name(subject).map_err(misuse)?;
            steerer.forget(subject)
        }
    }
}

/// This user, and this machine.
fn who() -> String {
    let names = ["USER", "LOGNAME", "USERNAME"].iter();
    let user = names.filter_map(|it| std::env::var(it).ok()).next();
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    spelled(&format!("{user}@{}", host_name())).into_owned()
}

impl Steerer<'_> {
    /// The manifest, and its version; `None` if there is none yet.
    fn manifest(&self) -> Result<Option<(Opened, Version)>, Failure> {
        let (sealed, version) = match self.storage.manifest(None) {
            Ok(Some(found)) => found,
            Ok(None) | Err(StorageError::Absent(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let opened = open(&sealed, &self.keys).map_err(|source| NotTaken::Refused {
            place: self.storage.place().to_owned(),
            source,
        })?;
        match &self.args.fleet {
            Some(ours) if *ours != opened.manifest.fleet => Err(NotTaken::Foreign {
                theirs: opened.manifest.fleet,
                ours: ours.clone(),
            }
            .into()),
            _ => Ok(Some((opened, version))),
        }
    }

    fn the_manifest(&self) -> Result<(Opened, Version), Failure> {
        let none = || NotTaken::NoManifest(self.storage.place().to_owned()).into();
        self.manifest()?.ok_or_else(none)
    }

    /// The reports of a fleet. Only those that were written since are read again.
    fn reports(&mut self, fleet: &str) -> Result<Vec<Report>, StorageError> {
        let below = self.storage.beside(&format!("status/{fleet}"));
        let listed = self.storage.list(&below)?;
        let mut known = std::mem::take(&mut self.reports);
        let mut ahead = Vec::new();
        for meta in listed {
            // A storage that names no versions has its reports read each time.
            let is_known = known
                .get(meta.location.as_ref())
                .is_some_and(|(version, _)| version.is_some() && *version == meta.e_tag);
            match known.remove(meta.location.as_ref()) {
                Some(report) if is_known => {
                    self.reports.insert(meta.location.to_string(), report);
                }
                _ => ahead.push((meta.location, meta.e_tag)),
            }
        }
        let paths: Vec<_> = ahead.iter().map(|(path, _)| path.clone()).collect();
        if !paths.is_empty() {
            let texts = self.storage.many(&paths, report::MOST)?;
            for ((path, version), text) in ahead.into_iter().zip(texts) {
                let report = text.as_deref().and_then(Report::parse);
                // Whoever writes it under another host's name is not believed.
                let is_own = |report: &Report| {
                    path.filename() == Some(&format!("{}.json", report.host))
                        && is_name(&report.host).is_ok()
                };
                let report = report.filter(is_own);
                self.reports.insert(path.to_string(), (version, report));
            }
        }
        let reports = self.reports.values().filter_map(|(_, it)| it.clone());
        Ok(reports.filter(|it| it.fleet == fleet).collect())
    }

    /// Writes a manifest in place of that of a version. Who was not the first is told so.
    fn write(&self, manifest: &Manifest, version: Option<&Version>) -> Result<(), Failure> {
        let secret = self.secret.as_ref().expect("it was asked for");
        let sealed = seal(manifest, secret)?;
        match self.storage.put_manifest(&sealed, version) {
            Ok(()) => {}
            // An answer that was lost on the way looks like this, too: it is ours all the same.
            Err(error) => match self.storage.manifest(None) {
                Ok(Some((there, _))) if there == sealed.as_bytes() => {}
                _ if matches!(error, StorageError::Outrun(_)) => {
                    return Err(NotTaken::Outrun(self.storage.place().to_owned()).into());
                }
                _ => return Err(error.into()),
            },
        }
        self.audit(manifest)?;
        Ok(())
    }

    /// The line for each decision: who, what, which build, which signature.
    fn audit(&self, manifest: &Manifest) -> Result<(), Failure> {
        let decided = &manifest.decided;
        let digest = manifest.rollout.as_ref().map(|it| it.build.sha256);
        let key = self
            .keys
            .first()
            .map(|it| it.id.clone())
            .unwrap_or_default();
        let secret = self.secret.as_ref().map(|it| it.keynum().iter().rev());
        let key = secret.map_or(key, |it| it.map(|byte| format!("{byte:02X}")).collect());
        let (state, wave) = manifest
            .rollout
            .as_ref()
            .map_or(("", 0), |it| (it.state.word(), it.open + 1));
        let line = json!({
            "event": "decided", "by": spelled(&decided.by), "what": decided.what, "why": decided.why.as_deref().map(spelled), "fleet": manifest.fleet,
            "sequence": manifest.sequence, "sha256": digest.map(|it| it.to_string()), "key": key, "state": state, "wave": wave,
        });
        let mut words = format!(
            "{}: {} decided number {} of the fleet `{}`: {}, signed with {key}",
            decided.what,
            shown(&decided.by),
            manifest.sequence,
            manifest.fleet,
            digest.map_or("no build".to_owned(), |it| it.to_string()),
        );
        if let Some(why) = &decided.why {
            words = format!("{words}; {}", shown(why));
        }
        if self.args.json {
            return Ok(self.output.say(line, words)?);
        }
        // Apart from what is asked for, so that it can be kept.
        Ok(Stream::Err.write_all(format!("{words}\n").as_bytes())?)
    }

    /// Reads, decides, and writes, once.
    fn decides(
        &mut self,
        step: impl Fn(&Self, &Manifest, By<'_>, Option<&Verdict>) -> Result<Manifest, NoStep>,
    ) -> Result<ExitCode, Failure> {
        let (opened, version) = self.the_manifest()?;
        let reports = self.reports(&opened.manifest.fleet)?;
        let verdict = judge(&opened.manifest, &reports);
        let next = step(self, &opened.manifest, By(&self.by), verdict.as_ref());
        let next = next.map_err(NotTaken::from)?;
        self.write(&next, Some(&version))?;
        if next.decided.what == "back" && next.stable.is_none() {
            self.output.tell(
                "there is no stable build: hosts that have this one keep it until another one is started",
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Begins a rollout of a build that is in the storage.
    fn start(&mut self, digest: Digest, shares: &[Share]) -> Result<ExitCode, Failure> {
        let found = self.manifest()?;
        let (name, build) = self.build(digest)?;
        let (manifest, version) = match found {
            Some((opened, version)) => (opened.manifest, Some(version)),
            None => {
                let fleet = self.args.fleet.as_deref().ok_or_else(|| {
                    misuse_of(
                        "rollout",
                        "the first rollout of a fleet needs `--fleet NAME`".to_owned(),
                    )
                })?;
                (Manifest::first(fleet, &name), None)
            }
        };
        if manifest.name != name {
            let why = format!(
                "the library of this fleet is `{}`, and that of this build `{name}`",
                manifest.name
            );
            return Err(NotTaken::NotAdded { file: name, why }.into());
        }
        let reports = self.reports(&manifest.fleet)?;
        let hosts: Vec<&str> = reports.iter().map(|it| it.host.as_str()).collect();
        let bake_s = self.args.bake.as_secs();
        let by = By(&self.by);
        let next = step::start(&manifest, build, shares, bake_s, &hosts, by);
        self.write(&next.map_err(NotTaken::from)?, version.as_ref())?;
        Ok(ExitCode::SUCCESS)
    }

    /// A build as it is in the storage, and the name of its library.
    fn build(&self, digest: Digest) -> Result<(String, Build), Failure> {
        let listed = self
            .storage
            .list(&self.storage.beside(&format!("builds/{digest}")))?;
        let names = listed
            .iter()
            .map(|it| it.location.filename().unwrap_or_default());
        let names: Vec<&str> = names.collect();
        let library = listed.iter().find(|it| {
            let name = it.location.filename().unwrap_or_default();
            is_library(name).is_ok() && !name.ends_with(".minisig")
        });
        let library = library.ok_or(NotTaken::NoBuild { digest })?;
        let name = library.location.filename().unwrap_or_default().to_owned();
        let signed = names.contains(&format!("{name}.minisig").as_str());
        let (sha256, size) = (digest, library.size);
        Ok((
            name,
            Build {
                sha256,
                size,
                signed,
            },
        ))
    }

    /// Puts a library into the storage, and its signature first. What is there under its digest stays as it is.
    fn add(&mut self, file: &Path) -> Result<ExitCode, Failure> {
        let not_added = |why: String| NotTaken::NotAdded {
            file: spelled(file).into_owned(),
            why,
        };
        let name = file.file_name().and_then(|it| it.to_str());
        let name = name.unwrap_or_default().to_owned();
        is_library(&name).map_err(not_added)?;
        // As `publish` looks at it: what no host would load is nothing for a fleet.
        let seen = inspect(&Options::new(file).trust(Trust::Off))?;
        seen.verdict?;
        let content = fs::read(file).map_err(|error| not_added(error.to_string()))?;
        let digest = Digest::of(&content);
        let size = content.len();
        if let Some(secret) = &self.secret {
            let signed = format!("{digest}\n");
            let signature = minisign::sign(None, secret, signed.as_bytes(), Some(&name), None)?;
            let path = self
                .storage
                .beside(&object_of(digest, &format!("{name}.minisig")));
            self.storage
                .put(&path, signature.into_string().into_bytes())?;
        }
        let path = self.storage.beside(&object_of(digest, &name));
        let was_there = self.create(&path, content)?;
        let signed = self.secret.is_some();
        let line = json!({
            "event": "added", "changed": !was_there, "path": spelled(path.as_ref()), "size": size, "sha256": digest.to_string(), "signed": signed,
        });
        let how = match (was_there, signed) {
            (true, _) => "was there already",
            (false, true) => "is there, signed",
            (false, false) => "is there",
        };
        self.output.say(
            line,
            format!("{} {how}: {digest}, {size} bytes", shown(&name)),
        )?;
        Ok(ExitCode::SUCCESS)
    }

    /// Writes an object where none is, as far as the storage can do that.
    fn create(
        &self,
        path: &object_store::path::Path,
        content: Vec<u8>,
    ) -> Result<bool, StorageError> {
        match self.storage.create(path, content.clone()) {
            // A plain server knows no conditions. What it has under a digest can only be that build.
            Err(StorageError::Unreachable { why, .. }) if why.contains("not yet implemented") => {
                self.storage.put(path, content).map(|()| false)
            }
            done => done,
        }
    }

    fn forget(&mut self, host: &str) -> Result<ExitCode, Failure> {
        let fleet = match &self.args.fleet {
            Some(fleet) => fleet.clone(),
            None if self.keys.is_empty() => {
                return Err(
                    misuse_of("rollout", "`--fleet NAME` says of which fleet".to_owned()).into(),
                );
            }
            None => self.the_manifest()?.0.manifest.fleet,
        };
        let path = self.storage.beside(&format!("status/{fleet}/{host}.json"));
        self.storage.remove(&path)?;
        let line = json!({ "event": "forgotten", "fleet": fleet, "host": host });
        let words = format!(
            "what `{host}` has reported is forgotten; its mirror reports again when it has news"
        );
        self.output.say(line, words)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Says how it is, once or on and on.
    fn status(&mut self) -> Result<ExitCode, Failure> {
        if self.args.watch {
            return self.drive(true);
        }
        let (opened, _) = self.the_manifest()?;
        let reports = self.reports(&opened.manifest.fleet)?;
        let verdict = judge(&opened.manifest, &reports);
        table::say(&self.output, &opened, &reports, verdict.as_ref())?;
        Ok(ExitCode::SUCCESS)
    }

    /// Goes on with the rollout until it has come to its end, or only looks at it if there is no key. A storage that does not
    /// answer is asked again.
    fn drive(&mut self, says_status: bool) -> Result<ExitCode, Failure> {
        let (mut trouble, mut said, mut polls) = (Trouble::default(), None, 0);
        loop {
            polls += 1;
            match self.drive_once(says_status, &mut said) {
                Ok(Some(code)) => return Ok(code),
                Ok(None) => {
                    if trouble.succeeded() {
                        let place = self.storage.place();
                        let line = json!({ "event": "recovered", "path": spelled(place) });
                        self.output
                            .say(line, format!("`{}` is well again", shown(place)))?;
                    }
                }
                Err(error) => {
                    let Some(failed) = error.downcast_ref::<StorageError>() else {
                        return Err(error);
                    };
                    if !matches!(failed, StorageError::Stopped) && trouble.failed(failed.word()) {
                        let (place, word) = (self.storage.place(), failed.word());
                        let reason = chain(failed);
                        let line = json!({ "event": "degraded", "path": spelled(place), "word": word, "reason": spelled(&reason) });
                        self.output.say(
                            line,
                            format!("{word}: {}; it is tried again", shown(&reason)),
                        )?;
                    }
                }
            }
            let pause = trouble.pause(self.args.interval(), &self.by, polls);
            if self.storage.waits(pause.max(Duration::from_millis(1))) {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    fn drive_once(
        &mut self,
        says_status: bool,
        said: &mut Option<(u64, Option<Verdict>)>,
    ) -> Result<Option<ExitCode>, Failure> {
        let (opened, version) = self.the_manifest()?;
        let manifest = &opened.manifest;
        let reports = self.reports(&manifest.fleet)?;
        let verdict = judge(manifest, &reports);
        let news = (manifest.sequence, verdict.clone());
        if said.as_ref() != Some(&news) {
            match says_status {
                true => table::say(&self.output, &opened, &reports, verdict.as_ref())?,
                false => table::say_verdict(&self.output, manifest, verdict.as_ref())?,
            }
            *said = Some(news);
        }
        let Some(verdict) = verdict else {
            let state = manifest.rollout.as_ref().map(|it| it.state);
            return Ok(Some(match state {
                Some(State::Back) => ExitCode::FAILURE,
                _ => ExitCode::SUCCESS,
            }));
        };
        if self.secret.is_none() {
            return Ok(None);
        }
        let Some(next) = step::next(manifest, &verdict, By(&self.by)) else {
            return Ok(None);
        };
        match self.write(&next.map_err(NotTaken::from)?, Some(&version)) {
            // Another one went on: that is read next.
            Err(error) if matches!(error.downcast_ref(), Some(NotTaken::Outrun(_))) => {
                let line = json!({ "event": "outrun", "sequence": manifest.sequence + 1 });
                let words = format!("another one decided number {} first", manifest.sequence + 1);
                self.output.say(line, words)?;
                Ok(None)
            }
            done => done.map(|()| None),
        }
    }
}
