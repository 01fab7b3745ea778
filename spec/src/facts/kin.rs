//! How sessions are related, and by which names they can be reached.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{CallFacts, Facts, Role, RunFacts};
use crate::effect::StartRun;
use crate::id::{AgentId, CallId, SessionId, SessionKey, Text};
use crate::profile::Visibility;

/// Names and parents of sessions.
#[derive(Debug, Default)]
pub(super) struct Kin {
    /// Who asked for a child's session.
    parents: FxHashMap<SessionKey, SessionKey>,
    /// The children that were accepted under a label, and whether each stays after its run.
    labels: FxHashMap<Text, Vec<(SessionKey, bool)>>,
    /// Labels of calls that the gateway died over: whether they are taken nobody knows.
    unsure: FxHashSet<Text>,
    /// The session that has an id.
    ids: FxHashMap<SessionId, SessionKey>,
    /// The agents there are.
    agents: Vec<AgentId>,
}

/// The session that a call names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// This one, which is certainly there.
    Session(SessionKey),
    /// This one, as far as can be seen: it may be gone.
    Perhaps(SessionKey),
    /// A key that nothing was ever seen of.
    Unknown(SessionKey),
    /// None, or several.
    Nobody,
    /// A key and a label at once.
    Both,
    /// Nobody outside can tell.
    Unclear,
}

/// The agent in a key: `agent:<agent>:...`.
pub fn agent_of(key: &SessionKey) -> Option<&str> {
    let (agent, _) = key.as_str().strip_prefix("agent:")?.split_once(':')?;
    Some(agent)
}

impl Facts {
    pub(super) fn meet_agents(&mut self, agents: &[AgentId]) {
        self.kin.agents = agents.to_vec();
    }

    pub(super) fn note_kin(&mut self, start: &StartRun, run: &RunFacts) {
        if self.kin.ids.get(&start.session_id) != Some(&start.session_key) {
            let (id, key) = (start.session_id.clone(), start.session_key.clone());
            self.kin.ids.insert(id, key);
        }
        if let Role::Child(call) = &run.role
            && let Some(parent) = self.calls.get(call).and_then(|call| call.session.clone())
        {
            self.kin.parents.insert(start.session_key.clone(), parent);
        }
    }

    pub(super) fn note_label(&mut self, id: &CallId) {
        let Some(call) = self.calls.get(id) else {
            return;
        };
        if call.method == "sessions.patch" && call.is_accepted() {
            return self.note_patched_label(id);
        }
        if call.method != "sessions_spawn" || !call.is_accepted() {
            return;
        }
        let answer = call.answer.as_ref();
        let text = |name: &str| answer.and_then(|answer| answer.get(name)?.as_str());
        let run = call.run.as_ref().and_then(|run| self.runs.get(run));
        let key = text("childSessionKey").map(SessionKey::from);
        let Some(key) = key.or_else(|| run.map(|run| run.key.clone())) else {
            return;
        };
        let stays = text("mode") == Some("session");
        let label = call.text("label").map(str::trim).unwrap_or_default();
        let (label, parent) = (Text::from(label), call.session.clone());
        if let Some(parent) = parent {
            self.kin.parents.insert(key.clone(), parent);
        }
        if !label.is_empty() {
            let of_label = self.kin.labels.entry(label).or_default();
            of_label.retain(|(other, _)| *other != key);
            of_label.push((key, stays));
        }
    }

    /// The calls of the present life that have no answer: whether the gateway took them in nobody
    /// can tell where it dies.
    pub(super) fn unanswered_calls(&self) -> impl Iterator<Item = &CallFacts> {
        let life = self.lives;
        let calls = self.calls.values();
        calls.filter(move |call| call.waits_in(life))
    }

    /// The gateway died before it answered: whom it was to spawn or to call so may have that label.
    pub(super) fn suppose_labels(&mut self) {
        let gives =
            |call: &&CallFacts| matches!(call.method.as_str(), "sessions_spawn" | "sessions.patch");
        let labels = self
            .unanswered_calls()
            .filter(gives)
            .filter_map(|call| call.text("label"));
        let labels: Vec<Text> = labels.map(|label| Text::from(label.trim())).collect();
        self.kin.unsure.extend(labels);
    }

    /// The gateway died before it answered: a child that was at work may have been undone since.
    pub(super) fn doubt_children(&mut self) {
        let unanswered = self.unanswered_calls();
        let spawns = unanswered.filter(|call| call.method == "sessions_spawn");
        let runs = spawns.filter_map(|call| self.runs.get(call.run.as_ref()?));
        let keys: Vec<usize> = runs.map(|run| run.session).collect();
        for key in keys {
            self.sessions[key].uncertain = true;
        }
    }

    /// A session was given another label, or none.
    fn note_patched_label(&mut self, id: &CallId) {
        let call = self.calls.get(id);
        let Some((call, label)) = call.and_then(|call| Some((call, call.params.get("label")?)))
        else {
            return;
        };
        let label = Text::from(label.as_str().map(str::trim).unwrap_or_default());
        let key = call.text("key").and_then(|key| self.session_named(key));
        let Some(key) = key.cloned() else {
            return;
        };
        for of_label in self.kin.labels.values_mut() {
            of_label.retain(|(other, _)| *other != key);
        }
        if !label.is_empty() {
            self.kin.labels.entry(label).or_default().push((key, false));
        }
    }

    /// Whether a session was spawned by another one, at any depth.
    pub fn is_below(&self, above: &SessionKey, key: &SessionKey) -> bool {
        self.line_above(key).any(|parent| parent == above)
    }

    /// Who spawned a session, who spawned that, and so on.
    fn line_above<'f>(
        &'f self,
        key: &SessionKey,
    ) -> impl Iterator<Item = &'f SessionKey> + use<'f> {
        let parent = |key: &&SessionKey| self.kin.parents.get(*key);
        // A cycle of parents would be the gateway's doing, and is not followed for ever.
        std::iter::successors(self.kin.parents.get(key), parent).take(64)
    }

    /// Whether a session between that and one above it was deleted: whose child it is, nobody may
    /// know any more.
    pub fn is_cut_off(&self, above: &SessionKey, key: &SessionKey) -> bool {
        let mut between = self.line_above(key).take_while(|parent| *parent != above);
        between.any(|parent| {
            let session = self.sessions.get(parent);
            session.is_some_and(|session| session.deleted || session.told_to_forget)
        })
    }

    /// Every session that another one spawned, at any depth.
    pub(super) fn all_below(&self, above: &SessionKey) -> Vec<SessionKey> {
        let keys = self.kin.parents.keys();
        keys.filter(|key| self.is_below(above, key))
            .cloned()
            .collect()
    }

    /// Whether one session may reach another.
    pub fn may_reach(&self, from: &SessionKey, to: &SessionKey) -> bool {
        let dials = &self.dials;
        let visibility = self.config.visibility(dials);
        if from == to {
            return true;
        }
        if visibility != Visibility::Own && self.is_below(from, to) {
            return true;
        }
        let (Some(one), Some(other)) = (agent_of(from), agent_of(to)) else {
            return visibility == Visibility::All;
        };
        match visibility {
            Visibility::Own | Visibility::Tree => false,
            Visibility::Agent => one == other,
            Visibility::All => self
                .config
                .agents_may_meet(&one.into(), &other.into(), dials),
        }
    }

    /// Whether a key is that of an agent's main session, which every agent has.
    pub fn is_main(&self, key: &SessionKey) -> bool {
        let mut agents = self.kin.agents.iter();
        agents.any(|agent| {
            let rest = key.as_str().strip_prefix("agent:");
            let rest = rest.and_then(|rest| rest.strip_prefix(agent.as_str()));
            rest == Some(":main")
        })
    }

    /// The session that a call names by `sessionKey`, `label` or `agentId`. Blanks name nothing.
    pub fn named_by(&self, call: &CallFacts) -> Named {
        let given = |name: &str| {
            call.text(name)
                .map(str::trim)
                .filter(|text| !text.is_empty())
        };
        match (given("sessionKey"), given("label"), given("agentId")) {
            (Some(_), Some(_), _) => Named::Both,
            (Some(name), None, None) => self.named(call, name),
            (None, Some(label), None) => self.labelled(label),
            // An id outranks a label. Every agent has a main session.
            (None, _, Some(agent)) => {
                let key = SessionKey::from(format!("agent:{agent}:main"));
                if self.is_main(&key) {
                    Named::Session(key)
                } else {
                    Named::Nobody
                }
            }
            (None, None, None) => Named::Nobody,
            (Some(_), None, Some(_)) => Named::Unclear,
        }
    }

    fn named(&self, call: &CallFacts, name: &str) -> Named {
        let own = call.session.as_ref();
        match (name, own) {
            ("current", Some(own)) => return Named::Session(own.clone()),
            ("main", Some(own)) => {
                let agent = agent_of(own).unwrap_or("main");
                return Named::Perhaps(format!("agent:{agent}:main").into());
            }
            ("main" | "current" | "global" | "unknown", _) => return Named::Unclear,
            _ => (),
        }
        let key = SessionKey::from(name);
        if let Some(session) = self.sessions.get(&key) {
            let stays = !session.deleted && !session.told_to_forget && !session.uncertain;
            return if stays && self.surely_stays(&key) {
                Named::Session(key)
            } else {
                Named::Perhaps(key)
            };
        }
        if let Some(key) = self.kin.ids.get(name) {
            return Named::Perhaps(key.clone());
        }
        // It was accepted, and its run may wait for its place.
        if self.kin.parents.contains_key(&key) {
            return Named::Perhaps(key);
        }
        let alike = |other: &&SessionKey| other.as_str().eq_ignore_ascii_case(name);
        if self.is_main(&key) {
            return Named::Session(key);
        }
        let strange = !name.starts_with("agent:") || self.sessions.keys().any(|key| alike(&key));
        if strange {
            return Named::Unclear;
        }
        Named::Unknown(key)
    }

    /// Whether a session is there for as long as nobody deletes it. One that was made for a single
    /// run may be archived after that.
    fn surely_stays(&self, key: &SessionKey) -> bool {
        let mut all = self.kin.labels.values().flatten();
        let made_to_stay = all.any(|(other, stays)| *stays && other == key);
        made_to_stay || self.live_runs(key).next().is_some()
    }

    /// Whether the gateway died over a call that was to give this label.
    pub(super) fn may_be_label(&self, label: &str) -> bool {
        self.kin.unsure.contains(label)
    }

    fn labelled(&self, label: &str) -> Named {
        if self.may_be_label(label) {
            return Named::Unclear;
        }
        let known = self.kin.labels.get(label).map_or(&[][..], Vec::as_slice);
        let deleted = |key: &SessionKey| {
            let session = self.sessions.get(key);
            session.is_some_and(|session| session.deleted || session.told_to_forget)
        };
        let mut left = known.iter().filter(|(key, _)| !deleted(key));
        match (left.next(), left.next()) {
            (None, _) if known.is_empty() => Named::Nobody,
            (Some((key, _)), None) if self.surely_stays(key) => Named::Session(key.clone()),
            (Some((key, _)), None) => Named::Perhaps(key.clone()),
            (Some((one, true)), Some((other, true))) if one != other => Named::Nobody,
            _ => Named::Unclear,
        }
    }
}
