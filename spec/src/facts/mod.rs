//! What can be known at an entry of a trace, from what was seen so far.
//!
//! Checkers share it, so that each of them reads like its rule. Everything here follows from
//! stimuli, from effects as *attempts*, and from what the world saw; a gateway's reports of itself
//! change nothing but the one thing they are: a visible failure.

mod again;
mod archive;
mod below;
mod binding;
mod bound;
mod circumstances;
mod command;
mod debt;
mod delivery;
mod focus;
mod forget;
mod here;
mod kin;
mod late;
mod moved;
mod naming;
mod owner;
mod provenance;
mod question;
mod relay;
mod routing;
mod run;
mod session;
pub(crate) mod turn;
mod unwritten;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::address::{Address, Place};
use crate::calendar::Calendar;
use crate::channel::Channel;
use crate::config::Config;
use crate::effect::Effect;
use crate::id::{
    AgentId, CallId, ChannelId, ConversationId, DeliveryId, Marker, MessageId, RequestId, RunId,
    SessionKey, SteerId, Text, ThreadId,
};
use crate::key::Naming;
use crate::profile::{Dials, Profile};
use crate::stimulus::{Open, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

pub use archive::ArchiveFacts;
pub use below::Stop;
pub use binding::{BindingFacts, BindingId};
pub use circumstances::{Chatter, Circumstances, Touch};
pub use command::BindingCommand;
pub use delivery::{DeliveryFacts, DeliveryState};
pub use kin::{Named, agent_of};
pub use late::Late;
pub use moved::MovedFacts;
pub use owner::Owner;
pub use provenance::{Born, BornAs, Origins};
pub use question::{Ask, Question};
pub use relay::{Completion, Owed, Reply, Settled};
pub use routing::{BindingNews, Standing};
pub use run::{CallFacts, Role, RunFacts, RunState, SteerFacts};
pub use session::{MessageFacts, SessionBefore, SessionFacts, Spoke};

/// Things by their ids, in the order in which they became known.
pub type Table<K, V> = IndexMap<K, V, FxBuildHasher>;

/// A table with room for what a short story brings, so that it does not grow in small steps.
fn room<K, V>() -> Table<K, V> {
    Table::with_capacity_and_hasher(16, FxBuildHasher)
}

/// Everything known so far. It is brought up to date with an entry before checkers see it.
#[derive(Debug)]
pub struct Facts {
    /// What the gateway under test promises where honest designs differ.
    pub dials: Dials,
    /// The configuration in force: the last one that was understood.
    pub config: Config,
    /// Whether the one that was given last was.
    pub understood: bool,
    /// Days, where the gateway stands.
    pub calendar: Option<Calendar>,
    /// The channels it was opened with.
    pub channels: FxHashMap<ChannelId, Channel>,
    /// The agents it was opened with, the default one first.
    pub agents: Vec<AgentId>,
    /// What session keys are read by.
    pub naming: Naming,
    /// How many lives it has begun.
    pub lives: u32,
    /// Whether the scenario's steps are over.
    pub healing: bool,
    /// Texts, by their markers.
    pub born: Table<Marker, Born>,
    /// Addresses that messages came from, and what they are.
    pub places: Table<Address, Place>,
    /// Messages, by their markers.
    pub messages: Table<Marker, MessageFacts>,
    /// Messages that no run took: each that was asked to never started.
    pub untaken: BTreeSet<Marker>,
    /// Runs.
    pub runs: Table<RunId, RunFacts>,
    /// Calls.
    pub calls: Table<CallId, CallFacts>,
    /// Attempts to steer.
    pub steers: FxHashMap<SteerId, SteerFacts>,
    /// Sessions that had a run.
    pub sessions: Table<SessionKey, SessionFacts>,
    /// What is known of the archive times of children, and of sessions that have one of their own.
    pub archives: BTreeMap<SessionKey, ArchiveFacts>,
    spelled: RefCell<naming::Spelled>,
    /// The session that last took a person's message from an address.
    pub home: Table<Address, SessionKey>,
    /// Where `/new` or `/reset` was said before it could be seen which session that concerns.
    unplaced_resets: Vec<Address>,
    /// Bindings, by their number; those that ended are kept while something may still be said of
    /// them.
    pub bindings: Vec<BindingFacts>,
    /// Their numbers, by what they are called apart from account and channel.
    by_ids: FxHashMap<(ConversationId, Option<ThreadId>), Vec<BindingId>>,
    /// The same, by the session that they lead to.
    by_key: FxHashMap<SessionKey, Vec<BindingId>>,
    /// Threads that were opened for a spawn which waits.
    opened_for: FxHashMap<Address, CallId>,
    /// Commands to which somebody waits for an answer.
    questions: Vec<Question>,
    /// The one that the entry they are up to date with answers, and how.
    answered: Option<(Question, Text)>,
    /// What the gateway says is bound, and to whom.
    pub said_bound: FxHashMap<Address, SessionKey>,
    /// The last commands, where they were said, and when first.
    commands_heard: VecDeque<(Address, MessageId, Time)>,
    /// Where `/focus` was said of a session that nobody outside can tell.
    focused_somehow: Vec<Address>,
    /// `/focus` that waits for its thread.
    focusing: Vec<focus::Focusing>,
    /// What the entry they are up to date with shows of bindings.
    pub binding_news: Vec<BindingNews>,
    /// Probes that are not answered yet, and the threads they ask about.
    pub probes: FxHashMap<RequestId, Address>,
    /// When they were asked for.
    probed_at: FxHashMap<RequestId, Time>,
    /// Conversations that go by another id since, by that.
    moved: FxHashMap<Address, moved::MovedFacts>,
    /// When the present life began.
    pub life_began: Time,
    /// The entry in which it did.
    pub life_entry: usize,
    /// Commands to bindings that were given while a spawn waited, and where.
    early_commands: Vec<(Address, Time)>,
    /// What it was told last and had not acted on, and when that was.
    unwritten: Vec<unwritten::Unwritten>,
    told_at: Time,
    /// Whether the present life was told to stop.
    stopped: bool,
    /// When the last life died, until the next begins.
    died: Option<Time>,
    /// Deliveries.
    pub deliveries: Table<DeliveryId, DeliveryFacts>,
    /// Completions of children that are or were owed, by the child's run.
    pub completions: Table<RunId, Completion>,
    /// Last words of turns that belong in a conversation, by the run.
    pub replies: Table<RunId, Reply>,
    /// Replies that came after their senders had stopped waiting, by the send.
    pub late: FxHashMap<CallId, Late>,
    kin: kin::Kin,
    below: below::Below,
    /// For each turn that was given completions, whose.
    tells: FxHashMap<RunId, Vec<RunId>>,
    /// How many completions, replies and calls still wait.
    owed: usize,
    /// How many completions and replies wait no more.
    settlements: u64,
    threads_asked: FxHashMap<RequestId, (SessionKey, Option<CallId>)>,
    /// The numbers of messages by their ids on the channel, and how many there were.
    numbers: FxHashMap<(Address, MessageId), usize>,
    numbered: usize,
    here: here::Here,
    now: Time,
    index: usize,
}

impl Facts {
    /// Nothing is known yet.
    pub fn new(profile: &Profile) -> Self {
        Self {
            dials: profile.dials.clone(),
            config: Config::default(),
            understood: true,
            calendar: None,
            channels: FxHashMap::default(),
            agents: Vec::new(),
            naming: Naming::default(),
            lives: 0,
            healing: false,
            born: room(),
            places: Table::default(),
            messages: room(),
            untaken: BTreeSet::new(),
            runs: room(),
            calls: Table::default(),
            steers: FxHashMap::default(),
            sessions: Table::default(),
            archives: BTreeMap::new(),
            spelled: RefCell::default(),
            home: Table::default(),
            unplaced_resets: Vec::new(),
            bindings: Vec::new(),
            by_ids: FxHashMap::default(),
            by_key: FxHashMap::default(),
            opened_for: FxHashMap::default(),
            questions: Vec::new(),
            answered: None,
            said_bound: FxHashMap::default(),
            commands_heard: VecDeque::new(),
            focused_somehow: Vec::new(),
            focusing: Vec::new(),
            binding_news: Vec::new(),
            probes: FxHashMap::default(),
            probed_at: FxHashMap::default(),
            moved: FxHashMap::default(),
            life_began: Time::ZERO,
            life_entry: 0,
            early_commands: Vec::new(),
            unwritten: Vec::new(),
            told_at: Time::ZERO,
            stopped: false,
            died: None,
            deliveries: room(),
            completions: Table::default(),
            replies: room(),
            late: FxHashMap::default(),
            kin: kin::Kin::default(),
            below: below::Below::default(),
            tells: FxHashMap::default(),
            owed: 0,
            settlements: 0,
            threads_asked: FxHashMap::default(),
            numbers: FxHashMap::default(),
            numbered: 0,
            here: here::Here::default(),
            now: Time::ZERO,
            index: 0,
        }
    }

    /// The time of the entry it is up to date with.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The number of the entry it is up to date with.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether anybody waits for something that the gateway owes.
    pub fn owes(&self) -> bool {
        self.owed > 0 || !self.untaken.is_empty()
    }

    /// Takes in the next entry.
    pub fn see(&mut self, index: usize, entry: &Entry) {
        (self.index, self.now) = (index, entry.at);
        self.look_at(entry);
        self.binding_news.clear();
        self.answered = None;
        self.below.stop_here = None;
        match &entry.what {
            What::Stimulus(stimulus) => {
                self.note_told(stimulus);
                self.on_stimulus(stimulus, entry);
            }
            What::Effect(effect) => {
                // Whoever acts on something has taken it in.
                self.unwritten.clear();
                self.on_effect(effect, entry);
            }
            What::World(world) => self.on_world(world, entry),
        }
    }

    fn on_stimulus(&mut self, stimulus: &Stimulus, entry: &Entry) {
        match stimulus {
            Stimulus::Open(open) => self.on_open(open),
            Stimulus::Inbound(inbound) => {
                self.on_inbound(inbound, entry);
                self.on_bound_inbound(inbound, entry.own.first());
                self.on_binding_command(inbound, entry.own.first());
            }
            Stimulus::InternalTurn(turn) => self.on_internal_turn(turn, entry),
            Stimulus::Call(call) => {
                self.on_call(call, entry);
                self.on_call_against_bindings(call);
            }
            Stimulus::RunStarted(started) => self.on_run_started(started),
            Stimulus::RunProgress(progress) => self.on_run_progress(progress, entry),
            Stimulus::RunEnded(ended) => self.on_run_ended(ended, entry),
            Stimulus::Steered(steered) => self.on_steered(steered),
            Stimulus::Receipt(receipt) => self.on_receipt(receipt),
            Stimulus::ThreadOpened(opened) => self.on_thread_opened(opened),
            Stimulus::ConfigChanged(changed) => {
                let config = Config::read_as(&changed.config, &self.dials);
                self.understood = config.is_ok();
                if let Ok(config) = config {
                    let maintenance = self.config.session.maintenance;
                    if self.is_maintained() && maintenance != config.session.maintenance {
                        self.doubt_resets();
                    }
                    self.config = config;
                    self.on_binding_config();
                }
            }
            Stimulus::ThreadProbed(probed) => self.on_thread_probed(probed),
            Stimulus::ThreadChanged(changed) => self.on_thread_told(&changed.at, changed.state),
            Stimulus::ConversationMoved(moved) => self.on_moved(moved),
            Stimulus::Stop {} => self.stopped = true,
            Stimulus::Compacted(_) | Stimulus::Wake {} => (),
        }
    }

    fn on_effect(&mut self, effect: &Effect, entry: &Entry) {
        match effect {
            Effect::StartRun(start) => self.on_start_run(start, entry),
            Effect::SteerRun(steer) => self.on_steer_run(steer, entry),
            Effect::Deliver(deliver) => {
                self.note_own_words(deliver, &entry.markers);
                if 1 < self.lives {
                    self.doubt_given_up(&entry.markers);
                }
                self.on_deliver(deliver, entry);
            }
            Effect::OpenThread(open) => self.on_open_thread(open),
            Effect::ProbeThread(probe) => self.on_probe_thread(probe),
            Effect::Answer(answer) => self.on_answer(answer),
            Effect::Report(report) => {
                self.note_said_failed(report);
                self.on_report(report);
            }
            Effect::Drop(drop) => self.on_drop(drop),
            Effect::CancelRun(_) => self.on_cancel_run(),
            Effect::Persist(_) | Effect::RefuseConfig(_) => (),
        }
    }

    fn on_world(&mut self, world: &World, entry: &Entry) {
        match world {
            World::Posted { at, .. } => self.on_posted(at, entry),
            World::Crashed { lost, .. } => self.on_crash(lost),
            World::Thread { at, state } => self.on_thread_state(at, *state),
            World::Healing {} => self.healing = true,
            World::Recognised { .. }
            | World::Fault { .. }
            | World::Unable { .. }
            | World::Note { .. }
            | World::Rest(_) => (),
        }
    }

    fn on_open(&mut self, open: &Open) {
        self.on_life_after(&open.alive);
        self.lives += 1;
        self.meet_agents(&open.agents);
        let config = Config::read_as(&open.config, &self.dials);
        self.understood = config.is_ok();
        let config = config.unwrap_or_default();
        if open.restored && config != self.config {
            self.doubt_resets();
        }
        self.config = config;
        self.calendar = Calendar::new(&open.starts_at, &open.timezone).ok();
        if self.channels.is_empty() {
            let channels = open.channels.iter();
            self.channels = channels
                .map(|channel| (channel.id.clone(), channel.clone()))
                .collect();
            self.naming = Naming::of(&open.agents, open.channels.iter());
        }
        if self.agents != *open.agents {
            self.agents = open.agents.to_vec();
        }
        self.on_binding_life();
        if self.lives == 1 {
            self.read_stored(open);
            self.on_binding_config();
        }
    }

    /// The spawn that a request for a thread belongs to, as far as can be seen.
    pub fn spawn_of_thread(&self, request: &RequestId) -> Option<(&CallId, &CallFacts)> {
        let (_, call) = self.threads_asked.get(request)?;
        self.calls.get_key_value(call.as_ref()?)
    }

    /// The channel of an address, if the gateway is joined to it.
    pub fn channel(&self, at: &Address) -> Option<&Channel> {
        self.channels.get(&at.channel)
    }
}
