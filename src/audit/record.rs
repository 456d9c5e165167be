//! What is written of a call.

use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use time::{OffsetDateTime, UtcOffset, error::Format, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    domain::{Caller, Permissions},
    json::Object,
};

/// Most lines are shorter.
const USUAL_LENGTH: usize = 1024;

/// `2026-11-21T02:58:25.123456789Z`, with room.
const LONGEST_TIME: usize = 40;

/// Whether something is about to be done, or its answer is about to leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Before a call that changes something does anything.
    Begin,
    /// Before the answer of any call leaves.
    End,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::End => "end",
        }
    }
}

/// Whether the caller was let do what it asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It was, whatever came of it then.
    Allow,
    /// It was not.
    Deny,
}

impl Decision {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// Where a token came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cache {
    /// From memory.
    Hit,
    /// From GitHub, for this call or one at the same time.
    Miss,
    /// From memory with less life than asked for, because GitHub could not be reached.
    Stale,
}

impl Cache {
    fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stale => "stale",
        }
    }
}

/// One line of the audit. Nothing in it is secret. Its fields are written in this order; what is not known or not part of
/// the call is left out, but for the caller and the account, which are `null`: a reader always wants them.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// When it was written, UTC.
    pub time: OffsetDateTime,
    /// Begin or end of the call.
    pub phase: Phase,
    /// Id of the call, as in the log and in the metadata of errors.
    pub request_id: Uuid,
    /// Trace that the call is part of, 32 hex digits, as its caller says (W3C Trace Context).
    pub trace_id: Option<String>,
    /// Who called; none if that was not proven.
    pub caller: Option<String>,
    /// `mtls`, `service_account`, `mtls+service_account` or `none`.
    pub authenticated_by: &'static str,
    /// The other end of the connection.
    pub peer: Option<SocketAddr>,
    /// What was called: the method's name, or for what is none its path.
    pub rpc: Cow<'static, str>,
    /// The account that it was called for.
    pub account: Option<String>,
    /// Whether the caller may; none for a call that ended before that was decided.
    pub decision: Option<Decision>,
    /// Name of the policy's rule that allows it.
    pub rule: Option<String>,
    /// The error's word, as in the contract; none for success.
    pub reason: Option<&'static str>,
    /// Where the account is connected, if the broker serves several sites: ids at GitHub are those of its host.
    pub site: Option<String>,
    /// The App installation that was used.
    pub installation_id: Option<i64>,
    /// Kind of credential that was used: `app_installation` or `pat`.
    pub source: Option<&'static str>,
    /// GitHub's ids of the repositories that it was about.
    pub repository_ids: Vec<i64>,
    /// Permissions that the caller asked for.
    pub requested_permissions: Option<Permissions>,
    /// Permissions that GitHub granted to the token.
    pub granted_permissions: Option<Permissions>,
    /// Where the token came from.
    pub cache: Option<Cache>,
    /// End of the token.
    pub expire_time: Option<OffsetDateTime>,
    /// Standard base64 of the token's SHA-256, as in GitHub's audit log: of the token that leaves, or that was used.
    pub hashed_token: Option<Arc<str>>,
    /// The branch that was committed to, or that is promoted.
    pub branch: Option<String>,
    /// The caller's own id for its request.
    pub client_request_id: Option<String>,
    /// Commit that was made.
    pub commit: Option<String>,
    /// Number of the pull request that was opened or found.
    pub pull_request: Option<i64>,
    /// How GitHub was asked to merge it by itself: `merge`, `squash` or `rebase`.
    pub auto_merge: Option<&'static str>,
}

impl Record {
    /// The end of a call of which only this is known yet; its time is that of its writing.
    pub fn new(
        request_id: Uuid,
        caller: Option<&Caller>,
        rpc: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            time: OffsetDateTime::UNIX_EPOCH,
            phase: Phase::End,
            request_id,
            trace_id: None,
            caller: caller.map(|caller| caller.text().into_owned()),
            authenticated_by: caller.map_or("none", Caller::authenticated_by),
            peer: None,
            rpc: rpc.into(),
            account: None,
            decision: None,
            rule: None,
            reason: None,
            site: None,
            installation_id: None,
            source: None,
            repository_ids: Vec::new(),
            requested_permissions: None,
            granted_permissions: None,
            cache: None,
            expire_time: None,
            hashed_token: None,
            branch: None,
            client_request_id: None,
            commit: None,
            pull_request: None,
            auto_merge: None,
        }
    }

    /// The record as one line of JSON with its end. JSON escapes every control character, so no newline is inside of it.
    pub(super) fn to_line(&self) -> Result<Vec<u8>, Format> {
        let mut line = Object::with_capacity(USUAL_LENGTH);
        self.write_call(&mut line)?;
        self.write_work(&mut line)?;
        let mut line = line.finish().into_bytes();
        line.push(b'\n');
        Ok(line)
    }

    /// Who called what, and whether it was let in.
    fn write_call(&self, line: &mut Object) -> Result<(), Format> {
        line.text("time", Rfc3339Text::of(self.time)?.as_str());
        line.text("phase", self.phase.as_str());
        line.text(
            "request_id",
            self.request_id.hyphenated().encode_lower(&mut Uuid::encode_buffer()),
        );
        text_if_any(line, "trace_id", self.trace_id.as_deref());
        text_or_null(line, "caller", self.caller.as_deref());
        line.text("authenticated_by", self.authenticated_by);
        if let Some(peer) = self.peer {
            line.display("peer", format_args!("{peer}"));
        }
        line.text("rpc", &self.rpc);
        text_or_null(line, "account", self.account.as_deref());
        text_if_any(line, "decision", self.decision.map(Decision::as_str));
        text_if_any(line, "rule", self.rule.as_deref());
        text_if_any(line, "reason", self.reason);
        text_if_any(line, "site", self.site.as_deref());
        Ok(())
    }

    /// What was done, and with which credential.
    fn write_work(&self, line: &mut Object) -> Result<(), Format> {
        number_if_any(line, "installation_id", self.installation_id);
        text_if_any(line, "source", self.source);
        if !self.repository_ids.is_empty() {
            line.numbers("repository_ids", &self.repository_ids);
        }
        permissions_if_any(line, "requested_permissions", self.requested_permissions);
        permissions_if_any(line, "granted_permissions", self.granted_permissions);
        text_if_any(line, "cache", self.cache.map(Cache::as_str));
        if let Some(time) = self.expire_time {
            line.text("expire_time", Rfc3339Text::of(time)?.as_str());
        }
        text_if_any(line, "hashed_token", self.hashed_token.as_deref());
        text_if_any(line, "branch", self.branch.as_deref());
        text_if_any(line, "client_request_id", self.client_request_id.as_deref());
        text_if_any(line, "commit", self.commit.as_deref());
        number_if_any(line, "pull_request", self.pull_request);
        text_if_any(line, "auto_merge", self.auto_merge);
        Ok(())
    }
}

fn text_if_any(line: &mut Object, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line.text(name, value);
    }
}

fn text_or_null(line: &mut Object, name: &str, value: Option<&str>) {
    match value {
        Some(value) => line.text(name, value),
        None => line.null(name),
    }
}

fn number_if_any(line: &mut Object, name: &str, value: Option<i64>) {
    if let Some(value) = value {
        line.json(name, format_args!("{value}"));
    }
}

fn permissions_if_any(line: &mut Object, name: &str, value: Option<Permissions>) {
    if let Some(value) = value {
        line.words(name, value.iter().map(|(what, level)| (what.name(), level.name())));
    }
}

/// A time in RFC 3339 with a `Z`, whatever offset it came with.
struct Rfc3339Text {
    text: [u8; LONGEST_TIME],
    length: usize,
}

impl Rfc3339Text {
    fn of(time: OffsetDateTime) -> Result<Self, Format> {
        let time = time.checked_to_offset(UtcOffset::UTC);
        let time = time.ok_or(Format::InvalidComponent("year"))?;
        let mut text = [0; LONGEST_TIME];
        let mut rest = text.as_mut_slice();
        // Not by what it returns: of a time with a fraction that is less than it wrote (time 0.3).
        time.format_into(&mut rest, &Rfc3339)?;
        let length = LONGEST_TIME - rest.len();
        Ok(Self { text, length })
    }

    fn as_str(&self) -> &str {
        self.text.get(..self.length).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};
    use serde_json::Value;
    use time::macros::datetime;

    use super::*;
    use crate::{
        audit::testing::{line, record},
        domain::Token,
    };

    #[test]
    fn says_everything_in_its_order() {
        let token = Token::new("ghs_16C7e42F292c6912E7710c838347Ae178B4a".to_owned());
        let full = Record {
            phase: Phase::Begin,
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
            caller: Some("spiffe://example.org/web".to_owned()),
            authenticated_by: "mtls",
            peer: Some("[2001:db8::1]:50412".parse().unwrap()),
            account: Some("acme".to_owned()),
            decision: Some(Decision::Allow),
            rule: Some("web reads".to_owned()),
            reason: Some("NOT_FOUND"),
            installation_id: Some(42),
            source: Some("app_installation"),
            repository_ids: vec![7, 8],
            requested_permissions: Some(Permissions::from_github([("contents", "read")])),
            granted_permissions: Some(Permissions::from_github([
                ("contents", "read"),
                ("metadata", "read"),
            ])),
            cache: Some(Cache::Stale),
            // Any offset is written as UTC.
            expire_time: Some(datetime!(2026-11-21 05:58:25 +02:00)),
            // printf ghs_16C7e42F292c6912E7710c838347Ae178B4a | openssl dgst -sha256 -binary | base64
            hashed_token: Some(token.hashed().into()),
            commit: Some("da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned()),
            pull_request: Some(5),
            ..record("GetRepoToken")
        };
        let expected = concat!(
            r#"{"time":"2026-11-21T02:58:25.125Z","phase":"begin","#,
            r#""request_id":"019aa4c5-1b1a-7c3e-8f00-0123456789ab","#,
            r#""trace_id":"0af7651916cd43dd8448eb211c80319c","caller":"spiffe://example.org/web","#,
            r#""authenticated_by":"mtls","peer":"[2001:db8::1]:50412","rpc":"GetRepoToken","#,
            r#""account":"acme","decision":"allow","rule":"web reads","reason":"NOT_FOUND","#,
            r#""installation_id":42,"source":"app_installation","repository_ids":[7,8],"#,
            r#""requested_permissions":{"contents":"read"},"#,
            r#""granted_permissions":{"contents":"read","metadata":"read"},"cache":"stale","#,
            r#""expire_time":"2026-11-21T03:58:25Z","#,
            r#""hashed_token":"eXwM5BRYbMjraSmv6UfHIOPk01HdBwpv459jC+qrMFQ=","#,
            r#""commit":"da39a3ee5e6b4b0d3255bfef95601890afd80709","pull_request":5}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(full.to_line().unwrap()).unwrap(), expected);
    }

    #[test]
    fn leaves_out_what_is_not_there_but_for_what_a_reader_always_wants() {
        let expected = concat!(
            r#"{"time":"2026-11-21T02:58:25.125Z","phase":"end","#,
            r#""request_id":"019aa4c5-1b1a-7c3e-8f00-0123456789ab","caller":null,"#,
            r#""authenticated_by":"none","rpc":"/x.Y/Z","account":null}"#,
            "\n"
        );
        assert_eq!(line("/x.Y/Z"), expected);
    }

    proptest! {
        #[test]
        fn any_text_gives_one_line_that_says_the_same(
            texts in vec(option::of(any::<String>()), 6),
            rpc in any::<String>(),
            ids in vec(any::<i64>(), 0..4),
        ) {
            let [trace_id, caller, account, rule, hashed_token, commit] = texts.try_into().unwrap();
            let record = Record {
                trace_id, caller, account, rule, commit,
                hashed_token: hashed_token.map(Into::into),
                pull_request: ids.first().copied(),
                repository_ids: ids,
                ..record(&rpc)
            };
            let line = record.to_line().unwrap();
            prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
            let read: Value = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(&read["rpc"], &Value::from(&*record.rpc));
            for (name, text) in [
                ("trace_id", record.trace_id),
                ("caller", record.caller),
                ("account", record.account),
                ("rule", record.rule),
                ("hashed_token", record.hashed_token.map(|hash| hash.to_string())),
                ("commit", record.commit),
            ] {
                prop_assert_eq!(&read[name], &Value::from(text));
            }
            prop_assert_eq!(&read["pull_request"], &Value::from(record.pull_request));
            let ids = read.get("repository_ids").cloned().unwrap_or(Value::Array(vec![]));
            prop_assert_eq!(ids, Value::from(record.repository_ids));
        }
    }
}
