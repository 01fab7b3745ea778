//! Texts from session to session, and replies that come in time or later.

use moorline_spec::id::{CallId, SessionKey, Text};
use moorline_spec::time::Span;
use serde_json::{Value, json};

use super::decisions::Audience;
use super::journal::Dirty;
use super::state::{Debt, Owed, Standing, Timer, Turn};
use super::tools::Caller;
use super::{Reference, keys};

/// How long a sender waits unless it says otherwise.
const WAIT: Span = Span::secs(30);

impl Reference {
    pub(super) fn send_call(&mut self, call: CallId, caller: &Caller, params: &Value) {
        let Some(message) = params["message"]
            .as_str()
            .filter(|text| !text.trim().is_empty())
        else {
            return self.refuse(call, "sessions_send needs `message`, the text");
        };
        let target = match self.send_target(caller, params) {
            Ok(target) => target,
            Err((status, error)) => {
                return self.answer(call, json!({"status": status, "error": error}));
            }
        };
        let wait = match params["timeoutSeconds"].as_f64() {
            Some(seconds) if seconds.is_finite() => Span::secs(seconds.max(0.0).floor() as u64),
            Some(_) | None => WAIT,
        };
        self.open_session(&target);
        let message = Text::from(message);
        let run = self.new_run(
            target.clone(),
            Turn::Sent,
            message.clone(),
            caller.origin.clone(),
        );
        let number = run.number;
        let deadline = self.now + wait;
        let waits = !wait.is_zero() && caller.run.is_some();
        let debt = Debt {
            run: number,
            what: Owed::Reply,
            child: target.clone(),
            requester: caller.key.clone().unwrap_or_else(|| self.main.clone()),
            incarnation: caller.incarnation,
            origin: caller.origin.clone(),
            task: message,
            state: Standing::Running,
            outcome: moorline_spec::stimulus::Outcome::Ok,
            text: Text::default(),
            said: None,
            turns: 0,
            audience: match caller.key {
                Some(_) => Audience::Parent,
                None => Audience::Nobody,
            },
            streams: false,
            deletes: false,
            label: None,
            call: waits.then(|| (call.clone(), deadline, caller.run.unwrap_or_default())),
        };
        self.state.debts.insert(number, debt);
        self.dirty(Dirty::Debt(number));
        if waits {
            self.state.timers.insert((deadline, Timer::Reply(number)));
        } else {
            let id = keys::run_id(number);
            let result = json!({"status": "accepted", "runId": id, "sessionKey": target});
            self.answer(call, result);
        }
        self.enqueue(run);
    }

    fn send_target(
        &self,
        caller: &Caller,
        params: &Value,
    ) -> Result<SessionKey, (&'static str, String)> {
        let target = match (params["sessionKey"].as_str(), params["label"].as_str()) {
            (Some(_), Some(_)) => {
                let error = "Provide either sessionKey or label (not both).";
                return Err(("error", error.to_owned()));
            }
            (None, None) => {
                let error = "Either sessionKey or label is required.";
                return Err(("error", error.to_owned()));
            }
            (Some(key), None) => self.resolve(caller, key),
            (None, Some(label)) => self
                .by_label(label)
                .ok_or_else(|| format!("No session found with label: {label}")),
        };
        let target = target.map_err(|error| ("error", error))?;
        if caller.key.as_ref() == Some(&target) {
            let error =
                "sessions_send cannot target the calling session; use your own reply instead";
            return Err(("error", error.to_owned()));
        }
        let exists = self.state.session(&target).is_some();
        if exists && !self.sees(caller, &target) {
            let error = format!("Session not visible from this session: {target}");
            return Err(("forbidden", error));
        }
        let (from, to) = (
            caller.key.as_ref().and_then(keys::agent_of),
            keys::agent_of(&target),
        );
        let foreign = from.is_some() && from != to;
        let own_child = exists && self.is_below(caller.key.as_ref(), &target);
        if foreign && !own_child && !self.dials.agent_to_agent {
            let error = "Agent-to-agent messaging is disabled.";
            return Err(("forbidden", error.to_owned()));
        }
        Ok(target)
    }

    /// The session that a reference names: a key, an alias of the main one, or a session id.
    pub(super) fn resolve(&self, caller: &Caller, name: &str) -> Result<SessionKey, String> {
        let name = name.trim();
        if name == "main" {
            let agent = caller.key.as_ref().and_then(keys::agent_of);
            return Ok(agent.map_or_else(|| self.main.clone(), |agent| keys::main_key(&agent)));
        }
        if name == "current"
            && let Some(key) = &caller.key
        {
            return Ok(key.clone());
        }
        let key = SessionKey::from(name);
        if self.state.session(&key).is_some() {
            return Ok(key);
        }
        let mut sessions = self
            .state
            .sessions
            .values()
            .filter(|session| !session.ghost);
        if let Some(found) = sessions.find(|s| keys::session_id(s.id).as_str() == name) {
            return Ok(found.key.clone());
        }
        let known_agent = keys::agent_of(&key).is_some_and(|agent| self.agents.contains(&agent));
        if self.dials.send_minting && known_agent {
            return Ok(key);
        }
        let help = "use the full sessionKey from sessions_list, or a label";
        Err(format!("Session not found: {name} ({help})"))
    }

    pub(super) fn by_label(&self, label: &str) -> Option<SessionKey> {
        let mut sessions = self
            .state
            .sessions
            .values()
            .filter(|session| !session.ghost);
        let found = sessions.find(|s| s.label.as_ref().is_some_and(|own| own.as_str() == label));
        found.map(|session| session.key.clone())
    }

    /// The sender waits no longer; the reply will reach its session when it comes.
    pub(super) fn stop_waiting(&mut self, number: u64) {
        let Some(debt) = self.state.debts.get_mut(&number) else {
            return;
        };
        let Some((call, _, _)) = debt.call.take() else {
            return;
        };
        self.dirty(Dirty::Debt(number));
        self.answer_late(number, call);
    }

    /// The call is over, and what comes of it is told later.
    pub(super) fn answer_late(&mut self, number: u64, call: CallId) {
        let Some(debt) = self.state.debts.get(&number) else {
            return;
        };
        let id = keys::run_id(number);
        let result = json!({"status": "timeout", "runId": id, "sessionKey": debt.child});
        self.answer(call, result);
    }
}
