//! Which sessions a caller can name, and which of them it reaches.

use moorline_spec::id::{AgentId, SessionKey};
use moorline_spec::profile::Visibility;
use serde_json::Value;

use super::decisions::{Naming, Reach, Unseen};
use super::tools::Caller;
use super::{Reference, keys};

/// Why a session is not reached: a status, and words that help.
pub(super) type Unreached = (&'static str, String);

/// What somebody wants of a session, for refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Send,
    Look,
}

/// A text parameter that says something: blanks are as good as nothing.
pub(super) fn given<'p>(params: &'p Value, name: &str) -> Option<&'p str> {
    let text = params[name].as_str().map(str::trim);
    text.filter(|text| !text.is_empty())
}

impl Reference {
    /// The session that a call names by `sessionKey`, `label` or `agentId`.
    pub(super) fn target(&self, caller: &Caller, params: &Value) -> Result<SessionKey, Unreached> {
        let key = given(params, "sessionKey");
        let label = given(params, "label");
        let agent = given(params, "agentId");
        let error = |words: &str| Err(("error", words.to_owned()));
        match self.decisions.names(&Naming {
            key: key.is_some(),
            label: label.is_some(),
            agent: agent.is_some(),
        }) {
            Err(why) => error(why),
            Ok(()) => match (key, agent, label) {
                (Some(key), Some(agent), _) => {
                    let found = self.resolve(caller, key).map_err(|why| ("error", why))?;
                    let of = keys::agent_of(&found);
                    if of.as_ref().is_some_and(|of| of.as_str() != agent) {
                        return error("`sessionKey` is of another agent than `agentId`");
                    }
                    Ok(found)
                }
                (Some(key), None, _) => self.resolve(caller, key).map_err(|why| ("error", why)),
                (None, Some(agent), _) => self.main_of(agent),
                (None, None, Some(label)) => self.labelled(label).map_err(|why| ("error", why)),
                (None, None, None) => error("Either sessionKey or label is required."),
            },
        }
    }

    /// The main session of an agent, which comes to be with the first text to it.
    fn main_of(&self, agent: &str) -> Result<SessionKey, Unreached> {
        let id = AgentId::from(agent);
        let key = keys::main_key(&id);
        let known = self.agents.contains(&id);
        let there = self.state.session(&key).is_some();
        if known && (there || self.decisions.may_mint(self.dials.send_minting, true)) {
            return Ok(key);
        }
        let known: Vec<&str> = self.agents.iter().map(AgentId::as_str).collect();
        let known = known.join(", ");
        Err((
            "error",
            format!("Agent {agent:?} not found; there is {known}"),
        ))
    }

    /// The session that a reference names: a key, an alias, or a session id.
    pub(super) fn resolve(&self, caller: &Caller, name: &str) -> Result<SessionKey, String> {
        let name = name.trim();
        if name.eq_ignore_ascii_case("main") {
            let agent = caller.key.as_ref().and_then(keys::agent_of);
            return Ok(agent.map_or_else(|| self.main.clone(), |agent| keys::main_key(&agent)));
        }
        if name == "current"
            && let Some(key) = self.decisions.current(caller.key.as_ref())
        {
            return Ok(key);
        }
        // What was given out is taken back as it is.
        let key = SessionKey::from(name);
        if self.state.session(&key).is_some() {
            return Ok(key);
        }
        let key = match name.contains(':') {
            true => self.spelled(name)?,
            false => key,
        };
        if self.state.session(&key).is_some() {
            return Ok(key);
        }
        let mut sessions = self
            .state
            .sessions
            .values()
            .filter(|session| !session.ghost);
        if let Some(found) = sessions.find(|s| keys::session_id(s.id).as_str() == name) {
            return Ok(found.key.clone());
        }
        let agent = keys::agent_of(&key).filter(|agent| self.agents.contains(agent));
        let is_main = agent
            .as_ref()
            .is_some_and(|agent| keys::main_key(agent) == key);
        if self.decisions.may_mint(self.dials.send_minting, is_main) && agent.is_some() {
            return Ok(key);
        }
        let help = "use the full sessionKey from sessions_list, or a label";
        Err(format!("Session not found: {name} ({help})"))
    }

    /// The sessions that have a label, in the order of their keys.
    fn all_labelled(&self, label: &str) -> Vec<&SessionKey> {
        let sessions = self
            .state
            .sessions
            .values()
            .filter(|session| !session.ghost);
        let named = sessions.filter(|s| s.label.as_ref().is_some_and(|own| own.as_str() == label));
        let mut found: Vec<&SessionKey> = named.map(|session| &session.key).collect();
        found.sort();
        found
    }

    /// A session that has a label, if any has.
    pub(super) fn by_label(&self, label: &str) -> Option<SessionKey> {
        self.all_labelled(label).first().map(|key| (*key).clone())
    }

    /// The one session that has a label.
    pub(super) fn labelled(&self, label: &str) -> Result<SessionKey, String> {
        match self.all_labelled(label).as_slice() {
            [] => Err(format!("No session found with label: {label}")),
            [one] => Ok((*one).clone()),
            several => {
                let keys: Vec<&str> = several.iter().map(|key| key.as_str()).collect();
                let keys = keys.join(", ");
                Err(format!(
                    "Multiple sessions found with label: {label} ({keys})"
                ))
            }
        }
    }

    /// Whether a caller reaches a session.
    pub(super) fn sees(&self, caller: &Caller, key: &SessionKey) -> bool {
        self.reach(caller, key).is_ok()
    }

    fn reach(&self, caller: &Caller, key: &SessionKey) -> Result<(), Unseen> {
        let Some(own) = &caller.key else {
            return Ok(());
        };
        let (from, to) = (keys::agent_of(own), keys::agent_of(key));
        let meet = match (&from, &to) {
            (Some(from), Some(to)) => self.config.agents_may_meet(from, to, &self.dials),
            _ => true,
        };
        self.decisions.reaches(&Reach {
            visibility: self.config.visibility(&self.dials),
            own: own == key,
            below: self.is_below(Some(own), key),
            same_agent: from == to,
            agents_may_meet: meet,
        })
    }

    /// A session that a caller reaches, or why it does not.
    pub(super) fn reached(
        &self,
        caller: &Caller,
        key: SessionKey,
        want: Want,
    ) -> Result<SessionKey, Unreached> {
        let name = match want {
            Want::Send => "send",
            Want::Look => "status",
        };
        let why = match self.reach(caller, &key) {
            Ok(()) => return Ok(key),
            Err(Unseen::Own) => format!(
                "Session {name} visibility is restricted to the current session \
                 (tools.sessions.visibility=self)."
            ),
            Err(Unseen::Tree) => format!(
                "Session {name} visibility is restricted to the current session tree \
                 (tools.sessions.visibility=tree)."
            ),
            Err(Unseen::OtherAgent) => format!(
                "Session {name} visibility is restricted. Set tools.sessions.visibility=all to \
                 allow cross-agent access; use tools.agentToAgent to restrict permitted agent \
                 pairs."
            ),
            Err(Unseen::AgentsApart) => {
                let on = self.config.tools.agent_to_agent.enabled;
                match (on.unwrap_or(self.dials.agent_to_agent), want) {
                    (true, Want::Send) => {
                        "Agent-to-agent messaging denied by tools.agentToAgent.allow.".to_owned()
                    }
                    (true, Want::Look) => {
                        "Agent-to-agent status denied by tools.agentToAgent.allow.".to_owned()
                    }
                    (false, _) => "Agent-to-agent messaging is disabled. Set \
                                   tools.agentToAgent.enabled=true to allow cross-agent sends."
                        .to_owned(),
                }
            }
        };
        Err(("forbidden", why))
    }
}

/// How far a visibility reaches. What a session spawned is its own, whoever's agent it is.
pub(super) fn reaches(reach: &Reach) -> Result<(), Unseen> {
    if reach.own {
        return Ok(());
    }
    match reach.visibility {
        Visibility::Own => Err(Unseen::Own),
        Visibility::Tree | Visibility::Agent | Visibility::All if reach.below => Ok(()),
        Visibility::Tree | Visibility::Agent if !reach.same_agent => Err(Unseen::OtherAgent),
        Visibility::Tree => Err(Unseen::Tree),
        Visibility::Agent => Ok(()),
        Visibility::All if reach.same_agent || reach.agents_may_meet => Ok(()),
        Visibility::All => Err(Unseen::AgentsApart),
    }
}
