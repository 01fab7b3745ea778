//! What is stopped is stopped with everything below it, and nothing that it said is told after.

use std::collections::BTreeSet;

use moorline_spec::id::SessionKey;
use moorline_spec::stimulus::{Inbound, Outcome};

use super::Reference;
use super::decisions::Audience;
use super::journal::Dirty;
use super::of_nesting::Beneath;
use super::state::{Debt, Owed, Standing};

impl Reference {
    /// Stops the run of a session and everything that it asked for, at any depth. Its own run first:
    /// it keeps its place until it has ended, so that what its children leave behind waits for that.
    /// Where it `hears` of nothing any more, that is because somebody above or a person stopped it.
    pub(super) fn stop_session(&mut self, key: &SessionKey, hears: bool, outcome: Outcome) {
        let session = self.state.sessions.get(key);
        if let Some(number) = session.and_then(|session| session.current) {
            self.cancel(number, outcome);
        }
        self.cancel_waiting_child(key, outcome);
        self.stop_below(key, hears, outcome);
    }

    /// Stops everything below a session.
    pub(super) fn stop_below(&mut self, root: &SessionKey, hears: bool, outcome: Outcome) {
        let below = self.stopped_with(root);
        let mut stopped: BTreeSet<SessionKey> = below.iter().cloned().collect();
        if !hears {
            stopped.insert(root.clone());
        }
        for key in below.iter().chain([root]) {
            self.awaits_nothing(key);
        }
        // Whoever is stopped hears of nothing that it asked for.
        let moot = self.debts_where(|debt| {
            stopped.contains(&debt.requester) && matches!(debt.what, Owed::Child(_))
        });
        for number in &moot {
            if let Some(debt) = self.state.debts.get_mut(number) {
                debt.audience = Audience::Nobody;
                self.dirty(Dirty::Debt(*number));
            }
        }
        stopped.insert(root.clone());
        let ended = self.take_what_ended(&stopped);
        if self.decisions.of_nesting().stop_takes_what_begins() {
            for opening in self.state.openings.values_mut() {
                opening.stopped |= stopped.contains(&opening.spawn.requester);
            }
        }
        for number in moot {
            self.settle_unheard(number);
        }
        for child in &below {
            self.stop_runs(child, outcome);
        }
        for number in ended {
            let debt = self.state.debts.get(&number);
            if debt.is_some_and(|debt| debt.state == Standing::Below) {
                self.hand(number);
            }
        }
    }

    fn awaits_nothing(&mut self, key: &SessionKey) {
        if let Some(session) = self.state.sessions.get_mut(key)
            && !session.awaits.is_empty()
        {
            session.awaits.clear();
            self.dirty(Dirty::Session(key.clone()));
        }
    }

    /// The sessions below one that a stop reaches, the older before the newer.
    fn stopped_with(&self, root: &SessionKey) -> Vec<SessionKey> {
        let children = self.state.sessions.values().filter_map(|session| {
            let child = session.child.as_ref()?;
            let above = self.all_above(&session.key);
            let between = above.iter().position(|key| key == root)?;
            Some((child.number, between, session.key.clone()))
        });
        let mut children: Vec<_> = children.collect();
        children.sort();
        let reaches = |between| {
            self.decisions
                .of_nesting()
                .stop_reaches(&Beneath { between })
        };
        let children = children.into_iter();
        children
            .filter(|(_, between, _)| reaches(*between))
            .map(|(_, _, key)| key)
            .collect()
    }

    fn debts_where(&self, is_it: impl Fn(&Debt) -> bool) -> Vec<u64> {
        let debts = self.state.debts.values().filter(|debt| is_it(debt));
        debts.map(|debt| debt.run).collect()
    }

    /// Ends of runs that nobody was told of yet are those of killed ones.
    fn take_what_ended(&mut self, stopped: &BTreeSet<SessionKey>) -> Vec<u64> {
        if !self.decisions.of_nesting().stop_takes_what_ended() {
            return Vec::new();
        }
        let ended = self.debts_where(|debt| {
            stopped.contains(&debt.child)
                && matches!(debt.what, Owed::Child(_))
                && debt.state != Standing::Running
                && self.is_unheard(debt)
        });
        for &number in &ended {
            self.take_back(number);
            if let Some(debt) = self.state.debts.get_mut(&number) {
                debt.outcome = Outcome::Killed;
                debt.text = "".into();
                debt.said = None;
                self.dirty(Dirty::Debt(number));
            }
        }
        ended
    }

    /// Nobody hears of it: whatever was on its way to that comes to nothing.
    fn settle_unheard(&mut self, number: u64) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        match debt.state {
            Standing::Running => (),
            _ if self.is_unheard(debt) => {
                self.take_back(number);
                self.settle(number);
            }
            // A turn that was told is stopped with its session.
            Standing::Turn(_) | Standing::Steered(_) => self.settle(number),
            Standing::Below | Standing::Steering(_) | Standing::Post(_) => (),
        }
    }

    /// Stops the run of a session, and what waits behind it.
    fn stop_runs(&mut self, key: &SessionKey, outcome: Outcome) {
        let Some(session) = self.state.sessions.get(key) else {
            return;
        };
        let waiting: Vec<u64> = session.queue.iter().copied().collect();
        if let Some(number) = session.current {
            self.cancel(number, outcome);
        }
        for number in waiting {
            self.cancel_queued(number, outcome);
        }
    }

    /// `/stop`: whoever writes here stops what goes on here, with all below it.
    pub(super) fn stop_command(&mut self, inbound: &Inbound) -> String {
        let bound = self.number_at(&inbound.at);
        let bound = bound.and_then(|number| self.state.bindings.get(&number));
        let follows = self.decisions.of_nesting().stops_what_is_bound();
        let key = match bound {
            Some(binding) if follows => binding.key.clone(),
            Some(_) | None => self.own_session(inbound),
        };
        if self.state.session(&key).is_none() {
            return "⚙️ Nothing runs here.".to_owned();
        }
        let below = self.stopped_with(&key).into_iter();
        let runs = |key: &SessionKey| {
            let session = self.state.session(key);
            session.is_some_and(|session| session.current.is_some())
        };
        let count = below.filter(runs).count();
        self.stop_session(&key, false, Outcome::Killed);
        match count {
            0 => "⚙️ Stopped.".to_owned(),
            count => format!("⚙️ Stopped, with {count} below it."),
        }
    }
}
