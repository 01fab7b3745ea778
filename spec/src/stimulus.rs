//! What a gateway is told: one thing at a time, at a time.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, Place};
use crate::channel::Channel;
use crate::id::{
    AgentId, CallId, DeliveryId, MessageId, PersonId, RequestId, RunId, SessionKey, SteerId, Text,
};
use crate::time::Span;

/// One thing told to a gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stimulus {
    /// A new life begins. Whatever ran before is dead; only the disk is left of it.
    Open(Box<Open>),
    /// A message arrived on a channel.
    Inbound(Inbound),
    /// The gateway's own clockwork asks for a turn: nobody said anything.
    InternalTurn(InternalTurn),
    /// A method is called; answered by `Effect::Answer`.
    Call(Call),
    /// Answers `StartRun`.
    RunStarted(RunStarted),
    /// A run says something before it ends.
    RunProgress(RunProgress),
    /// A run is over.
    RunEnded(RunEnded),
    /// Answers `SteerRun`.
    Steered(Steered),
    /// Answers `Deliver`.
    Receipt(Receipt),
    /// Answers `OpenThread`.
    ThreadOpened(ThreadOpened),
    /// Answers `ProbeThread`.
    ThreadProbed(ThreadProbed),
    /// The channel says that a thread changed.
    ThreadChanged(ThreadChanged),
    /// The channel says that a conversation goes by another id.
    ConversationMoved(ConversationMoved),
    /// An agent's transcript was compacted; the session goes on.
    Compacted(Compacted),
    /// The configuration was edited.
    ConfigChanged(ConfigChanged),
    /// The time the gateway asked for has come.
    Wake {},
    /// A clean end: what is in memory may be written down now.
    Stop {},
}

/// What a gateway knows when it begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Open {
    /// The calendar instant of time zero, as RFC 3339.
    pub starts_at: Text,
    /// The gateway's IANA time zone.
    pub timezone: Text,
    /// The configuration, in the keys of OpenClaw.
    pub config: Arc<Value>,
    /// The channels it is joined to.
    pub channels: Arc<[Channel]>,
    /// The agents it may run; the first is the default one.
    pub agents: Arc<[AgentId]>,
    /// Whether an earlier life came before this one.
    #[serde(default)]
    pub restored: bool,
    /// What the earlier life persisted, in order, where the harness holds the disk. The last
    /// record may be torn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disk: Vec<Text>,
    /// Runs that outlived the earlier life; every other run of it is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alive: Vec<RunId>,
    /// Where a process that keeps its own disk has to keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<Text>,
}

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inbound {
    /// Its id on the channel; the same id again is the same message again.
    pub message: MessageId,
    /// Where it was written.
    pub at: Address,
    /// What that place is.
    pub kind: Place,
    /// What wrote it.
    pub author: Author,
    /// Who wrote it.
    pub from: PersonId,
    /// Whether it mentions the gateway's account.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub mentioned: bool,
    /// Whether its author may give commands.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub authorised: bool,
    /// What it says.
    pub text: Text,
}

impl Inbound {
    /// What a person writes in their direct conversation, which is named after them.
    pub fn direct(at: Address, message: impl Into<MessageId>, text: impl Into<Text>) -> Self {
        Self {
            message: message.into(),
            from: at.conversation.as_str().into(),
            at,
            kind: Place::Direct,
            author: Author::Person,
            mentioned: true,
            authorised: true,
            text: text.into(),
        }
    }

    /// Whether it has the mark by which gateways begin what they say of themselves.
    pub fn is_notice(&self) -> bool {
        let text = self.text.trim_start();
        ["⚙", "🤖", "🧰"].iter().any(|mark| text.starts_with(mark))
    }
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for this signature"
)]
fn is_yes(value: &bool) -> bool {
    *value
}

/// What wrote a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// A human being.
    #[default]
    Person,
    /// Another bot.
    Bot,
    /// The gateway's own account.
    #[serde(rename = "self")]
    Own,
    /// A webhook.
    Webhook,
}

/// A turn that the gateway's clockwork asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InternalTurn {
    /// Which clockwork.
    pub path: InternalPath,
    /// The session it is for.
    pub session: SessionKey,
    /// What the agent is given.
    pub text: Text,
}

/// A path by which turns come about without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InternalPath {
    /// A regular look at what there may be to do.
    Heartbeat,
    /// A scheduled job.
    Cron,
}

/// A method of the gateway is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// The call's id, for its answer.
    pub call: CallId,
    /// Who calls.
    pub by: Caller,
    /// The method, by OpenClaw's name: `sessions_spawn`, `sessions.reset`, ...
    pub method: Text,
    /// Its parameters, by OpenClaw's names.
    pub params: Value,
}

/// Who calls a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// An agent, in a run.
    Run(RunId),
    /// Whoever administers the gateway.
    Admin,
    /// A plugin, in the gateway's process.
    Plugin,
}

/// Whether a run started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunStarted {
    /// The run.
    pub run: RunId,
    /// What came of it.
    pub outcome: Start,
}

/// What came of a request to start a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// It runs.
    Started,
    /// It does not run, and will not.
    Refused,
    /// It may run.
    Unknown,
}

/// A run says something before it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunProgress {
    /// The run.
    pub run: RunId,
    /// What it says.
    pub text: Text,
}

/// A run is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunEnded {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub outcome: Outcome,
    /// Its last words; empty where it left none.
    #[serde(default)]
    pub text: Text,
}

/// How a run ended.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it was for.
    #[default]
    Ok,
    /// It failed.
    Error,
    /// It took too long.
    Timeout,
    /// It was cancelled.
    Killed,
    /// Nobody knows; it will say nothing more.
    Lost,
}

impl Outcome {
    /// The word for it in texts and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Killed => "killed",
            Self::Lost => "lost",
        }
    }
}

/// Whether a text was steered into a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Steered {
    /// The attempt.
    pub steer: SteerId,
    /// What came of it.
    pub outcome: Steering,
}

/// What came of an attempt to steer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Steering {
    /// The agent read it.
    Taken,
    /// The agent never saw it.
    Refused,
}

/// What the channel says of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The delivery.
    pub delivery: DeliveryId,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Delivered,
}

/// What came of a delivery. Queued is not delivered, and unknown is not refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivered {
    /// It stands in the conversation.
    Accepted {
        /// The message it became.
        message: MessageId,
    },
    /// It definitely did not happen.
    Refused {
        /// Whether trying again can ever help.
        permanent: bool,
        /// How long to wait before trying again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Millis>,
        /// The channel's words.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        why: Text,
    },
    /// It may have happened.
    Unknown {},
}

/// A length of time as a number of milliseconds, for frames.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl From<Span> for Millis {
    fn from(span: Span) -> Self {
        Self(span.0)
    }
}

/// What came of a request to open a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadOpened {
    /// The request.
    pub request: RequestId,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Opened,
}

/// What came of a request to open a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Opened {
    /// The thread exists.
    Opened {
        /// Where it is.
        at: Address,
    },
    /// There is no thread.
    Refused {
        /// The channel's words.
        why: Text,
    },
    /// There may be a thread, and nobody knows which.
    Unknown {},
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadProbed {
    /// The request.
    pub request: RequestId,
    /// What the thread is like.
    pub state: ThreadState,
}

/// A thread changed on the channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadChanged {
    /// The thread.
    pub at: Address,
    /// What it is like now.
    pub state: ThreadState,
}

/// A conversation goes by another id from now on. It is the same people and the same talk; under the
/// old id nothing can be posted any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationMoved {
    /// By which it went.
    pub from: Address,
    /// By which it goes.
    pub to: Address,
}

/// What a thread is like.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ThreadState {
    /// Messages can be posted.
    #[default]
    Live,
    /// Out of sight; a message brings it back.
    Archived,
    /// Nobody but moderators may post.
    Locked,
    /// Deleted.
    Gone,
    /// The channel did not say.
    Unknown,
}

/// A session's transcript was compacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Compacted {
    /// The session.
    pub session: SessionKey,
}

/// The configuration was edited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigChanged {
    /// The whole configuration as it is now.
    pub config: Arc<Value>,
}
