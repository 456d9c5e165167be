//! The JSON body of a request, read as strictly as GitHub reads it.

use serde_json::{Map, Value};

use super::Refusal;

/// A JSON object, or the absence of a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input(Map<String, Value>);

impl Input {
    /// Reads a body; an empty one has no fields.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(Refusal::new(400, "Body should be a JSON object")),
            Err(_) => Err(Refusal::new(400, "Problems parsing JSON")),
        }
    }

    /// A field that is there and not null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field is there, even as null.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        self.typed(name, "string", Value::as_str)
    }

    pub fn needed_text(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.typed(name, "boolean", Value::as_bool)
    }

    pub fn list(&self, name: &str) -> Result<Option<&Vec<Value>>, Refusal> {
        self.typed(name, "array", Value::as_array)
    }

    pub fn needed_list(&self, name: &str) -> Result<&Vec<Value>, Refusal> {
        self.list(name)?.ok_or_else(|| missing(name))
    }

    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let Some(list) = self.list(name)? else { return Ok(None) };
        list.iter()
            .map(|v| v.as_str().map(str::to_owned).ok_or_else(|| mistyped(name, v, "string")))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub fn numbers(&self, name: &str) -> Result<Option<Vec<u64>>, Refusal> {
        let Some(list) = self.list(name)? else { return Ok(None) };
        list.iter()
            .map(|v| v.as_u64().ok_or_else(|| mistyped(name, v, "integer")))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// An object within the body.
    pub fn object(&self, name: &str) -> Result<Option<Self>, Refusal> {
        Ok(self.typed(name, "object", Value::as_object)?.map(|fields| Self(fields.clone())))
    }

    /// The fields with their values.
    pub fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }

    /// An object out of a list of the body.
    pub fn of(name: &str, value: &Value) -> Result<Self, Refusal> {
        value.as_object().cloned().map(Self).ok_or_else(|| mistyped(name, value, "object"))
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        kind: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| mistyped(name, value, kind)),
        }
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::new(422, format!("Invalid request.\n\n\"{name}\" wasn't supplied."))
}

fn mistyped(name: &str, value: &Value, kind: &str) -> Refusal {
    let article = if kind.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    Refusal::new(
        422,
        format!("Invalid request.\n\nFor 'properties/{name}', {value} is not {article} {kind}."),
    )
}
