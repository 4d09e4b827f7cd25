//! Persistent congestion: for so long did nothing get through that what was known of the path no longer counts
//! (RFC 9002 §7.6).
//!
//! Of each packet number space, the last row of lost packets is kept as its two ends: [`Recovery`](super::Recovery) tells of its
//! packets in the order in which they were sent. Rows of two spaces are one when nothing that was sent between their ends was
//! acknowledged in any of them. What is forgotten or not exactly known speaks against persistent congestion.

use crate::crypto::Level;
use crate::time::{Duration, Instant};

/// Acknowledgements that are remembered while there are several spaces; later on, a row's own space tells all.
const ACKED_MAX: usize = 8;

/// Times at which packets were sent, from the earliest to the latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Span {
    since: Instant,
    until: Instant,
}

impl Span {
    fn at(time: Instant) -> Self {
        Self {
            since: time,
            until: time,
        }
    }

    fn on_leap(&mut self, by: Duration) {
        self.since += by;
        self.until += by;
    }
}

/// Ack-eliciting packets that were lost, with none acknowledged between them in their space.
#[derive(Clone, Copy, Debug)]
struct Row {
    span: Span,
    /// The next one that is lost belongs to it.
    goes_on: bool,
}

impl Row {
    fn at(time: Instant) -> Self {
        Self {
            span: Span::at(time),
            goes_on: true,
        }
    }
}

/// What was lost in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    /// The last one of each space.
    rows: [Option<Row>; 3],
    /// What ACK frames newly acknowledged, with the space; the newest first.
    acked: [Option<(Level, Span)>; ACKED_MAX],
    /// What was acknowledged of packets sent until then is forgotten.
    forgotten: Instant,
    /// Only 1-RTT packets are left.
    alone: bool,
}

impl Silence {
    /// The next packet of its space, ack-eliciting and sent with a round trip known, is lost (RFC 9002 §7.6.2).
    pub(super) fn on_lost(&mut self, level: Level, time: Instant) {
        match &mut self.rows[level as usize] {
            Some(row) if row.goes_on => row.span.until = time,
            row => *row = Some(Row::at(time)),
        }
    }

    /// The next packet of its space was acknowledged.
    pub(super) fn on_next_acked(&mut self, level: Level) {
        if let Some(row) = &mut self.rows[level as usize] {
            row.goes_on = false;
        }
    }

    /// An ACK frame acknowledged packets that were sent between `since` and `until`, the first and the last included.
    pub(super) fn on_ack(&mut self, level: Level, since: Instant, until: Instant) {
        if self.alone {
            return;
        }
        if let Some((_, span)) = self.acked[ACKED_MAX - 1] {
            self.forgotten = self.forgotten.max(span.until);
        }
        self.acked.rotate_right(1);
        self.acked[0] = Some((level, Span { since, until }));
    }

    /// A packet that was taken for lost has arrived: a row ends there.
    pub(super) fn on_late(&mut self, level: Level, time: Instant) {
        if let Some(row) = &mut self.rows[level as usize]
            && row.span.since <= time
            && time < row.span.until
        {
            // Who stands next in the row is not known, but the last one is.
            row.span.since = row.span.until;
        } else if let Some(row) = self.rows[level as usize]
            && row.span.until == time
        {
            self.rows[level as usize] = None;
        }
        self.on_ack(level, time, time);
    }

    /// The keys of a space are gone, and what is known of its packets with them (RFC 9002 §6.4).
    pub(super) fn discard(&mut self, level: Level) {
        self.rows[level as usize] = None;
        self.alone |= level == Level::Handshake;
    }

    /// Whether two lost packets were sent more than `dead` apart, and nothing between them was acknowledged; then the rows are
    /// over.
    pub(super) fn take_persistent(&mut self, dead: Duration) -> bool {
        let found = self
            .spans()
            .any(|(own, span)| span.until.since(span.since) > dead && !self.is_broken(own, span));
        if found {
            self.rows = [None; 3];
        }
        found
    }

    /// From the beginning of each row to the end of each, with the space where both are of one: its row must still go on, since a
    /// shorter `dead` may have come meanwhile.
    fn spans(&self) -> impl Iterator<Item = (Option<Level>, Span)> {
        let rows = self.rows;
        let row = move |level: Level| rows[level as usize].map(|row| (level, row));
        let rows = move || Level::ALL.into_iter().filter_map(row);
        rows().flat_map(move |(first, from)| {
            let to = rows().filter(move |(last, row)| first != *last || row.goes_on);
            to.map(move |(last, to)| {
                let (since, until) = (from.span.since, to.span.until);
                ((first == last).then_some(first), Span { since, until })
            })
        })
    }

    /// Whether something that was sent between the two may have been acknowledged, besides in the space `own`, whose row knows.
    fn is_broken(&self, own: Option<Level>, Span { since, until }: Span) -> bool {
        let within = |span: &Span| span.since < until && since < span.until;
        let mut acked = self.acked.iter().flatten();
        !self.alone
            && (since < self.forgotten
                || acked.any(|(level, span)| Some(*level) != own && within(span)))
    }

    /// Another path: what was lost on the one before says nothing of it.
    pub(super) fn on_new_path(&mut self) {
        self.rows = [None; 3];
    }

    pub(super) fn on_leap(&mut self, by: Duration) {
        let acked = self.acked.iter_mut().flatten().map(|(_, span)| span);
        let rows = self.rows.iter_mut().flatten().map(|row| &mut row.span);
        rows.chain(acked).for_each(|span| span.on_leap(by));
        self.forgotten += by;
    }
}
