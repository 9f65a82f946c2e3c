//! Whether a line that a page shows is like a line that the program says: equal, but for what differs from run to run.

use std::collections::BTreeMap;

use vocabulary::workspace;

/// The checkout, as pages have it.
const CHECKOUT: &str = "/src/replug";

/// The lengths of a digest, short and whole.
const DIGESTS: [usize; 2] = [8, 64];

/// What is known of digests: which one of a page stands for which one of this run.
#[derive(Debug, Default)]
pub(crate) struct Digests(BTreeMap<String, String>);

impl Digests {
    /// Whether a line of the page is like one that the program said. One digest of the page is one digest of the run, short or
    /// whole.
    pub(crate) fn fits(&mut self, shown: &str, said: &str) -> bool {
        if shape(shown) != shape(said) {
            return false;
        }
        let mut known = self.0.clone();
        for (our, their) in digests(shown).zip(digests(said)) {
            if *known.entry(our).or_insert_with(|| their.clone()) != their {
                return false;
            }
        }
        self.0 = known;
        true
    }
}

/// A line with `..` in place of times, sizes, digests, the filesystem, the machine, the compiler's version, and the path of
/// the checkout.
pub(crate) fn shape(line: &str) -> String {
    let line = line.replace(workspace().to_str().unwrap(), CHECKOUT);
    let words: Vec<&str> = line.split(' ').collect();
    let alike = words.iter().enumerate().map(|(at, word)| {
        let before = at.checked_sub(1).map_or("", |before| words[before]);
        let next = words.get(at + 1).map_or("", |next| bare(next));
        match differs(before, bare(word), next, &line) {
            true => word.replace(bare(word), ".."),
            false => (*word).to_owned(),
        }
    });
    let alike = alike.collect::<Vec<_>>().join(" ");
    // Behind the compiler's version stand a commit and a date.
    match alike.split_once("rustc ") {
        Some((head, _)) => format!("{head}rustc .."),
        None => alike,
    }
}

/// Whether a word differs from run to run, by what stands around it.
fn differs(before: &str, word: &str, next: &str, line: &str) -> bool {
    let is_quantity = is_number(word) && matches!(next, "ms" | "bytes");
    let is_filesystem = before == "filesystem";
    let is_machine = before == "for" && line.contains(" ELF for ") || word.starts_with("ld-linux");
    is_quantity || is_filesystem || is_machine || is_digest(word)
}

/// A word without what punctuation stands around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|it: char| "():,".contains(it))
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit())
}

fn is_digest(word: &str) -> bool {
    DIGESTS.contains(&word.len()) && word.bytes().all(|it| it.is_ascii_hexdigit())
}

/// The digests in a line, short.
fn digests(line: &str) -> impl Iterator<Item = String> {
    let words: Vec<&str> = line.split(' ').map(bare).collect();
    let is_size = |at: usize| words.get(at + 1).is_some_and(|next| *next == "bytes");
    let digests = (0..words.len()).filter(|at| is_digest(words[*at]) && !is_size(*at));
    let short: Vec<String> = digests
        .map(|at| words[at][..DIGESTS[0]].to_owned())
        .collect();
    short.into_iter()
}

#[test]
fn lines_fit_but_for_times_sizes_digests_and_the_machine() {
    let mut digests = Digests::default();
    let (first, second, third) = ("0bc0df9f", "a7e3af1c", "51f0c0de");
    let mut fits = |shown: &str, said: &str| digests.fits(shown, said);
    assert!(fits("built in 103 ms", "built in 7 ms"));
    assert!(!fits("built in 103 ms", "built in 7 s"));
    assert!(!fits("generation 1", "generation 2"));
    assert!(fits(
        "  filesystem ext4, local: x",
        "  filesystem tmpfs, local: x"
    ));
    assert!(!fits(
        "  filesystem ext4, local: x",
        "  filesystem ext4, remote: x"
    ));
    assert!(fits(&format!("is ({first})"), &format!("is ({second})")));
    let whole = |short: &str| short.repeat(8);
    assert!(fits(
        &format!("sha256 {}", whole(first)),
        &format!("sha256 {}", whole(second))
    ));
    assert!(!fits(&format!("is ({first})"), &format!("is ({third})")));
}
