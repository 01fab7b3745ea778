//! `moorline replay`: one fixture as a transcript, then what the rules say.

use std::collections::BTreeSet;
use std::io::Write;

use moorline_spec::trace::Rest;
use moorline_spec::verdict::Verdict;

use super::failure::Failure;
use super::palette::{BAD, FAINT, GOOD, STRONG, UNSURE};
use super::{ReplayArgs, choose};
use crate::fixtures::Named;
use crate::gate::{Judgement, Outcome};
use crate::report::{Exit, lines, write_lines};

pub(super) fn replay(out: &mut impl Write, args: &ReplayArgs) -> Result<Exit, Failure> {
    let [name] = args.what.as_slice() else {
        let words = "one story is told at a time; with --every-crash there may be several";
        return Err(Failure::Usage(words.to_owned()));
    };
    let named = choose::fixture(name)?;
    let mut gate = choose::gate(&args.gateway)?;
    let judgement = match gate.play(named.scenario()) {
        Outcome::Played(judgement) => judgement,
        Outcome::Inapplicable(why) => {
            writeln!(out, "{UNSURE}inapplicable{UNSURE:#}: {why}.")?;
            return Ok(Exit::Inconclusive);
        }
    };
    if args.lines {
        judgement.trace.write_lines(&mut *out)?;
        return Ok(exit(&judgement));
    }
    let gateway = gate.report().name;
    write_title(out, &named, &gateway)?;
    let breaking = breaking(&judgement);
    write_lines(out, "", &lines(&judgement.trace, &breaking), &breaking)?;
    writeln!(out)?;
    write_verdicts(out, &judgement)?;
    Ok(exit(&judgement))
}

/// What the story is about, and who is judged.
pub(super) fn write_title(
    out: &mut impl Write,
    named: &Named,
    gateway: &str,
) -> std::io::Result<()> {
    let scenario = named.scenario();
    writeln!(out, "{STRONG}{}{STRONG:#}", scenario.title)?;
    write!(out, "{FAINT}{}, played by {gateway}", named.id)?;
    let source = scenario.source.as_ref();
    let parts = source.map(|source| [&source.bug, &source.issue, &source.version]);
    for part in parts.into_iter().flatten().flatten() {
        write!(out, "; {part}")?;
    }
    writeln!(out, "{FAINT:#}\n")
}

/// The numbers of the entries that break a rule or an expectation.
pub(super) fn breaking(judgement: &Judgement) -> BTreeSet<usize> {
    let breaches = judgement
        .verdicts
        .iter()
        .filter_map(|(_, verdict)| match verdict {
            Verdict::Fail(breach) => Some(breach.entry),
            Verdict::Pass { .. } | Verdict::Inconclusive { .. } | Verdict::Inapplicable { .. } => {
                None
            }
        });
    let unmet = judgement.unmet.iter().filter_map(|unmet| unmet.entry);
    breaches.chain(unmet).collect()
}

/// How a play ended that did not come to rest, and who still waits.
fn write_end(out: &mut impl Write, judgement: &Judgement) -> std::io::Result<()> {
    match &judgement.end {
        Ok(Rest::Settled) => return Ok(()),
        Ok(Rest::Stuck) => writeln!(
            out,
            "{BAD}stuck{BAD:#}         something is owed, and nothing more will happen"
        )?,
        Ok(Rest::Overdue) => {
            writeln!(
                out,
                "{BAD}overdue{BAD:#}       something is owed for longer than allowed"
            )?;
        }
        Ok(Rest::OutOfWakes) => {
            writeln!(
                out,
                "{UNSURE}out of wakes{UNSURE:#}  the gateway woke too often"
            )?;
        }
        Err(why) => writeln!(out, "{BAD}could not be driven{BAD:#}: {why}")?,
    }
    for debt in &judgement.owed {
        writeln!(out, "              {debt}")?;
    }
    Ok(())
}

fn write_verdicts(out: &mut impl Write, judgement: &Judgement) -> std::io::Result<()> {
    write_end(out, judgement)?;
    for (rule, verdict) in &judgement.verdicts {
        match verdict {
            Verdict::Pass { witnessed } => {
                let times = if *witnessed == 1 { "once" } else { "times" };
                let often = if *witnessed == 1 {
                    String::new()
                } else {
                    format!("{witnessed} ")
                };
                writeln!(
                    out,
                    "{GOOD}pass{GOOD:#}  {:<32} {FAINT}witnessed {often}{times}{FAINT:#}",
                    rule.id
                )?;
            }
            Verdict::Fail(breach) => writeln!(
                out,
                "{BAD}fail{BAD:#}  {} at entry {}: {}; right would be: {}.",
                rule.id, breach.entry, breach.seen, breach.right
            )?,
            Verdict::Inconclusive { .. } | Verdict::Inapplicable { .. } => (),
        }
    }
    write_timing(out, judgement)?;
    for unmet in &judgement.unmet {
        let at = unmet
            .entry
            .map_or(String::new(), |entry| format!(" at entry {entry}"));
        writeln!(
            out,
            "{BAD}fail{BAD:#}  expectation {}{at}: {}; right would be: {}.",
            unmet.index + 1,
            unmet.seen,
            unmet.right
        )?;
    }
    Ok(())
}

/// What a clock had a say in that nobody steers.
fn write_timing(out: &mut impl Write, judgement: &Judgement) -> std::io::Result<()> {
    let Some(timing) = &judgement.timing else {
        return Ok(());
    };
    let rules: Vec<&str> = timing.rules.iter().copied().collect();
    let which = match rules.is_empty() {
        true => "nothing".to_owned(),
        false => rules.join(", "),
    };
    let exact = timing.tolerance;
    writeln!(
        out,
        "{UNSURE}real clock{UNSURE:#}  give or take {exact}; it has a say in {which}"
    )
}

fn exit(judgement: &Judgement) -> Exit {
    let fails = if judgement.fails() {
        Exit::DoesNotConform
    } else {
        Exit::Conforms
    };
    let driven = if judgement.end.is_err() {
        Exit::Undriven
    } else {
        Exit::Conforms
    };
    fails.or_worse(driven)
}
