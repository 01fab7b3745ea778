//! `session`: whose messages meet, and when memory is dropped.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::bindings::ThreadBindings;
use super::maintenance::MaintenanceConfig;
use super::reset::{ResetByType, ResetConfig};
use super::{Config, number};
use crate::id::{ChannelId, PersonId};
use crate::profile::Dials;

/// `session`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SessionConfig {
    /// Which direct messages share a session.
    pub dm_scope: DmScope,
    /// One name for several peers: `{"alice": ["telegram:123", "discord:456"]}`.
    pub identity_links: BTreeMap<String, Vec<String>>,
    /// The reset policy.
    pub reset: Option<ResetConfig>,
    /// What overrides it field by field, by the kind of conversation.
    pub reset_by_type: ResetByType,
    /// What replaces it whole, by channel.
    pub reset_by_channel: BTreeMap<ChannelId, ResetConfig>,
    /// The legacy form of `reset.idleMinutes`.
    #[serde(deserialize_with = "number::minutes")]
    pub idle_minutes: Option<u64>,
    /// Exchanges between sessions.
    pub agent_to_agent: ExchangeConfig,
    /// The name of the main session, which is always `main`.
    #[serde(deserialize_with = "main_key")]
    pub main_key: Option<String>,
    /// How many sessions are kept, and for how long.
    pub maintenance: MaintenanceConfig,
    /// Bindings on every channel.
    pub thread_bindings: ThreadBindings,
}

/// `session.agentToAgent`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExchangeConfig {
    /// How many turns follow the reply to a text that one session sent to another, 0 to 5.
    #[serde(deserialize_with = "number::turns")]
    pub max_ping_pong_turns: Option<u32>,
}

/// `session.dmScope`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DmScope {
    /// All direct messages share the agent's main session.
    #[default]
    Main,
    /// One session for each person, on whatever channel.
    PerPeer,
    /// One for each person and channel.
    PerChannelPeer,
    /// One for each person, channel and account.
    PerAccountChannelPeer,
}

impl Config {
    /// How many turns follow the reply to a text that one session sent to another.
    pub fn exchange_turns(&self, dials: &Dials) -> u32 {
        let own = self.session.agent_to_agent.max_ping_pong_turns;
        own.unwrap_or(dials.exchange_turns)
    }

    /// The name under which a person is known on a channel: that of an identity link, else their
    /// own.
    pub fn linked<'a>(&'a self, channel: &ChannelId, person: &'a PersonId) -> &'a str {
        let full = || format!("{channel}:{person}");
        let is_them = |peer: &String| {
            peer.eq_ignore_ascii_case(person.as_str()) || peer.eq_ignore_ascii_case(&full())
        };
        let links = &self.session.identity_links;
        let link = links.iter().find(|(_, peers)| peers.iter().any(is_them));
        link.map_or(person.as_str(), |(name, _)| name)
    }
}

fn main_key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(name) if name != "main" => Err(serde::de::Error::custom(format!(
            "{name:?} would have no effect; the main session is always \"main\""
        ))),
        name => Ok(name),
    }
}
