//! Saves of a source, in the ways of editors and tools.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Saves that look random, and are the same in each run.
pub struct Saves(u64);

impl Saves {
    /// Saves whose ways and moments follow from `seed`.
    pub fn new(seed: u64) -> Saves {
        Saves(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Saves `content` in one of the ways. Returns the number of its steps: as many states of the file can be seen by
    /// somebody if the machine takes its time between them.
    pub fn save(&mut self, file: &Path, content: &[u8]) -> usize {
        save(file, content, self.below(6))
    }
}

/// Saves `content` in one of the ways of editors and tools, and counts the steps.
fn save(file: &Path, content: &[u8], way: u64) -> usize {
    let aside = file.with_extension("rs~");
    match way {
        // By truncation.
        0 => {
            fs::write(file, content).unwrap();
            2
        }
        // By truncation, in pieces.
        1 => {
            let mut open = File::create(file).unwrap();
            for piece in content.chunks(100) {
                open.write_all(piece).unwrap();
            }
            1 + content.chunks(100).count()
        }
        // By renaming.
        2 => {
            fs::write(&aside, content).unwrap();
            fs::rename(&aside, file).unwrap();
            1
        }
        // By removing, and writing anew.
        3 => {
            fs::remove_file(file).unwrap();
            fs::write(file, content).unwrap();
            3
        }
        // Twice, as with a formatter.
        4 => {
            fs::write(file, [content, b"\n\n\n"].concat()).unwrap();
            fs::write(file, content).unwrap();
            4
        }
        // By renaming a file that was written long ago.
        _ => {
            fs::write(&aside, content).unwrap();
            let open = File::options().write(true).open(&aside).unwrap();
            open.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
                .unwrap();
            fs::rename(&aside, file).unwrap();
            1
        }
    }
}
