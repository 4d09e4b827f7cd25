//! The parts of a diagram as lines and text.

use super::{LOST_AFTER, MARGIN, Message, NoteKind, Of, SMALL, Side, WIDTH};
use crate::plot::chart::cross;
use crate::plot::svg::{Anchor, Point, Svg, fit, text_width};

/// What the dots mean, at the right of the head.
pub(super) fn draw_legend(svg: &mut Svg) {
    let mut x = WIDTH - MARGIN;
    for (kind, name) in [
        (NoteKind::File, "file operation"),
        (NoteKind::Event, "application"),
    ] {
        svg.text("small faint", (x, 47.0), Anchor::End, name);
        x -= text_width(name, SMALL) + 6.0;
        svg.dot(&kind.colour(), (x, 43.0));
        x -= 18.0;
    }
}

/// Where a message's first datagram leaves and arrives.
fn ends_of(message: &Message, y: impl Fn(fn(usize) -> Of) -> f64) -> (Point, Point) {
    let (from, to) = (message.from, message.from.other());
    ((from.x(), y(Of::Sent)), (to.x(), y(Of::Arrived)))
}

pub(super) fn draw_way(svg: &mut Svg, message: &Message, y: impl Fn(fn(usize) -> Of) -> f64) {
    let (start, end) = ends_of(message, &y);
    let colour = match message.from {
        Side::Client => 0,
        Side::Server => 1,
    };
    let stroke = format!("curve {}", Svg::stroke_class(colour));
    if message.last.is_some() {
        let (last_start, last_end) = ((start.0, y(Of::LastSent)), (end.0, y(Of::LastArrived)));
        let band = format!("band {}", Svg::fill_class(colour));
        svg.polygon(&band, &[start, end, last_end, last_start]);
        draw_arrow(svg, &stroke, colour, last_start, last_end);
    }
    if message.lost {
        let part = |from: f64, to: f64| from + (to - from) * LOST_AFTER;
        let tip = (part(start.0, end.0), part(start.1, end.1));
        svg.line(&stroke, start, tip);
        svg.strokes("cross", &cross(tip, 6.0));
    } else {
        draw_arrow(svg, &stroke, colour, start, end);
    }
}

/// The unit vector from `a` to `b`, and their distance.
fn direction(a: Point, b: Point) -> (f64, f64, f64) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let len = (dx * dx + dy * dy).sqrt();
    (dx / len, dy / len, len)
}

fn draw_arrow(svg: &mut Svg, stroke: &str, colour: usize, from: Point, to: Point) {
    let (dx, dy, _) = direction(from, to);
    let back = (to.0 - dx * 9.0, to.1 - dy * 9.0);
    svg.line(stroke, from, back);
    let (wide_x, wide_y) = (-dy * 3.6, dx * 3.6);
    let head = [
        to,
        (back.0 + wide_x, back.1 + wide_y),
        (back.0 - wide_x, back.1 - wide_y),
    ];
    svg.polygon(&Svg::fill_class(colour), &head);
}

/// Writes along the arrow, from its sender on.
pub(super) fn draw_label(svg: &mut Svg, message: &Message, y: impl Fn(fn(usize) -> Of) -> f64) {
    let (start, end) = ends_of(message, y);
    let (dx, dy, len) = direction(start, end);
    // Above the line as it is read: always from left to right.
    let (cos, sin) = if dx < 0.0 { (-dx, -dy) } else { (dx, dy) };
    let place = (
        start.0 + dx * 10.0 + sin * 4.0,
        start.1 + dy * 10.0 - cos * 4.0,
    );
    let anchor = match message.from {
        Side::Client => Anchor::Start,
        Side::Server => Anchor::End,
    };
    let class = if message.lost {
        "small bad"
    } else {
        "small ink"
    };
    let text = fit(&message.label, SMALL, len - 30.0);
    svg.slanted(class, place, (cos, sin), anchor, &text);
}
