//! Making text from outside fit for messages and logs.

use crate::domain::{REDACTED, redact};

/// Longest message that is kept, in characters. GitHub's own are shorter, except lists of rule violations.
const MAX_LENGTH: usize = 1000;
/// Secrets shorter than this could be part of an ordinary word; no real one is.
const MIN_SECRET: usize = 8;

/// `text` on one line, without control characters, without `secret` and whatever looks like a token, and not endless.
pub(super) fn clean(text: &str, secret: &str) -> String {
    let text =
        if secret.len() >= MIN_SECRET { text.replace(secret, REDACTED) } else { text.to_owned() };
    let mut line = String::with_capacity(text.len().min(MAX_LENGTH));
    let words = text.split(|c: char| c.is_control() || c.is_whitespace());
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&redact(word));
    }
    match line.char_indices().nth(MAX_LENGTH) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn puts_it_on_one_line() {
        let text =
            "Repository rule violations found\n\nCannot update\r\n\tthis \u{1b}[31mbranch\u{0}.";
        assert_eq!(
            clean(text, ""),
            "Repository rule violations found Cannot update this [31mbranch ."
        );
    }

    #[test]
    fn removes_tokens_of_every_form() {
        let tail = "A1b2C3d4E5f6G7h8I9j0";
        for token in [
            format!("ghp_{tail}"),
            format!("ghs_12345_eyJhbGciOiJSUzI1NiJ9.{tail}.{tail}-{tail}_x"),
            format!("github_pat_{tail}_{tail}"),
            format!("eyJ{tail}.{tail}.{tail}"),
        ] {
            let text = clean(&format!("bad (\"{token}\"), x={token}"), "");
            assert_eq!(text, "bad (\"[redacted]\"), x=[redacted]");
        }
    }

    #[test]
    fn removes_the_secret_of_the_call_whatever_its_form() {
        assert_eq!(
            clean("token 0123456789abcdef is bad", "0123456789abcdef"),
            "token [redacted] is bad"
        );
        assert_eq!(clean("a b", "a"), "a b");
    }

    #[test]
    fn keeps_words_that_only_look_a_little_like_tokens() {
        for text in ["ghosts gh_x ghp_short github_pat_x eyJx", "ünï → gh"] {
            assert_eq!(clean(text, ""), text);
        }
    }

    #[test]
    fn ends_somewhere() {
        let text = clean(&"ü".repeat(5000), "");
        assert_eq!(text.chars().count(), MAX_LENGTH + 3);
    }

    proptest! {
        #[test]
        fn no_token_is_left_whatever_is_around_it(
            before in r"\PC{0,30}",
            token in "gh[a-z]_[A-Za-z0-9]{20,40}|github_pat_[A-Za-z0-9_]{20,40}|eyJ[A-Za-z0-9]{20,40}",
            after in r"\PC{0,30}",
        ) {
            let text = clean(&format!("{before}{token}{after}"), "");
            prop_assert!(!text.contains(&token));
        }

        #[test]
        fn every_text_becomes_one_short_line(text in any::<String>(), secret in any::<String>()) {
            let text = clean(&text, &secret);
            prop_assert!(!text.contains(|c: char| c.is_control()));
            prop_assert!(text.chars().count() <= MAX_LENGTH + 3);
        }
    }
}
