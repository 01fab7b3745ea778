//! Children: what is asked for is checked whole before anything happens, and a refusal leaves
//! nothing behind.

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::Placement;
use moorline_spec::effect::{Effect, OpenThread, UnboundBecause};
use moorline_spec::id::{CallId, RequestId, Text};
use moorline_spec::stimulus::{Opened, Outcome, ThreadOpened};
use serde_json::{Value, json};

use super::decisions::Mode;
use super::journal::Dirty;
use super::nested::Nesting;
use super::state::{ChildOf, Debt, Opening, Owed, Progress, Session, Spawn, Standing, Turn};
use super::tools::Caller;
use super::{Reference, keys};

impl Reference {
    pub(super) fn spawn_call(&mut self, call: CallId, caller: &Caller, params: &Value) {
        match self.check_spawn(caller, params) {
            Ok(spawn) => self.spawn(call, spawn),
            Err(refusal) => {
                let mut result = json!({"status": refusal.status, "error": refusal.words});
                if params["runtime"] == "acp"
                    && let Some(code) = refusal.check.acp_code()
                {
                    result["errorCode"] = json!(code);
                }
                self.answer(call, result);
            }
        }
    }

    fn spawn(&mut self, call: CallId, spawn: Spawn) {
        let at = spawn.origin.as_ref().map(|origin| origin.address.clone());
        match at {
            Some(at) if spawn.thread && self.placement(&at) == Placement::Child => {
                self.state.requests_made += 1;
                let request = RequestId::from(self.name("q", self.state.requests_made));
                self.out.push(Effect::OpenThread(OpenThread {
                    request: request.clone(),
                    parent: self.decisions.thread_parent(&at),
                    name: spawn
                        .label
                        .clone()
                        .unwrap_or_else(|| keys::words(&spawn.task)),
                    session_key: spawn.key.clone(),
                }));
                let opening = Opening {
                    call,
                    spawn,
                    stopped: false,
                };
                self.state.openings.insert(request, opening);
            }
            at => {
                let bound = at.filter(|_| spawn.thread);
                self.start_child(call, spawn, bound);
            }
        }
    }

    pub(super) fn on_thread_opened(&mut self, opened: &ThreadOpened) {
        if self.focus_opened(opened) {
            return;
        }
        let Some(Opening {
            call,
            spawn,
            stopped,
        }) = self.state.openings.remove(&opened.request)
        else {
            return;
        };
        let requester = self.state.session(&spawn.requester);
        let outlived =
            !stopped && requester.is_some_and(|session| session.incarnation == spawn.incarnation);
        match &opened.outcome {
            Opened::Opened { at } if !self.config.bindings_enabled(at) => {
                let words = format!(
                    "thread bindings were disabled meanwhile; the thread {at} remains, unbound. Use \
                     mode=\"run\" without `thread`."
                );
                self.refuse(call, words);
            }
            Opened::Opened { at } if outlived => self.start_child(call, spawn, Some(at.clone())),
            Opened::Opened { at } => {
                let words = format!("whoever asked is gone; the thread {at} remains, unbound");
                self.refuse(call, words);
            }
            Opened::Refused { why } => self.refuse(
                call,
                format!(
                    "Unable to create a thread for `thread`: {why}. Use mode=\"run\" without it."
                ),
            ),
            Opened::Unknown {} => self.refuse(
                call,
                "Nobody knows whether the thread for `thread` was opened; one may remain, unbound. \
                 Try again, or use mode=\"run\" without it.",
            ),
        }
    }

    /// Session, binding, run and what is owed come to be together.
    fn start_child(&mut self, call: CallId, spawn: Spawn, bound: Option<Address>) {
        let id = self.next_id();
        let mut session = Session::new(spawn.key.clone(), spawn.agent.clone(), id, self.now);
        let above = self
            .state
            .session(&spawn.requester)
            .and_then(|above| above.child.as_ref());
        session.label = spawn.label.clone();
        session.kind = bound.as_ref().map_or(Place::Direct, |_| Place::Thread);
        session.child = Some(ChildOf {
            number: spawn.number,
            parent: spawn.requester.clone(),
            depth: above.map_or(0, |above| above.depth) + 1,
            mode: spawn.mode,
            runtime: spawn.runtime,
        });
        self.state.sessions.insert(spawn.key.clone(), session);
        self.dirty(Dirty::Session(spawn.key.clone()));
        let turn = Turn::Child {
            call: Some(call.clone()),
            accepted: false,
        };
        let origin = spawn.origin.clone();
        let mut run = self.new_run(spawn.key.clone(), turn, spawn.task.clone(), origin);
        let number = run.number;
        let mut debt = debt_of(number, &spawn);
        debt.nesting.above = self.all_above(&spawn.requester);
        self.state.debts.insert(number, debt);
        run.overrides = spawn.overrides;
        run.fork = spawn.fork;
        run.timeout = spawn.timeout;
        self.dirty(Dirty::Debt(number));
        if let Some(address) = bound.clone() {
            let ends = self.decisions.binding_ends_with_run(spawn.mode);
            let run = ends.then_some(number);
            self.bind(address, spawn.key.clone(), None, run);
        }
        if self.decisions.answers_before_persisting() {
            self.accept(number, call, true);
            if let Turn::Child { call, .. } = &mut run.turn {
                *call = None;
            }
        }
        self.enqueue(run);
        self.accept_what_waits(number);
        // Its task comes first.
        if let Some(address) = bound {
            self.changed_hands(&address);
        }
    }

    /// A child that waits until fewer are at work is accepted already.
    fn accept_what_waits(&mut self, number: u64) {
        let Some(run) = self.state.runs.get_mut(&number) else {
            return;
        };
        if run.state != Progress::Queued {
            return;
        }
        let Turn::Child { call, accepted } = &mut run.turn else {
            return;
        };
        *accepted = true;
        let call = call.take();
        self.dirty(Dirty::Run(number));
        if let Some(call) = call {
            self.accept(number, call, false);
        }
    }

    /// The run of a child runs: whoever asked hears that it was accepted.
    pub(super) fn spawn_runs(&mut self, number: u64, call: Option<CallId>) {
        self.dirty(Dirty::Run(number));
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        let key = debt.child.clone();
        if let Some(call) = call {
            self.accept(number, call, false);
        }
        if let Some(binding) = self.state.bindings.first_of(&key) {
            self.introduce(binding);
        }
    }

    fn accept(&mut self, number: u64, call: CallId, early: bool) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        let mode = match debt.what {
            Owed::Child(Mode::Session) => "session",
            Owed::Child(Mode::Run) | Owed::Reply => "run",
        };
        let mut result = json!({
            "status": "accepted",
            "childSessionKey": debt.child,
            "runId": keys::run_id(number),
            "mode": mode,
        });
        if let Some(at) = self.state.address_of(&debt.child) {
            result["boundTo"] = json!(at.to_string());
        }
        self.answer(call, result);
        if early && let Some(answer) = self.out.pop() {
            self.early.push(answer);
        }
    }

    /// The child never was: no session, no run, no binding. A thread that was opened stays, and is
    /// named.
    pub(super) fn undo_spawn(&mut self, number: u64, why: &str) {
        let Some(run) = self.state.runs.remove(&number) else {
            return;
        };
        self.dirty(Dirty::Run(number));
        self.state.debts.remove(&number);
        self.dirty(Dirty::Debt(number));
        let thread = self
            .state
            .address_of(&run.key)
            .filter(|at| at.thread.is_some())
            .cloned();
        self.unbind_session(&run.key, UnboundBecause::SpawnFailed);
        let session = self.state.sessions.remove(&run.key);
        self.dirty(Dirty::Session(run.key.clone()));
        if let Turn::Child {
            call: Some(call), ..
        } = &run.turn
        {
            let remains = thread.map_or(String::new(), |at| {
                format!("; the thread {at} remains, unbound")
            });
            self.refuse(
                call.clone(),
                format!("the child did not start: {why}{remains}. Try again."),
            );
        }
        for left in session.map(|session| session.queue).unwrap_or_default() {
            self.lost_its_session(left);
        }
        self.make_room();
    }
}

/// What is owed once the run of a child has ended.
fn debt_of(run: u64, spawn: &Spawn) -> Debt {
    Debt {
        run,
        what: Owed::Child(spawn.mode),
        child: spawn.key.clone(),
        requester: spawn.requester.clone(),
        incarnation: spawn.incarnation,
        origin: spawn.origin.clone(),
        task: spawn.task.clone(),
        state: Standing::Running,
        outcome: Outcome::Ok,
        text: Text::default(),
        said: None,
        turns: 0,
        audience: spawn.audience,
        streams: spawn.streams,
        deletes: spawn.deletes && spawn.mode == Mode::Run,
        label: spawn.label.clone(),
        exchanged: 0,
        nesting: Nesting::default(),
        call: None,
    }
}
