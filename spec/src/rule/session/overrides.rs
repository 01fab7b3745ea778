//! What holds for one run, and what holds for a session.

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::super::{Checker, Kind, Rule, Sink};
use super::kept::is_done;
use super::rule;
use crate::effect::{Effect, StartRun};
use crate::facts::{CallFacts, Facts, Role};
use crate::id::SessionKey;
use crate::trace::{Entry, What};

pub(super) fn overrides_not_sticky() -> Rule {
    rule(
        "session.overrides-not-sticky",
        "Model and prompt overrides of one run hold for that run only; what is to hold for the \
         session is patched.",
        &["R5.1", "S-94"],
        &[],
        &[Kind::StartRun, Kind::Answer],
        || Box::new(Overrides::default()),
    )
}

/// Remembers what was meant for one run, and what for a session.
#[derive(Default)]
struct Overrides {
    once: FxHashMap<SessionKey, Map<String, Value>>,
    lasting: FxHashMap<SessionKey, Map<String, Value>>,
}

impl Checker for Overrides {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::Answer(_)) => {
                if let Some(call) = facts.call_here().map(|(_, call)| call) {
                    self.on_answer(call, facts);
                }
            }
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            _ => (),
        }
    }
}

impl Overrides {
    /// A patch or a spawn says how a session is from here on.
    fn on_answer(&mut self, call: &CallFacts, facts: &Facts) {
        if call.method != "sessions.patch" || !is_done(call) {
            return;
        }
        let key = call.text("key").and_then(|key| facts.session_named(key));
        if let (Some(key), Some(params)) = (key, call.params.as_object()) {
            let lasting = self.lasting.entry(key.clone()).or_default();
            lasting.extend(params.clone());
        }
    }

    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let key = &start.session_key;
        let own = facts.run_here().and_then(|run| match &run.role {
            Role::Plugin(call) | Role::Child(call) | Role::Sent(call) => facts.calls.get(call),
            _ => None,
        });
        if let Some(once) = self.once.get(key)
            && start.resumes.is_none()
        {
            let own_params = own.map(|call| &call.params);
            let lasting = self.lasting.get(key);
            let carries = |name: &str, value: &Value| {
                let own = own_params.and_then(|params| params.get(name)) == Some(value);
                let lasts = lasting.and_then(|lasting| lasting.get(name)) == Some(value);
                start.overrides.get(name) == Some(value) && !own && !lasts
            };
            let run = &start.run;
            match once.iter().find(|(name, value)| carries(name, value)) {
                Some((name, value)) => sink.fail(
                    format!("run {run} of session {key} has {name} {value}, which was meant for an earlier run"),
                    format!("run {run} has no {name} but what it was asked for with, or the session is patched with"),
                ),
                None => sink.witness(),
            }
            self.once.remove(key);
        }
        let meant = own.filter(|call| call.method == "runtime.subagent.run");
        if let (Some(_), Some(overrides)) = (meant, start.overrides.as_object()) {
            self.once.insert(key.clone(), overrides.clone());
        }
    }
}
