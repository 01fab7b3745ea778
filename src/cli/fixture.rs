//! `moorline fixture from-trace`: a fixture, cut from a log in which a rule is broken.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use moorline_spec::profile::Profile;

use super::choose;
use super::failure::Failure;
use super::palette::{FAINT, UNSURE};
use crate::gate::quoted;
use crate::log;
use crate::report::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum FixtureCommand {
    /// Cut a fixture from a log in which a rule is broken
    FromTrace(FromTraceArgs),
}

/// Which log, which rule, and where the fixture goes.
#[derive(Debug, Args)]
pub(super) struct FromTraceArgs {
    /// The log, as `check` reads it
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// The rule that the fixture is for; the one that is broken first if absent
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// The profile to judge by: a shipped one, or a file
    #[arg(long, value_name = "PROFILE", default_value = "target")]
    profile: String,
    /// Where the fixture goes; the standard output if absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn fixture(out: &mut impl Write, what: &FixtureCommand) -> Result<Exit, Failure> {
    let FixtureCommand::FromTrace(args) = what;
    let profile = choose::profile(Some(&args.profile))?.unwrap_or_else(Profile::target);
    let rule = args.rule.as_deref().map(choose::rule).transpose()?;
    let name = args.trace.display();
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{name}: {error}"));
    let entries = log::read(open(&args.trace)?).map_err(|error| wrong(&error))?;
    let cut =
        log::cut(&entries, &profile, rule.map(|rule| rule.id)).map_err(|error| wrong(&error))?;
    let text = cut.fixture.to_json();
    let mut err = anstream::AutoStream::auto(io::stderr().lock());
    match &args.out {
        Some(path) => {
            fs::write(path, &text).map_err(|error| Failure::File(path.clone(), error))?;
            let path = quoted(&path.display().to_string());
            writeln!(
                err,
                "{} of {} entries tell of {}; next: moorline replay {path} --gateway \"<your command>\"",
                cut.entries,
                entries.len(),
                cut.rule.id,
            )?;
        }
        None => out.write_all(text.as_bytes())?,
    }
    for what in &cut.left_out {
        writeln!(err, "  {UNSURE}left out{UNSURE:#}  {FAINT}{what}{FAINT:#}")?;
    }
    Ok(Exit::Conforms)
}

fn open(path: &Path) -> Result<io::BufReader<fs::File>, Failure> {
    let file = fs::File::open(path).map_err(|error| Failure::File(path.to_owned(), error))?;
    Ok(io::BufReader::new(file))
}
