//! A real NFS server, v4.2 and v3, in a guest under software emulation, and 9p between the guest and its host:
//! `host.sh` boots it, `guest.sh` works in it, a turn for each version, and writes lines, which are judged here. The command
//! in `docs/testing.md` takes half an hour, of which most is quiet, because that is when clients stop asking. Prints
//! the rows of the tables in `docs/filesystems.md`.
//!
//! `REPLUG_NFS='v3 unmounted soft'` in the environment runs one turn and two cases of it, for working on them.

#![cfg(target_os = "linux")]

mod bounds;
mod results;
mod rows;

use results::Results;

#[test]
fn what_changes_on_a_server_or_on_the_way_there_is_seen_and_outages_are_survived() {
    let results = Results::of_guest();
    rows::print(&results);
    let broken = bounds::broken(&results);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
