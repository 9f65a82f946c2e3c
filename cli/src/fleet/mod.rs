//! A fleet: many hosts, each with a mirror that takes builds from one storage, and whoever steers which build is for which.
//!
//! What decides is pure, and stands first: a manifest and its signature, the waves that it deals hosts out to, whether a
//! mirror follows it, what a host made of a build, whether a wave is well, and what comes next. What touches the world
//! decides nothing, stands behind it, and is there with the feature `fleet` only.

mod manifest;
mod refused;
mod sealed;
mod waves;

mod accept;
mod heard;
mod report;
mod step;
mod trouble;
mod verdict;

#[cfg(feature = "fleet")]
mod check;
#[cfg(feature = "fleet")]
mod events;
#[cfg(feature = "fleet")]
mod fetch;
#[cfg(feature = "fleet")]
mod mirror;
#[cfg(feature = "fleet")]
mod nest;
#[cfg(feature = "fleet")]
mod rollout;
#[cfg(feature = "fleet")]
mod storage;
#[cfg(feature = "fleet")]
mod table;

#[cfg(test)]
mod simulation;

#[cfg(feature = "fleet")]
pub(crate) use self::mirror::run as mirror;
#[cfg(feature = "fleet")]
pub(crate) use self::rollout::run as rollout;

/// The keys whose texts were seen to be some.
#[cfg(feature = "fleet")]
fn keys(texts: &[String]) -> Result<Vec<sealed::Key>, sealed::NoKey> {
    texts.iter().map(|it| it.parse()).collect()
}

/// The name of this machine, as far as it can be the name of a host: what cannot stand in one is a dash.
#[cfg(feature = "fleet")]
fn host_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_bytes().to_vec();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME")
        .unwrap_or_default()
        .into_bytes();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fitting = |byte: u8| if fits(byte) { char::from(byte) } else { '-' };
    let name: String = name.into_iter().map(fitting).take(64).collect();
    match manifest::is_name(&name) {
        Ok(()) => name,
        Err(_) => "host".to_owned(),
    }
}

/// A wrong use of a subcommand.
#[cfg(feature = "fleet")]
fn misuse_of(subcommand: &str, words: String) -> clap::Error {
    crate::args::misuse(subcommand, clap::error::ErrorKind::ValueValidation, words)
}
