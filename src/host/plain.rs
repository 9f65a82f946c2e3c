//! Hosts of plugins without a declaration: symbols by name, or one function from text to text.

use std::ffi::CString;

use super::owner::Host;
use crate::boundary::{AnyPlugin, Raw, Text, TextFunction};
use crate::error::Error;
use crate::options::Options;
use crate::watch::watcher::Watcher;

impl Host<Raw> {
    /// A host that looks symbols up by name. Each of `names` must be in every generation.
    pub fn new<S: Into<CString>>(names: impl IntoIterator<Item = S>) -> Host<Raw> {
        let names: Vec<CString> = names.into_iter().map(Into::into).collect();
        Host::with(move |image| Raw::bind(image, &names))
    }
}

impl Host<AnyPlugin> {
    /// A host of plugins of either kind, that calls `function` of those which have it.
    pub fn new(function: TextFunction) -> Host<AnyPlugin> {
        Host::with(move |image| AnyPlugin::bind(image, &function))
    }
}

impl Host<Text> {
    /// A host that calls `function`, which takes and returns text.
    pub fn new(function: TextFunction) -> Host<Text> {
        Host::with(move |image| Text::bind(image, &function))
    }

    /// Watches for a plugin whose `function` takes and returns text; vet checks that the plugin exports the symbols
    /// for that.
    ///
    /// # Errors
    ///
    /// As [`Watcher::new`].
    pub fn watch(function: TextFunction, options: Options) -> Result<Host<Text>, Error> {
        let watcher = Watcher::new(options.exports([function.name(), Text::FREE]))?;
        Ok(Host::<Text>::new(function).watching(watcher))
    }
}
