//! What the decisions are asked, and what they can answer.

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::{IdCase, Placement, Threading};
use moorline_spec::config::{Config, ResetPolicy};
use moorline_spec::id::{AgentId, PersonId};
use moorline_spec::profile::{
    AcpLimits, AfterUnknown, BusyRequester, CompletionTo, ConcurrencyOf, OwnAgent, ProactiveTo,
    ResetAnchor, Visibility,
};
use moorline_spec::stimulus::{Author, InternalPath, Outcome};
use moorline_spec::time::{Span, Time};
use serde::{Deserialize, Serialize};

/// A message that looks for its session.
#[derive(Clone, Copy, Debug)]
pub struct Speaking<'a> {
    /// The configuration: scope and links.
    pub config: &'a Config,
    /// The agent that owns the conversation.
    pub agent: &'a AgentId,
    /// Where it was written.
    pub at: &'a Address,
    /// What that place is.
    pub kind: Place,
    /// Who wrote it.
    pub from: &'a PersonId,
    /// Whether ids of that channel that differ only in case are two.
    pub id_case: IdCase,
}

/// A message that may or may not be for the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Hearing {
    /// What wrote it.
    pub author: Author,
    /// What the place is.
    pub kind: Place,
    /// Whether it mentions the gateway.
    pub mentioned: bool,
    /// Whether the channel asks for mentions.
    pub needs_mention: bool,
    /// Whether the place is bound.
    pub bound: bool,
    /// Whether other bots are heard there.
    pub hears_bots: bool,
    /// Whether it begins with the mark of a gateway's notice.
    pub notice: bool,
}

/// How a call names the session it means.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    /// By key or id.
    pub key: bool,
    /// By label.
    pub label: bool,
    /// By agent.
    pub agent: bool,
}

/// A session that wants something of another.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// How far it sees.
    pub visibility: Visibility,
    /// It is itself.
    pub own: bool,
    /// It spawned it, at some depth.
    pub below: bool,
    /// Both are of one agent.
    pub same_agent: bool,
    /// Sessions of the two agents may reach each other.
    pub agents_may_meet: bool,
}

/// Why a session is not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// Only itself is.
    Own,
    /// Only what it spawned is.
    Tree,
    /// Only its agent's sessions are.
    OtherAgent,
    /// The two agents are kept apart.
    AgentsApart,
}

/// An exchange between two sessions, as one of them has said something.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// How many turns there were.
    pub turns: u32,
    /// How many there may be.
    pub most: u32,
    /// One of the two had nothing to say.
    pub silent: bool,
    /// The one is a child of the other.
    pub own_child: bool,
    /// The one is there for a single job of the clockwork.
    pub passing: bool,
}

/// Something that several layers of the configuration can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Whether a group must mention the gateway.
    Mention,
    /// Whether other bots are heard.
    Bots,
    /// What messages do that find their session busy.
    QueueMode,
    /// How deep children may have children.
    Depth,
    /// How many children a session may have.
    Children,
    /// The model of children.
    Model,
    /// How much children think.
    Thinking,
    /// Where output goes that nobody asked for.
    HeartbeatTo,
}

/// What a reset policy is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    /// The policy.
    pub policy: ResetPolicy,
    /// What the age counts from.
    pub anchor: ResetAnchor,
    /// When the incarnation began.
    pub started_at: Time,
    /// When a person last spoke in it.
    pub interacted_at: Time,
    /// When anybody last wrote in it.
    pub written_at: Time,
    /// When the message arrived that is the occasion.
    pub at: Time,
    /// The last instant of the daily reset at or before `at`, where there is one.
    pub boundary: Option<i64>,
}

/// Why a turn happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A person wrote.
    Message,
    /// The gateway's clockwork asked.
    Internal(InternalPath),
    /// A session asked: a task, a text, the end of what was asked for.
    Session,
    /// A plugin asked.
    Plugin,
}

/// The path on which a turn comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// A person wrote.
    Chat,
    /// A plugin, or another session, calls upon it.
    Agent,
    /// The clockwork asks.
    Clockwork,
    /// It is what a child was spawned for.
    Task,
    /// It hears what became of something it asked for.
    News,
}

/// Whose text stands in a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The agent was given it.
    User,
    /// The agent said it.
    Assistant,
}

/// What may keep a session from being removed by maintenance.
#[derive(Clone, Copy, Debug)]
pub struct Spare {
    /// It has a run, or one waits.
    pub runs: bool,
    /// A conversation is bound to it.
    pub bound: bool,
    /// It owes somebody something, or is owed it.
    pub owes: bool,
    /// It is kept whatever it does: the main session, and what the profile spares.
    pub kept: bool,
    /// It is that of a thread.
    pub thread: bool,
}

/// A session without a run, which may be archived.
#[derive(Clone, Copy, Debug)]
pub struct Archiving {
    /// It is somebody's child.
    pub child: bool,
    /// It is a child of one run.
    pub one_run: bool,
    /// Whoever asked for it said that it is kept.
    pub kept: bool,
    /// Its own archive time.
    pub own: Option<Span>,
    /// That of children.
    pub configured: Option<Span>,
    /// When it began.
    pub began_at: Time,
    /// When its last run ended.
    pub ended_at: Time,
}

/// A session that may be too old.
#[derive(Clone, Copy, Debug)]
pub struct Old {
    /// For how long nothing was written to it.
    pub age: Span,
    /// For how long that may be.
    pub after: Span,
    /// How many sessions there are.
    pub count: usize,
    /// How many there may be.
    pub most: usize,
}

/// Why a session begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// Somebody asked for it.
    Asked,
    /// Its reset was due.
    Due,
}

/// How long a child lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// One run.
    Run,
    /// Until it is deleted.
    Session,
}

/// What runs a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Runtime {
    /// The gateway's own agents.
    Subagent,
    /// Agents behind a protocol of their own.
    Acp,
}

/// A spawn as it was asked for, and the policy of the channel it came from.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// `thread: true` was given.
    pub thread: bool,
    /// The mode that was given.
    pub mode: Option<Mode>,
    /// The runtime.
    pub runtime: Runtime,
    /// The policy.
    pub threading: Threading,
}

/// What a child remembers when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Nothing.
    Isolated,
    /// What its parent does.
    Fork,
}

/// Who is told of a child's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// The session that asked, as the profile has it.
    #[default]
    Parent,
    /// The conversation that asked, and not the session.
    Origin,
    /// The session that asked; the conversation too, where the session says nothing of it.
    Both,
    /// Nobody.
    Nobody,
}

impl Audience {
    /// Who hears of a reply: a session that sent the text, where one did.
    pub(super) fn of_sender(is_session: bool) -> Self {
        match is_session {
            true => Self::Parent,
            false => Self::Nobody,
        }
    }
}

/// A spawn that limits may hold for.
#[derive(Clone, Copy, Debug)]
pub struct Limited {
    /// The dial.
    pub dial: AcpLimits,
    /// The runtime.
    pub runtime: Runtime,
    /// Whether a child asks, or nobody is asked for.
    pub by_child: bool,
}

/// The children of a session.
#[derive(Clone, Copy, Debug)]
pub struct Brood {
    /// Those that were accepted and have not ended.
    pub running: usize,
    /// Those that ended, and are still told of or wait for their own.
    pub ended: usize,
    /// Spawns that wait for a thread.
    pub in_flight: usize,
    /// How many there may be.
    pub most: usize,
}

/// Runs of children that are at work.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// The dial.
    pub dial: ConcurrencyOf,
    /// Those of one requester.
    pub of_requester: usize,
    /// Those of all.
    pub of_all: usize,
    /// How many there may be.
    pub most: usize,
}

/// An agent that a spawn names.
#[derive(Clone, Copy, Debug)]
pub struct Nominee {
    /// The dial.
    pub dial: OwnAgent,
    /// Whether it is the requester's own.
    pub own: bool,
    /// Whether it is listed; nothing where there is no list.
    pub listed: Option<bool>,
}

/// A place that a spawn wants to be bound.
#[derive(Clone, Copy, Debug)]
pub struct Bindable<'a> {
    /// The place.
    pub at: &'a Address,
    /// How the channel binds.
    pub placement: Placement,
    /// Whether it does in direct conversations.
    pub in_direct: bool,
    /// Whether this is one.
    pub direct: bool,
}

/// Whether spawns may ask for threads.
#[derive(Clone, Copy, Debug)]
pub struct OptIn {
    /// As configured.
    pub said: Option<bool>,
    /// As the profile has it.
    pub by_default: bool,
    /// Whether the channel requires a thread for sub-agents.
    pub required: bool,
}

/// The times of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// When it was made.
    pub bound_at: Time,
    /// What its age counts from.
    pub aged_from: Time,
    /// The last activity.
    pub touched_at: Time,
}

/// Which limit ended a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// The idle timeout.
    Idle,
    /// The max age.
    MaxAge,
}

/// Something that happens in a bound conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// A message was routed through the binding.
    Routed,
    /// An output of the session was delivered.
    Output,
    /// A message was dropped: not for the gateway, or not from a person.
    Dropped,
    /// A message came a second time.
    Repeated,
    /// An intro, a farewell, the answer to a command.
    Notice,
    /// The idle timeout was changed by command.
    IdleCommand,
}

/// An output that looks for its address.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// Why its turn happened.
    pub cause: Cause,
    /// Where the request came from.
    pub origin: Option<&'a Address>,
    /// Where its session is bound.
    pub bound: Option<&'a Address>,
    /// Where its session last spoke with a person.
    pub last_route: Option<&'a Address>,
    /// Where the last message for its session came from, which may still wait.
    pub heard_at: Option<&'a Address>,
    /// Where the configuration sends what nobody asked for.
    pub configured: Option<&'a Address>,
    /// Where what nobody asked for goes.
    pub proactive_to: ProactiveTo,
    /// Whether it is the turn by which a requester is told of a child or a late reply.
    pub tells: bool,
}

/// A completion that looks for its address.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The whole address captured when the run was asked for.
    pub origin: Option<&'a Address>,
    /// Where the requester last spoke with a person.
    pub last_route: Option<&'a Address>,
}

/// What is known of a child when it is accepted.
#[derive(Clone, Copy, Debug)]
pub struct Expecting {
    /// Whether it has a thread.
    pub thread: bool,
    /// Its mode.
    pub mode: Mode,
    /// Its runtime.
    pub runtime: Runtime,
    /// Whether the caller wants to be told.
    pub expected: bool,
}

/// How far a completion came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handing {
    /// A turn of the requester waits behind another.
    Queued,
    /// A turn of the requester was asked for.
    Starting,
    /// The run it was steered into took it.
    SteerTaken,
    /// The run that was given it ended so.
    Ended(Outcome),
}

/// A requester in the middle of a run.
#[derive(Clone, Copy, Debug)]
pub struct Busy<'a> {
    /// The dial.
    pub dial: BusyRequester,
    /// Whether that run can take a text at this moment.
    pub running: bool,
    /// Where that run answers.
    pub answers_to: Option<&'a Address>,
    /// Where the completion belongs.
    pub origin: Option<&'a Address>,
}

/// What to do with a text for a busy requester.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBusy {
    /// Steer it into the run.
    Steer,
    /// Queue it behind the run.
    Queue,
}

/// A completion whose turn did not end well.
#[derive(Clone, Copy, Debug)]
pub struct Untold {
    /// The dial.
    pub dial: CompletionTo,
    /// What became of the turn; a refused start is `None`.
    pub outcome: Option<Outcome>,
    /// How many turns were asked for so far.
    pub turns: u32,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another turn of the requester.
    Turn,
    /// Deliver it at its origin.
    Origin,
    /// Report that it failed.
    Fail,
    /// Nothing: never right.
    Forget,
}

/// A delivery of which nobody knows whether it happened.
#[derive(Clone, Copy, Debug)]
pub struct Doubt {
    /// The dial.
    pub dial: AfterUnknown,
    /// How long the channel recognises a key.
    pub window: Option<Span>,
    /// How long ago the key was first used.
    pub since: Span,
    /// Whether the doubt comes from a restart.
    pub restarted: bool,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Again with the same key: the channel posts it once.
    ByKey,
    /// Again, and people are told that they may have read it.
    Marked,
    /// Again, as if for the first time: never right.
    Blindly,
    /// Give up aloud.
    GiveUp,
    /// Take it for delivered: never right.
    Assume,
}

/// What was in flight when an earlier life ended.
#[derive(Clone, Copy, Debug)]
pub enum Lost {
    /// The turn of a message; whether it replaces another already.
    Message {
        /// Whether it is itself a replacement.
        resumed: bool,
    },
    /// A child's run; whether its spawn was answered.
    Child {
        /// Whether it was.
        accepted: bool,
    },
    /// A turn that tells a requester.
    Telling,
    /// A turn that a text from another session asked for.
    Sent,
    /// A turn of the clockwork or a plugin.
    Unasked,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Ask for it again, once.
    Resume,
    /// It ended as lost; whoever waits is told.
    EndLost,
    /// Undo what led to it.
    Undo,
    /// Nothing.
    Forget,
}

/// What a lapse does to the session that was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterLapse {
    /// Nothing.
    Stays,
    /// It is reset: never right.
    Resets,
    /// It is deleted: never right.
    Deletes,
}
