//! The RPCs of the demo: each is made, shown in a line, and checked.

use std::{collections::HashMap, fmt::Display, path::Path};

use ghbroker::{
    domain::Token,
    proto::{
        CommitFilesRequest, CommitFilesResponse, ConfigureRepoRequest, ConnectionStatus,
        CredentialSource, DisconnectRequest, FileChange, FindingLevel, GetConnectionRequest,
        GetRepoTokenRequest, GetRepoTokenResponse, OpenPromotionPrRequest,
        RegisterInstallationRequest, ReportRejectedTokenRequest, SetPatRequest, SetupAction,
        VerifyRepoRequest, connection_admin_client::ConnectionAdminClient,
        credential_broker_client::CredentialBrokerClient,
    },
};
use serde_json::Value;
use tonic::{Code, transport::Channel};

use crate::{
    Result,
    checkout::{self, ProjectFile},
};

/// A tenant of the platform, and its repository at GitHub.
pub struct Account {
    pub name: &'static str,
    pub repository: &'static str,
}

/// A client of the broker that counts the steps that were true.
pub struct Calls {
    pub(super) broker: CredentialBrokerClient<Channel>,
    pub(super) admin: ConnectionAdminClient<Channel>,
    steps: usize,
}

impl Calls {
    pub async fn connect(address: &str) -> Result<Self> {
        let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
        let broker = CredentialBrokerClient::new(channel.clone());
        Ok(Self { broker, admin: ConnectionAdminClient::new(channel), steps: 0 })
    }

    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Shows a call and its answer; it must hold.
    pub(super) fn step(&mut self, call: &str, gave: impl Display, holds: bool) -> Result<()> {
        self.steps += 1;
        println!("{:>2}  {call}\n      -> {gave}", self.steps);
        if holds {
            Ok(())
        } else {
            Err(format!("step {} ({call}) is not as it should be", self.steps).into())
        }
    }

    /// The same by RPC, of what the account has already: nothing changes.
    pub async fn register(&mut self, account: &Account, installation_id: i64) -> Result<()> {
        let request = RegisterInstallationRequest {
            account: account.name.to_owned(),
            installation_id,
            setup_action: SetupAction::Install.into(),
            expected_github_login: account.name.to_owned(),
            ..RegisterInstallationRequest::default()
        };
        let answer = self.broker.register_installation(request).await?.into_inner();
        let installation = answer.installation.ok_or("no installation in the answer")?;
        let gave = format!(
            "installation {} on {}",
            installation.installation_id, installation.github_login
        );
        let call = format!(
            "RegisterInstallation account={} installation_id={installation_id}",
            account.name
        );
        self.step(&call, gave, installation.status() == ConnectionStatus::Active)
    }

    pub async fn set_pat(&mut self, account: &Account, token: &str) -> Result<()> {
        let request = SetPatRequest {
            account: account.name.to_owned(),
            token: token.to_owned(),
            ..Default::default()
        };
        let pat =
            self.broker.set_pat(request).await?.into_inner().pat.ok_or("no token in the answer")?;
        let gave = format!(
            "{:?} of {}, scopes {:?}, ends in …{}",
            pat.kind(),
            pat.owner_login,
            pat.scopes,
            pat.fingerprint
        );
        self.step(
            &format!("SetPat account={} token=ghp_...", account.name),
            gave,
            token.ends_with(&pat.fingerprint) && !format!("{pat:?}").contains(token),
        )
    }

    /// What every account does once it is connected.
    pub async fn whole_story(&mut self, account: &Account, source: CredentialSource) -> Result<()> {
        self.configure(account).await?;
        self.verify(account).await?;
        let token = self.token(account, source).await?;
        let files = checkout::project()?;
        let commit = self.commit(account, &files).await?;
        self.commit_again(account, &files, &commit).await?;
        self.promote(account).await?;
        let clone = checkout::clone(account.name, &token.clone_url, &token.username, &token.token)?;
        let gave = format!(
            "{} files as they were sent, one executable, git fsck is content",
            clone.compare(&files)?
        );
        self.step(
            "git clone --branch staging, with that token",
            gave,
            clone.head()? == commit.commit_sha,
        )?;
        self.connection(account, source).await
    }

    /// A token that GitHub refused is given back: the next one is new.
    pub async fn report_rejected(&mut self, account: &Account) -> Result<()> {
        let contents = HashMap::from([("contents".to_owned(), "read".to_owned())]);
        let wanted = GetRepoTokenRequest {
            account: account.name.to_owned(),
            permissions: contents,
            ..Default::default()
        };
        let refused = self.broker.get_repo_token(wanted.clone()).await?.into_inner().token;
        let request =
            ReportRejectedTokenRequest { account: account.name.to_owned(), token: refused.clone() };
        let answer = self.broker.report_rejected_token(request).await?.into_inner();
        let next = self.broker.get_repo_token(wanted).await?.into_inner().token;
        self.step(
            &format!("ReportRejectedToken account={} token=ghs_...", account.name),
            "dropped; the next GetRepoToken gives a new one",
            answer.dropped && next != refused,
        )
    }

    /// The end of a connection.
    pub async fn disconnect(&mut self, account: &Account) -> Result<()> {
        let request = DisconnectRequest { account: account.name.to_owned() };
        let answer = self.admin.disconnect(request).await?.into_inner();
        let wanted = GetConnectionRequest { account: account.name.to_owned() };
        let after = self.admin.get_connection(wanted).await;
        let forgotten = after.is_err_and(|status| status.code() == Code::NotFound);
        self.step(
            &format!("Disconnect account={}", account.name),
            format!("everything of it deleted, {} cached tokens revoked", answer.tokens_revoked),
            answer.disconnected && forgotten,
        )
    }

    /// An account that no rule of the policy lets the demo work for.
    pub async fn denied(&mut self, account: &str) -> Result<()> {
        let request = GetRepoTokenRequest { account: account.to_owned(), ..Default::default() };
        let refused = self.broker.get_repo_token(request).await.err();
        let refused = refused.ok_or("the broker gave a token to a caller who may not have it")?;
        self.step(
            &format!("GetRepoToken account={account}"),
            format!("{:?}: {}", refused.code(), refused.message()),
            refused.code() == Code::PermissionDenied,
        )
    }

    /// The line of the audit that was written before a token left.
    pub async fn audited(&mut self, account: &Account, audit: &Path) -> Result<()> {
        let request =
            GetRepoTokenRequest { account: account.name.to_owned(), ..Default::default() };
        let token = Token::new(self.broker.get_repo_token(request).await?.into_inner().token);
        let lines = std::fs::read_to_string(audit)?;
        let line = lines.lines().rfind(|line| line.contains(&token.hashed()));
        let line: Value = serde_json::from_str(line.ok_or("the token is not in the audit")?)?;
        let shown = ["caller", "rpc", "account", "decision", "rule", "cache", "hashed_token"];
        let gave: Vec<String> =
            shown.iter().filter_map(|name| Some(format!("{name}={}", line.get(name)?))).collect();
        self.step(
            &format!("the audit, of a GetRepoToken account={}", account.name),
            gave.join(" "),
            gave.len() == shown.len() && !lines.contains(token.expose()),
        )
    }

    async fn configure(&mut self, account: &Account) -> Result<()> {
        let request = ConfigureRepoRequest {
            account: account.name.to_owned(),
            repository: account.repository.to_owned(),
            staging_branch: "staging".to_owned(),
            ..Default::default()
        };
        let answer = self.admin.configure_repo(request).await?.into_inner();
        let binding = answer.binding.ok_or("no binding in the answer")?;
        let gave = format!(
            "{}: {} -> {}",
            binding.repository, binding.staging_branch, binding.production_branch
        );
        let call = format!(
            "ConfigureRepo account={} repository={} staging_branch=staging",
            account.name, account.repository
        );
        self.step(&call, gave, binding.active && binding.production_branch == "main")
    }

    async fn verify(&mut self, account: &Account) -> Result<()> {
        let request = VerifyRepoRequest { account: account.name.to_owned(), ..Default::default() };
        let answer = self.broker.verify_repo(request).await?.into_inner();
        self.step(
            &format!("VerifyRepo account={}", account.name),
            format!("{} findings for {}", answer.findings.len(), answer.repository),
            answer.ok,
        )?;
        for finding in &answer.findings {
            let mark = if finding.level() == FindingLevel::Ok { "ok     " } else { "warning" };
            println!("         {mark} {}", finding.message);
        }
        Ok(())
    }

    async fn token(
        &mut self,
        account: &Account,
        source: CredentialSource,
    ) -> Result<GetRepoTokenResponse> {
        let request = GetRepoTokenRequest {
            account: account.name.to_owned(),
            permissions: HashMap::from([("contents".to_owned(), "read".to_owned())]),
            ..Default::default()
        };
        let first = self.broker.get_repo_token(request.clone()).await?.into_inner();
        let second = self.broker.get_repo_token(request).await?.into_inner();
        let mut granted: Vec<String> =
            first.permissions.iter().map(|(name, level)| format!("{name}:{level}")).collect();
        granted.sort();
        let narrowed =
            if granted.is_empty() { "not narrowed".to_owned() } else { granted.join(", ") };
        let gave = format!("{:?}, {} characters, {narrowed}", first.source(), first.token.len());
        let call = format!("GetRepoToken account={} permissions={{contents: read}}", account.name);
        self.step(&call, gave, first.source() == source && first.token == second.token)?;
        Ok(first)
    }

    async fn commit(
        &mut self,
        account: &Account,
        files: &[ProjectFile],
    ) -> Result<CommitFilesResponse> {
        let answer = self.broker.commit_files(commit_request(account, files)).await?.into_inner();
        let gave = format!(
            "{} on {}: {} added, {} changed",
            short(&answer.commit_sha),
            answer.branch,
            answer.files_added,
            answer.files_changed
        );
        let all = usize::try_from(answer.files_added + answer.files_changed)
            .is_ok_and(|all| all == files.len());
        let call = format!("CommitFiles account={} files=[{} files]", account.name, files.len());
        self.step(&call, gave, all && !answer.unchanged)?;
        Ok(answer)
    }

    async fn commit_again(
        &mut self,
        account: &Account,
        files: &[ProjectFile],
        first: &CommitFilesResponse,
    ) -> Result<()> {
        let answer = self.broker.commit_files(commit_request(account, files)).await?.into_inner();
        let gave = format!("unchanged: nothing differs, still at {}", short(&answer.commit_sha));
        let call = format!("CommitFiles account={} files=[the same]", account.name);
        self.step(&call, gave, answer.unchanged && answer.commit_sha == first.commit_sha)
    }

    async fn promote(&mut self, account: &Account) -> Result<()> {
        let request = OpenPromotionPrRequest {
            account: account.name.to_owned(),
            title: "Promote the first models".to_owned(),
            body: Some("Generated by the demo.".to_owned()),
            ..Default::default()
        };
        let first = self.broker.open_promotion_pr(request.clone()).await?.into_inner();
        let second = self.broker.open_promotion_pr(request).await?.into_inner();
        let gave = format!(
            "#{} {} -> {}, {} commit ahead: {}",
            first.number, first.head_branch, first.base_branch, first.commits_ahead, first.url
        );
        self.step(
            &format!("OpenPromotionPr account={} title=\"Promote the first models\"", account.name),
            gave,
            first.created && !second.created && first.number == second.number,
        )
    }

    async fn connection(&mut self, account: &Account, source: CredentialSource) -> Result<()> {
        let request = GetConnectionRequest { account: account.name.to_owned() };
        let answer = self.admin.get_connection(request).await?.into_inner();
        let gave =
            format!("uses {:?}, {} repository", answer.effective_source(), answer.bindings.len());
        let call = format!("GetConnection account={}", account.name);
        self.step(&call, gave, answer.effective_source() == source)
    }
}

fn commit_request(account: &Account, files: &[ProjectFile]) -> CommitFilesRequest {
    CommitFilesRequest {
        account: account.name.to_owned(),
        message: "Add the shop's models\n\nSources, staging, marts and pages.".to_owned(),
        files: files.iter().map(FileChange::from).collect(),
        ..Default::default()
    }
}

pub(super) fn short(sha: &str) -> &str {
    sha.get(..10).unwrap_or(sha)
}
