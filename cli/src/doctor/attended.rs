//! Work on a thread that may hang: what it finds is said as it comes, and when nothing comes for long, that is a
//! finding. A thread that hangs in a dead filesystem is left behind.

use std::convert::Infallible;
use std::io;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select_biased};

use super::finding::Said;

/// How long the work may give no sign of life. A look at a healthy server takes milliseconds, and to read a large
/// library from a slow one takes a second or two.
pub(super) const SILENT: Duration = Duration::from_secs(5);

/// How long work that is told to stop may take to remove what it made. Shorter than the time after which the program is
/// ended from outside.
const LEAVING: Duration = Duration::from_millis(500);

/// A sign of life of the work.
enum Sign {
    /// Something begins: a clause about the program, such as `looked at it`.
    Begins(&'static str),
    /// It goes on.
    Alive,
    /// Something was found.
    Says(Said),
}

/// How attended work has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By itself.
    Done,
    /// It gives no sign of life since this began.
    Silent(&'static str),
    /// The user has stopped it.
    Stopped,
}

/// By whom the work gives its signs, and learns that it is to stop.
pub(super) struct Teller {
    signs: Sender<Sign>,
    /// Hung up when the work is to stop.
    stop: Receiver<Infallible>,
}

impl Teller {
    /// Says what begins now.
    pub(super) fn begins(&self, what: &'static str) {
        self.sign(Sign::Begins(what));
    }

    /// Says what was found.
    pub(super) fn says(&self, said: Said) {
        self.sign(Sign::Says(said));
    }

    /// Waits. False if the work is to stop.
    pub(super) fn pause(&self, time: Duration) -> bool {
        self.sign(Sign::Alive);
        self.stop.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }

    fn sign(&self, sign: Sign) {
        // Nobody listens any more to work that was given up.
        let _ = self.signs.send(sign);
    }
}

/// Does `work` on a thread of this name, and hands each of its findings to `say`.
pub(super) fn attend(
    name: &str,
    work: impl FnOnce(&Teller) + Send + 'static,
    stop: &Receiver<()>,
    say: &mut dyn FnMut(Said) -> io::Result<()>,
) -> io::Result<End> {
    attend_for(SILENT, LEAVING, name, work, stop, say)
}

fn attend_for(
    silent: Duration,
    leaving: Duration,
    name: &str,
    work: impl FnOnce(&Teller) + Send + 'static,
    stop: &Receiver<()>,
    say: &mut dyn FnMut(Said) -> io::Result<()>,
) -> io::Result<End> {
    let (signs, heard) = crossbeam_channel::unbounded();
    let (go_on, has_to_stop) = crossbeam_channel::bounded(0);
    let teller = Teller {
        signs,
        stop: has_to_stop,
    };
    thread::Builder::new()
        .name(format!("replug-{name}"))
        .spawn(move || work(&teller))?;
    let end = listen(silent, &heard, stop, say);
    drop(go_on);
    if !matches!(end, Ok(End::Silent(_))) {
        // It removes what it made, and hangs up.
        while heard.recv_timeout(leaving).is_ok() {}
    }
    end
}

fn listen(
    silent: Duration,
    heard: &Receiver<Sign>,
    stop: &Receiver<()>,
    say: &mut dyn FnMut(Said) -> io::Result<()>,
) -> io::Result<End> {
    let mut at = "began";
    loop {
        let sign = select_biased! {
            recv(stop) -> _ => return Ok(End::Stopped),
            recv(heard) -> sign => sign,
            default(silent) => return Ok(End::Silent(at)),
        };
        match sign {
            Ok(Sign::Begins(what)) => at = what,
            Ok(Sign::Alive) => {}
            Ok(Sign::Says(said)) => say(said)?,
            Err(_) => return Ok(End::Done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::page;
    use super::*;

    fn said() -> Said {
        Said::ok("a", "b", page::DOCTOR)
    }

    #[test]
    fn what_work_finds_is_said_in_order_until_it_ends() {
        let (_request, stop) = crossbeam_channel::bounded(1);
        let mut heard = Vec::new();
        let work = |teller: &Teller| (0..3).for_each(|_| teller.says(said()));
        let end = attend("test", work, &stop, &mut |said| {
            heard.push(said);
            Ok(())
        });
        assert_eq!(end.unwrap(), End::Done);
        assert_eq!(heard, [said(), said(), said()]);
    }

    #[test]
    fn work_that_hangs_is_given_up_and_what_it_did_is_named() {
        let (_request, stop) = crossbeam_channel::bounded(1);
        let (_never, hangs) = crossbeam_channel::bounded::<()>(0);
        let work = move |teller: &Teller| {
            teller.begins("looked at it");
            let _ = hangs.recv();
        };
        let silent = Duration::from_millis(1);
        let mut say = |_| Ok(());
        // A busy machine may take longer than that to begin.
        let end = attend_for(silent, LEAVING, "test", work, &stop, &mut say).unwrap();
        assert!(
            matches!(end, End::Silent("looked at it" | "began")),
            "{end:?}"
        );
    }

    #[test]
    fn work_that_is_stopped_is_waited_for() {
        let (request, stop) = crossbeam_channel::bounded(1);
        let (left, has_left) = crossbeam_channel::bounded(1);
        let work = move |teller: &Teller| {
            request.send(()).unwrap();
            while teller.pause(Duration::from_millis(1)) {}
            left.send(()).unwrap();
        };
        // A busy machine may take longer than is waited for by the program.
        let patience = Duration::from_secs(60);
        let end = attend_for(patience, patience, "test", work, &stop, &mut |_| Ok(()));
        assert_eq!(end.unwrap(), End::Stopped);
        assert!(has_left.try_recv().is_ok());
    }
}
