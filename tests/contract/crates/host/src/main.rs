//! Loads the plugins that are named, one after the other, and says of each whether it carried a bag, or why it was kept out.

use std::time::Duration;

use replug::{Host, Options, Outcome, chain};

#[path = "../../bag.rs"]
mod bag;

use bag::{Bag, Porter};
use chrono::Utc;

fn main() {
    for plugin in std::env::args().skip(1) {
        let mut host = Host::<Porter>::watch(Options::new(&plugin)).expect("it can be watched");
        loop {
            match host.wait(Duration::from_secs(60)) {
                Some(Outcome::Loaded(_)) => println!("{}", carried(&host)),
                Some(Outcome::Kept(kept)) => {
                    println!("{}", chain(&kept.error).replace(&plugin, "IT"))
                }
                Some(Outcome::Waiting(_)) => continue,
                other => panic!("neither loaded nor kept out: {other:?}"),
            }
            break;
        }
    }
}

/// What became of a bag that the plugin carried; it is dropped here.
fn carried(host: &Host<Porter>) -> String {
    let packed = chrono::DateTime::from_timestamp(1_000_000_000, 0).expect("there was such a time");
    let things = ["a map", "a pen"].map(|it| (it.to_owned(), 1));
    let bag = Bag {
        place: glam::Vec3::new(1.0, 2.0, 3.0),
        name: uuid::Uuid::from_u128(1),
        packed,
        note: serde_json::json!({ "to": ["the", "sea"] }),
        coins: [1, 2].into_iter().collect(),
        things: things.into_iter().collect(),
    };
    let mut bag = host.carry(bag).expect("a plugin is live");
    bag.coins.push(8);
    bag.things.insert("a stone".to_owned(), 3);
    let things: Vec<_> = bag
        .things
        .iter()
        .map(|(thing, count)| format!("{count} {thing}"))
        .collect();
    format!(
        "carried {} as {} from {} with {}, {} coins and {}",
        bag.place,
        bag.name.as_u128(),
        bag.packed.timestamp(),
        bag.note,
        bag.coins.len(),
        things.join(", "),
    )
}
