//! Blobs over REST.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::view;
use crate::http::{Answer, Call, Outcome, Payload, Refusal};
use crate::policy;
use crate::urls::node_id;

/// The largest blob that the API reads or writes.
const LARGEST: usize = 100 * 1024 * 1024;

/// Base64 as GitHub takes it: with or without line breaks.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok()
}

/// Base64 as GitHub gives it: in lines of 60 characters.
pub(super) fn encode_base64(data: &[u8]) -> String {
    let encoded = STANDARD.encode(data);
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 60 + 1);
    for (place, letter) in encoded.chars().enumerate() {
        text.push(letter);
        if place % 60 == 59 {
            text.push('\n');
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

pub(super) fn create(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let git = call.filled_git()?;
    let content = input.needed_text("content")?;
    let data = match input.text("encoding")? {
        None | Some("utf-8") => content.as_bytes().to_vec(),
        Some("base64") => decode_base64(content)
            .ok_or_else(|| Refusal::new(422, "content is not valid Base64"))?,
        Some(other) => {
            return Err(Refusal::new(422, format!("{other} is not a supported encoding")));
        }
    };
    if data.len() > LARGEST {
        return Err(Refusal::new(422, "Sorry, your input was too large to process."));
    }
    policy::check_secrets(call.hub, std::iter::once(data.as_slice()))
        .map_err(|violation| violation.refusal(409))?;
    let sha = git.write_blob(&data)?;
    let url = format!("{}/git/blobs/{sha}", view::api(&call.hub.urls, call.repo()?));
    Ok(Answer::created(json!({"sha": sha, "url": url})))
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let sha = call.param("file_sha");
    if sha.len() != 40 || !sha.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Refusal::new(
            422,
            "The sha parameter must be exactly 40 characters and contain only [0-9a-f].",
        ));
    }
    let object = call
        .filled_git()?
        .object(sha)?
        .filter(|object| object.kind == "blob")
        .ok_or_else(Refusal::not_found)?;
    if call.wants_raw() {
        let body = Bytes::from(object.data);
        return Ok(Answer::new(
            200,
            Payload::Raw("application/vnd.github.raw; charset=utf-8", body),
        ));
    }
    let repo = call.repo()?;
    Ok(Answer::ok(json!({
        "sha": object.oid,
        "node_id": node_id("Blob", &format!("{}:{}", repo.id, object.oid)),
        "size": object.data.len(),
        "url": format!("{}/git/blobs/{}", view::api(&call.hub.urls, repo), object.oid),
        "content": encode_base64(&object.data),
        "encoding": "base64",
    })))
}
