//! Identity and life of sessions: when an agent remembers, and when it does not.

mod archived;
mod atomic;
mod compaction;
mod deleted;
mod fenced;
mod history;
mod idle;
mod kept;
mod key;
#[cfg(test)]
mod life_tests;
mod overrides;
mod precedence;
pub(super) mod reset;
mod retention;
mod scope;
#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;

use self::reset::{Anchors, Due, Limit, Turn};
use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::effect::{Effect, Memory, StartRun};
use crate::facts::{Facts, Role};
use crate::id::SessionKey;
use crate::profile::{Family, ResetAnchor};
use crate::stimulus::Stimulus;
use crate::time::Time;
use crate::trace::{Entry, What};

const STARTS: &[Kind] = &[Kind::StartRun];

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = when_it_forgets();
    rules.extend([
        atomic::reset_atomic(),
        deleted::deleted_stays_deleted(),
        fenced::generation_fenced(),
        compaction::compaction_keeps(),
        archived::persistent_not_archived(),
        history::history_whole(),
        retention::retention_safe(),
        overrides::overrides_not_sticky(),
    ]);
    rules
}

/// Which session a run is of, and when that forgets.
fn when_it_forgets() -> Vec<Rule> {
    vec![
        key::rule(),
        scope::rule(),
        rule(
            "session.continues",
            "A run on a known key continues its session: its agent remembers.",
            &["R5.1"],
            &["reset_default", "reset_anchor", "agent_path_resets"],
            STARTS,
            || Box::new(ForEach(continues)),
        ),
        rule(
            "session.unknown-key-fresh",
            "A run on an unknown key opens a fresh session; a deleted key is unknown again.",
            &["R5.2"],
            &[],
            STARTS,
            || Box::new(UnknownFresh),
        ),
        rule(
            "session.rotates-by-policy-only",
            "Memory is dropped only by `/new`, `/reset`, an explicit reset or delete, maintenance \
             in enforce mode, or a reset policy evaluated at a person's message on the chat path.",
            &["I-13", "R5.6", "R5.7"],
            &["reset_default", "reset_anchor", "agent_path_resets"],
            STARTS,
            || Box::new(ForEach(rotates)),
        ),
        rule(
            "session.agent-path-never-resets",
            "A call on the agent path never evaluates the reset policy, whatever the idle time.",
            &["R5.6", "SI-007"],
            &["agent_path_resets"],
            STARTS,
            || Box::new(ForEach(agent_path)),
        ),
        rule(
            "session.daily-reset",
            "A person's message at t, and a call where the agent path looks at the policy, resets iff the session started strictly before the last \
             `atHour`:00 at or before t in the gateway's time zone; days without or with a repeated \
             hour included.",
            &["S-72", "S-77", "S-78", "S-95"],
            &["reset_default", "reset_anchor", "agent_path_resets"],
            STARTS,
            || Box::new(ForEach(daily)),
        ),
        idle::idle_reset(),
        precedence::reset_precedence(),
        rule(
            "session.system-neutral",
            "Heartbeats, cron, announcements and other internal turns neither cause nor postpone a \
             reset.",
            &["SI-001", "SI-003"],
            &["reset_anchor"],
            &[Kind::StartRun, Kind::InternalTurn],
            || Box::new(SystemNeutral::default()),
        ),
    ]
}

fn rule(
    id: &'static str,
    text: &'static str,
    sources: &'static [&'static str],
    dials: &'static [&'static str],
    sees: &'static [Kind],
    checker: fn() -> Box<dyn Checker>,
) -> Rule {
    Rule {
        id,
        family: Family::Session,
        keyword: Keyword::Must,
        text,
        sources,
        dials,
        sees,
        checker: Some(checker),
        relation: None,
    }
}

/// Looks at each run on a known key.
struct ForEach(fn(&Turn, &StartRun, &Facts, &mut Sink));

impl Checker for ForEach {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if let What::Effect(Effect::StartRun(start)) = &entry.what
            && let Some(turn) = facts.turn_here()
        {
            (self.0)(&turn, start, facts, sink);
        }
    }
}

/// What a run is for, in words.
fn purpose(role: &Role) -> String {
    match role {
        Role::Chat(marker) => format!("for message {}", marker.in_text()),
        Role::Child(call) => format!("for spawn {call}"),
        Role::Sent(call) => format!("for send {call}"),
        Role::Plugin(call) => format!("for call {call}"),
        Role::Event(run) => format!("to hear of run {run}"),
        Role::Internal => "for an internal turn".to_owned(),
        Role::Unknown => "for no known purpose".to_owned(),
    }
}

/// `run b for message ⟦m2⟧ starts fresh in session s, which began at 0:00:00.010`
fn forgot(turn: &Turn, start: &StartRun) -> String {
    let how = match &start.memory {
        Memory::Fresh => "fresh".to_owned(),
        Memory::Continue => "with its memory".to_owned(),
        Memory::Fork(from) => format!("with the memory of session {from}"),
    };
    let (run, key) = (&start.run, &start.session_key);
    let began = turn.before.started_at.unwrap_or_default();
    let purpose = purpose(&turn.run.role);
    format!("run {run} {purpose} starts {how} in session {key}, which began at {began}")
}

/// Whether a reset policy may be evaluated on the path of a run, and be due.
fn may_reset(turn: &Turn, facts: &Facts) -> bool {
    let evaluated = match turn.run.role {
        Role::Chat(_) => true,
        Role::Sent(_) | Role::Plugin(_) => facts.dials.agent_path_resets,
        _ => false,
    };
    evaluated && turn.due.is_possible()
}

/// Whether the reset policy is looked at on the path of a run.
fn looks(turn: &Turn, facts: &Facts) -> bool {
    match turn.run.role {
        Role::Chat(_) => turn.message.is_some(),
        Role::Sent(_) | Role::Plugin(_) => facts.dials.agent_path_resets,
        _ => false,
    }
}

/// Where something else may drop its memory, a run puts nothing to the test.
fn continues(turn: &Turn, start: &StartRun, facts: &Facts, sink: &mut Sink) {
    if turn.told || may_reset(turn, facts) {
        return;
    }
    if turn.continues() {
        sink.witness();
    } else {
        let right = format!(
            "run {} continues the session: nothing asked for a fresh start",
            start.run
        );
        sink.fail(forgot(turn, start), right);
    }
}

fn rotates(turn: &Turn, start: &StartRun, facts: &Facts, sink: &mut Sink) {
    if turn.continues() || turn.told || may_reset(turn, facts) {
        sink.witness();
    } else {
        let right = format!(
            "run {} continues the session: nobody asked for a fresh start, and no reset policy is due on this path",
            start.run
        );
        sink.fail(forgot(turn, start), right);
    }
}

fn agent_path(turn: &Turn, start: &StartRun, facts: &Facts, sink: &mut Sink) {
    let on_path = matches!(turn.run.role, Role::Sent(_) | Role::Plugin(_));
    if !on_path || turn.told || facts.dials.agent_path_resets {
        return;
    }
    if !turn.continues() && turn.due.is_possible() {
        let right = format!(
            "run {} continues the session: a reset policy is evaluated at people's messages only",
            start.run
        );
        sink.fail(forgot(turn, start), right);
    } else if turn.continues() && turn.due.is_certain() {
        sink.witness();
    }
}

fn daily(turn: &Turn, start: &StartRun, facts: &Facts, sink: &mut Sink) {
    let (Some(hour), Some(calendar)) = (turn.policy.daily_at, facts.calendar.as_ref()) else {
        return;
    };
    if turn.told || !looks(turn, facts) {
        return;
    }
    match (turn.due.daily, turn.continues()) {
        (Limit::Due, false) => sink.witness(),
        (Limit::Due, true) => {
            let right = format!(
                "run {} starts fresh: the session began before {hour}:00, and the message came after",
                start.run
            );
            sink.fail(forgot(turn, start), right);
        }
        (Limit::NotDue, false) if turn.due.idle == Limit::NotDue => {
            let right = format!(
                "run {} continues the session: no {hour}:00 lies between its beginning and the message",
                start.run
            );
            sink.fail(forgot(turn, start), right);
        }
        // Begun exactly at the hour: the strict comparison was put to the test.
        (Limit::NotDue, true) => {
            let anchors = Anchors::of(turn.before, facts.dials.reset_anchor);
            let boundary = calendar.last_daily(turn.now.0, hour);
            if i64::try_from(anchors.daily.1.0) == Ok(boundary) {
                sink.witness();
            }
        }
        (Limit::NotDue | Limit::Unclear, _) => (),
    }
}

struct UnknownFresh;

impl Checker for UnknownFresh {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::StartRun(start)) = &entry.what else {
            return;
        };
        // A turn in a session that is known is none of its business.
        if facts.turn_here().is_some() {
            return;
        }
        let (run, key) = (&start.run, &start.session_key);
        let session = facts.session_here();
        let Some(before) = session.and_then(|(_, session)| session.before.as_deref()) else {
            return;
        };
        if before.is_known() || before.uncertain {
            return;
        }
        if start.memory == Memory::Continue {
            let what = match before.deleted {
                true => "was deleted",
                false => "never had a run",
            };
            sink.fail(
                format!("run {run} continues session {key}, which {what}"),
                format!("run {run} starts fresh: there is nothing to continue"),
            );
        } else {
            sink.witness();
        }
    }
}

/// Remembers when the clockwork or a completion last had a turn in each session.
#[derive(Default)]
struct SystemNeutral {
    stirred: FxHashMap<SessionKey, Time>,
}

impl Checker for SystemNeutral {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::InternalTurn(turn)) => {
                self.stirred.insert(turn.session.clone(), entry.at);
            }
            What::Effect(Effect::StartRun(start)) => {
                if let Some(turn) = facts.turn_here() {
                    self.judge(&turn, start, facts, sink);
                }
                let role = facts.run_here().map(|run| &run.role);
                if let Some(Role::Internal | Role::Event(_)) = role {
                    self.stirred.insert(start.session_key.clone(), entry.at);
                }
            }
            _ => (),
        }
    }
}

impl SystemNeutral {
    fn judge(&self, turn: &Turn, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        if turn.told {
            return;
        }
        match turn.run.role {
            Role::Internal | Role::Event(_) if !turn.continues() => {
                let right = format!(
                    "run {} continues the session: an internal turn causes no reset",
                    start.run
                );
                sink.fail(forgot(turn, start), right);
            }
            Role::Internal | Role::Event(_) if turn.due.is_certain() => sink.witness(),
            Role::Chat(_) => self.judge_message(turn, start, facts, sink),
            _ => (),
        }
    }

    /// A reset that is due, and would not be if the internal turn had counted.
    fn judge_message(&self, turn: &Turn, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let neutral = facts.dials.reset_anchor == ResetAnchor::StartAndLastInteraction;
        let Some(&stirred) = self.stirred.get(&start.session_key).filter(|_| neutral) else {
            return;
        };
        let counted = Anchors::all((stirred, turn.before.written_to.max(stirred)));
        let postponed = Due::at(turn.policy, facts.calendar.as_ref(), counted, turn.now);
        if !turn.due.is_certain() || postponed.is_certain() {
            return;
        }
        if turn.continues() {
            let right = format!(
                "run {} starts fresh: its reset is due, and the internal turn at {stirred} did not postpone it",
                start.run
            );
            sink.fail(forgot(turn, start), right);
        } else {
            sink.witness();
        }
    }
}
