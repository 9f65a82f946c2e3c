//! What is written: JSON, the table, the plots.

mod machine;
mod plots;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::run::Results;

/// What was seen, as JSON.
pub fn json(results: &Results) -> Value {
    serde_json::to_value(results).expect("figures are JSON")
}

/// Prints the table, and writes everything down; into `docs/` only if that is wanted. Rows that did not run now are there as
/// they were seen last.
pub fn write(mut results: Results, docs: bool) {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = package.join("target/benches");
    for (row, seen) in last(&own.join("results.json")).unwrap_or_default().0 {
        results.0.entry(row).or_insert(seen);
    }
    let results = &results;
    let machine = machine::facts();
    let table = table::of(results);
    let all = json!({ "machine": machine, "rows": json(results) });
    let all = serde_json::to_string_pretty(&all).expect("figures are JSON");
    put(&own.join("results.json"), &all);
    plots::draw(results, &own);
    println!("{table}");
    if docs {
        let docs = package.join("../docs");
        let page = docs.join("performance.md");
        let text = fs::read_to_string(&page).expect("the page is there");
        let text = between(&text, "machine", &machine::sentence(&machine));
        put(&page, &between(&text, "table", &table));
        plots::draw(results, &docs.join("performance"));
    }
}

/// What was written down last.
fn last(path: &Path) -> Option<Results> {
    let mut all: Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    serde_json::from_value(all.get_mut("rows")?.take()).ok()
}

/// Writes a file, and the directories that lead to it.
fn put(path: &PathBuf, text: &str) {
    let directory = path.parent().expect("it is in a directory");
    fs::create_dir_all(directory).expect("a directory can be made");
    fs::write(path, text)
        .unwrap_or_else(|error| panic!("cannot write `{}`: {error}", path.display()));
}

/// `text` with something else between the marks of this name.
fn between(text: &str, name: &str, new: &str) -> String {
    let (begin, end) = (
        format!("<!-- {name} -->"),
        format!("<!-- end of {name} -->"),
    );
    let marked = text.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some(format!("{before}{begin}\n{}\n{end}{after}", new.trim()))
    });
    marked.unwrap_or_else(|| panic!("the page has no marks for its {name}"))
}
