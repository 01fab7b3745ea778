//! Where people are: channels, conversations and threads, and what they are like.

use std::collections::BTreeMap;
use std::sync::Arc;

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::{Capabilities, Channel, Threading};
use moorline_spec::id::{AccountId, ChannelId, MessageId, Text};
use moorline_spec::scenario::{Home, Scenario, Where};
use moorline_spec::stimulus::ThreadState;
use moorline_spec::time::Time;
use rustc_hash::{FxHashMap, FxHashSet};

use super::clock::At;
use super::text::Streams;
use crate::channel;
use crate::numbered::numbered;
use crate::recent::Recent;

/// The places of a scenario.
#[derive(Debug)]
pub(super) struct Places<'s> {
    scenario: &'s Scenario,
    /// As the gateway is told.
    pub(super) channels: Arc<[Channel]>,
    conversations: Recent<Address, Conversation>,
    threads: FxHashMap<Address, Thread>,
    /// Threads by the order of opening.
    pub(super) opened: Vec<Address>,
    /// What became of deliveries with a key, and when.
    pub(super) keys: FxHashMap<(Address, Text), (MessageId, Time)>,
    /// The deliveries, by their entries, whose text is no whole: it is read with what came before.
    pub(super) pieces: FxHashSet<At>,
    /// What the gateway meant for each address.
    pub(super) attempts: Streams,
    /// What stands at each address.
    pub(super) posts: Streams,
    /// How many messages were posted.
    pub(super) posted: u64,
}

/// A direct or group conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conversation {
    /// The number of its channel.
    pub(super) channel: usize,
    /// What it is.
    pub(super) place: Place,
    /// When a person last wrote in it.
    pub(super) written: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Thread {
    state: ThreadState,
    active: Time,
}

impl<'s> Places<'s> {
    /// The places of a scenario.
    pub(super) fn of(scenario: &'s Scenario) -> Self {
        let mut places = Self {
            scenario,
            channels: channels(scenario),
            conversations: Recent::default(),
            threads: FxHashMap::default(),
            opened: Vec::new(),
            keys: FxHashMap::default(),
            pieces: FxHashSet::default(),
            attempts: Streams::default(),
            posts: Streams::default(),
            posted: 0,
        };
        let people = scenario
            .people
            .iter()
            .map(|(name, home)| (name.as_str(), home));
        let named = scenario
            .places
            .iter()
            .map(|(name, home)| (name.as_str(), home));
        for (name, home) in people.chain(named) {
            places.add(name, home);
        }
        places
    }

    fn add(&mut self, name: &str, home: &Home) {
        let mut at = home.address(name);
        let Some(channel) = self
            .channels
            .iter()
            .position(|channel| channel.id == at.channel)
        else {
            return;
        };
        let is_thread = at.thread.is_some();
        if is_thread {
            self.threads.insert(
                at.clone(),
                Thread {
                    state: ThreadState::Live,
                    active: Time::ZERO,
                },
            );
            at.thread = None;
        }
        // What a thread lies in is a group, unless somebody's home says otherwise.
        let place = if is_thread || home.kind == Place::Thread {
            Place::Group
        } else {
            home.kind
        };
        let conversation = Conversation {
            channel,
            place,
            written: None,
        };
        if !is_thread || !self.conversations.contains_key(&at) {
            self.conversations.insert(at, conversation);
        }
    }

    /// The address of a place, and what it is. None for a thread that was never opened.
    pub(super) fn find(&self, place: &Where) -> Option<(Address, Place)> {
        match place {
            Where::Named(name) => self.home(name),
            Where::Thread { thread } => {
                let at = self.opened.get(thread.checked_sub(1)?)?;
                Some((at.clone(), Place::Thread))
            }
        }
    }

    /// The address of a person's home or of a named place, and what it is.
    pub(super) fn home(&self, name: &str) -> Option<(Address, Place)> {
        let home = self.scenario.home(name)?;
        let place = if home.thread.is_some() {
            Place::Thread
        } else {
            home.kind
        };
        Some((home.address(name), place))
    }

    /// The conversation of an address.
    pub(super) fn conversation(&mut self, at: &Address) -> Option<&mut Conversation> {
        if at.thread.is_none() {
            self.conversations.get_mut(at)
        } else {
            self.conversations.get_mut(&at.without_thread())
        }
    }

    /// A conversation goes by another id; false where there is none.
    pub(super) fn moves(&mut self, at: &Address) -> bool {
        self.conversations.remove(at).is_some()
    }

    /// What a channel can do.
    pub(super) fn capabilities(&self, conversation: Conversation) -> &Capabilities {
        &self.channels[conversation.channel].capabilities
    }

    /// What an address is like: a thread that never was is gone, and so is a conversation.
    pub(super) fn state(&mut self, at: &Address, now: Time) -> ThreadState {
        let Some(&conversation) = self.conversation(at).map(|found| &*found) else {
            return ThreadState::Gone;
        };
        if at.thread.is_none() {
            return ThreadState::Live;
        }
        let archives = self.capabilities(conversation).archives_after;
        let Some(thread) = self.threads.get_mut(at) else {
            return ThreadState::Gone;
        };
        let idle = now.since(thread.active);
        if thread.state == ThreadState::Live && archives.is_some_and(|after| idle > after) {
            thread.state = ThreadState::Archived;
        }
        thread.state
    }

    /// A thread becomes something; false where there is none.
    pub(super) fn set_state(&mut self, at: &Address, state: ThreadState, now: Time) -> bool {
        let thread = self.threads.get_mut(at);
        thread
            .map(|thread| *thread = Thread { state, active: now })
            .is_some()
    }

    /// Somebody wrote at an address; whether that brought a thread back.
    pub(super) fn touch(&mut self, at: &Address, now: Time) -> bool {
        let archived = at.thread.is_some() && self.state(at, now) == ThreadState::Archived;
        if let Some(thread) = at.thread.as_ref().and_then(|_| self.threads.get_mut(at)) {
            thread.active = now;
            if archived {
                thread.state = ThreadState::Live;
            }
        }
        archived
    }

    /// A new thread in a conversation.
    pub(super) fn open(&mut self, parent: &Address, now: Time) -> Address {
        let name = numbered(&["t"], self.opened.len() as u64 + 1);
        let at = parent.with_thread(name.into());
        self.threads.insert(
            at.clone(),
            Thread {
                state: ThreadState::Live,
                active: now,
            },
        );
        self.opened.push(at.clone());
        at
    }
}

/// The channels that people, places and the scenario itself name.
fn channels(scenario: &Scenario) -> Arc<[Channel]> {
    let mut accounts: BTreeMap<&ChannelId, Vec<AccountId>> = BTreeMap::new();
    let homes = scenario.people.values().chain(scenario.places.values());
    for home in homes {
        accounts
            .entry(&home.channel)
            .or_default()
            .push(home.account.clone());
    }
    for (id, form) in &scenario.channels {
        accounts
            .entry(id)
            .or_default()
            .extend(form.accounts.iter().cloned());
    }
    accounts
        .into_iter()
        .map(|(id, accounts)| channel_of(scenario, id, accounts))
        .collect()
}

fn channel_of(scenario: &Scenario, id: &ChannelId, all: Vec<AccountId>) -> Channel {
    let form = scenario.channels.get(id);
    let like = form
        .and_then(|form| form.like.as_deref())
        .unwrap_or(id.as_str());
    let profile = channel::named(like);
    let mut accounts: Vec<AccountId> = Vec::with_capacity(all.len().max(1));
    for account in all {
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    if accounts.is_empty() {
        accounts.push("default".into());
    }
    accounts.sort_by_key(|account| account.as_str() != "default");
    let capabilities = form.and_then(|form| form.capabilities.clone());
    let threading = form.and_then(|form| form.threading);
    let declared = profile.map_or_else(Threading::default, |profile| profile.threading);
    Channel {
        id: id.clone(),
        accounts,
        capabilities: capabilities
            .or_else(|| profile.map(|profile| profile.capabilities.clone()))
            .unwrap_or_default(),
        threading: threading.unwrap_or(declared),
    }
}
