//! Names of branches: taken exactly when git takes them, without those that git or GitHub would read as something else.
#![no_main]

use ghbroker_fuzz::domain::BranchName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let taken = text.parse::<BranchName>();
    let expected = git_takes(text) && !reserved(text);
    assert_eq!(taken.is_ok(), expected, "{text:?}: {taken:?}");
    let Ok(branch) = taken else { return };
    assert_eq!(branch.as_str(), text);
    assert_eq!(branch.to_string().parse(), Ok(branch));
});

/// What git would take and the broker does not: what could be a full ref, a commit, an option or a symbolic name,
/// and what a terminal would not show.
fn reserved(text: &str) -> bool {
    let commit_id = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let unseen = text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c));
    text.starts_with("refs/")
        || matches!(text, "HEAD" | "@")
        || commit_id
        || unseen
        || text.len() > 239
}

/// git's `check_refname_format` of `refs/heads/NAME`, and what `git check-ref-format --branch` refuses beyond it.
fn git_takes(name: &str) -> bool {
    if name.starts_with('-') || name.ends_with('.') {
        return false;
    }
    name.as_bytes().split(|b| *b == b'/').all(|part| {
        let mut last = 0;
        for byte in part {
            match (last, *byte) {
                (_, 0..=0x20 | 0x7f | b'~' | b'^' | b':' | b'?' | b'*' | b'[' | b'\\') => {
                    return false;
                }
                (b'.', b'.') | (b'@', b'{') => return false,
                (_, byte) => last = byte,
            }
        }
        !part.is_empty() && part[0] != b'.' && !part.ends_with(b".lock")
    })
}
