//! How many children are at work at a time: what is accepted beyond that waits.

use moorline_spec::id::SessionKey;
use moorline_spec::profile::{AcpLimits, ConcurrencyOf};

use super::decisions::{Pool, Runtime};
use super::state::{Progress, Run, Turn};
use super::{Reference, keys};

impl Reference {
    /// Whether a run may begin now. Only children wait for each other.
    pub(super) fn may_begin(&self, number: u64) -> bool {
        let run = self.state.runs.get(&number);
        let Some(run) = run.filter(|run| self.is_limited(run)) else {
            return true;
        };
        let requester = self.requester_of(run);
        // A refused start that waits for another attempt keeps its place.
        let at_work = |run: &Run| run.state != Progress::Queued || run.starts > 0;
        let working =
            |other: &&Run| other.number != number && at_work(other) && self.is_limited(other);
        let (mut of_requester, mut of_all) = (0, 0);
        for other in self.state.runs.values().filter(working) {
            of_all += 1;
            of_requester += usize::from(self.requester_of(other) == requester);
        }
        let by_requester = self.dials.concurrency_of == ConcurrencyOf::Requester;
        let agent = requester.filter(|_| by_requester).and_then(keys::agent_of);
        self.decisions.may_work(&Pool {
            dial: self.dials.concurrency_of,
            of_requester,
            of_all,
            most: self.config.concurrent_children(agent.as_ref()) as usize,
        })
    }

    /// Whether a run is of a child that the limit holds for.
    fn is_limited(&self, run: &Run) -> bool {
        if !matches!(run.turn, Turn::Child { .. }) {
            return false;
        }
        let child = self.state.sessions.get(&run.key);
        let runtime = child.and_then(|session| session.child.as_ref());
        let acp = runtime.is_some_and(|child| child.runtime == Runtime::Acp);
        !acp || self.dials.acp_limits == AcpLimits::Held
    }

    fn requester_of(&self, run: &Run) -> Option<&SessionKey> {
        let debt = self.state.debts.get(&run.number);
        debt.map(|debt| &debt.requester)
    }

    /// The next run of a session waits until fewer are at work.
    pub(super) fn wait_for_room(&mut self, key: &SessionKey) {
        if !self.state.waiting.contains(key) {
            self.state.waiting.push_back(key.clone());
        }
    }

    /// A run of a child is over: those that waited for that begin, the first that came first.
    pub(super) fn make_room(&mut self) {
        for _ in 0..self.state.waiting.len() {
            if let Some(key) = self.state.waiting.pop_front() {
                self.pump(&key);
            }
        }
    }
}
