//! Hosts that are threads: each looks at the manifest as a mirror does, and reports as one does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use replug::Digest;
use serde_json::Value;
use vocabulary::pause;

use crate::ground::MANIFEST;
use crate::report;
use crate::server::{BUCKET, Server};

/// The hosts, until they are dropped.
pub struct Simulated {
    hosts: Vec<Arc<Mutex<Host>>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Host {
    live: Option<Digest>,
    has_had_bad: bool,
}

impl Simulated {
    pub fn start(server: &Server, count: usize, bad: Digest) -> Simulated {
        let is_over = Arc::<AtomicBool>::default();
        let hosts: Vec<_> = (0..count).map(|_| Arc::<Mutex<Host>>::default()).collect();
        let threads = hosts.iter().enumerate().map(|(number, host)| {
            let address = server.endpoint().trim_start_matches("http://").to_owned();
            let (host, is_over) = (Arc::clone(host), Arc::clone(&is_over));
            thread::spawn(move || live(&address, &format!("sim{number}"), &host, &is_over, bad))
        });
        let threads = threads.collect();
        Simulated {
            hosts,
            is_over,
            threads,
        }
    }

    pub fn live(&self) -> Vec<Option<Digest>> {
        self.hosts
            .iter()
            .map(|it| it.lock().unwrap().live)
            .collect()
    }

    pub fn had_bad(&self) -> usize {
        let had = self
            .hosts
            .iter()
            .filter(|it| it.lock().unwrap().has_had_bad);
        had.count()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The life of one host.
fn live(address: &str, name: &str, host: &Mutex<Host>, is_over: &AtomicBool, bad: Digest) {
    let (mut e_tag, mut manifest) = (String::new(), None::<Value>);
    let mut since = Instant::now();
    let mut reported = String::new();
    while !is_over.load(Ordering::Relaxed) {
        let known = format!("If-None-Match: {e_tag}\r\n");
        if let Some((head, body)) = ask(address, "GET", MANIFEST, &known, "")
            && head.starts_with("HTTP/1.1 200")
        {
            let tag = head.lines().find_map(|it| it.strip_prefix("ETag: "));
            e_tag = tag.unwrap_or_default().to_owned();
            let body = body.split("untrusted comment").next().unwrap_or_default();
            manifest = serde_json::from_str(body).ok();
        }
        let wanted = manifest.as_ref().and_then(|it| wanted(it, name));
        let mut health = "waiting";
        if let Some(digest) = wanted {
            let mut host = host.lock().unwrap();
            if digest == bad {
                host.has_had_bad = true;
                health = "kept";
            } else {
                if host.live != Some(digest) {
                    host.live = Some(digest);
                    since = Instant::now();
                }
                health = "live";
            }
        }
        let live_s = since.elapsed().as_secs().min(1);
        let wanted = wanted.map(|it| it.to_string());
        let text = report(name, manifest.as_ref(), wanted.as_deref(), health, live_s);
        if text != reported {
            let object = format!("rules/status/rules/{name}.json");
            if ask(address, "PUT", &object, "", &text).is_some() {
                reported = text;
            }
        }
        pause(Duration::from_millis(200));
    }
}

/// The build that a manifest has for a host, by the words of `docs/fleet.md`.
fn wanted(manifest: &Value, host: &str) -> Option<Digest> {
    let rollout = &manifest["rollout"];
    let is_under_way = ["going", "held"].contains(&rollout["state"].as_str().unwrap_or_default());
    let stable = manifest["stable"]["sha256"].as_str();
    let digest = if is_under_way {
        let id = rollout["id"].as_str()?;
        let hash = Digest::of(format!("{id}\n{host}").as_bytes()).to_string();
        let rank = u64::from_str_radix(&hash[..12], 16).ok()?;
        let open = usize::try_from(rollout["open"].as_u64()?).ok()?;
        let up_to = rollout["waves"][open]["up_to"].as_u64()?;
        match rank <= up_to {
            true => rollout["build"]["sha256"].as_str(),
            false => stable,
        }
    } else {
        stable
    };
    digest?.parse().ok()
}

/// One request; the head of the answer, and its body.
fn ask(
    address: &str,
    method: &str,
    object: &str,
    header: &str,
    body: &str,
) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let request = format!(
        "{method} /{BUCKET}/{object} HTTP/1.1\r\nHost: x\r\n{header}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}
