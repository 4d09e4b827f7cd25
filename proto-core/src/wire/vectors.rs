//! The test vectors and tables of `docs/PROTOCOL.md`, read out of its text.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;

const PROTOCOL: &str = include_str!("../../../docs/PROTOCOL.md");

/// Lines of all blocks of vectors: how ("good", "read", "bad"), kind, bytes, meaning.
fn vectors() -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let blocks = PROTOCOL.split("```vectors\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines
        .map(|line| {
            let (left, meaning) = line.split_once(" = ").unwrap();
            let mut words = left.split(' ');
            let (how, kind) = (words.next().unwrap(), words.next().unwrap());
            (how, kind, words.flat_map(bytes_of).collect(), meaning)
        })
        .collect()
}

/// "c0ffee", or "xx*n" for n bytes of the same.
fn bytes_of(word: &str) -> Vec<u8> {
    let (hex, times) = word.split_once('*').unwrap_or((word, "1"));
    hex::decode(hex).unwrap().repeat(times.parse().unwrap())
}

#[test]
fn vectors_hold() {
    let mut counts = [0; 3];
    for (how, kind, bytes, meaning) in vectors() {
        let (read, again) = match kind {
            "varint" => varint(&bytes),
            "number" => (number(&bytes, meaning), Vec::new()),
            "header" => header(&bytes),
            "params" => params(&bytes),
            "frame" => frame(&bytes),
            "entry" => entry(&bytes),
            other => panic!("no such kind of vector: {other}"),
        };
        assert_eq!(read, meaning, "{how} {kind} {bytes:x?}");
        let refused = [
            "Truncated",
            "BadValue",
            "UnknownType",
            "Missing",
            "Duplicate",
        ];
        let is_refused = refused.iter().any(|error| read.starts_with(error));
        assert_eq!(is_refused, how == "bad", "{how} {kind} {bytes:x?}");
        match how {
            "good" => assert_eq!(hex::encode(again), hex::encode(bytes), "{meaning}"),
            "read" | "bad" => assert_ne!(again, bytes, "{meaning}"),
            other => panic!("no such sort of vector: {other}"),
        }
        counts[["good", "read", "bad"]
            .iter()
            .position(|h| *h == how)
            .unwrap()] += 1;
    }
    assert!(counts.iter().all(|&count| count >= 10), "{counts:?}");
}

/// No frame is without a vector, and the table of frames says of each what the code says.
#[test]
fn the_table_of_frames_is_right() {
    let mut with_vector = BTreeSet::new();
    for (how, kind, bytes, _) in vectors() {
        if kind == "frame" && how == "good" {
            let frame = Frame::decode(&mut &bytes[..]).unwrap();
            let ack = if frame.is_ack_eliciting() {
                "yes"
            } else {
                "no"
            };
            with_vector.insert(format!("0x{:02x} {} {ack}", bytes[0], frame.name()));
        }
    }
    let rows = rows("| type | frame | levels | from | elicits ACK |");
    let table: BTreeSet<_> = rows
        .iter()
        .map(|row| format!("{} {} {}", row[0], row[1], row[4]))
        .collect();
    assert_eq!(table, with_vector);
    assert_eq!(table.len(), 28);
}

#[test]
fn the_tables_of_codes_are_right() {
    let rows = |heading| {
        let section = PROTOCOL.split(heading).nth(1).unwrap();
        rows_of(section, "| code | name | meaning |")
    };
    let close = rows("### 8.1 Codes of CLOSE");
    for row in &close {
        let code = u64::from_str_radix(row[0].trim_start_matches("0x"), 16).unwrap();
        assert_eq!(upper(&format!("{:?}", CloseCode::from_wire(code))), row[1]);
    }
    let transfer = rows("### 8.2 Codes of transfers");
    for row in &transfer {
        let code = row[0].parse().unwrap();
        assert_eq!(upper(&format!("{:?}", ErrorCode::from_wire(code))), row[1]);
    }
    let assigned = |known: &dyn Fn(u64) -> bool| (0..0x100).filter(|&code| known(code)).count();
    let closes = assigned(&|code| !matches!(CloseCode::from_wire(code), CloseCode::Other(_)));
    let errors = assigned(&|code| !matches!(ErrorCode::from_wire(code), ErrorCode::Other(_)));
    assert_eq!((close.len(), transfer.len()), (closes, errors));
}

/// Rules are numbered by section, without gaps, and each is there once.
#[test]
fn rules_are_numbered_in_order() {
    let mut last = (0, 0);
    for rule in PROTOCOL
        .lines()
        .filter_map(|line| line.strip_prefix("* **P"))
    {
        let (section, number) = rule.split_once("** ").unwrap().0.split_once('.').unwrap();
        let here = (
            section.parse::<u32>().unwrap(),
            number.parse::<u32>().unwrap(),
        );
        let follows = here == (last.0, last.1 + 1) || (here.0 > last.0 && here.1 == 1);
        assert!(follows, "P{section}.{number} after {last:?}");
        last = here;
    }
    assert!(last > (0, 0));
}

fn rows(head: &str) -> Vec<Vec<&'static str>> {
    rows_of(PROTOCOL, head)
}

/// Cells of the table with this first line.
fn rows_of(text: &'static str, head: &str) -> Vec<Vec<&'static str>> {
    let table = text.split(head).nth(1).unwrap().lines().skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// `NotFound` as `NOT_FOUND`.
fn upper(camel: &str) -> String {
    let mut out = String::new();
    for (at, letter) in camel.char_indices() {
        if letter.is_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

fn varint(mut bytes: &[u8]) -> (String, Vec<u8>) {
    match varint::read(&mut bytes) {
        Ok(value) => {
            let mut out = vec![0; varint::len(value)];
            varint::write(&mut out, value).unwrap();
            (value.to_string(), out)
        }
        Err(error) => (format!("{error:?}"), Vec::new()),
    }
}

fn number(bytes: &[u8], meaning: &str) -> String {
    let expected = meaning.split_once(' ').unwrap().0;
    let expected = expected.strip_prefix("expected=").unwrap().parse().unwrap();
    let low = packet_number::read(bytes, bytes.len());
    let number = packet_number::decode(low, bytes.len(), expected);
    format!("expected={expected} number={number}")
}

fn params(bytes: &[u8]) -> (String, Vec<u8>) {
    let params = match TransportParams::decode(bytes) {
        Ok(params) => params,
        Err(error) => return (format!("{error:?}"), Vec::new()),
    };
    let mut out = Vec::new();
    params.encode(&mut out);
    let original = params.original_id.map(|id| format!("original_id={id} "));
    let token = params.reset_token;
    let token = token.map(|token| format!(" reset_token={}", hex::encode(token)));
    let text = format!(
        "{}source_id={} max_idle_timeout={} max_datagram={} max_ack_delay={} receive_buffer={}{}",
        original.unwrap_or_default(),
        params.source_id,
        params.max_idle_timeout_ms,
        params.max_datagram,
        params.max_ack_delay_us,
        params.receive_buffer,
        token.unwrap_or_default(),
    );
    (text, out)
}

fn entry(mut bytes: &[u8]) -> (String, Vec<u8>) {
    match Entry::decode(&mut bytes) {
        Ok(entry) => {
            let mut out = Vec::new();
            entry.encode(&mut out);
            (entry_text(&entry), out)
        }
        Err(error) => (format!("{error:?}"), Vec::new()),
    }
}

fn entry_text(entry: &Entry<'_>) -> String {
    format!(
        "kind={} size={} mtime={} mode={:o} name={}",
        upper(&format!("{:?}", entry.kind)),
        entry.size,
        entry.mtime,
        entry.mode,
        hex::encode(entry.name)
    )
}

fn header(bytes: &[u8]) -> (String, Vec<u8>) {
    let header = match PartialHeader::decode(bytes) {
        Ok(header) => header,
        Err(error) => return (format!("{error:?}"), Vec::new()),
    };
    assert_eq!(header.end, bytes.len());
    let number_len = header.first.number_len();
    let number_bytes = &bytes[header.number_at..][..number_len.min(bytes.len() - header.number_at)];
    let number = packet_number::read(number_bytes, number_len);
    let mut out = vec![0; bytes.len()];
    let written = match header.kind {
        PacketKind::Initial | PacketKind::Handshake => {
            let token = &bytes[header.token.clone()];
            let initial = header.kind == PacketKind::Initial;
            let ty = if initial {
                LongType::Initial { token }
            } else {
                LongType::Handshake
            };
            let (destination, source) = (header.destination, header.source.unwrap());
            let long = LongHeader {
                ty,
                destination,
                source,
            };
            let layout = long.encode(number, number_len, &mut out).unwrap();
            let payload = header.end - header.number_at - number_len;
            layout.set_length(&mut out, payload).unwrap();
            out.len()
        }
        PacketKind::Short => {
            let short = ShortHeader {
                destination: header.destination,
                key_phase: header.first.key_phase(),
            };
            short.encode(number, number_len, &mut out).unwrap();
            out.len()
        }
        PacketKind::VersionAnswer => {
            // The packet that this would answer.
            let cause = PartialHeader {
                kind: PacketKind::OtherVersion(1),
                destination: header.source.unwrap(),
                source: Some(header.destination),
                ..header.clone()
            };
            write_version_answer(&mut out, &cause, bytes.len()).unwrap()
        }
        PacketKind::Retry | PacketKind::OtherVersion(_) => 0,
    };
    out.truncate(written);
    (header_text(&header, bytes, number_bytes), out)
}

fn header_text(header: &PartialHeader, bytes: &[u8], number: &[u8]) -> String {
    let mut text = match header.kind {
        PacketKind::OtherVersion(_) => "OTHER_VERSION".into(),
        kind => upper(&format!("{kind:?}")),
    };
    text += &format!(" destination={}", header.destination);
    if let Some(source) = header.source {
        text += &format!(" source={source}");
    }
    let token = hex::encode(&bytes[header.token.clone()]);
    let number = hex::encode(number);
    let versions = header.versions(bytes).map(|v| format!("{v:08x}"));
    text += &match header.kind {
        PacketKind::Initial => format!(" token={token} number={number}"),
        PacketKind::Handshake => format!(" number={number}"),
        PacketKind::Short => {
            let phase = u8::from(header.first.key_phase());
            format!(" key_phase={phase} number={number}")
        }
        PacketKind::Retry => String::new(),
        PacketKind::VersionAnswer => {
            format!(" versions={}", versions.collect::<Vec<_>>().join(","))
        }
        PacketKind::OtherVersion(version) => format!(" version={version:08x}"),
    };
    text
}

fn frame(bytes: &[u8]) -> (String, Vec<u8>) {
    let mut rest = bytes;
    match Frame::decode(&mut rest) {
        Ok(frame) => {
            assert!(rest.is_empty());
            let mut out = vec![0; frame.encoded_len()];
            assert_eq!(frame.encode(&mut out), Some(out.len()));
            (format!("{}{}", frame.name(), fields(&frame)), out)
        }
        Err(error) => (format!("{error:?}"), Vec::new()),
    }
}

/// The fields of a frame, each with a space before it.
fn fields(frame: &Frame<'_>) -> String {
    let name = |value: &dyn core::fmt::Debug| upper(&format!("{value:?}"));
    let place = |transfer: u64, file: u64| format!(" transfer={transfer} file={file}");
    match *frame {
        Frame::Padding | Frame::Ping | Frame::HandshakeDone => String::new(),
        Frame::Ack(ack) => {
            let ranges: Vec<_> = ack.ranges().map(|range| format!("{range:?}")).collect();
            let ecn = ack.ecn.map_or(String::new(), |of| {
                format!(" ect0={} ect1={} ce={}", of.ect0, of.ect1, of.ce)
            });
            format!(" delay={} ranges={}{ecn}", ack.delay, ranges.join(","))
        }
        Frame::Crypto { offset, data } => format!(" offset={offset} data={}", hex::encode(data)),
        Frame::NewConnectionId {
            sequence,
            retire_prior_to,
            id,
            token,
        } => format!(
            " sequence={sequence} retire_prior_to={retire_prior_to} id={id} token={}",
            hex::encode(token)
        ),
        Frame::AckFrequency {
            sequence,
            packets,
            delay,
            reordering,
        } => {
            format!(" sequence={sequence} packets={packets} delay={delay} reordering={reordering}")
        }
        Frame::RateLimit { sequence, rate } => format!(" sequence={sequence} rate={rate}"),
        Frame::RetireConnectionId { sequence } => format!(" sequence={sequence}"),
        Frame::PathChallenge { data } | Frame::PathResponse { data } => {
            format!(" data={}", hex::encode(data))
        }
        Frame::Close { code, reason } => {
            format!(" code={} reason={}", name(&code), hex::encode(reason))
        }
        Frame::Request {
            transfer,
            kind,
            compare,
            no_clobber,
            tree,
            resume,
            durability,
            amount,
            path,
            argument,
        } => format!(
            " transfer={transfer} kind={} compare={} no_clobber={} tree={} resume={} durability={} amount={amount} path={}{}",
            name(&kind),
            u8::from(compare),
            u8::from(no_clobber),
            u8::from(tree),
            u8::from(resume),
            durability as u8,
            hex::encode(path),
            match kind {
                RequestKind::Get if argument.is_empty() => String::new(),
                RequestKind::Get | RequestKind::Rename => {
                    format!(" argument={}", hex::encode(argument))
                }
                _ => String::new(),
            }
        ),
        Frame::Accept { transfer, credit } => format!(" transfer={transfer} credit={credit}"),
        Frame::Refuse { transfer, code } | Frame::Cancel { transfer, code } => {
            format!(" transfer={transfer} code={}", name(&code))
        }
        Frame::Entry {
            transfer,
            file,
            parent,
            version,
            entry,
        } => format!(
            "{} parent={parent} version={} {}",
            place(transfer, file),
            hex::encode(version),
            entry_text(&entry)
        ),
        Frame::Want {
            transfer,
            file,
            start,
            end,
        } => format!("{} start={start} end={end}", place(transfer, file)),
        Frame::Credit {
            transfer,
            file,
            limit,
        } => format!(" transfer={transfer} file={file} limit={limit}"),
        Frame::Data {
            transfer,
            file,
            offset,
            data,
        } => format!(
            "{} offset={offset} data={}",
            place(transfer, file),
            hex::encode(data)
        ),
        Frame::Piece {
            transfer,
            file,
            index,
            value,
        } => format!(
            "{} index={index} value={}",
            place(transfer, file),
            hex::encode(value)
        ),
        Frame::Have {
            transfer,
            file,
            index,
            level,
            value,
        } => format!(
            "{} index={index} level={level} value={}",
            place(transfer, file),
            hex::encode(value)
        ),
        Frame::Seal {
            transfer,
            file,
            size,
            root,
        } => format!(
            "{} size={size} root={}",
            place(transfer, file),
            hex::encode(root)
        ),
        Frame::Stored {
            transfer,
            file,
            how,
            durability,
        } => format!(
            "{} how={} durability={}",
            place(transfer, file),
            name(&how),
            durability as u8
        ),
        Frame::Failed {
            transfer,
            file,
            code,
        } => format!("{} code={}", place(transfer, file), name(&code)),
        Frame::Done {
            transfer,
            count,
            durability,
        } => format!(
            " transfer={transfer} count={count} durability={}",
            durability as u8
        ),
        Frame::Page {
            transfer,
            offset,
            last,
            data,
        } => format!(
            " transfer={transfer} offset={offset} last={} data={}",
            u8::from(last),
            hex::encode(data)
        ),
    }
}
