//! Signatures of builds, as minisign makes them: of the SHA-256 of a library, beside the library. Pure.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use minisign_verify::{Error, PublicKey, Signature};
use replug_plugin::HookError;
use replug_plugin::shown::shown;

use super::list::Texts;
use super::standing::Signed;
use crate::look::digest::Digest;

/// What is behind the name of a library in that of its signature.
const SUFFIX: &str = ".minisig";

/// A public key.
#[derive(Clone)]
pub(super) struct Key(PublicKey);

/// What is no public key of minisign's: neither the line that begins with `RW`, nor a file that has it in its second line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a public key of minisign is a line of 56 characters that begins with `RW`")]
pub struct NoKey;

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Key, NoKey> {
        let text = text.trim();
        let key = match text.contains('\n') {
            true => PublicKey::decode(text),
            false => PublicKey::from_base64(text),
        };
        key.map(Key).map_err(|_| NoKey)
    }
}

/// The place of a library's signature.
pub(super) fn place(library: &Path) -> PathBuf {
    let mut name = library.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

/// What is signed: the digest as `sha256sum` writes it, and the end of the line.
fn signed(digest: Digest) -> String {
    format!("{digest}\n")
}

/// What a signature says of its build, whoever has made it.
pub(super) fn comment(text: &str) -> Option<String> {
    let signature = Signature::decode(text).ok()?;
    Some(signature.trusted_comment().to_owned())
}

/// Checks that one of the keys has signed the digest, if there are keys, and returns the signature.
pub(super) fn check(
    keys: &[Key],
    library: &Path,
    digest: Digest,
    texts: Texts<'_>,
) -> Result<Option<Signed>, HookError> {
    if keys.is_empty() {
        return Ok(None);
    }
    let place = place(library);
    let unread = |error| format!("cannot read its signature `{}`: {error}", shown(&place));
    let text = texts(&place).map_err(unread)?;
    let bad = |why: &str| format!("its signature `{}` {why}", shown(&place));
    let signature = Signature::decode(&text).map_err(|_| bad("is none as minisign makes them"))?;
    let (mut is_of_known_key, signed) = (false, signed(digest));
    for Key(key) in keys {
        match key.verify(signed.as_bytes(), &signature, false) {
            Ok(()) => {
                let comment = signature.trusted_comment().to_owned();
                return Ok(Some(Signed { text, comment }));
            }
            Err(Error::UnexpectedKeyId) => {}
            Err(_) => is_of_known_key = true,
        }
    }
    Err(match is_of_known_key {
        true => bad(&format!(
            "is not one of these bytes, whose SHA-256 is {digest}"
        )),
        false => bad("was made with another key than those that are required"),
    }
    .into())
}
