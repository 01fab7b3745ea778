//! What a gateway asks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::Address;
use crate::id::{
    AgentId, CallId, DeliveryId, MessageId, RequestId, RunId, SessionId, SessionKey, SteerId, Text,
};
use crate::record::Record;

/// One thing a gateway asks for. A request waits, by its id, for its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Request: an agent shall run. Answered by `RunStarted`, ended by `RunEnded`.
    StartRun(StartRun),
    /// Request: a running agent shall read a text. Answered by `Steered`.
    SteerRun(SteerRun),
    /// Request: a run shall stop. Answered by `RunEnded`.
    CancelRun(CancelRun),
    /// Request: a text shall be posted. Answered by `Receipt`.
    Deliver(Deliver),
    /// Request: a thread shall be opened. Answered by `ThreadOpened`.
    OpenThread(OpenThread),
    /// Request: is a thread still there? Answered by `ThreadProbed`.
    ProbeThread(ProbeThread),
    /// Answers a call.
    Answer(Answer),
    /// Durable from here on: the record is on the disk before the next effect happens.
    Persist(Persist),
    /// Something the gateway says of itself. It may incriminate or explain, never acquit.
    Report(Report),
    /// A message is not worked on.
    Drop(Drop),
    /// A part of the configuration is not accepted.
    RefuseConfig(RefuseConfig),
}

/// An agent shall run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StartRun {
    /// The run; never used before.
    pub run: RunId,
    /// The session it belongs to.
    pub session_key: SessionKey,
    /// The gateway's name for this incarnation of the session.
    pub session_id: SessionId,
    /// What the agent remembers.
    pub memory: Memory,
    /// The agent.
    pub agent: AgentId,
    /// What the agent is given.
    pub input: Text,
    /// Model and prompt for this run only.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub overrides: Value,
    /// The run it replaces, where a crash took that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<RunId>,
}

/// What an agent remembers when a run starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Nothing.
    Fresh,
    /// What was given and said under this session key since it was last fresh.
    Continue,
    /// What another session remembers at this moment.
    Fork(SessionKey),
}

/// A running agent shall read a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SteerRun {
    /// The attempt; never used before.
    pub steer: SteerId,
    /// The run.
    pub run: RunId,
    /// What it shall read.
    pub input: Text,
}

/// A run shall stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelRun {
    /// The run.
    pub run: RunId,
}

/// A text shall be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deliver {
    /// This attempt; never used before.
    pub delivery: DeliveryId,
    /// Where to.
    pub to: Address,
    /// What it says.
    pub text: Text,
    /// The same for every attempt at the same message: a channel that recognises keys posts it
    /// once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// Whether people are told that they may have read this before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeat: bool,
}

/// A thread shall be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenThread {
    /// The request; never used before.
    pub request: RequestId,
    /// The conversation it shall be in.
    pub parent: Address,
    /// What people see as its name.
    pub name: Text,
    /// The session that is to be bound to it.
    pub session_key: SessionKey,
}

/// Is a thread still there?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeThread {
    /// The request; never used before.
    pub request: RequestId,
    /// The thread.
    pub address: Address,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The call.
    pub call: CallId,
    /// The result, in the shape OpenClaw gives it; `status` is `accepted`, `ok`, `timeout`,
    /// `forbidden` or `error`.
    pub result: Value,
}

/// A record for the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Persist {
    /// Opaque to everybody but the gateway.
    pub record: Record,
}

/// Something a gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// A conversation is tied to a session from now on.
    Bound {
        /// The conversation or thread.
        address: Address,
        /// The session.
        session_key: SessionKey,
    },
    /// A conversation is no longer tied to a session.
    Unbound {
        /// The conversation or thread.
        address: Address,
        /// The session.
        session_key: SessionKey,
        /// Why.
        reason: UnboundBecause,
    },
    /// A completion could not be told where it belongs; `subagents list` shows it too.
    Failed {
        /// The run whose completion it is.
        run: RunId,
        /// Where it belonged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<Address>,
        /// Why.
        why: Text,
    },
}

/// Why a binding ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum UnboundBecause {
    /// Its idle timeout passed.
    Idle,
    /// Its max age passed.
    MaxAge,
    /// A person asked for it.
    Unfocus,
    /// The thread was deleted.
    ThreadGone,
    /// The thread was locked.
    ThreadLocked,
    /// The thread was archived.
    ThreadArchived,
    /// Its target was a run, which ended.
    RunEnded,
    /// Its session was killed.
    Killed,
    /// Its session was reset from outside the chat.
    Reset,
    /// Its session was deleted.
    Deleted,
    /// The conversation was bound again.
    Replaced,
    /// The spawn it was made for failed.
    SpawnFailed,
    /// Bindings were switched off.
    Disabled,
}

impl UnboundBecause {
    /// The word for it in texts and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::MaxAge => "max-age",
            Self::Unfocus => "unfocus",
            Self::ThreadGone => "thread-gone",
            Self::ThreadLocked => "thread-locked",
            Self::ThreadArchived => "thread-archived",
            Self::RunEnded => "run-ended",
            Self::Killed => "killed",
            Self::Reset => "reset",
            Self::Deleted => "deleted",
            Self::Replaced => "replaced",
            Self::SpawnFailed => "spawn-failed",
            Self::Disabled => "disabled",
        }
    }
}

/// A message is not worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drop {
    /// The message.
    pub message: MessageId,
    /// Why.
    pub why: Text,
}

/// A part of the configuration is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefuseConfig {
    /// Its path: `session.reset.idleMinutes`.
    pub path: Text,
    /// What is wrong with it, and what would be right.
    pub why: Text,
}
