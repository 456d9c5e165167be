//! A warm token beside a call that does nothing, on the same server and through the same door: what the broker itself costs.

use std::time::Duration;

use crate::{
    at_least, at_most,
    common::{Result, place::processor, summary::Figure},
    door::{Door, Transport},
    figure,
    load::{Load, Order, Rpc, Took},
    median,
    quiet::{self, Taken},
};

const STREAMS: [usize; 3] = [1, 8, 64];
/// Runs of each call. They alternate, and each pair is compared: what else the machine does meets both.
const PAIRS: usize = 5;
const RUN: Duration = Duration::from_millis(1500);
const WARM_UP: Duration = Duration::from_millis(300);
/// Calls of a second beside Check's.
const LEAST_THROUGHPUT: f64 = 0.8;
/// p99 beside Check's.
const MOST_P99: f64 = 1.5;

/// One run, and the broker's time of the processor for each call of it.
struct Run {
    per_second: f64,
    p99: f64,
    processor: f64,
}

pub async fn measure() -> Result<Vec<Figure>> {
    println!(
        "\n| transport | streams | Check /s | token /s | ratio | Check p99 | token p99 | ratio | Check CPU | token CPU | stolen |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut figures = Vec::new();
    for transport in [Transport::H2c, Transport::Mtls] {
        let door = Door::open(transport).await?;
        let mut load = Load::start(&door.generator)?;
        for streams in STREAMS {
            figures.extend(compare(&door, &mut load, transport, streams)?);
        }
    }
    Ok(figures)
}

fn compare(
    door: &Door,
    load: &mut Load,
    transport: Transport,
    streams: usize,
) -> Result<Vec<Figure>> {
    for rpc in [Rpc::Check, Rpc::Token] {
        load.run(&Order::Steady { rpc, streams, time: WARM_UP })?;
    }
    let pair =
        |_| Ok((run(door, load, Rpc::Check, streams)?, run(door, load, Rpc::Token, streams)?));
    let Taken { rounds, stolen } = quiet::rounds(PAIRS, pair)?;
    let (checks, tokens): (Vec<Run>, Vec<Run>) = rounds.into_iter().unzip();
    let ratio = |of: fn(&Run) -> f64| {
        median(tokens.iter().zip(&checks).map(|(token, check)| of(token) / of(check)))
    };
    let (throughput, p99) = (ratio(|run| run.per_second), ratio(|run| run.p99));
    let of = |runs: &[Run], of: fn(&Run) -> f64| median(runs.iter().map(of));
    let name = transport.name();
    println!(
        "| {name} | {streams} | {:.0} | {:.0} | {throughput:.2} | {:.0} µs | {:.0} µs | {p99:.2} | {:.1} µs | {:.1} µs | {:.1} % |",
        of(&checks, |run| run.per_second),
        of(&tokens, |run| run.per_second),
        of(&checks, |run| run.p99),
        of(&tokens, |run| run.p99),
        of(&checks, |run| run.processor),
        of(&tokens, |run| run.processor),
        stolen * 100.0,
    );
    let at = format!("{name}, {streams} streams");
    let said = |what: &str, value: f64, unit: &str| figure(format!("{what}, {at}"), value, unit);
    Ok(vec![
        at_least(
            LEAST_THROUGHPUT,
            said("warm token, throughput beside Check", throughput, "ratio"),
        ),
        at_most(MOST_P99, said("warm token, p99 beside Check", p99, "ratio")),
        said("warm token, throughput", of(&tokens, |run| run.per_second), "calls/s"),
        said("warm token, p99", of(&tokens, |run| run.p99), "µs"),
        said("warm token, processor", of(&tokens, |run| run.processor), "µs"),
        said("Check, throughput", of(&checks, |run| run.per_second), "calls/s"),
        said("Check, p99", of(&checks, |run| run.p99), "µs"),
        said("Check, processor", of(&checks, |run| run.processor), "µs"),
    ])
}

fn run(door: &Door, load: &mut Load, rpc: Rpc, streams: usize) -> Result<Run> {
    let before = processor(&door.program)?;
    let Took { calls, time, p99, .. } = load.run(&Order::Steady { rpc, streams, time: RUN })?;
    let used = processor(&door.program)?.saturating_sub(before);
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let calls = calls as f64;
    Ok(Run {
        per_second: calls / time.as_secs_f64(),
        p99: micros(p99),
        processor: micros(used) / calls,
    })
}
