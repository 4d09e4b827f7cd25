//! What happens beside the datagrams.

use std::sync::{Arc, Mutex, PoisonError};

use proto_core::{Event, Finished, Instant};

use super::label::thousands;
use crate::plot::{Note, NoteKind, Side};

/// Notes that several parties add to.
#[derive(Clone, Default, Debug)]
pub(super) struct Notes(Arc<Mutex<Vec<Note>>>);

impl Notes {
    /// Adds a note, to the last one of its side when that is of the same time and kind.
    fn add(&self, at: Instant, side: Side, kind: NoteKind, text: String) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = at.since(Instant::ZERO);
        let same = notes.iter_mut().rev().find(|note| note.side == side);
        match same.filter(|note| note.at == at && note.kind == kind) {
            Some(note) => {
                note.text.push_str(", ");
                note.text.push_str(&text);
            }
            None => notes.push(Note {
                side,
                at,
                kind,
                text,
            }),
        }
    }

    /// All notes, in the order in which they were added.
    pub(super) fn take(&self) -> Vec<Note> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The application says something.
    pub(super) fn event(&self, at: Instant, side: Side, text: &str) {
        self.add(at, side, NoteKind::Event, text.into());
    }

    /// The application is told something. What a reader of the arrows sees anyway is left out.
    pub(super) fn told(&self, at: Instant, side: Side, event: &Event) {
        let text = match event {
            Event::PeerReady { .. } => "the session is ready".into(),
            Event::Requested { request, .. } => {
                format!(
                    "asked for {}",
                    String::from_utf8_lossy(request.path.as_bytes())
                )
            }
            Event::Finished { result, .. } => match result {
                Ok(Finished::Stored { size, .. }) => {
                    format!("done: {} bytes stored", thousands(*size))
                }
                Ok(
                    Finished::Answered
                    | Finished::Tree(_)
                    | Finished::Changed { .. }
                    | Finished::Hashed { .. },
                ) => "done".into(),
                Err(failure) => format!("failed: {failure:?}"),
            },
            Event::PeerClosed { .. } => "the session is over".into(),
            _ => return,
        };
        self.add(at, side, NoteKind::Event, text);
    }

    /// Takes lines of a lab's trace and notes the file operations in them.
    pub(super) fn file_operations(&self) -> impl FnMut(&str) + Send + 'static {
        let notes = self.clone();
        move |line| {
            if let Some((at, side, name)) = file_operation(line) {
                notes.add(at, side, NoteKind::File, name);
            }
        }
    }
}

/// Time, side and operation of a line such as `0.050000000s client: file op OpId(…) Read { … }`.
fn file_operation(line: &str) -> Option<(Instant, Side, String)> {
    let (head, tail) = line.split_once(": file op ")?;
    let (time, host) = head.split_once(' ')?;
    let (seconds, nanos) = time.strip_suffix('s')?.split_once('.')?;
    let nanos: u64 = nanos.parse().ok()?;
    let seconds: u64 = seconds.parse().ok()?;
    let side = match host {
        "client" => Side::Client,
        "server" => Side::Server,
        _ => return None,
    };
    let (_, operation) = tail.split_once(") ")?;
    let name = operation.split(' ').next()?;
    let at = Instant::from_nanos(seconds * 1_000_000_000 + nanos);
    Some((at, side, spaced(name)))
}

/// `SyncDir` as `sync dir`.
fn spaced(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto_core::{FileId, Operation};

    #[test]
    fn operations_are_read_from_the_trace() {
        let what = Operation::Sync { file: FileId(3) };
        let line = format!("0.050001000s client: file op OpId(Key {{ index: 1 }}) {what:?}");
        let at = Instant::from_nanos(50_001_000);
        assert_eq!(
            file_operation(&line),
            Some((at, Side::Client, "sync".into()))
        );
        assert_eq!(file_operation("0.05s client: receives 5 bytes"), None);
        assert_eq!(spaced("SyncDir"), "sync dir");
    }
}
