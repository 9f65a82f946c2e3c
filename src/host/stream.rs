//! An owner as the stream of its outcomes, for owners that live in an executor. A thread waits in the owner's place, and
//! wakes its task.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::feed::Owner;
use super::outcome::Outcome;
use super::owner::Host;
use super::set::HostSet;
use crate::boundary::Table;

/// The outcomes, as they come, with the feature `stream`. The stream never ends. A plugin is loaded within the poll of the
/// stream, on the thread that polls it. What is dropped before it is ready has lost nothing.
///
/// # Examples
///
/// ```no_run
/// use futures_util::StreamExt as _;
/// use replug::{Host, Options};
///
/// replug::interface! {
///     /// Adds.
///     pub interface Adder, plugin trait Add, version 1 {
///         /// The sum.
///         fn add(one: u32, other: u32) -> u32;
///     }
/// }
///
/// # async fn run(mut requests: tokio::sync::mpsc::Receiver<u32>) -> Result<(), Box<dyn std::error::Error>> {
/// let mut host = Host::<Adder>::watch(Options::new("target/debug/libadder.so"))?;
/// loop {
///     tokio::select! {
///         // Code changes in here and nowhere else.
///         Some(outcome) = host.next() => println!("{outcome}"),
///         Some(number) = requests.recv() => println!("{:?}", host.add(number, 1)),
///         else => return Ok(()),
///     }
/// }
/// # }
/// ```
impl<T: Unpin> Stream for Host<T> {
    type Item = Outcome;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        next(self.get_mut(), context)
    }
}

/// The outcomes, each with the artifact that it is about, as the stream of a [`Host`].
impl<T: Table + Unpin> Stream for HostSet<T> {
    type Item = (Arc<Path>, Outcome);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        next(self.get_mut(), context)
    }
}

fn next<O: Owner>(owner: &mut O, context: &mut Context<'_>) -> Poll<Option<O::Told>> {
    // Armed first: what comes after the look rings.
    owner.feed().arm(context.waker());
    match owner.take_waiting() {
        Some(told) => Poll::Ready(Some(told)),
        None => Poll::Pending,
    }
}
