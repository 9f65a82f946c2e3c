//! A table of cases, each of which one check is made of.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Goes through a table whose rows are a name, a thing that is given, and a thing that is expected. A row whose check
/// fails does not hide the others, and is named at the end.
///
/// # Panics
///
/// If the check of any row does.
#[track_caller]
pub fn for_each_case<Given, Expected>(
    table: impl IntoIterator<Item = (&'static str, Given, Expected)>,
    check: impl Fn(Given, Expected),
) {
    let fails = |(name, given, expected)| {
        let failed = catch_unwind(AssertUnwindSafe(|| check(given, expected))).is_err();
        if failed {
            // The check has said the reason, but not of which row.
            eprintln!("that was the case of {name}\n");
        }
        failed.then_some(name)
    };
    let failed: Vec<_> = table.into_iter().filter_map(fails).collect();
    assert!(failed.is_empty(), "these cases failed: {failed:#?}");
}
