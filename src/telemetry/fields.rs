//! Fields of spans in JSON. Every call has a span, and most calls log nothing: what tracing-subscriber makes of its fields,
//! by way of a map of values, would be a tenth of what a warm call costs.

use std::fmt::{self, Debug, Write};

use tracing::{
    field::{Field, Visit},
    span::Record,
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, FormattedFields, format::Writer},
};

/// Writes fields as a JSON object, in place.
pub(super) struct JsonFields;

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        writer.write_char('{')?;
        let mut object = Object { writer: &mut writer, empty: true, outcome: Ok(()) };
        fields.record(&mut object);
        object.outcome?;
        writer.write_char('}')
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        let mut more = FormattedFields::<Self>::new(String::new());
        self.format_fields(more.as_writer(), fields)?;
        if current.fields.len() <= "{}".len() {
            current.fields = more.fields;
        } else if more.fields.len() > "{}".len() {
            current.fields.pop();
            write!(current.fields, ",{}", more.fields.trim_start_matches('{'))?;
        }
        Ok(())
    }
}

/// An object that is being written.
struct Object<'a, W> {
    writer: &'a mut W,
    empty: bool,
    outcome: fmt::Result,
}

impl<W: Write> Object<'_, W> {
    fn add(&mut self, field: &Field, value: impl FnOnce(&mut W) -> fmt::Result) {
        let comma = if self.empty { "" } else { "," };
        self.empty = false;
        // Names are words of the code.
        let name = field.name().trim_start_matches("r#");
        self.outcome = self
            .outcome
            .and_then(|()| write!(self.writer, "{comma}\"{name}\":"))
            .and_then(|()| value(self.writer));
    }

    fn add_text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        self.add(field, |writer| {
            writer.write_char('"')?;
            Escaped(writer).write_fmt(text)?;
            writer.write_char('"')
        });
    }
}

impl<W: Write> Visit for Object<'_, W> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add_text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, |writer| write!(writer, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, |writer| write!(writer, "{value}"));
    }
}

/// Escapes what JSON wants to be escaped in a text.
struct Escaped<'a, W>(&'a mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
            let (plain, special) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut special = special.chars();
            if let Some(c) = special.next() {
                write!(self.0, "\\u{:04x}", u32::from(c))?;
            }
            rest = special.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use serde_json::{Value, json};
    use tracing::{field::Empty, info, info_span};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_fields_of_its_span_whatever_is_in_them() {
        let lines = Lines::default();
        let kept = lines.clone();
        let subscriber = crate::telemetry::json(tracing_subscriber::fmt())
            .with_writer(move || kept.clone())
            .finish();
        let text = "\"\\ \u{0}\u{1f}\n\u{7f}ü\u{2028}😀";
        tracing::subscriber::with_default(subscriber, || {
            let span = info_span!("call", shown = %text, kept = text, debug = ?text, number = -7, big = u64::MAX,
                half = 0.5, yes = true, later = Empty, r#type = "t");
            span.record("later", "now");
            let _in = span.enter();
            info!("said");
            let _nothing = info_span!("empty", later = Empty).entered();
            info!("said");
            info_span!("empty", later = Empty).record("later", 1);
        });
        let lines = lines.0.lock().unwrap().clone();
        let spans: Vec<Value> = String::from_utf8(lines)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["span"].take())
            .collect();
        let first = json!({
            "name": "call", "shown": text, "kept": text, "debug": format!("{text:?}"), "number": -7, "big": u64::MAX,
            "half": "0.5", "yes": true, "later": "now", "type": "t",
        });
        assert_eq!(spans, [first, json!({"name": "empty"})]);
    }
}
