//! A change in a branch of its own, as an agent or a developer makes it for a ticket.

use ghbroker::proto::{
    CommitFilesRequest, ConfigureRepoRequest, DeleteFile, FileChange, OpenPromotionPrRequest,
    WorkBranches, file_change::Change,
};

use crate::{
    Result,
    calls::{Account, Calls, short},
};

const BRANCH: &str = "adagent/ticket-7";
const MESSAGE: &str = "Say what the warehouse holds";

impl Calls {
    /// Allows work branches, commits to one that begins at staging, and proposes it to staging.
    pub async fn ticket(&mut self, account: &Account) -> Result<()> {
        let allow = ConfigureRepoRequest {
            account: account.name.to_owned(),
            repository: account.repository.to_owned(),
            work_branches: Some(WorkBranches { patterns: vec!["adagent/*".to_owned()] }),
            ..Default::default()
        };
        let binding = self.admin.configure_repo(allow).await?.into_inner().binding;
        let patterns = binding.ok_or("no binding in the answer")?.work_branches;
        self.step(
            &format!("ConfigureRepo account={} work_branches=[adagent/*]", account.name),
            format!("callers may work on {}, beside staging", patterns.join(", ")),
            patterns == ["adagent/*"],
        )?;

        let content = b"# Warehouse\n\nOrders, customers and products.\n".to_vec();
        let change = CommitFilesRequest {
            account: account.name.to_owned(),
            branch: BRANCH.to_owned(),
            base: "staging".to_owned(),
            message: MESSAGE.to_owned(),
            files: vec![
                FileChange {
                    path: "README.md".to_owned(),
                    change: Some(Change::Content(content.into())),
                    mode: 0,
                },
                FileChange {
                    path: "not-there.md".to_owned(),
                    change: Some(Change::Delete(DeleteFile {})),
                    mode: 0,
                },
            ],
            request_id: "ticket-7".to_owned(),
            ..Default::default()
        };
        let first = self.broker.commit_files(change.clone()).await?.into_inner();
        let again = self.broker.commit_files(change).await?.into_inner();
        let call = format!(
            "CommitFiles account={} branch={BRANCH} base=staging request_id=ticket-7, twice",
            account.name
        );
        let gave = format!("{} on {BRANCH}, and the same answer again", short(&first.commit_sha));
        self.step(&call, gave, first == again && first.files_changed == 1)?;

        let propose = OpenPromotionPrRequest {
            account: account.name.to_owned(),
            head_branch: BRANCH.to_owned(),
            base_branch: "staging".to_owned(),
            title: MESSAGE.to_owned(),
            labels: vec!["documentation".to_owned()],
            reviewers: vec!["alice".to_owned(), "nobody-here".to_owned()],
            ..Default::default()
        };
        let proposed = self.broker.open_promotion_pr(propose).await?.into_inner();
        let warned: Vec<&str> = proposed.warnings.iter().map(|w| w.subject.as_str()).collect();
        let call = format!(
            "OpenPromotionPr account={} head_branch={BRANCH} base_branch=staging reviewers=[alice, nobody-here]",
            account.name
        );
        let gave = format!(
            "#{} {} -> {}, with a warning: {} cannot review",
            proposed.number,
            proposed.head_branch,
            proposed.base_branch,
            warned.join(", ")
        );
        self.step(&call, gave, proposed.created && warned == ["nobody-here"])
    }
}
