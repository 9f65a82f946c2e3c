//! The table of `docs/platforms.md`: what is left out on which system, and why.

use std::fs;

use vocabulary::{Rule, workspace};

#[test]
fn each_rule_that_is_left_out_somewhere_is_in_the_table_with_its_reason() {
    let page = fs::read_to_string(workspace().join("docs/platforms.md")).unwrap();
    let (_, table) = page
        .split_once("\n## What is left out\n")
        .expect("a chapter `What is left out`");
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let mut rows: Vec<_> = rows
        .skip(1)
        .filter(|row| row.contains(" | by the test | "))
        .collect();
    for rule in Rule::ALL {
        for (system, why) in rule.exceptions() {
            let row = format!("| {} | {system} | by the test | {why} |", rule.name());
            let before = rows.len();
            rows.retain(|it| *it != row);
            assert_eq!(rows.len() + 1, before, "{row}");
        }
    }
    assert_eq!(rows, [""; 0], "these are left out nowhere");
}
