//! A declaration between names of the user's own: types, constants and functions that are called as the macros might
//! call theirs.

#![deny(warnings)]
#![allow(non_camel_case_types, non_upper_case_globals)]
#![forbid(unsafe_code)]

const LEN: usize = 3;
const NAME: usize = 4;
const TEXT: usize = 5;
const FUNCTIONS: usize = 6;
const DECLARATION: usize = 7;

// As patterns, these would be taken for the constants.
const function: u8 = 1;
static answered: u8 = 2;
const table: u8 = 3;
struct value;

const fn size() -> usize {
    (function + table) as usize
}

macro_rules! types {
    ($($name:ident)*) => { $(
        replug::shared! {
            /// One of many.
            #[derive(Debug, Default, PartialEq)]
            struct $name {
                bytes: [u8; LEN],
                number: u32,
            }
        }
    )* };
}

types!(P T F Function Text Answer Argument Answered Interface Implemented Exported wire core Plain);
types!(Shape Layout Field Slot Entry Host Result Option Ok Err Some None String Vec Self_ PhantomData usize_);

replug::interface! {
    /// All of them.
    interface Table, plugin trait Plugin, version 1 {
        fn first(p: P, t: T, f: &F, u: &mut Function, text: &[Text], answer: &mut [Answer]) -> Argument;
        fn second(a: Answered, interface: Interface, implemented: Implemented, exported: Exported) -> wire;
        fn third(plain: Plain, shape: Shape, layout: Layout, field: Field, slot: Slot, entry: Entry) -> Host;
        fn fourth(result: Result, option: Option, string: String, vec: Vec, phantom: PhantomData) -> Some;
        fn arrays(a: &[u8; LEN], b: &[u8; NAME], c: &[u8; TEXT], d: &[u8; FUNCTIONS], e: &[u8; DECLARATION]);
        fn size(bytes: &[u8; size()]);
        fn get() -> bool;
        fn absent() -> u64;
        fn copy(a: u32, b: u32);
        fn answer(one: u32, other: u32) -> u32;
        fn new();
        fn len();
    }
}

fn main() {
    let _ = (answered, value);
    let host = replug::Host::<Table>::new();
    assert!(host.get().is_err());
    assert!(host.arrays(&[0; LEN], &[0; NAME], &[0; TEXT], &[0; FUNCTIONS], &[0; DECLARATION]).is_err());
}
