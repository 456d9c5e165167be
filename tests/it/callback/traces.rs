//! What is written of it: no code, state or token.

use super::{code_of, connecting, installed, installing, told};
use crate::harness::{ACCOUNT, INSTALLATION, World, lines::Lines, seed};

#[tokio::test]
async fn no_state_and_no_code_is_in_log_audit_database_or_address() {
    let (lines, _watching) = Lines::watch();
    let world = World::with_pages(seed(), None, &super::pages()).await;
    let mut secrets = Vec::new();
    let mut landed = String::new();

    let unproven = installing(&world, ACCOUNT, "").await;
    landed += &told(&world, &installed(INSTALLATION, &unproven)).await;
    let stranger = code_of(&world, "mallory").await;
    landed +=
        &told(&world, &format!("{}&code={stranger}", installed(INSTALLATION, &unproven))).await;
    let owner = code_of(&world, "alice").await;
    landed += &told(&world, &format!("{}&code={owner}", installed(INSTALLATION, &unproven))).await;
    let (state, code) = connecting(&world, ACCOUNT, "alice").await;
    landed += &told(&world, &format!("code={code}&state={state}")).await;
    let (cancelled, _) = connecting(&world, ACCOUNT, "alice").await;
    let said = "a-secret-that-somebody-put-there";
    landed +=
        &told(&world, &format!("error={said}&error_description={said}&state={cancelled}")).await;
    let forged = "f".repeat(32);
    landed += &told(&world, &format!("state={forged}&code={said}")).await;
    secrets.extend([unproven, stranger, owner, state, code, cancelled, forged, said.into()]);

    let log = lines.text();
    assert!(log.contains("a browser came back from GitHub"), "the search would be blind");
    let audit = format!("{:?}", world.audit());
    assert!(audit.contains("GithubCallback"), "the search would be blind");
    let stored = world.stored().await.join("\n");
    for secret in &secrets {
        for (place, text) in
            [("log", &log), ("audit", &audit), ("database", &stored), ("address", &landed)]
        {
            assert!(!text.contains(secret.as_str()), "{secret} is in the {place}");
        }
    }
    assert!(!log.contains("ghu_") && !audit.contains("ghu_") && !stored.contains("ghu_"));
    world.finish().await;
}
