//! Whose business the end of a run is.

use super::news::{By, may_be_gone, news};
use crate::effect::Effect;
use crate::facts::Facts;
use crate::id::RunId;
use crate::rule::{Checker, Sink};
use crate::trace::{Entry, What};

/// MUST: the session that asked is told, and no other one while it is there.
pub(super) struct Requester;

impl Checker for Requester {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => judge(&start.run, facts, sink),
            What::Effect(Effect::SteerRun(steer)) => judge(&steer.run, facts, sink),
            _ => (),
        }
    }
}

fn judge(turn: &RunId, facts: &Facts, sink: &mut Sink) {
    if facts.completions.is_empty() {
        return;
    }
    let Some(news) = news(facts).filter(|news| news.by != By::Progress) else {
        return;
    };
    let Some(completion) = facts.completions.get(news.child) else {
        return;
    };
    let Some(requester) = &completion.requester else {
        return;
    };
    if requester == news.told {
        sink.witness();
    } else if !may_be_gone(facts, requester) {
        let (child, told) = (news.child, news.told);
        let words = news.marker.in_text();
        sink.fail(
            format!(
                "run {turn} tells {told} of the end of run {child} {words}, which {requester} \
                 asked for"
            ),
            format!("{requester} is there, busy or idle, and is told itself"),
        );
    }
}
