//! Each site is asked for its own accounts, as its own App.

use std::collections::HashSet;

use ghbroker::proto::*;
use tonic::Code;

use super::{
    AT_DEFAULT, AT_GHES, AT_SECOND, GHES, GHES_APP, SECOND, SECOND_APP, SECOND_INSTALLATION, Sites,
    apps,
};
use crate::harness::{
    APP_ID, INSTALLATION, MINT, REPO,
    git::{commits, files},
    status::assert_reason,
    write,
};

#[tokio::test]
async fn tokens_are_minted_at_the_site_of_the_account_as_its_app() {
    let sites = Sites::connected().await;
    let same = (sites.world.sim.repository_id(REPO), sites.ghes.repository_id(REPO));
    assert_eq!(same.0, same.1, "the ids of the two hosts mean different things");
    let mut tokens = HashSet::new();
    for account in [AT_DEFAULT, AT_GHES, AT_SECOND] {
        let before = (apps(&sites.world.sim), apps(&sites.ghes));
        let answer = sites.token(account).await.unwrap();
        let (here, there) = (apps(&sites.world.sim), apps(&sites.ghes));
        let asked =
            |app| here.get(&app).copied().unwrap_or(0) - before.0.get(&app).copied().unwrap_or(0);
        let asked_there = there.values().sum::<usize>() - before.1.values().sum::<usize>();
        let expected = match account {
            AT_DEFAULT => (1, 0, 0),
            AT_SECOND => (0, 1, 0),
            _ => (0, 0, 1),
        };
        assert_eq!((asked(APP_ID), asked(SECOND_APP), asked_there), expected, "{account}");
        let (is_ours, is_theirs) =
            (sites.world.sim.accepts(&answer.token), sites.ghes.accepts(&answer.token));
        assert_eq!((is_ours, is_theirs), (account != AT_GHES, account == AT_GHES), "{account}");
        let web = if account == AT_GHES { sites.ghes.web_url() } else { sites.world.sim.web_url() };
        assert_eq!(answer.clone_url, format!("{web}/{REPO}.git"));
        let again = sites.token(account).await.unwrap();
        assert_eq!(again.token, answer.token, "cached where it was minted");
        assert!(tokens.insert(answer.token), "one account's token went to another one");
    }
    assert_eq!(apps(&sites.ghes).keys().collect::<Vec<_>>(), [&GHES_APP]);
    assert_eq!(
        (sites.world.sim.count(MINT), sites.ghes.count(MINT)),
        (4, 2),
        "one to look, one to keep"
    );
    sites.finish().await;
}

#[tokio::test]
async fn commits_go_to_the_host_of_the_account() {
    let sites = Sites::connected().await;
    for (account, file) in [(AT_DEFAULT, "default.sql"), (AT_GHES, "ghes.sql")] {
        let request = CommitFilesRequest {
            account: account.into(),
            message: "Add a model".into(),
            files: vec![write(file, "select 1\n")],
            ..Default::default()
        };
        sites.world.commit_files(request).await.unwrap();
    }
    for (sim, own, others) in
        [(&sites.world.sim, "default.sql", "ghes.sql"), (&sites.ghes, "ghes.sql", "default.sql")]
    {
        let staging = files(&sim.git_dir(REPO), "staging");
        assert!(staging.iter().any(|file| file.contains(own)), "{staging:?}");
        assert!(!staging.iter().any(|file| file.contains(others)), "{staging:?}");
        assert_eq!(commits(&sim.git_dir(REPO), "staging"), 2);
    }
    sites.finish().await;
}

#[tokio::test]
async fn an_outage_of_one_host_is_not_felt_at_the_other() {
    use github_sim::{Effect, Fault};
    let sites = Sites::connected().await;
    sites.ghes.fault(Fault::always(MINT, Effect::Status { status: 502, html: true }));
    for _ in 0..10 {
        let refused = sites.token(AT_GHES).await.unwrap_err();
        assert_reason(&refused, Code::Unavailable, "GITHUB_UNAVAILABLE");
        sites.world.skew(std::time::Duration::from_secs(2));
    }
    sites.token(AT_DEFAULT).await.unwrap();
    sites.token(AT_SECOND).await.unwrap();
    sites.ghes.clear_faults();
    sites.finish().await;
}

#[tokio::test]
async fn a_token_is_reported_and_ended_at_its_own_site() {
    let sites = Sites::connected().await;
    let token = sites.token(AT_GHES).await.unwrap().token;
    let report = |account: &str| {
        let (account, token) = (account.to_owned(), token.clone());
        sites.world.report_rejected_token(ReportRejectedTokenRequest { account, token })
    };
    assert!(!report(AT_DEFAULT).await.unwrap().dropped, "it is another account's");
    assert_eq!(sites.token(AT_GHES).await.unwrap().token, token);
    let before = sites.asked();
    assert_eq!(sites.disconnect(AT_GHES).await.tokens_revoked, 1);
    assert!(!sites.ghes.accepts(&token));
    assert_eq!(sites.asked(), (before.0, before.1 + 1), "only the host that it was of is told");
    sites.token(AT_DEFAULT).await.unwrap();
    sites.finish().await;
}

#[tokio::test]
async fn connections_say_their_site_and_are_listed_over_all_of_them() {
    let sites = Sites::connected().await;
    for (account, site, id) in [
        (AT_DEFAULT, "default", INSTALLATION),
        (AT_GHES, GHES, INSTALLATION),
        (AT_SECOND, SECOND, SECOND_INSTALLATION),
    ] {
        let seen = sites.connection(account).await.unwrap();
        assert_eq!((seen.site.as_str(), seen.installation.unwrap().installation_id), (site, id));
        assert_eq!(seen.bindings.len(), 1, "{account}");
    }
    let mut pages = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListConnectionsRequest { page_size: 1, page_token };
        let page = sites.world.list_connections(request).await.unwrap();
        pages.extend(page.connections.into_iter().map(|c| (c.account, c.site, c.github_login)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected = [(AT_DEFAULT, "default"), (AT_GHES, GHES), (AT_SECOND, SECOND)];
    let expected = expected.map(|(account, site)| (account.into(), site.into(), "acme".into()));
    assert_eq!(pages, expected);
    sites.finish().await;
}

#[tokio::test]
async fn the_audit_names_the_site_of_the_ids_in_it() {
    let sites = Sites::connected().await;
    sites.token(AT_GHES).await.unwrap();
    sites.token(AT_DEFAULT).await.unwrap();
    let lines = sites.world.audit();
    let vended: Vec<_> = lines
        .iter()
        .filter(|line| line["rpc"] == "GetRepoToken" && line["phase"] == "end")
        .map(|line| (line["site"].as_str().unwrap(), line["installation_id"].as_i64().unwrap()))
        .collect();
    assert_eq!(vended, [(GHES, INSTALLATION), ("default", INSTALLATION)]);
    sites.finish().await;
}
