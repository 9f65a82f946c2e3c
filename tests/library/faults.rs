//! Faults that end: what is found, read and said once they are over.

use std::time::Duration;

use vocabulary::{Asked, ByHand, Scratch, Spy, failure, library};

#[test]
fn a_file_that_is_looked_at_but_not_found_when_it_is_opened_is_read_soon_after_it_is() {
    for lasts in [60, 64, 68] {
        let scratch = Scratch::new();
        let artifact = scratch.artifact();
        artifact.link(&library(1));
        let files = Spy::on_this_machine(|_| {});
        let faults = files.faults.clone();
        let mut watch = ByHand::watch(&scratch, artifact.path(), files);
        faults.begin(|asked| matches!(asked, Asked::Open(_)).then_some(failure::ABSENT));
        watch.poll_for(Duration::from_secs(lasts));
        assert_eq!(watch.poller.digests(), 0);
        faults.end();
        // As after each failure: two seconds at most, and a poll.
        watch.poll_for(Duration::from_secs(3));
        assert!(watch.poller.digests() > 0, "after {lasts} s");
    }
}
