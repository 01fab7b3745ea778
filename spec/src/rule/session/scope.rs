//! Which direct messages share a session.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Checker, Keyword, Kind, Rule, Sink};
use crate::address::{Address, Place};
use crate::config::{DmScope, Route};
use crate::effect::{Effect, StartRun};
use crate::facts::{Facts, Table};
use crate::id::{AgentId, PersonId, RunId, SessionKey};
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
#[derive(Default)]
struct Scope {
    under: Option<(DmScope, BTreeMap<String, Vec<String>>)>,
    /// The entry since which that configuration is in force.
    since: usize,
    /// For each agent, what was seen of each conversation.
    seen: BTreeMap<AgentId, Table<Address, Seen>>,
    /// Pairs that were compared already; each is one witness.
    compared: BTreeSet<(Address, Address)>,
    /// How often a conversation was seen with another session or person than before.
    changes: u64,
}

struct Seen {
    from: PersonId,
    key: SessionKey,
    run: RunId,
    /// After how many changes it was compared with all others.
    compared: u64,
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
        let said = (&message.from, &start.session_key);
        let of_agent = self.seen.get_mut(&start.agent);
        let seen = of_agent.and_then(|of_agent| of_agent.get_mut(&message.at));
        let is_same = seen
            .as_ref()
            .is_some_and(|seen| (&seen.from, &seen.key) == said);
        if let Some(seen) = seen
            && is_same
            && seen.compared == self.changes
        {
            // The same again, where nothing else has changed.
            seen.run.clone_from(&start.run);
            return;
        }
        self.compare(&message.at, &message.from, start, facts, sink);
        self.changes += u64::from(!is_same);
        let seen = Seen {
            from: message.from.clone(),
            key: start.session_key.clone(),
            run: start.run.clone(),
            compared: self.changes,
        };
        let of_agent = self.seen.entry(start.agent.clone()).or_default();
        of_agent.insert(message.at.clone(), seen);
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
            self.seen.clear();
        }
    }

    fn compare(
        &mut self,
        at: &Address,
        from: &PersonId,
        start: &StartRun,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        for (other, seen) in self.seen.get(&start.agent).into_iter().flatten() {
            let Some(joined) = joined(facts, (at, from), (other, &seen.from)) else {
                continue;
            };
            let (run, key) = (&start.run, &start.session_key);
            let (other_run, other_key) = (&seen.run, &seen.key);
            match (joined, key == other_key) {
                (true, false) => sink.fail(
                    format!("run {run} for {at} is in session {key}, and run {other_run} for {other} was in session {other_key}"),
                    format!("{at} and {other} share one session"),
                ),
                (false, true) => sink.fail(
                    format!("run {run} for {at} is in session {key}, as run {other_run} for {other} was"),
                    format!("{at} and {other} have sessions of their own"),
                ),
                _ => {
                    let pair = (at.min(other).clone(), at.max(other).clone());
                    if at != other && self.compared.insert(pair) {
                        sink.witness();
                    }
                }
            }
        }
    }
}

/// Whether two direct conversations share a session; `None` where that depends on whether a peer is
/// known by the conversation or by who writes in it.
fn joined(facts: &Facts, one: (&Address, &PersonId), other: (&Address, &PersonId)) -> Option<bool> {
    if one.0 == other.0 {
        return Some(true);
    }
    let same_channel = one.0.channel == other.0.channel;
    let same_account = one.0.account == other.0.account;
    let same = |first: &PersonId, second: &PersonId| {
        let same_name = || facts.known_as(one.0, first) == facts.known_as(other.0, second);
        match facts.config.session.dm_scope {
            DmScope::Main => true,
            DmScope::PerPeer => same_name(),
            DmScope::PerChannelPeer => same_channel && same_name(),
            DmScope::PerAccountChannelPeer => same_channel && same_account && same_name(),
        }
    };
    let named = |at: &Address| PersonId::from(at.conversation.as_str());
    let conversation = same(&named(one.0), &named(other.0));
    let person = same(one.1, other.1);
    (conversation == person).then_some(conversation)
}
