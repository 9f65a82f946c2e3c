//! Refusals of the compiler: names and types of a declaration that would go wrong later, or in silence.

use crate::text::Text;

/// The names of the methods by which a host's types are used. A function of an interface is called through these types like a
/// method, so one with such a name would never be reached.
pub const TAKEN: &[&str] = &[
    "apply",
    "artifact",
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
    "staged",
    "stall",
    "sweep",
    "try_into",
    "unloading",
    "updates",
    "wait",
    "wait_for_generation",
    "watcher",
    "watching",
];

/// What the compiler says of a name that is taken.
const MESSAGE: Text<{ message::<0>().len() }> = message();

const fn message<const N: usize>() -> Text<N> {
    let mut text = Text::new().put(
        "a function of an interface cannot have the name of a method of `Host`, `Plugin` or `Member`, \
         which would be called in its place; these names are taken: ",
    );
    let mut at = 0;
    while at < TAKEN.len() {
        text = text.put(if at == 0 { "" } else { ", " }).put(TAKEN[at]);
        at += 1;
    }
    text
}

/// Refuses a name that a function of an interface cannot have.
///
/// # Panics
///
/// If it is the name of a method of the host's types; in a constant, that is an error of the compiler.
pub const fn assert_free(name: &str) {
    let mut at = 0;
    while at < TAKEN.len() {
        assert!(!is_same(name, TAKEN[at]), "{}", MESSAGE.as_str());
        at += 1;
    }
}

const fn is_same(one: &str, other: &str) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one.as_bytes()[at] != other.as_bytes()[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether a type is written with the lifetime `'static`: the host takes back all that it lends, so nothing of it has
/// that.
pub const fn says_static(written: &str) -> bool {
    const STATIC: &[u8] = b"'static";
    let mut at = 0;
    while at + STATIC.len() <= written.len() {
        let mut same = 0;
        while same < STATIC.len() && written.as_bytes()[at + same] == STATIC[same] {
            same += 1;
        }
        if same == STATIC.len() {
            return true;
        }
        at += 1;
    }
    false
}
