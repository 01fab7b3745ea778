//! Which sessions are archived, and when.

use serde_json::Value;

use super::super::{Checker, Kind, Rule, Sink};
use super::reset::Turn;
use super::{forgot, may_reset, rule};
use crate::effect::{Answer, Effect, StartRun};
use crate::facts::Facts;
use crate::id::SessionKey;
use crate::stimulus::Caller;
use crate::time::Span;
use crate::trace::{Entry, What};

/// How long a gateway may take to look.
const SWEEP: Span = Span::mins(1);

pub(super) fn persistent_not_archived() -> Rule {
    rule(
        "session.persistent-not-archived",
        "A child in session mode has no archive time; one in run mode is archived as configured, \
         after it ended; an archive time that one session was given holds for it.",
        &["R5.4", "R5.5", "S-103", "S-104", "B-3", "SI-031"],
        &["archives"],
        &[Kind::StartRun, Kind::Answer],
        || Box::new(Archived),
    )
}

struct Archived;

impl Checker for Archived {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start))
                if facts.archives.contains_key(&start.session_key) =>
            {
                if let Some(turn) = facts.turn_here() {
                    on_turn(&turn, start, facts, sink);
                }
            }
            What::Effect(Effect::Answer(answer)) if !facts.archives.is_empty() => {
                let call = facts.call_here().map(|(_, call)| call);
                if call
                    .is_some_and(|call| call.method == "sessions_list" && call.by == Caller::Admin)
                {
                    on_list(answer, facts, sink);
                }
            }
            _ => (),
        }
    }
}

fn on_turn(turn: &Turn<'_>, start: &StartRun, facts: &Facts, sink: &mut Sink) {
    let asked = turn.before.told_to_forget
        || facts.is_archived_somehow(&start.session_key)
        || turn.message.is_some_and(|message| message.asks_fresh())
        || may_reset(turn, facts)
        || facts.is_maintained();
    if asked {
        return;
    }
    let (key, run) = (&start.session_key, &start.run);
    match (turn.before.archive_due, turn.continues()) {
        (Some(due), true) if due + SWEEP < turn.now.0 => sink.fail(
            forgot(turn, start),
            format!("run {run} starts fresh: session {key} was archived at {due}"),
        ),
        (Some(due), false) if turn.now.1 < due => sink.fail(
            forgot(turn, start),
            format!("run {run} continues the session, which is not archived before {due}"),
        ),
        (None, false) => sink.fail(
            forgot(turn, start),
            format!("run {run} continues the session, which has no archive time"),
        ),
        (None, true) if facts.archived_after(key).is_none() => (),
        (Some(due), _) if due <= turn.now.1 && turn.now.0 <= due + SWEEP => (),
        (Some(_) | None, _) => sink.witness(),
    }
}

fn on_list(answer: &Answer, facts: &Facts, sink: &mut Sink) {
    let Some(rows) = answer.result.get("sessions").and_then(Value::as_array) else {
        return;
    };
    for (key, archive) in facts.archives.iter().filter(|(_, archive)| !archive.unsure) {
        let row = |row: &Value| row.get("key").and_then(Value::as_str) == Some(key.as_str());
        let listed = rows.iter().any(row);
        let due = facts.archive_due(key);
        let late = due.is_some_and(|due| due + SWEEP < facts.now());
        let early = due.is_none_or(|due| facts.now() < due);
        match listed {
            true if late && !owes(key, facts) => sink.fail(
                format!(
                    "call {} lists session {key}, which ended at {}",
                    answer.call,
                    archive.ended.unwrap_or_default()
                ),
                format!("session {key} was archived at {}", due.unwrap_or_default()),
            ),
            false if early && is_there(key, facts) => sink.fail(
                format!("call {} does not list session {key}", answer.call),
                format!("session {key} is not archived yet, if ever"),
            ),
            true if early || !late => sink.witness(),
            false if late => sink.witness(),
            true | false => (),
        }
    }
}

/// Whether somebody has still to be told of it: until then it stays.
fn owes(key: &SessionKey, facts: &Facts) -> bool {
    facts.completions.iter().any(|(run, completion)| {
        let child = facts.runs.get(run).is_some_and(|run| run.key == *key);
        child && completion.settled.is_none()
    })
}

fn is_there(key: &SessionKey, facts: &Facts) -> bool {
    let session = facts.sessions.get(key);
    let there = session.is_some_and(|session| {
        session.started_at.is_some()
            && !session.deleted
            && !session.told_to_forget
            && !session.uncertain
    });
    there && !facts.is_maintained()
}
