//! Which direct messages share a session.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::super::{Checker, Keyword, Kind, Rule, Sink};
use crate::address::{Address, Place};
use crate::config::{DmScope, Route};
use crate::effect::Effect;
use crate::facts::{Facts, Table};
use crate::id::{AccountId, AgentId, ChannelId, PersonId, RunId, SessionKey, Text};
use crate::profile::Family;
use crate::trace::{Entry, What};

pub(super) fn rule() -> Rule {
    Rule {
        id: "session.dm-scope",
        family: Family::Session,
        keyword: Keyword::Must,
        text: "Direct messages reach sessions by `dmScope` (main, per-peer, per-channel-peer, \
               per-account-channel-peer) and identity links.",
        sources: &["S-57", "I-12"],
        dials: &[],
        sees: &[Kind::Open, Kind::ConfigChanged, Kind::StartRun],
        checker: Some(|| Box::new(Scope::default())),
        relation: None,
    }
}

/// Remembers which session took each direct conversation's messages, under one configuration.
///
/// Conversations are told apart by the names they go by, so that each is compared with those that
/// it must meet, and with those that are in its session, and not with every other.
#[derive(Default)]
struct Scope {
    under: Option<(DmScope, BTreeMap<String, Vec<String>>)>,
    /// The entry since which that configuration is in force.
    since: usize,
    /// All peers that were named, each by its place here.
    peers: Table<Peer, ()>,
    /// For each agent, what was seen of its conversations.
    agents: BTreeMap<AgentId, Conversations>,
    /// The first breach stands; nothing is looked for after it.
    broken: bool,
}

/// Somebody at the other end of a direct conversation, as the scope tells them apart.
#[derive(PartialEq, Eq, Hash)]
struct Peer {
    channel: Option<ChannelId>,
    account: Option<AccountId>,
    name: Option<Text>,
}

/// A peer by the name of the conversation, and by that of whoever writes in it: which of them
/// counts cannot be seen. Two conversations meet where both are the same, are apart where both
/// differ, and else nothing is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Names {
    conversation: usize,
    person: usize,
}

/// What one agent's conversations showed, until the rule was broken.
#[derive(Default)]
struct Conversations {
    seen: Table<Address, Seen>,
    /// The session of those with the same names, which meet, and how many they are.
    meeting: FxHashMap<Names, (SessionKey, usize)>,
    /// The names of those in one session, once each. No two of them are apart, so either all of
    /// them share the one name or all share the other.
    within: FxHashMap<SessionKey, Vec<Names>>,
}

struct Seen {
    from: PersonId,
    names: Names,
    key: SessionKey,
    run: RunId,
}

impl Checker for Scope {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::StartRun(start)) = &entry.what else {
            self.on_configured(facts);
            return;
        };
        let Some((_, message)) = facts.chat_here() else {
            return;
        };
        if message.kind != Place::Direct
            || self.broken
            || message.arrived.0 < self.since
            || start.resumes.is_some()
        {
            return;
        }
        // What is bound goes where it is bound, also where nobody heard that it is.
        let configured = facts.config.route(&message.at, message.kind);
        let bound = configured.is_some_and(Route::is_bound) || facts.has_been_bound(&message.at);
        if bound || facts.session_here().is_some_and(|(_, it)| it.is_child) {
            return;
        }
        let of_agent = self.agents.get_mut(&start.agent);
        if let Some(seen) = of_agent.and_then(|of_agent| of_agent.seen.get_mut(&message.at))
            && seen.from == message.from
            && seen.key == start.session_key
        {
            seen.run.clone_from(&start.run);
            return;
        }
        let seen = Seen {
            from: message.from.clone(),
            names: self.names(&message.at, &message.from, facts),
            key: start.session_key.clone(),
            run: start.run.clone(),
        };
        let of_agent = self.agents.entry(start.agent.clone()).or_default();
        self.broken = !of_agent.on_another(&message.at, seen, sink);
    }
}

impl Scope {
    fn on_configured(&mut self, facts: &Facts) {
        let session = &facts.config.session;
        let unchanged = self.under.as_ref().is_some_and(|(scope, links)| {
            *scope == session.dm_scope && *links == session.identity_links
        });
        if !unchanged {
            self.under = Some((session.dm_scope, session.identity_links.clone()));
            self.since = facts.index();
            self.peers.clear();
            self.agents.clear();
        }
    }

    fn names(&mut self, at: &Address, from: &PersonId, facts: &Facts) -> Names {
        let conversation = PersonId::from(at.conversation.as_str());
        Names {
            conversation: self.peer(at, &conversation, facts),
            person: self.peer(at, from, facts),
        }
    }

    fn peer(&mut self, at: &Address, named: &PersonId, facts: &Facts) -> usize {
        let name = || Some(Text::new(facts.known_as(at, named)));
        let (channel, account, name) = match facts.config.session.dm_scope {
            DmScope::Main => (None, None, None),
            DmScope::PerPeer => (None, None, name()),
            DmScope::PerChannelPeer => (Some(at.channel.clone()), None, name()),
            DmScope::PerAccountChannelPeer => {
                (Some(at.channel.clone()), Some(at.account.clone()), name())
            }
        };
        let peer = Peer {
            channel,
            account,
            name,
        };
        self.peers.insert_full(peer, ()).0
    }
}

impl Names {
    /// Whether two conversations share a session; `None` where that depends on whether a peer is
    /// known by the conversation or by who writes in it.
    fn joined(self, other: Self) -> Option<bool> {
        let conversation = self.conversation == other.conversation;
        (conversation == (self.person == other.person)).then_some(conversation)
    }
}

impl Conversations {
    /// A conversation was seen for the first time, or with another session or person than before.
    /// Answers whether the rule is still kept.
    fn on_another(&mut self, at: &Address, here: Seen, sink: &mut Sink) -> bool {
        let before = self.seen.get(at);
        let is_moved = before.is_some_and(|before| before.key != here.key);
        let is_new = before.is_none();
        if let Some(names) = before.map(|before| before.names) {
            self.leave(names);
        }
        let meeting = self.meeting.get(&here.names);
        let is_split = meeting.is_some_and(|(key, _)| *key != here.key);
        let within = self.within.get(&here.key).map_or(&[][..], Vec::as_slice);
        // Two that are not the same tell which name all of them share.
        let is_apart = |names: &Names| names.joined(here.names) == Some(false);
        if is_moved || is_split || within.iter().take(2).any(is_apart) {
            self.tell(at, &here, sink);
            return false;
        }
        if is_new && (meeting.is_some() || self.meeting.keys().any(is_apart)) {
            sink.witness();
        }
        let met = self.meeting.entry(here.names);
        let (_, count) = met.or_insert_with(|| (here.key.clone(), 0));
        *count += 1;
        if *count == 1 {
            let within = self.within.entry(here.key.clone()).or_default();
            within.push(here.names);
        }
        self.seen.insert(at.clone(), here);
        true
    }

    /// One of those with these names goes by others from here on.
    fn leave(&mut self, names: Names) {
        let Some((key, count)) = self.meeting.get_mut(&names) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            if let Some(within) = self.within.get_mut(key) {
                within.retain(|one| *one != names);
            }
            self.meeting.remove(&names);
        }
    }

    /// Tells of the first conversation that shows what is wrong with this one.
    fn tell(&self, at: &Address, here: &Seen, sink: &mut Sink) {
        let (run, key) = (&here.run, &here.key);
        for (other, seen) in &self.seen {
            let (other_run, other_key) = (&seen.run, &seen.key);
            let joined = if at == other {
                Some(true)
            } else {
                here.names.joined(seen.names)
            };
            match (joined, key == other_key) {
                (Some(true), false) => sink.fail(
                    format!("run {run} for {at} is in session {key}, and run {other_run} for {other} was in session {other_key}"),
                    format!("{at} and {other} share one session"),
                ),
                (Some(false), true) => sink.fail(
                    format!("run {run} for {at} is in session {key}, as run {other_run} for {other} was"),
                    format!("{at} and {other} have sessions of their own"),
                ),
                (Some(_) | None, _) => continue,
            }
            return;
        }
    }
}
