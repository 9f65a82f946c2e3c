//! Sealed manifests: a manifest, and behind it its signature, as one text. Pure.
//!
//! One object has both, so nobody ever sees a manifest with the signature of another. What stands before the signature's first
//! line is what is signed, byte for byte: the tool minisign verifies it, too.

use std::str::FromStr;

use minisign_verify::{Error, PublicKey, Signature};

use super::manifest::{MOST, Manifest};
use super::refused::Refused;

/// What the first line of a signature begins with.
const SIGNATURE: &str = "untrusted comment:";

/// A public key, and the name that people know it by.
#[derive(Clone)]
pub(crate) struct Key {
    key: PublicKey,
    /// As minisign writes it: 16 hexadecimal digits.
    pub(crate) id: String,
}

/// What is no public key.
#[derive(Debug, thiserror::Error)]
#[error("a public key of minisign is a line of 56 characters that begins with `RW`")]
pub(crate) struct NoKey;

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Key, NoKey> {
        let line = text.trim().lines().last().unwrap_or_default().trim();
        let key = PublicKey::from_base64(line).map_err(|_| NoKey)?;
        let other = minisign::PublicKey::from_base64(line).map_err(|_| NoKey)?;
        let id = other.keynum().iter().rev();
        let id = id.map(|byte| format!("{byte:02X}")).collect();
        Ok(Key { key, id })
    }
}

/// A manifest whose signature is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) manifest: Manifest,
    /// The name of the key that signed it.
    pub(crate) key: String,
}

/// A good signature of bytes by one of the keys: the name of that key.
pub(crate) fn verify<'k>(
    keys: &'k [Key],
    signed: &[u8],
    signature: &str,
) -> Result<&'k str, Refused> {
    let signature = Signature::decode(signature).map_err(|_| Refused::Unsigned)?;
    let mut refused = Refused::AnothersKey;
    for Key { key, id } in keys {
        match key.verify(signed, &signature, false) {
            Ok(()) => return Ok(id),
            Err(Error::UnexpectedKeyId) => {}
            Err(_) => refused = Refused::Changed,
        }
    }
    Err(refused)
}

/// A manifest and the text of its signature, where the latter begins.
fn parts(sealed: &str) -> Option<(&str, &str)> {
    let begin = sealed.rfind(&format!("\n{SIGNATURE}"))? + 1;
    Some(sealed.split_at(begin))
}

/// Opens a sealed manifest that is signed by one of the keys.
pub(crate) fn open(sealed: &[u8], keys: &[Key]) -> Result<Opened, Refused> {
    if sealed.len() as u64 > MOST {
        return Err(Refused::TooLarge);
    }
    let text = str::from_utf8(sealed).map_err(|error| Refused::NoManifest(error.to_string()))?;
    let (body, signature) = parts(text).ok_or(Refused::Unsigned)?;
    // First the signature: nothing is parsed that anybody could have written.
    let key = verify(keys, body.as_bytes(), signature)?;
    Ok(Opened {
        manifest: Manifest::parse(body)?,
        key: key.to_owned(),
    })
}

/// Reads a sealed manifest that was opened before, with keys that may have been changed since.
pub(crate) fn reopen(sealed: &str) -> Result<Manifest, Refused> {
    let (body, _) = parts(sealed).ok_or(Refused::Unsigned)?;
    Manifest::parse(body)
}

/// Seals a manifest.
pub(crate) fn seal(
    manifest: &Manifest,
    key: &minisign::SecretKey,
) -> Result<String, minisign::PError> {
    let body = manifest.text();
    let comment = format!("fleet {} sequence {}", manifest.fleet, manifest.sequence);
    let signature = minisign::sign(None, key, body.as_bytes(), Some(&comment), None)?;
    Ok(body + &signature.into_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::KeyPair;

    fn pair() -> (minisign::SecretKey, Key) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let key = pair.pk.to_base64().parse().unwrap();
        (pair.sk, key)
    }

    fn manifest() -> Manifest {
        let mut manifest = Manifest::first("rules", "librules.so");
        manifest.sequence = 1;
        manifest
    }

    fn word(sealed: &[u8], keys: &[Key]) -> &'static str {
        open(sealed, keys).map_or_else(|it| it.word(), |_| "good")
    }

    #[test]
    fn what_one_of_the_keys_has_signed_is_opened_and_nothing_else_is() {
        let ((ours, our_key), (_, another)) = (pair(), pair());
        let sealed = seal(&manifest(), &ours).unwrap();
        let keys = [another.clone(), our_key.clone()];
        let opened = open(sealed.as_bytes(), &keys).unwrap();
        assert_eq!(opened.manifest, manifest());
        assert_eq!(opened.key, our_key.id);
        assert_eq!(reopen(&sealed).unwrap(), manifest());
        assert_eq!(word(sealed.as_bytes(), &[another]), "anothers-key");
        assert_eq!(word(sealed.as_bytes(), &[]), "anothers-key");
        let changed = sealed.replace("\"sequence\": 1", "\"sequence\": 2");
        assert_eq!(word(changed.as_bytes(), &keys), "changed");
        let comment = sealed.replace("sequence 1\n", "sequence 2\n");
        assert_eq!(word(comment.as_bytes(), &keys), "changed");
        assert_eq!(word(manifest().text().as_bytes(), &keys), "unsigned");
        let (body, signature) = parts(&sealed).unwrap();
        assert_eq!(word(signature.as_bytes(), &keys), "unsigned");
        // Another manifest before the one that is signed.
        let two = format!("{body}{sealed}");
        assert_eq!(word(two.as_bytes(), &keys), "changed");
        assert_eq!(word(b"\xff", &keys), "no-manifest");
        let endless = vec![b' '; MOST as usize + 1];
        assert_eq!(word(&endless, &keys), "too-large");
    }

    #[test]
    fn no_part_of_a_sealed_manifest_is_one() {
        let (ours, our_key) = pair();
        let sealed = seal(&manifest(), &ours).unwrap();
        let keys = [our_key];
        // The last byte is the end of a line, which means nothing.
        for end in 0..sealed.len() - 1 {
            assert_ne!(word(&sealed.as_bytes()[..end], &keys), "good", "{end}");
        }
    }

    #[test]
    fn a_key_is_read_as_a_line_and_as_a_file() {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let file = pair.pk.to_box().unwrap().to_string();
        let line = pair.pk.to_base64();
        let [one, other] = [&file, &line].map(|it| it.parse::<Key>().unwrap().id);
        assert_eq!(one, other);
        // In the file's comment stands the name.
        assert!(file.contains(&one), "{file} {one}");
        assert!("RWnone".parse::<Key>().is_err());
    }
}
