//! Two functions of one table that change places: one takes text, the other bytes, and C sees both as one type.

replug::interface! {
    /// Reads.
    interface Reader, plugin trait Read, version 1 {
        /// The number of letters.
        fn letters(text: &str) -> u64;
        /// The number of bytes.
        fn bytes(bytes: &[u8]) -> u64;
    }
}

fn swap(table: &mut Reader) {
    std::mem::swap(&mut table.letters, &mut table.bytes);
}

fn main() {}
