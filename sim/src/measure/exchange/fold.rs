//! From datagrams to arrows: runs of like datagrams become one band.

use proto_core::crypto::Level;
use proto_core::{Duration, Instant};

use super::label::{Item, Packet, thousands};
use super::tap::Seen;
use crate::plot::{Flight, Message, Side};

/// Datagrams of a run follow each other within the way's delay divided by this.
const PAUSE_PARTS: u32 = 4;

/// What can be folded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Bytes of a file, perhaps with an acknowledgement: from, to.
    Data(u64, u64),
    /// Nothing but an acknowledgement.
    Ack,
    Other,
}

/// Datagrams that look the same.
#[derive(Debug)]
struct Run<'a> {
    members: Vec<&'a Seen>,
    kind: Kind,
}

/// The arrows for `seen`, over a way of `delay`, in the order in which they begin.
pub(super) fn messages(seen: &[Seen], delay: Duration) -> Vec<Message> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for datagram in seen {
        let kind = kind(&datagram.packets);
        let last = runs.iter_mut().rev();
        let last = last.into_iter().find(|run| run.from() == datagram.from);
        match last {
            Some(run) if run.goes_on(datagram, kind, delay / PAUSE_PARTS) => {
                run.members.push(datagram);
                if let (Kind::Data(_, to), Kind::Data(_, end)) = (&mut run.kind, kind) {
                    *to = end;
                }
            }
            _ => runs.push(Run {
                members: vec![datagram],
                kind,
            }),
        }
    }
    let mut arrived = [Duration::ZERO; 2];
    let message = |run: &Run<'_>| {
        // What was lost would not have overtaken what was sent before it.
        let before = &mut arrived[run.from() as usize];
        let message = run.message(delay, *before);
        *before = message.last.unwrap_or(message.first).arrives;
        message
    };
    runs.iter().map(message).collect()
}

fn kind(packets: &[Packet]) -> Kind {
    let [packet] = packets else {
        return Kind::Other;
    };
    let mut rest = packet.items.iter().filter(|item| **item != Item::Ack);
    match (packet.level, rest.next(), rest.next()) {
        (Level::Data, None, _) if !packet.items.is_empty() => Kind::Ack,
        (Level::Data, Some(Item::Data(start, end)), None) => Kind::Data(*start, *end),
        _ => Kind::Other,
    }
}

fn since_start(at: Instant) -> Duration {
    at.since(Instant::ZERO)
}

impl Run<'_> {
    fn first(&self) -> &Seen {
        self.members[0]
    }

    fn last(&self) -> &Seen {
        self.members[self.members.len() - 1]
    }

    fn from(&self) -> Side {
        self.first().from
    }

    fn goes_on(&self, next: &Seen, kind: Kind, pause: Duration) -> bool {
        let last = self.last();
        let (Some(before), Some(after)) = (last.arrived, next.arrived) else {
            return false;
        };
        let like = match (self.kind, kind) {
            (Kind::Data(_, to), Kind::Data(start, _)) => to == start,
            (Kind::Ack, Kind::Ack) => true,
            _ => false,
        };
        like && before <= after && next.sent.since(last.sent) <= pause
    }

    fn label(&self) -> String {
        let count = self.members.len();
        match self.kind {
            Kind::Data(start, end) if count > 1 => {
                format!("{count} × DATA {}..{}", thousands(start), thousands(end))
            }
            Kind::Ack if count > 1 => format!("{count} × ACK"),
            _ => {
                let packets = self.first().packets.iter();
                let packets: Vec<String> = packets.map(Packet::text).collect();
                packets.join("; ")
            }
        }
    }

    /// The run as an arrow; `before` is when the last one of this side arrived.
    fn message(&self, delay: Duration, before: Duration) -> Message {
        let flight = |seen: &Seen| {
            let sent = since_start(seen.sent);
            let arrives = match seen.arrived {
                Some(at) => since_start(at),
                None => before.max(sent + delay),
            };
            Flight { sent, arrives }
        };
        Message {
            from: self.from(),
            first: flight(self.first()),
            last: (self.members.len() > 1).then(|| flight(self.last())),
            lost: self.first().arrived.is_none(),
            label: self.label(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(from: Side, sent: u64, arrives: bool, items: &[Item]) -> Seen {
        let sent = Instant::ZERO + Duration::from_millis(sent);
        Seen {
            from,
            sent,
            arrived: arrives.then(|| sent + Duration::from_millis(40)),
            packets: vec![Packet {
                level: Level::Data,
                items: items.to_vec(),
            }],
        }
    }

    fn labels(seen: &[Seen]) -> Vec<String> {
        let messages = messages(seen, Duration::from_millis(40));
        messages.into_iter().map(|message| message.label).collect()
    }

    #[test]
    fn runs_end_at_gaps_losses_and_pauses() {
        use Item::{Ack, Data};
        use Side::{Client, Server};
        let all = [
            seen(Server, 0, true, &[Data(0, 1_000)]),
            seen(Client, 0, true, &[Ack]),
            seen(Server, 1, true, &[Ack, Data(1_000, 2_000)]),
            seen(Client, 2, true, &[Ack]),
            seen(Server, 2, false, &[Data(2_000, 3_000)]),
            seen(Server, 3, true, &[Data(3_000, 4_000)]),
            seen(Server, 4, true, &[Data(4_000, 5_000)]),
            seen(Server, 5, true, &[Data(2_000, 3_000)]),
            seen(Server, 16, true, &[Data(3_000, 3_500)]),
        ];
        let expected = [
            "2 × DATA 0..2,000",
            "2 × ACK",
            "DATA 2,000..3,000",
            "2 × DATA 3,000..5,000",
            "DATA 2,000..3,000",
            "DATA 3,000..3,500",
        ];
        assert_eq!(labels(&all), expected);
        let messages = messages(&all, Duration::from_millis(40));
        assert!(messages[2].lost && messages[2].first.arrives == Duration::from_millis(42));
        assert_eq!(
            messages[3].last.map(|last| last.sent),
            Some(Duration::from_millis(4))
        );
    }
}
