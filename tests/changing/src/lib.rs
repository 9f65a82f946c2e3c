//! Attributes that make another thing of what they stand on, as attributes may, without a word of it in the source.

use proc_macro::TokenStream;

fn changed(item: TokenStream, from: &str, to: &str) -> TokenStream {
    let changed = item.to_string().replace(from, to);
    changed.parse().expect("it is still an item")
}

/// Makes numbers into references that are good for ever.
#[proc_macro_attribute]
pub fn referring(_: TokenStream, item: TokenStream) -> TokenStream {
    changed(item, "u64", "&'static u64")
}

/// Makes numbers larger.
#[proc_macro_attribute]
pub fn widening(_: TokenStream, item: TokenStream) -> TokenStream {
    changed(item, "u64", "u128")
}

/// Adds a field behind `last`.
#[proc_macro_attribute]
pub fn lengthening(_: TokenStream, item: TokenStream) -> TokenStream {
    changed(item, "last", "last: u8, more")
}

/// Makes a struct a union.
#[proc_macro_attribute]
pub fn uniting(_: TokenStream, item: TokenStream) -> TokenStream {
    changed(item, "struct", "union")
}
