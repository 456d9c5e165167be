//! The figures of all benchmarks, in one file.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Result;

/// One figure.
#[derive(Clone, Serialize, Deserialize)]
pub struct Figure {
    /// What it is of; it begins with the name of its benchmark and a colon.
    pub name: String,
    pub value: Value,
    pub unit: String,
    /// What it may be at most; at least, where more is better.
    pub bound: Option<Value>,
    pub holds: bool,
}

/// Writes the figures of one benchmark to `target/bench/summary.json` in place of those that it wrote there before; those of
/// others stay. Names those that do not hold, and says whether there is none.
pub fn write(benchmark: &str, figures: Vec<Figure>) -> Result<bool> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("no target folder")?;
    let folder = target.join("bench");
    fs::create_dir_all(&folder)?;
    let file = folder.join("summary.json");
    // There is none yet, or it is of an earlier form.
    let before = fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let mut all: Vec<Figure> = before.unwrap_or_default();
    let own = format!("{benchmark}: ");
    all.retain(|figure| figure.name.contains(": ") && !figure.name.starts_with(&own));
    let mut holds = true;
    for figure in figures {
        if !figure.holds {
            holds = false;
            let bound = figure.bound.clone().unwrap_or_default();
            println!(
                "Not held: {own}{} is {} {} ({bound})",
                figure.name, figure.value, figure.unit
            );
        }
        all.push(Figure { name: format!("{own}{}", figure.name), ..figure });
    }
    fs::write(file, serde_json::to_vec_pretty(&all)?)?;
    Ok(holds)
}
