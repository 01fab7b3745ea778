//! After a crash.

mod twice;

use super::relay::carried;
use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::effect::Effect;
use crate::facts::{DeliveryState, Facts, Owed, RunState};
use crate::id::RunId;
use crate::profile::Family;
use crate::time::Time;
use crate::trace::{Entry, What, World};

pub(super) fn rules() -> Vec<Rule> {
    let converges = Rule {
        id: "restart.converges",
        family: Family::Restart,
        keyword: Keyword::Must,
        text: "After any crash each thing in flight is resumed once, or fails visibly, or was told.",
        sources: &["I-10", "RR-001", "RR-003"],
        dials: &[],
        sees: &[Kind::Crashed, Kind::StartRun],
        checker: Some(|| Box::<Converges>::default()),
        relation: None,
    };
    let nothing_twice = Rule {
        id: "restart.nothing-twice",
        text: "Recovery is single-flight and idempotent: one life resumes each thing once, what was \
               resumed before is not resumed again, and what was over before the restart is not \
               done, posted or reported again, nor is it a failure. Repeated restarts change nothing more.",
        sources: &["I-10", "I-16", "DD-010", "RR-003", "RR-004"],
        sees: &[
            Kind::Open,
            Kind::Inbound,
            Kind::InternalTurn,
            Kind::Call,
            Kind::RunStarted,
            Kind::RunProgress,
            Kind::RunEnded,
            Kind::Receipt,
            Kind::Steered,
            Kind::Compacted,
            Kind::ConfigChanged,
            Kind::ThreadChanged,
            Kind::Wake,
            Kind::Stop,
            Kind::Crashed,
            Kind::StartRun,
            Kind::Deliver,
            Kind::Report,
        ],
        checker: Some(|| Box::<twice::NothingTwice>::default()),
        ..converges
    };
    vec![converges, nothing_twice]
}

/// MUST: what a crash found in flight is settled by the end.
#[derive(Default)]
struct Converges {
    /// Runs that were in flight in a crash, or whose words or completion were owed, and those that
    /// took their place; each with the last crash that met it.
    met: Vec<(RunId, (usize, Time))>,
    /// Runs that were resumed, and by which.
    resumed: Vec<(RunId, RunId)>,
}

impl Converges {
    fn meet(&mut self, run: &RunId, crash: (usize, Time)) {
        match self.met.iter_mut().find(|(met, _)| met == run) {
            Some((_, last)) => *last = crash,
            None => self.met.push((run.clone(), crash)),
        }
    }
}

impl Checker for Converges {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::World(World::Crashed { lost, kept }) => {
                let crash = (facts.index(), facts.now());
                for run in lost.iter().chain(kept) {
                    self.meet(run, crash);
                }
                for run in facts.owed().iter().filter_map(Owed::run) {
                    self.meet(run, crash);
                }
                // In flight is also what was posted, and the gateway was not told.
                let deliveries = facts.deliveries.values();
                for delivery in deliveries.filter(|d| d.state == DeliveryState::Untold) {
                    for run in carried(&delivery.markers, facts) {
                        self.meet(&run, crash);
                    }
                }
            }
            What::Effect(Effect::StartRun(start)) => {
                let Some(old) = &start.resumes else {
                    return;
                };
                let stands = |other: &RunId| {
                    facts.runs.get(other).is_some_and(|run| {
                        !run.start_unknown
                            && !matches!(run.state, RunState::Refused | RunState::Lost)
                    })
                };
                let mut others = self.resumed.iter();
                if let Some((_, other)) = others.find(|(run, by)| run == old && stands(by)) {
                    sink.fail(
                        format!("run {} resumes run {old}, as run {other} did", start.run),
                        "what a crash took is resumed once",
                    );
                }
                self.resumed.push((old.clone(), start.run.clone()));
                if let Some(&(_, crash)) = self.met.iter().find(|(run, _)| run == old) {
                    self.meet(&start.run, crash);
                }
            }
            _ => (),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        let owed = facts.owed();
        for (run, crash) in &self.met {
            if let Some(open) = owed.iter().find(|owed| owed.run() == Some(run)) {
                let debt = open.debt();
                sink.fail_since(
                    *crash,
                    format!(
                        "the crash at {} met run {run}, and {} still waits for {}",
                        crash.1, debt.who, debt.what
                    ),
                    "what a crash met is resumed, told, or fails visibly",
                );
            } else if facts.completions.contains_key(run) || facts.replies.contains_key(run) {
                sink.witness();
            }
        }
    }
}

#[cfg(test)]
mod tests;
