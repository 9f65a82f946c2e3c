//! Stores: directories that keep the last builds of a host, with what became of each. A host writes to its store on the
//! worker's thread; anybody may read the [`history()`], and [`ask()`] for a way back.
//!
//! ```no_run
//! # fn main() -> Result<(), replug::store::StoreError> {
//! for past in replug::store::history("/var/lib/mine/store".as_ref())?.builds() {
//!     println!("{} {} {}", past.plugin(), past.digest(), past.is_live());
//! }
//! # Ok(())
//! # }
//! ```

// The journal, what it adds up to, and what follows: pure.
mod history;
mod lines;
mod request;
mod verdict;

// The disk.
mod files;
mod kept;

pub(crate) use self::history::Hold;
pub use self::history::{End, History, Life, Past};
pub(crate) use self::kept::released;
pub(crate) use self::kept::{Opened, Store};
pub use self::kept::{StoreError, ask, history, is_in_use};
pub(crate) use self::lines::{Along, Build, Event, Parts};
pub(crate) use self::request::Plan;
pub use self::request::{Answer, NoWay, Verb, Wish};
pub(crate) use self::verdict::prefix_of;
