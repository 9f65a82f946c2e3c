//! What cannot be written: each file in `misuse/` is one mistake, with what the compiler says about it.

#[test]
fn what_the_types_forbid_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/contract/misuse/*.rs");
}
