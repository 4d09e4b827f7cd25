//! Lines of a server's log and events: written by threads of their own, so that an output that takes nothing more (a
//! terminal stopped with Ctrl-S, a pipe that nobody reads) holds up nobody's transfer.

use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::exit::Error;

/// Lines that wait for an output, at most. Further ones are left out and counted.
const LINES_MAX: usize = 1024;
/// How long the outputs may take at the end for what waits for them.
const FLUSH: Duration = Duration::from_secs(1);

/// A queue of lines in front of one output, and the thread that writes them.
#[derive(Debug)]
pub(crate) struct Writer {
    state: Arc<Mutex<State>>,
    /// Disconnected when the thread has ended; nothing is ever sent.
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug)]
struct State {
    /// `None` once the writer is closed.
    lines: Option<SyncSender<String>>,
    /// Lines that found no room since the queue was empty.
    left_out: u64,
}

impl Writer {
    /// Begins to write to `output`. `tell` makes the line that says how many were left out.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn start(
        output: impl Write + Send + 'static,
        tell: fn(u64) -> String,
    ) -> Result<Self, Error> {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let (alive, ended) = sync_channel(0);
        let state = Arc::new(Mutex::new(State {
            lines: Some(lines),
            left_out: 0,
        }));
        let theirs = Arc::clone(&state);
        thread::Builder::new()
            .name("dhow-log".to_owned())
            .spawn(move || {
                write_all(output, &waiting, &theirs, tell);
                drop(alive);
            })
            .map_err(|error| Error::io("starting the log", &error))?;
        Ok(Self {
            state,
            ended: Mutex::new(ended),
        })
    }

    /// Takes a line, with its line feed. Never waits: when there is no room, this line and those after it are left out,
    /// until what waits has been written.
    pub(crate) fn line(&self, line: String) {
        let mut state = lock(&self.state);
        let is_taken = match &state.lines {
            Some(lines) => state.left_out == 0 && lines.try_send(line).is_ok(),
            None => true,
        };
        if !is_taken {
            state.left_out = state.left_out.saturating_add(1);
        }
    }

    /// Takes no more lines.
    fn close(&self) {
        lock(&self.state).lines = None;
    }

    /// Waits until all lines are written, until `deadline` at most.
    fn wait(&self, deadline: Instant) {
        let rest = deadline.saturating_duration_since(Instant::now());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Either it has ended, or its output takes nothing: then what waits is lost.
        let (Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) =
            ended.recv_timeout(rest);
    }
}

/// Ends the writers; what waits for them is written if that takes no more than a second.
pub(crate) fn finish<'a>(writers: impl Iterator<Item = &'a Writer> + Clone) {
    let deadline = Instant::now() + FLUSH;
    writers.clone().for_each(Writer::close);
    for writer in writers {
        writer.wait(deadline);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Numbers and a channel are whole after a panic, too.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what comes until the writer is closed.
fn write_all(
    mut output: impl Write,
    waiting: &Receiver<String>,
    state: &Mutex<State>,
    tell: fn(u64) -> String,
) {
    loop {
        let line = {
            // With the lock held nobody adds a line: where the queue is empty now, those that were left out are missing.
            let mut state = lock(state);
            match (waiting.try_recv(), state.left_out) {
                (Ok(line), _) => Some(line),
                (Err(_), 0) => None,
                (Err(TryRecvError::Empty | TryRecvError::Disconnected), count) => {
                    state.left_out = 0;
                    Some(tell(count))
                }
            }
        };
        let Some(line) = line.or_else(|| waiting.recv().ok()) else {
            return;
        };
        // There is no better place to report that an output is gone.
        let _ = output.write_all(line.as_bytes());
        let _ = output.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    /// Takes a line for each `()` it is given; all of them once the sender is gone.
    struct Gate {
        open: Receiver<()>,
        seen: Sender<String>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.open.recv();
            let _ = self.seen.send(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn gated() -> (Writer, Sender<()>, Receiver<String>) {
        let ((opener, open), (seen, lines)) = (channel(), channel());
        let writer = Writer::start(Gate { open, seen }, |count| format!("left out {count}\n"));
        (writer.unwrap(), opener, lines)
    }

    #[test]
    fn what_finds_no_room_is_counted_in_its_place() {
        let (writer, opener, lines) = gated();
        let sent = LINES_MAX + 100;
        for number in 0..sent {
            writer.line(format!("{number}\n"));
        }
        drop(opener);
        let mut written = Vec::new();
        while written
            .last()
            .is_none_or(|line: &String| !line.starts_with("left out"))
        {
            written.push(lines.recv().unwrap());
        }
        // The thread may have taken one line out of the queue before it was full.
        let count = written.len() - 1;
        assert!(count == LINES_MAX || count == LINES_MAX + 1, "{count}");
        let told = written.pop().unwrap();
        assert_eq!(told, format!("left out {}\n", sent - count));
        let expected: Vec<String> = (0..count).map(|number| format!("{number}\n")).collect();
        assert_eq!(written, expected);
        writer.line("later\n".to_owned());
        assert_eq!(lines.recv().unwrap(), "later\n");
    }

    #[test]
    fn the_end_waits_for_what_is_queued() {
        let (writer, opener, lines) = gated();
        for _ in 0..LINES_MAX * 2 {
            writer.line("x\n".to_owned());
        }
        drop(opener);
        finish([&writer].into_iter());
        let all: Vec<String> = lines.try_iter().collect();
        assert!(all.len() > LINES_MAX);
        assert!(all.last().unwrap().starts_with("left out"));
        writer.line("after the end\n".to_owned());
        assert_eq!(lines.recv().ok(), None);
    }

    #[test]
    fn the_end_does_not_wait_for_a_stuck_output() {
        let (writer, opener, _lines) = gated();
        writer.line("x\n".to_owned());
        let begun = Instant::now();
        finish([&writer, &writer].into_iter());
        let took = begun.elapsed();
        assert!(took >= FLUSH && took < FLUSH * 5, "{took:?}");
        drop(opener);
    }
}
