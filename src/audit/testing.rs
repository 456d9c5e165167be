//! What several tests of this module need: devices that misbehave, a record, and what is logged.

use std::{
    io::{self, ErrorKind, Write},
    sync::{Arc, Mutex, mpsc as std_mpsc},
};

use time::macros::datetime;
use tokio::sync::mpsc;
use tracing::subscriber::{DefaultGuard, set_default, set_global_default};
use uuid::uuid;

use super::Record;

/// A record with little in it but its rpc.
pub(super) fn record(rpc: &str) -> Record {
    let request_id = uuid!("019aa4c5-1b1a-7c3e-8f00-0123456789ab");
    let time = datetime!(2026-11-21 02:58:25.125 UTC);
    Record { time, ..Record::new(request_id, None, rpc.to_owned()) }
}

/// The line of [`record`].
pub(super) fn line(rpc: &str) -> String {
    String::from_utf8(record(rpc).to_line().unwrap()).unwrap()
}

/// A device that blocks each write until it is let go, and then keeps what it was given.
pub(super) struct Gate {
    entered: mpsc::UnboundedSender<()>,
    open: std_mpsc::Receiver<()>,
    writes: Arc<Mutex<Vec<String>>>,
}

/// The other side of a [`Gate`].
pub(super) struct Gatekeeper {
    entered: mpsc::UnboundedReceiver<()>,
    open: std_mpsc::Sender<()>,
    writes: Arc<Mutex<Vec<String>>>,
}

pub(super) fn gate() -> (Gate, Gatekeeper) {
    keep_callsites_awake();
    let (entered, seen) = mpsc::unbounded_channel();
    let (open, opened) = std_mpsc::channel();
    let writes = Arc::<Mutex<Vec<String>>>::default();
    let keeper = Gatekeeper { entered: seen, open, writes: writes.clone() };
    (Gate { entered, open: opened, writes }, keeper)
}

impl Gatekeeper {
    /// Ends when a write stands at the gate.
    pub(super) async fn entered(&mut self) {
        self.entered.recv().await.unwrap();
    }

    /// Lets every write through from now on; gives where they are kept.
    pub(super) fn open(self) -> Arc<Mutex<Vec<String>>> {
        drop(self.open);
        self.writes
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The test may not look.
        let _ = self.entered.send(());
        // Fails at once when the gate is open for good.
        let _ = self.open.recv();
        self.writes.lock().unwrap().push(str::from_utf8(bytes).unwrap().to_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk in memory with little room.
#[derive(Clone)]
pub(super) struct Disk(Arc<Mutex<(usize, String)>>);

impl Disk {
    pub(super) fn with_room(room: usize) -> Self {
        Self(Arc::new(Mutex::new((room, String::new()))))
    }

    /// Sets how many bytes more it takes.
    pub(super) fn make_room(&self, room: usize) {
        self.0.lock().unwrap().0 = room;
    }

    pub(super) fn text(&self) -> String {
        self.0.lock().unwrap().1.clone()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (room, text) = &mut *self.0.lock().unwrap();
        let count = bytes.len().min(*room);
        if count == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        *room -= count;
        text.push_str(str::from_utf8(&bytes[..count]).unwrap());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged on this thread while the guard lives.
#[derive(Clone, Default)]
pub(super) struct Logs(Arc<Mutex<String>>);

pub(super) fn logs() -> (Logs, DefaultGuard) {
    keep_callsites_awake();
    let logs = Logs::default();
    let kept = logs.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(move || kept.clone())
        .finish();
    (logs, set_default(subscriber))
}

/// A place in the code that logs is asked once whether anybody listens, and the answer is kept for the whole process. With
/// somebody who always listens no test can make another one's lines vanish.
fn keep_callsites_awake() {
    let nowhere = tracing_subscriber::fmt().with_writer(io::sink).finish();
    // Fails for all tests but the first.
    drop(set_global_default(nowhere));
}

impl Logs {
    /// The level of each line.
    pub(super) fn levels(&self) -> Vec<String> {
        let text = self.0.lock().unwrap();
        let level = |line: &str| line.split_whitespace().next().unwrap().to_owned();
        text.lines().map(level).collect()
    }
}

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
