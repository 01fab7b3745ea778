//! Messages that wait while their conversation comes to belong to another session.

use moorline_spec::address::Address;
use moorline_spec::id::SessionKey;
use moorline_spec::profile::Reroute;
use moorline_spec::stimulus::Outcome;

use super::Reference;
use super::journal::Dirty;
use super::state::{Progress, Run, Turn};

impl Reference {
    /// A conversation is bound, bound to another session or bound no more. What waits moves at once,
    /// where it moves at all: what is written next comes after it.
    pub(super) fn changed_hands(&mut self, at: &Address) {
        if self.state.waiting_at.is_empty() || !self.decisions.of_bindings().moves_at_once() {
            return;
        }
        for number in self.state.waiting_at.from(at, &self.state.runs) {
            self.follow(number);
        }
    }

    /// Other agents are configured for conversations.
    pub(super) fn routes_changed(&mut self) {
        let waits = |run: &&Run| run.state == Progress::Queued;
        let runs = self.state.runs.values().filter(waits);
        let waiting: Vec<u64> = runs.map(|run| run.number).collect();
        for number in waiting {
            self.follow(number);
        }
    }

    /// A message that waits moves to the session that its conversation belongs to, where the profile
    /// says so.
    pub(super) fn follow(&mut self, number: u64) {
        if self.reroutes() == Reroute::AtTurn
            && !self.is_joining(number)
            && let Some(key) = self.elsewhere(number)
        {
            self.move_to(number, &key);
        }
    }

    /// Whether a message whose turn has come is not for its session any more. It has gone to the
    /// right one, or its author is told that it was in vain.
    pub(super) fn goes_elsewhere(&mut self, number: u64) -> bool {
        let reroute = self.reroutes();
        let moved = reroute == Reroute::AtTurn && self.decisions.of_bindings().moves_at_once();
        let run = self.state.runs.get(&number);
        let waited = run.is_some_and(|run| run.at < self.now);
        if moved || reroute == Reroute::AtArrival || !waited {
            return false;
        }
        let Some(key) = self.elsewhere(number) else {
            return false;
        };
        let old = self.state.runs.get(&number).map(|run| run.key.clone());
        if let Some(session) = old.and_then(|old| self.state.sessions.get_mut(&old)) {
            session.current = None;
        }
        match reroute {
            Reroute::AtTurn => self.move_to(number, &key),
            Reroute::AtArrival | Reroute::FailsWithNotice => {
                if let Some(run) = self.leave_queue(number) {
                    let why = "its conversation was bound otherwise while it waited";
                    self.refuse_message(&run, why);
                }
            }
        }
        true
    }

    /// What waited for a session that never came to be goes to whoever its conversation belongs to.
    pub(super) fn lost_its_session(&mut self, number: u64) {
        match self.elsewhere(number) {
            Some(key) if self.reroutes() != Reroute::FailsWithNotice => self.move_to(number, &key),
            Some(_) => {
                if let Some(run) = self.leave_queue(number) {
                    self.refuse_message(&run, "the session it waited for never came to be");
                }
            }
            None => self.cancel_queued(number, Outcome::Killed),
        }
    }

    fn reroutes(&self) -> Reroute {
        self.decisions.of_bindings().reroutes(self.dials.reroute)
    }

    /// The session that the conversation of a message belongs to, where that is not the one it waits
    /// for. What somebody was at already stays there, and so does `/new`: it was said to the session
    /// that it reached.
    pub(super) fn elsewhere(&self, number: u64) -> Option<SessionKey> {
        let run = self.state.runs.get(&number)?;
        let (Turn::Message(message), Some(origin)) = (&run.turn, &run.origin) else {
            return None;
        };
        let at_work = run.state != Progress::Queued || run.starts > 0 || run.resumes.is_some();
        if at_work || message.resets {
            return None;
        }
        let bound = self.number_at(&origin.address);
        let bound = bound.and_then(|number| self.state.bindings.get(&number));
        let person = origin.person.clone().unwrap_or_default();
        let own = || self.session_of_place(&origin.address, message.kind, &person);
        let key = self
            .decisions
            .routes_to(bound.map(|binding| &binding.key), &own);
        (key != run.key).then_some(key)
    }

    /// A message waits for another session, behind whatever came before it.
    fn move_to(&mut self, number: u64, key: &SessionKey) {
        let Some(run) = self.state.runs.get_mut(&number) else {
            return;
        };
        let old = std::mem::replace(&mut run.key, key.clone());
        let heard_at = run.origin.as_ref().map(|origin| origin.address.clone());
        self.dirty(Dirty::Run(number));
        if let Some(session) = self.state.sessions.get_mut(&old) {
            session.queue.retain(|&other| other != number);
        }
        self.open_session(key);
        if let Some(session) = self.state.sessions.get_mut(key) {
            session.heard_at = heard_at;
            let later = session.queue.iter().position(|&other| number < other);
            let place = later.unwrap_or(session.queue.len());
            session.queue.insert(place, number);
        }
        self.pump(key);
        self.steer_first(key);
    }
}
