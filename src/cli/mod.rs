//! The command line. Each command writes to what it is given and says how it ends.

mod bench;
mod check;
mod choose;
mod crashes;
mod demo;
mod failure;
mod fixture;
mod merge;
mod new;
pub mod palette;
mod play;
mod profile;
mod replay;
mod rules;
mod run;
mod smoke;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};

use moorline_sim::reference::Reference;
use moorline_spec::profile::Profile;
use moorline_spec::wire::{self, Disk, GatewayHello};

use crate::driver::Deadlines;
use crate::report::{Exit, Format, UnknownFormat};
use crate::serve::serve_gateway;
use failure::Failure;

const EXAMPLES: &str = "\
Examples:
  moorline demo                                    a leak, found and shown in under a second
  moorline run                                     judge the reference with every fixture
  moorline new --lang python gw                    a gateway to begin with, in Python
  moorline run --gateway \"python3 gw/gateway.py\"   judge it, or another one of yours
  moorline smoke --gateway \"python3 gw/gateway.py\" what works already, and what to write next
  moorline run relay isolation                     two families only
  moorline run my/fixtures --report json=r.json    your own fixtures; the report as data too
  moorline run --report html=report.html           what went wrong, drawn on a page
  moorline check trace.jsonl                       judge a log that was recorded in production
  moorline replay relay/a_failure_is_told_as_one   one story as a transcript, and its verdicts
  moorline replay relay --every-crash              all of a family, with every crash there can be
  moorline explain relay.once                      what a rule asks, and where it comes from

Exit codes: 0 conforms, 1 does not conform, 2 inconclusive, 3 the gateway could not be driven,
64 the command line or a fixture makes no sense, 70 a fault of moorline itself.";

/// Does this agent gateway keep its promises?
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play fixtures through a gateway and judge it
    Run(RunArgs),
    /// Play one fixture and show its transcript, then the verdicts
    Replay(ReplayArgs),
    /// Say what works in a gateway, and what to write next
    Smoke(smoke::SmokeArgs),
    /// Judge a log that was recorded while a gateway was at work
    Check(check::CheckArgs),
    /// Make fixtures
    #[command(subcommand)]
    Fixture(fixture::FixtureCommand),
    /// Join the reports of parts that were played apart
    Merge(merge::MergeArgs),
    /// List the rules
    Rules(RulesArgs),
    /// Show what a rule asks, where it comes from, and what puts it to the test
    Explain {
        /// The rule, such as `relay.once`
        rule: String,
    },
    /// List, show and check profiles
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    /// Write a gateway to begin with, its end of the wire beside it
    New(new::NewArgs),
    /// Find a leak in a broken gateway and show it
    Demo,
    /// Measure what a gateway costs
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Write completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man page
    Man,
    /// Speak the wire on standard input and output, with the reference behind it
    Serve {
        /// The profile it keeps: a shipped one, or a file
        #[arg(long, value_name = "PROFILE")]
        profile: Option<String>,
    },
}

/// Which gateway is judged, and by which profile.
#[derive(Debug, Args)]
struct GatewayArgs {
    /// The command that starts the gateway; the reference is judged without it
    #[arg(long, value_name = "COMMAND", conflicts_with = "broken")]
    gateway: Option<String>,
    /// A broken gateway of moorline's own, by its id
    #[arg(long, value_name = "ID")]
    broken: Option<String>,
    /// The profile to judge by: a shipped one, or a file; a gateway says its own otherwise
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// How long the gateway may take to answer `hello`, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        hide_short_help = true
    )]
    start_deadline: u64,
    /// How long it may take for each reply, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5,
        hide_short_help = true
    )]
    reply_deadline: u64,
    /// How long it may take for one fixture, in seconds
    #[arg(
        long = "timeout",
        alias = "scenario-deadline",
        value_name = "SECONDS",
        default_value_t = 60
    )]
    timeout: u64,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Fixtures by file, directory or id; families and rules by name. All of them if absent
    #[arg(value_name = "FIXTURE|FAMILY|RULE")]
    what: Vec<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
    /// What it was called before there were other forms
    #[arg(long = "json", value_name = "FILE", hide = true, value_parser = json_is_a_form)]
    _json: Option<PathBuf>,
    /// Write the report in a form for programs too: json, junit, github, markdown, html, sarif or badge, such as
    /// `junit=report.xml`; `-` is the standard output. May be given several times
    #[arg(long = "report", value_name = "FORM=FILE", value_parser = report_file)]
    reports: Vec<ReportFile>,
    /// Play only one part of the fixtures, such as `2/3`: every part together plays each once
    #[arg(long, value_name = "PART/PARTS", value_parser = shard)]
    shard: Option<Shard>,
    /// Play in so many copies of the gateway at a time; the report is the same, however many
    #[arg(long, value_name = "COPIES", default_value = "1")]
    jobs: NonZeroUsize,
    /// Stop at the first fixture that fails
    #[arg(long)]
    fail_fast: bool,
    /// Judge by the rules that were required at a date, such as `2026-11-28`: what came later warns
    #[arg(long, value_name = "DATE")]
    requirements: Option<String>,
    /// A list of known failures, TOML or JSON: they do not fail the gate, and one that holds again
    /// does
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Write everything that fails as such a list, to be given reasons
    #[arg(long, value_name = "FILE", conflicts_with = "expect")]
    write_expect: Option<PathBuf>,
}

/// A form of a report, and where it goes.
#[derive(Clone, Debug)]
struct ReportFile {
    format: Format,
    /// `-` is the standard output.
    path: PathBuf,
}

/// One thing has one option; whoever knows another is told which.
fn json_is_a_form(path: &str) -> Result<PathBuf, String> {
    Err(format!(
        "JSON is a form like others: `--report json={path}`"
    ))
}

fn report_file(words: &str) -> Result<ReportFile, String> {
    let (format, path) = words
        .split_once('=')
        .filter(|(_, path)| !path.is_empty())
        .ok_or("a report is a form and a file, such as `junit=report.xml`")?;
    let format = format
        .parse()
        .map_err(|error: UnknownFormat| error.to_string())?;
    let path = PathBuf::from(path);
    Ok(ReportFile { format, path })
}

/// One of several parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shard {
    /// From 1.
    part: usize,
    parts: usize,
}

fn shard(words: &str) -> Result<Shard, String> {
    let numbers = words.split_once('/').and_then(|(part, parts)| {
        let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
        (1 <= part && part <= parts).then_some(Shard { part, parts })
    });
    numbers
        .ok_or_else(|| "a part is a number from 1 and how many there are, such as `2/3`".to_owned())
}

impl Shard {
    /// Whether the fixture of that number, from 0, is in this part.
    fn has(self, number: usize) -> bool {
        number % self.parts == self.part - 1
    }
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// A fixture, by file or id; with `--every-crash` any number of them, as `run` takes them
    #[arg(value_name = "FIXTURE", required_unless_present = "every_crash")]
    what: Vec<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
    /// Write the trace as JSON lines and nothing else
    #[arg(long)]
    lines: bool,
    /// Play it once for each effect as the point where the gateway dies, and once more for each
    /// effect of the recovery from that; judge all, and show each rule that breaks with a fixture
    #[arg(long, conflicts_with = "lines")]
    every_crash: bool,
}

#[derive(Debug, Args)]
struct RulesArgs {
    /// Only this family
    #[arg(long, value_name = "FAMILY")]
    family: Option<String>,
}

impl GatewayArgs {
    fn deadlines(&self) -> Deadlines {
        Deadlines {
            start: Duration::from_secs(self.start_deadline),
            reply: Duration::from_secs(self.reply_deadline),
            scenario: Duration::from_secs(self.timeout),
        }
    }
}

/// The whole command: reads the command line, does what it says, and never panics outward.
pub fn main() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(words) => {
            // Nothing can be done where even that cannot be written.
            let _ = words.print();
            let asked_for = !words.use_stderr();
            return if asked_for {
                Exit::Conforms
            } else {
                Exit::Usage
            }
            .into();
        }
    };
    panic::set_hook(Box::new(|fault| {
        let _ = writeln!(
            anstream::stderr(),
            "moorline: {fault}\nThis is a fault of moorline itself, not of the gateway it judges; \
             please report it with the command that led to it."
        );
    }));
    let exit = panic::catch_unwind(|| obey(line.command)).unwrap_or(Exit::OurFault);
    exit.into()
}

fn obey(command: Command) -> Exit {
    let mut out = anstream::AutoStream::auto(io::stdout());
    let done = match command {
        Command::Run(args) => run::run(&mut out, &args),
        Command::Replay(args) if args.every_crash => crashes::every_crash(&mut out, &args),
        Command::Replay(args) => replay::replay(&mut out, &args),
        Command::Smoke(args) => smoke::smoke(&mut out, &args),
        Command::Profile(what) => profile::profile(&mut out, &what),
        Command::Check(args) => check::check(&mut out, &args),
        Command::Fixture(what) => fixture::fixture(&mut out, &what),
        Command::Merge(args) => merge::merge_parts(&mut out, &args),
        Command::Rules(args) => rules::list(&mut out, &args),
        Command::Explain { rule } => rules::explain(&mut out, &rule),
        Command::New(args) => new::new(&mut out, &args),
        Command::Demo => demo::demo(&mut out),
        Command::Bench(what) => bench::bench(&mut out, &what),
        Command::Completions { shell } => {
            // Whoever reads the output may have enough of it, and the crate would panic.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Line::command(), "moorline", &mut script);
            let written = out.write_all(&script);
            written.map(|()| Exit::Conforms).map_err(Failure::Output)
        }
        Command::Man => {
            let page = clap_mangen::Man::new(Line::command());
            page.render(&mut out)
                .map(|()| Exit::Conforms)
                .map_err(Failure::Output)
        }
        Command::Serve { profile } => serve(profile.as_deref()),
    };
    let done = done.and_then(|exit| out.flush().map(|()| exit).map_err(Failure::Output));
    done.unwrap_or_else(|failure| {
        let mut err = anstream::AutoStream::auto(io::stderr().lock());
        // Nothing can be done where even that cannot be written.
        let _ = failure.write(&mut err);
        failure.exit()
    })
}

fn serve(profile: Option<&str>) -> Result<Exit, Failure> {
    let profile = choose::profile(profile)?.unwrap_or_else(Profile::target);
    let hello = GatewayHello {
        wire: wire::VERSION,
        name: "moorline-reference".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profile: profile.name.clone(),
        disk: Disk::Harness,
        reopen: true,
        ..GatewayHello::default()
    };
    let (input, output) = (io::stdin().lock(), io::stdout().lock());
    serve_gateway(|| Reference::new(&profile), &hello, input, output).map_err(Failure::Input)?;
    Ok(Exit::Conforms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        Line::command().debug_assert();
    }

    #[test]
    fn every_fixture_is_in_one_part() {
        for parts in 1..5 {
            for number in 0..20 {
                let having = (1..=parts).filter(|&part| Shard { part, parts }.has(number));
                assert_eq!(having.count(), 1, "{number} of {parts} parts");
            }
        }
        assert_eq!(shard("2/3"), Ok(Shard { part: 2, parts: 3 }));
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }
}
