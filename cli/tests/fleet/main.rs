//! Fleets: the real program, with a server on the loopback that speaks as S3 does, and with a directory.

#![cfg(target_os = "linux")]

mod ground;
mod hostile;
#[path = "../program/key.rs"]
mod key;
mod killed;
#[path = "../program/likeness.rs"]
mod likeness;
mod mirroring;
mod server;
mod steering;
mod story;
