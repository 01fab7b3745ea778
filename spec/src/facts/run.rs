//! Runs, the calls they make, and what is steered into them.

use serde_json::Value;

use super::{BornAs, Facts, Origins, SessionFacts};
use crate::address::Address;
use crate::effect::{Answer, Memory, StartRun, SteerRun};
use crate::id::{AgentId, CallId, Marker, RunId, SessionId, SessionKey, Text};
use crate::stimulus::{
    Call, Caller, InternalTurn, Outcome, RunEnded, RunProgress, RunStarted, Start, Steered,
    Steering,
};
use crate::time::Time;
use crate::trace::Entry;

/// A run.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// Its session.
    pub key: SessionKey,
    /// The number of its session among all sessions.
    pub session: usize,
    /// The gateway's name for the session's incarnation.
    pub session_id: SessionId,
    /// Its agent.
    pub agent: AgentId,
    /// What it remembered at the start.
    pub memory: Memory,
    /// What it is for.
    pub role: Role,
    /// The markers of its input, and of what was steered in and taken.
    pub given: Vec<Marker>,
    /// The addresses it answers to.
    pub origins: Origins,
    /// The run it says it replaces.
    pub resumes: Option<RunId>,
    /// Where it stands.
    pub state: RunState,
    /// Whether the gateway told it to stop: whatever it says last is not heard.
    pub cancelled: bool,
    /// Whether the gateway was told that nobody knows if it started.
    pub start_unknown: bool,
    /// Whether it ended its turn to wait: what it says then need not be its end.
    pub yielded: bool,
    /// The markers of its last words that were born with them.
    pub words: Vec<Marker>,
    /// The entry it was asked for in, and when.
    pub asked: (usize, Time),
}

impl RunFacts {
    /// Whether it is to answer that message.
    pub fn answers(&self, message: &Marker) -> bool {
        matches!(&self.role, Role::Chat(marker) if marker == message)
    }
}

/// What a run is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// To answer a person's message, by its marker.
    Chat(Marker),
    /// To do the task of a spawn.
    Child(CallId),
    /// To answer what another session sent.
    Sent(CallId),
    /// To do what a plugin or administrator asked for.
    Plugin(CallId),
    /// To hear what became of a run.
    Event(RunId),
    /// A turn of the clockwork.
    Internal,
    /// Nobody can tell.
    Unknown,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Asked for.
    Asked,
    /// Running.
    Running,
    /// Never started.
    Refused,
    /// Over.
    Ended(Outcome),
    /// A crash took it.
    Lost,
}

impl RunState {
    /// Whether it may still say something.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Asked | Self::Running)
    }
}

/// A call of a method.
#[derive(Clone, Debug)]
pub struct CallFacts {
    /// Who called.
    pub by: Caller,
    /// The method.
    pub method: Text,
    /// The parameters.
    pub params: Value,
    /// The markers born in the parameters.
    pub own: Vec<Marker>,
    /// Where whoever called answers to.
    pub origins: Origins,
    /// The session that called.
    pub session: Option<SessionKey>,
    /// The first run that was given the parameters.
    pub run: Option<RunId>,
    /// The answer.
    pub answer: Option<Value>,
    /// Whether a thread was asked for while it waited.
    pub asked_thread: bool,
    /// The thread that was opened for it.
    pub thread: Option<Address>,
    /// Where no run was ever given its task: the turns that were told so.
    pub told: Vec<RunId>,
    /// Whether it is known to whoever asked, or visible, that it never began.
    pub heard: bool,
    /// The entry it was made in, and when.
    pub made: (usize, Time),
    /// How many lives the gateway had begun when it was made.
    pub life: u32,
    /// The entry it was answered in, and when.
    pub answered: Option<(usize, Time)>,
}

impl CallFacts {
    /// Whether it was made in that life, and has no answer.
    pub(super) fn waits_in(&self, life: u32) -> bool {
        self.answer.is_none() && self.life == life
    }

    /// The status of the answer.
    pub fn status(&self) -> Option<&str> {
        self.answer.as_ref()?.get("status")?.as_str()
    }

    /// Whether it was answered that it is done or will be.
    pub fn is_accepted(&self) -> bool {
        matches!(self.status(), Some("accepted" | "ok"))
    }

    /// Whether a spawn asks that anybody be told of its end.
    pub fn wants_completion(&self) -> bool {
        let given = |name: &str| self.params.get(name).and_then(Value::as_bool);
        let person = given("notifyUserOnComplete") == Some(true);
        match (given("expectsCompletionMessage"), given("notifyParent")) {
            (Some(false), _) => false,
            (Some(true) | None, Some(false)) => person,
            (Some(true) | None, Some(true) | None) => true,
        }
    }

    /// A text parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name)?.as_str()
    }

    /// Whether a parameter is the boolean true.
    pub fn is_true(&self, name: &str) -> bool {
        self.params.get(name) == Some(&Value::Bool(true))
    }
}

/// An attempt to steer.
#[derive(Clone, Debug)]
pub struct SteerFacts {
    /// Into which run.
    pub run: RunId,
    /// The markers of the text.
    pub markers: Vec<Marker>,
    /// What came of it.
    pub outcome: Option<Steering>,
}

impl Facts {
    /// Whether a run will say nothing more.
    pub fn is_over(&self, run: &RunId) -> bool {
        self.runs.get(run).is_some_and(|run| !run.state.is_live())
    }

    /// Whether a run died with a life of the gateway.
    pub fn is_lost(&self, run: &RunId) -> bool {
        let run = self.runs.get(run);
        run.is_some_and(|run| run.state == RunState::Lost)
    }

    /// The live runs of a session.
    pub fn live_runs<'a>(
        &'a self,
        key: &'a SessionKey,
    ) -> impl Iterator<Item = (&'a RunId, &'a RunFacts)> {
        let session = self.sessions.get(key);
        self.live_of(session)
    }

    /// The live runs of the session of the entry's run.
    pub fn live_runs_here(&self) -> impl Iterator<Item = (&RunId, &RunFacts)> {
        self.live_of(self.session_here().map(|(_, session)| session))
    }

    fn live_of<'a>(
        &'a self,
        session: Option<&'a SessionFacts>,
    ) -> impl Iterator<Item = (&'a RunId, &'a RunFacts)> {
        let live = session.into_iter().flat_map(|session| &session.live);
        live.filter_map(|id| self.runs.get_key_value(id))
    }

    pub(super) fn on_internal_turn(&mut self, turn: &InternalTurn, entry: &Entry) {
        self.bear(&entry.own, &BornAs::Internal, &Origins::default());
        self.touch_session(&turn.session);
    }

    pub(super) fn on_call(&mut self, call: &Call, entry: &Entry) {
        let caller = match &call.by {
            Caller::Run(run) => self.runs.get(run),
            Caller::Admin | Caller::Plugin => None,
        };
        let origins = caller.map(|run| run.origins.clone()).unwrap_or_default();
        let session = caller.map(|run| run.key.clone());
        self.bear(&entry.own, &BornAs::Parameter(call.call.clone()), &origins);
        self.note_admin_call(call);
        let facts = CallFacts {
            by: call.by.clone(),
            method: call.method.clone(),
            params: call.params.clone(),
            own: entry.own.clone(),
            origins,
            session,
            run: None,
            answer: None,
            asked_thread: false,
            thread: None,
            told: Vec::new(),
            heard: false,
            made: (self.index, entry.at),
            life: self.lives,
            answered: None,
        };
        self.owed += 1;
        let (number, old) = self.calls.insert_full(call.call.clone(), facts);
        self.here.call = Some(number);
        if old.is_some_and(|old| old.answer.is_none()) {
            self.owed -= 1;
        }
    }

    pub(super) fn on_answer(&mut self, answer: &Answer) {
        let Some((_, call)) = self
            .here
            .call
            .and_then(|call| self.calls.get_index_mut(call))
        else {
            return;
        };
        if call.waits_in(self.lives) {
            self.owed -= 1;
        }
        call.answer = Some(answer.result.clone());
        call.answered = Some((self.index, self.now));
        self.note_admin_answer(&answer.call);
        self.on_stopping_answer(&answer.call);
        self.note_yield(&answer.call);
        self.note_spawn_answer(&answer.call);
        self.note_unbegun(&answer.call);
        self.note_archive_time(&answer.call);
        self.on_spawn_answered(&answer.call);
        self.note_label(&answer.call);
        self.on_send_answered(&answer.call);
        self.note_retry(&answer.call);
    }

    pub(super) fn on_start_run(&mut self, start: &StartRun, entry: &Entry) {
        // What takes the place of a run is for what that run was for.
        let replaced = start.resumes.as_ref().and_then(|old| self.runs.get(old));
        let role = match replaced.map(|old| old.role.clone()) {
            Some(role) if role != Role::Unknown => role,
            _ => self.role_here(&start.session_key),
        };
        if let Role::Child(call) | Role::Sent(call) | Role::Plugin(call) = &role
            && let Some(call) = self.calls.get_mut(call)
        {
            let over = |run: &RunId| self.runs.get(run).is_some_and(|run| !run.state.is_live());
            if call.run.as_ref().is_none_or(over) {
                call.run = Some(start.run.clone());
            }
            if let Role::Child(call) = &role {
                self.below.unbegun.retain(|other| other != call);
            }
        }
        let session = self.sessions.entry(start.session_key.clone());
        let number = session.index();
        session.or_default();
        let run = RunFacts {
            key: start.session_key.clone(),
            session: number,
            session_id: start.session_id.clone(),
            agent: start.agent.clone(),
            memory: start.memory.clone(),
            origins: self.origins_here(),
            given: entry.markers.clone(),
            resumes: start.resumes.clone(),
            role,
            state: RunState::Asked,
            cancelled: false,
            start_unknown: false,
            yielded: false,
            words: Vec::new(),
            asked: (self.index, entry.at),
        };
        self.note_taken(&run.given);
        self.note_session_run(&start.run, &run);
        self.note_telling(&start.run, &run);
        self.note_kin(start, &run);
        let (number, _) = self.runs.insert_full(start.run.clone(), run);
        self.begins(number);
        self.suppose_binding_of_child(&start.session_key);
        self.note_unbegun_told(&start.run, &entry.markers);
        self.note_late_given(&start.run, &entry.markers);
    }

    pub(super) fn on_cancel_run(&mut self) {
        if let Some((_, run)) = self.here.run.and_then(|run| self.runs.get_index_mut(run)) {
            run.cancelled = true;
        }
    }

    pub(super) fn on_run_started(&mut self, started: &RunStarted) {
        let Some((_, run)) = self.here.run.and_then(|run| self.runs.get_index_mut(run)) else {
            return;
        };
        if !run.state.is_live() {
            return;
        }
        match started.outcome {
            Start::Started => run.state = RunState::Running,
            Start::Refused => {
                run.state = RunState::Refused;
                let session = &mut self.sessions[run.session];
                session.live.retain(|live| *live != started.run);
                self.forget_session_run(&started.run);
                self.note_untaken(&started.run);
                self.on_turn_failed(&started.run);
            }
            Start::Unknown => run.start_unknown = true,
        }
    }

    pub(super) fn on_run_progress(&mut self, progress: &RunProgress, entry: &Entry) {
        let origins = self.run_here().map(|run| run.origins.clone());
        let what = BornAs::Progress(progress.run.clone());
        self.bear(&entry.own, &what, &origins.unwrap_or_default());
    }

    pub(super) fn on_run_ended(&mut self, ended: &RunEnded, entry: &Entry) {
        let now = self.now;
        let known = self.run_here();
        let origins = known.map(|run| run.origins.clone()).unwrap_or_default();
        self.bear(&entry.own, &BornAs::LastWords(ended.run.clone()), &origins);
        let Some((_, run)) = self.here.run.and_then(|run| self.runs.get_index_mut(run)) else {
            return;
        };
        if !run.state.is_live() {
            return;
        }
        run.state = RunState::Ended(ended.outcome);
        run.words.clone_from(&entry.own);
        let session = &mut self.sessions[run.session];
        // Whether it counts as a write is the gateway's affair.
        session.written_to = now;
        session.live.retain(|live| *live != ended.run);
        self.note_archive_end(&ended.run);
        self.go_on_in(&ended.run, ended.outcome);
        self.settle_turn(&ended.run, ended.outcome);
        self.begin_owing(ended, entry);
    }

    pub(super) fn on_steer_run(&mut self, steer: &SteerRun, entry: &Entry) {
        let facts = SteerFacts {
            run: steer.run.clone(),
            markers: entry.markers.clone(),
            outcome: None,
        };
        self.note_steer(&facts);
        self.steers.insert(steer.steer.clone(), facts);
    }

    pub(super) fn on_steered(&mut self, steered: &Steered) {
        let Some(steer) = self.steers.get_mut(&steered.steer) else {
            return;
        };
        steer.outcome = Some(steered.outcome);
        if steered.outcome == Steering::Refused {
            return;
        }
        let (id, markers) = (steer.run.clone(), steer.markers.clone());
        let origins = self.origins_of(&markers);
        self.note_steered(&id, &markers);
        self.note_late_given(&id, &markers);
        self.note_unbegun_told(&id, &markers);
        self.note_interaction(&id, &markers);
        self.note_taken(&markers);
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        run.given.extend(markers);
        let new = origins
            .iter()
            .filter(|origin| !run.origins.contains(origin));
        if new.clone().next().is_some() {
            run.origins = run.origins.iter().chain(new).cloned().collect();
        }
    }
}
