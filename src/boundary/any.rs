//! Plugins of either kind: with the plain surface from text to text, which is called; or with an interface that this
//! program does not have, of which nothing is called.

use std::ffi::CStr;

use replug_plugin::__private::Entry;

use super::image::{Image, LoadFailure};
use super::symbols::{Text, TextFunction};
use super::table::{Table, lend_heap};
use crate::handshake::{Declared, ENTRY, HANDSHAKE, Level, Lines};

/// A plugin of either kind: a [`Text`] plugin, or one with an interface that this program does not have. For programs that
/// load whatever comes, as `replug run`.
///
/// Of a plugin with an interface nothing is called, neither its functions nor its hooks, for nothing is known of their
/// types. It gets what each host gives before it calls: its host's services for threads, and at the rust level the host's
/// allocator. Constructors of the library run when it is mapped, as those of any library do.
#[derive(Debug)]
pub struct AnyPlugin {
    text: Option<Text>,
    declared: Option<Declared>,
}

impl Table for AnyPlugin {
    fn absent() -> AnyPlugin {
        AnyPlugin {
            text: None,
            declared: None,
        }
    }
}

impl AnyPlugin {
    /// Takes the text function out of an image, or else reads the image's declaration and makes the image ready.
    pub(crate) fn bind(image: &Image, function: &TextFunction) -> Result<AnyPlugin, LoadFailure> {
        let missing = match Text::bind(image, function) {
            Ok(text) => {
                let (text, declared) = (Some(text), None);
                return Ok(AnyPlugin { text, declared });
            }
            Err(missing) => missing,
        };
        let Ok(handshake) = image.address(HANDSHAKE) else {
            return Err(missing);
        };
        // SAFETY: a symbol of this name is text with a NUL at its end, as `export!` and the C header have it.
        let handshake = unsafe { CStr::from_ptr(handshake.as_ptr().cast()) };
        let declared = Declared::read(Some(handshake.to_bytes()), &Lines::default())?;
        if declared.level() == Level::OrdinaryRust {
            lend_heap(image)?;
        }
        let entry = image.address(ENTRY)?.cast::<Entry>();
        // SAFETY: a symbol of this name, beside a handshake with the layouts of this host's tables, is an entry, and nobody
        // ever writes to it.
        let entry = unsafe { entry.as_ref() };
        image.attach(entry);
        let (text, declared) = (None, Some(declared));
        Ok(AnyPlugin { text, declared })
    }

    /// The text function; `None` of a plugin that lacks it.
    pub fn text(&self) -> Option<&Text> {
        self.text.as_ref()
    }

    /// The declaration of a plugin that lacks the text function. What only lines in the library's file tell is left out.
    pub fn declared(&self) -> Option<&Declared> {
        self.declared.as_ref()
    }
}
