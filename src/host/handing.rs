//! Handing over: what a host of its own does between two generations, before the swap.

use std::time::Duration;

use replug_plugin::HookError;

use super::feed::{Fed, Feed, Owner};
use super::outcome::Outcome;
use super::owner::Host;
use super::succeed::Handover;
use crate::watch::update::Update;

/// A host for one poll or wait in which the caller takes part in each handover. Made by
/// [`Host::handing_over`].
#[derive(Debug)]
pub struct Handing<'a, T, F> {
    host: &'a mut Host<T>,
    hand_over: F,
}

impl<T> Host<T> {
    /// Lets `hand_over` do the last step before each swap of the poll or wait that follows. There the new generation gets
    /// what the host lends, by functions of the interface, and the old one takes leave. If `hand_over` fails, the new
    /// generation is stopped and kept out, and the old one stays.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use replug::{Host, Options};
    ///
    /// replug::interface! {
    ///     /// The rules of a game.
    ///     pub interface Rules, plugin trait Play, version 1 {
    ///         /// Gets ready.
    ///         fn begin(engine: &mut dyn Engine) -> Result<(), String>;
    ///         /// Gives back what was lent.
    ///         fn leave(engine: &mut dyn Engine) -> ();
    ///     }
    ///     /// What the game offers.
    ///     host trait Engine {
    ///         /// Shows a line.
    ///         fn log(&mut self, line: &str);
    ///     }
    /// }
    ///
    /// struct Screen;
    ///
    /// impl Engine for Screen {
    ///     fn log(&mut self, line: &str) {
    ///         println!("{line}");
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut screen = Screen;
    /// let mut host = Host::<Rules>::watch(Options::new("target/debug/librules.so"))?;
    /// let outcome = host
    ///     .handing_over(|generations| {
    ///         generations.new.begin(&mut screen)??;
    ///         if let Some(old) = generations.old {
    ///             old.leave(&mut screen)?;
    ///         }
    ///         Ok(())
    ///     })
    ///     .wait(Duration::from_millis(100));
    /// # Ok(())
    /// # }
    /// ```
    pub fn handing_over<F>(&mut self, hand_over: F) -> Handing<'_, T, F>
    where
        F: FnMut(Handover<'_, T>) -> Result<(), HookError>,
    {
        Handing {
            host: self,
            hand_over,
        }
    }
}

impl<T, F> Handing<'_, T, F>
where
    F: FnMut(Handover<'_, T>) -> Result<(), HookError>,
{
    /// As [`Host::poll`].
    pub fn poll(mut self) -> Option<Outcome> {
        self.take_waiting()
    }

    /// As [`Host::wait`].
    pub fn wait(mut self, timeout: Duration) -> Option<Outcome> {
        self.take_until(timeout)
    }

    /// As [`Host::apply`].
    pub fn apply(mut self, update: Update) -> Option<Outcome> {
        self.host.apply_with(update, &mut self.hand_over)
    }
}

impl<T, F> Owner for Handing<'_, T, F>
where
    F: FnMut(Handover<'_, T>) -> Result<(), HookError>,
{
    type Told = Outcome;

    fn feed(&mut self) -> &mut Feed {
        self.host.feed()
    }

    fn take(&mut self, fed: Fed) -> Option<Outcome> {
        self.host.take_with(fed, &mut self.hand_over)
    }

    fn sweep_up(&mut self) -> Option<Outcome> {
        self.host.sweep()
    }
}
