//! `agents`: what holds for every agent, and for one of them.

use serde::Deserialize;

use crate::address::Address;

/// `agents`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AgentsConfig {
    /// What holds for every agent.
    pub defaults: AgentDefaults,
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

/// `agents.defaults.subagents`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SubagentsConfig {
    /// How deep children may have children.
    pub max_spawn_depth: Option<u32>,
    /// How many children of one session may run at a time.
    pub max_children_per_agent: Option<u32>,
}

/// `agents.defaults.heartbeat`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HeartbeatConfig {
    /// Where its output goes; nowhere if absent.
    pub to: Option<Address>,
}
