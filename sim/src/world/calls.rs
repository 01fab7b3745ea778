//! Calls that agents, the administrator and plugins make.

use moorline_spec::effect::{Answer, Effect, Report};
use moorline_spec::id::{CallId, Marker, SessionKey};
use moorline_spec::scenario::{MethodCall, SendText, SendTo, SessionRef, Spawn};
use moorline_spec::stimulus::{Call, Caller, Stimulus};
use moorline_spec::time::Span;
use moorline_spec::trace::{What, World as Happening};
use serde_json::{Map, Value};

use super::agents::State;
use super::clock::RunIndex;
use super::text::{Said, markers_in_value};
use super::{World, latency};

impl World<'_> {
    /// An agent calls `sessions_spawn`. Like the other calls it says whether it waits now.
    pub(super) fn spawn(&mut self, run: RunIndex, spawn: &Spawn) -> bool {
        let mut params = Map::new();
        let said = Said::with_own(&spawn.task, spawn.name.as_str().into());
        params.insert("task".to_owned(), said.text.as_str().into());
        let texts = [
            ("label", &spawn.label),
            ("mode", &spawn.mode),
            ("runtime", &spawn.runtime),
            ("agentId", &spawn.agent_id),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                params.insert(name.to_owned(), text.as_str().into());
            }
        }
        if let Some(thread) = spawn.thread {
            params.insert("thread".to_owned(), thread.into());
        }
        let mut missing = None;
        for (name, value) in &spawn.params {
            let mut value = value.clone();
            self.fill_in(&mut value, &mut missing);
            params.insert(name.clone(), value);
        }
        if let Some(missing) = missing {
            return self.unable(run, &missing);
        }
        self.call(
            run,
            &spawn.name,
            "sessions_spawn",
            params,
            said.own,
            said.markers,
        );
        true
    }

    /// An agent calls `sessions_send`.
    pub(super) fn send(&mut self, run: RunIndex, send: &SendText) -> bool {
        let mut params = Map::new();
        match &send.to {
            SendTo::Label { label } => {
                params.insert("label".to_owned(), label.as_str().into());
            }
            SendTo::Session(session) => {
                let Some(key) = self.session(session) else {
                    return self.unable(run, &session.0);
                };
                params.insert("sessionKey".to_owned(), key.as_str().into());
            }
        }
        let said = Said::with_own(&send.text, send.name.as_str().into());
        params.insert("message".to_owned(), said.text.as_str().into());
        if let Some(Span(ms)) = send.timeout {
            let seconds = if ms % 1_000 == 0 {
                Value::from(ms / 1_000)
            } else {
                Value::from(ms as f64 / 1_000.0)
            };
            params.insert("timeoutSeconds".to_owned(), seconds);
        }
        self.call(
            run,
            &send.name,
            "sessions_send",
            params,
            said.own,
            said.markers,
        );
        true
    }

    /// An agent calls any other method.
    pub(super) fn call_method(&mut self, run: RunIndex, call: &MethodCall) -> bool {
        let mut params = call.params.clone();
        let mut missing = None;
        for value in params.values_mut() {
            self.fill_in(value, &mut missing);
        }
        if let Some(missing) = missing {
            return self.unable(run, &missing);
        }
        let mut own = Vec::new();
        for name in ["task", "message"] {
            if let Some(Value::String(text)) = params.get_mut(name) {
                own = vec![Marker::from(call.name.as_str())];
                *text = format!("{text} {}", own[0].in_text());
            }
        }
        let mut markers = Vec::new();
        for value in params.values() {
            markers_in_value(value, &mut markers);
        }
        self.call(run, &call.name, &call.method, params, own, markers);
        true
    }

    /// `"$r1"` stands for the session key of the run so named, `"$r1.sessionId"` for its id,
    /// `"$r1.runId"` for the id of the run of that name whose failure was reported last, else of the
    /// one that was over last.
    fn fill_in(&self, value: &mut Value, missing: &mut Option<String>) {
        match value {
            Value::String(text) => {
                let Some(name) = text.strip_prefix('$') else {
                    return;
                };
                if let Some(name) = name.strip_suffix(".runId") {
                    match self.run_id(name) {
                        Some(found) => *text = found,
                        None => *missing = Some(name.to_owned()),
                    }
                    return;
                }
                let (name, wants_id) = match name.strip_suffix(".sessionId") {
                    Some(name) => (name, true),
                    None => (name, false),
                };
                let key = self.session(&SessionRef(name.to_owned()));
                let found = match (key, wants_id) {
                    (Some(key), true) => self.session_id(&key),
                    (key, _) => key.map(|key| key.as_str().to_owned()),
                };
                match found {
                    Some(found) => *text = found,
                    None => *missing = Some(name.to_owned()),
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.fill_in(value, missing);
                }
            }
            Value::Object(members) => {
                for value in members.values_mut() {
                    self.fill_in(value, missing);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => (),
        }
    }

    /// The id of a run by its name.
    fn run_id(&self, name: &str) -> Option<String> {
        let index = self.names.index(name)?;
        let mut entries = self.trace.entries.iter().rev();
        let failed = entries.find_map(|entry| match &entry.what {
            What::Effect(Effect::Report(Report::Failed { run, .. })) => {
                let known = self.run_ids.get(run).copied();
                let own = known.is_some_and(|known| self.runs[known].name == index);
                own.then(|| run.as_str().to_owned())
            }
            What::Effect(_) | What::Stimulus(_) | What::World(_) => None,
        });
        failed.or_else(|| Some(self.runs[self.over(name)?].id.as_str().to_owned()))
    }

    /// The id under which the last run of a session was asked for.
    fn session_id(&self, key: &SessionKey) -> Option<String> {
        let mut entries = self.trace.entries.iter().rev();
        entries.find_map(|entry| match &entry.what {
            What::Effect(Effect::StartRun(start)) if start.session_key == *key => {
                Some(start.session_id.as_str().to_owned())
            }
            What::Effect(_) | What::Stimulus(_) | What::World(_) => None,
        })
    }

    /// What a script asks for cannot be asked for; it goes on.
    fn unable(&mut self, run: RunIndex, session: &str) -> bool {
        let why = format!("the session of {session:?} is not known").into();
        self.happens(Happening::Unable {
            run: self.runs[run].id.clone(),
            why,
        });
        false
    }

    fn call(
        &mut self,
        run: RunIndex,
        name: &str,
        method: &str,
        params: Map<String, Value>,
        own: Vec<Marker>,
        markers: Vec<Marker>,
    ) {
        let call = CallId::from(name);
        self.runs[run].state = State::Calling;
        self.runs[run].calling = call.clone();
        let by = Caller::Run(self.runs[run].id.clone());
        let params = Value::Object(params);
        let call = Call {
            call,
            by,
            method: method.into(),
            params,
        };
        self.tell(Stimulus::Call(call), own, markers);
    }

    /// The run that makes a call, where one does.
    pub(super) fn caller(&self, call: &Call) -> Option<RunIndex> {
        match &call.by {
            Caller::Run(run) => self.run_ids.get(run).copied(),
            Caller::Admin | Caller::Plugin => None,
        }
    }

    /// A call is answered; the agent that waits for it goes on.
    pub(super) fn on_answer(&mut self, answer: &Answer) {
        let Some(run) = self.calls.remove(&answer.call) else {
            return;
        };
        if let Some(key) = answer.result.get("childSessionKey").and_then(Value::as_str)
            && let Some(named) = self.names.get_mut(answer.call.as_str())
        {
            named.child = Some(key.into());
        }
        let Some(run) = run else {
            return;
        };
        let waits = self.runs[run].state == State::Calling;
        if waits && self.runs[run].calling == answer.call {
            self.act_in(run, latency::ACT);
        }
    }

    /// The session that is meant: a key, that of a named run or message, or that which last worked
    /// on a message from a person or place.
    pub(super) fn session(&self, session: &SessionRef) -> Option<SessionKey> {
        if let Some(key) = session.key() {
            return Some(key);
        }
        if let Some(named) = self.names.get(&session.0) {
            return named.child.clone().or_else(|| named.given_to.clone());
        }
        let (at, _) = self.places.home(&session.0)?;
        let wrote_there = |run: &&super::agents::Run<'_>| {
            self.names.by_index(run.name).written_at.as_ref() == Some(&at)
        };
        self.runs
            .iter()
            .rev()
            .find(wrote_there)
            .map(|run| run.key.clone())
    }
}
