//! The plots, which must be legible on white and on black: nothing behind them, and colours that stand out on both.

use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::row::Figures;
use crate::run::Results;

/// What is not data.
const INK: RGBColor = RGBColor(128, 128, 128);

/// By order of the tools in a plot; the second is replug.
const COLOURS: [RGBColor; 8] = [
    RGBColor(140, 140, 140),
    RGBColor(34, 139, 230),
    RGBColor(240, 110, 20),
    RGBColor(32, 160, 90),
    RGBColor(190, 75, 219),
    RGBColor(224, 49, 49),
    RGBColor(200, 150, 0),
    RGBColor(12, 160, 170),
];

const WIDTH: u32 = 860;
const HEIGHT: u32 = 440;
const LEGEND: u32 = 180;

/// One curve.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

/// An axis: what it says, and whether it counts by tens.
#[derive(Clone, Copy)]
struct Axis {
    title: &'static str,
    by_tens: bool,
}

impl Axis {
    /// Where a value lies on it.
    fn place(self, value: f64) -> f64 {
        match self.by_tens {
            true => value.max(f64::MIN_POSITIVE).log10(),
            false => value,
        }
    }

    /// What a mark there says; nothing between the powers of ten.
    fn mark(self, place: f64) -> String {
        let value = match self.by_tens {
            true if (place - place.round()).abs() > 1e-6 => return String::new(),
            true => 10_f64.powf(place),
            false => place,
        };
        match value {
            value if value >= 1e6 => format!("{:.0}M", value / 1e6),
            value if value >= 1e4 => format!("{:.0}k", value / 1e3),
            value => format!("{:.3}", value)
                .trim_end_matches('0')
                .trim_end_matches('.')
                .into(),
        }
    }

    /// From the least to the most of what is to be seen, by whole powers of ten if it counts so.
    fn range(self, values: impl Iterator<Item = f64>) -> Range<f64> {
        let places = values.map(|value| self.place(value));
        let (least, most) = places.fold((f64::MAX, f64::MIN), |(least, most), place| {
            (least.min(place), most.max(place))
        });
        match self.by_tens {
            true => least.floor()..most.ceil().max(least.floor() + 1.0),
            false => least.min(0.0)..most.max(least + 1.0) * 1.05,
        }
    }
}

/// Draws the plots that there is something for.
pub fn draw(results: &Results, directory: &Path) {
    fs::create_dir_all(directory).expect("a directory can be made");
    let plot = |file: &str, title: &str, x: Axis, y: Axis, curves: Vec<Curve>| {
        if !curves.is_empty() {
            let path = directory.join(file);
            chart(&path, title, x, y, &curves)
                .unwrap_or_else(|error| panic!("cannot draw `{}`: {error}", path.display()));
        }
    };
    let axis = |title, by_tens| Axis { title, by_tens };
    plot(
        "idle.svg",
        "An idle poll, by number of files",
        axis("files", true),
        axis("instructions per file", true),
        curves(results, "idle-by-number", |figures| {
            numbered(figures, "instructions, ", " files")
        }),
    );
    for (row, file, title) in [
        (
            "latency",
            "latency.svg",
            "Renamed into place, to the first new call: at 10 ms",
        ),
        (
            "defaults",
            "latency-defaults.svg",
            "Renamed into place, to the first new call: at each tool's defaults",
        ),
    ] {
        plot(
            file,
            title,
            axis("milliseconds", true),
            axis("% of the reloads", false),
            curves(results, row, |figures| distribution(figures, "rename ms")),
        );
    }
    plot(
        "memory.svg",
        "Resident memory over reloads",
        axis("reloads", false),
        axis("KiB more than before the first", false),
        curves(results, "memory", |figures| {
            grown(numbered(figures, "resident KiB after ", ""))
        }),
    );
}

/// A curve for each tool that has any points.
fn curves(
    results: &Results,
    row: &str,
    points: impl Fn(&Figures) -> Vec<(f64, f64)>,
) -> Vec<Curve> {
    let Some(row) = crate::rows::called(row) else {
        return Vec::new();
    };
    let tools = row.tools().iter().filter_map(|tool| {
        let points = points(results.of(row.name(), tool)?);
        (!points.is_empty()).then(|| Curve {
            name: (*tool).to_owned(),
            points,
        })
    });
    tools.collect()
}

/// The medians of figures whose names hold a number.
fn numbered(figures: &Figures, before: &str, after: &str) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = figures
        .values
        .keys()
        .filter_map(|figure| {
            let number = figure.strip_prefix(before)?.strip_suffix(after)?.trim();
            Some((number.parse().ok()?, figures.median(figure)?))
        })
        .collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    points
}

/// As much as is more than at first.
fn grown(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let first = points.first().map_or(0.0, |point| point.1);
    points
        .into_iter()
        .map(|(reloads, kib)| (reloads, kib - first))
        .collect()
}

/// For how many of those that were seen a figure was at most so much.
fn distribution(figures: &Figures, figure: &str) -> Vec<(f64, f64)> {
    let mut values = figures.values.get(figure).cloned().unwrap_or_default();
    values.sort_by(f64::total_cmp);
    let share = |index: usize| 100.0 * index as f64 / values.len() as f64;
    let steps = values.iter().enumerate();
    steps
        .flat_map(|(index, value)| [(*value, share(index)), (*value, share(index + 1))])
        .collect()
}

fn chart(
    path: &Path,
    title: &str,
    x: Axis,
    y: Axis,
    curves: &[Curve],
) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    let (plot, legend) = root.split_horizontally(WIDTH - LEGEND);
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let x_range = x.range(points().map(|point| point.0));
    let y_range = y.range(points().map(|point| point.1));
    // A mark for each power of ten.
    let marks = |axis: Axis, range: &Range<f64>| match axis.by_tens {
        true => (range.end - range.start) as usize + 1,
        false => 6,
    };
    let (x_marks, y_marks) = (marks(x, &x_range), marks(y, &y_range));
    let ink = |size: u32| ("sans-serif", size).into_font().color(&INK);
    let mut chart = ChartBuilder::on(&plot)
        .caption(title, ink(17))
        .margin(12)
        .x_label_area_size(46)
        .y_label_area_size(70)
        .build_cartesian_2d(x_range, y_range)?;
    chart
        .configure_mesh()
        .x_labels(x_marks)
        .y_labels(y_marks)
        .x_label_formatter(&|place| x.mark(*place))
        .y_label_formatter(&|place| y.mark(*place))
        .x_desc(x.title)
        .y_desc(y.title)
        .axis_style(INK)
        .bold_line_style(INK.mix(0.25))
        .light_line_style(TRANSPARENT)
        .label_style(ink(14))
        .axis_desc_style(ink(15))
        .draw()?;
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let width = if curve.name.starts_with("replug") {
            3
        } else {
            2
        };
        let points = curve
            .points
            .iter()
            .map(|point| (x.place(point.0), y.place(point.1)));
        chart.draw_series(LineSeries::new(points, colour.stroke_width(width)))?;
    }
    name_curves(&legend, curves)?;
    root.present()?;
    Ok(())
}

/// Names the curves beside the plot, where they are in nobody's way.
fn name_curves(
    area: &DrawingArea<SVGBackend, Shift>,
    curves: &[Curve],
) -> Result<(), Box<dyn Error>> {
    const FIRST: i32 = 60;
    const LINE: i32 = 24;
    for ((curve, colour), index) in curves.iter().zip(COLOURS.iter().cycle()).zip(0..) {
        let y = FIRST + LINE * index;
        area.draw(&PathElement::new([(0, y), (22, y)], colour.stroke_width(3)))?;
        let style = ("sans-serif", 14).into_font().color(&INK);
        area.draw(&Text::new(curve.name.clone(), (30, y - 7), style))?;
    }
    Ok(())
}
