//! A union under the name of a struct that crosses.

#[derive(Clone, Copy)]
#[repr(C)]
pub union Word {
    pub is_set: bool,
    pub byte: u8,
}

mod shared {
    use super::Word;

    replug::shared! {
        #[cfg(any())]
        pub struct Word {
            pub is_set: bool,
        }
    }
}

fn main() {}
