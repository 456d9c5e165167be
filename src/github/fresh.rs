//! The first call with a token that was minted just now.

use super::{
    GitHub,
    error::{Kind, Result},
};

/// How often a token that was minted just now may be refused before that is believed.
const REFUSALS: u32 = 3;

impl GitHub {
    /// Makes a call that only reads; again, if the token is `fresh` and refused. Not every machine of GitHub knows such a one
    /// yet: for some seconds it may be answered 401, 403 or 404.
    pub(super) async fn while_fresh<T, F: Future<Output = Result<T>>>(
        &self,
        fresh: bool,
        call: impl Fn() -> F,
    ) -> Result<T> {
        let mut wait = self.inner.settings.limits.fresh_token_wait;
        for _ in 0..if fresh { REFUSALS } else { 0 } {
            match call().await {
                Err(error)
                    if matches!(
                        error.kind,
                        Kind::Unauthorized | Kind::Forbidden | Kind::NotFound
                    ) =>
                {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                result => return result,
            }
        }
        call().await
    }
}
