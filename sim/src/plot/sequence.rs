//! Time-sequence diagrams: two life lines, arrows for datagrams, notes beside.
//!
//! Time runs downwards. What is level happened at the same time; a later event is never above an earlier one. Long waits
//! are shortened and bursts stretched, so that every event has a row of its own on its side: the column beside a life line
//! tells the time.

mod draw;

use std::time::Duration;

use super::WIDTH;
use super::svg::{Anchor, Svg, fit, text_width};
use draw::{draw_label, draw_legend, draw_way};

/// Where the life lines stand.
const CLIENT_X: f64 = 262.0;
const SERVER_X: f64 = WIDTH - CLIENT_X;
/// Between a life line and the column of times.
const TIME_GAP: f64 = 10.0;
/// Width of that column.
const TIME_WIDTH: f64 = 42.0;
/// The outer edge of notes.
const MARGIN: f64 = 14.0;
/// The least distance of two events of one side.
const ROW: f64 = 17.0;
/// From one line of a note to the next.
const LINE: f64 = 13.0;
/// Pixels of a wait per millisecond, and at most.
const PIXELS_PER_MS: f64 = 1.5;
const WAIT_MAX: f64 = 30.0;
/// Size of most text.
const SMALL: f64 = 11.0;
/// Where the first event is.
const HEAD: f64 = 104.0;
/// How far a lost datagram comes.
const LOST_AFTER: f64 = 0.62;

/// A life line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    /// The left one: it opened the session.
    Client,
    /// The right one.
    Server,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    fn x(self) -> f64 {
        match self {
            Self::Client => CLIENT_X,
            Self::Server => SERVER_X,
        }
    }

    /// Away from the other life line.
    fn outwards(self) -> f64 {
        match self {
            Self::Client => -1.0,
            Self::Server => 1.0,
        }
    }

    fn outer_anchor(self) -> Anchor {
        match self {
            Self::Client => Anchor::End,
            Self::Server => Anchor::Start,
        }
    }
}

/// One datagram's way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flight {
    /// When it was sent.
    pub sent: Duration,
    /// When it came to the other side, or would have.
    pub arrives: Duration,
}

/// A datagram, or a run of like ones drawn as one band.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Who sent it.
    pub from: Side,
    /// The first datagram's way.
    pub first: Flight,
    /// The last one's, of a run.
    pub last: Option<Flight>,
    /// It never arrived.
    pub lost: bool,
    /// What is inside.
    pub label: String,
}

/// What a note tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoteKind {
    /// Something that the application was told or said.
    Event,
    /// Something that was done with a file.
    File,
}

impl NoteKind {
    fn colour(self) -> String {
        match self {
            Self::Event => "ink".into(),
            Self::File => Svg::fill_class(3),
        }
    }
}

/// Something that happened at one side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Where.
    pub side: Side,
    /// When.
    pub at: Duration,
    /// What kind of thing.
    pub kind: NoteKind,
    /// What.
    pub text: String,
}

impl Note {
    /// The text in lines that fit, broken after commas.
    fn lines(&self) -> Vec<String> {
        let room = CLIENT_X - TIME_GAP - TIME_WIDTH - MARGIN;
        let mut lines: Vec<String> = Vec::new();
        for part in self.text.split_inclusive(", ") {
            match lines.last_mut() {
                Some(line) if text_width(&format!("{line}{part}"), SMALL) <= room => {
                    line.push_str(part);
                }
                _ => lines.push(part.to_owned()),
            }
        }
        lines
            .iter()
            .map(|line| fit(line.trim_end(), SMALL, room))
            .collect()
    }
}

/// An exchange between two sides.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diagram {
    /// What is seen.
    pub title: String,
    /// Under what conditions, in a line below.
    pub subtitle: String,
    /// The names of client and server.
    pub names: [String; 2],
    /// Datagrams in the order in which they were sent.
    pub messages: Vec<Message>,
    /// Notes in the order in which they happened.
    pub notes: Vec<Note>,
}

/// What a row belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    Sent(usize),
    LastSent(usize),
    Arrived(usize),
    LastArrived(usize),
    Note(usize),
}

/// An event of one side that has a height.
#[derive(Clone, Copy, Debug)]
struct Row {
    at: Duration,
    side: Side,
    of: Of,
    /// What it takes of its side.
    height: f64,
    y: f64,
}

impl Diagram {
    /// The picture.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let rows = self.rows();
        let foot = rows.iter().map(|row| row.y).fold(HEAD, f64::max) + 24.0;
        let mut svg = Svg::default();
        svg.text("title ink", (16.0, 28.0), Anchor::Start, &self.title);
        svg.text("faint", (16.0, 47.0), Anchor::Start, &self.subtitle);
        draw_legend(&mut svg);
        for (side, name) in [Side::Client, Side::Server].into_iter().zip(&self.names) {
            let x = side.x();
            svg.text("ink", (x, HEAD - 26.0), Anchor::Middle, name);
            svg.line("life frame", (x, HEAD - 16.0), (x, foot));
            let beside = (x + side.outwards() * TIME_GAP, HEAD - 26.0);
            let beside = (beside.0 + side.outwards() * 28.0, beside.1);
            svg.text("small faint", beside, side.outer_anchor(), "ms");
        }
        let ends = |of: fn(usize) -> Of, index| y_of(&rows, of(index));
        for (index, message) in self.messages.iter().enumerate() {
            draw_way(&mut svg, message, |of| ends(of, index));
        }
        // Above all lines, so that none strikes a label through.
        for (index, message) in self.messages.iter().enumerate() {
            draw_label(&mut svg, message, |of| ends(of, index));
        }
        self.draw_times(&mut svg, &rows);
        self.draw_notes(&mut svg, &rows);
        svg.finish(foot + 14.0, &self.title, &self.subtitle)
    }

    /// Every event with its height.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut add = |at, side, of| {
            let lines = match of {
                Of::Note(index) => self.notes[index].lines().len().max(1),
                _ => 1,
            };
            rows.push(Row {
                at,
                side,
                of,
                height: ROW + (lines - 1) as f64 * LINE,
                y: HEAD,
            });
        };
        for (index, message) in self.messages.iter().enumerate() {
            let (from, to) = (message.from, message.from.other());
            add(message.first.sent, from, Of::Sent(index));
            add(message.first.arrives, to, Of::Arrived(index));
            if let Some(last) = message.last {
                add(last.sent, from, Of::LastSent(index));
                add(last.arrives, to, Of::LastArrived(index));
            }
        }
        for (index, note) in self.notes.iter().enumerate() {
            add(note.at, note.side, Of::Note(index));
        }
        // Stable: what is equal in time and kind stays in the order of its list.
        rows.sort_by_key(|row| (row.at, rank(row.of)));
        place_rows(&mut rows);
        rows
    }

    /// The time of each event, where it differs from that of the row above.
    fn draw_times(&self, svg: &mut Svg, rows: &[Row]) {
        for side in [Side::Client, Side::Server] {
            let mut shown = String::new();
            for row in rows.iter().filter(|row| row.side == side) {
                let lost = match row.of {
                    Of::Arrived(index) => self.messages[index].lost,
                    _ => false,
                };
                let time = format!("{:.1}", row.at.as_secs_f64() * 1e3);
                if lost || time == shown {
                    continue;
                }
                let x = side.x() + side.outwards() * TIME_GAP;
                let at = (x, row.y + 4.0);
                svg.text("small faint", at, side.outer_anchor(), &time);
                shown = time;
            }
        }
    }

    fn draw_notes(&self, svg: &mut Svg, rows: &[Row]) {
        for (index, note) in self.notes.iter().enumerate() {
            let y = y_of(rows, Of::Note(index));
            let (x, out) = (note.side.x(), note.side.outwards());
            let colour = note.kind.colour();
            svg.dot(&colour, (x, y));
            let x = x + out * (TIME_GAP + TIME_WIDTH);
            for (line, text) in note.lines().iter().enumerate() {
                let place = (x, y + 4.0 + line as f64 * LINE);
                svg.text(
                    &format!("small {colour}"),
                    place,
                    note.side.outer_anchor(),
                    text,
                );
            }
        }
    }
}

/// At one time: what arrives, then what it causes, then what is sent.
fn rank(of: Of) -> u8 {
    match of {
        Of::Arrived(_) | Of::LastArrived(_) => 0,
        Of::Note(_) => 1,
        Of::Sent(_) | Of::LastSent(_) => 2,
    }
}

/// Gives rows, in order of time, their heights.
fn place_rows(rows: &mut [Row]) {
    let mut free = [f64::MIN; 2];
    let mut before: Option<(Duration, f64)> = None;
    for row in rows {
        let least = before.map_or(HEAD, |(at, y)| {
            let wait = (row.at - at).as_secs_f64() * 1e3 * PIXELS_PER_MS;
            y + wait.min(WAIT_MAX)
        });
        let free = &mut free[row.side as usize];
        row.y = least.max(*free);
        *free = row.y + row.height;
        before = Some((row.at, row.y));
    }
}

fn y_of(rows: &[Row], of: Of) -> f64 {
    let row = rows.iter().find(|row| row.of == of);
    row.map_or(HEAD, |row| row.y)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn message(from: Side, sent: u64) -> Message {
        Message {
            from,
            first: Flight {
                sent: ms(sent),
                arrives: ms(sent + 25),
            },
            last: None,
            lost: false,
            label: "PING".into(),
        }
    }

    #[test]
    fn heights_follow_the_time_and_leave_each_side_room() {
        let diagram = Diagram {
            messages: vec![
                message(Side::Client, 0),
                message(Side::Client, 0),
                message(Side::Client, 500),
                message(Side::Server, 25),
            ],
            ..Diagram::default()
        };
        let rows = diagram.rows();
        assert_eq!(rows.len(), 8);
        for pair in rows.windows(2) {
            assert!(pair[0].at <= pair[1].at && pair[0].y <= pair[1].y);
        }
        for side in [Side::Client, Side::Server] {
            let of_side: Vec<f64> = rows
                .iter()
                .filter(|r| r.side == side)
                .map(|r| r.y)
                .collect();
            assert!(of_side.windows(2).all(|pair| pair[1] - pair[0] >= ROW));
        }
        let waits = rows.windows(2).map(|pair| pair[1].y - pair[0].y);
        assert!(waits.fold(0.0, f64::max) <= WAIT_MAX.max(ROW));
    }
}
