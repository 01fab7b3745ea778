//! A child's transcript is there to be read.

use super::super::{Checker, Kind, Rule, Sink};
use super::rule;
use crate::effect::{Answer, Effect};
use crate::facts::{CallFacts, Facts, RunFacts, RunState};
use crate::id::SessionKey;
use crate::stimulus::Outcome;
use crate::trace::{Entry, What};

pub(super) fn history_whole() -> Rule {
    rule(
        "session.history-whole",
        "`sessions_history` of a child shows everything that it was given and said since it began, \
         after its end and after a restart too.",
        &["R4.8", "CL-004"],
        &[],
        &[Kind::Answer],
        || Box::new(History),
    )
}

struct History;

impl Checker for History {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if let What::Effect(Effect::Answer(answer)) = &entry.what
            && let Some(call) = facts.call_here().map(|(_, call)| call)
            && let Some(key) = asked_for(call, facts)
        {
            judge(key, answer, entry, facts, sink);
        }
    }
}

/// The child whose whole history a call asks for, and gets.
fn asked_for<'f>(call: &CallFacts, facts: &'f Facts) -> Option<&'f SessionKey> {
    let whole = call.method == "sessions_history" && call.params.get("limit").is_none();
    if !whole || call.status() != Some("ok") {
        return None;
    }
    let named = call.text("sessionKey").or(call.text("key"))?;
    let key = facts.session_named(named)?;
    facts.is_child_session(key).then_some(key)
}

fn judge(key: &SessionKey, answer: &Answer, entry: &Entry, facts: &Facts, sink: &mut Sink) {
    let Some(session) = facts.sessions.get(key) else {
        return;
    };
    if session.deleted || session.uncertain || session.told_to_forget {
        return;
    }
    let whole = |run: &&RunFacts| {
        let ended = matches!(run.state, RunState::Ended(Outcome::Ok));
        ended && !run.cancelled && !run.words.is_empty()
    };
    let runs = session.runs.iter();
    for run in runs.filter_map(|run| facts.runs.get(run)).filter(whole) {
        for marker in run.given.first().into_iter().chain(run.words.first()) {
            if entry.markers.contains(marker) {
                sink.witness();
            } else {
                sink.fail(
                    format!(
                        "the history of session {key} in the answer to {} lacks {}",
                        answer.call,
                        marker.in_text()
                    ),
                    format!(
                        "{} is in it: session {key} was given or said that since it began",
                        marker.in_text()
                    ),
                );
            }
        }
    }
}
