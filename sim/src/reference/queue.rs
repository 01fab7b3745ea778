//! Messages that find their session busy: they wait, are steered into the run that goes on, or have
//! one turn together. Where too many wait, one is given up, aloud.

use std::sync::Arc;

use moorline_spec::config::{DropPolicy, QueueMode};
use moorline_spec::effect::{Drop, Effect, SteerRun};
use moorline_spec::id::{SessionKey, SteerId, Text};
use moorline_spec::stimulus::{Outcome, Steering};
use moorline_spec::time::Time;

use super::decisions::Setting;
use super::journal::Dirty;
use super::state::{Joining, Progress, Purpose, Run, Session, Turn};
use super::{Reference, keys};

impl Reference {
    /// A person's message waits for its turn, which may have come.
    pub(super) fn enqueue_message(&mut self, run: Run) {
        if !self.has_room(&run) {
            return self.refuse_message(&run, "too many messages wait");
        }
        let key = run.key.clone();
        self.enqueue(run);
        self.steer_first(&key);
    }

    fn queue_mode(&self, run: &Run) -> QueueMode {
        let Some(origin) = &run.origin else {
            return QueueMode::default();
        };
        let layers = self.config.queue_mode(&origin.address.channel);
        self.decided(Setting::QueueMode, &layers)
            .unwrap_or_default()
    }

    /// Whether another message may wait. Room is made where the oldest is to be given up; what is
    /// at work, or on its way into a run, does not wait.
    fn has_room(&mut self, run: &Run) -> bool {
        let queue = &self.config.messages.queue;
        let (Some(cap), policy) = (queue.cap, queue.drop.unwrap_or_default()) else {
            return true;
        };
        let session = self.state.sessions.get(&run.key);
        let Some(session) = session.filter(|session| session.current.is_some()) else {
            return true;
        };
        let waits = |number: &&u64| {
            let run = self.state.runs.get(number);
            run.is_some_and(|run| matches!(run.turn, Turn::Message(_)))
                && !self.is_joining(**number)
        };
        let waiting: Vec<u64> = session.queue.iter().filter(waits).copied().collect();
        if waiting.len() < cap as usize {
            return true;
        }
        match (policy, waiting.first()) {
            (DropPolicy::Old, Some(&oldest)) => {
                if let Some(oldest) = self.leave_queue(oldest) {
                    self.refuse_message(&oldest, "too many messages wait");
                }
                true
            }
            (DropPolicy::Old | DropPolicy::New, _) => false,
        }
    }

    /// Nothing was done with a message, and whoever wrote it hears so; it may come again.
    pub(super) fn refuse_message(&mut self, run: &Run, why: &'static str) {
        let (Turn::Message(message), Some(origin)) = (&run.turn, &run.origin) else {
            return;
        };
        self.out.push(Effect::Drop(Drop {
            message: message.id.clone(),
            why: Text::new_static(why),
        }));
        let text = format!("⚠️ Not worked on, since {why}: {}", run.input);
        let stem = Text::from(format!("{}.given-up", keys::run_id(run.number)));
        let of_it = Some(run.number);
        self.post(&origin.address, text.into(), stem, of_it, Purpose::Notice);
        self.release_claim(run);
    }

    pub(super) fn leave_queue(&mut self, number: u64) -> Option<Arc<Run>> {
        let run = self.state.runs.remove(&number)?;
        if let Some(session) = self.state.sessions.get_mut(&run.key) {
            session.queue.retain(|&other| other != number);
        }
        self.dirty(Dirty::Run(number));
        Some(run)
    }

    /// Whether a message is on its way into a run.
    pub(super) fn is_joining(&self, number: u64) -> bool {
        self.state
            .joining
            .values()
            .any(|joining| joining.message == number)
    }

    /// Which of those that wait has its turn next. A message on its way into a run keeps its place
    /// until it is known what becomes of it.
    pub(super) fn next_in_line(&self, session: &Session) -> Option<usize> {
        let next = self.decisions.next_turn(session.queue.len());
        let number = *session.queue.get(next)?;
        if self.state.joining.is_empty() || !self.is_joining(number) {
            return Some(next);
        }
        if self.decisions.keeps_its_place() {
            return None;
        }
        session
            .queue
            .iter()
            .position(|&other| !self.is_joining(other))
    }

    /// The first message that waits is steered into the run that goes on, where both are of one
    /// person in one place: what that run says is the answer to both.
    pub(super) fn steer_first(&mut self, key: &SessionKey) {
        let Some(session) = self.state.sessions.get(key) else {
            return;
        };
        let (Some(current), Some(&first)) = (session.current, session.queue.front()) else {
            return;
        };
        let runs = &self.state.runs;
        let (Some(run), Some(next)) = (runs.get(&current), runs.get(&first)) else {
            return;
        };
        let answers = run.state == Progress::Running && matches!(run.turn, Turn::Message(_));
        let fits = answers && self.may_join(run, next) && !next.unsteered;
        let steers = matches!(self.queue_mode(next), QueueMode::Steer | QueueMode::Queue);
        if !fits || !steers || self.is_joining(first) {
            return;
        }
        let (at, input) = (next.at, next.input.clone());
        if self.is_stale(key, at) {
            return;
        }
        self.state.steers_made += 1;
        let steer = SteerId::from(self.name("x", self.state.steers_made));
        let joining = Joining {
            run: current,
            message: first,
            ended: None,
        };
        self.state.joining.insert(steer.clone(), joining);
        let run = keys::run_id(current);
        self.out
            .push(Effect::SteerRun(SteerRun { steer, run, input }));
    }

    /// Whether a message that waits can be answered together with another one.
    fn may_join(&self, run: &Run, next: &Run) -> bool {
        let Turn::Message(message) = &next.turn else {
            return false;
        };
        match (&run.origin, &next.origin) {
            (Some(one), Some(other)) => {
                let here = self.elsewhere(next.number).is_none();
                !message.resets && next.starts == 0 && here && self.decisions.joins(one, other)
            }
            _ => false,
        }
    }

    /// It is known what became of a message that was steered.
    pub(super) fn on_joined(&mut self, joining: &Joining, outcome: Steering) {
        let Some(waiting) = self.state.runs.get_mut(&joining.message) else {
            return;
        };
        let key = waiting.key.clone();
        match outcome {
            Steering::Refused => {
                waiting.unsteered = true;
                self.follow(joining.message);
            }
            Steering::Taken => {
                let Some(next) = self.leave_queue(joining.message) else {
                    return;
                };
                self.note_interaction(&key, next.at);
                match (joining.ended, self.state.runs.get_mut(&joining.run)) {
                    (None, Some(run)) => {
                        take_up(run, &next);
                        self.dirty(Dirty::Run(joining.run));
                    }
                    (Some(outcome), _) if outcome != Outcome::Ok => {
                        self.tell_failure(&next, outcome)
                    }
                    _ => (),
                }
            }
        }
        let session = self.state.sessions.get(&key);
        if session.is_some_and(|session| session.current.is_none()) {
            self.pump(&key);
        } else {
            self.steer_first(&key);
        }
    }

    fn note_interaction(&mut self, key: &SessionKey, at: Time) {
        if let Some(session) = self.state.sessions.get_mut(key) {
            session.interacted_at = session.interacted_at.max(at);
            session.written_at = session.written_at.max(at);
        }
        self.dirty(Dirty::Session(key.clone()));
    }

    /// What one person wrote in one place while the session was busy has one turn together.
    pub(super) fn collect(&mut self, key: &SessionKey, number: u64) {
        loop {
            let runs = &self.state.runs;
            let session = self.state.sessions.get(key);
            let first = session.and_then(|session| session.queue.front());
            let (Some(&next), Some(run)) = (first, runs.get(&number)) else {
                return;
            };
            let Turn::Message(message) = &run.turn else {
                return;
            };
            let Some(waiting) = runs.get(&next).filter(|next| self.may_join(run, next)) else {
                return;
            };
            let collects = self.queue_mode(run) == QueueMode::Collect && run.starts == 0;
            let at = waiting.at;
            if !collects || message.resets || self.is_joining(next) || self.is_stale(key, at) {
                return;
            }
            let Some(next) = self.leave_queue(next) else {
                return;
            };
            if let Some(run) = self.state.runs.get_mut(&number) {
                take_up(run, &next);
            }
            self.dirty(Dirty::Run(number));
            self.note_interaction(key, at);
        }
    }

    /// What is on its way into a run that is over.
    pub(super) fn joined_run_ended(&mut self, number: u64, outcome: Outcome) {
        for joining in self.state.joining.values_mut() {
            if joining.run == number {
                joining.ended = Some(outcome);
            }
        }
    }
}

/// A run answers another message too.
fn take_up(run: &mut Run, next: &Run) {
    run.input = Text::from(format!("{}\n{}", run.input, next.input));
    if let Turn::Message(message) = &next.turn {
        run.joined.push(message.id.clone());
    }
    run.joined.extend(next.joined.iter().cloned());
}
