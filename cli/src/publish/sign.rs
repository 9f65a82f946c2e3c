//! Signatures of what is published, with a secret key of minisign's.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use minisign::{SecretKey, SecretKeyBox};
use replug::Digest;
use replug::shown::shown;

use super::aside::aside;
use super::failure::PublishError;

/// What is behind the name of a library in that of its signature.
const SUFFIX: &str = ".minisig";

/// A secret key that can sign.
pub(super) struct Signer<'a> {
    key: SecretKey,
    comment: &'a str,
}

impl Signer<'_> {
    /// Reads the key from a file. The password of a key that has one is asked for on the terminal.
    pub(super) fn read<'a>(file: &Path, comment: &'a str) -> Result<Signer<'a>, PublishError> {
        let key = secret_key(file)?;
        Ok(Signer { key, comment })
    }

    /// Puts the signature of a digest beside the place of a library, whole at each moment.
    pub(super) fn sign(&self, digest: Digest, library: &Path) -> Result<PathBuf, PublishError> {
        // As the library reads them: `sha256sum` writes the digest so, and a line ends.
        let text = format!("{digest}\n");
        let signed = minisign::sign(None, &self.key, text.as_bytes(), Some(self.comment), None);
        let signed = signed.map_err(|error| PublishError::Write {
            path: place_of(library),
            source: io::Error::other(error.to_string()),
        })?;
        put(library, &signed.into_string())
    }
}

/// Reads a secret key from a file. The password of a key that has one is asked for on the terminal.
pub(crate) fn secret_key(file: &Path) -> Result<SecretKey, PublishError> {
    let unread = |reason: String| PublishError::Key {
        path: file.to_owned(),
        reason,
    };
    let text = fs::read_to_string(file).map_err(|error| unread(error.to_string()))?;
    let key = || SecretKeyBox::from_string(&text);
    key()
        .and_then(SecretKeyBox::into_unencrypted_secret_key)
        .or_else(|_| key()?.into_secret_key(None))
        .map_err(|error| unread(error.to_string()))
}

/// The place of a library's signature.
fn place_of(library: &Path) -> PathBuf {
    let mut name = library.as_os_str().to_owned();
    name.push(SUFFIX);
    PathBuf::from(name)
}

/// Puts the text of a signature beside the place of a library, whole at each moment.
pub(super) fn put(library: &Path, signature: &str) -> Result<PathBuf, PublishError> {
    let place = place_of(library);
    let unwritten = |source| PublishError::Write {
        path: place.clone(),
        source,
    };
    let mut aside = aside(&place).map_err(unwritten)?;
    let write = aside.write_all(signature.as_bytes());
    write
        .and_then(|()| aside.as_file().sync_all())
        .map_err(unwritten)?;
    let renamed = aside.persist(&place).map_err(|failed| failed.error);
    renamed.map_err(unwritten)?;
    Ok(place)
}

/// Whether a comment is one line, as a signature has it.
pub(crate) fn is_line(comment: &str) -> Result<String, String> {
    match comment.contains(['\n', '\r']) {
        true => Err(format!("`{}` is more than one line", shown(comment))),
        false => Ok(comment.to_owned()),
    }
}
