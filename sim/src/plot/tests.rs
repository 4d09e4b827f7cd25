use std::time::Duration;

use super::*;

/// Two flows; the second one joins late.
fn chart() -> Chart {
    let saw = |from: f64, height: f64| -> Vec<(f64, f64)> {
        let steps = (0..=40).map(|n| from + f64::from(n) * (10.0 - from) / 40.0);
        let saw = steps.map(|at| (at, height * (0.7 + 0.3 * (at * 0.8 % 1.0))));
        saw.collect()
    };
    let curve = |flow, from, height| Curve {
        flow,
        points: saw(from, height),
    };
    let panel = |name, unit, curves| Panel {
        name,
        unit,
        curves,
        limits: Vec::new(),
        marks: None,
    };
    let mut goodput = panel(
        "Goodput",
        Unit::BitsPerSecond,
        vec![curve(Some(0), 0.0, 48e6), curve(Some(1), 3.0, 21e6)],
    );
    goodput.limits.push(Limit {
        name: "link: 50 Mbit/s".into(),
        points: vec![(0.0, 50e6)],
    });
    let mut queue = panel("Queue", Unit::Bytes, vec![curve(None, 0.0, 300e3)]);
    queue.marks = Some(Marks {
        name: "packet lost",
        at: vec![(0, 1.2), (0, 2.5), (1, 5.0), (0, 5.0)],
    });
    Chart {
        title: "Two flows <one late>".into(),
        subtitle: "50 Mbit/s, 100 ms, queue 1 BDP & no loss".into(),
        flows: vec!["cubic from 0 s".into(), "cubic from 3 s".into()],
        end: 10.0,
        panels: vec![goodput, queue],
    }
}

fn flight(sent: u64, arrives: u64) -> Flight {
    Flight {
        sent: Duration::from_micros(sent),
        arrives: Duration::from_micros(arrives),
    }
}

fn diagram() -> Diagram {
    let message = |from, first, last, lost, label: &str| Message {
        from,
        first,
        last,
        lost,
        label: label.into(),
    };
    let note = |side, at, kind, text: &str| Note {
        side,
        at: Duration::from_micros(at),
        kind,
        text: text.into(),
    };
    Diagram {
        title: "An exchange".into(),
        subtitle: "25 ms each way".into(),
        names: ["client".into(), "server".into()],
        messages: vec![
            message(
                Side::Client,
                flight(0, 25_000),
                None,
                false,
                "Initial: CRYPTO",
            ),
            message(
                Side::Server,
                flight(25_000, 50_000),
                None,
                true,
                "Initial: ACK, CRYPTO",
            ),
            message(
                Side::Server,
                flight(26_000, 51_000),
                Some(flight(30_000, 55_000)),
                false,
                "37 × DATA 0..42,291",
            ),
            message(Side::Client, flight(51_000, 76_000), None, false, "ACK"),
        ],
        notes: vec![
            note(Side::Server, 25_000, NoteKind::Event, "Requested get a.bin"),
            note(Side::Client, 55_000, NoteKind::File, "Rename"),
        ],
    }
}

#[test]
fn a_chart_is_drawn_as_it_was() {
    snapshot::assert("chart.svg", &chart().to_svg());
}

#[test]
fn a_diagram_is_drawn_as_it_was() {
    snapshot::assert("diagram.svg", &diagram().to_svg());
}

#[test]
fn nothing_to_draw_is_drawn() {
    let svg = Chart::default().to_svg();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    let svg = Diagram::default().to_svg();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
}
