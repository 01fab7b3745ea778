//! Methods that agents, plugins and administrators call, beside spawn and send.

use moorline_spec::address::Origin;
use moorline_spec::id::{CallId, SessionKey, Text};
use moorline_spec::stimulus::{Call, Caller as By};
use serde_json::{Value, json};

use super::reach::{Unreached, Want, given};
use super::state::Turn;
use super::{Reference, keys};

/// Who calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    /// The calling run.
    pub run: Option<u64>,
    /// Its session.
    pub key: Option<SessionKey>,
    /// The incarnation of it.
    pub incarnation: u64,
    /// Where what it asks for belongs.
    pub origin: Option<Origin>,
}

impl Reference {
    pub(super) fn on_call(&mut self, call: &Call) {
        let caller = match &call.by {
            By::Run(run) => match self.calling_run(run) {
                Some(caller) => caller,
                None => return self.refuse(call.call.clone(), format!("run {run} is over")),
            },
            By::Admin | By::Plugin => Caller::default(),
        };
        let (id, params) = (call.call.clone(), &call.params);
        match call.method.as_str() {
            "sessions_spawn" => {
                if params["cleanup"] == "keep" {
                    self.keeps.insert(id.clone());
                }
                self.spawn_call(id, &caller, params);
            }
            "sessions_send" => self.send_call(id, &caller, params),
            "sessions_list" => {
                self.maintain(None);
                let sessions = self.list(&caller);
                self.answer(id, json!({"status": "ok", "sessions": sessions}));
            }
            "sessions_history" => self.history_call(call, &caller),
            "session_status" => self.status_call(call, &caller),
            "subagents" => self.subagents_call(call, &caller),
            "sessions_yield" => self.yield_call(id, &caller, params),
            "sessions.reset" | "sessions.delete" | "sessions.patch" => {
                self.admin_call(call, &caller);
            }
            "runtime.subagent.run" => self.plugin_run(call, &caller),
            method => {
                let known = "sessions_spawn, sessions_send, sessions_list, sessions_history, \
                             session_status, sessions_yield, subagents, sessions.reset, \
                             sessions.delete, sessions.patch, \
                             runtime.subagent.run";
                self.refuse(id, format!("unknown method {method}; there is {known}"));
            }
        }
    }

    /// A run that may call: it lives, and so does the incarnation it belongs to.
    pub(super) fn calling_run(&self, run: &moorline_spec::id::RunId) -> Option<Caller> {
        let number = keys::run_number(run)?;
        let may = |run: &&super::state::Run| self.decisions.may_call(!run.is_live());
        let run = self.state.runs.get(&number).filter(may)?;
        let session = self.state.sessions.get(&run.key)?;
        let origin = run.origin.clone().map(|origin| Origin {
            requester: Some(run.key.clone()),
            ..origin
        });
        Some(Caller {
            run: Some(number),
            key: Some(run.key.clone()),
            incarnation: session.incarnation,
            origin,
        })
    }

    /// Whether a session was spawned by another one, at any depth.
    pub(super) fn is_below(&self, above: Option<&SessionKey>, key: &SessionKey) -> bool {
        let Some(above) = above else {
            return true;
        };
        let parent = |key: &SessionKey| {
            let child = self.state.sessions.get(key)?.child.as_ref()?;
            Some(&child.parent)
        };
        std::iter::successors(parent(key), |key| parent(key)).any(|parent| parent == above)
    }

    fn list(&self, caller: &Caller) -> Vec<Value> {
        let mut sessions: Vec<_> = self
            .state
            .sessions
            .values()
            .filter(|session| !session.ghost && self.sees(caller, &session.key))
            .collect();
        sessions.sort_by(|left, right| left.key.cmp(&right.key));
        let row = |session: &&super::state::Session| {
            let mut row = json!({
                "key": session.key,
                "sessionId": keys::session_id(session.id),
                "running": session.current.is_some(),
            });
            if let Some(label) = &session.label {
                row["label"] = json!(label);
            }
            if let Some(child) = &session.child {
                row["spawnedBy"] = json!(child.parent);
            }
            row
        };
        sessions.iter().map(row).collect()
    }

    /// The session that `sessionKey`, `key` or `label` name, if the caller sees it.
    pub(super) fn named(&self, caller: &Caller, params: &Value) -> Result<SessionKey, Unreached> {
        let names = ["sessionKey", "key", "target"];
        let key = names.into_iter().find_map(|name| given(params, name));
        let found = match (key, given(params, "label")) {
            (Some(key), _) => self.resolve(caller, key).or_else(|why| {
                // A label does where it is no key.
                self.labelled(key).map_err(|_| why)
            }),
            (None, Some(label)) => self.labelled(label),
            (None, None) => Err("name the session by `sessionKey` or `label`".to_owned()),
        };
        let key = found.map_err(|why| ("error", why))?;
        if self.state.session(&key).is_none() {
            return Err(("error", format!("Unknown sessionKey: {key}")));
        }
        self.reached(caller, key, Want::Look)
    }

    pub(super) fn unreached(&mut self, call: CallId, (status, why): Unreached) {
        self.answer(call, json!({"status": status, "error": why}));
    }

    fn status_call(&mut self, call: &Call, caller: &Caller) {
        match self.named(caller, &call.params) {
            Ok(key) => {
                let rows = self.list(caller);
                let row = rows.into_iter().find(|row| row["key"] == json!(key));
                let mut row = row.unwrap_or_else(|| json!({"key": key}));
                row["status"] = json!("ok");
                self.answer(call.call.clone(), row);
            }
            Err(why) => self.unreached(call.call.clone(), why),
        }
    }

    fn admin_call(&mut self, call: &Call, caller: &Caller) {
        let key = match self.named(caller, &call.params) {
            Ok(key) => key,
            Err(why) => return self.unreached(call.call.clone(), why),
        };
        match call.method.as_str() {
            "sessions.delete" => self.delete_call(call.call.clone(), &key),
            "sessions.patch" => self.patch_call(call.call.clone(), &key, &call.params),
            _ => self.reset_call(call.call.clone(), &key),
        }
    }

    /// A plugin continues a session, or opens one.
    fn plugin_run(&mut self, call: &Call, caller: &Caller) {
        let Some(key) = call.params["sessionKey"]
            .as_str()
            .filter(|key| !key.is_empty())
        else {
            return self.refuse(call.call.clone(), "runtime.subagent.run needs `sessionKey`");
        };
        let Some(message) = call.params["message"].as_str() else {
            return self.refuse(call.call.clone(), "runtime.subagent.run needs `message`");
        };
        let key = match self.spelled(key) {
            Ok(key) => key,
            Err(error) => return self.refuse(call.call.clone(), error),
        };
        self.open_session(&key);
        let turn = Turn::Plugin {
            call: Some(call.call.clone()),
        };
        let mut run = self.new_run(key, turn, Text::from(message), caller.origin.clone());
        for name in ["model", "provider", "extraSystemPrompt"] {
            if !call.params[name].is_null() {
                run.overrides[name] = call.params[name].clone();
            }
        }
        self.enqueue(run);
    }
}
