//! What is settled and long past is forgotten, so that a log of any length is judged in memory that
//! follows what is live in it.

use rustc_hash::FxHashSet;

use super::{BornAs, DeliveryState, Facts};
use crate::id::{CallId, Marker};
use crate::time::Time;

impl Facts {
    /// Forgets what was last heard of before an entry, seen at a time, and concerns nothing that is
    /// still live: runs that are over and owe nothing, the calls and messages behind them,
    /// deliveries whose end is known, and the texts of all these. Sessions stay, for somebody may
    /// continue them. A text that comes back after it was forgotten is judged by no rule.
    pub fn forget(&mut self, before: usize, at: Time) {
        let is_old = |entry: usize| entry < before;
        self.completions
            .retain(|_, owed| owed.settled.is_none() || !is_old(owed.ended.0));
        self.replies
            .retain(|_, owed| owed.settled.is_none() || !is_old(owed.since.0));
        self.deliveries.retain(|_, delivery| {
            delivery.state == DeliveryState::Pending || !is_old(delivery.asked.0)
        });
        self.bindings
            .retain(|binding| binding.ended.is_none_or(|(ended, _)| at <= ended));
        self.number_bindings();
        self.late
            .retain(|_, late| !late.settled || !is_old(late.ended.0));
        self.forget_runs(before);
        self.forget_calls(before);
        let (runs, untaken) = (&self.runs, &self.untaken);
        self.messages.retain(|marker, message| {
            let wants = message.wants_answer && !message.is_command();
            let waits = message.runs.is_empty() && wants && !message.dropped;
            let given = message.runs.iter().any(|run| runs.contains_key(run));
            waits || given || untaken.contains(marker) || !is_old(message.arrived.0)
        });
        let numbers: FxHashSet<usize> = self.messages.values().map(|m| m.number).collect();
        self.numbers.retain(|_, number| numbers.contains(number));
        self.forget_texts(before);
    }

    fn forget_runs(&mut self, before: usize) {
        let mut needed: FxHashSet<_> = self.completions.keys().collect();
        needed.extend(self.replies.keys());
        needed.extend(self.completions.values().flat_map(|owed| &owed.turns));
        needed.extend(self.late.values().flat_map(|late| &late.turns));
        let born = &self.born;
        let is_recent = |marker: &Marker| born.get(marker).is_some_and(|b| before <= b.entry);
        self.runs.retain(|id, run| {
            run.state.is_live()
                || before <= run.asked.0
                || run.words.iter().any(is_recent)
                || needed.contains(id)
        });
        let runs = &self.runs;
        self.tells.retain(|turn, _| runs.contains_key(turn));
        self.below.forget(|run| runs.contains_key(run));
        self.steers.retain(|_, steer| runs.contains_key(&steer.run));
        for session in self.sessions.values_mut() {
            session.runs.retain(|run| runs.contains_key(run));
        }
    }

    fn forget_calls(&mut self, before: usize) {
        let lives = self.lives;
        let mut needed: FxHashSet<&CallId> = self.completions.values().map(|c| &c.call).collect();
        needed.extend(self.bindings.iter().filter_map(|b| b.call.as_ref()));
        needed.extend(self.late.keys());
        let runs = &self.runs;
        self.calls.retain(|id, call| {
            let waits = call.waits_in(lives);
            let runs = call.run.as_ref().is_some_and(|run| runs.contains_key(run));
            let waits = waits || self.below.unbegun.contains(id);
            waits || runs || needed.contains(id) || before <= call.made.0
        });
    }

    fn forget_texts(&mut self, before: usize) {
        let (messages, calls, runs) = (&self.messages, &self.calls, &self.runs);
        self.born.retain(|marker, born| {
            let known = match &born.what {
                BornAs::Message { .. } => messages.contains_key(marker),
                BornAs::Parameter(call) => calls.contains_key(call),
                BornAs::Progress(run) | BornAs::LastWords(run) => runs.contains_key(run),
                BornAs::Internal => false,
            };
            known || before <= born.entry
        });
    }

    /// How many things are known, sessions and places apart.
    pub fn size(&self) -> usize {
        let owed = self.completions.len() + self.replies.len();
        let texts = self.born.len() + self.messages.len() + self.numbers.len();
        let acts = self.runs.len() + self.calls.len() + self.steers.len();
        let rest = self.deliveries.len() + self.tells.len() + self.bindings.len();
        owed + texts + acts + rest
    }
}
