//! The rows, in the order of the table.

mod builds;
mod calls;
mod checked;
mod handles;
mod idle;
mod latency;
mod memory;
mod onto;
mod pause;
mod process;
mod same_stamp;
mod saves;
mod slow;
mod staging;

use crate::row::Row;

/// All of them.
pub const ALL: &[&dyn Row] = &[
    &idle::ONE,
    &idle::MANY,
    &idle::CROWD,
    &process::Process,
    &latency::QUICK,
    &latency::USUAL,
    &latency::HARD,
    &onto::Onto,
    &latency::DEBUG,
    &builds::EAGER,
    &builds::USUAL,
    &checked::Checked,
    &saves::Saves,
    &slow::STEADY,
    &slow::PAUSED,
    &same_stamp::SameStamp,
    &pause::SMALL,
    &pause::LARGE,
    &staging::Staging,
    &calls::Calls,
    &handles::Handles,
    &memory::Memory,
];

/// The one that has this name.
pub fn called(name: &str) -> Option<&'static dyn Row> {
    ALL.iter().copied().find(|row| row.name() == name)
}
