//! From plays to a report.

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::effect::Effect;
use moorline_spec::rule::{Keyword, Rule};
use moorline_spec::time::Span;
use moorline_spec::trace::{Entry, Trace, What};
use moorline_spec::verdict::{Breach, Verdict};

use super::{
    BreachReport, FixtureOutcome, FixtureReport, GatewayReport, LineReport, Overall, PlaysReport,
    Report, RuleReport, Standing, StepReport, UnmetReport, VERSION,
};
use crate::fixtures::Named;
use crate::gate::{Judgement, Outcome};

/// How many entries are shown before and after the one that matters.
pub(crate) const LINES_BEFORE: usize = 3;
pub(crate) const LINES_AFTER: usize = 1;

/// What is known of a run while it goes on.
#[derive(Debug)]
pub struct Account {
    rules: BTreeMap<&'static str, Sum>,
    selected: Vec<&'static Rule>,
    fixtures: Vec<FixtureReport>,
    /// The options that choose the gateway, for the command that shows a fixture again.
    options: String,
    /// Whether only rules that a fixture names are missed where nothing puts them to the test.
    only_named: bool,
}

/// One rule over the fixtures so far.
#[derive(Debug, Default)]
struct Sum {
    witnessed: u64,
    breaches: Vec<BreachReport>,
    /// Why it was inconclusive in a fixture that names it, or in any.
    inconclusive: Option<String>,
    inapplicable: Option<String>,
    /// Fixtures that name it.
    named: u32,
    /// Those of them that say nothing about the gateway, and why the last of them doesn't.
    unplayed: u32,
    why_unplayed: Option<String>,
    /// How exact its verdict is that depends on a real clock.
    tolerance: Option<Span>,
}

impl Account {
    /// An account of these rules. `options` choose the gateway on a command line. With
    /// `only_named`, a rule that no fixture names and that was not broken is left out.
    pub fn new(selected: Vec<&'static Rule>, options: String, only_named: bool) -> Self {
        Self {
            rules: selected
                .iter()
                .map(|rule| (rule.id, Sum::default()))
                .collect(),
            selected,
            fixtures: Vec::new(),
            options,
            only_named,
        }
    }

    /// Takes in what came of a fixture.
    pub fn take(&mut self, named: &Named, outcome: &Outcome) {
        let mut report = FixtureReport {
            fixture: named.id.clone(),
            title: named.scenario().title.clone(),
            outcome: FixtureOutcome::Passed,
            rest: None,
            entries: 0,
            broken: BTreeSet::new(),
            unmet: Vec::new(),
            why: None,
            known: None,
            steps: Vec::new(),
            replay: format!(
                "moorline replay {}{}",
                crate::gate::quoted(&named.called),
                self.options
            ),
        };
        for name in &named.scenario().rules {
            if let Some(sum) = self.rules.get_mut(name.as_str()) {
                sum.named += 1;
                if let Outcome::Inapplicable(why) = outcome {
                    sum.unplayed += 1;
                    sum.why_unplayed = Some(format!("{}: {why}", named.id));
                }
            }
        }
        match outcome {
            Outcome::Inapplicable(why) => {
                report.outcome = FixtureOutcome::Inapplicable;
                report.why = Some(why.clone());
            }
            Outcome::Played(judgement) => {
                self.take_judgement(&mut report, named, judgement);
                if report.outcome == FixtureOutcome::Failed {
                    report.steps = steps(&judgement.trace);
                }
            }
        }
        self.fixtures.push(report);
    }

    fn take_judgement(&mut self, report: &mut FixtureReport, named: &Named, judged: &Judgement) {
        report.entries = judged.trace.len();
        match &judged.end {
            Ok(rest) => report.rest = Some(*rest),
            Err(why) => {
                report.outcome = FixtureOutcome::Undriven;
                report.why = Some(why.clone());
                return;
            }
        }
        for (rule, verdict) in &judged.verdicts {
            let Some(sum) = self.rules.get_mut(rule.id) else {
                continue;
            };
            let timing = judged.timing.as_ref();
            let timing = timing.filter(|timing| timing.rules.contains(rule.id));
            sum.tolerance = sum.tolerance.max(timing.map(|timing| timing.tolerance));
            if let Verdict::Fail(breach) = verdict {
                let breach = breach_report(report, judged, breach);
                if rule.keyword == Keyword::Must {
                    report.outcome = FixtureOutcome::Failed;
                }
                report.broken.insert(rule.id.to_owned());
                self.rules.entry(rule.id).or_default().breaches.push(breach);
            } else {
                let sum = self.rules.entry(rule.id).or_default();
                sum.take(
                    verdict,
                    named.scenario().rules.iter().any(|name| name == rule.id),
                );
            }
        }
        for unmet in &judged.unmet {
            let lines = unmet
                .entry
                .map_or(Vec::new(), |entry| lines_around(&judged.trace, entry));
            report.unmet.push(UnmetReport::new(unmet, lines));
            report.outcome = FixtureOutcome::Failed;
        }
    }

    /// How many fixtures have failed so far.
    pub fn failed(&self) -> usize {
        let failed = |fixture: &&FixtureReport| fixture.outcome == FixtureOutcome::Failed;
        self.fixtures.iter().filter(failed).count()
    }
}

impl Sum {
    fn take(&mut self, verdict: &Verdict, is_named: bool) {
        match verdict {
            Verdict::Pass { witnessed } => self.witnessed += witnessed,
            Verdict::Inconclusive { why } if is_named || self.inconclusive.is_none() => {
                self.inconclusive = Some(why.to_string());
            }
            Verdict::Inapplicable { why } => self.inapplicable = Some(why.to_string()),
            Verdict::Fail(_) | Verdict::Inconclusive { .. } => (),
        }
    }

    fn into_report(self, rule: &Rule) -> RuleReport {
        let only_elsewhere = self.named > 0 && self.unplayed == self.named;
        let (standing, why) = if !self.breaches.is_empty() {
            let must = rule.keyword == Keyword::Must;
            (if must { Standing::Fail } else { Standing::Warn }, None)
        } else if self.witnessed > 0 {
            (Standing::Pass, None)
        } else if self.inapplicable.is_some() && self.inconclusive.is_none() {
            (Standing::Inapplicable, self.inapplicable)
        } else if only_elsewhere {
            (Standing::Inapplicable, self.why_unplayed)
        } else if self.named == 0 {
            let why = "no fixture of this run puts it to the test".to_owned();
            (Standing::Inconclusive, Some(why))
        } else {
            let why = "no fixture that names it came to an end".to_owned();
            (Standing::Inconclusive, self.inconclusive.or(Some(why)))
        };
        RuleReport {
            rule: rule.id.to_owned(),
            family: rule.family,
            standing,
            witnessed: self.witnessed,
            why,
            breaches: self.breaches,
            tolerance_ms: self.tolerance.map(|tolerance| tolerance.0),
        }
    }
}

fn breach_report(fixture: &FixtureReport, judged: &Judgement, breach: &Breach) -> BreachReport {
    BreachReport {
        fixture: fixture.fixture.clone(),
        entry: breach.entry,
        seen: breach.seen.clone(),
        right: breach.right.clone(),
        lines: lines_around(&judged.trace, breach.entry),
        plays: judged.plays.map(|(failed, of)| PlaysReport { failed, of }),
        known: None,
        replay: fixture.replay.clone(),
    }
}

/// The transcript around an entry.
fn lines_around(trace: &Trace, entry: usize) -> Vec<LineReport> {
    let all = lines(trace, &BTreeSet::from([entry]));
    let here = all.iter().position(|line| line.entry == entry).unwrap_or(0);
    let to = (here + LINES_AFTER + 1).min(all.len());
    all[here.saturating_sub(LINES_BEFORE)..to].to_vec()
}

/// Everything that was seen, records that were persisted apart.
fn steps(trace: &Trace) -> Vec<StepReport> {
    let entries = trace.entries.iter().enumerate();
    let told = entries.filter(|(_, entry)| !matches!(entry.what, What::Effect(Effect::Persist(_))));
    told.map(|(index, entry)| StepReport {
        entry: index,
        line: trace.transcript_line(index),
        seen: entry.clone(),
    })
    .collect()
}

/// The lines of a transcript. Records that were persisted are left out, unless they are `kept`.
pub fn lines(trace: &Trace, kept: &BTreeSet<usize>) -> Vec<LineReport> {
    let entries = trace.entries.iter().enumerate();
    let is_told = |&(index, entry): &(usize, &Entry)| {
        kept.contains(&index) || !matches!(entry.what, What::Effect(Effect::Persist(_)))
    };
    entries
        .filter(is_told)
        .map(|(index, entry)| LineReport {
            entry: index,
            at: entry.at,
            text: trace.transcript_line(index),
        })
        .collect()
}

/// The report of a whole run.
pub fn gather(mut account: Account, gateway: GatewayReport, profile: &str, seconds: f64) -> Report {
    let rules = account.selected.iter().filter_map(|rule| {
        let sum = account.rules.remove(rule.id).unwrap_or_default();
        let is_missed = sum.named > 0 || !sum.breaches.is_empty() || !account.only_named;
        is_missed.then(|| sum.into_report(rule))
    });
    let mut report = Report {
        report: VERSION,
        moorline: env!("CARGO_PKG_VERSION").to_owned(),
        gateway,
        profile: profile.to_owned(),
        verdict: Overall::Conforms,
        exit_code: 0,
        rules: rules.collect(),
        fixtures: account.fixtures,
        stale: Vec::new(),
        seconds,
    };
    report.sum_up();
    report
}
