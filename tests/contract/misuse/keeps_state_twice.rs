//! A plugin that keeps its state in one line, and by hooks of its own as well.

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
        *Mine::state()
    }
}

impl replug::Hooks for Mine {
    const STATE: Option<u32> = Some(1);
}

mod form {
    pub fn to_vec(state: &u32) -> Result<Vec<u8>, String> {
        Ok(state.to_le_bytes().to_vec())
    }

    pub fn from_slice(bytes: &[u8]) -> Result<u32, String> {
        bytes.try_into().map(u32::from_le_bytes).map_err(|_| "no number".to_owned())
    }
}

replug::export!(Mine: Something + Hooks, state: u32 as form);

fn main() {}
