//! The ground of a test: a storage, a key, builds, and directories of hosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use minisign::{SecretKey, SecretKeyBox};
use replug::Digest;
use replug::watch::plugin_name;
use serde_json::{Value, json};
use vocabulary::{Ended, Line, Program, Scratch, c_library, program};

use crate::key::Key;
use crate::server::{BUCKET, Server};

/// The name of the library, which is in the words of each error about it, and has in it what an error about a part could
/// say.
pub const LIBRARY: &str = "libpartial-range-416.so";

/// The name of the manifest's object.
pub const MANIFEST: &str = "rules/fleet.json";

impl Key {
    fn read(&self) -> SecretKey {
        let text = fs::read_to_string(&self.secret).unwrap();
        let key = SecretKeyBox::from_string(&text).unwrap();
        key.into_unencrypted_secret_key().unwrap()
    }

    /// A manifest, sealed by hand.
    pub fn seal(&self, manifest: &Value) -> Vec<u8> {
        let body = serde_json::to_string_pretty(manifest).unwrap() + "\n";
        let signature = minisign::sign(None, &self.read(), body.as_bytes(), None, None).unwrap();
        (body + &signature.into_string()).into_bytes()
    }
}

/// A storage, and those who use it.
pub struct Ground {
    pub scratch: Scratch,
    pub server: Server,
    pub key: Key,
    /// The address of the manifest.
    pub url: String,
    /// The address of the server, which can be another one.
    pub endpoint: String,
    builds: Vec<(PathBuf, Digest)>,
}

impl Ground {
    /// A storage in a server.
    pub fn new() -> Ground {
        let scratch = Scratch::new();
        let server = Server::start();
        Ground {
            key: Key::new(&scratch, "ours"),
            endpoint: server.endpoint(),
            server,
            url: format!("s3://{BUCKET}/{MANIFEST}"),
            builds: Vec::new(),
            scratch,
        }
    }

    /// A storage in a directory.
    pub fn in_a_directory() -> Ground {
        let mut ground = Ground::new();
        fs::create_dir_all(ground.scratch.join("share/rules")).unwrap();
        ground.url = ground
            .scratch
            .join("share/rules/fleet.json")
            .to_str()
            .unwrap()
            .to_owned();
        ground
    }

    /// The library of a build of this number. Different numbers have different bytes.
    pub fn build(&mut self, number: usize) -> (PathBuf, Digest) {
        while self.builds.len() <= number {
            let number = self.builds.len();
            let source = format!(
                "#include <stdlib.h>\n\
                 char *plugin_function(const char *input) {{\n\
                 (void)input; char *text = malloc(2);\n\
                 if (text) {{ text[0] = 'a' + {number} % 26; text[1] = 0; }} return text; }}\n\
                 void plugin_free(char *text) {{ free(text); }}\n\
                 const char padding[200000] = \"{number}\";\n"
            );
            let directory = self.scratch.join(format!("build{number}"));
            fs::create_dir(&directory).unwrap();
            let bytes = c_library(&source, &self.scratch);
            let path = directory.join(LIBRARY);
            fs::write(&path, &bytes).unwrap();
            self.builds.push((path, Digest::of(&bytes)));
        }
        self.builds[number].clone()
    }

    /// The program, which speaks JSON.
    fn command(&self, subcommand: &str) -> Command {
        let mut command = self.plain_command(subcommand);
        command.arg("--json");
        command
    }

    /// The program, with what it needs to know of the server.
    pub fn plain_command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(program());
        command
            .arg(subcommand)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_ACCESS_KEY_ID", "ada")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "here")
            .env("NO_PROXY", "127.0.0.1")
            .current_dir(self.scratch.path());
        command
    }

    /// Steers, by somebody.
    pub fn steers(&self, by: &str, arguments: &[&str]) -> Program {
        let mut command = self.command("rollout");
        command.arg("--sign").arg(&self.key.secret);
        command
            .args(["--by", by, "--interval-ms", "50", &self.url])
            .args(arguments);
        Program::start(command)
    }

    pub fn rollout(&self, arguments: &[&str]) -> Ended {
        self.steers("ada", arguments).end()
    }

    /// Steers, which must be done.
    #[track_caller]
    pub fn decide(&self, arguments: &[&str]) -> Line {
        let ended = self.rollout(arguments);
        ended.assert_quiet_success();
        ended.said[ended.said.len() - 1].clone()
    }

    /// Adds a build and returns its digest.
    #[track_caller]
    pub fn add(&mut self, number: usize) -> Digest {
        let (path, digest) = self.build(number);
        let added = self.decide(&["add", path.to_str().unwrap()]);
        assert_eq!(added.text("sha256"), digest.to_string());
        digest
    }

    /// The directory of a host.
    pub fn directory(&self, host: &str) -> PathBuf {
        let directory = self.scratch.join(format!("hosts/{host}"));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// The file that a host's events go to.
    pub fn events(&self, host: &str) -> PathBuf {
        self.scratch.join(format!("{host}.events"))
    }

    /// The command of a host's mirror.
    pub fn mirror_command(&self, host: &str, options: &[&str]) -> Command {
        let mut command = self.command("mirror");
        command.arg("--require-signature").arg(&self.key.public);
        command.args(["--fleet", "rules", "--host", host]);
        if !options.contains(&"--interval-ms") {
            command.args(["--interval-ms", "30"]);
        }
        command.arg("--host-events").arg(self.events(host));
        command
            .args(options)
            .arg(&self.url)
            .arg(self.directory(host));
        command
    }

    pub fn mirror(&self, host: &str, options: &[&str]) -> Program {
        Program::start(self.mirror_command(host, options))
    }

    /// The digest of the library in the directory of a host.
    pub fn published(&self, host: &str) -> Option<Digest> {
        let library = fs::read(self.directory(host).join(LIBRARY)).ok()?;
        Some(Digest::of(&library))
    }

    /// Writes a line of a host.
    pub fn host_says(&self, host: &str, event: &str, digest: Digest) {
        use std::io::Write as _;
        let line = json!({
            "event": event, "t_ms": 1, "plugin": plugin_name(Path::new(LIBRARY)), "generation": 1, "sha256": digest.to_string(),
            "step": "init", "reason": "not today",
        });
        let mut file = fs::File::options()
            .create(true)
            .append(true)
            .open(self.events(host))
            .unwrap();
        writeln!(file, "{line}").unwrap();
    }

    /// A manifest without a rollout, in which this build is for everybody.
    pub fn manifest(&mut self, number: usize, sequence: u64) -> Value {
        let (path, digest) = self.build(number);
        let size = fs::metadata(path).unwrap().len();
        json!({
            "format": 1, "fleet": "rules", "sequence": sequence, "name": LIBRARY,
            "stable": {"sha256": digest.to_string(), "size": size, "signed": false},
            "before": null, "rollout": null, "decided": {"by": "ada", "what": "start", "why": null},
        })
    }

    /// Puts a build and a manifest for it into the server, as they are there at the end of a rollout.
    pub fn serve(&mut self, number: usize, sequence: u64) -> Digest {
        let (path, digest) = self.build(number);
        let manifest = self.manifest(number, sequence);
        let object = format!("rules/builds/{digest}/{LIBRARY}");
        self.server.put(&object, &fs::read(path).unwrap());
        self.server.put(MANIFEST, &self.key.seal(&manifest));
        digest
    }
}

/// The names in a directory.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
