//! What is logged.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::subscriber::DefaultGuard;

/// The lines that are logged on this thread, in the form of `telemetry`.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub fn watch() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// The line with this message.
    #[track_caller]
    pub fn find(&self, message: &str) -> String {
        let found = self.all(message).into_iter().next();
        found.unwrap_or_else(|| panic!("{message:?} is not in {}", self.text()))
    }

    /// Every line with this message.
    pub fn all(&self, message: &str) -> Vec<String> {
        let message = format!("\"message\":\"{message}\"");
        self.text().lines().filter(|line| line.contains(&message)).map(str::to_owned).collect()
    }

    /// All of them.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}
