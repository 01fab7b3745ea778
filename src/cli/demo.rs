//! `moorline demo`: a leak, found and shown.

use std::io::Write;
use std::time::Instant;

use moorline_sim::broken::{self, Broken};
use moorline_spec::rule::Rule;
use moorline_spec::verdict::{Breach, Verdict};

use super::failure::Failure;
use super::palette::{BAD, FAINT, STRONG};
use super::replay::write_title;
use crate::fixtures::{self, Named};
use crate::gate::{Gate, Judgement, Outcome};
use crate::report::{Exit, lines, write_lines};

/// The broken gateway that is shown where there is one of that name.
const FAVOURITE: &str = "completion-to-last-route";

/// A leak that was found.
struct Find {
    broken: &'static Broken,
    named: Named,
    judgement: Box<Judgement>,
    rule: &'static Rule,
    breach: Breach,
}

pub(super) fn demo(out: &mut impl Write) -> Result<Exit, Failure> {
    let began = Instant::now();
    let Some(find) = find()? else {
        let words = "no broken gateway of this build leaks in any of its fixtures";
        return Err(Failure::Usage(words.to_owned()));
    };
    let elapsed = began.elapsed();
    let broken = find.broken;
    writeln!(
        out,
        "A gateway with a planted bug, {STRONG}{}{STRONG:#}: {}.\n",
        broken.id,
        broken.summary.trim_end_matches('.')
    )?;
    write_title(out, &find.named, broken.id)?;
    let marked = [find.breach.entry].into();
    write_lines(out, "", &lines(&find.judgement.trace, &marked), &marked)?;
    writeln!(
        out,
        "\n{BAD}{}{BAD:#} is broken at entry {}: {}; right would be: {}.",
        find.rule.id, find.breach.entry, find.breach.seen, find.breach.right
    )?;
    writeln!(out, "{FAINT}{}{FAINT:#}", find.rule.text)?;
    let ms = elapsed.as_millis();
    writeln!(out, "\nFound in {ms} ms. What to run next:")?;
    let rows = [
        (
            format!("moorline explain {}", find.rule.id),
            "what the rule asks",
        ),
        (
            format!("moorline run --broken {}", broken.id),
            "everything this gateway breaks",
        ),
        (
            "moorline run --gateway \"YOUR COMMAND\"".to_owned(),
            "judge a gateway of yours",
        ),
    ];
    for (command, what) in rows {
        writeln!(
            out,
            "  {STRONG}{command:<52}{STRONG:#} {FAINT}{what}{FAINT:#}"
        )?;
    }
    Ok(Exit::Conforms)
}

/// A fixture in which a gateway that leaks is seen to do so: the one that reproduces its report
/// first, then any that speaks of its rule.
fn find() -> Result<Option<Find>, Failure> {
    let fixtures = fixtures::built_in()?;
    let leaks = |broken: &&Broken| broken.rule.starts_with("isolation.");
    let favourite = broken::named(FAVOURITE);
    for broken in favourite
        .into_iter()
        .chain(broken::all().iter().filter(leaks))
    {
        let of_report = fixtures
            .iter()
            .filter(|named| named.scenario().reproduced_by.as_deref() == Some(broken.id));
        let of_rule = fixtures.iter().filter(|named| {
            named
                .scenario()
                .rules
                .iter()
                .any(|rule| rule == broken.rule)
        });
        let mut gate = Gate::broken(broken, None);
        for named in of_report.chain(of_rule) {
            let Outcome::Played(judgement) = gate.play(named.scenario()) else {
                continue;
            };
            if let Some((rule, breach)) = breach(&judgement, broken) {
                return Ok(Some(Find {
                    broken,
                    named: named.clone(),
                    judgement,
                    rule,
                    breach,
                }));
            }
        }
    }
    Ok(None)
}

/// The breach of a rule against leaks, else of the rule that the gateway is led by.
fn breach(judgement: &Judgement, broken: &Broken) -> Option<(&'static Rule, Breach)> {
    let breaches = || {
        judgement
            .verdicts
            .iter()
            .filter_map(|(rule, verdict)| match verdict {
                Verdict::Fail(breach) => Some((*rule, breach.clone())),
                Verdict::Pass { .. }
                | Verdict::Inconclusive { .. }
                | Verdict::Inapplicable { .. } => None,
            })
    };
    let mut leaks = breaches().filter(|(rule, _)| rule.id.starts_with("isolation."));
    leaks
        .next()
        .or_else(|| breaches().find(|(rule, _)| rule.id == broken.rule))
}
