//! `ghbroker git-credential`: git's credential helper.

use std::io::Read;

use clap::Args;
use url::Url;

use super::{Answer, AskedPermission, Error, Flags, channel::Broker, description::Description};
use crate::{domain::RepoName, proto::GetRepoTokenResponse};

/// The least that lets git clone and push. It comes with `metadata:read`.
const CLONE_AND_PUSH: &str = "contents:write";

/// Flags of `ghbroker git-credential`.
#[derive(Args, Clone, Debug)]
pub struct GitCredential {
    #[command(flatten)]
    flags: Flags,
    /// What git wants: `get`, `store` or `erase`. It adds this itself, and anything else is ignored
    operation: String,
}

/// Does what git wants. The answer is empty if there is nothing to say, or if the credential is not one of the broker's: git
/// then asks its next helper.
pub async fn git_credential(command: &GitCredential, input: impl Read) -> Result<Answer, Error> {
    let mut flags = command.flags.clone();
    match command.operation.as_str() {
        "get" => {
            if flags.permissions.is_empty() {
                flags.permissions.extend(CLONE_AND_PUSH.parse::<AskedPermission>());
            }
            get(&flags, &Description::read(input)?).await
        }
        "erase" => erase(&flags, Description::read(input)?).await,
        // Nothing is ever stored. What git may want one day is none of ours.
        _ => Ok(Answer::default()),
    }
}

/// A token, if it is for where git would send it.
async fn get(flags: &Flags, asked: &Description) -> Result<Answer, Error> {
    let (Some(origin), true, Ok(named)) =
        (asked.origin(), asked.is_for_tokens(), asked.repository())
    else {
        return Ok(Answer::default());
    };
    if let (Some(only), Some(named)) = (&flags.repository, &named)
        && only != named
    {
        return Ok(Answer::default());
    }
    let repository = named.as_ref().or(flags.repository.as_ref());
    let repository = repository.map(ToString::to_string).unwrap_or_default();
    let given = Broker::with(flags, async |broker| broker.token(repository).await).await?;
    answer(&given, &origin, named.as_ref())
}

/// What git is told of a token.
fn answer(
    given: &GetRepoTokenResponse,
    origin: &Url,
    named: Option<&RepoName>,
) -> Result<Answer, Error> {
    let clone_url = Url::parse(&given.clone_url)
        .map_err(|_| Error::Malformed("the repository has no address"))?;
    if clone_url.origin() != origin.origin() {
        return Ok(Answer::default());
    }
    if let Some(named) = named
        && !named.as_str().eq_ignore_ascii_case(&given.repository)
    {
        return Err(Error::Renamed {
            asked: named.to_string(),
            found: given.repository.clone(),
            clone_url: given.clone_url.clone(),
        });
    }
    let (username, token) = (given.username.as_str(), given.token.as_str());
    // A line that ends early would be another one to git.
    if token.is_empty() || [username, token].iter().any(|text| text.contains(char::is_control)) {
        return Err(Error::Malformed("the token cannot be written in one line"));
    }
    let mut lines = Answer::new(format!("username={username}\npassword={token}\n"));
    if let Some(end) = given.expire_time {
        lines.push_str(&format!("password_expiry_utc={}\n", end.seconds));
    }
    Ok(lines)
}

/// GitHub refused a token. Another helper's password is none of the broker's business.
async fn erase(flags: &Flags, asked: Description) -> Result<Answer, Error> {
    let tells = asked.origin().is_some() && asked.is_a_token();
    let Some(token) = asked.password.filter(|token| tells && !token.expose().is_empty()) else {
        return Ok(Answer::default());
    };
    let token = token.expose().to_owned();
    Broker::with(flags, async |broker| broker.report(token).await).await?;
    Ok(Answer::default())
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    fn given() -> GetRepoTokenResponse {
        GetRepoTokenResponse {
            token: "ghs_secret".into(),
            expire_time: Some(Timestamp { seconds: 1_800_000_000, nanos: 5 }),
            username: "x-access-token".into(),
            repository: "acme/shop".into(),
            clone_url: "https://github.com/acme/shop.git".into(),
            ..Default::default()
        }
    }

    fn said(given: &GetRepoTokenResponse, origin: &str, named: Option<&str>) -> String {
        let named: Option<RepoName> = named.map(|name| name.parse().unwrap());
        match answer(given, &origin.parse().unwrap(), named.as_ref()) {
            Ok(answer) => answer.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn git_is_told_the_user_the_token_and_its_end() {
        let all = "username=x-access-token\npassword=ghs_secret\npassword_expiry_utc=1800000000\n";
        for named in [None, Some("acme/shop"), Some("Acme/Shop")] {
            assert_eq!(said(&given(), "https://github.com", named), all);
        }
        let endless = GetRepoTokenResponse { expire_time: None, ..given() };
        let known = "username=x-access-token\npassword=ghs_secret\n";
        assert_eq!(said(&endless, "https://github.com", None), known);
    }

    #[test]
    fn no_token_for_another_origin() {
        for origin in ["https://gitlab.com", "http://github.com", "https://github.com:8443"] {
            assert_eq!(said(&given(), origin, None), "", "{origin}");
        }
    }

    #[test]
    fn nothing_of_a_token_that_would_not_stay_in_its_line() {
        for token in ["", "ghs_a\nhost=evil", "ghs_a\0", "ghs_a\r"] {
            let odd = GetRepoTokenResponse { token: token.into(), ..given() };
            let said = said(&odd, "https://github.com", None);
            assert!(said.contains("one line") && !said.contains("ghs_"), "{said}");
        }
    }

    #[test]
    fn a_repository_with_a_new_name_is_said() {
        let said = said(&given(), "https://github.com", Some("acme/old"));
        assert!(said.contains("acme/old is acme/shop now") && !said.contains("ghs_"), "{said}");
    }
}
