//! The thread that writes, and what it does with lines.

use std::{io, sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot};

use super::{desk::Desk, device::Device, outage::Outage};

/// Lines that are written at once. Enough that a slow device is not asked for each line, few enough that the first of them
/// does not wait long for the last.
pub(super) const BATCH: usize = 256;

/// A line on its way, and who waits for it.
pub(super) struct Line {
    /// The whole line, with its end. Nothing at all to wait only for what was queued before.
    pub(super) text: Vec<u8>,
    /// Told once the operating system has the line, or did not take it.
    pub(super) written: oneshot::Sender<Result<(), Arc<io::Error>>>,
}

/// Writes what is queued, until nobody can send any more and nothing is left. A device may block for ever: this has a thread
/// of its own, which nothing waits for without a time limit.
pub(super) fn run(desk: &Desk, mut queue: mpsc::Receiver<Line>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        desk.write(batch.drain(..));
    }
}

/// Writes lines.
pub(super) struct Writer {
    pub(super) device: Device,
    pub(super) outage: Arc<Outage>,
}

impl Writer {
    /// Writes one line.
    pub(super) fn write_one(&mut self, line: &[u8]) -> io::Result<()> {
        let begin = Instant::now();
        let (_, outcome) = self.device.write(line);
        self.device.note(begin);
        self.tell_of(&outcome);
        outcome
    }

    fn tell_of(&self, outcome: &io::Result<()>) {
        match outcome {
            Ok(()) => self.outage.ends(),
            Err(error) => self.outage.begins(error),
        }
    }

    /// Writes a batch at once and tells each that waits. A line is told as written only if all of it was; one that nobody
    /// waits for any more is written all the same, as what it tells of may have happened.
    pub(super) fn write(&mut self, batch: impl Iterator<Item = Line>) {
        let mut bytes = Vec::new();
        let mut waiting = Vec::new();
        for line in batch {
            bytes.extend_from_slice(&line.text);
            waiting.push((bytes.len(), line.written));
        }
        if bytes.is_empty() {
            return tell(waiting, 0, None);
        }
        let (taken, outcome) = self.device.write(&bytes);
        self.tell_of(&outcome);
        tell(waiting, taken, outcome.err().map(Arc::new));
    }
}

type Waiting = (usize, oneshot::Sender<Result<(), Arc<io::Error>>>);

/// Tells each that waits whether its line, which ends at this many bytes, is among those that were taken.
fn tell(waiting: Vec<Waiting>, taken: usize, error: Option<Arc<io::Error>>) {
    for (end, written) in waiting {
        let outcome = match &error {
            Some(error) if end > taken => Err(error.clone()),
            _ => Ok(()),
        };
        // Nobody may wait any more.
        let _ = written.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::{Disk, line, logs};

    /// Writes one batch here, without the thread; says of each line whether it was written.
    fn write(writer: &mut Writer, rpcs: &[&str]) -> Vec<bool> {
        let queued = rpcs.iter().map(|rpc| {
            let (written, outcome) = oneshot::channel();
            (Line { text: line(rpc).into_bytes(), written }, outcome)
        });
        let (lines, outcomes): (Vec<_>, Vec<_>) = queued.unzip();
        writer.write(lines.into_iter());
        outcomes.into_iter().map(|mut outcome| outcome.try_recv().unwrap().is_ok()).collect()
    }

    fn writer(disk: &Disk) -> Writer {
        Writer { device: Device::new(disk.clone()), outage: Arc::default() }
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_alone_on_its_line() {
        let half = line("B").len() / 2;
        let disk = Disk::with_room(line("A").len() + half);
        let mut writer = writer(&disk);
        assert_eq!(write(&mut writer, &["A", "B", "C"]), [true, false, false]);
        assert_eq!(write(&mut writer, &["D"]), [false]);
        disk.make_room(10_000);
        assert_eq!(write(&mut writer, &["E", "F"]), [true, true]);
        let expected = [&line("A"), &line("B")[..half], "\n", &line("E"), &line("F")].concat();
        assert_eq!(disk.text(), expected);
    }

    #[test]
    fn a_failure_between_lines_leaves_no_trace() {
        let disk = Disk::with_room(line("A").len());
        let mut writer = writer(&disk);
        assert_eq!(write(&mut writer, &["A", "B"]), [true, false]);
        disk.make_room(10_000);
        assert_eq!(write(&mut writer, &["C"]), [true]);
        assert_eq!(disk.text(), line("A") + &line("C"));
    }

    #[test]
    fn an_outage_is_logged_where_it_begins_and_where_it_ends() {
        let (logs, _guard) = logs();
        let disk = Disk::with_room(0);
        let mut writer = writer(&disk);
        for _ in 0..2 {
            for _ in 0..3 {
                write(&mut writer, &["A", "B"]);
            }
            disk.make_room(10_000);
            for _ in 0..3 {
                write(&mut writer, &["A", "B"]);
            }
            disk.make_room(0);
        }
        assert_eq!(logs.levels(), ["ERROR", "INFO", "ERROR", "INFO"]);
    }
}
