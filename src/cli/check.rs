//! `moorline check`: a recorded log, judged.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use moorline_spec::profile::Profile;
use moorline_spec::trace::Entry;
use moorline_spec::verdict::Debt;

use super::failure::Failure;
use super::palette::{FAINT, UNSURE};
use super::{ReportFile, choose, report_file, run};
use crate::gate::quoted;
use crate::log::{self, Found, LogError, Redactor};
use crate::report::Exit;

/// So many of the things that are owed at the end are told; the rest are counted.
const OWED_MAX: usize = 5;

/// Which log is judged, and by which profile.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The log: one entry of a trace a line, as `replay --lines` writes them; `-` is the standard
    /// input
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// The profile to judge by: a shipped one, or a file
    #[arg(long, value_name = "PROFILE", default_value = "target")]
    profile: String,
    /// Write the log once more, with pseudonyms in place of names and texts: it can be shown to
    /// others, and is judged like the original
    #[arg(long, value_name = "FILE")]
    redact: Option<PathBuf>,
    /// Write the report in a form, as `run` does; may be given several times
    #[arg(long = "report", value_name = "FORM=FILE", value_parser = report_file)]
    reports: Vec<ReportFile>,
}

pub(super) fn check(out: &mut impl Write, args: &CheckArgs) -> Result<Exit, Failure> {
    let began = Instant::now();
    let profile = choose::profile(Some(&args.profile))?.unwrap_or_else(Profile::target);
    let path = args.trace.as_path();
    let name = path.display().to_string();
    let wrong = |error: LogError| Failure::Usage(format!("{name}: {error}"));
    let is_input = path.as_os_str() == "-";
    let mut copy = match &args.redact {
        Some(to) => Some(redacted(path, to)?),
        None => None,
    };
    let mut redactor = Redactor::default();
    let each = |entry: &Entry| match &mut copy {
        Some(copy) => {
            serde_json::to_writer(&mut *copy, &redactor.entry(entry))?;
            copy.write_all(b"\n")
        }
        None => Ok(()),
    };
    let found = if is_input {
        log::judge_each(io::stdin().lock(), &profile, each).map_err(wrong)?
    } else {
        log::judge_each(open(path)?, &profile, each).map_err(wrong)?
    };
    if let (Some(mut copy), Some(to)) = (copy, &args.redact) {
        copy.flush()
            .map_err(|error| Failure::File(to.clone(), error))?;
    }
    let breaking = found.breaking();
    // What was read from a pipe is gone.
    let shown = match breaking.is_empty() || is_input {
        true => Vec::new(),
        false => log::lines_around(open(path)?, &breaking).map_err(wrong)?,
    };
    let owed = owed_in_words(&found);
    let command = format!(
        "moorline check {} --profile {}",
        quoted(&name),
        quoted(&args.profile)
    );
    let seconds = began.elapsed().as_secs_f64();
    let report = found.report(&name, &profile.name, &command, shown, seconds);
    run::write_reports(out, &report, &args.reports)?;
    if !args.reports.iter().any(|file| file.path.as_os_str() == "-") {
        for words in owed {
            writeln!(out, "  {UNSURE}owed{UNSURE:#}  {FAINT}{words}{FAINT:#}")?;
        }
    }
    Ok(report.exit())
}

/// The file that a rewritten log goes to, which is not the log itself.
fn redacted(log: &Path, to: &Path) -> Result<BufWriter<File>, Failure> {
    let same = log.canonicalize().ok().zip(to.canonicalize().ok());
    if same.is_some_and(|(log, to)| log == to) {
        let words = format!("{}: a log is not rewritten in its own place", to.display());
        return Err(Failure::Usage(words));
    }
    let file = File::create(to).map_err(|error| Failure::File(to.to_owned(), error))?;
    Ok(BufWriter::new(file))
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    let file = File::open(path).map_err(|error| Failure::File(path.to_owned(), error))?;
    Ok(BufReader::new(file))
}

/// What nobody is blamed for, since more may follow.
fn owed_in_words(found: &Found) -> Vec<String> {
    if found.rest.is_some() {
        return Vec::new();
    }
    let told = found.owed.iter().take(OWED_MAX);
    let mut words: Vec<String> = told.map(Debt::to_string).collect();
    if OWED_MAX < found.owed.len() {
        words.push(format!("and {} more", found.owed.len() - OWED_MAX));
    }
    words
}
