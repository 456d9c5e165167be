//! The TOML file. An unknown key is a mistake: it is one that somebody believes to be in force.

use std::{collections::BTreeSet, path::Path};

use toml::{Table, Value};
use zeroize::Zeroizing;

use super::{Mistakes, shown};

/// The file's table, asked key by key. What is of another type than asked for, and what nobody asked for, becomes a
/// mistake: serde would end at the first one.
#[derive(Default)]
pub(super) struct File {
    table: Table,
    asked: BTreeSet<String>,
    mistakes: Vec<String>,
}

impl File {
    /// Reads a file. Only one that is no TOML at all is a mistake here.
    pub fn read(path: &Path) -> Result<Self, Mistakes> {
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| Mistakes(vec![format!("{} cannot be read: {error}", shown(path))]))?;
        let table = text.parse().map_err(|error: toml::de::Error| {
            // The parser's full text quotes the line, which may hold a password.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Mistakes(vec![format!("{} line {line}: {}", shown(path), error.message())])
        })?;
        Ok(Self { table, ..Self::default() })
    }

    /// The text at `key`, which is dotted as in a message: `server.listen`.
    pub fn text(&mut self, key: &str) -> Option<String> {
        self.take(key, "a text in quotes", |value| value.as_str().map(str::to_owned))
    }

    /// The texts at `key`.
    pub fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        self.take(key, "a list of texts in quotes", |value| {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }

    /// The switch at `key`.
    pub fn switch(&mut self, key: &str) -> Option<bool> {
        self.take(key, "true or false", Value::as_bool)
    }

    /// The whole number at `key`.
    pub fn number(&mut self, key: &str) -> Option<u64> {
        self.take(key, "a whole number, 0 or more", |value| value.as_integer()?.try_into().ok())
    }

    /// True if the file has this key or section.
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Names of what is in a section, whatever it is. None if there is something else at `key`.
    pub fn sections(&self, key: &str) -> Option<Vec<String>> {
        match self.find(key) {
            None => Some(Vec::new()),
            Some(value) => Some(value.as_table()?.keys().cloned().collect()),
        }
    }

    /// Reports nothing of what is at `key`.
    pub fn pass_over(&mut self, key: &str) {
        self.asked.insert(key.to_owned());
    }

    /// What was of a wrong type, and what nobody asked for.
    pub fn mistakes(mut self) -> Vec<String> {
        let mut mistakes = std::mem::take(&mut self.mistakes);
        self.unknown("", &self.table, &mut mistakes);
        mistakes
    }

    /// No message repeats the value: it may be a secret.
    fn take<T>(
        &mut self,
        key: &str,
        kind: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        self.asked.insert(key.to_owned());
        let value = self.find(key)?;
        let taken = read(value);
        if taken.is_none() {
            self.mistakes.push(format!("{key} must be {kind}"));
        }
        taken
    }

    fn find(&self, key: &str) -> Option<&Value> {
        let mut keys = key.split('.');
        let first = self.table.get(keys.next()?);
        keys.fold(first, |value, key| value?.get(key))
    }

    fn unknown(&self, section: &str, table: &Table, mistakes: &mut Vec<String>) {
        for (name, value) in table {
            let key = format!("{section}{name}");
            let inside = format!("{key}.");
            let is_section = self.asked.iter().any(|asked| asked.starts_with(&inside));
            match value {
                _ if self.asked.contains(key.as_str()) => {}
                Value::Table(table) if is_section => self.unknown(&inside, table, mistakes),
                _ if is_section => mistakes.push(format!("{key} must be a section: [{key}]")),
                _ => mistakes
                    .push(format!("{key} is unknown: see docs/configuration.md for the keys")),
            }
        }
    }
}
