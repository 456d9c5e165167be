//! Push protection: contents in which a secret is found.

use super::Violation;
use crate::hub::Hub;
use crate::secrets::letters;

/// Where a user lets a secret pass, below the repository's page.
pub(crate) const UNBLOCK: &str = "/security/secret-scanning/unblock-secret/";
/// Letters of the id of a blocked secret.
const PLACEHOLDER: usize = 27;

/// The refusal of contents in which push protection finds a secret.
pub(crate) fn check_secrets<'a>(
    hub: &Hub,
    contents: impl Iterator<Item = &'a [u8]>,
) -> Result<(), Violation> {
    let patterns = hub.world().secret_patterns.clone();
    if patterns.is_empty() {
        return Ok(());
    }
    for content in contents {
        if patterns.iter().any(|pattern| contains(content, pattern.as_bytes())) {
            return Err(Violation {
                protection: vec!["Secret detected in content".to_owned()],
                placeholder: Some(letters(PLACEHOLDER)),
                ..Violation::default()
            });
        }
    }
    Ok(())
}

fn contains(content: &[u8], pattern: &[u8]) -> bool {
    !pattern.is_empty() && content.windows(pattern.len()).any(|window| window == pattern)
}
