//! Taking secrets out of text that people will read.

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// GitHub's tokens have at least so many characters after the prefix.
const MIN_TAIL: usize = 20;
/// No token is shorter, whatever its prefix.
const MIN_LENGTH: usize = "eyJ".len() + MIN_TAIL;

/// `text` without anything that has the form of a GitHub token or of a JWT.
pub fn redact(text: &str) -> String {
    if text.len() < MIN_LENGTH {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest).unwrap_or(0);
        if length > 0 {
            out.push_str(REDACTED);
        } else {
            out.push(first);
        }
        rest = rest.get(length.max(first.len_utf8())..).unwrap_or_default();
    }
    out
}

/// Length of the token that `text` begins with: `gh[a-z]_[A-Za-z0-9._-]{20,}`, `github_pat_[A-Za-z0-9_]{20,}`, or a JWT.
fn token_length(text: &str) -> Option<usize> {
    let wide = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
    let narrow = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let tail = |prefix: usize, allowed: &dyn Fn(&u8) -> bool| {
        let length = text.bytes().skip(prefix).take_while(allowed).count();
        (length >= MIN_TAIL).then_some(prefix + length)
    };
    match text.as_bytes() {
        [b'g', b'h', b'a'..=b'z', b'_', ..] => tail(4, &wide),
        _ if text.starts_with("github_pat_") => tail("github_pat_".len(), &narrow),
        // The base64 of `{"`, with which every JWT begins.
        _ if text.starts_with("eyJ") => tail(3, &wide),
        _ => None,
    }
}
