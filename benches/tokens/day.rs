//! A simulated day of steady use: how often GitHub is asked, and who waits for it.

use std::time::Duration;

use crate::{
    at_most,
    common::{Result, summary::Figure},
    figure,
    outage::{LENGTH, down},
    town::{KEYS, Town},
};

const HOURS: usize = 24;
/// Each key is asked for this often.
const TURN: Duration = Duration::from_secs(10 * 60);

pub async fn measure() -> Result<Vec<Figure>> {
    let mut town = Town::found().await?;
    let (mints, waited) = (town.mints(), town.waited()?);
    let calls = town.live(Duration::from_secs(HOURS as u64 * 3600), TURN).await?;
    let rate = (town.mints() - mints) as f64 / (KEYS * HOURS) as f64;
    let waited = town.waited()? - waited;
    println!(
        "\n{KEYS} keys over {HOURS} hours, each asked for every {} min: {rate:.2} mints per key and hour, \
         {} calls, {waited} waited, {} failed",
        TURN.as_secs() / 60,
        calls.all,
        calls.all - calls.served,
    );
    let random = down(&mut town).await?;
    println!(
        "GitHub away for {} min at some moment of that: {:.1} % of {} calls served",
        LENGTH.as_secs() / 60,
        random.served as f64 / random.all as f64 * 100.0,
        random.all
    );
    town.leave().await?;
    let at = format!("{KEYS} keys over {HOURS} hours");
    Ok(vec![
        at_most(0.0, figure(format!("calls that waited, {at}"), waited as f64, "calls")),
        at_most(
            0.0,
            figure(format!("calls that failed, {at}"), (calls.all - calls.served) as f64, "calls"),
        ),
        figure(format!("mints, {at}"), rate, "per key and hour"),
        figure(
            "calls served, GitHub away for 40 min at some moment",
            random.served as f64 / random.all as f64 * 100.0,
            "%",
        ),
    ])
}
