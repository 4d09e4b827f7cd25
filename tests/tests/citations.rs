//! The edge cases of ACK ranges, reordering, spurious loss and ECN, counted: unit tests of `proto-core` whose comment names the section
//! of the RFC (or draft) that they are about. `cargo test -p tests --test citations -- --show-output` prints them by file.

use std::fs;
use std::path::{Path, PathBuf};

/// Where they are, below `src`.
const PLACES: [&str; 2] = ["wire/frame/ack.rs", "recovery"];

/// How many there must be at least.
const LEAST: usize = 125;

fn files(place: &Path, all: &mut Vec<PathBuf>) {
    if place.is_file() {
        all.push(place.to_path_buf());
        return;
    }
    for entry in fs::read_dir(place).expect("a folder") {
        files(&entry.expect("an entry").path(), all);
    }
}

/// Whether a line says which section of which RFC or draft it is about.
fn cites(line: &str) -> bool {
    let is_section = |rest: &str| {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        rest.starts_with('§') || rest.starts_with("A.") || rest.starts_with("B.")
    };
    let of_rfc = line.split("RFC ").skip(1).any(is_section);
    let draft = line.find("draft-ietf-").map(|at| &line[at..]);
    of_rfc || draft.is_some_and(|rest| rest.contains('§'))
}

/// The names of the tests in a file that cite: functions below `#[test]`, and the cases of a table (`name: …` below a comment, within
/// `edges!`).
fn citing(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut doc, mut is_test, mut in_table) = (false, false, false);
    for line in text.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("///") {
            doc |= cites(said);
            continue;
        }
        match line {
            "#[test]" => {
                is_test = true;
                continue;
            }
            "edges! {" => in_table = true,
            "}" => in_table = false,
            _ => {}
        }
        let function = line.strip_prefix("fn ").filter(|_| is_test);
        let case = Some(line).filter(|line| in_table && line.contains(": "));
        let name = function
            .or(case)
            .and_then(|line| line.split(['(', ':']).next());
        if doc && let Some(name) = name {
            found.push(name.to_owned());
        }
        (doc, is_test) = (false, false);
    }
    found
}

#[test]
fn edge_cases_that_cite_their_section() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto-core/src");
    let mut all = Vec::new();
    for place in PLACES {
        files(&source.join(place), &mut all);
    }
    all.sort();
    let mut names = Vec::new();
    for file in all {
        let text = fs::read_to_string(&file).expect("a source file");
        let found = citing(&text);
        if !found.is_empty() {
            let shown = file.strip_prefix(&source).expect("below src").display();
            println!("{:4} {shown}", found.len());
        }
        names.extend(found.into_iter().map(|name| (file.clone(), name)));
    }
    println!("{:4} in all", names.len());
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "each has a name of its own");
    assert!(count >= LEAST, "{count}");
}

#[test]
fn what_counts_as_a_citation() {
    assert!(cites(" RFC 9000 §19.3.1: one range"));
    assert!(cites(" T12, RFC 9002 A.7: so"));
    assert!(cites(" draft-ietf-quic-ack-frequency §6: so"));
    assert!(!cites(" as RFC 9000 says"));
    assert!(!cites(" T5."));
    let text = "/// RFC 9000 §1: x\n#[test]\nfn one() {\n}\n/// no\n#[test]\nfn two() {\n}\n\
        /// RFC 9000 §2\nfn help() {\n}\nedges! {\n/// RFC 9000 §3\nthree: [1] => 2;\nfour: [2] => 3;\n}\n";
    assert_eq!(citing(text), ["one", "three"]);
}
