//! A key of minisign's, whose two halves lie in files.

use std::fs;
use std::path::PathBuf;

use minisign::KeyPair;
use vocabulary::Scratch;

/// A key: its two files.
pub struct Key {
    pub secret: PathBuf,
    pub public: PathBuf,
}

impl Key {
    pub fn new(scratch: &Scratch, name: &str) -> Key {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let [secret, public] = ["key", "pub"].map(|it| scratch.join(format!("{name}.{it}")));
        let text = pair.sk.to_box(None).unwrap().to_string();
        fs::write(&secret, text).unwrap();
        fs::write(&public, pair.pk.to_box().unwrap().to_string()).unwrap();
        Key { secret, public }
    }
}
