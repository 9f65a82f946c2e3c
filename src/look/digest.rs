//! The SHA-256 of a file's content: by it, contents are told apart.

use std::fmt;
use std::str::FromStr;

// Assembler code is as fast in an unoptimised build. `Cargo.toml` names the same systems.
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod hash {
    use ring::digest::{Context, SHA256};

    pub(super) struct Sha256(Context);

    impl Sha256 {
        pub(super) fn new() -> Sha256 {
            Sha256(Context::new(&SHA256))
        }

        pub(super) fn update(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        pub(super) fn finish(self) -> [u8; 32] {
            let mut all = [0; 32];
            all.copy_from_slice(self.0.finish().as_ref());
            all
        }
    }
}
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod hash {
    use sha2::Digest as _;

    pub(super) struct Sha256(sha2::Sha256);

    impl Sha256 {
        pub(super) fn new() -> Sha256 {
            Sha256(sha2::Sha256::new())
        }

        pub(super) fn update(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        pub(super) fn finish(self) -> [u8; 32] {
            self.0.finalize().into()
        }
    }
}

use hash::Sha256;

/// The SHA-256 of a file's content. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        let mut digester = Digester::new();
        digester.update(bytes);
        digester.finish()
    }

    /// The digest's 32 bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first eight hexadecimal digits, for people.
    pub fn short(&self) -> impl fmt::Display {
        // A width, because leading zeros are digits too.
        let first = u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]]);
        format!("{first:08x}")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What is not 64 hexadecimal digits, and so no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is 64 hexadecimal digits")]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Digest, NoDigest> {
        let is_hexadecimal = |byte: u8| byte.is_ascii_hexdigit();
        if text.len() != 64 || !text.bytes().all(is_hexadecimal) {
            return Err(NoDigest);
        }
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            let digits = &text[2 * at..2 * at + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NoDigest)?;
        }
        Ok(Digest(digest))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Takes the digest of bytes that come piece by piece.
pub(crate) struct Digester(Sha256);

impl Digester {
    pub(crate) fn new() -> Digester {
        Digester(Sha256::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_in_pieces_has_the_digest_that_another_hand_takes_of_it_as_a_whole() {
        use sha2::Digest as _;
        let content: Vec<u8> = (0..70_000_u32).map(|at| (at % 251) as u8).collect();
        for size in [0, 1, 55, 56, 63, 64, 65, 4096, 65_537, 70_000] {
            for piece in [1, 63, 64, 4095, 70_000] {
                let mut digester = Digester::new();
                let pieces = content[..size].chunks(piece);
                pieces.for_each(|piece| digester.update(piece));
                let whole = sha2::Sha256::digest(&content[..size]);
                assert_eq!(digester.finish().0[..], whole[..], "{size} by {piece}");
            }
        }
    }

    #[test]
    fn the_digest_is_sha_256() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            digest.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.short().to_string(), "ba7816bf");
    }
}
