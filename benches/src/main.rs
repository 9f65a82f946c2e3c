//! Measures replug beside its peers, in one run, and writes what it saw as JSON, as a table and as plots.
//!
//! A row is one thing that is measured, a tool is who does it. Each trial is a process of its own, which this program
//! starts from itself, so that one that dies costs one trial and is counted.

mod builder;
mod call;
mod cargo;
mod change;
mod count;
mod guest;
mod library;
mod linked;
mod look;
mod outside;
mod plugins;
mod report;
mod row;
mod rows;
mod run;
mod seen;
mod tool;
mod tools;
mod trace;
mod trial;
mod watched;
mod writer;

use clap::{Parser, Subcommand};

use row::{Place, Row};
use run::Part;

/// Measures replug beside its peers.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only the row of this name, or the rows whose names hold it.
    rows: Vec<String>,
    /// How many rounds, instead of as many as each row wants.
    #[arg(long)]
    rounds: Option<usize>,
    /// One round, to try it.
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// Only the tool of this name; the others stay as they were seen last.
    #[arg(long)]
    tool: Option<String>,
    /// Also writes the table and the plots into `docs/`.
    #[arg(long)]
    docs: bool,
}

#[derive(Subcommand)]
enum Command {
    /// One trial, for the process that counts it.
    #[command(hide = true)]
    Trial {
        row: String,
        tool: String,
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        arguments: Vec<String>,
    },
    /// These rows, here and now, and nothing but their JSON: what runs in the guest.
    #[command(hide = true)]
    Rows {
        #[arg(long)]
        rounds: Option<usize>,
        #[arg(long)]
        tool: Option<String>,
        rows: Vec<String>,
    },
}

fn main() {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Trial {
            row,
            tool,
            arguments,
        }) => {
            let row = rows::called(row).expect("a row of this name");
            trial::be_the_child(row, tool, arguments);
        }
        Some(Command::Rows { rounds, tool, rows }) => {
            let rows = rows.iter().map(|name| rows::called(name).expect("a row"));
            let (rounds, tool) = (*rounds, tool.clone());
            let results = run::rows(rows, &Part { rounds, tool });
            println!("{}", report::json(&results));
        }
        None => measure(&arguments),
    }
}

fn measure(arguments: &Arguments) {
    let part = Part {
        rounds: arguments.quick.then_some(1).or(arguments.rounds),
        tool: arguments.tool.clone(),
    };
    let is_wanted = |row: &&dyn Row| {
        let is_meant = |part: &String| match rows::called(part) {
            Some(_) => row.name() == part,
            None => row.name().contains(part.as_str()),
        };
        arguments.rows.is_empty() || arguments.rows.iter().any(is_meant)
    };
    let wanted = || rows::ALL.iter().copied().filter(is_wanted);
    let at = |place: Place| wanted().filter(move |row| row.place() == place);
    plugins::build();
    let mut results = report::keep(run::rows(at(Place::Here), &part));
    let counted: Vec<&str> = at(Place::Guest).map(|row| row.name()).collect();
    if !counted.is_empty() {
        eprintln!("in the guest: {}", counted.join(", "));
        results = report::keep(guest::run(&counted, &part));
    }
    report::show(&results, arguments.docs);
}
