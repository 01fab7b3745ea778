//! A reply that comes too late is kept.

use super::{Checker, Sink};
use crate::effect::Effect;
use crate::facts::{Facts, Role, RunState};
use crate::stimulus::Outcome;
use crate::trace::{Entry, Rest, What, World};

/// MUST: a late reply reaches whoever sent the text, once.
#[derive(Default)]
pub(super) struct Kept {
    rested: bool,
}

impl Checker for Kept {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) if start.resumes.is_none() => {
                if let Some(run) = facts.run_here()
                    && let Role::Event(of) = &run.role
                {
                    let late = facts.late.values().find(|late| late.run == *of);
                    let again = late
                        .filter(|late| late.requester == run.key)
                        .and_then(|late| {
                            let mut others = late.turns.iter().filter(|turn| **turn != start.run);
                            others.find(|turn| took(facts, turn))
                        });
                    if let Some(first) = again {
                        sink.fail(
                            format!(
                                "run {} is told what became of run {of}, as run {first} was",
                                start.run
                            ),
                            format!("{} is told once", run.key),
                        );
                    }
                }
            }
            What::World(World::Rest(rest)) => self.rested = *rest != Rest::OutOfWakes,
            _ => (),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        let mut lost: Vec<_> = facts.late.iter().collect();
        lost.sort_by_key(|(_, late)| late.ended);
        for (call, late) in lost {
            if late.settled {
                sink.witness();
            } else if self.rested {
                let (run, key) = (&late.run, &late.requester);
                let name = late
                    .words
                    .first()
                    .map(|word| word.in_text().to_string())
                    .unwrap_or_default();
                let what = if late.outcome == Outcome::Ok {
                    "replied"
                } else {
                    "failed"
                };
                sink.fail_since(
                    late.ended,
                    format!("run {run} {what} after send {call} was answered, and {key} never heard of it"),
                    format!("{name} reaches {key} as an event, or its failure is made visible"),
                );
            }
        }
    }
}

/// Whether a turn has what it was given, or will.
fn took(facts: &Facts, turn: &crate::id::RunId) -> bool {
    let state = facts
        .runs
        .get(turn)
        .filter(|run| !run.start_unknown)
        .map(|run| run.state);
    matches!(
        state,
        Some(RunState::Asked | RunState::Running | RunState::Ended(Outcome::Ok))
    )
}
