//! What maintenance may take, and what it has to.

use rustc_hash::FxHashSet;
use serde_json::Value;

use super::super::{Checker, Kind, Rule, Sink};
use super::reset::Turn;
use super::{forgot, may_reset, rule};
use crate::effect::{Answer, Effect, StartRun};
use crate::facts::Facts;
use crate::id::{RunId, SessionKey};
use crate::key::{Key, Rest};
use crate::profile::MaintenanceTakes;
use crate::stimulus::Caller;
use crate::trace::{Entry, What};

pub(super) fn retention_safe() -> Rule {
    rule(
        "session.retention-safe",
        "Maintenance never removes what runs, is bound, or still owes; in warn mode it removes \
         nothing; its limits do take effect, each by itself, and what nobody speaks to goes first.",
        &[
            "I-26", "R5.7", "S-109", "SI-026", "SI-027", "SI-028", "SI-029",
        ],
        &["maintenance", "maintenance_takes", "max_entries"],
        &[Kind::StartRun, Kind::Answer],
        || Box::new(Retention),
    )
}

struct Retention;

impl Checker for Retention {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) if facts.is_maintained() => {
                if let Some(turn) = facts.turn_here() {
                    on_turn(&turn, start, facts, sink);
                }
            }
            What::Effect(Effect::Answer(answer)) => {
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

/// Age: what was not written to for too long is gone.
fn on_turn(turn: &Turn<'_>, start: &StartRun, facts: &Facts, sink: &mut Sink) {
    let asked = turn.before.told_to_forget
        || turn.message.is_some_and(|message| message.asks_fresh())
        || may_reset(turn, facts);
    if asked {
        return;
    }
    let maintenance = facts.config.session.maintenance;
    let (key, run) = (&start.session_key, &start.run);
    let old = turn.now.0 > turn.before.written_to + maintenance.prune_after();
    let goes = !is_durable(key, facts) || takes_all(facts);
    match (turn.continues(), why_spared(key, Some(run), facts)) {
        (false, Some(why)) => sink.fail(
            forgot(turn, start),
            format!("run {run} continues the session: it {why}, and maintenance leaves it alone"),
        ),
        (false, None) => sink.witness(),
        (true, None) if old && goes && !is_main(key, facts) => sink.fail(
            forgot(turn, start),
            format!(
                "run {run} starts fresh: nothing was written to the session for more than {}",
                maintenance.prune_after()
            ),
        ),
        (true, Some(_) | None) => (),
    }
}

/// What an administrator sees of all sessions.
fn on_list(answer: &Answer, facts: &Facts, sink: &mut Sink) {
    let Some(rows) = answer.result.get("sessions").and_then(Value::as_array) else {
        return;
    };
    let keys = rows.iter().filter_map(|row| row.get("key")?.as_str());
    let listed: FxHashSet<&str> = keys.collect();
    let call = &answer.call;
    let maintenance = facts.config.session.maintenance;
    let is_on = facts.is_maintained();
    let known = facts.sessions.iter().filter(|(key, session)| {
        let sure = !session.deleted && !session.told_to_forget && !session.uncertain;
        // What was archived is another matter.
        let archived = facts.archive_due(key).is_some_and(|due| due <= facts.now())
            || facts.is_archived_somehow(key);
        sure && session.started_at.is_some() && !archived
    });
    for (key, session) in known.filter(|(key, _)| !listed.contains(key.as_str())) {
        let seen = format!("call {call} does not list session {key}");
        if !is_on {
            return sink.fail(
                seen,
                format!("session {key} is listed: maintenance only warns"),
            );
        }
        if let Some(why) = why_spared(key, None, facts) {
            return sink.fail(seen, format!("session {key} is listed: it {why}"));
        }
        let old = facts.now() > session.written_at + maintenance.prune_after();
        let other = listed
            .iter()
            .map(|&listed| SessionKey::from(listed))
            .find(|other| !is_durable(other, facts) && why_spared(other, None, facts).is_none());
        if let Some(other) = other.filter(|_| !old && is_durable(key, facts)) {
            return sink.fail(
                seen,
                format!("session {other} goes before session {key}, which people speak to"),
            );
        }
    }
    if is_on {
        judge_count(&listed, answer, facts, sink);
    }
}

fn judge_count(listed: &FxHashSet<&str>, answer: &Answer, facts: &Facts, sink: &mut Sink) {
    let most = facts.config.session.maintenance.max_entries(&facts.dials);
    let stays = listed
        .iter()
        .map(|&key| SessionKey::from(key))
        .filter(|key| {
            let exempt = is_main(key, facts) || is_durable(key, facts) && !takes_all(facts);
            exempt || why_spared(key, None, facts).is_some()
        });
    let stays = stays.count();
    // What was last opened is spared too: somebody is about to use it.
    let right = most.max(stays + 1);
    if listed.len() > right {
        return sink.fail(
            format!(
                "call {} lists {} sessions, {stays} of which have to stay",
                answer.call,
                listed.len()
            ),
            format!("maintenance leaves {most} of them"),
        );
    }
    sink.witness();
}

fn takes_all(facts: &Facts) -> bool {
    facts.dials.maintenance_takes == MaintenanceTakes::All
}

/// Why maintenance has to leave a session alone, if it has.
fn why_spared(key: &SessionKey, but: Option<&RunId>, facts: &Facts) -> Option<&'static str> {
    let mut runs = facts.live_runs(key);
    if runs.any(|(run, _)| Some(run) != but) {
        return Some("runs");
    }
    if facts.surely_bound_to(key).is_some() {
        return Some("is bound");
    }
    let owes = facts.completions.iter().any(|(run, completion)| {
        let child = facts.runs.get(run).is_some_and(|run| run.key == *key);
        completion.settled.is_none() && (child || completion.requester.as_ref() == Some(key))
    });
    // A child that works owes the end of that.
    let mut calls = facts
        .calls
        .values()
        .filter(|call| call.session.as_ref() == Some(key));
    let awaits = calls.any(|call| {
        let run = call.run.as_ref().and_then(|run| facts.runs.get(run));
        let works = run.is_some_and(|run| run.state.is_live());
        works && call.method == "sessions_spawn" && call.is_accepted()
    });
    (owes || awaits).then_some("owes a completion")
}

/// Whether people speak to a session.
fn is_durable(key: &SessionKey, facts: &Facts) -> bool {
    let made = matches!(
        facts.naming.read(key.as_str()),
        Ok(Key::Of {
            rest: Rest::Made { .. },
            ..
        })
    );
    !made && !facts.is_child_session(key)
}

fn is_main(key: &SessionKey, facts: &Facts) -> bool {
    let key = facts.naming.read(key.as_str());
    matches!(
        key,
        Ok(Key::Of {
            rest: Rest::Main,
            thread: None,
            ..
        })
    )
}
