//! Life of a session: opened, reset, deleted.

use moorline_spec::address::Place;
use moorline_spec::config::ResetPolicy;
use moorline_spec::effect::{CancelRun, Effect, UnboundBecause};
use moorline_spec::id::{CallId, RunId, SessionKey};
use moorline_spec::stimulus::Outcome;
use moorline_spec::time::{Span, Time};
use serde_json::json;

use super::decisions::{Ages, Anew};
use super::journal::Dirty;
use super::state::{Progress, Session, Standing, Turn};
use super::{Reference, keys};

/// The shortest time between two turns of the same hour, on the day that loses one.
const DAY_MIN: Span = Span::hours(22);

impl Reference {
    /// The session of that key, new where there is none.
    pub(super) fn open_session(&mut self, key: &SessionKey) {
        self.take_if_old(key);
        if self.state.session(key).is_some() {
            return;
        }
        let next = self.next_id();
        let now = self.now;
        if let Some(ghost) = self.state.sessions.get_mut(key) {
            ghost.ghost = false;
        } else {
            let agent = keys::agent_of(key).unwrap_or_else(|| self.default_agent());
            let mut session = Session::new(key.clone(), agent, next, now);
            session.kind = self
                .naming
                .read(key.as_str())
                .map_or(Place::Direct, |key| key.place());
            self.state.sessions.insert(key.clone(), session);
        }
        self.dirty(Dirty::Session(key.clone()));
        self.maintain(Some(key));
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.state.ids_made += 1;
        self.state.ids_made
    }

    /// Whether a person's message that arrived at `at` finds the session too old.
    pub(super) fn is_stale(&mut self, key: &SessionKey, at: Time) -> bool {
        let Some(session) = self.state.sessions.get(key) else {
            return false;
        };
        let channel = session.route.as_ref().map(|route| &route.channel);
        let unknown = "".into();
        let policy =
            self.config
                .reset_policy(channel.unwrap_or(&unknown), session.kind, &self.dials);
        if policy == ResetPolicy::default() {
            return false;
        }
        let (started_at, interacted_at, written_at) = (
            session.started_at,
            session.interacted_at,
            session.written_at,
        );
        let boundary = policy.daily_at.map(|hour| self.boundary_before(at, hour));
        self.decisions.reset_due(&Ages {
            policy,
            anchor: self.dials.reset_anchor,
            started_at,
            interacted_at,
            written_at,
            at,
            boundary,
        })
    }

    /// The calendar is asked once a day.
    fn boundary_before(&mut self, at: Time, hour: u8) -> i64 {
        let now = i64::try_from(at.0).unwrap_or(i64::MAX);
        if let Some((known, boundary)) = self.boundary
            && known == hour
            && boundary <= now
            && now.saturating_sub(boundary) < DAY_MIN.0.cast_signed()
        {
            return boundary;
        }
        let Some(calendar) = &self.calendar else {
            return i64::MIN;
        };
        let boundary = self.decisions.boundary(calendar, at, hour);
        self.boundary = Some((hour, boundary));
        boundary
    }

    /// Forgets what was before. Key, label, route and binding stay.
    pub(super) fn rotate(&mut self, key: &SessionKey, why: Anew) {
        let next = self.next_id();
        let keeps_id = self.dials.reset_keeps_id;
        let Some(session) = self.state.sessions.get_mut(key) else {
            return;
        };
        session.incarnation = next;
        session.lines.clear();
        session.id = self.decisions.id_after_reset(keeps_id, session.id, next);
        session.fresh |= self.decisions.forgets(why);
        session.started_at = self.decisions.begins_at(session.started_at, self.now);
        session.interacted_at = self.now;
        session.written_at = self.now;
        if !self.decisions.keeps_label(why) {
            session.label = None;
        }
        self.dirty(Dirty::Session(key.clone()));
    }

    pub(super) fn reset_call(&mut self, call: CallId, key: &SessionKey) {
        if self.state.session(key).is_none() {
            return self.refuse(call, format!("Unknown session: {key}"));
        }
        let untold = self.drop_stale(key);
        self.rotate(key, Anew::Asked);
        if self.decisions.stop_takes_what_waits() {
            self.forget_waiting(key);
        }
        self.stop_session(key, true, Outcome::Killed);
        self.hand_again(&untold);
        self.wakes_no_more(key);
        self.unbind_session(key, UnboundBecause::Reset);
        self.answer(call, json!({"ok": true, "status": "ok", "key": key}));
    }

    pub(super) fn delete_call(&mut self, call: CallId, key: &SessionKey) {
        if self.state.session(key).is_none() {
            return self.refuse(call, format!("Unknown session: {key}"));
        }
        let session = self.state.sessions.get(key);
        if let Some(number) = session.and_then(|session| session.current) {
            self.cancel(number, Outcome::Killed);
        }
        self.cancel_waiting_child(key, Outcome::Killed);
        self.unbind_session(key, UnboundBecause::Deleted);
        let untold = self.drop_stale(key);
        self.delete_session(key);
        self.answer(
            call,
            json!({"ok": true, "status": "ok", "deleted": true, "key": key}),
        );
        self.stop_below(key, true, Outcome::Killed);
        self.hand_again(&untold);
        self.wakes_no_more(key);
    }

    /// Turns that waited for a session, and are not meant for what comes after it, are gone. Returns
    /// what they were to tell: somebody is still to hear it.
    fn drop_stale(&mut self, key: &SessionKey) -> Vec<u64> {
        let Some(session) = self.state.sessions.get(key) else {
            return Vec::new();
        };
        let runs = &self.state.runs;
        let is_stale = |number: &u64| {
            let run = runs.get(number);
            run.is_some_and(|run| !self.decisions.outlives_reset(run.turn.path()))
        };
        let stale: Vec<u64> = session.queue.iter().copied().filter(is_stale).collect();
        let mut untold = Vec::new();
        for number in stale {
            if let Some(session) = self.state.sessions.get_mut(key) {
                session.queue.retain(|&other| other != number);
            }
            let run = self.state.runs.remove(&number);
            if let Some(Turn::Telling(debts)) = run.as_deref().map(|run| &run.turn) {
                untold.extend(debts);
            }
            self.dirty(Dirty::Run(number));
        }
        self.owe_again(&untold);
        untold
    }

    /// What a turn was to tell that came to nothing is owed again.
    pub(super) fn owe_again(&mut self, debts: &[u64]) {
        for &number in debts {
            if let Some(debt) = self.state.debts.get_mut(&number) {
                debt.state = Standing::Below;
                self.dirty(Dirty::Debt(number));
            }
        }
    }

    /// What is owed again, and was not stopped since, is handed on.
    pub(super) fn hand_again(&mut self, debts: &[u64]) {
        for &number in debts {
            let debt = self.state.debts.get(&number);
            if debt.is_some_and(|debt| debt.state == Standing::Below) {
                self.hand(number);
            }
        }
    }

    /// Removes a session. One whose run has not ended yet stays as a ghost until then, or what that
    /// run says last would be remembered under the key's next life.
    pub(super) fn delete_session(&mut self, key: &SessionKey) {
        let next = self.next_id();
        let now = self.now;
        let Some(session) = self.state.sessions.get_mut(key) else {
            return;
        };
        if session.current.is_some() || !session.queue.is_empty() {
            let mut ghost = Session::new(key.clone(), session.agent.clone(), next, now);
            ghost.current = session.current;
            ghost.queue = std::mem::take(&mut session.queue);
            ghost.ghost = ghost.queue.is_empty();
            *session = ghost;
        } else {
            self.state.sessions.remove(key);
        }
        self.dirty(Dirty::Session(key.clone()));
    }

    /// A child that waits until fewer are at work will not be at work.
    pub(super) fn cancel_waiting_child(&mut self, key: &SessionKey, outcome: Outcome) {
        let session = self.state.sessions.get(key);
        let mut queued = session
            .into_iter()
            .flat_map(|session| session.queue.iter().copied());
        let is_child = |number: &u64| {
            let run = self.state.runs.get(number);
            run.is_some_and(|run| matches!(run.turn, Turn::Child { .. }))
        };
        if let Some(number) = queued.find(is_child) {
            self.cancel_queued(number, outcome);
        }
    }

    /// Cancels a run. Whoever waits is told when it has ended; what it says until then is not heard.
    pub(super) fn cancel(&mut self, number: u64, outcome: Outcome) {
        let Some(run) = self.state.runs.get_mut(&number) else {
            return;
        };
        match run.state {
            Progress::Cancelled(_) => return,
            // It waits for another attempt to start it.
            Progress::Queued => return self.end(number, outcome, "".into()),
            Progress::Starting | Progress::Running => run.state = Progress::Cancelled(outcome),
        }
        self.dirty(Dirty::Run(number));
        let run: RunId = keys::run_id(number);
        self.out.push(Effect::CancelRun(CancelRun { run }));
    }

    /// What waits for a session is gone as if it had never come: never right.
    fn forget_waiting(&mut self, key: &SessionKey) {
        let waiting = self.state.sessions.get_mut(key);
        for number in waiting
            .map(|s| std::mem::take(&mut s.queue))
            .unwrap_or_default()
        {
            self.state.runs.remove(&number);
            self.dirty(Dirty::Run(number));
        }
    }

    pub(super) fn cancel_queued(&mut self, number: u64, outcome: Outcome) {
        let Some(run) = self.state.runs.remove(&number) else {
            return;
        };
        if let Some(session) = self.state.sessions.get_mut(&run.key) {
            session.queue.retain(|&other| other != number);
        }
        self.dirty(Dirty::Run(number));
        self.conclude(&run, outcome, "".into());
    }

    /// A run took longer than whoever asked for it allowed.
    pub(super) fn time_out(&mut self, number: u64) {
        if self.state.runs.contains_key(&number) {
            self.cancel(number, Outcome::Timeout);
        }
    }
}
