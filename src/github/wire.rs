//! Reading and writing single JSON values.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use base64::{display::Base64Display, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::domain::{ObjectId, Permissions};

/// For `deserialize_with`: a string that is a word of the domain.
pub(super) fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

/// For `deserialize_with`: `null` is the same as nothing.
pub(super) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// For `deserialize_with`: permissions as GitHub grants them. Values that are not strings are none that the broker knows.
pub(super) fn permissions<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Permissions, D::Error> {
    let granted: Option<BTreeMap<String, Value>> = Option::deserialize(deserializer)?;
    Ok(known(&granted.unwrap_or_default()))
}

/// Those of the permissions that the broker knows.
pub(super) fn known(granted: &BTreeMap<String, Value>) -> Permissions {
    let texts = granted.iter().filter_map(|(name, level)| Some((name.as_str(), level.as_str()?)));
    Permissions::from_github(texts)
}

/// An object with nothing but an id, as git's objects name one another.
#[derive(Deserialize)]
pub(super) struct Sha {
    #[serde(deserialize_with = "parsed")]
    pub(super) sha: ObjectId,
}

/// Bytes as base64, encoded while the JSON is written: file contents are large.
pub(super) struct Base64<'a>(pub(super) &'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &BASE64_STANDARD))
    }
}

/// Length of so many bytes in base64.
pub(super) fn base64_length(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_base64_with_padding() {
        for (bytes, text) in
            [(&b"a"[..], "\"YQ==\""), (b"abc", "\"YWJj\""), (b"\0\xff", "\"AP8=\"")]
        {
            let json = serde_json::to_string(&Base64(bytes)).unwrap();
            assert_eq!(json, text);
            assert_eq!(base64_length(bytes.len()), text.len() - 2);
        }
    }
}
