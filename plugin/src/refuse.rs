//! Refusals of the compiler: names and types of a declaration that would go wrong later, or in silence.

/// The names of the methods by which a host's types are used. A function of an interface is called through these types
/// like a method, so one with such a name would never be reached.
pub const TAKEN: &[&str] = &[
    "apply",
    "artifact",
    "back",
    "back_to",
    "borrow",
    "borrow_mut",
    "call_failed",
    "clone",
    "deref",
    "deref_mut",
    "digest",
    "drop",
    "expecting",
    "generation",
    "handle",
    "into",
    "is_missing",
    "live",
    "name",
    "poll",
    "release",
    "staged",
    "stall",
    "sweep",
    "to_owned",
    "try_into",
    "type_id",
    "unloading",
    "updates",
    "wait",
    "wait_for_generation",
    "watcher",
    "watching",
];

/// Whether a function of an interface cannot have this name, which may be written as a raw identifier.
pub const fn is_taken(name: &str) -> bool {
    let mut at = 0;
    while at < TAKEN.len() {
        if is_same_but_for_raw(name.as_bytes(), TAKEN[at].as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether a name is the same as another, but for the `r#` of a raw identifier before the first.
const fn is_same_but_for_raw(name: &[u8], other: &[u8]) -> bool {
    let skipped = match name {
        [b'r', b'#', ..] => 2,
        _ => 0,
    };
    if name.len() != skipped + other.len() {
        return false;
    }
    let mut at = 0;
    while at < other.len() {
        if name[skipped + at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether a type is written with the lifetime `'static`: the host takes back all that it lends, so nothing of it has
/// that. A `Cow<'static, str>` is not lent but given.
pub const fn says_static(written: &str) -> bool {
    count(written.as_bytes(), b"'static") > count(written.as_bytes(), b"Cow<'static")
}

/// Whether a type is written with a macro's call. No type that crosses needs a `!` for anything else.
pub const fn says_macro(written: &str) -> bool {
    count(written.as_bytes(), b"!") > 0
}

/// Whether a type is written as `dyn` of this very trait, not of one in another module.
pub const fn says_dyn(written: &str, name: &str) -> bool {
    let (written, name) = (written.as_bytes(), name.as_bytes());
    let word = b"dyn ";
    let mut at = 0;
    while at + word.len() + name.len() <= written.len() {
        let end = at + word.len() + name.len();
        if begins(written, at, word) && begins(written, at + word.len(), name) {
            let goes_on = end < written.len()
                && (written[end].is_ascii_alphanumeric()
                    || matches!(written[end], b'_' | b':' | 0x80..));
            if !goes_on {
                return true;
            }
        }
        at += 1;
    }
    false
}

/// Whether `word` is in `written` at a place.
const fn begins(written: &[u8], at: usize, word: &[u8]) -> bool {
    let mut same = 0;
    while same < word.len() && at + same < written.len() && written[at + same] == word[same] {
        same += 1;
    }
    same == word.len()
}

/// How often `word` is in `written`.
const fn count(written: &[u8], word: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at + word.len() <= written.len() {
        if begins(written, at, word) {
            count += 1;
        }
        at += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_refused_as_a_raw_identifier_too() {
        for name in TAKEN {
            assert!(is_taken(name), "{name}");
            assert!(is_taken(&format!("r#{name}")), "{name}");
        }
        for name in ["", "r#", "r", "pol", "polls", "greet", "r#type", "_poll"] {
            assert!(!is_taken(name), "{name}");
        }
    }

    #[test]
    fn what_is_given_may_be_static_and_what_is_lent_may_not() {
        for given in ["Cow<'static, str>", "Vec<Cow<'static, str>>", "&str", "u8"] {
            assert!(!says_static(given), "{given}");
        }
        for lent in ["&'static str", "(Cow<'static, str>, &'static u8)"] {
            assert!(says_static(lent), "{lent}");
        }
    }

    #[test]
    fn a_trait_is_known_by_its_whole_name() {
        for own in ["&mut dyn Engine", "&dyn Engine", "& mut (dyn Engine + '_)"] {
            assert!(says_dyn(own, "Engine"), "{own}");
        }
        for other in [
            "&dyn Engines",
            "&dyn other::Engine",
            "&dyn Engine::Own",
            "Engine",
            "",
        ] {
            assert!(!says_dyn(other, "Engine"), "{other}");
        }
    }

    #[test]
    fn the_words_of_the_compiler_name_all_that_are_taken() {
        let listed = TAKEN.join(", ");
        let message = include_str!("declare.rs").replace("\\\n", "");
        let words: Vec<_> = message.split_whitespace().collect();
        assert!(words.join(" ").contains(&listed), "{listed}");
    }
}
