//! Children of children: an end waits for what is below it, whoever yields is woken once for all it
//! waits for, and where whoever asked is gone the next one above hears.

use moorline_spec::address::{Address, Origin};
use moorline_spec::id::{CallId, SessionKey, Text};
use moorline_spec::stimulus::Outcome;
use moorline_spec::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::decisions::{Audience, Handing, Next};
use super::journal::Dirty;
use super::of_nesting::{Ended, Requester, WhenBelow, Yielded};
use super::relay::words_of;
use super::state::{Debt, Owed, Progress, Said, Standing, Timer, Turn};
use super::tools::Caller;
use super::{Reference, keys};

/// What a debt has to do with others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Nesting {
    /// Who is above whoever asked, the nearest first.
    pub above: Vec<SessionKey>,
    /// When its run ended, where it waits since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Its run yielded: what it says when it was woken is its end.
    pub paused: bool,
    /// Its run said something as it yielded.
    pub spoke: bool,
    /// It waited as long as it may.
    pub overdue: bool,
    /// Its run yielded, and waited for these runs in vain: it has no end to tell of.
    pub in_vain: Vec<u64>,
}

impl Reference {
    /// A run may end its turn: it is woken once all it waits for has ended.
    pub(super) fn yield_call(&mut self, call: CallId, caller: &Caller, params: &Value) {
        let (Some(number), Some(key)) = (caller.run, &caller.key) else {
            return self.refuse(call, "No session context");
        };
        let at = caller.origin.as_ref().map(|origin| &origin.address);
        let is_pending = |debt: &&Debt| {
            debt.requester == *key
                && debt.is_expected()
                && debt.run != number
                && debt.call.is_none()
                // Of what is on its way to people it is told nothing.
                && !matches!(debt.state, Standing::Post(_))
                // What this very run was given, or took, it has heard.
                && debt.state != Standing::Steered(number)
                && debt.state != Standing::Turn(number)
        };
        let waits = |debt: &&Debt| {
            let heard = debt.audience != Audience::Origin;
            let own = debt.origin.as_ref().map(|origin| &origin.address) == at;
            heard && own && debt.incarnation == caller.incarnation && self.is_unheard(debt)
        };
        let pending: Vec<&Debt> = self.state.debts.values().filter(is_pending).collect();
        let waits: Vec<u64> = pending
            .iter()
            .copied()
            .filter(waits)
            .map(|debt| debt.run)
            .collect();
        if pending.is_empty() && self.decisions.of_nesting().refuses_idle_yield() {
            let why = "nothing is pending: no child works, and no reply is awaited";
            return self.refuse(call, why);
        }
        for &debt in &waits {
            self.take_back(debt);
        }
        if let Some(session) = self.state.sessions.get_mut(key) {
            for debt in waits {
                if !session.awaits.contains(&debt) {
                    session.awaits.push(debt);
                }
            }
            self.dirty(Dirty::Session(key.clone()));
        }
        if let Some(run) = self.state.runs.get_mut(&number) {
            run.yielded = true;
            self.dirty(Dirty::Run(number));
        }
        let message = params["message"].as_str().unwrap_or("Turn yielded.");
        self.answer(call, json!({"status": "yielded", "message": message}));
    }

    /// Whether nobody was told of a debt yet: a turn for it, if there is one, only waits.
    pub(super) fn is_unheard(&self, debt: &Debt) -> bool {
        match debt.state {
            Standing::Running | Standing::Below => true,
            Standing::Turn(run) => {
                let run = self.state.runs.get(&run);
                run.is_some_and(|run| run.state == Progress::Queued && run.starts == 0)
            }
            Standing::Steering(_) | Standing::Steered(_) | Standing::Post(_) => false,
        }
    }

    /// The turn that waits to tell of a debt does not, any more.
    pub(super) fn take_back(&mut self, number: u64) {
        let Some(debt) = self.state.debts.get_mut(&number) else {
            return;
        };
        let Standing::Turn(turn) = debt.state else {
            return;
        };
        debt.state = Standing::Below;
        self.dirty(Dirty::Debt(number));
        let Some(run) = self.state.runs.get_mut(&turn) else {
            return;
        };
        let Turn::Telling(debts) = &mut run.turn else {
            return;
        };
        debts.retain(|&other| other != number);
        let (left, key) = (debts.clone(), run.key.clone());
        self.dirty(Dirty::Run(turn));
        if left.is_empty() {
            self.state.runs.remove(&turn);
            if let Some(session) = self.state.sessions.get_mut(&key) {
                session.queue.retain(|&other| other != turn);
            }
        } else {
            let input = self.words_of_all(&left);
            if let Some(run) = self.state.runs.get_mut(&turn) {
                run.input = input;
            }
        }
    }

    fn words_of_all(&self, debts: &[u64]) -> Text {
        let debts = debts.iter().filter_map(|debt| self.state.debts.get(debt));
        let words: Vec<Text> = debts.map(words_of).collect();
        match words.as_slice() {
            [one] => one.clone(),
            _ => Text::from(words.join("\n")),
        }
    }

    /// A run is over, and its end is owed: it is handed on, or waits for what is below it.
    pub(super) fn hand_or_wait(&mut self, number: u64) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        let ended = Ended {
            well: debt.outcome == Outcome::Ok,
            reply: debt.what == Owed::Reply,
            open: !debt.nesting.overdue && self.is_open_below(&debt.child),
        };
        match self.decisions.of_nesting().when_below(&ended) {
            WhenBelow::Hand => self.hand(number),
            WhenBelow::Wait => self.wait_at_most(number),
            WhenBelow::Forget => self.settle(number),
        }
    }

    /// A child ended its turn to wait: what it says in the turn that wakes it is its end.
    pub(super) fn child_paused(&mut self, number: u64, text: &str) {
        if let Some(debt) = self.state.debts.get_mut(&number) {
            debt.nesting.paused = true;
            debt.nesting.spoke = !keys::is_silent(text);
        }
        self.child_ended(number, Outcome::Ok, Text::default());
    }

    /// Whether a session still waits for what it asked for.
    pub(super) fn is_open_below(&self, key: &SessionKey) -> bool {
        self.open_below(key).next().is_some()
    }

    fn open_below(&self, key: &SessionKey) -> impl Iterator<Item = &Debt> {
        let awaited = |debt: &Debt| {
            let session = self.state.session(key);
            session.is_some_and(|session| session.awaits.contains(&debt.run))
        };
        let debts = self.state.debts.values();
        debts.filter(move |debt| {
            debt.requester == *key
                && debt.is_expected()
                && (debt.what != Owed::Reply || awaited(debt))
        })
    }

    /// Whether a debt still waits for what is below it.
    fn is_open(&self, number: u64) -> bool {
        let Some(debt) = self.state.debts.get(&number) else {
            return false;
        };
        let below = || {
            let waits = debt.outcome == Outcome::Ok && debt.what != Owed::Reply;
            waits && !debt.nesting.overdue && self.is_open_below(&debt.child)
        };
        debt.state == Standing::Running || debt.state == Standing::Below && below()
    }

    /// It waits, and not for ever.
    fn wait_at_most(&mut self, number: u64) {
        let window = self.dials.settle_window;
        let (Some(window), Some(debt)) = (
            self.decisions.of_nesting().waits_at_most(window),
            self.state.debts.get_mut(&number),
        ) else {
            return;
        };
        if debt.nesting.since.is_none() {
            debt.nesting.since = Some(self.now);
            self.journal.note(Dirty::Debt(number));
        }
        let at = debt.nesting.since.unwrap_or(self.now) + window;
        let timer = (at.max(self.now), Timer::Settle(number));
        self.state.timers.insert(timer);
    }

    /// It waited as long as it may.
    pub(super) fn waited_enough(&mut self, number: u64) {
        let waits = |debt: &&Debt| debt.state == Standing::Below && !debt.nesting.overdue;
        let Some(debt) = self.state.debts.get(&number).filter(waits) else {
            return;
        };
        let below = self.open_below(&debt.child).map(|below| below.run);
        let in_vain = below.filter(|_| debt.nesting.paused).collect();
        if let Some(debt) = self.state.debts.get_mut(&number) {
            debt.nesting.overdue = true;
            debt.nesting.in_vain = in_vain;
        }
        self.dirty(Dirty::Debt(number));
        match self.decisions.of_nesting().after_waiting() {
            Next::Turn | Next::Origin => self.hand(number),
            Next::Fail => self.fail_debt(number, "it waited too long for its own children"),
            Next::Forget => self.settle(number),
        }
    }

    /// Whether whoever asked yielded to wait for this, among others.
    pub(super) fn is_awaited(&self, debt: &Debt) -> bool {
        let session = self.state.session(&debt.requester);
        session.is_some_and(|session| {
            session.incarnation == debt.incarnation && session.awaits.contains(&debt.run)
        })
    }

    /// Whether whoever asked yielded, and hears of this with all it waits for: now, where this was
    /// the last, or later.
    pub(super) fn waits_for_more(&mut self, number: u64) -> bool {
        let Some(debt) = self.state.debts.get(&number) else {
            return false;
        };
        if !self.is_awaited(debt) {
            return false;
        }
        let (key, overdue) = (debt.requester.clone(), debt.nesting.overdue);
        let together = self.awaited_with(&key, number);
        let yielded = Yielded {
            open: together.iter().any(|&debt| self.is_open(debt)),
            overdue,
        };
        if self.decisions.of_nesting().wakes(&yielded) {
            self.wake(&key, &together);
        } else {
            self.wait_at_most(number);
        }
        true
    }

    fn awaits(&self, key: &SessionKey) -> Vec<u64> {
        let session = self.state.session(key);
        session.map_or(Vec::new(), |session| session.awaits.clone())
    }

    /// What a session waits for together with a debt: what was asked for from the same conversation.
    fn awaited_with(&self, key: &SessionKey, number: u64) -> Vec<u64> {
        let asked_at = |number: &u64| {
            let debt = self.state.debts.get(number);
            debt.and_then(|debt| debt.origin.as_ref().map(|origin| &origin.address))
        };
        let apart = self.decisions.of_nesting().wakes_apart();
        let mut awaits = self.awaits(key);
        awaits.retain(|other| !apart || asked_at(other) == asked_at(&number));
        awaits
    }

    /// One turn tells a session of all that it waited for together and that has ended.
    fn wake(&mut self, key: &SessionKey, together: &[u64]) {
        let (ready, left): (Vec<u64>, Vec<u64>) = self.awaits(key).into_iter().partition(|debt| {
            let ended = |debt: &Debt| debt.state == Standing::Below;
            together.contains(debt)
                && self.state.debts.get(debt).is_some_and(ended)
                && !self.is_open(*debt)
        });
        let left = left.into_iter();
        let left = left.filter(|debt| self.state.debts.contains_key(debt));
        let left: Vec<u64> = left.collect();
        if let Some(session) = self.state.sessions.get_mut(key) {
            session.awaits = left;
            self.dirty(Dirty::Session(key.clone()));
        }
        self.tell_in_one_turn(key, &ready);
    }

    /// One turn of a session tells it of some ends.
    pub(super) fn tell_in_one_turn(&mut self, key: &SessionKey, ready: &[u64]) {
        let Some(first) = ready.first().and_then(|debt| self.state.debts.get(debt)) else {
            return;
        };
        let person = first
            .origin
            .as_ref()
            .and_then(|origin| origin.person.clone());
        let origin = self.relay_target(first).map(|address| Origin {
            address,
            person,
            requester: Some(key.clone()),
        });
        let input = self.words_of_all(ready);
        let run = self.new_run(key.clone(), Turn::Telling(ready.to_vec()), input, origin);
        for number in ready {
            if let Some(debt) = self.state.debts.get_mut(number) {
                debt.state = Standing::Turn(run.number);
                debt.turns += 1;
                self.dirty(Dirty::Debt(*number));
            }
        }
        self.enqueue(run);
        for &number in ready {
            self.handed(number, Handing::Queued);
        }
    }

    /// Something that a session waited for may be settled otherwise: it may have been the last.
    pub(super) fn wake_if_done(&mut self, key: &SessionKey) {
        let mut awaits = self.awaits(key);
        while let Some(&first) = awaits.first() {
            let together = self.awaited_with(key, first);
            awaits.retain(|other| *other != first && !together.contains(other));
            let yielded = Yielded {
                open: together.iter().any(|&debt| self.is_open(debt)),
                overdue: false,
            };
            if self.decisions.of_nesting().wakes(&yielded) {
                self.wake(key, &together);
            }
        }
    }

    /// A session began anew or is gone: nobody is woken there, and what was kept for that is
    /// handed on.
    pub(super) fn wakes_no_more(&mut self, key: &SessionKey) {
        let kept = match self.state.sessions.get_mut(key) {
            Some(session) => std::mem::take(&mut session.awaits),
            None => {
                let debts = self.state.debts.values();
                let of_it = debts.filter(|debt| debt.requester == *key);
                of_it.map(|debt| debt.run).collect()
            }
        };
        for number in kept {
            let debt = self.state.debts.get(&number);
            if debt.is_some_and(|debt| debt.state == Standing::Below) && !self.is_open(number) {
                self.hand(number);
            }
        }
    }

    /// Whoever is above a session, the nearest first.
    pub(super) fn all_above(&self, key: &SessionKey) -> Vec<SessionKey> {
        let parent = |key: &SessionKey| {
            let child = self.state.sessions.get(key)?.child.as_ref()?;
            Some(child.parent.clone())
        };
        std::iter::successors(parent(key), parent).collect()
    }

    /// Where whoever asked is gone, the next one above it that is there is owed instead.
    pub(super) fn inherit(&mut self, number: u64) -> bool {
        let Some(debt) = self.state.debts.get(&number) else {
            return false;
        };
        let session = self.state.session(&debt.requester);
        let asked = Requester {
            gone: session.is_none(),
            idle: session.is_some_and(|session| session.current.is_none()),
        };
        if debt.nesting.above.is_empty() || !self.decisions.of_nesting().passes_over(&asked) {
            return false;
        }
        let is_there = |key: &&SessionKey| self.state.session(key).is_some();
        let Some(index) = debt.nesting.above.iter().position(|key| is_there(&key)) else {
            return false;
        };
        let heir = debt.nesting.above[index].clone();
        let incarnation = self.state.session(&heir).map(|heir| heir.incarnation);
        if let Some(debt) = self.state.debts.get_mut(&number) {
            debt.nesting.above.drain(..=index);
            debt.requester = heir;
            debt.incarnation = incarnation.unwrap_or_default();
            self.dirty(Dirty::Debt(number));
        }
        true
    }

    /// Whether any of some debts is the end of a child.
    pub(super) fn tell_of_children(&self, debts: &[u64]) -> bool {
        let mut debts = debts.iter().filter_map(|debt| self.state.debts.get(debt));
        debts.any(|debt| matches!(debt.what, Owed::Child(_)))
    }

    /// What a child says in a turn in which it heard of its own children is part of its end, where
    /// nobody was told of that yet.
    /// Where it stands there too, what is told of it there has been said.
    pub(super) fn add_to_waiting(
        &mut self,
        key: &SessionKey,
        text: &str,
        posted: Option<(Address, u64)>,
    ) {
        let waits = |debt: &&Debt| debt.child == *key && debt.state == Standing::Below;
        let waiting = self.state.debts.values().find(waits);
        let waiting = waiting.map(|debt| debt.run);
        if let Some(number) = waiting
            && let Some(debt) = self.state.debts.get_mut(&number)
            && !keys::is_silent(text)
        {
            let before = debt.text.len();
            debt.text = match debt.text.as_str() {
                "" => Text::from(text),
                before => Text::from(format!("{before}\n{text}")),
            };
            let length = debt.text.len();
            debt.said = match (debt.said.take(), posted) {
                (None, Some((to, post))) if before == 0 => Some(Said { to, post, length }),
                (Some(said), Some((to, post))) if said.to == to && said.length == before => {
                    Some(Said { to, post, length })
                }
                (said, _) => said,
            };
            self.dirty(Dirty::Debt(number));
        }
    }

    /// Whether what a turn says is part of an end that waits: it is told with that, and not by
    /// itself.
    pub(super) fn says_for_waiting(&self, key: &SessionKey) -> bool {
        let mut debts = self.state.debts.values();
        debts.any(|debt| debt.child == *key && debt.state == Standing::Below && debt.is_expected())
    }
}
