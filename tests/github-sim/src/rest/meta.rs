//! Facts about the service.

use serde_json::json;

use crate::http::{Answer, Call, Outcome};

pub(super) fn rate_limit(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let look = |resource| {
        let now = call.hub.clock.seconds();
        call.hub.rates.charge(&world, &call.caller, resource, 0, now).0.json()
    };
    let core = look("core");
    Ok(Answer::ok(json!({
        "resources": {"core": core, "search": look("search"), "graphql": look("graphql")},
        "rate": core,
    })))
}

pub(super) fn get(_: &Call<'_>) -> Outcome {
    Ok(Answer::ok(json!({
        "verifiable_password_authentication": false,
        "hooks": [], "web": [], "api": [], "git": [], "packages": [], "pages": [],
    })))
}

pub(super) fn zen(_: &Call<'_>) -> Outcome {
    Ok(Answer::text(200, "Approachable is better than simple."))
}
