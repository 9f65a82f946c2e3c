//! What follows from the filesystem that a path is on. Pure.

use replug::watch::Place;

use super::finding::{Said, page};

/// What is to be said of a place.
pub(super) fn judge(place: &Place) -> Vec<Said> {
    vec![filesystem(place), events(place)]
}

fn filesystem(place: &Place) -> Said {
    let words = format!("{place}: {}", place.manner());
    let doc = match place.filesystem.as_ref() {
        "fuse.sshfs" => page::SSHFS,
        _ => page::FILESYSTEMS,
    };
    match place.advice() {
        Some(advice) => Said::note("filesystem", words, Some(advice), doc),
        None => Said::ok("filesystem", words, doc),
    }
}

/// Whether events would have arrived there. replug asks for none, so that is never more than a note.
fn events(place: &Place) -> Said {
    let name = replug::shown::shown(&*place.filesystem);
    let known = match cfg!(target_os = "linux") {
        true => "the table of mounts, or `statfs`, says",
        false => "nothing here tells, so it counts as",
    };
    match place.is_remote() {
        false => Said::ok(
            "events",
            format!(
                "file events would arrive as well: {known} `{name}`, which changes through this system alone; none are \
                 asked for"
            ),
            page::FILESYSTEMS,
        ),
        true => Said::note(
            "events",
            format!(
                "file events would not arrive for what others change: {known} `{name}`, which others change past this \
                 system's kernel, and no kernel sends events of what it did not do; replug asks for none and looks by \
                 itself"
            ),
            None,
            page::FILESYSTEMS,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use replug::GatePolicy;
    use replug::watch::{Locality, Names};

    use super::super::finding::Weight;
    use super::*;

    fn place(filesystem: &'static str, locality: Locality) -> Place {
        Place {
            filesystem: Cow::Borrowed(filesystem),
            locality,
            looks_can_lag: false,
            names: Names::ByLook,
            tells_writers: true,
            gate: GatePolicy::Auto,
        }
    }

    #[test]
    fn events_are_said_to_arrive_only_where_all_changes_pass_through_this_system() {
        for (filesystem, locality, arrives) in [
            ("ext4", Locality::Local, true),
            ("tmpfs", Locality::Local, true),
            ("nfs", Locality::Remote, false),
            ("9p", Locality::Remote, false),
            ("fuse.bindfs", Locality::Remote, false),
        ] {
            let said = &judge(&place(filesystem, locality))[1];
            assert_eq!(
                said.words.contains("would arrive as well"),
                arrives,
                "{said:?}"
            );
            assert!(said.words.contains(&format!("`{filesystem}`")), "{said:?}");
            assert_ne!(said.weight, Weight::Finding);
        }
    }

    #[test]
    fn advice_for_a_filesystem_is_what_to_do() {
        let said = &judge(&place("fuse.sshfs", Locality::Remote))[0];
        assert_eq!(said.weight, Weight::Note);
        assert!(said.remedy.as_ref().unwrap().contains("dir_cache=no"));
        assert_eq!(judge(&place("ext4", Locality::Local))[0].weight, Weight::Ok);
    }
}
