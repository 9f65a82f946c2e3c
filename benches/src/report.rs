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

/// Where everything is written.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/benches");

/// Writes down what was seen. Rows and tools that did not run now are there as they were seen last.
pub fn keep(mut results: Results) -> Results {
    let file = Path::new(OWN).join("results.json");
    for (row, seen) in last(&file).unwrap_or_default().0 {
        let tools = results.0.entry(row).or_default();
        for (tool, figures) in seen {
            tools.entry(tool).or_insert(figures);
        }
    }
    let all = json!({ "machine": machine::facts(), "rows": json(&results) });
    let all = serde_json::to_string_pretty(&all).expect("figures are JSON");
    put(&file, &all);
    results
}

/// Prints the table, and draws the plots; into `docs/` only if that is wanted.
pub fn show(results: &Results, docs: bool) {
    let machine = machine::facts();
    let table = table::of(results);
    plots::draw(results, Path::new(OWN));
    println!("{table}");
    if docs {
        let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
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
