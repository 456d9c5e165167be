//! Lists that come in pages.

use serde::de::DeserializeOwned;

use super::{GitHub, call::Call, error::Result, headers};
use crate::domain::Token;

/// GitHub's largest page.
pub(super) const PAGE_SIZE: &str = "100";
/// Pages that are read at most; nobody has 5,000 installations, and a list that does not end must.
const MAX_PAGES: usize = 50;

impl GitHub {
    /// Reads a list page by page, as long as the next one is on the same server.
    pub(super) async fn pages<T: DeserializeOwned>(
        &self,
        mut call: Call,
        token: &Token,
        mut take: impl FnMut(T),
    ) -> Result<()> {
        call.url.query_pairs_mut().append_pair("per_page", PAGE_SIZE);
        for _ in 0..MAX_PAGES {
            let answer = self.send(&call, Some(token)).await?;
            take(answer.read()?);
            let next =
                headers::next_page(&answer.headers).and_then(|next| call.url.join(next).ok());
            match next {
                Some(next) if next.origin() == call.url.origin() => call.url = next,
                _ => break,
            }
        }
        Ok(())
    }
}
