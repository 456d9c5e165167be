//! What a commit costs: requests to GitHub, bytes sent up, time, and memory of the broker. `make bench` runs it.
//!
//! The release build of the real program commits to the GitHub simulator, which counts. A table goes to standard output, and
//! every figure to `target/bench/summary.json`. It ends with 1 if a bound does not hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "it stops where it fails, and the table is what it is for"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../../tests/it/harness/program.rs"]
mod program;
mod setting;

use std::process::ExitCode;

use common::{
    Result,
    place::CLIENT_ID,
    summary::{self, Figure},
};
use ghbroker::proto::FileChange;
use setting::{Cost, Setting, file};

const MOST: usize = 5_000;
const COUNTS: [usize; 5] = [1, 10, 100, 1_000, MOST];
/// Percentages of the files of a call that differ from the branch.
const CHANGED: [usize; 4] = [0, 1, 10, 100];
/// Size of an ordinary file: that of a model or a page.
const ORDINARY: usize = 2 * 1024;
const MIB: usize = 1024 * 1024;
/// Content that goes in one request, which base64 makes a third larger: GitHub takes about 40 MB.
const ONE_REQUEST: usize = 28_000_000;
/// The content that a call of 48 MiB has room for.
const LARGEST: usize = 45 * MIB;
/// Most memory that a call may take the broker, whatever is in it: four times what the largest one carries.
const MOST_MEMORY: usize = 192 * MIB;
/// One request looks, one commits.
const TO_CHANGE: usize = 2;
/// One request sees that nothing differs.
const TO_LEAVE: usize = 1;

/// One call, in the table.
struct Row {
    files: usize,
    what: String,
    cost: Cost,
    /// Most requests that it may take.
    bound: Option<usize>,
    /// Whether the broker was started for it, so that its peak of memory is this call's.
    alone: bool,
}

impl Row {
    /// What others need who send each file by itself: the head, a blob for each file, a tree, a commit, the branch.
    fn one_by_one(&self) -> usize {
        self.files + 4
    }

    fn line(&self) -> String {
        let Self { files, what, cost, .. } = self;
        let bound = self.bound.map(|bound| format!(" (at most {bound})")).unwrap_or_default();
        let memory = if self.alone { format!("{} MiB", cost.peak / MIB) } else { String::new() };
        format!(
            "| {files} | {what} | {}{bound} | {} | {} | {} ms | {} ms | {memory} |",
            cost.requests,
            self.one_by_one(),
            size(cost.sent),
            cost.time.as_millis(),
            cost.processor.as_millis(),
        )
    }

    fn summary(&self) -> Vec<Figure> {
        let figure = |name: &str, value: usize, unit: &str, bound: Option<usize>| Figure {
            name: format!("{name}, {} files, {}", self.files, self.what),
            value: value.into(),
            unit: unit.to_owned(),
            bound: bound.map(Into::into),
            holds: bound.is_none_or(|bound| value <= bound),
        };
        let Cost { requests, sent, time, processor, peak } = self.cost;
        let mut figures = vec![
            figure("requests", requests, "requests", self.bound),
            figure("sent", sent, "bytes", None),
            figure("time", time.as_millis() as usize, "ms", None),
            figure("processor", processor.as_millis() as usize, "ms", None),
        ];
        figures.extend(self.alone.then(|| figure("peak memory", peak, "bytes", Some(MOST_MEMORY))));
        figures
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..MIB => format!("{} KiB", bytes / 1024),
        _ => format!("{:.1} MiB", bytes as f64 / MIB as f64),
    }
}

/// So many files of one size, the first `changed` of which are of the given version and the others of version 0.
fn files(
    count: usize,
    size: usize,
    changed: usize,
    version: usize,
    binary: bool,
) -> Vec<FileChange> {
    let of = |number| if number < changed { version } else { 0 };
    (0..count).map(|number| file(number, of(number), size, binary)).collect()
}

/// What was measured, printed as it comes.
struct Table(Vec<Row>);

impl Table {
    fn new() -> Self {
        println!(
            "| files | what | requests | one by one | sent | time | broker's CPU | peak memory |"
        );
        println!("|--:|---|--:|--:|--:|--:|--:|--:|");
        Self(Vec::new())
    }

    fn add(&mut self, row: Row) {
        println!("{}", row.line());
        self.0.push(row);
    }

    /// Writes all figures, and says whether all bounds hold.
    fn close(self) -> Result<bool> {
        summary::write("commit", self.0.iter().flat_map(Row::summary).collect())
    }
}

/// Calls with more and more files of which more and more differ.
async fn ordinary(table: &mut Table) -> Result<()> {
    let setting = Setting::start().await?;
    for count in COUNTS {
        let repository = setting.repository(&format!("files-{count}")).await?;
        let as_before = || files(count, ORDINARY, 0, 0, false);
        setting.commit(&repository, as_before()).await?;
        for percent in CHANGED {
            let changed = count * percent / 100;
            if changed == 0 && percent > 0 {
                continue;
            }
            let files_now = files(count, ORDINARY, changed, 1, false);
            let cost = setting.commit(&repository, files_now).await?;
            let bound = Some(if changed == 0 { TO_LEAVE } else { TO_CHANGE });
            let what = format!("{percent} % changed");
            table.add(Row { files: count, what, cost, bound, alone: false });
            setting.commit(&repository, as_before()).await?;
        }
    }
    Ok(())
}

/// One large call to a broker that has done nothing else but make the branch.
async fn large(
    table: &mut Table,
    count: usize,
    total: usize,
    binary: bool,
    bound: Option<usize>,
) -> Result<()> {
    let setting = Setting::start().await?;
    let repository = setting.repository("large").await?;
    let cost = setting.commit(&repository, files(count, total / count, 0, 0, binary)).await?;
    let kind = if binary { "binary" } else { "text" };
    let what = format!("new, {} of {kind}", size(total));
    table.add(Row { files: count, what, cost, bound, alone: true });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut table = Table::new();
    ordinary(&mut table).await?;
    for (count, total, binary, bound) in [
        (MOST, MIB, false, Some(TO_CHANGE)),
        (MOST, ONE_REQUEST, false, Some(TO_CHANGE)),
        (MOST, ONE_REQUEST, true, Some(TO_CHANGE)),
        (MOST, LARGEST, false, None),
        // Each is a request of its own, and GitHub allows 5,000 in an hour.
        (MOST / 10, LARGEST, true, None),
    ] {
        large(&mut table, count, total, binary, bound).await?;
    }
    Ok(if table.close()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
