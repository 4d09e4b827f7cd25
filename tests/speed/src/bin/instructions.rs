//! Instructions that the core takes for a packet, counted by callgrind: the same on every run, so that a change of a few
//! per cent shows.
//!
//! `cargo run --release --manifest-path tests/speed/Cargo.toml --bin instructions` counts; with `--check`, what differs from
//! `instructions.txt` by more than 3 % fails; with `--store`, the file is written anew. Counts are those of one compiler, which
//! the file names: under another one they are shown, and nothing fails.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use speed::{Bench, Calls, Side};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MIB: u64 = 1 << 20;

/// Bytes that pass before the counting begins, and that are counted.
const WARM: u64 = 4 * MIB;
const COUNTED: u64 = 16 * MIB;

/// Sizes of full datagrams: what the Internet carries, and a datagram near the system's limit.
const DATAGRAMS: [u16; 2] = [1_452, 60_000];

/// What may differ.
const TOLERANCE: f64 = 0.03;

const STORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

/// Callgrind counts within these two functions only.
#[inline(never)]
fn counted_source(call: &mut dyn FnMut()) {
    call();
}

#[inline(never)]
fn counted_sink(call: &mut dyn FnMut()) {
    std::hint::black_box(1);
    call();
}

struct Counted(bool);

impl Calls for Counted {
    fn call(&mut self, side: Side, call: &mut dyn FnMut()) {
        match (self.0, side) {
            (false, _) => call(),
            (true, Side::Source) => counted_source(call),
            (true, Side::Sink) => counted_sink(call),
        }
    }
}

/// Runs a download and prints the packets that were counted: data packets of the source, packets of the sink.
fn run(datagram: u16) {
    let mut bench = Bench::new(WARM + COUNTED + 4 * MIB, datagram);
    let mut calls = Counted(false);
    let (mut begin, mut end) = (None, None);
    while let Some(bytes) = bench.round(&mut calls) {
        if begin.is_none() && bytes >= WARM {
            begin = Some(bench.packets());
            calls.0 = true;
        }
        if end.is_none() && bytes >= WARM + COUNTED {
            end = Some(bench.packets());
            calls.0 = false;
        }
    }
    let (begin, end) = (begin.expect("it began"), end.expect("it went on"));
    println!("{} {}", end[0] - begin[0], end[1] - begin[1]);
}

/// What instructions are for.
fn part(function: &str) -> &'static str {
    let lower = function.to_lowercase();
    let any = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    if any(&["memcpy", "memmove", "memset"]) {
        "copy"
    } else if any(&[
        "aws_lc",
        "aws-lc",
        "rustls::crypto",
        "aesni",
        "gcm_",
        "aes_hw",
        // The calls that seal, open, and take header protection on and off: they pick the key.
        "as proto_core::crypto::session::session>",
    ]) {
        "crypto"
    } else {
        "core"
    }
}

/// Instructions by part, and by function.
type Counts = (BTreeMap<&'static str, f64>, BTreeMap<String, u64>);

/// Counts one side of a download. Values are instructions a data packet.
fn count(side: &str, datagram: u16, dir: &Path) -> Result<Counts> {
    let out = dir.join(format!("{side}-{datagram}"));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "-q"])
        .arg(format!("--toggle-collect=*counted_{side}*"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["--run", &datagram.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("valgrind ended with {}", output.status).into());
    }
    let packets: f64 = String::from_utf8(output.stdout)?
        .split_whitespace()
        .next()
        .ok_or("the run said nothing")?
        .parse()?;
    let functions = self_costs(&fs::read_to_string(out)?);
    let mut parts = BTreeMap::new();
    for (function, cost) in &functions {
        *parts.entry(part(function)).or_insert(0.0) += *cost as f64 / packets;
    }
    let functions = functions
        .into_iter()
        .map(|(name, cost)| (name, (cost as f64 / packets) as u64));
    Ok((parts, functions.collect()))
}

/// What each function took itself, from callgrind's file.
fn self_costs(text: &str) -> BTreeMap<String, u64> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut costs = BTreeMap::new();
    let (mut current, mut skip) = (String::new(), false);
    for line in text.lines() {
        if let Some((kind, rest)) = line.split_once('=') {
            if kind == "fn" || kind == "cfn" {
                let (id, name) = rest.split_once(' ').unwrap_or((rest, ""));
                if !name.is_empty() {
                    names.insert(id.into(), name.into());
                }
                if kind == "fn" {
                    current = names.get(id).cloned().unwrap_or_default();
                }
            }
            // The line after `calls=` is what the call took, callees included.
            skip = kind == "calls";
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            && !std::mem::take(&mut skip)
        {
            let cost = line
                .split_whitespace()
                .nth(1)
                .and_then(|cost| cost.parse().ok());
            *costs.entry(current.clone()).or_insert(0) += cost.unwrap_or(0_u64);
        }
    }
    costs
}

fn stored() -> BTreeMap<String, f64> {
    let text = fs::read_to_string(STORED).unwrap_or_default();
    let line = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.trim().to_owned(), value.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// The compiler, as it names itself.
fn compiler() -> Result<String> {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("-V")
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn main() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [run_flag, datagram] = args.as_slice()
        && run_flag == "--run"
    {
        run(datagram.parse()?);
        return Ok(ExitCode::SUCCESS);
    }
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let dir = tempfile::tempdir()?;
    let compiler = compiler()?;
    let (before, mut now, mut failed) = (stored(), format!("# {compiler}\n"), false);
    let comparable = fs::read_to_string(STORED).is_ok_and(|text| text.starts_with(&now));
    for datagram in DATAGRAMS {
        for side in ["source", "sink"] {
            let (parts, functions) = count(side, datagram, dir.path())?;
            for (part, value) in parts {
                let name = format!("{side} {datagram} {part}");
                let change = before.get(&name).map(|before| value / before - 1.0);
                let shown =
                    change.map_or(String::new(), |change| format!("{:+.1} %", change * 100.0));
                println!("{name:24} {value:9.0} {shown}");
                now += &format!("{name} {value:.0}\n");
                let off = change.is_none_or(|change| change.abs() > TOLERANCE);
                failed |= off && part == "core";
            }
            if has("--functions") {
                let mut functions: Vec<_> = functions.into_iter().collect();
                functions.sort_by_key(|function| std::cmp::Reverse(function.1));
                for (name, cost) in functions.iter().take(40) {
                    println!("    {cost:7} {name}");
                }
            }
        }
    }
    if has("--store") {
        fs::write(STORED, now)?;
    }
    if has("--check") && !comparable {
        println!("instructions.txt is not of {compiler}: nothing is compared");
    } else if has("--check") && failed {
        eprintln!(
            "the core's counts differ from instructions.txt by more than 3 %: look why, or --store them"
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
