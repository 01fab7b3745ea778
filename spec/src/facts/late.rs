//! Replies that came after whoever sent the text had stopped waiting: they are still owed to it.

use super::{Facts, Origins, Role, RunState};
use crate::address::Address;
use crate::id::{CallId, Marker, RunId, SessionKey};
use crate::stimulus::Outcome;
use crate::time::Time;

/// What becomes of a text that nobody waits for any more.
#[derive(Clone, Debug)]
pub struct Late {
    /// The run that was given the text.
    pub run: RunId,
    /// The session that sent it.
    pub requester: SessionKey,
    /// Where that answers to.
    pub origins: Origins,
    /// How the run ended.
    pub outcome: Outcome,
    /// The markers by which it is told: those of the reply, and those of the text.
    pub words: Vec<Marker>,
    /// The entry of its end, and when.
    pub ended: (usize, Time),
    /// The turns of the sender that were given it.
    pub turns: Vec<RunId>,
    /// Whether the sender was told, or its failure made visible.
    pub settled: bool,
}

impl Facts {
    /// A run that a text was sent to is over: where its call was answered before, the reply is
    /// late.
    pub(super) fn owe_late(&mut self, id: &RunId, call_id: &CallId) {
        let (Some(run), Some(call)) = (self.runs.get(id), self.calls.get(call_id)) else {
            return;
        };
        let waits_no_more = matches!(call.status(), Some("timeout" | "accepted"));
        let outcome = match run.state {
            RunState::Ended(_) if run.cancelled => Outcome::Killed,
            RunState::Ended(outcome) => outcome,
            RunState::Lost => Outcome::Lost,
            RunState::Asked | RunState::Running | RunState::Refused => return,
        };
        let silent = outcome == Outcome::Ok && run.words.is_empty();
        let Some(requester) = call.session.clone().filter(|_| waits_no_more && !silent) else {
            return;
        };
        if call.method != "sessions_send" || self.late.contains_key(call_id) {
            return;
        }
        let ok = outcome == Outcome::Ok;
        // Whoever tells of it quotes the reply, or the text that it replies to.
        let mut words = Vec::new();
        if ok {
            words.clone_from(&run.words);
        }
        words.extend(call.own.iter().cloned());
        let late = Late {
            run: id.clone(),
            requester,
            origins: call.origins.clone(),
            outcome,
            words,
            ended: (self.index, self.now),
            turns: Vec::new(),
            settled: false,
        };
        self.late.insert(call_id.clone(), late);
        self.owed += 1;
    }

    /// A call was answered: what it waited for may be over already.
    pub(super) fn on_send_answered(&mut self, id: &CallId) {
        let run = self.calls.get(id).and_then(|call| call.run.clone());
        let Some(run) = run else {
            return;
        };
        if self
            .runs
            .get(&run)
            .is_some_and(|run| run.role == Role::Sent(id.clone()))
        {
            self.owe_late(&run, id);
        }
    }

    /// A turn of a session was given texts: at its start, or by steering.
    pub(super) fn note_late_given(&mut self, turn: &RunId, markers: &[Marker]) {
        if self.late.is_empty() {
            return;
        }
        let Some(key) = self.runs.get(turn).map(|run| run.key.clone()) else {
            return;
        };
        for late in self.late.values_mut() {
            let given = late.requester == key && markers.iter().any(|m| late.words.contains(m));
            if given && !late.settled && !late.turns.contains(turn) {
                late.turns.push(turn.clone());
            }
        }
    }

    pub(super) fn settle_late(&mut self, is_it: impl Fn(&Late) -> bool) {
        for late in self.late.values_mut() {
            if !late.settled && is_it(late) {
                late.settled = true;
                self.owed -= 1;
            }
        }
    }

    pub(super) fn on_late_posted(&mut self, at: &Address, markers: &[Marker]) {
        if !self.late.is_empty() {
            self.settle_late(|late| {
                late.origins.contains(at) && markers.iter().any(|m| late.words.contains(m))
            });
        }
    }

    /// A session was deleted: nobody is left to be told.
    pub(super) fn excuse_late(&mut self, key: &str) {
        if !self.late.is_empty() {
            self.settle_late(|late| late.requester.as_str() == key);
        }
    }
}
