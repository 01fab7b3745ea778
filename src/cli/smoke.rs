//! `moorline smoke`: what works, and what to write next.

use std::io::Write;

use clap::Args;

use super::failure::Failure;
use super::palette::{BAD, CALM, FAINT, GOOD, STRONG};
use super::{GatewayArgs, choose};
use crate::gate::quoted;
use crate::report::Exit;
use crate::smoke::{LADDER, Rung, Stand, stand};

/// Which gateway is looked at.
#[derive(Debug, Args)]
pub(super) struct SmokeArgs {
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// The first step that does not hold.
struct Missed {
    rung: Rung,
    seen: String,
    right: Option<String>,
}

pub(super) fn smoke(out: &mut impl Write, args: &SmokeArgs) -> Result<Exit, Failure> {
    let mut gate = choose::gate(&args.gateway)?;
    let (name, profile) = (gate.report().name, gate.profile().name.clone());
    writeln!(
        out,
        "{STRONG}{name}{STRONG:#} says hello; it keeps the profile {profile}\n"
    )?;
    let (mut exit, mut first) = (Exit::Conforms, None);
    let mut held = 0;
    for rung in LADDER {
        let named = choose::fixture(rung.fixture)?;
        let (word, style, worse, missed) = match stand(&mut gate, &named) {
            Stand::Holds => ("ok", GOOD, Exit::Conforms, None),
            Stand::Apart(_) => ("-", CALM, Exit::Conforms, None),
            Stand::Breaks { seen, right } => {
                let right = Some(right);
                (
                    "no",
                    BAD,
                    Exit::DoesNotConform,
                    Some(Missed { rung, seen, right }),
                )
            }
            Stand::Undriven(seen) => {
                let right = None;
                (
                    "stop",
                    BAD,
                    Exit::Undriven,
                    Some(Missed { rung, seen, right }),
                )
            }
        };
        held += usize::from(worse == Exit::Conforms && word == "ok");
        exit = exit.or_worse(worse);
        first = first.or(missed);
        let (promise, fixture) = (rung.promise, rung.fixture);
        writeln!(
            out,
            "  {style}{word:<4}{style:#}  {promise:<40} {FAINT}{fixture}{FAINT:#}"
        )?;
    }
    writeln!(out)?;
    match first {
        Some(missed) => write_missed(out, &missed, &gate.options())?,
        None => writeln!(
            out,
            "{GOOD}{held} of {} hold{GOOD:#}: every rule is judged by `moorline run{}`",
            LADDER.len(),
            gate.options()
        )?,
    }
    Ok(exit)
}

fn write_missed(out: &mut impl Write, missed: &Missed, options: &str) -> std::io::Result<()> {
    let Missed { rung, seen, right } = missed;
    writeln!(out, "{STRONG}Write next:{STRONG:#} {}.", rung.next)?;
    writeln!(out, "  seen: {seen}")?;
    if let Some(right) = right {
        writeln!(out, "  right would be: {right}")?;
    }
    writeln!(
        out,
        "  {STRONG}moorline replay {}{options}{STRONG:#}",
        quoted(rung.fixture)
    )
}
