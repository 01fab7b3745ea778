//! What a trace says about names: who was given what, what it led to, and what was remembered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{Scenario, SessionRef, Where};
use crate::address::Address;
use crate::effect::{Effect, Memory};
use crate::id::{CallId, Marker, RunId, SessionKey, SteerId};
use crate::stimulus::{Caller, Opened, Start, Steering, Stimulus};
use crate::trace::{Entry, Trace, What, World};

/// What a trace says, read once.
pub(super) struct Seen<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) trace: &'a Trace,
    /// Everything that agents were given, in order.
    pub(super) givings: Vec<Giving<'a>>,
    threads: Vec<Address>,
}

/// An agent was given a text.
pub(super) struct Giving<'a> {
    /// The entry of the request.
    pub(super) entry: usize,
    /// The entry from which on the agent has it.
    since: usize,
    pub(super) run: &'a RunId,
    pub(super) key: &'a SessionKey,
    /// The markers of the text.
    pub(super) markers: &'a [Marker],
    /// What the agent remembered before.
    pub(super) before: BTreeSet<&'a Marker>,
}

/// What a message or run led to.
pub(super) struct Tale {
    /// The markers of the outputs, with those that stand inside long texts.
    outputs: BTreeSet<Marker>,
    name: Marker,
    /// The entry from which on the name's own marker tells of it.
    notice_since: Option<usize>,
}

impl Tale {
    /// Whether a text with these markers, seen as this entry, tells of it. A piece from inside a
    /// long text tells a part; it counts where even an attempt counts.
    pub(super) fn tells(&self, entry: usize, markers: &[Marker], with_parts: bool) -> bool {
        let output = |marker: &Marker| {
            self.outputs.contains(marker) && (with_parts || !is_continuation(marker))
        };
        let notice = self.notice_since.is_some_and(|since| since <= entry);
        markers.iter().any(output) || (notice && markers.contains(&self.name))
    }
}

/// Whether a marker stands inside a long text, beside the one that names the text: `r1.1+2`.
pub(super) fn is_continuation(marker: &Marker) -> bool {
    marker
        .as_str()
        .rsplit_once('+')
        .is_some_and(|(own, number)| !own.is_empty() && number.parse::<u32>().is_ok())
}

impl<'a> Seen<'a> {
    pub(super) fn new(scenario: &'a Scenario, trace: &'a Trace) -> Self {
        let mut seen = Self {
            scenario,
            trace,
            givings: Vec::new(),
            threads: Vec::new(),
        };
        seen.read_givings();
        seen.read_threads();
        seen
    }

    fn entries(&self) -> impl Iterator<Item = (usize, &'a Entry)> + use<'a> {
        self.trace.entries.iter().enumerate()
    }

    /// Agents keep what they were given and said under a key until it is fresh; so does this.
    fn read_givings(&mut self) {
        let never_ran = self.runs_that_never_ran();
        let mut memories: BTreeMap<&SessionKey, BTreeSet<&Marker>> = BTreeMap::new();
        let mut keys: BTreeMap<&RunId, &SessionKey> = BTreeMap::new();
        let mut steers: BTreeMap<&SteerId, usize> = BTreeMap::new();
        for (index, entry) in self.entries() {
            match &entry.what {
                What::Effect(Effect::StartRun(start)) if !never_ran.contains(&start.run) => {
                    let key = &start.session_key;
                    let before = match &start.memory {
                        Memory::Fresh => BTreeSet::new(),
                        Memory::Continue => memories.remove(key).unwrap_or_default(),
                        Memory::Fork(from) => memories.get(from).cloned().unwrap_or_default(),
                    };
                    let mut memory = before.clone();
                    memory.extend(&entry.markers);
                    memories.insert(key, memory);
                    keys.insert(&start.run, key);
                    self.givings.push(Giving {
                        entry: index,
                        since: index,
                        run: &start.run,
                        key,
                        markers: &entry.markers,
                        before,
                    });
                }
                What::Effect(Effect::SteerRun(steer)) => {
                    steers.insert(&steer.steer, index);
                }
                What::Stimulus(Stimulus::Steered(steered))
                    if steered.outcome == Steering::Taken =>
                {
                    let asked = steers.remove(&steered.steer);
                    let giving = asked.and_then(|asked| self.steered(asked, index, &keys));
                    if let Some(mut giving) = giving {
                        let memory = memories.entry(giving.key).or_default();
                        giving.before.clone_from(memory);
                        memory.extend(giving.markers);
                        self.givings.push(giving);
                    }
                }
                What::Stimulus(stimulus) => {
                    if let Some(key) = spoke(stimulus).and_then(|run| keys.get(run)) {
                        let memory = memories.entry(key).or_default();
                        memory.extend(entry.own.iter().chain(&entry.markers));
                    }
                }
                What::Effect(_) | What::World(_) => (),
            }
        }
    }

    fn steered(
        &self,
        asked: usize,
        taken: usize,
        keys: &BTreeMap<&RunId, &'a SessionKey>,
    ) -> Option<Giving<'a>> {
        let entry = &self.trace.entries[asked];
        let What::Effect(Effect::SteerRun(steer)) = &entry.what else {
            return None;
        };
        Some(Giving {
            entry: asked,
            since: taken,
            run: &steer.run,
            key: keys.get(&steer.run)?,
            markers: &entry.markers,
            before: BTreeSet::new(),
        })
    }

    /// Runs that were not started, and were not heard of afterwards either.
    fn runs_that_never_ran(&self) -> BTreeSet<&'a RunId> {
        let mut never = BTreeSet::new();
        for (_, entry) in self.entries() {
            let What::Stimulus(stimulus) = &entry.what else {
                continue;
            };
            if let Stimulus::RunStarted(started) = stimulus
                && started.outcome != Start::Started
            {
                never.insert(&started.run);
            } else if let Some(run) = spoke(stimulus) {
                never.remove(run);
            }
        }
        never
    }

    fn read_threads(&mut self) {
        let scenario = self.scenario;
        let people = scenario.people.keys().map(|name| name.as_str());
        let names = people.chain(scenario.places.keys().map(String::as_str));
        let known: BTreeSet<Address> = names.filter_map(|name| scenario.address(name)).collect();
        for (_, entry) in self.entries() {
            let at = match &entry.what {
                What::Stimulus(Stimulus::ThreadOpened(answer)) => match &answer.outcome {
                    Opened::Opened { at } => at,
                    Opened::Refused { .. } | Opened::Unknown {} => continue,
                },
                What::World(World::Thread { at, .. }) if !known.contains(at) => at,
                What::Stimulus(_) | What::Effect(_) | What::World(_) => continue,
            };
            if !self.threads.contains(at) {
                self.threads.push(at.clone());
            }
        }
    }

    /// The address of a place, if it came to be.
    pub(super) fn address(&self, place: &Where) -> Option<Address> {
        match place {
            Where::Named(name) => self.scenario.address(name),
            Where::Thread { thread } => self.threads.get(thread.checked_sub(1)?).cloned(),
        }
    }

    /// The calls of that name.
    pub(super) fn calls(&self, name: &str) -> Vec<(usize, &'a CallId)> {
        let call = |(index, entry): (usize, &'a Entry)| match &entry.what {
            What::Stimulus(Stimulus::Call(call))
                if call.call.as_str() == name || has(&entry.own, name) =>
            {
                Some((index, &call.call))
            }
            What::Stimulus(_) | What::Effect(_) | What::World(_) => None,
        };
        self.entries().filter_map(call).collect()
    }

    /// The answers to the calls of that name.
    pub(super) fn answers(&self, name: &str) -> Vec<(usize, &'a Value)> {
        let calls = self.calls(name);
        let answer = |(index, entry): (usize, &'a Entry)| match &entry.what {
            What::Effect(Effect::Answer(answer))
                if calls.iter().any(|&(_, call)| *call == answer.call) =>
            {
                Some((index, &answer.result))
            }
            What::Stimulus(_) | What::Effect(_) | What::World(_) => None,
        };
        self.entries().filter_map(answer).collect()
    }

    /// The key of a session, if there is one by that name.
    pub(super) fn key(&self, session: &SessionRef) -> Option<SessionKey> {
        if let Some(key) = session.key() {
            return Some(key);
        }
        let name = session.0.as_str();
        let of_call = self.answers(name).into_iter().find_map(|(_, result)| {
            let key = result.get("childSessionKey")?.as_str()?;
            Some(SessionKey::from(key))
        });
        of_call.or_else(|| {
            let messages = self.messages_from(name);
            let given = |giving: &&Giving<'_>| {
                has(giving.markers, name) || messages.iter().any(|m| giving.markers.contains(m))
            };
            self.givings.iter().find(given).map(|g| g.key.clone())
        })
    }

    /// The markers of messages from a person or place.
    fn messages_from(&self, name: &str) -> Vec<&'a Marker> {
        let Some(home) = self.scenario.address(name) else {
            return Vec::new();
        };
        let is_person = self.scenario.people.contains_key(name);
        let marker = |(_, entry): (usize, &'a Entry)| match &entry.what {
            What::Stimulus(Stimulus::Inbound(message))
                if message.at == home && (!is_person || message.from.as_str() == name) =>
            {
                entry.own.first()
            }
            What::Stimulus(_) | What::Effect(_) | What::World(_) => None,
        };
        self.entries().filter_map(marker).collect()
    }

    /// What a message or run led to.
    pub(super) fn tale(&self, name: &str) -> Tale {
        let mut holders: BTreeSet<&RunId> = BTreeSet::new();
        let mut tale = Tale {
            outputs: BTreeSet::new(),
            name: name.into(),
            notice_since: None,
        };
        let asked = self.calls(name).first().map(|&(index, _)| index);
        let asked = asked.or_else(|| self.internal_turn(name));
        let mut asked_for: BTreeSet<&RunId> = BTreeSet::new();
        let mut givings = self.givings.iter().peekable();
        for (index, entry) in self.entries() {
            while let Some(giving) = givings.next_if(|giving| giving.since <= index) {
                let holds = |marker: &Marker| *marker == tale.name || tale.outputs.contains(marker);
                if giving.markers.iter().any(holds) {
                    holders.insert(giving.run);
                }
            }
            if let What::Stimulus(stimulus) = &entry.what
                && let Some(run) = spoke(stimulus)
                && holders.contains(run)
                && !matches!(stimulus, Stimulus::Call(_))
            {
                tale.outputs.extend(entry.own.iter().cloned());
            }
            if let What::Effect(Effect::StartRun(start)) = &entry.what
                && has(&entry.markers, name)
            {
                asked_for.insert(&start.run);
            }
            let waits = tale.notice_since.is_none() && asked.is_some_and(|asked| asked < index);
            if waits && is_over(&entry.what, &holders, &asked_for) {
                tale.notice_since = Some(index);
            }
        }
        tale
    }

    fn internal_turn(&self, name: &str) -> Option<usize> {
        let is_turn = |(_, entry): &(usize, &Entry)| {
            matches!(&entry.what, What::Stimulus(Stimulus::InternalTurn(_)))
                && has(&entry.own, name)
        };
        self.entries().find(is_turn).map(|(index, _)| index)
    }

    /// The runs of that name: those that were given it, or that its call was answered with.
    pub(super) fn runs(&self, name: &str) -> BTreeSet<RunId> {
        let given = self
            .givings
            .iter()
            .filter(|giving| has(giving.markers, name));
        let answered = self.answers(name).into_iter().filter_map(|(_, result)| {
            let run = result.get("runId")?.as_str()?;
            Some(RunId::from(run))
        });
        given
            .map(|giving| giving.run.clone())
            .chain(answered)
            .collect()
    }

    /// Whether two sets of markers are of one text that came in pieces: together they are part of
    /// one output, and the first lacks the marker that names it.
    pub(super) fn same_text(&self, first: &BTreeSet<&Marker>, next: &BTreeSet<&Marker>) -> bool {
        let fits = |entry: &Entry| {
            let whole = |marker: &&Marker| entry.markers.contains(marker);
            let is_output = matches!(
                &entry.what,
                What::Stimulus(Stimulus::RunEnded(_) | Stimulus::RunProgress(_))
            );
            is_output
                && entry.own.first().is_some_and(|own| !first.contains(own))
                && first.iter().all(whole)
                && next.iter().all(whole)
        };
        first.is_disjoint(next) && self.trace.entries.iter().any(fits)
    }
}

/// Whether that name is among these markers.
pub(super) fn has(markers: &[Marker], name: &str) -> bool {
    markers.iter().any(|marker| marker.as_str() == name)
}

/// The run that is heard of: it says something, calls something, or ends.
fn spoke(stimulus: &Stimulus) -> Option<&RunId> {
    match stimulus {
        Stimulus::RunProgress(progress) => Some(&progress.run),
        Stimulus::RunEnded(ended) => Some(&ended.run),
        Stimulus::Call(call) => match &call.by {
            Caller::Run(run) => Some(run),
            Caller::Admin | Caller::Plugin => None,
        },
        Stimulus::Open(_)
        | Stimulus::Inbound(_)
        | Stimulus::InternalTurn(_)
        | Stimulus::RunStarted(_)
        | Stimulus::Steered(_)
        | Stimulus::Receipt(_)
        | Stimulus::ThreadOpened(_)
        | Stimulus::ThreadProbed(_)
        | Stimulus::ThreadChanged(_)
        | Stimulus::ConversationMoved(_)
        | Stimulus::Compacted(_)
        | Stimulus::ConfigChanged(_)
        | Stimulus::Wake {}
        | Stimulus::Stop {} => None,
    }
}

/// Whether a run that was given it is over now, was not started, or died with the gateway before it
/// was given to any.
fn is_over(what: &What, holders: &BTreeSet<&RunId>, asked_for: &BTreeSet<&RunId>) -> bool {
    match what {
        What::Stimulus(Stimulus::RunEnded(ended)) => holders.contains(&ended.run),
        What::Stimulus(Stimulus::RunStarted(started)) => {
            started.outcome != Start::Started && asked_for.contains(&started.run)
        }
        What::World(World::Crashed { lost, .. }) => {
            holders.is_empty() || lost.iter().any(|run| holders.contains(run))
        }
        What::Stimulus(_) | What::Effect(_) | What::World(_) => false,
    }
}
