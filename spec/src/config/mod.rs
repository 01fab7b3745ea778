//! The configuration a gateway is given, in the keys of OpenClaw, and the one precedence that holds
//! everywhere: parameter, account, channel, agent, default.

mod agents;
mod bindings;
mod channel;
mod layers;
mod legacy;
mod maintenance;
mod messages;
mod number;
mod problems;
mod reset;
mod routes;
mod session;
mod spawn;
mod tools;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub use self::agents::{
    AgentConfig, AgentDefaults, AgentsConfig, HeartbeatConfig, SubagentsConfig,
};
pub use self::bindings::{Limits, ThreadBindings};
pub use self::channel::{AccountConfig, ChannelConfig};
pub use self::layers::{Layer, Layers};
pub use self::maintenance::MaintenanceConfig;
pub use self::messages::{DropPolicy, MessagesConfig, QueueConfig, QueueMode};
pub use self::reset::{ResetByType, ResetConfig, ResetLevels, ResetMode, ResetPolicy};
pub use self::routes::{Peer, PeerKind, Route, RouteConfig, RouteKind, RouteMatch};
pub use self::session::{DmScope, ExchangeConfig, SessionConfig};
pub use self::spawn::{AcpConfig, listed};
pub use self::tools::{AgentToAgent, SessionTools, ToolsConfig, matches};
use crate::id::ChannelId;
use crate::profile::{Dials, LegacyKeys};

/// A configuration that was understood.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Sessions: whose messages meet, and when memory is dropped.
    pub session: SessionConfig,
    /// Channels, by name.
    pub channels: BTreeMap<ChannelId, ChannelConfig>,
    /// Agents.
    pub agents: AgentsConfig,
    /// People's messages.
    pub messages: MessagesConfig,
    /// Agents' tools.
    pub tools: ToolsConfig,
    /// Agents behind a protocol of their own.
    pub acp: AcpConfig,
    /// Whose conversations are that nobody bound at run time.
    pub bindings: Vec<RouteConfig>,
}

/// Why a configuration was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct ConfigError {
    /// The key it stands at: `session.reset.idleMinutes`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub why: String,
}

impl Config {
    /// Reads a configuration, with the keys of older versions. An absent one is empty.
    pub fn read(value: &Value) -> Result<Self, ConfigError> {
        if value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(Self::default());
        }
        // Keeping track of the path takes most of the time, and only an error needs it.
        Self::deserialize(value).or_else(|_| problems::first(value).map_err(ConfigError::from))
    }

    /// Reads a configuration as a gateway does that promises this.
    pub fn read_as(value: &Value, dials: &Dials) -> Result<Self, ConfigError> {
        match dials.legacy_keys {
            LegacyKeys::Migrated => Self::read(value),
            LegacyKeys::Refused => match legacy::first(value) {
                Some(wrong) => Err(ConfigError::from(wrong)),
                None => Self::read(value),
            },
        }
    }

    /// Everything that is wrong with a configuration, as a gateway sees it that promises this.
    pub fn problems(value: &Value, dials: &Dials) -> Vec<ConfigError> {
        let found = problems::all(value, dials.legacy_keys);
        found.into_iter().map(ConfigError::from).collect()
    }
}

#[cfg(test)]
mod tests;
