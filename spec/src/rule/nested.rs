//! Children of children.

mod settles;
mod wakes;

pub(super) use wakes::{is_parents, may_be_open};

use super::{Keyword, Kind, Rule};
use crate::facts::{CallFacts, Facts};
use crate::profile::Family;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            id: "nested.settles-below",
            family: Family::Nested,
            keyword: Keyword::Must,
            text: "A run that did what it was for, and whose own children still owe it their ends, is \
                   not complete: nobody above is told of it until they are settled. Waiting is no \
                   attempt, so that nothing is given up for it, and it has a bound.",
            sources: &["I-08", "NO-002", "NO-003", "NO-016"],
            dials: &["settle_window"],
            sees: &[
                Kind::Inbound,
                Kind::RunEnded,
                Kind::Wake,
                Kind::Answer,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Deliver,
                Kind::Report,
            ],
            checker: Some(|| Box::<settles::SettlesBelow>::default()),
            relation: None,
        },
        Rule {
            id: "nested.yield-wakes",
            family: Family::Nested,
            keyword: Keyword::Must,
            text: "A run that yielded is woken once, by one turn that tells of all it waits for, when \
                   the last of them has ended or the bound of waiting is over; where nothing is left \
                   to wait for it may not yield. It is never left hanging.",
            sources: &["R-30", "S-136", "CL-036", "RR-021"],
            dials: &["settle_window"],
            sees: &[
                Kind::Answer,
                Kind::RunEnded,
                Kind::StartRun,
                Kind::Crashed,
                Kind::Inbound,
            ],
            checker: Some(|| Box::<wakes::YieldWakes>::default()),
            relation: None,
        },
    ]
}

/// Whether a spawn that was accepted still owes its end to whoever asked.
fn is_open(call: &CallFacts, facts: &Facts) -> bool {
    if !call.is_accepted() || facts.was_stopped(call) {
        return false;
    }
    let Some(run) = &call.run else {
        // It waits until there is room for it, or will never begin.
        return !call.heard;
    };
    match (facts.completions.get(run), facts.runs.get(run)) {
        (Some(completion), _) => completion.settled.is_none(),
        (None, Some(run)) => run.state.is_live(),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests;
