//! Naive pollers, as they are usually written, in the same worlds: expected to fail.

use std::path::Path;

use replug::Digest;
use replug::watch::{Files, Snapshot, Stamp};

use crate::client::Client;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::world::MS;

/// The rule by which a naive poller takes a file for changed.
pub type Rule = fn(&Snapshot, &Snapshot) -> bool;

pub fn other_size_or_time(before: &Snapshot, now: &Snapshot) -> bool {
    (before.size, before.modified) != (now.size, now.modified)
}

pub fn newer(before: &Snapshot, now: &Snapshot) -> bool {
    let time = |stamp: Stamp| (stamp.seconds, stamp.nanoseconds);
    time(now.modified) > time(before.modified)
}

/// The fate of a naive poller in one scenario.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// Whether it read bytes that nobody published.
    pub torn: bool,
    /// Whether it never got to the final state.
    pub missed: bool,
}

/// Looks at the first artifact at each interval, and reads it at once when the rule says so.
pub fn run(scenario: &Scenario, rule: Rule) -> Fate {
    let (world, end) = scenario.plan();
    let client = Client::new(
        world,
        scenario.client.clone(),
        scenario.seed,
        scenario.gate_max,
    );
    let path = &scenario.artifacts[0];
    let mut random = Random::new(scenario.seed);
    let mut before: Option<Snapshot> = None;
    let mut live = None;
    let mut fate = Fate::default();
    let end = end + scenario.bound();
    loop {
        let now = {
            let world = &mut client.state.borrow_mut().world;
            let wake = world.now + scenario.interval + random.between(0, MS / 5);
            world.advance(wake);
            world.now
        };
        if now > end {
            break;
        }
        let Ok(seen) = client.plain_look(path) else {
            continue;
        };
        if before.is_some_and(|before| !rule(&before, &seen)) {
            continue;
        }
        before = Some(seen);
        let Ok(content) = read(&client, path) else {
            continue;
        };
        let digest = Digest::of(&content);
        let state = client.state.borrow();
        let published = state.world.published.get(path);
        fate.torn |= !published.is_some_and(|all| all.contains(&digest));
        live = Some(digest);
    }
    let state = client.state.borrow();
    let content = state
        .world
        .content(path)
        .map(|content| Digest::of(&content));
    fate.missed = content.is_some() && content != live;
    fate
}

fn read(client: &Client, path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut client.open(path)?, &mut content)?;
    Ok(content)
}
