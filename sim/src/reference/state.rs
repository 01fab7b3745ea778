//! What a gateway holds: sessions, runs, what is owed, posts on their way, bindings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use moorline_spec::address::{Address, Origin, Place};
use moorline_spec::id::{
    AccountId, AgentId, CallId, ChannelId, ConversationId, DeliveryId, MessageId, PersonId,
    RequestId, RunId, SessionKey, SteerId, Text,
};
use moorline_spec::stimulus::{Inbound, InternalPath, Outcome};
use moorline_spec::time::{Span, Time};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bound::Bindings;
use super::decisions::{Audience, Mode, Runtime, Times};
use super::given_up::GivenUp;
use super::nested::Nesting;
use super::shelf::Shelf;
use super::transcript::Line;
use super::waiting::WaitingAt;
use crate::recent::Recent;

/// A session: what its agent remembers, and who it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub key: SessionKey,
    pub agent: AgentId,
    /// Counts resets; what was asked for by an older one is told apart by it.
    pub incarnation: u64,
    /// The number in its session id.
    pub id: u64,
    /// Nothing was remembered yet: the next run that starts forgets what was before.
    pub fresh: bool,
    pub started_at: Time,
    pub interacted_at: Time,
    pub written_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Address>,
    #[serde(default)]
    pub kind: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<ChildOf>,
    /// When its last run ended.
    #[serde(default)]
    pub ended_at: Option<Time>,
    /// How long after that it is archived, where that was said of this one.
    #[serde(default)]
    pub archive_after: Option<Span>,
    /// Whoever asked for it said that it is kept.
    #[serde(default)]
    pub kept: bool,
    /// What holds for each of its runs: a model.
    #[serde(default)]
    pub lasting: Value,
    /// It was deleted, and a run of it has not ended yet.
    #[serde(default)]
    pub ghost: bool,
    /// Where the last message for it came from, answered or not.
    #[serde(skip)]
    pub heard_at: Option<Address>,
    /// The run that is asked for, goes on, or is being cancelled.
    #[serde(skip)]
    pub current: Option<u64>,
    /// The runs that wait behind it, in order of arrival.
    #[serde(skip)]
    pub queue: VecDeque<u64>,
    /// The debts that a run of it yielded to wait for.
    #[serde(default)]
    pub awaits: Vec<u64>,
    /// What it was given and said.
    #[serde(skip)]
    pub lines: VecDeque<Line>,
}

/// What makes a session a child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ChildOf {
    pub number: u64,
    pub parent: SessionKey,
    pub depth: u32,
    pub mode: Mode,
    pub runtime: Runtime,
}

/// One turn of an agent, from the moment it is asked for to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Run {
    pub number: u64,
    pub key: SessionKey,
    pub turn: Turn,
    pub input: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    pub at: Time,
    pub state: Progress,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<u64>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub overrides: Value,
    /// The session whose memory it takes up where it remembers nothing of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<SessionKey>,
    /// How long it may take from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// When that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// What was steered into it and taken.
    #[serde(default)]
    pub steered: Vec<u64>,
    #[serde(default)]
    pub starts: u32,
    /// The incarnation of its session that it was asked for in.
    #[serde(default)]
    pub incarnation: u64,
    #[serde(skip)]
    pub words: u32,
    /// Further messages that it answers.
    #[serde(default)]
    pub joined: Vec<MessageId>,
    /// The run that it was steered into did not take it.
    #[serde(skip)]
    pub unsteered: bool,
    /// It ended its turn to wait.
    #[serde(default)]
    pub yielded: bool,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Progress {
    Queued,
    Starting,
    Running,
    /// It was told to stop, and will end as this whatever it says.
    Cancelled(Outcome),
}

/// Why a run happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Turn {
    Message(Message),
    Child {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<CallId>,
        accepted: bool,
    },
    /// A requester is told of these debts.
    Telling(Vec<u64>),
    /// Another session sent a text; the debt has the run's number.
    Sent,
    Internal(InternalPath),
    Plugin {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<CallId>,
    },
}

/// A person's message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub id: MessageId,
    pub kind: Place,
    /// `/new` or `/reset` stood before it.
    pub resets: bool,
    /// Nothing but that stood in it.
    pub silent: bool,
}

/// Something a requester is owed: the end of a child, or a late reply.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Debt {
    /// The number of the run whose end it is.
    pub run: u64,
    pub what: Owed,
    pub child: SessionKey,
    pub requester: SessionKey,
    pub incarnation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    pub task: Text,
    pub state: Standing,
    #[serde(default)]
    pub outcome: Outcome,
    #[serde(default)]
    pub text: Text,
    /// The post by which the run's own words went to a conversation, and how long they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// How many turns of the requester were asked for.
    #[serde(default)]
    pub turns: u32,
    /// Who is to be told.
    #[serde(default)]
    pub audience: Audience,
    /// Whether the requester hears of its progress.
    #[serde(default)]
    pub streams: bool,
    /// Whether its session goes once it was told.
    #[serde(default)]
    pub deletes: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
    /// How many turns of an exchange came before it.
    pub exchanged: u32,
    #[serde(default)]
    pub nesting: Nesting,
    /// The call that waits for a reply, until when, and the run that made it.
    #[serde(skip)]
    pub call: Option<(CallId, Time, u64)>,
}

/// Words that set out to a conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Said {
    pub to: Address,
    pub post: u64,
    pub length: usize,
}

/// What is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Owed {
    /// The end of a child's run.
    Child(Mode),
    /// The reply to a text sent to a session.
    Reply,
}

/// How far a debt came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Standing {
    /// The run goes on.
    Running,
    /// The run ended; what it asked for itself has not.
    Below,
    /// A turn of the requester waits or goes on.
    Turn(u64),
    /// An attempt to steer it in.
    Steering(u64),
    /// A run of the requester read it.
    Steered(u64),
    /// A post to its origin.
    Post(u64),
}

/// A text on its way to one address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Post {
    pub number: u64,
    pub to: Address,
    pub text: Text,
    /// The same for every attempt.
    pub stem: Text,
    /// The run it tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    pub purpose: Purpose,
    /// What of the text has arrived, in bytes.
    #[serde(default)]
    pub sent: usize,
    #[serde(default)]
    pub piece: u32,
    #[serde(default)]
    pub attempt: u32,
    #[serde(default)]
    pub repeat: bool,
    /// Whether an earlier attempt at this piece may have arrived.
    #[serde(default)]
    pub doubted: bool,
    /// The first attempt at this piece.
    pub since: Time,
    /// The run that one resumed, which nobody may have seen begin: a failure is that of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<u64>,
    /// The attempt that has no receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,
}

/// What a post is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// The words of a session's run.
    Output(SessionKey),
    /// A completion at its origin.
    Completion(u64),
    /// The gateway's own words.
    Notice,
}

/// A conversation tied to a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Binding {
    pub number: u64,
    pub address: Address,
    pub key: SessionKey,
    /// Who bound it; the system where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PersonId>,
    pub times: Times,
    /// Limits set by command; zero is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// The run it was made for, where it ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// The incarnation of the session that it was made for.
    #[serde(default)]
    pub incarnation: u64,
    /// What its place is called among those that are bound, where not by its address.
    #[serde(skip)]
    pub place: Option<Box<Address>>,
    /// When the sweep looks at it next; entries of the order for other times are stale.
    #[serde(skip)]
    pub due: Option<Time>,
    /// Whether its last touch is not on the disk yet.
    #[serde(skip)]
    pub unwritten: bool,
}

/// A binding that a pass of the sweep still has to look at.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub number: u64,
    pub snapshot: Times,
}

/// What a probe was asked for.
#[derive(Clone, Debug)]
pub(super) struct Probing {
    pub binding: u64,
    pub address: Address,
    /// What the pass knew of the binding before it waited, where one goes on after it.
    pub pass: Option<Times>,
}

/// What waits for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Start(u64),
    Post(u64),
    Reply(u64),
    RunTimeout(u64),
    Settle(u64),
}

/// One message id in one conversation of one account.
pub(super) type Seen = (ChannelId, AccountId, ConversationId, MessageId);

/// An attempt to steer.
#[derive(Clone, Debug)]
pub(super) struct Steer {
    pub run: u64,
    pub debt: u64,
    /// How that run ended, where it did before the answer came.
    pub ended: Option<Outcome>,
}

/// A text that a session gives to a child of its own in the middle of a run.
#[derive(Clone, Debug)]
pub(super) struct CallSteer {
    /// The call that waits.
    pub call: CallId,
    /// Its answer, where the child takes the text.
    pub result: Value,
}

/// A message on its way into a run that goes on. It keeps its place in the queue meanwhile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joining {
    /// The run.
    pub run: u64,
    /// The run that would have been the message's own.
    pub message: u64,
    /// How the run ended, where it did before the answer came.
    pub ended: Option<Outcome>,
}

/// A spawn that waits for its thread.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub call: CallId,
    pub spawn: Spawn,
    /// Whoever asked was stopped meanwhile.
    pub stopped: bool,
}

/// A spawn that was found to be in order.
#[derive(Clone, Debug)]
pub(super) struct Spawn {
    pub requester: SessionKey,
    pub incarnation: u64,
    pub origin: Option<Origin>,
    pub key: SessionKey,
    pub number: u64,
    pub agent: AgentId,
    pub task: Text,
    pub label: Option<Text>,
    pub thread: bool,
    pub mode: Mode,
    pub runtime: Runtime,
    pub audience: Audience,
    pub streams: bool,
    pub deletes: bool,
    pub fork: Option<SessionKey>,
    pub overrides: Value,
    pub timeout: Option<Span>,
}

/// A `/focus` that waits for its thread.
#[derive(Clone, Debug)]
pub(super) struct Focus {
    pub inbound: Inbound,
    pub key: SessionKey,
}

/// A failure that could not be told where it belonged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub run: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    pub why: Text,
}

/// How many message ids are remembered; redelivery does not reach back further.
const SEEN_MAX: usize = 1 << 16;

/// Everything a gateway holds, beside what it was opened with.
#[derive(Debug, Default)]
pub(super) struct State {
    pub life: u64,
    pub sessions: Recent<SessionKey, Session>,
    pub archives: BTreeSet<(Time, SessionKey)>,
    pub runs: Shelf<Run>,
    pub debts: Shelf<Debt>,
    pub posts: Shelf<Post>,
    pub bindings: Bindings,
    pub order: BTreeSet<(Time, u64)>,
    /// The bindings whose last touch is not on the disk yet.
    pub touched: Vec<u64>,
    /// When the first of these touches was.
    pub touched_at: Option<Time>,
    pub seen: FxHashSet<Seen>,
    pub seen_order: VecDeque<Seen>,
    pub failures: VecDeque<Failure>,
    pub given_up: BTreeMap<u64, GivenUp>,
    pub timers: BTreeSet<(Time, Timer)>,
    pub deliveries: FxHashMap<DeliveryId, u64>,
    pub openings: FxHashMap<RequestId, Opening>,
    pub focuses: FxHashMap<RequestId, Focus>,
    pub probes: FxHashMap<RequestId, Probing>,
    pub steers: FxHashMap<SteerId, Steer>,
    pub joining: FxHashMap<SteerId, Joining>,
    pub call_steers: FxHashMap<SteerId, CallSteer>,
    pub steered_at: FxHashMap<(Option<SessionKey>, SessionKey), Time>,
    pub pass: VecDeque<Look>,
    /// By which id a conversation went first, by that which it goes by now.
    pub moved: FxHashMap<Address, Address>,
    /// Direct conversations.
    pub direct: FxHashSet<Address>,
    /// Messages that wait, by where they came from.
    pub waiting_at: WaitingAt,
    /// Sessions whose next run waits until fewer are at work.
    pub waiting: VecDeque<SessionKey>,
    pub runs_made: u64,
    pub ids_made: u64,
    pub children_made: u64,
    pub posts_made: u64,
    pub bindings_made: u64,
    pub deliveries_made: u64,
    pub requests_made: u64,
    pub steers_made: u64,
}

impl State {
    /// Remembers a message id, and forgets the oldest where there are too many.
    pub(super) fn remember(&mut self, seen: Seen) {
        if !self.seen.insert(seen.clone()) {
            return;
        }
        self.seen_order.push_back(seen);
        if self.seen_order.len() > SEEN_MAX
            && let Some(oldest) = self.seen_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }

    /// A session that was not deleted.
    pub(super) fn session(&self, key: &SessionKey) -> Option<&Session> {
        self.sessions.get(key).filter(|session| !session.ghost)
    }

    /// The first binding of a session.
    pub(super) fn address_of(&self, key: &SessionKey) -> Option<&Address> {
        let number = self.bindings.first_of(key)?;
        Some(&self.bindings.get(&number)?.address)
    }

    pub(super) fn insert_binding(&mut self, binding: Box<Binding>) {
        self.bindings_made = self.bindings_made.max(binding.number);
        self.bindings.insert(binding);
    }

    pub(super) fn remove_binding(&mut self, number: u64) -> Option<Box<Binding>> {
        let binding = self.bindings.remove(number)?;
        if let Some(due) = binding.due {
            self.order.remove(&(due, number));
        }
        Some(binding)
    }
}

impl Binding {
    /// What its place is called among those that are bound.
    pub(super) fn place(&self) -> &Address {
        self.place.as_deref().unwrap_or(&self.address)
    }
}

impl Session {
    pub(super) fn new(key: SessionKey, agent: AgentId, id: u64, now: Time) -> Self {
        Self {
            key,
            agent,
            incarnation: id,
            id,
            fresh: true,
            started_at: now,
            interacted_at: now,
            written_at: now,
            label: None,
            route: None,
            kind: Place::Direct,
            child: None,
            ended_at: None,
            archive_after: None,
            kept: false,
            lasting: Value::Null,
            ghost: false,
            heard_at: None,
            current: None,
            queue: VecDeque::new(),
            awaits: Vec::new(),
            lines: VecDeque::new(),
        }
    }
}

impl Debt {
    /// Whether anybody is to be told.
    pub(super) fn is_expected(&self) -> bool {
        self.audience != Audience::Nobody
    }
}

impl Run {
    /// Whether whoever waits for it has not been told yet.
    pub(super) fn is_live(&self) -> bool {
        !matches!(self.state, Progress::Cancelled(_))
    }
}
