//! What was done is not done again.

use rustc_hash::FxHashMap;

use crate::address::Address;
use crate::effect::{Deliver, Effect, Report, StartRun};
use crate::facts::{DeliveryFacts, DeliveryState, Facts, Role, RunState, Settled};
use crate::id::{DeliveryId, Marker, RunId};
use crate::rule::{Checker, Sink};
use crate::stimulus::{Delivered, Outcome, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

/// MUST: a restart repeats nothing.
#[derive(Default)]
pub(super) struct NothingTwice {
    /// The entry in which the present life began, while it has been told nothing new.
    recovers: Option<usize>,
    /// What this recovery asked for: runs, and what they are for.
    starts: Vec<(Role, RunId)>,
    did: bool,
    /// Whether anything was over before, that might be done again.
    past: bool,
    /// Runs that were resumed, and by which.
    resumed: FxHashMap<RunId, RunId>,
    /// Failures that were reported, and in which entries.
    reported: FxHashMap<RunId, usize>,
    /// The last thing that the present life, and the one before it, was told: what came before that
    /// it had the time to note.
    told: usize,
    noted: usize,
    /// When those were.
    told_at: Time,
    noted_at: Time,
    /// The last receipt that was no good: another text may have failed since a report.
    failing: usize,
}

impl Checker for NothingTwice {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Open(open)) => {
                (self.noted, self.noted_at) = (self.told, self.told_at);
                self.starts.clear();
                self.did = false;
                self.recovers = open.restored.then_some(facts.index());
            }
            What::Stimulus(stimulus) => {
                (self.told, self.told_at) = (facts.index(), facts.now());
                if let Stimulus::Receipt(receipt) = stimulus
                    && !matches!(receipt.outcome, Delivered::Accepted { .. })
                {
                    self.failing = facts.index();
                }
                self.past |= matches!(stimulus, Stimulus::RunEnded(_) | Stimulus::Receipt(_));
                // An answer to what the recovery asked for is no news.
                let answer = matches!(
                    stimulus,
                    Stimulus::Wake {}
                        | Stimulus::RunStarted(_)
                        | Stimulus::Receipt(_)
                        | Stimulus::Steered(_)
                );
                if self.recovers.is_some() && !answer {
                    self.end_recovery(sink);
                }
            }
            What::World(World::Crashed { .. }) => self.recovers = None,
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            What::Effect(Effect::Deliver(deliver)) if self.recovers.is_some() => {
                self.on_deliver(deliver, entry, facts, sink);
            }
            What::Effect(Effect::Report(Report::Failed { run, .. })) => {
                self.on_failed(run, facts, sink);
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.resumed
            .retain(|run, by| facts.runs.contains_key(run) || facts.runs.contains_key(by));
        self.reported.retain(|run, _| facts.runs.contains_key(run));
    }

    fn finish(&mut self, _: &Facts, sink: &mut Sink) {
        self.end_recovery(sink);
    }
}

impl NothingTwice {
    fn end_recovery(&mut self, sink: &mut Sink) {
        if self.recovers.take().is_some() && (self.did || self.past) {
            sink.witness();
        }
    }

    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        if let Some(old) = &start.resumes {
            self.on_resume(start, old, facts, sink);
            self.resumed.insert(old.clone(), start.run.clone());
        }
        let (Some(_), Some(run)) = (self.recovers, facts.run_here()) else {
            return;
        };
        self.did = true;
        let is_named = matches!(
            run.role,
            Role::Chat(_) | Role::Child(_) | Role::Plugin(_) | Role::Internal
        );
        if !is_named {
            return;
        }
        let same = |(role, other): &&(Role, RunId)| {
            *role == run.role
                && *other != start.run
                && may_run(other, facts)
                && is_for_the_same(other, &start.run, facts)
        };
        if let Some((_, other)) = self.starts.iter().find(same) {
            sink.fail(
                format!(
                    "run {} of session {} is for what run {other} is for, and both are asked for \
                     in one recovery",
                    start.run, start.session_key
                ),
                "a recovery resumes each thing once",
            );
        }
        let over = |other: &&RunId| {
            let other = facts.runs.get(*other);
            other.is_some_and(|other| {
                other.role == run.role && other.state == RunState::Ended(Outcome::Ok)
            })
        };
        let session = facts.sessions.get(&start.session_key);
        let mut before = session.into_iter().flat_map(|session| session.runs.iter());
        let other = before.find(|other| {
            **other != start.run && over(other) && is_for_the_same(other, &start.run, facts)
        });
        if let Some(other) = other {
            sink.fail(
                format!(
                    "run {} of session {} is asked for after a restart, for what run {other} did \
                     before it",
                    start.run, start.session_key
                ),
                "what was over before a restart is not done again",
            );
        }
        self.starts.push((run.role.clone(), start.run.clone()));
    }

    fn on_resume(&self, start: &StartRun, old: &RunId, facts: &Facts, sink: &mut Sink) {
        let first = self.resumed.iter().find(|(_, by)| *by == old);
        if let Some((first, _)) =
            first.filter(|(first, _)| facts.is_lost(first) && facts.is_lost(old))
        {
            sink.fail(
                format!(
                    "run {} resumes run {old}, which resumed run {first} after an earlier restart",
                    start.run
                ),
                "what was resumed once, and died again, fails visibly",
            );
        }
    }

    fn on_deliver(&mut self, deliver: &Deliver, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        self.did = true;
        if entry.markers.is_empty() {
            return;
        }
        let mut before = facts.deliveries.iter();
        let same = before.find(|(id, delivery)| {
            **id != deliver.delivery
                && delivery.state == DeliveryState::Accepted
                && delivery.to == deliver.to
                && delivery.key == deliver.key
                && delivery.markers == entry.markers
        });
        if let Some((before, _)) = same {
            sink.fail(
                format!(
                    "after a restart delivery {} takes to {} what was accepted there as {before}",
                    deliver.delivery, deliver.to
                ),
                "what was delivered before a restart is not delivered again",
            );
        }
    }

    fn on_failed(&mut self, run: &RunId, facts: &Facts, sink: &mut Sink) {
        let before = self.reported.insert(run.clone(), facts.index());
        if self.recovers.is_none() {
            return;
        }
        self.did = true;
        // Another text of it may have failed, of which the gateway died: its last words, say.
        let doubted = |before: usize| {
            let said = facts.replies.get(run).map(|reply| reply.since.0);
            if said.is_some_and(|said| before < said) {
                return true;
            }
            // The news of its failure quotes what it was given.
            let given = facts.runs.get(run).map_or(&[][..], |run| &run.given);
            let mut deliveries = facts.deliveries.values();
            deliveries.any(|other| {
                let mut quoted = other.markers.iter();
                let own = other.speaker.as_ref() == Some(run)
                    || other.speaker.is_none() && quoted.any(|marker| given.contains(marker));
                other.state == DeliveryState::Untold && (own || before < other.asked.0)
            })
        };
        if before
            .is_some_and(|before| before < self.noted && self.failing < before && !doubted(before))
        {
            sink.fail(
                format!("the failure of run {run} is reported again after a restart"),
                "what was reported before a restart is not reported again",
            );
        } else if before.is_none()
            && let Some((delivery, to)) = self.posted(run, facts)
        {
            sink.fail(
                format!(
                    "run {run} is reported as failed after a restart, and delivery {delivery} took \
                     it to {to} before"
                ),
                "what was told before a restart is no failure after it",
            );
        }
    }

    /// The delivery that told people of a run, in time for the gateway to note that.
    fn posted<'f>(&self, run: &RunId, facts: &'f Facts) -> Option<(&'f DeliveryId, &'f Address)> {
        let posted = Some(&Settled::Posted);
        let completion = facts.completions.get(run);
        if completion.and_then(|completion| completion.settled.as_ref()) != posted {
            return None;
        }
        // What a bound child says in its conversation tells its requester nothing.
        let key = facts.runs.get(run).map(|run| &run.key);
        let is_own = |at: &Address| key.is_some_and(|key| facts.was_bound(key, at));
        let took = |delivery: &&DeliveryFacts| {
            !is_own(&delivery.to)
                && delivery.state == DeliveryState::Accepted
                && delivery.known.is_some_and(|known| known < self.noted_at)
                && self.failing < delivery.asked.0
        };
        // Of a text in pieces each has to be there.
        let words = completion.map_or(&[][..], |completion| completion.words.as_slice());
        let arrived = |word: &Marker| {
            let mut taken = facts.deliveries.values().filter(took);
            taken.any(|delivery| delivery.markers.contains(word))
        };
        let mut deliveries = facts.deliveries.iter();
        let found = deliveries.find(|(_, delivery)| {
            let says = || delivery.markers.iter().any(|marker| words.contains(marker));
            took(delivery)
                && facts.told_in(&delivery.markers).contains(run)
                && (!says() || words.iter().all(arrived))
        });
        found.map(|(id, delivery)| (id, &delivery.to))
    }
}

/// Whether two runs of one role are for the same: turns of the clockwork by what they are given.
fn is_for_the_same(one: &RunId, other: &RunId, facts: &Facts) -> bool {
    let given = |run: &RunId| facts.runs.get(run).map(|run| (&run.role, &run.given));
    match (given(one), given(other)) {
        (Some((Role::Internal, one)), Some((_, other))) => !one.is_empty() && one == other,
        (Some(_), Some(_)) => true,
        (None, _) | (_, None) => false,
    }
}

/// Whether a run may have begun, as far as the gateway knows.
fn may_run(run: &RunId, facts: &Facts) -> bool {
    let run = facts.runs.get(run);
    run.is_some_and(|run| run.state != RunState::Refused && !run.start_unknown)
}
