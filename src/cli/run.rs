//! `moorline run`: the verdict.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::failure::Failure;
use super::play::play_all;
use super::{ReportFile, RunArgs, choose};
use crate::fixtures::Named;
use crate::gate::Gate;
use crate::report::{
    Account, Exit, Format, GatewayReport, KnownFailures, Report, gather, require, write_report,
};

pub(super) fn run(out: &mut impl Write, args: &RunArgs) -> Result<Exit, Failure> {
    let began = Instant::now();
    let mut selection = choose::selection(&args.what)?;
    let set = args
        .requirements
        .as_deref()
        .map(choose::requirements)
        .transpose()?;
    if let Some(set) = &set {
        selection
            .fixtures
            .retain(|named| choose::is_about(named, set));
    }
    let known = args
        .expect
        .as_deref()
        .map(choose::known_failures)
        .transpose()?;
    let parts = selection.fixtures.iter().enumerate();
    let parts = parts.filter(|(number, _)| args.shard.is_none_or(|part| part.has(*number)));
    let fixtures: Vec<&Named> = parts.map(|(_, named)| named).collect();
    let gates = (0..args.jobs.get()).map(|_| choose::gate(&args.gateway));
    let mut gates = gates.collect::<Result<Vec<Gate>, Failure>>()?;
    let (options, profile) = (gates[0].options(), gates[0].profile().name.clone());
    let mut account = Account::new(selection.rules, options, selection.only_named);
    let bar = bar(fixtures.len() as u64);
    let came = |named: &Named| {
        bar.set_message(named.id.clone());
        bar.inc(1);
    };
    play_all(&mut gates, &fixtures, came, |named, outcome| {
        account.take(named, outcome);
        !(args.fail_fast && account.failed() > 0)
    });
    bar.finish_and_clear();
    let seconds = began.elapsed().as_secs_f64();
    let gateway = whole(gates.iter().map(Gate::report));
    let mut report = gather(account, gateway, &profile, seconds);
    if let Some(set) = &set {
        require(&mut report, set);
    }
    if let Some(known) = known {
        let is_whole = args.shard.is_none() && !args.fail_fast;
        known.apply(&mut report, is_whole);
    }
    if let Some(path) = &args.write_expect {
        let known = KnownFailures::of(&report);
        let failed = |error| Failure::File(path.clone(), error);
        fs::write(path, known.to_text(path)).map_err(failed)?;
    }
    write_reports(out, &report, &args.reports)?;
    Ok(report.exit())
}

/// One gateway out of its copies: what nobody read of one, nobody read of all.
fn whole(mut copies: impl Iterator<Item = GatewayReport>) -> GatewayReport {
    let first = copies.next().expect("at least one plays");
    copies.fold(first, |mut whole, copy| {
        for (field, count) in copy.unread {
            *whole.unread.entry(field).or_default() += count;
        }
        whole
    })
}

/// Writes a report in every form that was asked for, and for people unless one of these forms has
/// the standard output.
pub(super) fn write_reports(
    out: &mut impl Write,
    report: &Report,
    files: &[ReportFile],
) -> Result<(), Failure> {
    let mut is_taken = false;
    for ReportFile { format, path } in files {
        if path.as_os_str() != "-" {
            write_file(*format, path, report)?;
            continue;
        }
        // Annotations stand among other lines; every other form wants the output for itself.
        if *format != Format::Github && std::mem::replace(&mut is_taken, true) {
            let words = "only one report can have the standard output, which is named `-`";
            return Err(Failure::Usage(words.to_owned()));
        }
        format.write(report, out)?;
    }
    if !is_taken {
        write_report(out, report)?;
    }
    Ok(())
}

fn write_file(format: Format, path: &Path, report: &Report) -> Result<(), Failure> {
    let failed = |error| Failure::File(path.to_owned(), error);
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    let written = format.write(report, &mut file);
    written.and_then(|()| file.flush()).map_err(failed)
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
