//! The keys of a terminal: single keys without Enter, as long as the program is in the foreground. The terminal is left
//! as it was found.

#[cfg(unix)]
pub(super) use unix::Keys;

#[cfg(not(unix))]
pub(super) use elsewhere::Keys;

/// What a key asks for.
// Elsewhere nobody takes the keys of a terminal.
#[cfg_attr(not(unix), allow(dead_code))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Build,
    Hold,
    Back,
    Start,
    Clear,
    Quit,
    Help,
}

/// The keys for people.
pub(super) const HELP: &str =
    "r build, h hold or apply, b back, s start the command again, c clear, q quit, ? help";

impl Key {
    #[cfg_attr(not(unix), allow(dead_code))]
    fn of(byte: u8) -> Option<Key> {
        match byte {
            b'r' => Some(Key::Build),
            b'h' => Some(Key::Hold),
            b'b' => Some(Key::Back),
            b's' => Some(Key::Start),
            b'c' => Some(Key::Clear),
            b'q' => Some(Key::Quit),
            b'?' => Some(Key::Help),
            _ => None,
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::io::{self, Read as _};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;

    use crossbeam_channel::Receiver;
    use rustix::process::getpgrp;
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp,
        tcsetattr,
    };

    use super::Key;

    /// In the place of a key: no key does this.
    const NO_KEY: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

    /// The terminal, while it hands over each key at once. Dropping it, or [`Restore`], puts the terminal back.
    pub(in crate::dev) struct Keys {
        pressed: Receiver<Key>,
        restore: Restore,
    }

    /// The means to put the terminal back, for whoever ends the program from outside.
    #[derive(Clone, Default)]
    pub(in crate::dev) struct Restore(Arc<Mutex<Option<Termios>>>);

    impl Keys {
        /// Takes over the keys, if somebody can press some: the program's input is a terminal, and the program is in
        /// its foreground.
        pub(in crate::dev) fn take(is_wanted: bool) -> Keys {
            let restore = Restore::default();
            let nobody = |restore| Keys {
                pressed: crossbeam_channel::never(),
                restore,
            };
            let input = io::stdin();
            let is_in_front = || tcgetpgrp(&input).is_ok_and(|group| group == getpgrp());
            if !is_wanted || !isatty(&input) || !is_in_front() {
                return nobody(restore);
            }
            match restore.change().and_then(|()| listen()) {
                Ok(pressed) => Keys { pressed, restore },
                Err(error) => {
                    tracing::warn!("cannot take keys from the terminal: {error}");
                    nobody(restore)
                }
            }
        }

        pub(in crate::dev) fn pressed(&self) -> &Receiver<Key> {
            &self.pressed
        }

        pub(in crate::dev) fn restore(&self) -> Restore {
            self.restore.clone()
        }

        /// Whether keys are taken.
        pub(in crate::dev) fn are_taken(&self) -> bool {
            let before = self.restore.0.lock();
            before.unwrap_or_else(PoisonError::into_inner).is_some()
        }
    }

    impl Drop for Keys {
        fn drop(&mut self) {
            self.restore.restore();
        }
    }

    impl Restore {
        /// Lets keys through one by one, and shows none. Ctrl-C stays a signal, and lines still end as before. Ctrl-Z is none:
        /// whoever stops the program would find a terminal that shows nothing.
        fn change(&self) -> io::Result<()> {
            let before = tcgetattr(io::stdin())?;
            let mut single = before.clone();
            single.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            single.special_codes[SpecialCodeIndex::VMIN] = 1;
            single.special_codes[SpecialCodeIndex::VTIME] = 0;
            single.special_codes[SpecialCodeIndex::VSUSP] = NO_KEY;
            tcsetattr(io::stdin(), OptionalActions::Now, &single)?;
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
            Ok(())
        }

        /// Puts the terminal back, once.
        pub(in crate::dev) fn restore(&self) {
            let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(before) = before
                && let Err(error) = tcsetattr(io::stdin(), OptionalActions::Now, &before)
            {
                // A terminal that was closed needs nothing.
                tracing::debug!(%error, "cannot put the terminal back");
            }
        }
    }

    fn listen() -> io::Result<Receiver<Key>> {
        let (press, pressed) = crossbeam_channel::unbounded();
        thread::Builder::new()
            .name("replug-keys".to_owned())
            .spawn(move || {
                let mut byte = [0];
                while matches!(io::stdin().read(&mut byte), Ok(1)) {
                    if let Some(key) = Key::of(byte[0])
                        && press.send(key).is_err()
                    {
                        return;
                    }
                }
                // Hung up would be a queue that is always ready. Nobody can press a key any more.
                std::mem::forget(press);
            })?;
        Ok(pressed)
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use crossbeam_channel::Receiver;

    use super::Key;

    /// No keys are taken here.
    pub(in crate::dev) struct Keys(Receiver<Key>);

    /// Nothing to put back.
    #[derive(Clone, Default)]
    pub(in crate::dev) struct Restore;

    impl Keys {
        pub(in crate::dev) fn take(_is_wanted: bool) -> Keys {
            Keys(crossbeam_channel::never())
        }

        pub(in crate::dev) fn pressed(&self) -> &Receiver<Key> {
            &self.0
        }

        pub(in crate::dev) fn restore(&self) -> Restore {
            Restore
        }

        pub(in crate::dev) fn are_taken(&self) -> bool {
            false
        }
    }

    impl Restore {
        pub(in crate::dev) fn restore(&self) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_that_is_told_of_does_something() {
        let keys = HELP.split(", ").map(|it| it.as_bytes()[0]);
        let asked: Vec<_> = keys
            .map(|it| Key::of(it).expect("a key of the help"))
            .collect();
        let all = [
            Key::Build,
            Key::Hold,
            Key::Back,
            Key::Start,
            Key::Clear,
            Key::Quit,
            Key::Help,
        ];
        assert_eq!(asked, all);
        assert_eq!(Key::of(b'x'), None);
    }
}
