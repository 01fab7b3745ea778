//! Which session somebody means by a key.

use moorline_spec::id::SessionKey;

use super::{Reference, keys};

impl Reference {
    /// The session key that a text spells; the error says what is wrong with it.
    pub(super) fn spelled(&self, raw: &str) -> Result<SessionKey, String> {
        let key = self.decisions.canonical(&self.naming, raw);
        let key = key.map_err(|wrong| format!("{wrong} (got {raw:?})"))?;
        match keys::agent_of(&key) {
            Some(agent) if !self.agents.contains(&agent) => {
                let known: Vec<&str> = self.agents.iter().map(|agent| agent.as_str()).collect();
                let known = known.join(", ");
                Err(format!(
                    "unknown agent id {:?} (there is {known})",
                    agent.as_str()
                ))
            }
            Some(_) | None => Ok(key),
        }
    }
}
