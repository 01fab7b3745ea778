//! `bindings`: whose conversations are that nobody bound at run time.

use serde::Deserialize;

use super::Config;
use crate::address::{Address, Place};
use crate::id::{AccountId, AgentId, ChannelId, ConversationId};

/// `bindings[]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteConfig {
    /// What it gives the agent.
    #[serde(default, rename = "type")]
    pub kind: RouteKind,
    /// The agent.
    pub agent_id: AgentId,
    /// Which conversations it speaks of.
    #[serde(rename = "match")]
    pub matches: RouteMatch,
}

/// `bindings[].type`: what the agent is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// The conversations, in the sessions that they have anyhow.
    #[default]
    Route,
    /// One conversation, in a session of its own.
    Acp,
}

/// `bindings[].match`: conversations.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteMatch {
    /// Of this channel.
    pub channel: ChannelId,
    /// Of this account, `*` being every one; of `default` if absent.
    pub account_id: Option<AccountId>,
    /// Only this one, with its threads.
    pub peer: Option<Peer>,
}

/// `bindings[].match.peer`: one conversation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Peer {
    /// What it is.
    pub kind: PeerKind,
    /// Its id.
    pub id: ConversationId,
}

/// `bindings[].match.peer.kind`: what a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerKind {
    /// Of one person.
    Direct,
    /// Of several.
    Group,
    /// Another name for that.
    Channel,
}

/// Whose a conversation is by configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'c> {
    /// An agent has it in a session of its own.
    Bound(&'c AgentId),
    /// An agent has it as the default one would.
    Agent(&'c AgentId),
}

impl<'c> Route<'c> {
    /// The agent.
    pub fn agent(self) -> &'c AgentId {
        match self {
            Self::Bound(agent) | Self::Agent(agent) => agent,
        }
    }

    /// Whether the conversation has a session of its own by it.
    pub fn is_bound(self) -> bool {
        matches!(self, Self::Bound(_))
    }
}

impl RouteMatch {
    /// How closely it speaks of an account; `None` where it does not.
    fn account(&self, at: &Address) -> Option<Closeness> {
        match self.account_id.as_ref().map(AccountId::as_str) {
            Some("*") => Some(Closeness::EveryAccount),
            Some(account) => (account == at.account.as_str()).then_some(Closeness::Account),
            None => (at.account.as_str() == "default").then_some(Closeness::Account),
        }
    }

    /// Whether it speaks of a conversation at all.
    pub fn holds(&self, at: &Address, kind: Place) -> bool {
        self.closeness(at, kind).is_some()
    }

    /// How closely it speaks of a conversation.
    fn closeness(&self, at: &Address, kind: Place) -> Option<Closeness> {
        let account = self.account(at).filter(|_| self.channel == at.channel)?;
        let Some(peer) = &self.peer else {
            return Some(account);
        };
        let direct = kind == Place::Direct;
        let same = direct == (peer.kind == PeerKind::Direct) && peer.id == at.conversation;
        same.then_some(Closeness::Peer(account == Closeness::Account))
    }
}

/// How closely somebody speaks of a conversation; more is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    EveryAccount,
    Account,
    /// Of it alone; under its account by name or not.
    Peer(bool),
}

impl Config {
    /// Whose a conversation is by configuration: that of what binds it to a session of its own, else
    /// that of the route which speaks of it most closely. `None` is the default agent's.
    pub fn route(&self, at: &Address, kind: Place) -> Option<Route<'_>> {
        if self.bindings.is_empty() {
            return None;
        }
        let bound = self.closest(RouteKind::Acp, at, kind).map(Route::Bound);
        bound.or_else(|| self.closest(RouteKind::Route, at, kind).map(Route::Agent))
    }

    /// The agent of what speaks most closely of a conversation; of equals the first.
    pub fn closest(&self, of: RouteKind, at: &Address, kind: Place) -> Option<&AgentId> {
        let all = self.bindings.iter().filter(|route| route.kind == of);
        let fitting = all.filter_map(|route| {
            let closeness = route.matches.closeness(at, kind)?;
            Some((rank(of, closeness)?, &route.agent_id))
        });
        let best = fitting.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, agent)| agent)
    }
}

/// What counts of how closely somebody speaks of a conversation. Only one conversation is bound at a
/// time; a route to one holds whichever way its account is named.
fn rank(kind: RouteKind, closeness: Closeness) -> Option<u8> {
    match (kind, closeness) {
        (RouteKind::Acp, Closeness::Peer(named)) => Some(u8::from(named)),
        (RouteKind::Acp, Closeness::Account | Closeness::EveryAccount) => None,
        (RouteKind::Route, Closeness::EveryAccount) => Some(0),
        (RouteKind::Route, Closeness::Account) => Some(1),
        (RouteKind::Route, Closeness::Peer(_)) => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(bindings: &Value, account: &str, conversation: &str, route: Option<(&str, bool)>) {
        let config = Config::read(&json!({"bindings": bindings})).unwrap();
        let at = Address {
            channel: "discord".into(),
            account: account.into(),
            conversation: conversation.into(),
            thread: None,
        };
        let found = config.route(&at, Place::Group);
        let found = found.map(|route| (route.agent().as_str(), route.is_bound()));
        assert_eq!(found, route, "{account} {conversation}");
    }

    fn entry(kind: &str, agent: &str, account: Option<&str>, peer: Option<&str>) -> Value {
        let mut matches = json!({"channel": "discord"});
        if let Some(account) = account {
            matches["accountId"] = account.into();
        }
        if let Some(peer) = peer {
            matches["peer"] = json!({"kind": "group", "id": peer});
        }
        json!({"type": kind, "agentId": agent, "match": matches})
    }

    #[test]
    fn what_speaks_of_it_most_closely_has_it() {
        let all = json!([
            entry("route", "everywhere", Some("*"), None),
            entry("route", "work", Some("work"), None),
            entry("route", "here", None, None),
            entry("route", "general", Some("*"), Some("general")),
            entry("route", "late", Some("work"), Some("general")),
        ]);
        check(&all, "home", "random", Some(("everywhere", false)));
        check(&all, "work", "random", Some(("work", false)));
        check(&all, "default", "random", Some(("here", false)));
        check(&all, "work", "general", Some(("general", false)));
        check(&json!([]), "work", "general", None);
        let elsewhere = json!([entry("route", "here", None, None)]);
        check(&elsewhere, "work", "general", None);
    }

    #[test]
    fn what_binds_it_comes_before_what_routes_it() {
        let all = json!([
            entry("route", "main", Some("work"), Some("general")),
            entry("acp", "any", Some("*"), Some("general")),
            entry("acp", "codex", Some("work"), Some("general")),
            entry("acp", "second", Some("work"), Some("general")),
        ]);
        check(&all, "work", "general", Some(("codex", true)));
        check(&all, "home", "general", Some(("any", true)));
        check(&all, "work", "random", None);
    }

    #[test]
    fn a_group_is_no_direct_conversation() {
        let config = json!({"bindings": [{"type": "acp", "agentId": "codex",
            "match": {"channel": "telegram", "peer": {"kind": "direct", "id": "alice"}}}]});
        let config = Config::read(&config).unwrap();
        let at = Address {
            channel: "telegram".into(),
            account: "default".into(),
            conversation: "alice".into(),
            thread: None,
        };
        assert!(config.route(&at, Place::Direct).is_some());
        assert_eq!(config.route(&at, Place::Group), None);
    }
}
