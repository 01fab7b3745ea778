//! `agents`: what holds for every agent, and for one of them.

use serde::Deserialize;

use super::{Config, Layer, Layers, number};
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

/// `agents.list[]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentConfig {
    /// The agent.
    pub id: AgentId,
    /// Its children, and itself as a child.
    #[serde(default)]
    pub subagents: SubagentsConfig,
    /// Turns of it that nobody asked for.
    #[serde(default)]
    pub heartbeat: HeartbeatConfig,
}

/// `subagents`, of every agent or of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SubagentsConfig {
    /// How deep children may have children.
    #[serde(deserialize_with = "number::depth")]
    pub max_spawn_depth: Option<u32>,
    /// How many children of one session may run at a time.
    #[serde(deserialize_with = "number::children")]
    pub max_children_per_agent: Option<u32>,
    /// How many runs of children are at work at a time; the others wait.
    #[serde(deserialize_with = "number::at_least_one")]
    pub max_concurrent: Option<u32>,
    /// How long a child's run may take where the spawn does not say; 0 is no limit.
    pub run_timeout_seconds: Option<u64>,
    /// The agents that a spawn may name; `*` is every one.
    pub allow_agents: Option<Vec<AgentId>>,
    /// Whether a spawn has to name one.
    pub require_agent_id: Option<bool>,
    /// How long children of one run are kept after it ended; 0 is for ever.
    pub archive_after_minutes: Option<u64>,
    /// The model of children of this agent that are asked for without one.
    pub model: Option<String>,
    /// How much they think.
    pub thinking: Option<String>,
}

/// `heartbeat`, of every agent or of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HeartbeatConfig {
    /// Where its output goes; nowhere if absent.
    pub to: Option<Address>,
}

impl Config {
    /// What is said of one agent.
    pub fn agent(&self, id: &AgentId) -> Option<&AgentConfig> {
        self.agents.list.iter().find(|agent| agent.id == *id)
    }

    /// What each layer says of an agent's children.
    pub fn subagents<'c, T: 'c>(
        &'c self,
        agent: &AgentId,
        setting: impl Fn(&'c SubagentsConfig) -> Option<T>,
    ) -> Layers<T> {
        let own = self.agent(agent).map(|agent| &agent.subagents);
        Layers::default()
            .with(Layer::Agent, own.and_then(&setting))
            .with(Layer::Default, setting(&self.agents.defaults.subagents))
    }

    /// What each layer says of where an agent's output goes that nobody asked for.
    pub fn heartbeat_to(&self, agent: &AgentId) -> Layers<&Address> {
        let own = self
            .agent(agent)
            .and_then(|agent| agent.heartbeat.to.as_ref());
        Layers::default()
            .with(Layer::Agent, own)
            .with(Layer::Default, self.agents.defaults.heartbeat.to.as_ref())
    }
}
