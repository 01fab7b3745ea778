//! `moorline run`: the verdict.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::failure::Failure;
use super::{RunArgs, choose};
use crate::report::{Account, Exit, Report, gather, write_report};

pub(super) fn run(out: &mut impl Write, args: &RunArgs) -> Result<Exit, Failure> {
    let began = Instant::now();
    let selection = choose::selection(&args.what)?;
    let mut gate = choose::gate(&args.gateway)?;
    let mut account = Account::new(selection.rules, gate.options(), selection.only_named);
    let bar = bar(selection.fixtures.len() as u64);
    for named in &selection.fixtures {
        bar.set_message(named.id.clone());
        account.take(named, &gate.play(named.scenario()));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let seconds = began.elapsed().as_secs_f64();
    let report = gather(account, gate.report(), &gate.profile().name, seconds);
    match &args.json {
        Some(path) if path.as_os_str() == "-" => write_json(&mut *out, &report)?,
        Some(path) => {
            let failed = |error| Failure::File(path.clone(), error);
            let mut file = BufWriter::new(File::create(path).map_err(failed)?);
            write_json(&mut file, &report)
                .and_then(|()| file.flush())
                .map_err(failed)?;
            write_report(out, &report)?;
        }
        None => write_report(out, &report)?,
    }
    Ok(report.exit())
}

fn write_json(mut out: impl Write, report: &Report) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut out, report)?;
    writeln!(out)
}

/// A bar on a terminal, and nothing elsewhere or where all is over in a moment.
fn bar(fixtures: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(fixtures), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("  {pos}/{len} {bar:30} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(300));
    bar
}
