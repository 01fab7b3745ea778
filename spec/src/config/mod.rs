//! The configuration a gateway is given, in the keys of OpenClaw, and the one precedence that holds
//! everywhere: account, channel, session, default.

mod agents;
mod bindings;
mod channel;
mod number;
mod reset;
mod session;
mod spawn;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub use self::agents::{AgentConfig, AgentDefaults, AgentsConfig, HeartbeatConfig};
pub use self::bindings::{Limits, ThreadBindings};
pub use self::channel::{AccountConfig, ChannelConfig};
pub use self::reset::{ResetByType, ResetConfig, ResetMode, ResetPolicy};
pub use self::session::{DmScope, SessionConfig};
pub use self::spawn::{AcpConfig, SpawnPolicy, SubagentsConfig, listed};
use crate::id::ChannelId;

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
    /// Agents behind a protocol of their own.
    pub acp: AcpConfig,
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
    /// Reads a configuration. An absent one is empty.
    pub fn read(value: &Value) -> Result<Self, ConfigError> {
        if value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(Self::default());
        }
        // Keeping track of the path takes most of the time, and only an error needs it.
        Self::deserialize(value).or_else(|_| {
            serde_path_to_error::deserialize(value).map_err(|error| ConfigError {
                path: error.path().to_string(),
                why: error.inner().to_string(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(config: Value, path: &str, why: &str) {
        let error = Config::read(&config).unwrap_err();
        assert_eq!(error.path, path);
        assert!(error.why.contains(why), "{error}");
    }

    #[test]
    fn what_is_not_understood_is_refused_at_its_path() {
        refused(
            json!({"session": {"reset": {"idleMinutes": 0}}}),
            "session.reset.idleMinutes",
            "1 or more",
        );
        refused(
            json!({"session": {"reset": {"atHour": 24}}}),
            "session.reset.atHour",
            "0 to 23",
        );
        refused(json!({"sesion": {}}), "sesion", "unknown field `sesion`");
        refused(
            json!({"channels": {"x": {"threadBindings": {"idleHours": -1}}}}),
            "channels.x.threadBindings.idleHours",
            "0 or more",
        );
    }
}
