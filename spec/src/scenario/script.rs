//! What an agent does in one run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SessionRef;
use crate::stimulus::Outcome;
use crate::time::Span;

/// One thing an agent does. A script's actions follow each other; each call waits for its answer.
///
/// An agent without a script says "ok", repeats the markers of its input, and ends. A run that was
/// spawned without a script goes on until a step ends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Calls `sessions_spawn`.
    Spawn(Spawn),
    /// Calls `sessions_spawn` several times at once, and waits for the answer to the last call.
    Spawns(Vec<Spawn>),
    /// Calls `sessions_send`.
    Send(SendText),
    /// Calls any other method.
    Call(MethodCall),
    /// Lets time pass.
    Wait(Span),
    /// Says something before the end.
    Progress(String),
    /// The run's last words will repeat every marker that its memory holds.
    Recall(bool),
    /// The run's last words will not repeat the markers of its input.
    Reword(bool),
    /// Ends the run.
    End(Ending),
    /// Goes on until a step ends it.
    Stay(bool),
}

impl Action {
    /// The texts that it makes, by their names, each with the script of whoever is given it.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Option<&[Self]>)> {
        let (spawns, other) = match self {
            Self::Spawn(spawn) => (std::slice::from_ref(spawn), None),
            Self::Spawns(spawns) => (&spawns[..], None),
            Self::Send(send) => (
                Default::default(),
                Some((send.name.as_str(), send.agent.as_deref())),
            ),
            Self::Call(call) => (Default::default(), Some((call.name.as_str(), None))),
            Self::Wait(_)
            | Self::Progress(_)
            | Self::Recall(_)
            | Self::Reword(_)
            | Self::End(_)
            | Self::Stay(_) => Default::default(),
        };
        let spawns = spawns.iter();
        spawns
            .map(|spawn| (spawn.name.as_str(), spawn.agent.as_deref()))
            .chain(other)
    }

    /// Those of them that can come with a script, and the scripts, to be changed.
    pub fn scripts_mut(&mut self) -> impl Iterator<Item = (&str, &mut Option<Vec<Self>>)> {
        let (spawns, send) = match self {
            Self::Spawn(spawn) => (std::slice::from_mut(spawn), None),
            Self::Spawns(spawns) => (&mut spawns[..], None),
            Self::Send(send) => (
                Default::default(),
                Some((send.name.as_str(), &mut send.agent)),
            ),
            Self::Call(_)
            | Self::Wait(_)
            | Self::Progress(_)
            | Self::Recall(_)
            | Self::Reword(_)
            | Self::End(_)
            | Self::Stay(_) => Default::default(),
        };
        let spawns = spawns.iter_mut();
        spawns
            .map(|spawn| (spawn.name.as_str(), &mut spawn.agent))
            .chain(send)
    }
}

/// A child that an agent spawns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Spawn {
    /// The name of the call, of its task's marker, and of the run it leads to.
    #[serde(rename = "as")]
    pub name: String,
    /// The task.
    pub task: String,
    /// The label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `run` or `session`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Whether the child gets a thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<bool>,
    /// `subagent` or `acp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Further parameters. A text of the form `"$r1.sessionId"` stands for the id of the session of
    /// the run so named.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// What the child does. With a script it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Vec<Action>>,
}

/// A text that an agent sends to another session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendText {
    /// The name of the call and of its text's marker.
    #[serde(rename = "as")]
    pub name: String,
    /// To whom.
    pub to: SendTo,
    /// The text.
    pub text: String,
    /// How long the sender waits for the reply; the gateway's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// What the other session's agent does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Vec<Action>>,
}

/// To whom a text is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a session (a key, a run's name, a person or place) or {\"label\": \"..\"}"
)]
pub enum SendTo {
    /// By key.
    Session(SessionRef),
    /// By label.
    Label {
        /// The label.
        label: String,
    },
}

/// Any method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MethodCall {
    /// The name of the call.
    #[serde(rename = "as")]
    pub name: String,
    /// The method.
    pub method: String,
    /// Its parameters. A text of the form `"$r1"` stands for the session key of the run so named, and
    /// `"$r1.sessionId"` for the id of that session, and `"$r1.runId"` for the id of the run: of
    /// those so named the one whose failure was reported last, else the one that was over last.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// How a run ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ending {
    /// The outcome.
    pub outcome: Outcome,
    /// Its last words; a marker is added to them. Empty means that it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How many characters its last words have; they are filled up, with markers at intervals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
}
