//! A life begins: afresh, or with what an earlier one wrote down.

use std::sync::Arc;

use moorline_spec::calendar::Calendar;
use moorline_spec::effect::{CancelRun, Effect};
use moorline_spec::key::Naming;
use moorline_spec::stimulus::{Open, Outcome};

use super::decisions::{Lost, Recovery};
use super::given_up::GivenUp;
use super::journal::{self, Dirty, Journal};
use super::state::{Progress, Run, Standing, State, Timer, Turn};
use super::{Reference, keys};

impl Reference {
    pub(super) fn on_open(&mut self, open: &Open) {
        self.out.clear();
        self.early.clear();
        self.journal = Journal::default();
        self.channels = open.channels.clone();
        self.agents = open.agents.clone();
        self.naming = Naming::of(&self.agents, self.channels.iter());
        self.main = keys::main_key(&self.default_agent());
        self.calendar = Calendar::new(&open.starts_at, &open.timezone).ok();
        self.boundary = None;
        self.opened_at = self.now;
        self.tick = self.now + self.dials.sweep_every;
        self.config = moorline_spec::config::Config::default();
        self.take_config(&open.config);
        if open.restored {
            let (state, untold) = journal::fold(&open.disk);
            self.state = state;
            if !self.decisions.claims_survive() {
                self.state.seen.clear();
                self.state.seen_order.clear();
            }
            self.state.life += 1;
            self.dirty(Dirty::Life);
            for failure in untold {
                self.tell_of_failure(failure);
            }
            self.recover(open);
        } else {
            self.state = State {
                life: 1,
                ..State::default()
            };
        }
    }

    /// Each thing that was in flight is resumed once, or ends where it can be seen.
    fn recover(&mut self, open: &Open) {
        self.migrate(open);
        let now = self.now;
        for binding in self.state.bindings.values_mut() {
            binding.times = self.decisions.of_bindings().restored(binding.times, now);
        }
        if !self.decisions.history_survives() {
            for key in self.state.sessions.keys().cloned().collect::<Vec<_>>() {
                if let Some(session) = self.state.sessions.get_mut(&key) {
                    session.lines.clear();
                }
            }
        }
        if !self.decisions.queue_survives() {
            let runs = &mut self.state.runs;
            runs.retain(|run| run.state != Progress::Queued);
        }
        let lives = |number: &u64| {
            let id = keys::run_id(*number);
            open.alive.contains(&id)
        };
        let runs: Vec<u64> = self.state.runs.keys().copied().collect();
        let (alive, mut dead): (Vec<u64>, Vec<u64>) = runs.iter().partition(|number| lives(number));
        let waits = |number: &u64| {
            let run = self.state.runs.get(number);
            run.is_some_and(|run| run.state == Progress::Queued)
        };
        dead.retain(|number| !waits(number));
        for &number in &runs {
            self.restore_place(number, alive.contains(&number));
        }
        self.stop_strangers(open);
        self.forget_steers(&alive);
        // What is posted from here on is this life's, and in no doubt.
        let posts: Vec<u64> = self.state.posts.keys().copied().collect();
        // What waits is in its place, and moves where its conversation is bound no more.
        self.end_disabled_bindings();
        self.reschedule_bindings();
        for number in dead {
            if self.decisions.of_bindings().notices_death() {
                self.recover_run(number);
            }
        }
        let debts: Vec<u64> = self.state.debts.keys().copied().collect();
        for number in debts {
            self.recover_debt(number);
        }
        for number in posts {
            self.recover_post(number);
        }
        let keys: Vec<_> = self
            .state
            .runs
            .values()
            .map(|run| run.key.clone())
            .collect();
        for key in keys {
            self.pump(&key);
        }
        self.reschedule_archives();
        if self.decisions.of_nesting().recovered_is_told() {
            self.settle_what_is_in_hand();
        }
    }

    /// Whatever a turn was asked for to tell of is taken for told: never right.
    fn settle_what_is_in_hand(&mut self) {
        let debts = self.state.debts.values();
        let in_hand = debts.filter(|debt| matches!(debt.state, Standing::Turn(_)));
        let in_hand: Vec<u64> = in_hand.map(|debt| debt.run).collect();
        for number in in_hand {
            self.settle(number);
        }
    }

    /// A run that goes on and that nothing is written of was undone before: it may not have been
    /// told to stop.
    fn stop_strangers(&mut self, open: &Open) {
        for run in &open.alive {
            let number = keys::run_number(run);
            let known = number.is_some_and(|number| self.state.runs.contains_key(&number));
            if !known {
                let run = run.clone();
                self.out.push(Effect::CancelRun(CancelRun { run }));
            }
        }
    }

    /// Puts a run back where it was in its session.
    fn restore_place(&mut self, number: u64, alive: bool) {
        let Some(run) = self.state.runs.get_mut(&number) else {
            return;
        };
        let key = run.key.clone();
        if run.state == Progress::Queued {
            self.open_session(&key);
            // A refused start that waited to be asked for again was at work already.
            let first = self
                .state
                .runs
                .get(&number)
                .is_some_and(|run| run.starts > 0);
            if let Some(session) = self.state.sessions.get_mut(&key) {
                if first || !self.decisions.of_nesting().order_survives() {
                    session.queue.push_front(number);
                } else {
                    session.queue.push_back(number);
                }
            }
            self.note_waiting(number);
            return;
        }
        // A dead run keeps its place too, until it is known what becomes of it.
        if alive && run.state == Progress::Starting {
            run.state = Progress::Running;
        }
        let cancelled = alive && matches!(run.state, Progress::Cancelled(_));
        let incarnation = run.incarnation;
        if alive && let Some(deadline) = run.deadline {
            let at = deadline.max(self.now);
            self.state.timers.insert((at, Timer::RunTimeout(number)));
        }
        if !self.state.sessions.contains_key(&key) {
            self.open_session(&key);
        }
        if let Some(session) = self.state.sessions.get_mut(&key) {
            session.current = Some(number);
            // It lives, so it started, and what was to be forgotten is.
            if alive && session.fresh && session.incarnation == incarnation {
                session.fresh = false;
                self.journal.note(Dirty::Session(key));
            }
        }
        if cancelled {
            let run = keys::run_id(number);
            self.out.push(Effect::CancelRun(CancelRun { run }));
        }
    }

    /// An answer to a steer died with the earlier life: what was steered is still owed.
    fn forget_steers(&mut self, alive: &[u64]) {
        let lost: Vec<u64> = self
            .state
            .debts
            .values()
            .filter(|debt| match debt.state {
                Standing::Steering(_) => true,
                Standing::Steered(run) => !alive.contains(&run),
                Standing::Running | Standing::Below | Standing::Turn(_) | Standing::Post(_) => {
                    false
                }
            })
            .map(|debt| debt.run)
            .collect();
        for number in lost {
            if let Some(debt) = self.state.debts.get_mut(&number) {
                debt.state = Standing::Below;
                self.dirty(Dirty::Debt(number));
            }
        }
    }

    fn recover_run(&mut self, number: u64) {
        let Some(run) = self.state.runs.get(&number) else {
            return;
        };
        let lost = match (&run.turn, run.state) {
            (_, Progress::Queued) => return,
            (
                Turn::Child {
                    accepted: false, ..
                },
                _,
            ) => Lost::Child { accepted: false },
            (_, Progress::Cancelled(outcome)) => return self.end(number, outcome, "".into()),
            (Turn::Message(_), _) => Lost::Message {
                resumed: run.resumes.is_some(),
            },
            (Turn::Child { accepted, .. }, _) => Lost::Child {
                accepted: *accepted,
            },
            (Turn::Telling(_), _) => Lost::Telling,
            (Turn::Sent, _) => Lost::Sent,
            (Turn::Internal(_) | Turn::Plugin { .. }, _) => Lost::Unasked,
        };
        match self.decisions.recover(&lost) {
            Recovery::Resume => self.resume(number),
            Recovery::EndLost => self.end(number, Outcome::Lost, "".into()),
            Recovery::Undo => self.undo_unanswered(number),
            Recovery::Forget => {
                self.forget(number);
                self.state.debts.remove(&number);
                self.dirty(Dirty::Debt(number));
            }
        }
    }

    /// Nobody can be answered that a child did not come to be, so it is reported.
    fn undo_unanswered(&mut self, number: u64) {
        let mut debt = self.state.debts.get(&number).cloned();
        let origin = debt.as_ref().and_then(|debt| debt.origin.as_ref());
        let address = origin.map(|origin| origin.address.clone());
        let why = "the gateway was restarted before it was accepted";
        self.report_failure(number, address, why);
        if let Some(debt) = &mut debt {
            debt.outcome = Outcome::Lost;
        }
        self.keep_given_up(GivenUp {
            run: number,
            session: None,
            debt,
            post: None,
        });
        self.undo_spawn(number, why);
    }

    /// The same turn once more, before anything that waits.
    fn resume(&mut self, number: u64) {
        let Some(run) = self.state.runs.remove(&number) else {
            return;
        };
        self.dirty(Dirty::Run(number));
        self.state.runs_made += 1;
        let next = self.state.runs_made;
        let key = run.key.clone();
        let again = Run {
            number: next,
            resumes: Some(number),
            steered: Vec::new(),
            ..Arc::unwrap_or_clone(run)
        };
        self.state.runs.insert(next, again);
        self.open_session(&key);
        if let Some(session) = self.state.sessions.get_mut(&key) {
            session.current = Some(next);
            // It is worked on now, whenever it was asked for.
            session.written_at = session.written_at.max(self.now);
        }
        self.dirty(Dirty::Session(key));
        self.start(next);
    }

    fn recover_debt(&mut self, number: u64) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        match debt.state {
            Standing::Running => {
                // An alive child whose spawn was never answered is no child of anybody.
                let run = self.state.runs.get(&number);
                if run.is_some_and(|run| run.turn.is_unaccepted()) {
                    let run = keys::run_id(number);
                    self.out.push(Effect::CancelRun(CancelRun { run }));
                    self.undo_unanswered(number);
                }
            }
            Standing::Below => {
                if self.decisions.of_nesting().ends_survive() {
                    self.hand_or_wait(number);
                }
            }
            Standing::Turn(_)
            | Standing::Steering(_)
            | Standing::Steered(_)
            | Standing::Post(_) => (),
        }
    }

    fn recover_post(&mut self, number: u64) {
        let Some(post) = self.state.posts.get_mut(&number) else {
            return;
        };
        if !self.decisions.of_relays().resumes_pieces() {
            (post.sent, post.piece) = (0, 0);
        }
        match (&post.delivery, post.retry_at) {
            (_, Some(at)) => {
                let at = at.max(self.now);
                self.state.timers.insert((at, Timer::Post(number)));
            }
            _ if !self.decisions.of_nesting().posts_survive() => {
                self.state.posts.remove(&number);
            }
            (Some(_), None) => self.in_doubt(number, true),
            (None, None) => self.attempt(number),
        }
    }
}
