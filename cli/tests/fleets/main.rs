//! A hundred hosts, twenty of them real, through three waves; a hundred kills; and a server that is not ours. Some minutes.

#![cfg(target_os = "linux")]

#[path = "../fleet/ground.rs"]
#[allow(dead_code, reason = "the small tests need more of it")]
mod ground;
#[path = "../program/key.rs"]
mod key;
#[path = "../fleet/killed.rs"]
mod killed;
#[path = "../fleet/server.rs"]
#[allow(dead_code, reason = "the small tests need more of it")]
mod server;

mod moto;
mod simulated;

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use replug::Digest;
use serde_json::{Value, json};
use vocabulary::{Program, c_library, pause, program};

use crate::ground::{Ground, LIBRARY};
use crate::simulated::Simulated;

const REAL: usize = 20;
const SIMULATED: usize = 80;

/// How long the server is out.
const OUTAGE: Duration = Duration::from_secs(60);

#[test]
fn whenever_a_mirror_is_killed_a_hundred_times_the_next_one_publishes_a_good_build() {
    killed::kills(100);
}

/// A host with its mirror, both as processes.
struct Real {
    name: String,
    mirror: Program,
    host: Child,
}

impl Real {
    fn start(ground: &Ground, number: usize) -> Real {
        let name = format!("real{number}");
        let options = ["--interval-ms", "200"];
        let mirror = ground.mirror(&name, &options);
        let host = Command::new(program())
            .args([
                "run",
                "--json",
                "--interval-ms",
                "100",
                "--every-ms",
                "1000",
            ])
            .arg(ground.directory(&name))
            .stdin(Stdio::null())
            .stdout(File::create(ground.events(&name)).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Real { name, mirror, host }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.host.kill();
        let _ = self.host.wait();
    }
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(240);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        pause(Duration::from_millis(50));
    }
}

/// A build that no host calls: it lacks the function.
fn bad_build(ground: &Ground) -> Digest {
    let bytes = c_library("int nothing(void) { return 0; }\n", &ground.scratch);
    let path = ground.scratch.join("bad");
    std::fs::create_dir(&path).unwrap();
    let path = path.join(LIBRARY);
    std::fs::write(&path, &bytes).unwrap();
    ground.decide(&["add", path.to_str().unwrap()]);
    Digest::of(&bytes)
}

#[test]
fn a_hundred_hosts_go_through_three_waves_and_a_bad_build_stays_in_the_first() {
    let mut ground = Ground::new();
    let (stable, good) = (ground.add(1), ground.add(2));
    let bad = bad_build(&ground);
    let real: Vec<_> = (0..REAL).map(|it| Real::start(&ground, it)).collect();
    let simulated = Simulated::start(&ground.server, SIMULATED, bad);
    let reports = |server: &server::Server| {
        let names = server.names();
        names.iter().filter(|it| it.contains("/status/")).count()
    };
    wait_until("all have reported", || {
        reports(&ground.server) == REAL + SIMULATED
    });
    let has_all = |digest: Digest| {
        real.iter()
            .all(|it| ground.published(&it.name) == Some(digest))
            && simulated.live().iter().all(|it| *it == Some(digest))
    };

    // The first build goes to all of them.
    ground.decide(&[
        "start",
        &stable.to_string(),
        "--fleet",
        "rules",
        "--waves",
        "100%",
        "--bake",
        "0s",
    ]);
    ground
        .steers("ada", &["drive"])
        .end()
        .assert_quiet_success();
    wait_until("all have the stable build", || has_all(stable));

    // The good one in three waves, with two who drive, and an outage in the middle.
    ground.decide(&[
        "start",
        &good.to_string(),
        "--waves",
        "1,30%,100%",
        "--bake",
        "1s",
    ]);
    let drivers = ["ada", "bob"].map(|by| ground.steers(by, &["drive"]));
    let count = || {
        let of_real = real
            .iter()
            .filter(|it| ground.published(&it.name) == Some(good));
        let live = simulated.live();
        of_real.count() + live.iter().filter(|it| **it == Some(good)).count()
    };
    wait_until("the first wave", || count() >= 1);
    ground.server.is_out(true);
    let before = count();
    pause(OUTAGE);
    assert!(
        count() <= before.max(30),
        "nobody goes on while nothing is known"
    );
    ground.server.is_out(false);
    let ended = drivers.map(Program::end);
    let mut won: Vec<(u64, &str)> = Vec::new();
    for ended in &ended {
        ended.assert_quiet_success();
        let decided = ended.said("decided");
        won.extend(
            decided
                .iter()
                .map(|it| (it.number("sequence"), it.text("by"))),
        );
    }
    won.sort_unstable();
    let numbers: Vec<u64> = won.iter().map(|it| it.0).collect();
    let first = numbers[0];
    assert_eq!(numbers, [first, first + 1, first + 2], "{won:?}");
    wait_until("all have the good build", || has_all(good));

    // The bad one.
    ground.decide(&[
        "start",
        &bad.to_string(),
        "--waves",
        "1,30%,100%",
        "--bake",
        "1s",
    ]);
    let drivers = ["ada", "bob"].map(|by| ground.steers(by, &["drive"]));
    let ended = drivers.map(Program::end);
    let backs: Vec<&str> = ended
        .iter()
        .flat_map(|it| it.said("decided"))
        .map(|it| it.text("why"))
        .collect();
    assert_eq!(backs.len(), 1, "{backs:?}");
    println!("back: {}", backs[0]);
    wait_until("all have the good build again", || has_all(good));

    let had_bad_simulated = simulated.had_bad();
    let mut had_bad = had_bad_simulated;
    let mut per_hour = Vec::new();
    let began = real.len();
    for mut real in real {
        real.mirror.go_on_for(Duration::from_millis(1));
        real.mirror.signal(rustix::process::Signal::INT);
        real.mirror.wait_for_death();
        let mirrored = real.mirror.said("mirrored");
        had_bad += usize::from(
            mirrored
                .iter()
                .any(|it| it.text("sha256") == bad.to_string()),
        );
        let closed = real.mirror.said("closed")[0];
        let (requests, polls) = (closed.number("requests"), closed.number("polls"));
        per_hour.push((requests, polls));
        let degraded = real.mirror.said("degraded");
        let outages = degraded
            .iter()
            .filter(|it| it.text("word") == "unreachable");
        assert!(
            outages.count() <= 2,
            "one word for the manifest, and one for a report"
        );
    }
    assert_eq!(began, REAL);
    assert_eq!(had_bad, 1, "the bad build was in the first wave only");
    let (requests, polls) = per_hour
        .iter()
        .fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    println!(
        "{REAL} real mirrors: {polls} polls, {requests} requests, {:?}",
        &per_hour[..3]
    );
    // A poll each; and over all of this three contents, their signatures, and a report for each change.
    assert!(
        requests <= polls + 25 * REAL as u64,
        "{requests} requests for {polls} polls"
    );
}

/// What a simulated host reports.
fn report(
    host: &str,
    manifest: Option<&Value>,
    wanted: Option<&str>,
    health: &str,
    live_s: u64,
) -> String {
    json!({
        "fleet": "rules", "host": host, "sequence": manifest.map_or(0, |it| it["sequence"].as_u64().unwrap()), "wanted": wanted,
        "published": wanted, "health": health, "live": null, "live_s": live_s, "why": if health == "kept" { "at vet: no" } else { "" },
    })
    .to_string()
}
