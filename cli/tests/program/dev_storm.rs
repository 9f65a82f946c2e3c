//! Saves in all ways, at all moments of a build: the last state is live at the end.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use vocabulary::{Package, Scratch, pause};

use super::dev::dev;

/// How many saves there are.
const SAVES: u32 = 20;

/// The longest time between two saves: longer than a build of this package.
const LONGEST_PAUSE_MS: u64 = 500;

/// How long a build that nobody needs would take to be seen.
const A_WHILE: Duration = Duration::from_millis(600);

/// Numbers that look random, and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Saves `content` in one of the ways of editors and tools.
fn save(file: &Path, content: &[u8], way: u64) {
    let aside = file.with_extension("rs~");
    match way {
        // By truncation.
        0 => fs::write(file, content).unwrap(),
        // By truncation, in pieces.
        1 => {
            let mut open = File::create(file).unwrap();
            for piece in content.chunks(100) {
                open.write_all(piece).unwrap();
            }
        }
        // By renaming.
        2 => {
            fs::write(&aside, content).unwrap();
            fs::rename(&aside, file).unwrap();
        }
        // By removing, and writing anew.
        3 => {
            fs::remove_file(file).unwrap();
            fs::write(file, content).unwrap();
        }
        // Twice, as with a formatter.
        4 => {
            fs::write(file, [content, b"\n\n\n"].concat()).unwrap();
            fs::write(file, content).unwrap();
        }
        // By renaming a file that was written long ago.
        _ => {
            fs::write(&aside, content).unwrap();
            let open = File::options().write(true).open(&aside).unwrap();
            open.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
                .unwrap();
            fs::rename(&aside, file).unwrap();
        }
    }
}

#[test]
fn after_saves_in_all_ways_at_all_moments_the_last_state_is_live_and_nothing_is_built_after_it() {
    let scratch = Scratch::new();
    let package = Package::plugin(&scratch, "as it was");
    let file = package.manifest().with_file_name("src").join("lib.rs");
    let source = fs::read_to_string(&file).unwrap();
    let mut program = dev(&scratch, &package, &[]);
    program.wait_for_answer("as it was");
    let mut dice = Dice(1);
    for number in 1..=SAVES {
        let text = source.replace("as it was", &format!("save {number}."));
        save(&file, text.as_bytes(), dice.below(6));
        pause(Duration::from_millis(dice.below(LONGEST_PAUSE_MS)));
    }
    let last = program.wait_for_answer(&format!("save {SAVES}."));
    let builds = program.said("building").len();
    program.go_on_for(A_WHILE);
    assert_eq!(program.said("building").len(), builds, "{last:?}");
    assert!(builds <= 1 + SAVES as usize, "at most one for each save");
    let ended = program.stop_cleanly(&scratch);
    let live = ended.said("live").last().unwrap().number("generation");
    assert_eq!(live, last.number("generation"));
    assert_eq!(ended.said("kept").len(), 0);
}
