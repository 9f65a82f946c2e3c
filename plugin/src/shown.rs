//! Foreign text as it is printed. Names of files, words of a loader and answers of plugins come from others, who can
//! write into them what moves a cursor, begins a new line, or turns the order of letters around. One function spells
//! such characters out; everything that replug prints goes through it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Write};

/// Foreign text that is safe to print: on a terminal, in a log, in a line that others read.
///
/// Made by [`shown`]. Its `Display` is always one line.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(&'a [u8]);

/// Any text, name or path, to be printed.
///
/// Characters that are not seen or that move others are spelled out: `\n`, `\x1b`, `\u{202e}`; a byte that belongs to no
/// character as `\xff`. All others stay as they are, backslashes as well, so text that is shown twice is shown once.
///
/// # Examples
///
/// ```
/// use replug_plugin::shown::shown;
///
/// assert_eq!(shown("libé\u{1b}[2J.so").to_string(), r"libé\x1b[2J.so");
/// ```
pub fn shown<T: AsRef<OsStr> + ?Sized>(text: &T) -> Shown<'_> {
    shown_bytes(text.as_ref().as_encoded_bytes())
}

/// Text that comes as bytes, such as a symbol's name in C, to be printed as by [`shown`].
pub fn shown_bytes(text: &[u8]) -> Shown<'_> {
    Shown(text)
}

/// A name or a path as text that keeps every character, for a format that has escapes of its own. A byte that belongs to
/// no character is spelled out as in [`shown`], so two names are two texts, unless one of them has such a spelling in it.
pub fn spelled<T: AsRef<OsStr> + ?Sized>(name: &T) -> Cow<'_, str> {
    spelled_bytes(name.as_ref().as_encoded_bytes())
}

/// Text that comes as bytes, to be kept as by [`spelled`].
pub fn spelled_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    // A string takes whatever is written to it.
    let _ = each(bytes, &mut text, |character, text| {
        text.write_char(character)
    });
    Cow::Owned(text)
}

/// Whether a character is not seen itself, or moves what is printed beside it: control characters, the ends of lines,
/// and those that turn the order of letters around, join them, or take no room.
pub fn is_hidden(character: char) -> bool {
    let moves = matches!(character,
        // The order of letters, and the ends of lines and paragraphs.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}');
    let has_no_room = matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}');
    character.is_control() || moves || has_no_room
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each(self.0, f, |character, f| match character {
            '\n' => f.write_str("\\n"),
            '\r' => f.write_str("\\r"),
            '\t' => f.write_str("\\t"),
            hidden if is_hidden(hidden) && hidden.is_ascii() => {
                write!(f, "\\x{:02x}", u32::from(hidden))
            }
            hidden if is_hidden(hidden) => write!(f, "\\u{{{:x}}}", u32::from(hidden)),
            seen => f.write_char(seen),
        })
    }
}

/// Writes each character of `text` by `write`, and spells out the bytes in between that belong to none.
fn each<W: Write>(
    text: &[u8],
    to: &mut W,
    write: impl Fn(char, &mut W) -> fmt::Result,
) -> fmt::Result {
    for chunk in text.utf8_chunks() {
        chunk
            .valid()
            .chars()
            .try_for_each(|character| write(character, to))?;
        let mut others = chunk.invalid().iter();
        others.try_for_each(|byte| write!(to, "\\x{byte:02x}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_or_hides_is_spelled_out() {
        for (text, printed) in [
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\0\x1b[2J\x07\x7f", r"\x00\x1b[2J\x07\x7f"),
            ("\u{80}\u{9b}2J", r"\u{80}\u{9b}2J"),
            ("\u{202a}\u{202e}gpj", r"\u{202a}\u{202e}gpj"),
            ("\u{2066}\u{2069}", r"\u{2066}\u{2069}"),
            ("\u{200e}\u{200f}\u{61c}", r"\u{200e}\u{200f}\u{61c}"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            ("\u{200b}\u{200d}\u{feff}", r"\u{200b}\u{200d}\u{feff}"),
            ("\u{ad}\u{e0041}\u{e0100}", r"\u{ad}\u{e0041}\u{e0100}"),
            ("\u{2800}\u{3164}\u{ffa0}", r"\u{2800}\u{3164}\u{ffa0}"),
        ] {
            assert_eq!(shown(text).to_string(), printed, "{text:?}");
        }
    }

    #[test]
    fn ordinary_text_stays_as_it_is_and_so_does_text_that_was_shown_before() {
        for text in [
            "",
            "plugin01",
            "é 日本 🦀 ❤️",
            r"C:\new\x1b",
            "`$(rm)`",
            "e\u{301}",
        ] {
            assert_eq!(shown(text).to_string(), text);
        }
        let once = shown("a\n\u{202e}").to_string();
        assert_eq!(shown(&once).to_string(), once);
    }

    #[test]
    fn it_is_one_line_without_controls_whatever_the_character() {
        for character in char::MIN..=char::MAX {
            let printed = shown(&character.to_string()).to_string();
            assert!(!printed.chars().any(is_hidden), "{character:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_spelled_out_and_told_apart() {
        use std::os::unix::ffi::OsStrExt;

        let name = |bytes| OsStr::from_bytes(bytes);
        assert_eq!(shown(name(b"a\xff\n")).to_string(), r"a\xff\n");
        assert_eq!(spelled(name(b"a\xff\n\xc3\xa9")), "a\\xff\né");
        assert_ne!(spelled(name(b"\xff")), spelled(name(b"\xfe")));
        assert_eq!(spelled("a\n\u{202e}"), "a\n\u{202e}");
    }
}
