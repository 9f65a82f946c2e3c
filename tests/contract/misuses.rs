//! What cannot be written: each file in `misuse/` is one mistake, with the compiler's words about it. Each file in `uses/` looks
//! like one, and is none.

#[test]
fn what_the_types_forbid_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/contract/misuse/*.rs");
}

#[test]
fn what_only_looks_like_a_mistake_compiles() {
    trybuild::TestCases::new().pass("tests/contract/uses/*.rs");
}
