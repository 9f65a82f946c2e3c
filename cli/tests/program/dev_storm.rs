//! Saves in all ways, at all moments of a build: the last state is live at the end.

use std::fs;
use std::time::{Duration, Instant};

use vocabulary::{Package, Saves, Scratch, pause};

use super::dev::dev;

/// How many saves there are.
const SAVES: u32 = 20;

/// The longest time between two saves: longer than a build of this package.
const LONGEST_PAUSE_MS: u64 = 500;

/// How far apart the steps of a save may be for them to be one: well below the quiet that a build waits for.
const ONE_SAVE: Duration = Duration::from_millis(20);

/// How long a build that nobody needs would take to be seen.
const A_WHILE: Duration = Duration::from_millis(600);

#[test]
fn after_saves_in_all_ways_at_all_moments_the_last_state_is_live_and_nothing_is_built_after_it() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let file = package.manifest().with_file_name("src").join("lib.rs");
    let source = fs::read_to_string(&file).unwrap();
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_answer("as it was");
    let (mut saves, mut most_builds) = (Saves::new(1), 1);
    for number in 1..=SAVES {
        let text = source.replace("as it was", &format!("save {number}."));
        let begun = Instant::now();
        let steps = saves.save(&file, text.as_bytes());
        most_builds += match begun.elapsed() < ONE_SAVE {
            true => 1,
            // On a busy machine, a save can take as long as several.
            false => steps,
        };
        pause(Duration::from_millis(saves.below(LONGEST_PAUSE_MS)));
    }
    let last = program.wait_for_answer(&format!("save {SAVES}."));
    let builds = program.said("building").len();
    program.go_on_for(A_WHILE);
    assert_eq!(program.said("building").len(), builds, "{last:?}");
    assert!(
        builds <= most_builds,
        "{builds}, and at most {most_builds}: one for each save"
    );
    let ended = program.stop_cleanly(&scratch);
    let live = ended.said("live").last().unwrap().number("generation");
    assert_eq!(live, last.number("generation"));
    let kept = ended.said("kept");
    assert!(kept.is_empty(), "{kept:?}");
}
