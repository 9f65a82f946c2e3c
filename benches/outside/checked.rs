//! A build script that runs for as long as its mark is there, so that a `cargo check` takes so long.

use std::path::Path;
use std::{fs, thread, time::Duration};

fn main() {
    println!("cargo:rerun-if-changed=never-there");
    let mark = Path::new("checking");
    fs::write(mark, "").expect("the package can be written to");
    // Not for ever, should nobody take the mark away.
    for _ in 0..12_000 {
        if !mark.exists() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
