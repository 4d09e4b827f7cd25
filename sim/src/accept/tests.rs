use super::*;
use crate::measure::ALGORITHMS;

/// The cheapest cases, as they are: who changes them looks at the new figures, then runs with `UPDATE_SNAPSHOTS=1`. All of
/// them: `sim accept`.
#[test]
fn the_cheapest_cases_are_as_they_were() {
    let mut cases = cases(&[CongestionControl::Cubic]);
    let cheap = ["1 %, steady", "100 ms, 30 %", "10 KB"];
    cases.retain(|case| cheap.iter().any(|text| case.point.contains(text)));
    let lines = run(&cases, 1).unwrap();
    assert_eq!(lines.len(), 11);
    assert!(lines.iter().all(Line::is_met), "{}", write(&lines));
    crate::plot::snapshot::assert("accept.txt", &write(&lines));
}

#[test]
fn every_controller_is_measured_alone_and_with_others() {
    let all = cases(ALGORITHMS);
    for control in ALGORITHMS {
        let name = algorithm_name(*control);
        let count = |who: &str| all.iter().filter(|case| case.who == who).count();
        if name != "background" {
            assert!(count(&name) > 15, "{name}");
            assert_eq!(count(&format!("{name} and {name}")), 2);
        }
    }
    let titles: std::collections::BTreeSet<_> =
        all.iter().map(|case| (&case.point, &case.who)).collect();
    assert_eq!(titles.len(), all.len(), "two cases of one name");
}

#[test]
fn demands_are_met_or_not() {
    let line = |value, demand| Line {
        point: "here".into(),
        who: "cubic".into(),
        figure: "share".into(),
        value,
        unit: Unit::Ratio,
        demand,
    };
    let met = |value, demand| line(value, demand).is_met();
    assert!(met(0.0, Demand::Nothing));
    assert!(met(0.9, Demand::AtLeast(0.9)) && !met(0.899, Demand::AtLeast(0.9)));
    assert!(met(0.5, Demand::AtMost(0.5)) && !met(0.501, Demand::AtMost(0.5)));
    let within = Demand::Within(0.7, 1.3);
    assert!(met(0.7, within) && met(1.3, within));
    assert!(!met(0.69, within) && !met(1.31, within));
    // What did not end, or came to nothing, meets no demand.
    for value in [f64::INFINITY, f64::NAN] {
        assert!(!met(value, Demand::AtMost(1e9)) && !met(value, within));
    }
    assert!(!met(f64::NAN, Demand::AtLeast(0.0)));
    let text = write(&[line(0.25, Demand::AtLeast(0.5)), line(1.0, Demand::Nothing)]);
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[2].contains("| 0.250    | ≥ 0.500  | NO  |"), "{text}");
    assert!(rows[3].ends_with("|          |     |"), "{text}");
}

#[test]
fn seeds_are_counted_that_meet_a_demand() {
    let line = |value| Line {
        point: "here".into(),
        who: "bbr and cubic".into(),
        figure: "share".into(),
        value,
        unit: Unit::Ratio,
        demand: Demand::AtLeast(0.2),
    };
    let case = Case::new("here", "bbr and cubic", move |_, seed| {
        Ok(vec![line(seed as f64 / 20.0), line(1.0)])
    });
    let spreads = run_seeds(&[case], 3, 4).unwrap();
    assert_eq!((spreads[0].met, spreads[0].seeds), (3, 4));
    assert!(!spreads[0].is_met() && spreads[1].is_met());
    let text = write_spreads(&spreads);
    let rows: Vec<&str> = text.lines().collect();
    let cells = "| 0.150 | 0.225 | 0.300 | ≥ 0.200  | 3 of 4 |";
    assert!(rows[2].ends_with(cells), "{text}");
}
