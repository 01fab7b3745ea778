//! Turns of agents: one at a time in each session, in order of arrival.

use std::sync::Arc;

use moorline_spec::address::Address;
use moorline_spec::effect::{CancelRun, Effect, Memory, StartRun};
use moorline_spec::id::{SessionKey, Text};
use moorline_spec::profile::ResetRequester;
use moorline_spec::stimulus::{Outcome, RunEnded, RunProgress, RunStarted, Start};
use moorline_spec::time::Span;
use serde_json::json;

use super::decisions::{Anew, By, Handing, Output};
use super::journal::Dirty;
use super::state::{Progress, Purpose, Run, Said, Timer, Turn};
use super::{Reference, keys};

/// How often a refused start is asked for again.
const STARTS_MAX: u32 = 4;
/// The pause before that.
const START_PAUSE: Span = Span::secs(2);

impl Reference {
    /// A run waits for its turn, which may have come.
    pub(super) fn enqueue(&mut self, run: impl Into<Arc<Run>>) -> u64 {
        let run = run.into();
        let number = run.number;
        let key = run.key.clone();
        let waits = self.decisions.waits_its_turn(run.turn.cause());
        self.state.runs.insert(number, run);
        self.dirty(Dirty::Run(number));
        if !waits {
            self.begin(number);
            return number;
        }
        let mut is_next = false;
        if let Some(session) = self.state.sessions.get_mut(&key) {
            is_next = session.current.is_none() && session.queue.is_empty();
            session.queue.push_back(number);
        }
        // What begins at once is not noted: most do.
        if !is_next {
            self.note_waiting(number);
        }
        self.pump(&key);
        if is_next {
            self.note_waiting(number);
        }
        number
    }

    /// Where a run waits for its turn, it can be found by where it came from.
    pub(super) fn note_waiting(&mut self, number: u64) {
        let run = self.state.runs.get(&number);
        if let Some(run) = run.filter(|run| run.state == Progress::Queued) {
            self.state.waiting_at.note(run, &self.state.runs);
        }
    }

    /// Starts the next run of a session where none goes on.
    pub(super) fn pump(&mut self, key: &SessionKey) {
        while let Some(session) = self.state.sessions.get(key)
            && session.current.is_none()
            && let Some(next) = self.next_in_line(session)
            && let Some(&number) = session.queue.get(next)
        {
            if !self.may_begin(number) {
                return self.wait_for_room(key);
            }
            if let Some(session) = self.state.sessions.get_mut(key) {
                session.queue.remove(next);
                session.current = Some(number);
            }
            if self.is_of_before(key, number) || self.goes_elsewhere(number) {
                continue;
            }
            self.collect(key, number);
            self.begin(number);
        }
    }

    /// Whether a turn that waited was to tell what its session, which began anew meanwhile, never
    /// asked for. Somebody is still to hear it.
    fn is_of_before(&mut self, key: &SessionKey, number: u64) -> bool {
        let (Some(session), Some(run)) =
            (self.state.sessions.get(key), self.state.runs.get(&number))
        else {
            return false;
        };
        let Turn::Telling(debts) = &run.turn else {
            return false;
        };
        let (debts, incarnation) = (debts.clone(), session.incarnation);
        let of_now = |debt: &u64| {
            let debt = self.state.debts.get(debt);
            debt.is_none_or(|debt| debt.incarnation == incarnation || debt.requester != *key)
        };
        let same = debts.iter().all(of_now);
        let new = self.dials.reset_requester == ResetRequester::NewIncarnation;
        if new || self.decisions.of_relays().still_meant(same) {
            return false;
        }
        self.state.runs.remove(&number);
        self.dirty(Dirty::Run(number));
        if let Some(session) = self.state.sessions.get_mut(key) {
            session.current = None;
        }
        self.owe_again(&debts);
        self.hand_again(&debts);
        true
    }

    fn begin(&mut self, number: u64) {
        let Some(run) = self.state.runs.get(&number) else {
            return;
        };
        let key = run.key.clone();
        let at = run.at;
        let (cause, path) = (run.turn.cause(), run.turn.path());
        if self.decisions.of_bindings().takes_route(cause)
            && let Some(session) = self.state.sessions.get_mut(&key)
        {
            let route = run.origin.as_ref().map(|origin| &origin.address);
            if session.route.as_ref() != route {
                session.route = route.cloned();
            }
        }
        let (resets, silent) = match &run.turn {
            Turn::Message(message) => {
                if let Some(session) = self.state.sessions.get_mut(&key) {
                    session.kind = message.kind;
                }
                (message.resets, message.silent)
            }
            Turn::Child { .. } | Turn::Telling(_) | Turn::Sent | Turn::Internal(_) => {
                (false, false)
            }
            Turn::Plugin { .. } => (false, false),
        };
        let dial = self.dials.agent_path_resets;
        if resets {
            self.rotate(&key, Anew::Asked);
            self.wakes_no_more(&key);
        } else if self.decisions.evaluates(path, dial) && self.is_stale(&key, at) {
            self.rotate(&key, Anew::Due);
            self.wakes_no_more(&key);
        }
        if let Some(session) = self.state.sessions.get_mut(&key) {
            session.written_at = session.written_at.max(at);
            if self.decisions.is_interaction(cause) {
                session.interacted_at = session.interacted_at.max(at);
            }
        }
        if silent {
            return self.begin_nothing(number);
        }
        // After a restart a turn that was refused before waits in its place again.
        let was_asked_for = self
            .state
            .runs
            .get(&number)
            .is_some_and(|run| run.starts > 0);
        if was_asked_for {
            self.start_again(number);
        } else {
            self.start(number);
        }
    }

    /// `/new` with nothing after it: people hear of it, and the next message is the first.
    fn begin_nothing(&mut self, number: u64) {
        let Some(run) = self.state.runs.remove(&number) else {
            return;
        };
        self.dirty(Dirty::Run(number));
        if let Some(session) = self.state.sessions.get_mut(&run.key) {
            session.current = None;
        }
        if let Some(origin) = &run.origin {
            let stem = Text::from(format!("{}.reset", keys::run_id(number)));
            self.post(
                &origin.address,
                "⚙️ New session.".into(),
                stem,
                None,
                Purpose::Notice,
            );
        }
    }

    /// Asks for a run.
    pub(super) fn start(&mut self, number: u64) {
        let Some(run) = self.state.runs.get_mut(&number) else {
            return;
        };
        let Some(session) = self.state.sessions.get(&run.key) else {
            return;
        };
        run.state = Progress::Starting;
        run.starts += 1;
        run.incarnation = session.incarnation;
        let mut overrides = session.lasting.clone();
        for (name, value) in run.overrides.as_object().into_iter().flatten() {
            overrides[name] = value.clone();
        }
        self.out.push(Effect::StartRun(StartRun {
            run: keys::run_id(number),
            session_key: run.key.clone(),
            session_id: self.decisions.session_id(session.id),
            memory: match &run.fork {
                Some(from) if session.fresh => Memory::Fork(from.clone()),
                Some(_) | None => self.decisions.memory(session.fresh),
            },
            agent: session.agent.clone(),
            input: run.input.clone(),
            overrides,
            resumes: run.resumes.map(keys::run_id),
        }));
        self.journal.note(Dirty::Run(number));
        if let Turn::Telling(debts) = &run.turn {
            for debt in debts.clone() {
                self.handed(debt, Handing::Starting);
            }
        }
    }

    /// A refused start is asked for again, under a new name: a name is used once.
    pub(super) fn start_again(&mut self, number: u64) {
        let Some(run) = self.state.runs.remove(&number) else {
            return;
        };
        self.dirty(Dirty::Run(number));
        self.state.runs_made += 1;
        let next = self.state.runs_made;
        let mut run = Arc::unwrap_or_clone(run);
        run.number = next;
        if let Some(session) = self.state.sessions.get_mut(&run.key) {
            session.current = Some(next);
        }
        self.rename_debts(number, next);
        self.state.runs.insert(next, run);
        self.rename_binding(number, next);
        self.start(next);
    }

    pub(super) fn on_run_started(&mut self, started: &RunStarted) {
        let number = keys::run_number(&started.run).unwrap_or_default();
        let Some(run) = self.state.runs.get_mut(&number) else {
            return;
        };
        if run.state != Progress::Starting {
            // A cancelled run that never ran will not say that it ended.
            let key = run.key.clone();
            match (run.state, started.outcome) {
                (Progress::Cancelled(outcome), Start::Refused) => {
                    self.end(number, outcome, "".into());
                }
                // It began, and with it its session.
                (_, Start::Started) if self.is_of_now(number) => self.begun(&key),
                (_, Start::Started) => (),
                (_, Start::Refused | Start::Unknown) => (),
            }
            return;
        }
        match started.outcome {
            Start::Started => self.runs_now(number),
            Start::Refused => self.start_refused(number),
            Start::Unknown => self.start_unknown(number),
        }
    }

    fn runs_now(&mut self, number: u64) {
        let Some(run) = self.state.runs.get_mut(&number) else {
            return;
        };
        run.state = Progress::Running;
        if let Some(timeout) = run.timeout {
            let deadline = self.now + timeout;
            run.deadline = Some(deadline);
            self.state
                .timers
                .insert((deadline, Timer::RunTimeout(number)));
        }
        let key = run.key.clone();
        let input = run.input.clone();
        let asked = match &mut run.turn {
            Turn::Child { call, accepted } => {
                *accepted = true;
                Some((true, call.take()))
            }
            Turn::Plugin { call } => Some((false, call.take())),
            Turn::Message(_) | Turn::Telling(_) | Turn::Sent | Turn::Internal(_) => None,
        };
        self.begun(&key);
        self.note_line(&key, By::User, &input);
        if let Some((true, Some(call))) = &asked
            && self.keeps.remove(call)
            && let Some(session) = self.state.sessions.get_mut(&key)
        {
            session.kept = true;
            self.dirty(Dirty::Session(key.clone()));
        }
        match asked {
            Some((true, call)) => self.spawn_runs(number, call),
            Some((false, Some(call))) => {
                self.dirty(Dirty::Run(number));
                let id = keys::run_id(number);
                self.answer(
                    call,
                    json!({"status": "accepted", "runId": id, "sessionKey": key}),
                );
            }
            Some((false, None)) | None => (),
        }
        self.steer_first(&key);
    }

    /// Whether a run belongs to what its session is by now.
    fn is_of_now(&self, number: u64) -> bool {
        let run = self.state.runs.get(&number);
        run.is_some_and(|run| {
            let session = self.state.sessions.get(&run.key);
            session.is_some_and(|session| session.incarnation == run.incarnation)
        })
    }

    /// A run of a session began: whatever comes after it continues that.
    fn begun(&mut self, key: &SessionKey) {
        if let Some(session) = self.state.sessions.get_mut(key)
            && session.fresh
        {
            session.fresh = false;
            self.dirty(Dirty::Begun(key.clone()));
        }
    }

    fn start_refused(&mut self, number: u64) {
        let Some(run) = self.state.runs.get(&number) else {
            return;
        };
        match &run.turn {
            Turn::Child {
                accepted: false, ..
            } => return self.undo_spawn(number, "its run was refused"),
            Turn::Child { accepted: true, .. }
            | Turn::Message(_)
            | Turn::Telling(_)
            | Turn::Sent
            | Turn::Internal(_)
            | Turn::Plugin { .. } => (),
        }
        if run.starts < STARTS_MAX {
            if let Some(run) = self.state.runs.get_mut(&number) {
                run.state = Progress::Queued;
            }
            self.dirty(Dirty::Run(number));
            let Some(run) = self.state.runs.get(&number) else {
                return;
            };
            let at = self.now + Span(START_PAUSE.0 * u64::from(run.starts));
            self.state.timers.insert((at, Timer::Start(number)));
            return;
        }
        let run = run.clone();
        if self.decisions.releases_claims() {
            self.release_claim(&run);
        }
        self.end(number, Outcome::Error, "".into());
    }

    /// It may run: the name is cancelled, and it is asked for once more as its replacement.
    fn start_unknown(&mut self, number: u64) {
        let Some(run) = self.state.runs.get(&number) else {
            return;
        };
        let id = keys::run_id(number);
        self.out.push(Effect::CancelRun(CancelRun { run: id }));
        if run.turn.is_unaccepted() {
            return self.undo_spawn(
                number,
                "nobody knows whether its run started; it was cancelled",
            );
        }
        if run.resumes.is_some() {
            return self.end(number, Outcome::Lost, "".into());
        }
        if let Some(run) = self.state.runs.get_mut(&number) {
            run.resumes = Some(number);
        }
        self.start_again(number);
    }

    pub(super) fn on_run_ended(&mut self, ended: &RunEnded) {
        let number = keys::run_number(&ended.run).unwrap_or_default();
        let text = self.decisions.of_relays().spoken(&ended.text);
        match self.state.runs.get(&number).map(|run| run.state) {
            Some(Progress::Cancelled(outcome)) => self.end(number, outcome, "".into()),
            Some(Progress::Starting) => {
                // The end came before the news that it runs.
                self.runs_now(number);
                self.end(number, ended.outcome, text);
            }
            Some(Progress::Running) => self.end(number, ended.outcome, text),
            Some(Progress::Queued) | None => (),
        }
    }

    /// A run is over, and whoever waits is told.
    pub(super) fn end(&mut self, number: u64, outcome: Outcome, text: Text) {
        let of_it = self.state.runs.get(&number);
        if of_it.is_some_and(|run| run.turn.is_unaccepted()) {
            return self.undo_spawn(number, "it was stopped before it ran");
        }
        if let Some(run) = self.forget(number) {
            self.conclude(&run, outcome, text);
            if self.decisions.goes_on_after(outcome) {
                self.pump(&run.key);
            }
            self.make_room();
        }
    }

    /// The place of a run in its session is free. A session that waited for it to be gone is gone.
    pub(super) fn forget(&mut self, number: u64) -> Option<Arc<Run>> {
        let run = self.state.runs.remove(&number)?;
        self.dirty(Dirty::Run(number));
        let (mut gone, mut ended) = (false, false);
        if let Some(session) = self.state.sessions.get_mut(&run.key)
            && session.current == Some(number)
        {
            session.current = None;
            ended = true;
            gone = session.ghost && session.queue.is_empty();
        }
        if gone {
            self.state.sessions.remove(&run.key);
            self.dirty(Dirty::Session(run.key.clone()));
        } else if ended {
            self.note_end(&run.key);
        }
        Some(run)
    }

    /// What the end of a run means to whoever waits for it.
    pub(super) fn conclude(&mut self, run: &Run, outcome: Outcome, text: Text) {
        let number = run.number;
        self.note_line(&run.key, By::Assistant, &text);
        let says = outcome == Outcome::Ok && !self.decisions.of_relays().is_silent(&text);
        // What a child says as it yields is not its end.
        let child = matches!(run.turn, Turn::Child { .. });
        let paused = child && run.yielded && outcome == Outcome::Ok;
        let mut posted = None;
        if says && let Some(to) = self.answers_to(run) {
            let stem = Text::from(keys::run_id(number).as_str());
            let purpose = Purpose::Output(run.key.clone());
            let post = self.post(&to, text.clone(), stem, Some(number), purpose);
            posted = Some((to.clone(), post));
            if let Some(debt) = self.state.debts.get_mut(&number)
                && !paused
            {
                let length = text.len();
                debt.said = Some(Said { to, post, length });
            }
        }
        self.steered_run_ended(run, outcome);
        self.joined_run_ended(number, outcome);
        match &run.turn {
            Turn::Message(_) if outcome != Outcome::Ok => self.tell_failure(run, outcome),
            Turn::Message(_) | Turn::Internal(_) => (),
            Turn::Child { .. } if paused => self.child_paused(number, &text),
            Turn::Child { .. } | Turn::Sent => self.child_ended(number, outcome, text),
            Turn::Telling(debts) => {
                let settles = debts.clone();
                let told = self.decisions.is_told(Handing::Ended(outcome));
                if told && self.tell_of_children(&settles) {
                    self.add_to_waiting(&run.key, &text, posted);
                }
                let again: Vec<u64> = settles
                    .into_iter()
                    .filter(|&debt| self.is_to_be_told_again(debt, Some(outcome), &text))
                    .collect();
                self.tell_again(&again);
            }
            Turn::Plugin { call: Some(call) } => {
                let error = format!("the run ended as {}", outcome.as_str());
                self.refuse(call.clone(), error);
            }
            Turn::Plugin { call: None } => (),
        }
        if run.yielded {
            self.wake_if_done(&run.key);
        }
    }

    /// People hear that a message of theirs gets no answer.
    pub(super) fn tell_failure(&mut self, run: &Run, outcome: Outcome) {
        let Some(origin) = &run.origin else {
            return;
        };
        let words = outcome.as_str();
        let text = Text::from(format!("⚠️ No answer ({words}) to: {}", run.input));
        let stem = Text::from(format!("{}.failed", keys::run_id(run.number)));
        let of_it = Some(run.number);
        let post = self.post(&origin.address, text, stem, of_it, Purpose::Notice);
        if let Some(post) = self.state.posts.get_mut(&post) {
            post.resumes = run.resumes;
        }
    }

    pub(super) fn on_run_progress(&mut self, progress: &RunProgress) {
        let number = keys::run_number(&progress.run).unwrap_or_default();
        let Some(run) = self.state.runs.get_mut(&number) else {
            return;
        };
        let relays = self.decisions.of_relays();
        if !run.is_live() || relays.is_silent(&progress.text) {
            return;
        }
        let text = relays.spoken(&progress.text);
        run.words += 1;
        let Some(run) = self.state.runs.share(&number) else {
            return;
        };
        self.stream(&run, &text);
        self.note_line(&run.key, By::Assistant, &text);
        if let Some(to) = self.answers_to(&run) {
            let stem = Text::from(format!("{}.{}", keys::run_id(number), run.words));
            let purpose = Purpose::Output(run.key.clone());
            self.post(&to, text, stem, Some(number), purpose);
        }
    }

    /// Where the output of a run goes.
    pub(super) fn answers_to(&self, run: &Run) -> Option<Address> {
        let session = self.state.sessions.get(&run.key);
        let asked = matches!(run.turn, Turn::Message(_));
        let tells = match &run.turn {
            Turn::Telling(debts) => self.tell_of_children(debts),
            Turn::Message(_) | Turn::Child { .. } | Turn::Sent => false,
            Turn::Internal(_) | Turn::Plugin { .. } => false,
        };
        if tells && self.says_for_waiting(&run.key) && self.state.address_of(&run.key).is_none() {
            return None;
        }
        let configured = (!asked).then(|| self.proactive_address(&run.key)).flatten();
        self.decisions.output_to(&Output {
            cause: run.turn.cause(),
            origin: run.origin.as_ref().map(|origin| &origin.address),
            bound: self.state.address_of(&run.key),
            last_route: session.and_then(|session| session.route.as_ref()),
            heard_at: session.and_then(|session| session.heard_at.as_ref()),
            configured: configured.as_ref(),
            proactive_to: self.dials.proactive_to,
            tells: matches!(run.turn, Turn::Telling(_)),
        })
    }
}
