//! `replug inspect`: says what a library is, and whether it would be loaded. Nothing of it runs.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use replug::error::Mismatch;
use replug::inspect::{Declared, Exported, Found, Inspection, Needed, ThreadLocals, inspect};
use replug::shown::{shown, spelled};
use replug::{Options, chain};
use serde_json::{Value, json};

use crate::args::{Build, Inspect};
use crate::build;
use crate::output::{Output, absolute};
use crate::stop::Stop;

/// How many names of a long list people get to see. JSON has all.
const NAMED: usize = 24;

/// Every error by which there is nothing to say of the library.
type Failure = Box<dyn Error>;

/// The reason why two libraries cannot be compared.
#[derive(Debug, thiserror::Error)]
enum Incomparable {
    #[error(
        "cannot compare with `{}`: it carries no declaration; build it with `export!` of replug-plugin",
        shown(.0)
    )]
    Undeclared(PathBuf),
    #[error("cannot compare with `{}`", shown(path))]
    Unfit { path: PathBuf, source: Mismatch },
}

/// The comparison with another library: its path, and the differences in words.
struct Compared {
    against: PathBuf,
    verdict: Result<(), Mismatch>,
}

/// Looks at the library, and says what is known. A failure if the library would be kept out.
pub(crate) fn run(args: &Inspect) -> Result<ExitCode, Failure> {
    let output = Output::new(args.json, Instant::now());
    let seen = match inspect(&args.options(args.file.clone())) {
        Err(error) if args.json => {
            output.say(unread_line(&args.file, &error), String::new())?;
            return Err(error.into());
        }
        seen => seen?,
    };
    let Some(compared) = compare(args, &seen)? else {
        return Ok(ExitCode::FAILURE);
    };
    let is_good = seen.verdict.is_ok() && compared.as_ref().is_none_or(|it| it.verdict.is_ok());
    let said = output.say(
        line(&seen, compared.as_ref()),
        words(&seen, compared.as_ref()),
    );
    match said {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(match is_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Compares with another library, if there is one to compare with. `None` in the place of all if the user stopped its build.
fn compare(args: &Inspect, seen: &Inspection) -> Result<Option<Option<Compared>>, Failure> {
    let against = match (&args.against, &args.against_package) {
        (Some(path), _) => path.clone(),
        (None, Some(package)) => {
            let stop = Stop::on_signals()?;
            match build::build(package, &Build::default(), stop.requested())? {
                Some(path) => path,
                None => return Ok(None),
            }
        }
        (None, None) => return Ok(Some(None)),
    };
    let host = declared_by(args, &against)?;
    let verdict = match &seen.declared {
        Some(Ok(plugin)) => plugin.compare(&host),
        Some(Err(mismatch)) => Err(mismatch.clone()),
        None => Err(Mismatch::NoHandshake),
    };
    Ok(Some(Some(Compared { against, verdict })))
}

/// The declaration of a library that stands for the host.
fn declared_by(args: &Inspect, path: &Path) -> Result<Declared, Failure> {
    let options: Options = args.options(path.to_owned());
    // Nobody calls it here.
    let host = inspect(&options.or_declared(true))?;
    match host.declared {
        Some(Ok(declared)) => Ok(declared),
        Some(Err(source)) => Err(Incomparable::Unfit {
            path: path.to_owned(),
            source,
        }
        .into()),
        None => Err(host.verdict.err().map_or_else(
            || Incomparable::Undeclared(path.to_owned()).into(),
            Failure::from,
        )),
    }
}

/// The JSON line.
fn line(seen: &Inspection, compared: Option<&Compared>) -> Value {
    let reason = seen.verdict.as_ref().err().map(|error| chain(error));
    let step = seen.verdict.as_ref().err().map(|it| it.step().to_string());
    let mut line = json!({
        "event": "inspected", "path": spelled(&absolute(&seen.path)), "size": seen.size,
        "sha256": seen.digest.map(|digest| digest.to_string()),
        "format": seen.format, "machine": seen.machine, "soname": seen.soname,
        "loads": seen.verdict.is_ok(), "step": step, "reason": reason,
        "declaration": seen.declared.as_ref().map(|it| declaration_line(it.as_ref())),
        "thread_locals": word_for(seen.thread_locals),
        "unloads": seen.mapped.is_none(),
        "mapped": seen.mapped.as_ref().map(ToString::to_string),
        "unique": names(seen.exports.iter().filter(|it| it.is_unique)),
        "needed": seen.needed.iter().map(needed_line).collect::<Vec<_>>(),
        "search": seen.search.as_ref().map(|(entry, path)| json!({ "entry": entry, "path": path })),
        "exported": seen.exported,
        "functions": names(seen.exports.iter().filter(|it| it.is_function)),
        "data": names(seen.exports.iter().filter(|it| !it.is_function)),
        "warnings": seen.warnings.iter()
            .map(|it| json!({ "about": it.about(), "reason": it.to_string() }))
            .collect::<Vec<_>>(),
    });
    if let Some(Compared { against, verdict }) = compared {
        line["against"] = json!({
            "path": spelled(&absolute(against)), "equal": verdict.is_ok(),
            "reason": verdict.as_ref().err().map(|it| shown(&it.to_string()).to_string()),
        });
    }
    line
}

/// The line of a file of which nothing was read.
fn unread_line(file: &Path, error: &replug::Error) -> Value {
    json!({
        "event": "inspected", "path": spelled(&absolute(file)), "loads": false,
        "step": error.step().to_string(), "reason": chain(error),
    })
}

fn declaration_line(declared: Result<&Declared, &Mismatch>) -> Value {
    match declared {
        Ok(declared) => json!({
            "interface": declared.interface(), "level": declared.level().to_string(),
            "compiler": declared.compiler(), "replug_plugin": declared.made_with(),
            "functions": declared.functions(), "types": declared.types(),
        }),
        Err(mismatch) => json!({ "reason": shown(&mismatch.to_string()).to_string() }),
    }
}

fn needed_line(needed: &Needed) -> Value {
    let (place, path) = place_of(&needed.found);
    json!({ "name": needed.name, "by": needed.by, "found": place, "path": path.map(|it| spelled(it)) })
}

/// The word for where a library is found, and its path.
fn place_of(found: &Found) -> (&'static str, Option<&PathBuf>) {
    match found {
        Found::InProcess => ("process", None),
        Found::Beside(path) => ("beside", Some(path)),
        Found::System(path) => ("system", Some(path)),
        Found::Nowhere => ("nowhere", None),
        _ => ("unknown", None),
    }
}

fn word_for(thread_locals: ThreadLocals) -> &'static str {
    match thread_locals {
        ThreadLocals::Absent => "none",
        ThreadLocals::Dynamic => "dynamic",
        ThreadLocals::Static => "static",
    }
}

fn names<'a>(exports: impl Iterator<Item = &'a Exported>) -> Vec<&'a str> {
    exports.map(|it| it.name.as_str()).collect()
}

/// The same for people, a fact a line.
fn words(seen: &Inspection, compared: Option<&Compared>) -> String {
    let mut told = Told(vec![shown(&seen.path).to_string()]);
    let unknown = "unknown";
    let (format, machine) = (
        seen.format.unwrap_or(unknown),
        seen.machine.unwrap_or(unknown),
    );
    told.fact(
        "file",
        format!("{format} for {machine}, {} bytes", seen.size),
    );
    if let Some(digest) = seen.digest {
        told.fact("sha256", digest);
    }
    tell_declaration(&mut told, seen);
    tell_exports(&mut told, seen);
    if let Some(soname) = &seen.soname {
        told.fact("soname", shown(soname));
    }
    for needed in &seen.needed {
        let by = needed.by.as_ref().map(|by| format!(", by {}", shown(by)));
        let found = match place_of(&needed.found) {
            (_, Some(path)) => shown(path).to_string(),
            ("process", _) => "in each host already".to_owned(),
            (word, _) => word.to_owned(),
        };
        let name = shown(&needed.name);
        told.fact(
            "needs",
            format!("{name}{}: {found}", by.unwrap_or_default()),
        );
    }
    if let Some((entry, path)) = &seen.search {
        told.fact("search", format!("{entry} {}", shown(path)));
    }
    told.fact("thread-locals", word_for(seen.thread_locals));
    told.fact(
        "unloads",
        match &seen.mapped {
            None => "where a host asks for that, and it can be proven".to_owned(),
            Some(mapped) => mapped.to_string(),
        },
    );
    for warning in &seen.warnings {
        told.fact("warning", warning);
    }
    if let Some(Compared { against, verdict }) = compared {
        let against = shown(against);
        told.fact(
            "against",
            match verdict {
                Ok(()) => format!("{against}: equal"),
                Err(mismatch) => format!("{against}: {}", shown(&mismatch.to_string())),
            },
        );
    }
    told.fact(
        "verdict",
        match &seen.verdict {
            Ok(()) => "it would be loaded".to_owned(),
            Err(error) => format!("kept out at {}: {}", error.step(), chain(error)),
        },
    );
    told.0.join("\n")
}

fn tell_declaration(told: &mut Told, seen: &Inspection) {
    let declared = match &seen.declared {
        None => return told.fact("interface", "none: it carries no declaration"),
        Some(Err(mismatch)) => return told.fact("interface", shown(&mismatch.to_string())),
        Some(Ok(declared)) => declared,
    };
    let with = declared.made_with().map_or_else(
        || "written by hand".to_owned(),
        |version| format!("replug-plugin {version}"),
    );
    let (interface, level) = (shown(declared.interface()), declared.level());
    let compiler = shown(declared.compiler());
    told.fact(
        "interface",
        format!("{interface}, level {level}, {with}, {compiler}"),
    );
    for function in declared.functions() {
        told.fact("  fn", shown(function));
    }
    for described in declared.types() {
        told.fact("  type", shown(described));
    }
}

fn tell_exports(told: &mut Told, seen: &Inspection) {
    let listed = seen.exports.iter().take(NAMED).map(|it| {
        let kind = match (it.is_function, it.is_unique) {
            (_, true) => " (unique)",
            (true, _) => "",
            (false, _) => " (data)",
        };
        format!("{}{kind}", shown(&it.name))
    });
    let listed: Vec<_> = listed.collect();
    let more = match seen.exported.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let list = match listed.is_empty() {
        true => String::new(),
        false => format!(": {}{more}", listed.join(", ")),
    };
    told.fact("exports", format!("{}{list}", seen.exported));
}

/// Facts for people, each with its name in front.
struct Told(Vec<String>);

impl Told {
    fn fact(&mut self, name: &str, fact: impl Display) {
        self.0.push(format!("  {name:<14}{fact}"));
    }
}
