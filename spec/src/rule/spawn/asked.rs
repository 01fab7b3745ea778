//! What a spawn asks for, once its channel's threading policy has had its say.

use serde_json::Value;

use crate::address::Address;
use crate::channel::{Channel, Placement};
use crate::facts::{CallFacts, Facts};
use crate::id::{CallId, SessionKey};

/// A spawn, and what is to come of it.
pub(in crate::rule) struct Asked<'a> {
    pub(in crate::rule) call: &'a CallFacts,
    /// The conversation it answers to.
    pub(in crate::rule) origin: &'a Address,
    pub(in crate::rule) channel: &'a Channel,
    /// Whether the child runs in another runtime, which no policy touches.
    pub(in crate::rule) acp: bool,
    /// Whether `thread` was given as true.
    pub(in crate::rule) thread_given: bool,
    /// The mode that was given, where it is one.
    pub(in crate::rule) mode_given: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// What a call asks for; `None` where it is no spawn of a run that answers to one conversation.
    pub(in crate::rule) fn of(id: &CallId, facts: &'a Facts) -> Option<Self> {
        let call = facts.calls.get(id)?;
        let [origin] = &*call.origins else {
            return None;
        };
        (call.method == "sessions_spawn").then_some(Self {
            call,
            origin,
            channel: facts.channel(origin)?,
            acp: call.text("runtime") == Some("acp"),
            thread_given: call.is_true("thread"),
            mode_given: call
                .text("mode")
                .filter(|mode| matches!(*mode, "run" | "session")),
        })
    }

    /// Whether the policy gives the child a thread.
    pub(in crate::rule) fn thread_injected(&self) -> bool {
        self.channel.threading.requires_thread_for_subagents && !self.acp
    }

    /// Whether the policy makes its mode `session`.
    pub(in crate::rule) fn mode_injected(&self) -> bool {
        self.channel.threading.auto_inject_thread_params && !self.acp
    }

    /// Whether the child is to have a thread.
    pub(in crate::rule) fn thread(&self) -> bool {
        self.thread_given || self.thread_injected()
    }

    /// The mode it is to have.
    pub(in crate::rule) fn mode(&self) -> &'static str {
        match self.mode_given {
            _ if self.mode_injected() => "session",
            Some("session") => "session",
            Some(_) => "run",
            None if self.thread() => "session",
            None => "run",
        }
    }

    /// Whether the child is a session without a thread.
    pub(in crate::rule) fn is_headless(&self) -> bool {
        !self.thread() && self.mode() == "session"
    }

    /// Whether the channel opens a thread for a child that is to have one.
    pub(in crate::rule) fn opens_threads(&self) -> bool {
        self.channel.capabilities.threads.placement == Placement::Child
    }
}

/// Whether a call is a spawn that was answered, and not accepted.
pub(in crate::rule) fn is_refused(call: &CallFacts) -> bool {
    call.method == "sessions_spawn" && call.answer.is_some() && !call.is_accepted()
}

/// The session of a spawned child, as far as it is known.
pub(in crate::rule) fn child_key(call: &CallFacts, facts: &Facts) -> Option<SessionKey> {
    let given = call
        .answer
        .as_ref()
        .and_then(|answer| answer.get("childSessionKey"));
    given
        .and_then(Value::as_str)
        .map(SessionKey::from)
        .or_else(|| {
            let run = facts.runs.get(call.run.as_ref()?)?;
            Some(run.key.clone())
        })
}

/// The words of an answer.
pub(in crate::rule) fn words(call: &CallFacts) -> String {
    let answer = call.answer.as_ref();
    let error = answer.and_then(|answer| answer.get("error"));
    match error.and_then(Value::as_str) {
        Some(error) => error.to_owned(),
        None => answer.map(Value::to_string).unwrap_or_default(),
    }
}

/// Whether a JSON value holds that text somewhere.
pub(in crate::rule) fn names(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text == name,
        Value::Array(values) => values.iter().any(|value| names(value, name)),
        Value::Object(fields) => fields.values().any(|value| names(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
