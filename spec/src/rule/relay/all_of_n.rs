//! Several runs of one requester.

use std::collections::BTreeMap;

use crate::facts::{Facts, Settled};
use crate::id::RunId;
use crate::rule::{Checker, Sink};
use crate::stimulus::{Caller, Stimulus};
use crate::trace::{Entry, What, World};

/// MUST: of N completions all N arrive, in every order of ending.
#[derive(Default)]
pub(super) struct AllOfN {
    /// The children of each run that asked for several, in the order of their ends.
    broods: BTreeMap<RunId, Vec<RunId>>,
}

impl Checker for AllOfN {
    fn see(&mut self, entry: &Entry, facts: &Facts, _: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(ended)) => self.ends(&ended.run, facts),
            What::World(World::Crashed { lost, .. }) => {
                for run in lost {
                    self.ends(run, facts);
                }
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.broods
            .retain(|_, brood| brood.iter().any(|run| facts.runs.contains_key(run)));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (parent, brood) in self.broods.iter().filter(|(_, brood)| 1 < brood.len()) {
            let open = |run: &&RunId| {
                let completion = facts.completions.get(*run);
                completion.is_some_and(|c| c.settled.is_none())
            };
            let told = |run: &&RunId| {
                let settled = facts.completions.get(*run).map(|c| &c.settled);
                matches!(settled, Some(Some(Settled::ByTurn(_) | Settled::Posted)))
            };
            let (count, arrived) = (brood.len(), brood.iter().filter(told).count());
            let Some(place) = brood.iter().position(|run| open(&run)) else {
                if 1 < arrived {
                    sink.witness();
                }
                continue;
            };
            let Some(completion) = facts.completions.get(&brood[place]).filter(|_| 0 < arrived)
            else {
                continue;
            };
            let who = completion
                .requester
                .as_ref()
                .map_or("nobody", |key| key.as_str());
            let (missing, nth) = (&brood[place], place + 1);
            sink.fail_since(
                completion.ended,
                format!(
                    "of the {count} runs that {who} asked for in run {parent} it was told of \
                     {arrived}; run {missing}, which ended as number {nth} at {}, is not among them",
                    completion.ended.1
                ),
                format!("of {count} completions all {count} arrive, whichever ends last"),
            );
        }
    }
}

impl AllOfN {
    fn ends(&mut self, run: &RunId, facts: &Facts) {
        let Some(completion) = facts.completions.get(run) else {
            return;
        };
        let call = facts.calls.get(&completion.call);
        if let Some(Caller::Run(parent)) = call.map(|call| &call.by) {
            let brood = self.broods.entry(parent.clone()).or_default();
            if !brood.contains(run) {
                brood.push(run.clone());
            }
        }
    }
}
