//! A plugin whose state is for one thread, though calls can come from any.

use std::rc::Rc;

replug::interface! {
    /// Does something.
    pub interface Something, plugin trait Do, version 1 {
        /// A number.
        fn number() -> u32;
    }
}

struct Mine;

impl Do for Mine {
    fn number() -> u32 {
        **Mine::state()
    }
}

mod form {
    use std::rc::Rc;

    pub fn to_vec(state: &Rc<u32>) -> Result<Vec<u8>, String> {
        Ok(state.to_le_bytes().to_vec())
    }

    pub fn from_slice(bytes: &[u8]) -> Result<Rc<u32>, String> {
        let number = bytes.try_into().map(u32::from_le_bytes);
        number.map(Rc::new).map_err(|_| "no number".to_owned())
    }
}

replug::export!(Mine: Something, state: Rc<u32> as form);

fn main() {}
