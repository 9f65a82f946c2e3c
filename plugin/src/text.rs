//! A handshake as text, written by the compiler. One fact a line, so that two texts can be compared by people.

use std::{ptr, str};

use crate::facts::FACTS;
use crate::layouts::LAYOUTS;

/// The first line of every handshake. It says that the text is a handshake, and which rules the rest follows.
pub const FORMAT: &str = "replug handshake 3";

/// The version of this crate. A handshake names it, and a host compares it with that of its own.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Text of at most `N` bytes. Bytes that do not fit are counted and not kept, so that a first run finds out the
/// length. Written in its place: to move a long text at each word takes the compiler many seconds.
#[derive(Debug, Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub(crate) const fn new() -> Text<N> {
        Text {
            bytes: [0; N],
            len: 0,
        }
    }

    /// The length of all that was written, in bytes, whether it fitted or not.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The text that was written.
    ///
    /// # Panics
    ///
    /// If the text is not `N` bytes long.
    pub const fn as_str(&self) -> &str {
        assert!(self.len == N, "text of another length than was counted");
        // SAFETY: as many bytes were written as there is room for, so none was left out: whole texts and digits. To look at each
        // of them takes the compiler longer than to write them.
        unsafe { str::from_utf8_unchecked(&self.bytes) }
    }

    /// This text with no more room than it takes.
    pub(crate) const fn cut<const LEN: usize>(&self) -> Text<LEN> {
        assert!(self.len == LEN && LEN <= N, "text that did not fit");
        let mut bytes = [0; LEN];
        // SAFETY: so many bytes are in both, as was just seen.
        unsafe { ptr::copy_nonoverlapping(self.bytes.as_ptr(), bytes.as_mut_ptr(), LEN) };
        Text { bytes, len: LEN }
    }

    /// The text, if it fitted.
    #[cfg(test)]
    pub(crate) fn written(&self) -> Option<&str> {
        let written = self.bytes.get(..self.len)?;
        Some(std::str::from_utf8(written).expect("text is put together of whole texts"))
    }

    pub(crate) const fn put(&mut self, text: &str) -> &mut Text<N> {
        // The first run only counts. What is copied in one step takes the compiler a fraction of what a loop takes.
        if text.len() <= N && self.len <= N - text.len() {
            // SAFETY: the place is in this text or at its end, as was just seen.
            let place = unsafe { self.bytes.as_mut_ptr().add(self.len) };
            // SAFETY: so many bytes lie behind the place, and `text` is not among them.
            unsafe { ptr::copy_nonoverlapping(text.as_ptr(), place, text.len()) };
        }
        self.len += text.len();
        self
    }

    pub(crate) const fn number(&mut self, number: usize) -> &mut Text<N> {
        let (mut digits, mut more) = (1, number / 10);
        while more > 0 {
            digits += 1;
            more /= 10;
        }
        // From the last digit on, each if it fits.
        let (mut left, mut at) = (number, self.len + digits);
        while at > self.len {
            at -= 1;
            if at < N {
                self.bytes[at] = b'0' + (left % 10) as u8;
            }
            left /= 10;
        }
        self.len += digits;
        self
    }

    const fn handshake(declaration: &str, panics: &str) -> Text<N> {
        let mut text = Text::new();
        text.put(FORMAT)
            .put("\nreplug-plugin ")
            .put(VERSION)
            .put("\nrustc ")
            .put(env!("REPLUG_RUSTC"))
            .put("\ntarget ")
            .put(env!("REPLUG_TARGET"))
            .put("\npanic ")
            .put(panics)
            .put("\n")
            .put(LAYOUTS);
        if is_ordinary(declaration) {
            text.put(FACTS);
        }
        text.put(declaration).put("\0");
        text
    }
}

/// The line of a declaration at the rust level. The plain level has none.
pub const LEVEL: &str = "level rust\n";

/// Whether a declaration is at the rust level.
pub const fn is_ordinary(declaration: &str) -> bool {
    let (text, line) = (declaration.as_bytes(), LEVEL.as_bytes());
    // It is the second line.
    let mut at = 0;
    while at < text.len() && text[at] != b'\n' {
        at += 1;
    }
    let mut same = 0;
    while same < line.len() && at + 1 + same < text.len() && text[at + 1 + same] == line[same] {
        same += 1;
    }
    same == line.len()
}

/// The length of the handshake of a plugin that implements `declaration`.
pub const fn handshake_len(declaration: &str, panics: &str) -> usize {
    Text::<0>::handshake(declaration, panics).len()
}

/// The handshake itself, with a NUL at its end.
pub const fn handshake_text<const N: usize>(declaration: &str, panics: &str) -> [u8; N] {
    Text::<N>::handshake(declaration, panics).bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_with_all_its_digits_and_counted_where_it_does_not_fit() {
        for number in [0, 7, 10, 99, 100, 4096, usize::MAX] {
            let mut text = Text::<64>::new();
            text.put("at ").number(number).put(".");
            assert_eq!(text.written(), Some(&*format!("at {number}.")));
            let mut counted = Text::<0>::new();
            counted.put("at ").number(number).put(".");
            assert_eq!(counted.len(), text.len());
        }
    }
}
