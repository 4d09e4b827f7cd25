//! Pictures of runs, as SVG text: charts over time and time-sequence diagrams.
//!
//! The same data give the same text on every platform. Everything is drawn on a light background of its own; viewers that
//! ask for dark colours get a dark one. Text is set in the viewer's sans-serif font; places are reserved by an estimate of
//! its widths that is on the wide side.

mod axis;
mod chart;
mod sequence;
#[cfg(test)]
pub(crate) mod snapshot;
mod svg;
#[cfg(test)]
mod tests;

pub use axis::Unit;
pub use chart::{Chart, Curve, Limit, Marks, Panel};
pub use sequence::{Diagram, Flight, Message, Note, NoteKind, Side};

/// Width of every picture in pixels.
const WIDTH: f64 = 900.0;
