//! What cannot be written: each file in `misuse/` is one mistake, with the compiler's words about it. Each file in
//! `uses/` looks like one, and is none.

#[test]
fn what_the_types_forbid_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/contract/misuse/*.rs");
}

#[test]
fn what_only_looks_like_a_mistake_compiles() {
    trybuild::TestCases::new().pass("tests/contract/uses/*.rs");
}

/// The methods in a file of `src/host/`, of types that are called through like the functions of an interface.
fn methods(file: &str, owners: &[&str]) -> Vec<String> {
    let source = std::fs::read_to_string(format!("src/host/{file}")).unwrap();
    let mut owner = "";
    let mut found = Vec::new();
    for line in source.lines() {
        if let Some(start) = line.strip_prefix("impl") {
            owner = start;
        }
        let Some((_, method)) = line.split_once("pub fn ") else {
            continue;
        };
        let (name, arguments) = method.split_once('(').unwrap_or((method, ""));
        let takes_self = ["self", "&self", "mut self", "&mut self"];
        let is_method = takes_self.iter().any(|it| arguments.starts_with(it));
        if is_method && owners.iter().any(|it| owner.contains(it)) {
            found.push(name.split('<').next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn no_method_of_a_host_hides_a_function_of_an_interface() {
    let of_hosts = [
        methods("owner.rs", &["Host<"]),
        methods("live.rs", &["Plugin<"]),
        methods("set.rs", &["Member<"]),
    ];
    // The methods of std's traits that each type has, or each reference.
    let of_all = [
        "borrow",
        "borrow_mut",
        "clone",
        "deref",
        "deref_mut",
        "drop",
        "into",
        "to_owned",
        "try_into",
        "type_id",
    ];
    let of_all = of_all.map(str::to_owned);
    let mut methods = [of_hosts.concat(), of_all.into()].concat();
    methods.sort();
    methods.dedup();
    assert_eq!(methods, replug_plugin::__private::TAKEN);
}
