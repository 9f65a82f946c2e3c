//! Lost copies: builds whose staged copy somebody took away before it was loaded, and whether such a build is to be
//! staged again. The file has not changed, so nobody else would ask for that.

use super::outcome::{Kept, Outcome};
use crate::boundary::LoadFailure;
use crate::error::Error;
use crate::look::digest::Digest;

/// How often one build is staged again. Whoever tidies a directory comes once in hours or days; whoever takes copies
/// away more often than that does so every time.
const MOST: u8 = 3;

/// The build of which copies were lost last, and how many of them were lost one after another.
#[derive(Debug, Default)]
pub(super) struct Lost {
    digest: Option<Digest>,
    copies: u8,
}

impl Lost {
    /// Takes down what became of a build, and says whether the build is to be staged again.
    pub(super) fn calls_for_another(&mut self, outcome: &Outcome) -> bool {
        let Outcome::Kept(Kept {
            error: Error::Load { source, .. },
            digest,
            ..
        }) = outcome
        else {
            *self = Lost::default();
            return false;
        };
        if !matches!(source, LoadFailure::NotVetted { .. }) {
            *self = Lost::default();
            return false;
        }
        if self.digest != *digest {
            *self = Lost {
                digest: *digest,
                copies: 0,
            };
        }
        self.copies = self.copies.saturating_add(1);
        self.copies <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(digest: &str, source: LoadFailure) -> Outcome {
        Outcome::Kept(Kept {
            live: None,
            digest: Some(Digest::of(digest.as_bytes())),
            error: Error::Load {
                path: "/libx.so".into(),
                source,
            },
        })
    }

    fn lost(digest: &str) -> Outcome {
        let staged = "/stage/libx.1.so".into();
        kept(digest, LoadFailure::NotVetted { staged })
    }

    #[test]
    fn a_build_whose_copies_are_lost_is_staged_again_some_times_only() {
        let mut copies = Lost::default();
        for _ in 0..MOST {
            assert!(copies.calls_for_another(&lost("one")));
        }
        assert!(!copies.calls_for_another(&lost("one")));
        assert!(copies.calls_for_another(&lost("other")), "another build");
        for _ in 1..MOST {
            assert!(copies.calls_for_another(&lost("other")));
        }
        assert!(!copies.calls_for_another(&lost("other")));
    }

    #[test]
    fn a_build_that_is_kept_out_for_itself_is_not_staged_again() {
        let mut copies = Lost::default();
        assert!(!copies.calls_for_another(&kept("one", LoadFailure::SameImage)));
        assert!(!copies.calls_for_another(&Outcome::Missing));
    }
}
