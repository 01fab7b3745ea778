//! A requester that began anew since it asked.

use std::collections::BTreeMap;

use super::news::{By, news};
use crate::effect::{Effect, Report};
use crate::facts::{Completion, Facts, RunState, Settled};
use crate::id::RunId;
use crate::profile::ResetRequester;
use crate::rule::nested::is_parents;
use crate::rule::{Checker, Sink};
use crate::stimulus::{Outcome, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

/// MUST: its new incarnation gets the completion, or there is a visible failure; never both.
#[derive(Default)]
pub(super) struct ResetRequesterGets {
    /// Completions that were open at some time after their requester began anew.
    met: BTreeMap<RunId, Time>,
}

impl Checker for ResetRequesterGets {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(ended)) => self.note(&ended.run, facts),
            What::World(World::Crashed { lost, .. }) => {
                for run in lost {
                    self.note(run, facts);
                }
            }
            What::Effect(Effect::StartRun(start)) => self.on_told(&start.run, facts, sink),
            What::Effect(Effect::SteerRun(steer)) => self.on_told(&steer.run, facts, sink),
            What::Effect(Effect::Report(Report::Failed { run, .. })) => {
                self.on_failed(run, facts, sink);
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.met.retain(|run, _| facts.runs.contains_key(run));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        let new = facts.dials.reset_requester == ResetRequester::NewIncarnation;
        for (child, anew) in &self.met {
            let Some(completion) = facts.completions.get(child) else {
                continue;
            };
            let key = completion.requester.as_ref().map_or("", |key| key.as_str());
            let since = completion.ended;
            match &completion.settled {
                None => sink.fail_since(
                    since,
                    format!(
                        "{key} began anew at {anew}, and of the end of run {child}, which it had \
                         asked for before, nothing is heard since {}",
                        since.1
                    ),
                    "its new incarnation is told, or there is a visible failure",
                ),
                // Where people were to be told, that was tried perhaps.
                Some(Settled::Failed) if !parents(completion, facts) => (),
                Some(Settled::Failed) if new && completion.turns.is_empty() => sink.fail_since(
                    since,
                    format!(
                        "{key} began anew at {anew}, and is not told of the end of run {child}"
                    ),
                    "under this profile its new incarnation is told",
                ),
                Some(_) => sink.witness(),
            }
        }
    }
}

/// Whether the session that asked is told, and nobody else.
fn parents(completion: &Completion, facts: &Facts) -> bool {
    let call = facts.calls.get(&completion.call);
    call.is_none_or(is_parents)
}

/// When a requester began anew since it asked: for certain, or as soon as it has its next turn.
fn anew(completion: &Completion, facts: &Facts) -> Option<(Time, bool)> {
    let asked = facts.calls.get(&completion.call)?.made.1;
    let session = facts.sessions.get(completion.requester.as_ref()?)?;
    if session.deleted || session.uncertain {
        return None;
    }
    let began = session.started_from.map(|at| (at, true));
    let told = session.told_at.filter(|_| session.told_to_forget);
    let told = told.map(|(_, at)| (at, false));
    began.into_iter().chain(told).find(|&(at, _)| asked < at)
}

impl ResetRequesterGets {
    /// A child ended: its requester may have begun anew before.
    fn note(&mut self, child: &RunId, facts: &Facts) {
        let completion = facts.completions.get(child);
        if let Some((anew, _)) = completion.and_then(|completion| anew(completion, facts)) {
            self.met.insert(child.clone(), anew);
        }
    }

    fn on_told(&mut self, turn: &RunId, facts: &Facts, sink: &mut Sink) {
        if facts.completions.is_empty() {
            return;
        }
        let Some(news) = news(facts).filter(|news| news.by != By::Progress) else {
            return;
        };
        let child = news.child;
        let Some(completion) = facts.completions.get(child) else {
            return;
        };
        let same = completion.requester.as_ref() == Some(news.told);
        let anew = anew(completion, facts).filter(|&(_, certain)| same && certain);
        let Some((anew, _)) = anew else {
            return;
        };
        self.met.insert(child.clone(), anew);
        let key = news.told;
        let seen = format!(
            "run {turn} tells {key} of the end of run {child}, which an incarnation of it asked for \
             that ended before {anew}"
        );
        if completion.settled == Some(Settled::Failed) {
            return sink.fail(
                format!("{seen}, and its failure was made visible already"),
                "it is told, or fails visibly, and not both",
            );
        }
        match facts.dials.reset_requester {
            ResetRequester::NewIncarnation => sink.witness(),
            ResetRequester::VisibleFailure => sink.fail(
                seen,
                "under this profile there is a visible failure: the new incarnation never asked",
            ),
        }
    }

    fn on_failed(&self, run: &RunId, facts: &Facts, sink: &mut Sink) {
        if !self.met.contains_key(run) {
            return;
        }
        let completion = facts.completions.get(run);
        let told = completion.into_iter().flat_map(|c| &c.turns).find(|turn| {
            let state = facts.runs.get(*turn).map(|turn| turn.state);
            state == Some(RunState::Ended(Outcome::Ok))
        });
        if let Some(turn) = told {
            sink.fail(
                format!(
                    "the failure of run {run} is made visible, and run {turn} of the new \
                     incarnation was told of it"
                ),
                "it is told, or fails visibly, and not both",
            );
        }
    }
}
