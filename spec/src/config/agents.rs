//! `agents`: what holds for every agent, and for one of them.

use serde::Deserialize;

use super::spawn::{SpawnPolicy, SubagentsConfig};
use crate::address::Address;
use crate::id::AgentId;

/// `agents`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AgentsConfig {
    /// What holds for every agent.
    pub defaults: AgentDefaults,
    /// What holds for one of them.
    pub list: Vec<AgentConfig>,
}

/// `agents.defaults`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AgentDefaults {
    /// Children.
    pub subagents: SubagentsConfig,
    /// Turns that nobody asked for.
    pub heartbeat: HeartbeatConfig,
}

/// An entry of `agents.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentConfig {
    /// Which agent.
    pub id: AgentId,
    /// Its children.
    #[serde(default)]
    pub subagents: SpawnPolicy,
}

/// `agents.defaults.heartbeat`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HeartbeatConfig {
    /// Where its output goes; nowhere if absent.
    pub to: Option<Address>,
}
