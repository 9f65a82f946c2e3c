//! `docs/cli.md`: its tables name the program's options, and commands on any page are commands of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use vocabulary::workspace;

use crate::help::{options, said, subcommands};

/// The page.
pub(crate) fn page() -> String {
    fs::read_to_string(workspace().join("docs/cli.md")).unwrap()
}

/// The chapter of the page about a subcommand.
#[track_caller]
pub(crate) fn chapter<'a>(page: &'a str, subcommand: &str) -> &'a str {
    let title = format!("\n## `replug {subcommand}`\n");
    let (_, rest) = page.split_once(&title).expect(&title);
    rest.split("\n## ").next().unwrap()
}

/// The long options that the tables of a chapter name, each with the cell of its default. A row that begins with `as` another
/// subcommand stands for the options of that one, but for those that the row names.
fn documented(page: &str, subcommand: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for row in chapter(page, subcommand).lines() {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let (Some(cell), Some(default), true) = (cells.next(), cells.next(), row.starts_with('|'))
        else {
            continue;
        };
        let long = cell
            .split(['`', ' ', ','])
            .filter(|it| it.len() > 2 && it.starts_with("--"));
        let named: BTreeSet<String> = long.map(str::to_owned).collect();
        match cell
            .strip_prefix("as `")
            .and_then(|cell| cell.split('`').next())
        {
            Some(other) => {
                let others = documented(page, other).into_iter();
                let others = others.filter(|(option, _)| !named.contains(option));
                // A row of the subcommand's own says more.
                for (option, default) in others {
                    found.entry(option).or_insert(default);
                }
            }
            None => found.extend(named.into_iter().map(|option| (option, default.to_owned()))),
        }
    }
    found
}

#[test]
fn the_tables_name_the_options_of_the_help_and_their_defaults_and_no_others() {
    let page = page();
    for subcommand in subcommands() {
        let (documented, offered) = (documented(&page, &subcommand), options(&subcommand));
        let names: BTreeSet<_> = documented.keys().collect();
        let wanted: BTreeSet<_> = offered.keys().collect();
        assert_eq!(names, wanted, "of `{subcommand}`: documented, and offered");
        for (option, default) in offered {
            let cell = &documented[&option];
            let is_said = default.is_none_or(|it| cell.split(", ").any(|word| word == it));
            assert!(
                is_said,
                "of `{subcommand}`: {option} is {cell:?} in the table"
            );
        }
    }
}

/// The commands in a page that begin with the name of the program: in examples, and in the text.
fn commands(page: &str) -> Vec<&str> {
    let examples = page.lines().filter_map(|line| line.strip_prefix("$ "));
    let text = page.split('`').skip(1).step_by(2);
    let all = examples.chain(text.filter(|span| !span.contains('\n')));
    let programs = ["replug ", "cargo run -- "];
    let bare = all.filter_map(|command| programs.iter().find_map(|it| command.strip_prefix(it)));
    // What does not go on with a letter is no command: `replug = ..` stands in a manifest.
    bare.filter(|it| it.starts_with(|first: char| first.is_ascii_lowercase()))
        .collect()
}

#[test]
fn each_command_on_each_page_is_one_that_the_program_has() {
    let docs = fs::read_dir(workspace().join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let pages = ["README.md", "cli/README.md", "examples/README.md"];
    let pages = pages.map(|page| workspace().join(page));
    let known = subcommands();
    let mut count = 0;
    for path in docs.chain(pages) {
        let page = fs::read_to_string(&path).unwrap();
        for command in commands(&page) {
            // What stands behind ` -- ` is another program's.
            let own = command.split(" -- ").next().unwrap();
            let (subcommand, rest) = own.split_once(' ').unwrap_or((own, ""));
            assert!(
                known.iter().any(|it| it == subcommand),
                "{}: {command}",
                path.display()
            );
            let offered = options(subcommand);
            let mut long = rest
                .split(' ')
                .filter(|word| word.starts_with("--") && *word != "--help");
            let unknown = long.find(|word| !offered.contains_key(*word));
            assert_eq!(unknown, None, "{}: {command}", path.display());
            count += 1;
        }
    }
    assert!(count > 20, "only {count} commands were found");
}

#[test]
fn the_page_begins_with_the_usage_of_each_subcommand() {
    let page = page();
    let block = page.split("```").nth(1).unwrap();
    for subcommand in subcommands() {
        let help = said(&[&subcommand, "--help"]);
        let (_, usage) = help.split_once("Usage: ").unwrap();
        for line in usage.split("\n\n").next().unwrap().lines() {
            let line = line.trim();
            assert!(block.lines().any(|it| it.starts_with(line)), "{line}");
        }
    }
}
