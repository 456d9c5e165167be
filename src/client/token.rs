//! `ghbroker token`: a token for whatever is not git.

use clap::Args;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Answer, Error, Flags, channel::Broker};
use crate::proto::GetRepoTokenResponse;

/// Flags of `ghbroker token`.
#[derive(Args, Clone, Debug)]
pub struct PrintToken {
    #[command(flatten)]
    flags: Flags,
    /// Print a JSON object: the token, and what the broker says of it
    #[arg(long)]
    json: bool,
}

/// A token, with the permissions of the flags or those that the broker gives to who asks for none.
pub async fn token(command: &PrintToken) -> Result<Answer, Error> {
    let repository = command.flags.repository.as_ref().map(ToString::to_string).unwrap_or_default();
    let given = Broker::with(&command.flags, async |broker| broker.token(repository).await).await?;
    Ok(Answer::new(if command.json { told(&given) } else { format!("{}\n", given.token) }))
}

/// The answer as JSON, with the words of the contract. `expire_time` is null for a token without an end.
fn told(given: &GetRepoTokenResponse) -> String {
    let end = given.expire_time.as_ref().and_then(|end| {
        OffsetDateTime::from_unix_timestamp(end.seconds).ok()?.format(&Rfc3339).ok()
    });
    let told = json!({
        "token": given.token,
        "expire_time": end,
        "username": given.username,
        "source": given.source().as_str_name(),
        "permissions": given.permissions,
        "repository": given.repository,
        "clone_url": given.clone_url,
        "stale": given.stale,
    });
    format!("{told}\n")
}
