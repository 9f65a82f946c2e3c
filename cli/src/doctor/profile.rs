//! The profile that cargo builds with while somebody develops, and what its settings cost. Pure.

use toml::{Table, Value};

use super::finding::{Said, page};

/// What is to be said of the debug information of the profile, by the variable of the environment and the files that
/// may set it, the first that does so winning. Nothing if no file can be read.
pub(super) fn judge(
    in_environment: Option<&str>,
    files: impl IntoIterator<Item = String>,
) -> Option<Said> {
    let mut files = files
        .into_iter()
        .filter_map(|it| it.parse::<Table>().ok())
        .peekable();
    files.peek()?;
    let in_environment = in_environment.map(|it| Value::String(it.to_owned()));
    let set = in_environment.or_else(|| files.find_map(|file| debug_in(&file).cloned()));
    Some(match is_full(set.as_ref()) {
        true => Said::note(
            "profile",
            "the dev profile makes all debug information, often most of a library, which is linked, copied and \
             digested with each build",
            Some(
                "set `debug = \"line-tables-only\"` in `[profile.dev]`: backtraces stay, and libraries are about half \
                 as large",
            ),
            page::TIMES,
        ),
        false => Said::ok(
            "profile",
            "the dev profile makes less than all debug information",
            page::TIMES,
        ),
    })
}

fn debug_in(file: &Table) -> Option<&Value> {
    file.get("profile")?.get("dev")?.get("debug")
}

/// Whether all debug information is made. So it is if nothing is set.
fn is_full(set: Option<&Value>) -> bool {
    match set {
        None | Some(Value::Boolean(true)) => true,
        Some(Value::Integer(level)) => *level >= 2,
        Some(Value::String(level)) => matches!(level.as_str(), "full" | "2" | "true"),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Weight;
    use super::*;

    fn judged(in_environment: Option<&str>, files: &[&str]) -> Option<Weight> {
        let files = files.iter().map(|it| (*it).to_owned());
        judge(in_environment, files).map(|it| it.weight)
    }

    #[test]
    fn debug_information_is_full_unless_it_was_set_lower() {
        for (file, weight) in [
            ("", Weight::Note),
            ("[profile.release]\ndebug = false", Weight::Note),
            ("[profile.dev]\nopt-level = 1", Weight::Note),
            ("[profile.dev]\ndebug = true", Weight::Note),
            ("[profile.dev]\ndebug = 2", Weight::Note),
            ("[profile.dev]\ndebug = \"full\"", Weight::Note),
            ("[profile.dev]\ndebug = \"line-tables-only\"", Weight::Ok),
            ("[profile.dev]\ndebug = 1", Weight::Ok),
            ("[profile]\ndev = { debug = false }", Weight::Ok),
            ("profile.dev.debug = 0", Weight::Ok),
        ] {
            assert_eq!(judged(None, &[file]), Some(weight), "{file}");
        }
    }

    #[test]
    fn the_environment_comes_first_and_then_the_files_in_order() {
        let (full, lines) = ("profile.dev.debug = 2", "profile.dev.debug = 1");
        assert_eq!(judged(None, &[lines, full]), Some(Weight::Ok));
        assert_eq!(judged(None, &["", lines]), Some(Weight::Ok));
        assert_eq!(judged(Some("full"), &[lines, lines]), Some(Weight::Note));
        assert_eq!(judged(Some("1"), &[full]), Some(Weight::Ok));
        assert_eq!(judged(Some("1"), &["no = toml = file"]), None);
    }
}
