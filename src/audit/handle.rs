//! With what a call waits for its line.

use std::{io, sync::Arc, thread, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{
    OpenError, Record, Target,
    desk::Desk,
    device::Device,
    outage::Outage,
    writer::{self, Line, Writer},
};

/// Lines that wait for the device; a call that finds no room waits for some. A line is about 700 bytes, so this is less than
/// 1 MB, and at most 64 MB if all are as long as may be.
const QUEUE: usize = 1024;
/// Longest line in bytes: a token for 500 repositories takes 10 KB, and a path is at most as long as a call's headers.
const MAX_LINE: usize = 64 * 1024;

/// Why a record was not written, or is not known to be.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unwritten {
    /// The device blocks or is too slow, or too many lines wait for it.
    #[error("the audit took longer than {0:?}: see that its disk, or what reads stdout, keeps up")]
    Late(Duration),
    /// The device does not take it.
    #[error("the audit cannot be written ({0}): see to its disk and its directory")]
    Failed(Arc<io::Error>),
    /// More than a line may have.
    #[error(
        "a line of the audit would be {0} bytes long, and may be {MAX_LINE}: ask for less at once"
    )]
    TooLong(usize),
    /// The record has a time that RFC 3339 cannot say.
    #[error("a line of the audit cannot be made ({0}): report this as a bug")]
    Unprintable(Arc<time::error::Format>),
    /// The thread is gone.
    #[error("the audit's thread has ended: restart ghbroker, and report this as a bug")]
    Stopped,
}

/// The audit. Cheap to clone; once all clones are gone, the thread writes what is left and ends.
#[derive(Clone)]
pub struct Audit {
    desk: Arc<Desk>,
    queue: mpsc::Sender<Line>,
    outage: Arc<Outage>,
    timeout: Duration,
}

impl Audit {
    /// Opens `target` and starts the thread that writes to it. A file is made if it is not there, readable by its owner
    /// alone; anything but a regular file is refused. A record may take `timeout` to be written.
    pub fn open(target: &Target, timeout: Duration) -> Result<Self, OpenError> {
        Self::open_on(Device::open(target)?, timeout)
    }

    /// For tests too, which bring a device of their own.
    pub(super) fn open_on(device: Device, timeout: Duration) -> Result<Self, OpenError> {
        let (queue, lines) = mpsc::channel(QUEUE);
        let outage = Arc::<Outage>::default();
        let desk = Arc::new(Desk::new(Writer { device, outage: outage.clone() }));
        let thread_desk = desk.clone();
        // Nobody joins it: a blocked device must not keep the process from ending.
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer::run(&thread_desk, lines))
            .map_err(OpenError::Thread)?;
        Ok(Self { desk, queue, outage, timeout })
    }

    /// Writes `record`: when what is returned has succeeded, the operating system has the whole line (it may not be on the disk
    /// yet). Takes at most the timeout that the audit was opened with. The record is not needed any more when this returns.
    ///
    /// If this fails or is dropped, the line may be written all the same, then or later: a line may exist for a call that
    /// failed, but no call goes on without its line.
    pub fn write<'a>(
        &'a self,
        record: &Record,
    ) -> impl Future<Output = Result<(), Unwritten>> + use<'a> {
        let begun = self.begin(record);
        async {
            match begun? {
                None => Ok(()),
                Some(text) => self.queue(text).await,
            }
        }
    }

    /// Writes the line if that can be done at once; gives it back if not.
    fn begin(&self, record: &Record) -> Result<Option<Vec<u8>>, Unwritten> {
        let text = record.to_line().map_err(|error| Unwritten::Unprintable(Arc::new(error)))?;
        if text.len() > MAX_LINE {
            return Err(Unwritten::TooLong(text.len()));
        }
        match self.desk.write_now(&text) {
            Some(written) => {
                written.map(|()| None).map_err(|error| Unwritten::Failed(Arc::new(error)))
            }
            None => Ok(Some(text)),
        }
    }

    /// Waits until everything that was queued before is written or has failed, at most the timeout. For the shutdown, so
    /// that the process does not end before lines of calls that were given up.
    pub async fn close(self) -> Result<(), Unwritten> {
        self.queue(Vec::new()).await
    }

    async fn queue(&self, text: Vec<u8>) -> Result<(), Unwritten> {
        let (written, outcome) = oneshot::channel();
        let done = async {
            let room = self.queue.reserve().await.map_err(|_| Unwritten::Stopped)?;
            self.desk.expect();
            room.send(Line { text, written });
            outcome.await.map_err(|_| Unwritten::Stopped)?.map_err(Unwritten::Failed)
        };
        let done = tokio::time::timeout(self.timeout, done).await;
        let done = done.unwrap_or(Err(Unwritten::Late(self.timeout)));
        // The writer tells of its failures itself, in their order, but not that it hangs or is gone.
        if let Err(why @ (Unwritten::Late(_) | Unwritten::Stopped)) = &done {
            self.outage.begins(why);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use futures_util::{FutureExt, future::join_all};
    use serde_json::Value;
    use time::macros::datetime;

    use super::*;
    use crate::audit::{
        testing::{gate, line, logs, record},
        writer::BATCH,
    };

    /// Never waited for.
    const LONG: Duration = Duration::from_secs(600);
    /// Always waited for, as the gate stays shut.
    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_line_is_whole_when_a_thousand_are_written_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = Audit::open(&Target::File(path.clone()), LONG).unwrap();
        let tasks = (0..1000).map(|n| {
            let audit = audit.clone();
            tokio::spawn(async move { audit.write(&record(&format!("Call{n}"))).await })
        });
        for written in join_all(tasks).await {
            written.unwrap().unwrap();
        }
        let text = std::fs::read_to_string(path).unwrap();
        let rpc = |line: &str| -> String {
            let line: Value = serde_json::from_str(line).unwrap();
            line["rpc"].as_str().unwrap().to_owned()
        };
        assert_eq!(text.lines().count(), 1000);
        let seen: BTreeSet<String> = text.lines().map(rpc).collect();
        assert_eq!(seen, (0..1000).map(|n| format!("Call{n}")).collect());
    }

    #[tokio::test]
    async fn a_blocked_device_holds_up_no_call_and_no_shutdown_longer_than_the_timeout() {
        let (logs, _guard) = logs();
        let (device, _keeper) = gate();
        let audit = Audit::open_on(Device::new(device), SHORT).unwrap();
        for _ in 0..2 {
            let unwritten = audit.write(&record("A")).await.unwrap_err();
            assert!(matches!(unwritten, Unwritten::Late(SHORT)), "{unwritten}");
        }
        assert!(matches!(audit.close().await, Err(Unwritten::Late(_))));
        // Once, not for each call.
        assert_eq!(logs.levels(), ["ERROR"]);
    }

    #[tokio::test]
    async fn a_blocked_device_leaves_a_bounded_queue_and_is_written_to_when_it_works_again() {
        let (device, mut keeper) = gate();
        let audit = Audit::open_on(Device::new(device), SHORT).unwrap();
        let first = tokio::spawn({
            let audit = audit.clone();
            async move { audit.write(&record("First")).await }
        });
        keeper.entered().await;
        let waiting = record("Waiting");
        let calls = join_all((0..QUEUE + 100).map(|_| audit.write(&waiting)));
        // Without tokio's budget each is tried at least once before its time is over.
        let calls = tokio::task::unconstrained(calls).await;
        assert!(calls.iter().all(|call| matches!(call, Err(Unwritten::Late(_)))));
        assert!(first.await.unwrap().is_err());

        let writes = keeper.open();
        let audit = Audit { timeout: LONG, ..audit };
        audit.write(&record("Last")).await.unwrap();
        let text = writes.lock().unwrap().concat();
        assert_eq!(text, line("First") + &line("Waiting").repeat(QUEUE) + &line("Last"));
    }

    #[test]
    fn a_line_is_in_a_file_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = Audit::open(&Target::File(path.clone()), LONG).unwrap();
        for _ in 0..2 {
            // Without a runtime nobody could wait for the thread.
            audit.write(&record("A")).now_or_never().unwrap().unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), line("A").repeat(2));
    }

    #[tokio::test]
    async fn a_device_that_blocks_against_its_promise_holds_up_one_call() {
        let (device, mut keeper) = gate();
        let audit = Audit::open_on(Device::prompt(device), SHORT).unwrap();
        let first = thread::spawn({
            let audit = audit.clone();
            move || audit.write(&record("First")).now_or_never()
        });
        keeper.entered().await;
        for _ in 0..2 {
            let unwritten = audit.write(&record("Waiting")).await.unwrap_err();
            assert!(matches!(unwritten, Unwritten::Late(SHORT)), "{unwritten}");
        }
        let writes = keeper.open();
        first.join().unwrap().unwrap().unwrap();
        let audit = Audit { timeout: LONG, ..audit };
        audit.close().await.unwrap();
        let text = writes.lock().unwrap().concat();
        assert_eq!(text, line("First") + &line("Waiting").repeat(2));
    }

    #[tokio::test]
    async fn what_waits_for_a_slow_device_is_written_at_once() {
        let (device, mut keeper) = gate();
        let audit = Audit::open_on(Device::new(device), LONG).unwrap();
        let first = tokio::spawn({
            let audit = audit.clone();
            async move { audit.write(&record("First")).await }
        });
        keeper.entered().await;
        let waiting = record("Waiting");
        let calls = join_all((0..2 * BATCH).map(|_| audit.write(&waiting)));
        // Without tokio's budget all are queued in their first poll, before the gate opens in the second part.
        let both = futures_util::future::join(calls, async { keeper.open() });
        let (calls, writes) = tokio::task::unconstrained(both).await;
        assert!(calls.iter().all(Result::is_ok));
        first.await.unwrap().unwrap();
        let batch = line("Waiting").repeat(BATCH);
        assert_eq!(*writes.lock().unwrap(), [line("First"), batch.clone(), batch]);
    }

    #[tokio::test]
    async fn closing_waits_for_the_lines_of_calls_that_were_given_up() {
        let (device, mut keeper) = gate();
        let audit = Audit::open_on(Device::new(device), LONG).unwrap();
        let given_up = record("GivenUp");
        tokio::select! {
            biased;
            _ = audit.write(&given_up) => panic!("the device blocks"),
            () = keeper.entered() => {}
        }
        let writes = keeper.open();
        audit.close().await.unwrap();
        assert_eq!(*writes.lock().unwrap(), [line("GivenUp")]);
    }

    #[tokio::test]
    async fn refuses_what_cannot_be_a_line_without_writing_any_of_it() {
        let (device, keeper) = gate();
        let writes = keeper.open();
        let audit = Audit::open_on(Device::new(device), LONG).unwrap();
        let long = audit.write(&record(&"a".repeat(MAX_LINE))).await.unwrap_err();
        assert!(matches!(long, Unwritten::TooLong(length) if length > MAX_LINE), "{long}");
        let time = datetime!(-0001-01-01 00:00 UTC);
        let odd = audit.write(&Record { time, ..record("A") }).await.unwrap_err();
        assert!(matches!(odd, Unwritten::Unprintable(_)), "{odd}");
        audit.write(&record("Good")).await.unwrap();
        assert_eq!(*writes.lock().unwrap(), [line("Good")]);
    }

    #[test]
    fn the_thread_ends_when_nobody_can_write_any_more() {
        let (device, keeper) = gate();
        let writes = keeper.open();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let audit = Audit::open_on(Device::new(device), LONG).unwrap();
        runtime.block_on(audit.close()).unwrap();
        // The device, and with it this handle, is dropped by the thread's end alone.
        while Arc::strong_count(&writes) > 1 {
            thread::yield_now();
        }
    }
}
