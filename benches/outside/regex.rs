//! What a plugin of middle size uses.

pub fn touch(number: u64) {
    let digits = regex::Regex::new(r"^\d+$").expect("an expression");
    bench_plugins::touch(u64::from(digits.is_match(&number.to_string())));
}
