//! The one place where lines are written: by the thread, or by a call itself.

use std::{
    hint, io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use super::writer::{Line, Writer};

/// Looks at a desk that is taken, before the line is left to the thread: some microseconds, as long as the write of a line takes. To
/// be told by a thread takes longer than that, and all who come meanwhile have to wait in the same queue.
const LOOKS: usize = 100;

/// The writer, and how many lines wait for the thread.
pub(super) struct Desk {
    /// A std mutex: calls only try it, and the thread has nothing else to do.
    writer: Mutex<Writer>,
    queued: AtomicUsize,
}

impl Desk {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer: Mutex::new(writer), queued: AtomicUsize::new(0) }
    }

    /// Notes that a line is on its way to the thread. From here on no other one is written before it.
    pub(super) fn expect(&self) {
        self.queued.fetch_add(1, Ordering::AcqRel);
    }

    /// Writes a line here and now, if nothing waits for the thread, nobody else is writing, and the device takes it at once.
    /// Whoever calls this is held up by no more than one write to memory: should the device hang all the same, then only one
    /// call hangs with it, as the others find the desk taken.
    pub(super) fn write_now(&self, text: &[u8]) -> Option<io::Result<()>> {
        if self.queued.load(Ordering::Acquire) > 0 {
            return None;
        }
        let mut writer = self.take()?;
        if !writer.device.is_prompt(text.len()) {
            return None;
        }
        Some(writer.write_one(text))
    }

    /// Takes the desk if it is free in a moment.
    fn take(&self) -> Option<MutexGuard<'_, Writer>> {
        for _ in 0..LOOKS {
            if let Ok(writer) = self.writer.try_lock() {
                return Some(writer);
            }
            hint::spin_loop();
        }
        None
    }

    /// Writes lines that came to the thread.
    pub(super) fn write(&self, batch: impl ExactSizeIterator<Item = Line>) {
        let count = batch.len();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = Instant::now();
        writer.write(batch);
        writer.device.note(begin);
        self.queued.fetch_sub(count, Ordering::AcqRel);
    }
}
