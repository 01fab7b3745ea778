//! Children: what is asked for is checked whole before anything happens, and a refusal leaves
//! nothing behind.

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::{Placement, Threading};
use moorline_spec::effect::{Effect, OpenThread, UnboundBecause};
use moorline_spec::id::{AgentId, CallId, RequestId, SessionKey, Text};
use moorline_spec::profile::SpawnThreads;
use moorline_spec::stimulus::{Opened, Outcome, ThreadOpened};
use moorline_spec::time::Span;
use serde_json::{Value, json};

use super::decisions::{Asked, Expecting, Mode, Runtime};
use super::journal::Dirty;
use super::state::{ChildOf, Debt, Opening, Owed, Session, Spawn, Standing, Timer, Turn};
use super::tools::Caller;
use super::{Reference, keys};

const PARAMS: [&str; 11] = [
    "task",
    "label",
    "runtime",
    "agentId",
    "model",
    "thinking",
    "runTimeoutSeconds",
    "thread",
    "mode",
    "cleanup",
    "expectsCompletionMessage",
];

/// Why a spawn is refused: a status, and words that help.
type Refusal = (&'static str, String);

fn error<T>(words: impl Into<String>) -> Result<T, Refusal> {
    Err(("error", words.into()))
}

fn forbidden<T>(words: impl Into<String>) -> Result<T, Refusal> {
    Err(("forbidden", words.into()))
}

impl Reference {
    pub(super) fn spawn_call(&mut self, call: CallId, caller: &Caller, params: &Value) {
        match self.check_spawn(caller, params) {
            Ok(spawn) => self.spawn(call, spawn),
            Err((status, error)) => {
                self.answer(call, json!({"status": status, "error": error}));
            }
        }
    }

    fn check_spawn(&mut self, caller: &Caller, params: &Value) -> Result<Spawn, Refusal> {
        let Some(requester) = caller.key.clone() else {
            return error("sessions_spawn is a tool of agents; use runtime.subagent.run");
        };
        check_names(params)?;
        let task = task_of(params)?;
        let asked = self.asked(caller, params)?;
        let thread = self.decisions.spawn_thread(&asked);
        let mode = self.decisions.spawn_mode(&asked, thread);
        let at = caller.origin.as_ref().map(|origin| &origin.address);
        if mode == Mode::Session && !thread {
            self.check_threadless(asked.runtime, at)?;
        }
        if thread {
            self.check_thread(at)?;
        }
        let agent = self.check_agent(&requester, params)?;
        self.check_limits(&requester)?;
        let label = params["label"]
            .as_str()
            .map(str::trim)
            .filter(|label| !label.is_empty());
        if let Some(label) = label
            && (self.by_label(label).is_some() || self.is_opening_label(label))
        {
            return error(format!(
                "the label {label:?} is taken; choose another `label`"
            ));
        }
        let expected = params["expectsCompletionMessage"].as_bool().unwrap_or(true);
        let expected = self.decisions.owes_completion(&Expecting {
            thread,
            mode,
            runtime: asked.runtime,
            expected,
        });
        self.state.children_made += 1;
        let number = self.state.children_made;
        Ok(Spawn {
            incarnation: caller.incarnation,
            origin: caller.origin.clone(),
            key: keys::child_key(&agent, asked.runtime, self.state.life, number),
            number,
            task: Text::from(task),
            label: label.map(Text::from),
            thread,
            mode,
            runtime: asked.runtime,
            expected,
            overrides: self.overrides_of(&agent, params),
            agent,
            timeout: timeout_of(params)?,
            requester,
        })
    }

    fn asked(&self, caller: &Caller, params: &Value) -> Result<Asked, Refusal> {
        let runtime = match params["runtime"].as_str() {
            None if params["runtime"].is_null() => Runtime::Subagent,
            Some("subagent") => Runtime::Subagent,
            Some("acp") => Runtime::Acp,
            Some(_) | None => return error("`runtime` is \"subagent\" or \"acp\""),
        };
        let mode = match params["mode"].as_str() {
            None if params["mode"].is_null() => None,
            Some("run") => Some(Mode::Run),
            Some("session") => Some(Mode::Session),
            Some(_) | None => return error("`mode` is \"run\" or \"session\""),
        };
        let thread = match &params["thread"] {
            Value::Null => false,
            Value::Bool(thread) => *thread,
            Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                return error("`thread` is true or false");
            }
        };
        let at = caller.origin.as_ref().map(|origin| &origin.address);
        let channel = at.and_then(|at| self.channel(&at.channel));
        let threading = channel.map_or(Threading::default(), |channel| {
            self.decisions.threading(&channel.id, channel.threading)
        });
        Ok(Asked {
            thread,
            mode,
            runtime,
            threading,
        })
    }

    fn check_threadless(&self, runtime: Runtime, at: Option<&Address>) -> Result<(), Refusal> {
        let dial = self.dials.session_without_thread;
        if self.decisions.session_may_lack_thread(dial) {
            return Ok(());
        }
        let what = match runtime {
            Runtime::Subagent => "subagent",
            Runtime::Acp => "ACP session",
        };
        let binds = at.is_some_and(|at| self.placement(at) != Placement::None);
        let help = if binds {
            "Retry with { mode: \"session\", thread: true }, or use mode=\"run\"."
        } else {
            "This channel has no thread bindings; use mode=\"run\"."
        };
        error(format!(
            "mode=\"session\" requires thread=true so the {what} can stay bound to a thread. {help}"
        ))
    }

    /// Whether the place can be bound.
    fn check_thread(&self, at: Option<&Address>) -> Result<(), Refusal> {
        let help = "Leave `thread` out: mode=\"run\" reports back here";
        let Some(at) = at else {
            return error(format!(
                "`thread` needs a conversation, and this run has none. {help}."
            ));
        };
        let name = &at.channel;
        let channel = self.channel(name);
        let threads = channel.map(|channel| channel.capabilities.threads);
        let placement = threads.map_or(Placement::None, |threads| threads.placement);
        let direct = self.is_direct(at);
        if placement == Placement::None || (direct && threads.is_some_and(|t| !t.in_direct)) {
            return error(format!(
                "Thread bindings are unavailable for {name}. {help}."
            ));
        }
        if !self.config.bindings_enabled(at) {
            return error(format!(
                "Thread bindings are disabled for {name} (set \
                 channels.{name}.threadBindings.enabled=true to use `thread`). {help}."
            ));
        }
        let by_default = match self.dials.spawn_threads_default {
            SpawnThreads::Off => false,
            SpawnThreads::On => true,
            SpawnThreads::ByPlacement => placement == Placement::Current,
        };
        let injected =
            channel.is_some_and(|channel| channel.threading.requires_thread_for_subagents);
        if !self
            .config
            .spawn_may_bind(at)
            .unwrap_or(by_default || injected)
        {
            return error(format!(
                "Thread-bound spawns are disabled for {name} (set \
                 channels.{name}.threadBindings.spawnSubagentSessions=true to use `thread`). {help}."
            ));
        }
        Ok(())
    }

    /// Whether a conversation is direct, by the session that last spoke there.
    fn is_direct(&self, at: &Address) -> bool {
        let here = at.without_thread();
        let mut sessions = self.state.sessions.values();
        sessions.any(|session| {
            let route = session.route.as_ref().map(Address::without_thread);
            session.kind == Place::Direct && route.as_ref() == Some(&here)
        })
    }

    fn check_agent(&self, requester: &SessionKey, params: &Value) -> Result<AgentId, Refusal> {
        let own = self
            .state
            .session(requester)
            .map(|session| session.agent.clone());
        let Some(named) = params["agentId"].as_str() else {
            return Ok(own.unwrap_or_else(|| self.default_agent()));
        };
        let named = AgentId::from(named);
        if self.agents.contains(&named) {
            return Ok(named);
        }
        let known: Vec<&str> = self.agents.iter().map(AgentId::as_str).collect();
        let known = known.join(", ");
        forbidden(format!(
            "agentId is not allowed for sessions_spawn (allowed: {known})"
        ))
    }

    fn check_limits(&self, requester: &SessionKey) -> Result<(), Refusal> {
        let (deepest, most) = self.spawn_limits(requester);
        let child = self
            .state
            .session(requester)
            .and_then(|session| session.child.as_ref());
        let depth = child.map_or(0, |child| child.depth);
        if depth >= deepest {
            return forbidden(format!(
                "sessions_spawn is not allowed at this depth (current depth: {depth}, max: \
                 {deepest}); do the work in this run"
            ));
        }
        let debts = self.state.debts.values().filter(|debt| {
            let running = debt.state == Standing::Running;
            debt.requester == *requester && running && matches!(debt.what, Owed::Child(_))
        });
        let active = debts.count();
        let openings = self.state.openings.values();
        let in_flight = openings
            .filter(|open| open.spawn.requester == *requester)
            .count();
        if !self.decisions.may_have_child(active, in_flight, most) {
            let count = active + in_flight;
            return forbidden(format!(
                "sessions_spawn has reached max active children for this session ({count}/{most}); \
                 wait until one has ended"
            ));
        }
        Ok(())
    }

    fn is_opening_label(&self, label: &str) -> bool {
        let mut openings = self.state.openings.values();
        openings.any(|open| {
            open.spawn
                .label
                .as_ref()
                .is_some_and(|own| own.as_str() == label)
        })
    }

    fn spawn(&mut self, call: CallId, spawn: Spawn) {
        let at = spawn.origin.as_ref().map(|origin| origin.address.clone());
        match at {
            Some(at) if spawn.thread && self.placement(&at) == Placement::Child => {
                self.state.requests_made += 1;
                let request = RequestId::from(self.name('q', self.state.requests_made));
                self.out.push(Effect::OpenThread(OpenThread {
                    request: request.clone(),
                    parent: at.without_thread(),
                    name: spawn
                        .label
                        .clone()
                        .unwrap_or_else(|| keys::words(&spawn.task)),
                    session_key: spawn.key.clone(),
                }));
                self.state.openings.insert(request, Opening { call, spawn });
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
        let Some(Opening { call, spawn }) = self.state.openings.remove(&opened.request) else {
            return;
        };
        let requester = self.state.session(&spawn.requester);
        let outlived = requester.is_some_and(|session| session.incarnation == spawn.incarnation);
        match &opened.outcome {
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
        run.overrides = spawn.overrides;
        let number = run.number;
        let debt = Debt {
            run: number,
            what: Owed::Child(spawn.mode),
            child: spawn.key.clone(),
            requester: spawn.requester,
            incarnation: spawn.incarnation,
            origin: spawn.origin,
            task: spawn.task,
            state: Standing::Running,
            outcome: Outcome::Ok,
            text: Text::default(),
            said: None,
            turns: 0,
            expected: spawn.expected,
            label: spawn.label,
            exchanged: 0,
            call: None,
        };
        self.state.debts.insert(number, debt);
        self.dirty(Dirty::Debt(number));
        if let Some(address) = bound {
            let run = (spawn.mode == Mode::Run).then_some(number);
            self.bind(address, spawn.key.clone(), None, run);
        }
        if let Some(limit) = spawn.timeout {
            let timer = Timer::RunTimeout(number);
            self.state.timers.insert((self.now + limit, timer));
        }
        if self.decisions.answers_before_persisting() {
            self.accept(number, call, true);
            if let Turn::Child { call, .. } = &mut run.turn {
                *call = None;
            }
        }
        self.enqueue(run);
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
        if let Some(&binding) = self.state.bound_to.get(&key).and_then(|of| of.first()) {
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
        self.state.sessions.remove(&run.key);
        self.state.transcripts.remove(&run.key);
        self.dirty(Dirty::Session(run.key.clone()));
        if let Turn::Child {
            call: Some(call), ..
        } = run.turn
        {
            let remains = thread.map_or(String::new(), |at| {
                format!("; the thread {at} remains, unbound")
            });
            self.refuse(
                call,
                format!("the child did not start: {why}{remains}. Try again."),
            );
        }
    }
}

/// Every parameter has its effect or is refused by name.
fn check_names(params: &Value) -> Result<(), Refusal> {
    let names = params
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str());
    let mut unknown = names.filter(|name| !PARAMS.contains(name));
    match unknown.next() {
        Some(name) => error(format!(
            "sessions_spawn does not support \"{name}\"; there is {}",
            PARAMS.join(", ")
        )),
        None => Ok(()),
    }?;
    match params["cleanup"].as_str() {
        None if params["cleanup"].is_null() => Ok(()),
        Some("keep") => Ok(()),
        Some(_) | None => error("`cleanup` is \"keep\"; use sessions.delete to remove a child"),
    }
}

fn task_of(params: &Value) -> Result<&str, Refusal> {
    match params["task"].as_str() {
        Some(task) if !task.trim().is_empty() => Ok(task),
        Some(_) | None => error("sessions_spawn needs `task`, a text"),
    }
}

fn timeout_of(params: &Value) -> Result<Option<Span>, Refusal> {
    let given = &params["runTimeoutSeconds"];
    match given.as_u64() {
        None if given.is_null() => Ok(None),
        Some(0) => Ok(None),
        Some(seconds) => Ok(Some(Span::secs(seconds))),
        None => error("`runTimeoutSeconds` is a whole number of seconds; 0 is no limit"),
    }
}
