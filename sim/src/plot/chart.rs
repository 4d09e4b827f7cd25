//! Curves over a common time, in panels one below the other.

use super::WIDTH;
use super::axis::{Axis, Unit};
use super::svg::{Anchor, Point, Svg, text_width};

const LEFT: f64 = 64.0;
const RIGHT: f64 = WIDTH - 24.0;
const PANEL_HEIGHT: f64 = 112.0;
/// From the foot of a panel to the head of the next: room for its name.
const PANEL_GAP: f64 = 34.0;
/// A legend's row.
const ROW: f64 = 20.0;
/// A legend's sample of a line.
const SAMPLE: f64 = 22.0;
/// Less than this, in pixels, is not seen.
const INVISIBLE: f64 = 0.2;
/// Half the size of a loss mark.
const MARK: f64 = 2.5;

/// Panels over one time axis.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What is seen.
    pub title: String,
    /// Under what conditions, in a line below.
    pub subtitle: String,
    /// The names of the flows; a flow has the same colour in all panels.
    pub flows: Vec<String>,
    /// Seconds at the right end.
    pub end: f64,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// One quantity.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Its name.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Curves.
    pub curves: Vec<Curve>,
    /// Broken lines, such as the rate of the link.
    pub limits: Vec<Limit>,
    /// Times at which something happened to a flow.
    pub marks: Option<Marks>,
}

/// A flow's values.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Which flow; `None` for a quantity of the link itself.
    pub flow: Option<usize>,
    /// Seconds and values, by time.
    pub points: Vec<(f64, f64)>,
}

/// What curves are to be compared with.
#[derive(Clone, Debug)]
pub struct Limit {
    /// What it is, with its value.
    pub name: String,
    /// Seconds and values, by time; the last value stays.
    pub points: Vec<(f64, f64)>,
}

/// Crosses at the foot of a panel.
#[derive(Clone, Debug)]
pub struct Marks {
    /// What they mean.
    pub name: &'static str,
    /// Flows and seconds.
    pub at: Vec<(usize, f64)>,
}

impl Chart {
    /// The picture.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut svg = Svg::default();
        svg.text("title ink", (16.0, 28.0), Anchor::Start, &self.title);
        svg.text("faint", (16.0, 47.0), Anchor::Start, &self.subtitle);
        let mut y = self.draw_flows(&mut svg, 56.0);
        let time = Axis::exact(Unit::Seconds, self.end, 10.0);
        for panel in &self.panels {
            y += PANEL_GAP;
            panel.draw(&mut svg, y, &time);
            y += PANEL_HEIGHT;
        }
        for (value, label) in &time.ticks {
            let x = x_of(&time, *value);
            svg.text("small faint", (x, y + 16.0), Anchor::Middle, label);
        }
        let name = format!("time, {}", time.unit);
        let middle = (LEFT + RIGHT) / 2.0;
        svg.text("faint", (middle, y + 34.0), Anchor::Middle, &name);
        svg.finish(y + 46.0, &self.title, &self.subtitle)
    }

    /// The legend of the flows from `y` down; returns where it ends.
    fn draw_flows(&self, svg: &mut Svg, mut y: f64) -> f64 {
        let mut x = 16.0;
        y += if self.flows.is_empty() { 0.0 } else { ROW };
        for (index, name) in self.flows.iter().enumerate() {
            let width = SAMPLE + 8.0 + text_width(name, 12.0) + 22.0;
            if x > 16.0 && x + width > RIGHT {
                x = 16.0;
                y += ROW;
            }
            let class = format!("curve {}", Svg::stroke_class(index));
            svg.line(&class, (x, y - 4.0), (x + SAMPLE, y - 4.0));
            svg.text("ink", (x + SAMPLE + 8.0, y), Anchor::Start, name);
            x += width;
        }
        y
    }
}

fn x_of(time: &Axis, value: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * time.place(value)
}

impl Panel {
    fn draw(&self, svg: &mut Svg, top: f64, time: &Axis) {
        let values = self.curves.iter().flat_map(|curve| &curve.points);
        let limits = self.limits.iter().flat_map(|limit| &limit.points);
        let max = values
            .chain(limits)
            .map(|(_, value)| *value)
            .fold(0.0, f64::max);
        let axis = Axis::rounded(self.unit, max, 4.0);
        let y_of = |value: f64| top + PANEL_HEIGHT * (1.0 - axis.place(value));
        let foot = top + PANEL_HEIGHT;
        for (value, label) in &axis.ticks {
            let y = y_of(*value);
            svg.line("grid", (LEFT, y), (RIGHT, y));
            svg.text("small faint", (LEFT - 8.0, y + 4.0), Anchor::End, label);
        }
        for (value, _) in &time.ticks {
            let x = x_of(time, *value);
            svg.line("grid", (x, top), (x, foot));
        }
        svg.rect("frame", (LEFT, top), RIGHT - LEFT, PANEL_HEIGHT);
        let name = format!("{}, {}", self.name, axis.unit);
        svg.text("ink", (LEFT, top - 8.0), Anchor::Start, &name);
        self.draw_legend(svg, top - 8.0);
        for limit in &self.limits {
            let ends = limit.points.last().map(|(_, value)| (RIGHT, y_of(*value)));
            let places = limit.points.iter().map(|(x, y)| (x_of(time, *x), y_of(*y)));
            svg.polyline("rule", &places.chain(ends).collect::<Vec<_>>());
        }
        for curve in &self.curves {
            let places = curve.points.iter();
            let places: Vec<Point> = places.map(|(x, y)| (x_of(time, *x), y_of(*y))).collect();
            let colour = curve.flow.map_or("frame".into(), Svg::stroke_class);
            svg.polyline(&format!("curve {colour}"), &straighten(&thin_out(&places)));
        }
        self.draw_marks(svg, foot - 5.0, time);
    }

    /// Limits and marks are explained at the right of the panel's name.
    fn draw_legend(&self, svg: &mut Svg, y: f64) {
        let mut x = RIGHT;
        if let Some(marks) = self.marks.as_ref().filter(|marks| !marks.at.is_empty()) {
            svg.text("small faint", (x, y), Anchor::End, marks.name);
            x -= text_width(marks.name, 11.0) + 8.0;
            svg.strokes("frame", &cross((x, y - 4.0), MARK));
            x -= 22.0;
        }
        for limit in self.limits.iter().rev() {
            svg.text("small faint", (x, y), Anchor::End, &limit.name);
            x -= text_width(&limit.name, 11.0) + 6.0;
            svg.line("rule", (x - SAMPLE, y - 4.0), (x, y - 4.0));
            x -= SAMPLE + 22.0;
        }
    }

    fn draw_marks(&self, svg: &mut Svg, y: f64, time: &Axis) {
        let Some(marks) = &self.marks else { return };
        let flows = marks.at.iter().map(|(flow, _)| flow + 1).max().unwrap_or(0);
        for flow in 0..flows {
            let mut strokes = Vec::new();
            let mut free_from = f64::MIN;
            for (_, at) in marks.at.iter().filter(|(of, _)| *of == flow) {
                let x = x_of(time, *at);
                // Crosses one upon the other are a blot.
                if x >= free_from {
                    strokes.extend(cross((x, y - flow as f64 * 2.4 * MARK), MARK));
                    free_from = x + 1.6 * MARK;
                }
            }
            if !strokes.is_empty() {
                svg.strokes(&format!("curve {}", Svg::stroke_class(flow)), &strokes);
            }
        }
    }
}

/// The two strokes of a cross.
pub(super) fn cross((x, y): Point, half: f64) -> [(Point, Point); 2] {
    [
        ((x - half, y - half), (x + half, y + half)),
        ((x - half, y + half), (x + half, y - half)),
    ]
}

/// Of the points in one half pixel's column: the first, the least, the greatest and the last, in their order. That is all
/// that can be seen.
fn thin_out(points: &[Point]) -> Vec<Point> {
    let mut out = Vec::with_capacity(points.len().min(8_000));
    let columns = points.chunk_by(|a, b| (a.0 * 2.0).floor() == (b.0 * 2.0).floor());
    for column in columns {
        let mut kept: Vec<usize> = vec![0, column.len() - 1];
        let by_y = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
        kept.extend((0..column.len()).min_by(by_y));
        kept.extend((0..column.len()).max_by(by_y));
        kept.sort_unstable();
        kept.dedup();
        out.extend(kept.into_iter().map(|index| column[index]));
    }
    out
}

/// The points without those that are off a straight line between kept ones by less than can be seen (Douglas and Peucker
/// 1973).
fn straighten(points: &[Point]) -> Vec<Point> {
    let Some(last) = points.len().checked_sub(1) else {
        return Vec::new();
    };
    let mut kept = vec![false; points.len()];
    (kept[0], kept[last]) = (true, true);
    let mut spans = vec![(0, last)];
    while let Some((from, to)) = spans.pop() {
        let off = |at: &usize| distance(points[*at], points[from], points[to]);
        let by_distance = |a: &usize, b: &usize| off(a).total_cmp(&off(b));
        let farthest = (from + 1..to).max_by(by_distance);
        if let Some(at) = farthest.filter(|at| off(at) > INVISIBLE) {
            kept[at] = true;
            spans.extend([(from, at), (at, to)]);
        }
    }
    let kept = points.iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(point, _)| *point).collect()
}

/// How far `point` is from the line through `a` and `b`, or from `a` when that is the same.
fn distance(point: Point, a: Point, b: Point) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (px, py) = (point.0 - a.0, point.1 - a.1);
    let len = (dx * dx + dy * dy).sqrt();
    if len > 0.0 {
        (dx * py - dy * px).abs() / len
    } else {
        (px * px + py * py).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_what_can_be_seen() {
        let points: Vec<Point> = (0..10_000)
            .map(|n| (f64::from(n) / 100.0, f64::from(n * 7_919 % 1_000)))
            .collect();
        let thin = thin_out(&points);
        assert!(thin.len() <= 4 * 200, "{}", thin.len());
        assert_eq!((thin[0], thin[thin.len() - 1]), (points[0], points[9_999]));
        let greatest = |points: &[Point]| points.iter().map(|p| p.1).fold(0.0, f64::max);
        assert_eq!(greatest(&thin), greatest(&points));
        assert!(thin.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        let few = [(0.0, 1.0), (1.0, 2.0), (1.1, 0.0)];
        assert_eq!(thin_out(&few), few);
        assert!(thin_out(&[]).is_empty());
    }

    #[test]
    fn straightening_keeps_the_shape() {
        assert!(straighten(&[]).is_empty());
        let line: Vec<Point> = (0..100)
            .map(|n| (f64::from(n), f64::from(n) * 0.3))
            .collect();
        assert_eq!(straighten(&line), [line[0], line[99]]);
        let mut bent = line.clone();
        bent[40].1 += 5.0;
        let kept = straighten(&bent);
        assert_eq!(kept, [bent[0], bent[39], bent[40], bent[41], bent[99]]);
        let there_and_back = [(0.0, 0.0), (0.0, 9.0), (0.0, 0.0)];
        assert_eq!(straighten(&there_and_back), there_and_back);
    }
}
