//! GitHub is away: warm calls do not notice.

use std::time::Duration;

use github_sim::{Effect, Fault};

use crate::{
    at_least,
    common::{Result, summary::Figure},
    figure,
    town::{Calls, Town},
};

pub const LENGTH: Duration = Duration::from_secs(40 * 60);
/// Each key is asked for this often.
const TURN: Duration = Duration::from_secs(60);

/// From the moment at which all tokens are new.
pub async fn measure() -> Result<Vec<Figure>> {
    let mut town = Town::found().await?;
    let calls = down(&mut town).await?;
    town.leave().await?;
    let served = calls.served as f64 / calls.all as f64 * 100.0;
    println!(
        "\nGitHub away for {} min from new tokens on: {served:.1} % of {} warm calls served",
        LENGTH.as_secs() / 60,
        calls.all
    );
    Ok(vec![at_least(100.0, figure("warm calls served, GitHub away for 40 min", served, "%"))])
}

/// GitHub closes every connection for a while.
pub async fn down(town: &mut Town) -> Result<Calls> {
    town.place.sim.fault(Fault::always("*", Effect::DropBefore));
    let calls = town.live(LENGTH, TURN).await?;
    town.place.sim.clear_faults();
    Ok(calls)
}
