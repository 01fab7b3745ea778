//! Verdicts by a clock that nobody can steer.
//!
//! What a gateway with a clock of its own did at a time is known to some tolerance only. So a rule
//! counts as broken where it is broken however that falls out: in the play as it was seen, with
//! every wait a little longer, and with every wait a little shorter. Which rules speak of time at
//! all is found in the same way, by much longer waits and by none.

use std::collections::BTreeSet;

use moorline_spec::judge::Judge;
use moorline_spec::profile::Profile;
use moorline_spec::rule::Rule;
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::{Span, Time};
use moorline_spec::trace::{Entry, Trace, What};
use moorline_spec::verdict::Verdict;

type Found = Vec<(&'static Rule, Verdict)>;

/// How a play by a real clock is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How many times faster than real time the gateway's clock ran.
    pub scale: u32,
    /// By how much times may be other than they were seen.
    pub tolerance: Span,
    /// The rules whose verdicts depend on time.
    pub rules: BTreeSet<&'static str>,
}

/// The verdicts that hold within a tolerance, and which of them depend on time.
pub fn within(
    profile: &Profile,
    trace: &Trace,
    found: Found,
    scale: u32,
    tolerance: Span,
) -> (Found, Timing) {
    let seen = without_looks(trace);
    let judged = |change: &dyn Fn(Span) -> Span| Judge::of(profile, &paced(&seen, change));
    let longer = judged(&|wait| {
        if is_long(wait, tolerance) {
            wait + tolerance
        } else {
            wait
        }
    });
    let shorter = judged(&|wait| match is_long(wait, tolerance) {
        true => Span::ms(wait.0 - tolerance.0),
        false => wait,
    });
    let none = judged(&|_| Span::ZERO);
    let endless = judged(&|wait| Span::ms(wait.0.saturating_mul(1_000)));
    let differs = |rule: &Rule, verdict: &Verdict| {
        let other = [&longer, &shorter, &none, &endless];
        other
            .iter()
            .any(|other| kind(of(other, rule)) != kind(Some(verdict)))
    };
    let mut rules = BTreeSet::new();
    let verdicts = found.into_iter().map(|(rule, verdict)| {
        if differs(rule, &verdict) {
            rules.insert(rule.id);
        }
        let stands = [&longer, &shorter]
            .iter()
            .all(|other| of(other, rule).is_some_and(Verdict::is_fail));
        if !verdict.is_fail() || stands {
            return (rule, verdict);
        }
        let why = format!("by a real clock this is too close to call, give or take {tolerance}");
        (rule, Verdict::Inconclusive { why: why.into() })
    });
    let verdicts = verdicts.collect();
    let timing = Timing {
        scale,
        tolerance,
        rules,
    };
    (verdicts, timing)
}

fn of<'f>(found: &'f Found, rule: &Rule) -> Option<&'f Verdict> {
    let mut all = found.iter();
    all.find(|(known, _)| known.id == rule.id)
        .map(|(_, verdict)| verdict)
}

/// What is compared: how a rule was kept, not by which entry.
fn kind(verdict: Option<&Verdict>) -> (u8, u64) {
    match verdict {
        Some(Verdict::Pass { witnessed }) => (1, *witnessed),
        Some(Verdict::Fail(_)) => (2, 0),
        Some(Verdict::Inconclusive { .. }) => (3, 0),
        Some(Verdict::Inapplicable { .. }) | None => (4, 0),
    }
}

fn is_long(wait: Span, tolerance: Span) -> bool {
    2 * tolerance.0 < wait.0
}

/// A play without the looks that nothing came of: they are the harness's, and part a long wait.
fn without_looks(trace: &Trace) -> Trace {
    let is_effect =
        |entry: Option<&Entry>| matches!(entry.map(|entry| &entry.what), Some(What::Effect(_)));
    let entries = trace.entries.iter().enumerate();
    let told = entries.filter(|(index, entry)| {
        let is_wake = matches!(entry.what, What::Stimulus(Stimulus::Wake {}));
        !is_wake || is_effect(trace.entries.get(index + 1))
    });
    Trace {
        entries: told.map(|(_, entry)| entry.clone()).collect(),
    }
}

/// A play whose waits are other than they were.
fn paced(trace: &Trace, change: &dyn Fn(Span) -> Span) -> Trace {
    let mut before = Time::ZERO;
    let mut now = Time::ZERO;
    let entries = trace.entries.iter().map(|entry| {
        now = now + change(entry.at.since(before));
        before = entry.at;
        Entry {
            at: now,
            ..entry.clone()
        }
    });
    Trace {
        entries: entries.collect(),
    }
}
