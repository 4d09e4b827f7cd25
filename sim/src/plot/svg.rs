//! The little of SVG that the pictures need.

use std::fmt::Write as _;

/// A place in pixels, from the left and from the top.
pub(super) type Point = (f64, f64);

/// Colours of curves that eyes of all kinds tell apart (Okabe and Ito 2008), for a light and a dark background.
const COLOURS: [(&str, &str); 6] = [
    ("#0072b2", "#4ba3dc"),
    ("#d55e00", "#f08a3c"),
    ("#009e73", "#37c79b"),
    ("#b0528d", "#dd94c4"),
    ("#9a7500", "#e5bd3c"),
    ("#4a4a9c", "#a3a3ee"),
];

/// What else is drawn: class, property, light and dark colour.
const INKS: [(&str, &str, &str, &str); 9] = [
    (".paper", "fill", "#ffffff", "#16191d"),
    (".halo", "stroke", "#ffffff", "#16191d"),
    (".ink", "fill", "#1f2328", "#e6e8eb"),
    (".faint", "fill", "#59636e", "#9aa4af"),
    (".bad", "fill", "#b3261e", "#ff8a80"),
    (".frame", "stroke", "#8c959f", "#6e7681"),
    (".grid", "stroke", "#e3e6ea", "#2b3036"),
    (".rule", "stroke", "#59636e", "#9aa4af"),
    (".cross", "stroke", "#b3261e", "#ff8a80"),
];

/// What does not depend on the background.
const SHAPES: &str = "\
text{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;font-size:12px}
.title{font-size:16px;font-weight:600}
.small{font-size:11px}
.halo{stroke-width:3px;stroke-linejoin:round;fill:none}
.curve,.cross,.life,.rule{fill:none}
.frame,.grid{fill:none;stroke-width:1px}
.curve{stroke-width:1.6px;stroke-linejoin:round}
.rule{stroke-dasharray:5 4;stroke-width:1.2px}
.cross{stroke-width:2px}
.life{stroke-width:2px}
.band{fill-opacity:.13}
";

/// Where a text's place is within it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn attribute(self) -> &'static str {
        match self {
            Self::Start => "",
            Self::Middle => " text-anchor=\"middle\"",
            Self::End => " text-anchor=\"end\"",
        }
    }
}

/// A picture being drawn.
#[derive(Debug, Default)]
pub(super) struct Svg {
    body: String,
}

impl Svg {
    /// The class that gives curve `index` its colour; after the last colour the first comes again.
    pub(super) fn stroke_class(index: usize) -> String {
        format!("s{}", index % COLOURS.len())
    }

    /// The same for areas and text.
    pub(super) fn fill_class(index: usize) -> String {
        format!("f{}", index % COLOURS.len())
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.body.write_fmt(element);
        self.body.push('\n');
    }

    pub(super) fn line(&mut self, class: &str, from: Point, to: Point) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
        self.push(format_args!(
            r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#
        ));
    }

    pub(super) fn rect(&mut self, class: &str, corner: Point, width: f64, height: f64) {
        let [x, y, width, height] = [corner.0, corner.1, width, height].map(number);
        self.push(format_args!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}"/>"#
        ));
    }

    pub(super) fn dot(&mut self, class: &str, at: Point) {
        let [x, y] = [at.0, at.1].map(number);
        self.push(format_args!(
            r#"<circle class="{class}" cx="{x}" cy="{y}" r="3"/>"#
        ));
    }

    pub(super) fn polyline(&mut self, class: &str, points: &[Point]) {
        self.points("polyline", class, points);
    }

    pub(super) fn polygon(&mut self, class: &str, points: &[Point]) {
        self.points("polygon", class, points);
    }

    fn points(&mut self, element: &str, class: &str, points: &[Point]) {
        let places: Vec<String> = (points.iter())
            .map(|(x, y)| format!("{},{}", number(*x), number(*y)))
            .collect();
        let places = places.join(" ");
        self.push(format_args!(
            r#"<{element} class="{class}" points="{places}"/>"#
        ));
    }

    /// Small crosses or strokes as one path: pairs of ends.
    pub(super) fn strokes(&mut self, class: &str, strokes: &[(Point, Point)]) {
        let path: String = (strokes.iter())
            .map(|((x1, y1), (x2, y2))| {
                let [x1, y1, x2, y2] = [*x1, *y1, *x2, *y2].map(number);
                format!("M{x1} {y1}L{x2} {y2}")
            })
            .collect();
        self.push(format_args!(r#"<path class="{class}" d="{path}"/>"#));
    }

    pub(super) fn text(&mut self, class: &str, at: Point, anchor: Anchor, text: &str) {
        let [x, y] = [at.0, at.1].map(number);
        let (anchor, text) = (anchor.attribute(), escape(text));
        self.push(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{text}</text>"#
        ));
    }

    /// A text along the direction (`cos`, `sin`), with an edge of the background's colour so that lines below it do not
    /// hurt.
    pub(super) fn slanted(
        &mut self,
        class: &str,
        at: Point,
        (cos, sin): (f64, f64),
        anchor: Anchor,
        text: &str,
    ) {
        let turn = [cos, sin, -sin, cos].map(|part| format!("{part:.4}"));
        let turn = turn.join(" ");
        let [x, y] = [at.0, at.1].map(number);
        let (anchor, text) = (anchor.attribute(), escape(text));
        for class in [format!("halo {}", sizes(class)), class.to_owned()] {
            self.push(format_args!(
                r#"<text class="{}" transform="matrix({turn} {x} {y})"{anchor}>{text}</text>"#,
                class.trim_end()
            ));
        }
    }

    /// The whole document. `title` and `description` are for those who cannot see it.
    pub(super) fn finish(self, height: f64, title: &str, description: &str) -> String {
        let (width, height) = (number(super::WIDTH), number(height));
        let (title, description) = (escape(title), escape(description));
        let (style, body) = (style(), self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
             <title>{title}</title>\n<desc>{description}</desc>\n<style>\n{style}</style>\n\
             <rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n{body}</svg>\n"
        )
    }
}

/// The classes of `classes` that say how large a text is.
fn sizes(classes: &str) -> &'static str {
    if classes.split(' ').any(|class| class == "small") {
        "small"
    } else {
        ""
    }
}

fn style() -> String {
    let mut style = SHAPES.to_owned();
    let mut dark = String::new();
    for (class, property, light, at_night) in INKS {
        let _ = writeln!(style, "{class}{{{property}:{light}}}");
        let _ = writeln!(dark, "{class}{{{property}:{at_night}}}");
    }
    for (index, (light, at_night)) in COLOURS.iter().enumerate() {
        let _ = writeln!(
            style,
            ".s{index}{{stroke:{light}}}.f{index}{{fill:{light}}}"
        );
        let _ = writeln!(
            dark,
            ".s{index}{{stroke:{at_night}}}.f{index}{{fill:{at_night}}}"
        );
    }
    let _ = writeln!(style, "@media (prefers-color-scheme:dark){{\n{dark}}}");
    style
}

/// A number with at most one decimal.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".into(),
        Some(whole) => whole.into(),
        None => text,
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Control characters may not stand in XML at all.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Pixels that `text` takes at `size` pixels, on the wide side of common sans-serif fonts.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let ems: f64 = text.chars().map(char_width).sum();
    ems * size
}

fn char_width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 't' | 'f' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '('
        | ')' => 0.36,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        'A'..='Z' | '×' | '→' | '…' => 0.72,
        _ => 0.62,
    }
}

/// `text`, or as much of its beginning as fits `room` pixels, with an ellipsis.
pub(super) fn fit(text: &str, size: f64, room: f64) -> String {
    if text_width(text, size) <= room {
        return text.to_owned();
    }
    let mut used = char_width('…') * size;
    let mut out = String::new();
    for c in text.chars() {
        used += char_width(c) * size;
        if used > room {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end_matches([' ', ',']).len());
    out.push('…');
    out
}
