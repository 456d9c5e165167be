//! JSON that is written in place. Every call has a line of the audit and a span of the log: written by way of a map, or in many small
//! pieces, they took a fifth of what a warm call costs.

use std::fmt::{self, Write};

/// A JSON object that is being written, its fields in the order of their coming.
pub struct Object {
    text: String,
}

impl Object {
    /// One without fields, and with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self { text }
    }

    /// Adds a field, whose name is a word of the code. What is between the quotes of its value is any text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.text.push('"');
        push_escaped(&mut self.text, value);
        self.text.push('"');
    }

    /// The same for what is written by its format.
    pub fn display(&mut self, name: &str, value: fmt::Arguments<'_>) {
        match value.as_str() {
            Some(text) => self.text(name, text),
            None => {
                self.name(name);
                self.text.push('"');
                // To a String it fails only if a type's own format does, which has written what it could.
                let _ = Escaped(&mut self.text).write_fmt(value);
                self.text.push('"');
            }
        }
    }

    /// Adds a field whose value is JSON already, as numbers are.
    pub fn json(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.name(name);
        let _ = self.text.write_fmt(value);
    }

    /// Adds a list of numbers.
    pub fn numbers(&mut self, name: &str, numbers: &[i64]) {
        self.name(name);
        for (at, number) in numbers.iter().enumerate() {
            let before = if at == 0 { '[' } else { ',' };
            let _ = write!(self.text, "{before}{number}");
        }
        self.text.push_str(if numbers.is_empty() { "[]" } else { "]" });
    }

    /// Adds a field that is `null`.
    pub fn null(&mut self, name: &str) {
        self.name(name);
        self.text.push_str("null");
    }

    /// Adds an object of texts, all of which are words of the code.
    pub fn words<'a>(&mut self, name: &str, words: impl Iterator<Item = (&'a str, &'a str)>) {
        self.name(name);
        self.text.push('{');
        for (name, value) in words {
            self.name(name);
            self.text.push('"');
            self.text.push_str(value);
            self.text.push('"');
        }
        self.text.push('}');
    }

    /// The object, whole.
    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn name(&mut self, name: &str) {
        let first = self.text.ends_with('{');
        self.text.push_str(if first { "\"" } else { ",\"" });
        self.text.push_str(name);
        self.text.push_str("\":");
    }
}

/// Writes what it is given with everything escaped that a JSON text must escape.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

fn push_escaped(to: &mut String, text: &str) {
    let special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // To the end in any case: a loop without a way out looks at many bytes at once.
    if !text.bytes().fold(false, |found, byte| found | special(byte)) {
        to.push_str(text);
        return;
    }
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(byte) if special(byte) => {
                let _ = write!(to, "\\u{byte:04x}");
            }
            _ => to.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_object_has_its_fields_in_their_order() {
        let mut object = Object::with_capacity(8);
        object.text("text", "a");
        object.display("display", format_args!("{}-{}", 1, "\n"));
        object.json("number", format_args!("{}", -7));
        object.numbers("numbers", &[1, -2]);
        object.numbers("no_numbers", &[]);
        object.null("none");
        object.words("words", [("a", "b"), ("c", "d")].into_iter());
        object.words("no_words", [].into_iter());
        let expected = concat!(
            r#"{"text":"a","display":"1-\u000a","number":-7,"numbers":[1,-2],"no_numbers":[],"none":null,"#,
            r#""words":{"a":"b","c":"d"},"no_words":{}}"#
        );
        assert_eq!(object.finish(), expected);
        assert_eq!(Object::with_capacity(0).finish(), "{}");
    }

    proptest! {
        #[test]
        fn any_text_reads_as_it_was(text in any::<String>()) {
            let mut object = Object::with_capacity(0);
            object.text("text", &text);
            object.display("display", format_args!("{text}!"));
            let object = object.finish();
            prop_assert!(!object.contains('\n'));
            let read: Value = serde_json::from_str(&object).unwrap();
            prop_assert_eq!(read, json!({"text": text, "display": format!("{text}!")}));
        }
    }
}
