//! Many callers at once for a token that nobody has yet.

use std::time::Duration;

use github_sim::{Effect, Fault};

use crate::{
    at_most,
    common::{Result, place::MINT, summary::Figure},
    door::{Door, Transport},
    figure,
    load::{Load, Order},
};

const CALLERS: usize = 10_000;
/// As few as have room for all: a connection has 200 streams.
const CONNECTIONS: usize = 50;
/// What GitHub takes for a mint. Its own p50 is about 0.2 s; on a bad day it takes seconds.
const LATENCY: Duration = Duration::from_secs(1);
const MOST_MINTS: f64 = 1.0;
/// p99 of the callers beside GitHub's latency.
const MOST_P99: f64 = 1.2;

pub async fn measure() -> Result<Vec<Figure>> {
    let door = Door::open(Transport::Mtls).await?;
    let mut load = Load::start(&door.generator)?;
    door.place.sim.fault(Fault::always(MINT, Effect::Latency(LATENCY)));
    let before = mints(&door);
    let took = load.run(&Order::Herd { callers: CALLERS, connections: CONNECTIONS })?;
    let minted = mints(&door) - before;
    let p99 = took.p99.as_secs_f64() / LATENCY.as_secs_f64();
    println!(
        "\n{CALLERS} callers on one cold key, GitHub takes {} ms: {minted} mint, median {} ms, p99 {} ms",
        LATENCY.as_millis(),
        took.median.as_millis(),
        took.p99.as_millis()
    );
    let at = format!("{CALLERS} callers on one cold key");
    Ok(vec![
        at_most(MOST_MINTS, figure(format!("mints, {at}"), minted as f64, "requests")),
        at_most(
            MOST_P99,
            figure(format!("p99 beside GitHub's latency of 1 s, {at}"), p99, "ratio"),
        ),
    ])
}

fn mints(door: &Door) -> usize {
    door.place.sim.requests().iter().filter(|seen| seen.is_of(MINT)).count()
}
