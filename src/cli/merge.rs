//! `moorline merge`: the reports of several parts as one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::{ReportFile, choose, report_file, run};
use crate::report::{Exit, KnownFailures, Report, merge};

/// Which reports, and what becomes of them.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Reports of `moorline run --report json=FILE`, one of each part
    #[arg(value_name = "REPORT", required = true)]
    parts: Vec<PathBuf>,
    /// Write the whole in a form, as `run` does; may be given several times
    #[arg(long = "report", value_name = "FORM=FILE", value_parser = report_file)]
    reports: Vec<ReportFile>,
    /// A list of known failures, looked at over the whole
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
}

pub(super) fn merge_parts(out: &mut impl Write, args: &MergeArgs) -> Result<Exit, Failure> {
    let known: Option<KnownFailures> = args
        .expect
        .as_deref()
        .map(choose::known_failures)
        .transpose()?;
    let parts: Result<Vec<Report>, Failure> = args.parts.iter().map(|path| read(path)).collect();
    let mut report = merge(parts?).map_err(|error| Failure::Usage(error.to_string()))?;
    if let Some(known) = known {
        known.apply(&mut report, true);
    }
    run::write_reports(out, &report, &args.reports)?;
    Ok(report.exit())
}

fn read(path: &Path) -> Result<Report, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::File(path.to_owned(), error))?;
    serde_json::from_str(&text).map_err(|error| {
        let path = path.display();
        Failure::Usage(format!(
            "{path} is no report of `run --report json=FILE`: {error}"
        ))
    })
}
