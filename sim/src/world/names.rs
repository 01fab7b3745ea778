//! The names of a scenario: whose marker is whose, which script waits for it, and what led to what.

use moorline_spec::address::Address;
use moorline_spec::id::{Marker, SessionKey};
use moorline_spec::scenario::{Action, Scenario, StepNumber, Verb};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::clock::RunIndex;

/// A name by its number.
pub(super) type NameIndex = usize;

/// What is known of a name.
#[derive(Debug)]
pub(super) struct Named<'s> {
    /// The marker.
    pub(super) marker: Marker,
    /// Whether the scenario gave it; runs without a named input are named after what they have.
    pub(super) given: bool,
    /// What the agent does that is given it, until a run takes it.
    pub(super) script: Option<&'s [Action]>,
    /// Whether its run goes on until a step ends it.
    pub(super) stays: bool,
    /// How many outputs the runs of this name have made.
    pub(super) outputs: u32,
    /// Where its message was written.
    pub(super) written_at: Option<Address>,
    /// The session that was first given it.
    pub(super) given_to: Option<SessionKey>,
    /// The key that the call of this name was answered with.
    pub(super) child: Option<SessionKey>,
}

/// All names, those of the scenario first.
#[derive(Debug)]
pub(super) struct Names<'s> {
    all: Vec<Named<'s>>,
    by_marker: FxHashMap<Marker, NameIndex>,
    /// The run whose output a marker is.
    outputs: FxHashMap<Marker, RunIndex>,
}

impl<'s> Names<'s> {
    /// The names of a scenario.
    pub(super) fn of(scenario: &'s Scenario) -> Self {
        // A message or run, its output, and that of its child.
        let some = 2 * scenario.steps.len();
        let mut names = Self {
            all: Vec::with_capacity(some),
            by_marker: FxHashMap::with_capacity_and_hasher(some, FxBuildHasher),
            outputs: FxHashMap::with_capacity_and_hasher(some, FxBuildHasher),
        };
        for (index, step) in scenario.steps.iter().enumerate() {
            names.collect(&step.verb, &StepNumber::top(index));
        }
        names
    }

    fn collect(&mut self, verb: &'s Verb, number: &StepNumber) {
        if let Some(name) = verb.name(number) {
            let stays = matches!(
                verb,
                Verb::Runs {
                    name: Some(_),
                    agent: None,
                    ..
                }
            );
            self.define(Marker::from(name), verb.script(), stays);
        }
        self.collect_script(verb.script().unwrap_or_default());
        if let Verb::AtOnce(verbs) = verb {
            for (index, verb) in verbs.iter().enumerate() {
                self.collect(verb, &number.part(index));
            }
        }
    }

    fn collect_script(&mut self, script: &'s [Action]) {
        for action in script {
            // A child without a script goes on until a step ends it.
            let is_spawn = matches!(action, Action::Spawn(_) | Action::Spawns(_));
            for (name, agent) in action.texts() {
                self.define(Marker::from(name), agent, is_spawn && agent.is_none());
                self.collect_script(agent.unwrap_or_default());
            }
        }
    }

    fn define(&mut self, marker: Marker, script: Option<&'s [Action]>, stays: bool) {
        let index = self.add(marker, true);
        self.all[index].script = script;
        self.all[index].stays = stays;
    }

    fn add(&mut self, marker: Marker, given: bool) -> NameIndex {
        self.by_marker.insert(marker.clone(), self.all.len());
        self.all.push(Named {
            marker,
            given,
            script: None,
            stays: false,
            outputs: 0,
            written_at: None,
            given_to: None,
            child: None,
        });
        self.all.len() - 1
    }

    /// The name of the run that is given these markers: the first that names something, else the
    /// first of all, else what the gateway called it.
    pub(super) fn of_run(&mut self, markers: &[Marker], or_else: &str) -> NameIndex {
        let given = |marker: &Marker| {
            let index = self.by_marker.get(marker).copied();
            index.filter(|&index| self.all[index].given)
        };
        if let Some(index) = markers.iter().find_map(given) {
            return index;
        }
        let marker = markers.first().cloned();
        let marker = marker.unwrap_or_else(|| Marker::from(or_else));
        match self.by_marker.get(&marker) {
            Some(&index) => index,
            None => self.add(marker, false),
        }
    }

    /// A name by its number.
    pub(super) fn at(&mut self, index: NameIndex) -> &mut Named<'s> {
        &mut self.all[index]
    }

    /// A name by its number.
    pub(super) fn by_index(&self, index: NameIndex) -> &Named<'s> {
        &self.all[index]
    }

    /// A name by its marker.
    pub(super) fn get(&self, name: &str) -> Option<&Named<'s>> {
        self.by_marker.get(name).map(|&index| &self.all[index])
    }

    /// A name by its marker.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Named<'s>> {
        self.by_marker.get(name).map(|&index| &mut self.all[index])
    }

    /// The number of a name.
    pub(super) fn index(&self, name: &str) -> Option<NameIndex> {
        self.by_marker.get(name).copied()
    }

    /// A run made this output.
    pub(super) fn born(&mut self, marker: Marker, run: RunIndex) {
        self.outputs.insert(marker, run);
    }

    /// The run whose output a marker is.
    pub(super) fn maker(&self, marker: &Marker) -> Option<RunIndex> {
        self.outputs.get(marker).copied()
    }
}
