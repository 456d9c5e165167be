//! At which site an account is, as it is known without the database, and never for longer than it is so.

use tonic::Code;

use super::*;
use crate::replicas::{POLL, hide, run_on_sqlite, show};

#[tokio::test]
async fn a_warm_call_asks_the_database_for_nothing() {
    let sites = Sites::connected().await;
    let accounts = [AT_DEFAULT, AT_GHES, AT_SECOND];
    // Known once each site has heard what was changed.
    let warm = async || {
        let mut tokens = Vec::new();
        for account in accounts {
            tokens.push(sites.token(account).await.ok()?.token);
        }
        Some(tokens)
    };
    let known = async || {
        let before = warm().await.unwrap();
        run_on_sqlite(&sites.world, hide()).await;
        let known = warm().await;
        if known.is_none() {
            run_on_sqlite(&sites.world, show()).await;
        }
        known.map(|known| assert_eq!(known, before))
    };
    sites.world.until(known).await;
    let before = sites.asked();
    for _ in 0..20 {
        assert!(warm().await.is_some());
    }
    assert_eq!(sites.asked(), before);
    // One of which nothing is known shows that the tables are away.
    assert_eq!(sites.token("tenant-b").await.unwrap_err().code(), Code::Internal);
}

/// Disconnects an account, and connects it at another site.
async fn moves(sites: &Sites, account: &str, to: &str) {
    assert!(sites.disconnect(account).await.disconnected);
    sites.register(account, to).await.unwrap();
    sites.bind(account).await;
}

#[tokio::test]
async fn who_moves_has_no_token_of_the_site_before_from_the_next_call_on() {
    let sites = Sites::start().await;
    sites.register(AT_GHES, GHES).await.unwrap();
    sites.bind(AT_GHES).await;
    let mut seen = vec![sites.token(AT_GHES).await.unwrap().token];
    // There and back again: in the sites' memories the account was known before.
    for to in [SECOND, GHES, SECOND, "default", GHES] {
        moves(&sites, AT_GHES, to).await;
        let token = sites.token(AT_GHES).await.unwrap().token;
        assert_eq!(sites.token(AT_GHES).await.unwrap().token, token);
        assert_eq!(sites.ghes.accepts(&token), to == GHES, "{to}");
        assert_eq!(sites.world.sim.accepts(&token), to != GHES, "{to}");
        let old = |old: &String| sites.ghes.accepts(old) || sites.world.sim.accepts(old);
        assert!(!seen.iter().any(old), "what was handed out before has ended: {to}");
        assert!(!seen.contains(&token));
        seen.push(token);
    }
    sites.finish().await;
}

/// Two replicas.
mod postgres {
    use super::*;

    #[tokio::test]
    async fn who_moves_is_at_its_new_site_on_the_other_replica_too_and_its_tokens_there_end() {
        let url = crate::postgres::fresh_database().await;
        let sites = Sites::start_with(move |config| config.database_url = url.clone().into()).await;
        sites.register(AT_GHES, GHES).await.unwrap();
        sites.bind(AT_GHES).await;
        let replica = sites.world.replica().await;
        let there = async || {
            let request = GetRepoTokenRequest { account: AT_GHES.into(), ..Default::default() };
            let token = replica.broker.clone().get_repo_token(request).await?;
            Ok::<_, tonic::Status>(token.into_inner().token)
        };
        let before = there().await.unwrap();
        assert!(sites.ghes.accepts(&before));
        moves(&sites, AT_GHES, "default").await;
        sites.world.advance(POLL);
        let moved = async || there().await.ok().filter(|token| *token != before);
        let token = sites.world.until(moved).await;
        assert!(sites.world.sim.accepts(&token) && !sites.ghes.accepts(&token));
        sites.world.until(async || (!sites.ghes.accepts(&before)).then_some(())).await;
    }
}
