//! A recording as a picture that moves: an SVG file by itself, readable on light and on dark pages. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use crate::screen::{Line, Look, Screen};

/// The size of the terminal, in characters.
pub(crate) const COLUMNS: usize = 100;
pub(crate) const ROWS: usize = 24;

/// The size of a character, in pixels: that of the usual monospaced fonts at 13 pixels.
const WIDTH: f32 = 7.85;
const HEIGHT: f32 = 17.0;

/// The space around the text, in pixels.
const MARGIN: f32 = 14.0;

/// The colours of a page and its text, and of a terminal's eight colours, for light pages and for dark ones.
const LIGHT: [&str; 10] = [
    "#ffffff", "#24292f", "#24292f", "#c0232c", "#1a7f37", "#8a5a00", "#0550ae", "#8250df",
    "#0f6e78", "#57606a",
];
const DARK: [&str; 10] = [
    "#0d1117", "#e6edf3", "#8b949e", "#ff7b72", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff",
    "#76e3ea", "#b1bac4",
];

/// What is shown from a time on.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// The time since the beginning.
    pub(crate) at: Duration,
    /// What was done in another terminal.
    pub(crate) caption: &'static str,
    pub(crate) screen: Screen,
}

/// The recording as SVG. The last frame only says when the recording ends, and begins anew.
pub(crate) fn drawn(frames: &[Frame]) -> String {
    let (last, shown) = frames.split_last().expect("a recording has an end");
    let width = 2.0 * MARGIN + WIDTH * COLUMNS as f32;
    let height = 2.0 * MARGIN + HEIGHT * (ROWS + 2) as f32;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\">\n<title>replug dev: an edit, an error, and its mending</title>\n<style>\n"
    );
    svg += &style(shown, last.at);
    svg += "</style>\n";
    let _ = writeln!(
        svg,
        "<rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"8\"/>"
    );
    for (number, frame) in shown.iter().enumerate() {
        svg += &group(number, frame);
    }
    svg + "</svg>\n"
}

/// The colours, and when each frame is seen. Whoever wants no motion sees the last one.
fn style(frames: &[Frame], end: Duration) -> String {
    let mut style = String::from(
        "text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, \"DejaVu Sans Mono\", monospace; white-space: pre }\n\
         .b { font-weight: bold }\n.f { visibility: hidden }\n.f:last-of-type { visibility: visible }\n",
    );
    style += &colours(LIGHT);
    let _ = writeln!(
        style,
        "@media (prefers-color-scheme: dark) {{\n{}}}",
        colours(DARK)
    );
    style += "@media (prefers-reduced-motion: no-preference) {\n";
    let part = |at: Duration| 100.0 * at.as_secs_f32() / end.as_secs_f32();
    for (number, frame) in frames.iter().enumerate() {
        // The first frame stands from the beginning.
        let from = if number == 0 { 0.0 } else { part(frame.at) };
        let to = frames.get(number + 1).map_or(100.0, |next| part(next.at));
        let seconds = end.as_secs_f32();
        let before = if number == 0 {
            ""
        } else {
            "0% { visibility: hidden } "
        };
        let _ = writeln!(
            style,
            "#f{number} {{ animation: k{number} {seconds:.2}s step-end infinite }} @keyframes k{number} {{ \
             {before}{from:.3}% {{ visibility: visible }} {to:.3}%, 100% {{ visibility: {} }} }}",
            if to == 100.0 { "visible" } else { "hidden" },
        );
    }
    style + "}\n"
}

fn colours(colours: [&str; 10]) -> String {
    let [page, text, eight @ ..] = colours;
    let mut style = format!(
        ".page {{ fill: {page}; stroke: {} }} text {{ fill: {text} }} .head {{ fill: {} }}\n",
        eight[7], eight[7]
    );
    for (number, colour) in eight.iter().enumerate() {
        let _ = writeln!(style, ".c{number} {{ fill: {colour} }}");
    }
    style
}

fn group(number: usize, frame: &Frame) -> String {
    let mut group = format!("<g class=\"f\" id=\"f{number}\">\n");
    let head = match frame.caption {
        "" => "replug dev -p plugin01".to_owned(),
        caption => format!("in another terminal: {caption}"),
    };
    group += &text(0, "head", &escaped(&head));
    for (row, line) in frame.screen.rows.iter().enumerate() {
        if !line.is_empty() {
            group += &text(row + 2, "", &spans(line));
        }
    }
    group + "</g>\n"
}

fn text(row: usize, class: &str, content: &str) -> String {
    let y = MARGIN + HEIGHT * (row as f32 + 0.8);
    let class = if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    };
    format!("<text x=\"{MARGIN}\" y=\"{y:.1}\" xml:space=\"preserve\"{class}>{content}</text>\n")
}

/// A line in parts of one look each.
fn spans(line: &Line) -> String {
    let parts = line.chunk_by(|(_, one), (_, other)| one == other);
    let span = |part: &[(char, Look)]| {
        let text: String = part.iter().map(|(character, _)| *character).collect();
        let look = part[0].1;
        let bold = look.is_bold.then(|| "b".to_owned());
        // Bright colours are the same here: the page's own colours are chosen to be read.
        let colour = look.colour.map(|colour| format!("c{}", colour % 8));
        let classes: Vec<String> = bold.into_iter().chain(colour).collect();
        match classes.is_empty() {
            true => escaped(&text),
            false => format!(
                "<tspan class=\"{}\">{}</tspan>",
                classes.join(" "),
                escaped(&text)
            ),
        }
    };
    parts.map(span).collect()
}

/// A text as XML has it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(at: u64, text: &str) -> Frame {
        let at = Duration::from_millis(at);
        let screen = Screen::of(text, ROWS, COLUMNS);
        Frame {
            at,
            caption: "a < b",
            screen,
        }
    }

    #[test]
    fn each_frame_is_seen_from_its_time_to_that_of_the_next() {
        let svg = drawn(&[frame(100, "one"), frame(500, "two"), frame(1000, "two")]);
        let first =
            "@keyframes k0 { 0.000% { visibility: visible } 50.000%, 100% { visibility: hidden } }";
        assert!(svg.contains(first), "{svg}");
        let second = "@keyframes k1 { 0% { visibility: hidden } 50.000% { visibility: visible } 100.000%, 100%";
        assert!(svg.contains(second), "{svg}");
        assert_eq!(svg.matches("<g ").count(), 2, "the end is no frame");
    }

    #[test]
    fn text_keeps_its_colours_and_is_no_markup() {
        let svg = drawn(&[frame(0, "a\x1b[1;91m<b>&\x1b[0m"), frame(1000, "")]);
        let line = "a<tspan class=\"b c1\">&lt;b&gt;&amp;</tspan></text>";
        assert!(svg.contains(line), "{svg}");
        assert!(svg.contains("in another terminal: a &lt; b<"), "{svg}");
    }
}
