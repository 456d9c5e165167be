//! Calls for random keys of three brokers, of which one has a thousand keys, and one a million.

use std::{sync::atomic::Ordering, time::Duration};

use super::{broker::Broker, github::GitHub, keys::Keys};
use crate::{
    at_least,
    common::{Result, summary::Figure},
    figure,
    load::{Order, Took},
    median,
    quiet::{self, Taken},
};

/// 1,000, 100,000 and 1,000,000 keys.
const ACCOUNTS: [usize; 3] = [1, 100, 1000];
const STREAMS: usize = 64;
/// Runs with each broker. They alternate, and those of a round are compared: what else the machine does meets all.
const ROUNDS: usize = 5;
const RUN: Duration = Duration::from_millis(1500);
const WARM_UP: Duration = Duration::from_millis(300);
/// Throughput beside that of the smallest.
const FLAT: f64 = 0.9;

pub async fn measure() -> Result<Vec<Figure>> {
    let github = GitHub::start().await?;
    let mut brokers = Vec::new();
    println!();
    for accounts in ACCOUNTS {
        brokers.push(Broker::filled(&github, Keys::of(accounts)).await?);
    }
    let minted = github.mints.load(Ordering::Relaxed);
    for broker in &mut brokers {
        run(broker, 0, WARM_UP)?;
    }
    let round = |round| brokers.iter_mut().map(|broker| run(broker, round + 1, RUN)).collect();
    let Taken { rounds, stolen } = quiet::rounds(ROUNDS, round)?;
    if github.mints.load(Ordering::Relaxed) != minted {
        return Err("there was not a token for every key".into());
    }
    let sizes: Vec<usize> = brokers.iter().map(|broker| broker.keys.count()).collect();
    for broker in brokers {
        broker.stop().await?;
    }
    println!("\nThe host took {:.1} % of a processor meanwhile.", stolen * 100.0);
    Ok(figures(&sizes, &rounds))
}

fn figures(sizes: &[usize], rounds: &[Vec<f64>]) -> Vec<Figure> {
    println!("\n| keys | token /s, {STREAMS} streams | beside {} keys |", sizes[0]);
    println!("|--:|--:|--:|");
    let mut figures = Vec::new();
    for (at, size) in sizes.iter().enumerate() {
        let rate = median(rounds.iter().map(|round| round[at]));
        let beside = median(rounds.iter().map(|round| round[at] / round[0]));
        println!("| {size} | {rate:.0} | {beside:.2} |");
        let name = |what: &str| format!("{what}, {size} keys, {STREAMS} streams");
        figures.push(figure(name("warm token, throughput"), rate, "calls/s"));
        if at > 0 {
            let name = name("warm token, throughput beside the fewest keys");
            figures.push(at_least(FLAT, figure(name, beside, "ratio")));
        }
    }
    figures
}

/// Calls in a second, for keys that are drawn anew in each round.
fn run(broker: &mut Broker, round: usize, time: Duration) -> Result<f64> {
    let (keys, seed) = (broker.keys, round as u64);
    let order = Order::Random { keys, seed, streams: STREAMS, time };
    let Took { calls, time, .. } = broker.load.run(&order)?;
    Ok(calls as f64 / time.as_secs_f64())
}
