//! Rounds of measuring while the machine is left alone.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::common::{Result, place::TICK};

/// A virtual machine's host may give its processors to others: then one run is many times slower than its neighbour. Of so many
/// rounds for each that is wanted ...
const TRIES: usize = 2;
/// ... those count from which least was taken: no more than this part of one processor, if there are enough of them.
const QUIET: f64 = 0.02;

/// What was measured.
pub struct Taken<T> {
    /// As many rounds as were wanted.
    pub rounds: Vec<T>,
    /// The part of one processor that the host took in the worst of them.
    pub stolen: f64,
}

/// The quietest rounds. They are numbered from 0.
pub fn rounds<T>(wanted: usize, mut round: impl FnMut(usize) -> Result<T>) -> Result<Taken<T>> {
    let mut all: Vec<(f64, T)> = Vec::new();
    let quiet = |all: &[(f64, T)]| all.iter().filter(|(stolen, _)| *stolen <= QUIET).count();
    while quiet(&all) < wanted && all.len() < TRIES * wanted {
        let (before, begin) = (stolen()?, Instant::now());
        let measured = round(all.len())?;
        let taken = stolen()?.saturating_sub(before);
        all.push((taken.div_duration_f64(begin.elapsed()), measured));
    }
    all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    all.truncate(wanted);
    let stolen = all.last().map_or(0.0, |(stolen, _)| *stolen);
    Ok(Taken { rounds: all.into_iter().map(|(_, measured)| measured).collect(), stolen })
}

/// Time of this machine's processors that its host has given to other machines, all processors together.
fn stolen() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    // The 8th number after the name of the line, which is of all processors.
    let ticks = text.split_whitespace().nth(8).ok_or("/proc/stat has no stolen time")?;
    Ok(TICK * ticks.parse::<u32>()?)
}
