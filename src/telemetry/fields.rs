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

use crate::json::Object;

/// Writes fields as a JSON object, in place.
pub(super) struct JsonFields;

/// Most spans are shorter.
const USUAL_LENGTH: usize = 256;

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut object = Fields(Object::with_capacity(USUAL_LENGTH));
        fields.record(&mut object);
        writer.write_str(&object.0.finish())
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

/// The fields of a span as they are visited.
struct Fields(Object);

/// Names are words of the code.
fn name(field: &Field) -> &str {
    field.name().trim_start_matches("r#")
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.display(name(field), format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.text(name(field), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.json(name(field), format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.json(name(field), format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.json(name(field), format_args!("{value}"));
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
