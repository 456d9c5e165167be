//! Commit messages.

use std::{fmt, str::FromStr};

use super::Invalid;

/// A commit message as git keeps it: a headline, and a body after an empty line. Line ends are `\n`, and there is no white
/// space around either part, so that a message that comes back from GitHub is equal to the one that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitMessage {
    text: String,
    headline: usize,
}

impl CommitMessage {
    /// The first line.
    pub fn headline(&self) -> &str {
        self.text.get(..self.headline).unwrap_or_default()
    }

    /// What comes after it; may be empty.
    pub fn body(&self) -> &str {
        self.text.get(self.headline..).unwrap_or_default().trim_start_matches('\n')
    }

    /// Both.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The message with more trailers at its end, each a line `Name: value` as git reads them. A value is one line.
    pub fn with_trailers(&self, trailers: &[(&str, &str)]) -> Self {
        let last = self.body().rsplit("\n\n").next().unwrap_or_default();
        let ends_with_trailers = !last.is_empty() && last.lines().all(is_trailer);
        let mut text = self.text.clone();
        text.push_str(if ends_with_trailers { "\n" } else { "\n\n" });
        let lines: Vec<String> =
            trailers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        text.push_str(&lines.join("\n"));
        Self { text, headline: self.headline }
    }
}

fn is_trailer(line: &str) -> bool {
    let name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    line.split_once(": ").is_some_and(|(token, _)| !token.is_empty() && name(token))
}

impl FromStr for CommitMessage {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let lines = text.replace("\r\n", "\n").replace('\r', "\n");
        let first = lines.split('\n').next().unwrap_or_default().trim();
        if first.is_empty() {
            return Err(Invalid::new("must begin with a headline"));
        }
        let body = lines.split_once('\n').map_or("", |(_, body)| body).trim_end();
        let body = body.trim_start_matches('\n');
        let text = if body.is_empty() { first.to_owned() } else { format!("{first}\n\n{body}") };
        Ok(Self { text, headline: first.len() })
    }
}

impl fmt::Display for CommitMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_however_it_was_written() {
        for text in [
            "one\n\ntwo\nthree",
            "one\r\n\r\ntwo\r\nthree\r\n",
            " one \ntwo\nthree\n\n",
            "one\n\n\ntwo\nthree",
        ] {
            let message: CommitMessage = text.parse().unwrap();
            assert_eq!((message.headline(), message.body()), ("one", "two\nthree"), "{text:?}");
            assert_eq!(message.as_str().parse::<CommitMessage>().unwrap(), message);
        }
        let short: CommitMessage = "ü\n\n".parse().unwrap();
        assert_eq!((short.headline(), short.body(), short.as_str()), ("ü", "", "ü"));
    }

    #[test]
    fn trailers_are_one_paragraph_at_the_end() {
        let cases = [
            ("one", "one\n\nBy: me\nId: 7"),
            ("one\n\ntwo: three\nfour", "one\n\ntwo: three\nfour\n\nBy: me\nId: 7"),
            ("one\n\ntwo\n\nCloses: #1", "one\n\ntwo\n\nCloses: #1\nBy: me\nId: 7"),
        ];
        for (text, expected) in cases {
            let message: CommitMessage = text.parse().unwrap();
            let signed = message.with_trailers(&[("By", "me"), ("Id", "7")]);
            assert_eq!(signed.as_str(), expected);
            assert_eq!(signed.as_str().parse::<CommitMessage>().unwrap(), signed);
            assert_eq!(signed.headline(), "one");
        }
    }

    #[test]
    fn has_a_headline() {
        for text in ["", " ", "\n", "\nbody", "  \nbody"] {
            assert!(text.parse::<CommitMessage>().is_err(), "{text:?}");
        }
    }
}
