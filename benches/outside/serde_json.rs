//! What a small plugin uses.

pub fn touch(number: u64) {
    let value: serde_json::Value = serde_json::from_str(&format!("[{number}]")).expect("a list");
    bench_plugins::touch(value[0].as_u64().expect("a number"));
}
