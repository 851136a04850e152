//! The curve of recall over false positives as a drawing (SVG 1.1): false positives on a logarithmic axis, for only its low end matters.

use std::fmt::Write as _;

use super::measure::Point;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// The axis begins at one in ten thousand.
const DECADES: f64 = 4.0;

/// The drawing, with a title.
pub(super) fn svg(title: &str, points: &[Point]) -> String {
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{LEFT}" y="24" font-size="15">{}</text>
"##,
        escaped(title)
    );
    axes(&mut out);
    let mut path = String::new();
    let mut last = 0.0;
    for point in points {
        // Steps: between two thresholds nothing changes.
        let (x, before, after) = (across(point.false_positives), up(last), up(point.recall));
        let verb = if path.is_empty() { 'M' } else { 'L' };
        writeln(
            &mut path,
            format_args!("{verb}{x:.1} {before:.1} L{x:.1} {after:.1}"),
        );
        last = point.recall;
    }
    let path = path.trim_end();
    writeln(
        &mut out,
        format_args!(r##"<path fill="none" stroke="#1f6feb" stroke-width="2" d="{path}"/>"##),
    );
    out + "</svg>\n"
}

/// The grid and its words.
fn axes(out: &mut String) {
    let decades = [1e-4, 1e-3, 1e-2, 1e-1, 1.0].into_iter();
    for (share, label) in decades.zip(["0.01 %", "0.1 %", "1 %", "10 %", "100 %"]) {
        let (x, bottom) = (across(share), up(0.0));
        line(out, (x, up(1.0)), (x, bottom));
        text(out, (x, bottom + 18.0), "middle", label);
    }
    for tenth in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
        let y = up(tenth);
        line(out, (across(1e-4), y), (across(1.0), y));
        text(out, (LEFT - 8.0, y + 4.0), "end", &format!("{tenth:.1}"));
    }
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    text(out, (middle, HEIGHT - 10.0), "middle", "false positives");
    let middle = f64::midpoint(up(0.0), up(1.0));
    writeln(
        out,
        format_args!(
            r#"<text transform="translate(16 {middle:.1}) rotate(-90)" text-anchor="middle">recall</text>"#
        ),
    );
}

fn across(share: f64) -> f64 {
    let place = (share.max(1e-4).log10() + DECADES) / DECADES;
    LEFT + place * (WIDTH - LEFT - RIGHT)
}

fn up(recall: f64) -> f64 {
    TOP + (1.0 - recall) * (HEIGHT - TOP - BOTTOM)
}

fn line(out: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    writeln(
        out,
        format_args!(
            r##"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="#d0d7de"/>"##
        ),
    );
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    writeln(
        out,
        format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#,
            escaped(words)
        ),
    );
}

fn writeln(out: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let written = out.write_fmt(what).and_then(|()| out.write_char('\n'));
    debug_assert!(written.is_ok());
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_stays_inside_its_frame() {
        let points = [(0.0, 0.3), (0.01, 0.5), (1.0, 1.0)].map(|(false_positives, recall)| Point {
            false_positives,
            recall,
        });
        let drawing = svg("a < b & c", &points);
        assert!(drawing.contains("a &lt; b &amp; c") && drawing.ends_with("</svg>\n"));
        assert!(
            drawing.contains(
                "M60.0 370.0 L60.0 271.0\nL340.0 271.0 L340.0 205.0\nL620.0 205.0 L620.0 40.0"
            ),
            "{drawing}"
        );
    }
}
