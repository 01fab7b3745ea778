//! `tools`: which sessions an agent's tools reach.

use serde::Deserialize;

use super::Config;
use crate::id::AgentId;
use crate::profile::{Dials, Visibility};

/// `tools`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ToolsConfig {
    /// The tools that look at sessions and send to them.
    pub sessions: SessionTools,
    /// Sessions of other agents.
    pub agent_to_agent: AgentToAgent,
}

/// `tools.sessions`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SessionTools {
    /// Which sessions a session can see.
    #[serde(deserialize_with = "visibility")]
    pub visibility: Option<Visibility>,
}

/// `tools.agentToAgent`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AgentToAgent {
    /// Whether sessions of different agents may reach each other at all.
    pub enabled: Option<bool>,
    /// Which agents; both ends have to match. Empty is all. A star stands for any characters.
    pub allow: Vec<String>,
}

impl Config {
    /// Which sessions a session can see.
    pub fn visibility(&self, dials: &Dials) -> Visibility {
        self.tools.sessions.visibility.unwrap_or(dials.visibility)
    }

    /// Whether sessions of two agents may reach each other.
    pub fn agents_may_meet(&self, one: &AgentId, other: &AgentId, dials: &Dials) -> bool {
        let policy = &self.tools.agent_to_agent;
        let listed = |agent: &AgentId| {
            let mut patterns = policy.allow.iter();
            policy.allow.is_empty() || patterns.any(|pattern| matches(pattern, agent.as_str()))
        };
        let enabled = policy.enabled.unwrap_or(dials.agent_to_agent);
        one == other || enabled && listed(one) && listed(other)
    }
}

/// Whether an id is meant by a pattern: exactly, or, where it has stars, whatever its case.
pub fn matches(pattern: &str, id: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == id;
    }
    let (pattern, id) = (pattern.to_lowercase(), id.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(rest) = id.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    let mut rest = rest;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The words may stand in any case, with space around them.
fn visibility<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Visibility>, D::Error> {
    let Some(word) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    match word.trim().to_lowercase().as_str() {
        "self" => Ok(Some(Visibility::Own)),
        "tree" => Ok(Some(Visibility::Tree)),
        "agent" => Ok(Some(Visibility::Agent)),
        "all" => Ok(Some(Visibility::All)),
        _ => Err(serde::de::Error::custom(format!(
            "{word:?} is no visibility; write self, tree, agent or all"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::profile::Profile;

    #[track_caller]
    fn meet(policy: serde_json::Value, one: &str, other: &str, expected: bool) {
        let config = Config::read(&json!({"tools": {"agentToAgent": policy}})).unwrap();
        let dials = Profile::target().dials;
        let found = config.agents_may_meet(&one.into(), &other.into(), &dials);
        assert_eq!(found, expected, "{policy} {one} {other}");
    }

    #[test]
    fn both_agents_have_to_be_allowed() {
        let on = |allow: &[&str]| json!({"enabled": true, "allow": allow});
        meet(json!({}), "a", "b", false);
        meet(json!({}), "a", "a", true);
        meet(json!({"enabled": true}), "a", "b", true);
        meet(on(&["a"]), "a", "b", false);
        meet(on(&["a", "b"]), "b", "a", true);
        meet(on(&["*"]), "a", "b", true);
        // By different patterns; stars forget case, and only they do.
        meet(on(&["a", "HELP-*"]), "a", "help-desk", true);
        meet(on(&["A", "b"]), "a", "b", false);
        meet(on(&["*x*y", "b"]), "1x2y", "b", true);
        meet(on(&["*x*y", "b"]), "1y2x", "b", false);
        meet(on(&["ab*ba", "b"]), "aba", "b", false);
        meet(on(&[""]), "", "b", false);
        meet(json!({"enabled": false, "allow": ["*"]}), "a", "b", false);
    }
}
