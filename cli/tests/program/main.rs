//! The real program on this machine's filesystem, started and stopped as people do.
//! Written for Linux, where replug is proven; there is nothing to run elsewhere.

#![cfg(target_os = "linux")]

mod bounds;
mod building;
mod checks;
mod damage;
mod dev;
mod dev_keys;
mod dev_sources;
mod dev_storm;
mod directory;
mod docs;
mod doctor;
mod foreign_text;
mod gate;
mod help;
mod hosts;
mod input;
mod inspect;
mod interfaces;
mod key;
mod likeness;
mod needs;
mod new;
mod plain_c;
mod played;
mod publish;
mod readme;
mod signed;
mod stopping;
mod store;
mod storm;
mod tried;
mod writers;
