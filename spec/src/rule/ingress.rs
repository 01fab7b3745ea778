//! What comes in: each message once, and in order.

mod claim;
#[cfg(test)]
mod tests;
mod voice;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::moment::Moment;
use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::address::Address;
use crate::effect::{Effect, Report};
use crate::facts::{Facts, MessageFacts, Role, RunState};
use crate::id::{Marker, RunId, SteerId};
use crate::profile::Family;
use crate::stimulus::{Steering, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, Rest, What, World};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            id: "ingress.once",
            family: Family::Ingress,
            keyword: Keyword::Must,
            text: "One inbound message (channel, account, conversation, message id) is given to at \
                   most one run per agent that ended or lives; a run that a crash took is replaced \
                   at most once, and says so (`resumes`).",
            sources: &["I-28", "DD-026", "DD-027"],
            dials: &[],
            sees: &[
                Kind::Inbound,
                Kind::StartRun,
                Kind::Steered,
                Kind::RunEnded,
                Kind::Crashed,
            ],
            checker: Some(|| Box::new(Once::default())),
            relation: None,
        },
        claim::rule(),
        voice::rule(),
        Rule {
            id: "ingress.fifo",
            family: Family::Ingress,
            keyword: Keyword::Must,
            text: "Messages of one session are worked on one at a time, in order of arrival; none \
                   is dropped silently when the session is busy.",
            sources: &["I-23", "QC-001", "QC-004"],
            dials: &[],
            sees: &[
                Kind::Inbound,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Steered,
                Kind::CancelRun,
                Kind::Deliver,
                Kind::Report,
                Kind::Crashed,
                Kind::Rest,
            ],
            checker: Some(|| Box::new(Fifo::default())),
            relation: None,
        },
    ]
}

/// The number of a message, which is the same each time it arrives.
type Number = usize;

/// Remembers which runs each message was given to.
#[derive(Default)]
struct Once {
    given: FxHashMap<Number, Vec<RunId>>,
    replaced: FxHashMap<RunId, RunId>,
    /// The runs that ended last, and when.
    ended: Moment<RunId>,
    /// The messages that were steered in last, into which runs, and when.
    taken: Moment<(Number, RunId)>,
    /// Runs that ended as the gateway died: the next life may not know of it.
    unheard: Vec<RunId>,
}

impl Checker for Once {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(_)) => {
                let number = facts.message_here();
                // It comes again after it was worked on: here a second run would be started.
                if number.is_some_and(|number| self.given.contains_key(&number)) {
                    sink.witness();
                }
            }
            What::Effect(Effect::StartRun(start)) => {
                if let Some(old) = &start.resumes {
                    self.replaces(old, &start.run, facts, sink);
                }
                if let Some((marker, message)) = facts.chat_here() {
                    let message = (marker, message.number);
                    self.gives(message, &start.run, start.resumes.as_ref(), facts, sink);
                }
                let messages = facts.messages_here().map(|(_, message)| message);
                self.note_others(messages, &start.run);
            }
            What::Stimulus(Stimulus::Steered(steered)) if steered.outcome == Steering::Taken => {
                self.on_taken(&steered.steer, entry.at, facts, sink);
            }
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                self.ended.push(entry.at, ended.run.clone());
            }
            What::World(World::Crashed { .. }) => {
                self.unheard.extend(self.ended.take(entry.at));
                // Nor may it know that a run took a message.
                for (number, run) in self.taken.take(entry.at) {
                    if let Some(runs) = self.given.get_mut(&number) {
                        runs.retain(|other| *other != run);
                    }
                }
                // The next life may start what the last one has worked on.
                if !self.given.is_empty() {
                    sink.witness();
                }
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        let is_known = |run: &RunId| facts.runs.contains_key(run);
        self.given.retain(|_, runs| runs.iter().any(is_known));
        self.replaced.retain(|_, by| is_known(by));
        self.unheard.retain(is_known);
    }
}

impl Once {
    /// A run takes the place of another.
    fn replaces(&mut self, old: &RunId, new: &RunId, facts: &Facts, sink: &mut Sink) {
        let taken = |state| state == RunState::Lost || self.unheard.contains(old);
        let lost = facts.runs.get(old).is_some_and(|run| taken(run.state));
        let chat = facts
            .runs
            .get(old)
            .is_some_and(|run| matches!(run.role, Role::Chat(_)));
        if !(lost && chat) {
            return;
        }
        match self.replaced.get(old) {
            Some(first)
                if facts.runs.get(first).map(|run| run.state) != Some(RunState::Refused) =>
            {
                sink.fail(
                    format!("run {new} replaces run {old}, which run {first} replaced already"),
                    format!("a run that a crash took is replaced at most once, by run {first}"),
                );
            }
            _ => sink.witness(),
        }
        self.replaced.insert(old.clone(), new.clone());
    }

    fn on_taken(&mut self, steer: &SteerId, now: Time, facts: &Facts, sink: &mut Sink) {
        let Some(steer) = facts.steers.get(steer) else {
            return;
        };
        if let Some(marker) = facts.latest(&steer.markers)
            && let Some(message) = facts.messages.get(marker)
        {
            self.gives((marker, message.number), &steer.run, None, facts, sink);
            let taken = (message.number, steer.run.clone());
            self.taken.push(now, taken);
        }
        let messages = steer.markers.iter().filter_map(|m| facts.messages.get(m));
        self.note_others(messages, &steer.run);
    }

    fn gives(
        &mut self,
        (marker, number): (&Marker, Number),
        run: &RunId,
        resumes: Option<&RunId>,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let agent = facts.runs.get(run).map(|run| &run.agent);
        let earlier = self.given.entry(number).or_default();
        for old in earlier.iter().filter(|old| *old != run) {
            let Some(known) = facts
                .runs
                .get(old)
                .filter(|known| Some(&known.agent) == agent && !known.start_unknown)
            else {
                continue;
            };
            let state = match known.state {
                RunState::Refused => continue,
                RunState::Ended(_) if resumes == Some(old) && self.unheard.contains(old) => {
                    continue;
                }
                RunState::Lost if resumes == Some(old) || self.replaced.contains_key(old) => {
                    continue;
                }
                RunState::Lost => "a crash took",
                RunState::Asked | RunState::Running => "still works on it",
                RunState::Ended(_) => "has ended",
            };
            let name = marker.in_text();
            sink.fail(
                format!("message {name} is given to run {run}, and was given to run {old}, which {state}"),
                match known.state {
                    RunState::Lost => format!("run {run} says that it resumes run {old}"),
                    _ => format!("message {name} is given to one run only"),
                },
            );
        }
        if !earlier.contains(run) {
            earlier.push(run.clone());
        }
    }

    /// Messages that were collected into one run with a later one.
    fn note_others<'f>(&mut self, messages: impl Iterator<Item = &'f MessageFacts>, run: &RunId) {
        for message in messages {
            let runs = self.given.entry(message.number).or_default();
            if runs.is_empty() {
                runs.push(run.clone());
            }
        }
    }
}

/// Follows each message from its arrival to the first attempt to give it to a run.
#[derive(Default)]
struct Fifo {
    waiting: BTreeMap<Number, Waiting>,
    /// For each session by its number, the latest-arrived message of each conversation that a run
    /// was given.
    newest: FxHashMap<usize, Vec<Newest>>,
    /// Runs that were told to stop.
    cancelled: Vec<RunId>,
    rested: bool,
}

struct Newest {
    at: Address,
    /// The entry in which it first came.
    arrived: usize,
    marker: Marker,
}

struct Waiting {
    marker: Marker,
    arrived: (usize, Time),
    /// When it last came again before it was worked on.
    again: (usize, Time),
    /// It arrived while its session was busy.
    busy: bool,
    /// A run was asked to take it.
    tried: bool,
    /// Something was said about it where it was written.
    noticed: bool,
    /// The gateway died as it arrived.
    taken_by_crash: bool,
}

impl Checker for Fifo {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(_)) => self.on_inbound(entry, facts),
            What::Effect(Effect::StartRun(start)) => {
                self.on_start(&start.run, facts, sink);
                if let Some((marker, _)) = facts.chat_here() {
                    self.on_given(marker, &start.run, facts, sink);
                }
            }
            What::Effect(Effect::SteerRun(steer)) => {
                let latest = facts.latest_here();
                if let Some((marker, _)) = latest.filter(|(_, born)| born.is_message()) {
                    self.on_given(marker, &steer.run, facts, sink);
                }
            }
            What::Stimulus(Stimulus::Steered(steered)) if steered.outcome == Steering::Refused => {
                self.on_refused(&steered.steer, facts);
            }
            What::Effect(Effect::CancelRun(cancel)) => self.cancelled.push(cancel.run.clone()),
            What::Effect(Effect::Deliver(_)) => {
                self.on_said(facts.messages_here().map(|(_, message)| message));
            }
            What::Effect(Effect::Report(Report::Failed { run, address, .. })) => {
                if let Some(run) = facts.runs.get(run) {
                    let given = run.given.iter();
                    self.on_said(given.filter_map(|marker| facts.messages.get(marker)));
                } else if let Some(at) = address {
                    // The earlier life may have been about to say so.
                    let before = |waiting: &&mut Waiting| waiting.arrived.1 < facts.life_began;
                    for waiting in self.waiting.values_mut().filter(before) {
                        let message = facts.messages.get(&waiting.marker);
                        waiting.noticed |= message.is_some_and(|message| message.at == *at);
                    }
                }
            }
            What::World(World::Crashed { .. }) => {
                for message in self.waiting.values_mut() {
                    message.taken_by_crash |= message.again.1 == entry.at && !message.tried;
                }
            }
            What::World(World::Rest(rest)) => self.rested = *rest != Rest::OutOfWakes,
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        let is_known = |message: &Waiting| facts.messages.contains_key(&message.marker);
        self.waiting.retain(|_, message| is_known(message));
        self.cancelled.retain(|run| facts.runs.contains_key(run));
        for queues in self.newest.values_mut() {
            queues.retain(|newest| facts.messages.contains_key(&newest.marker));
        }
        self.newest.retain(|_, queues| !queues.is_empty());
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        if !self.rested {
            return;
        }
        let mut lost: Vec<&Waiting> = self.waiting.values().collect();
        lost.sort_by_key(|message| message.arrived);
        for waiting in lost {
            let Some(message) = facts.messages.get(&waiting.marker) else {
                continue;
            };
            let refused = |run: &RunId| {
                let run = facts.runs.get(run);
                run.is_some_and(|run| run.state == RunState::Refused && !run.start_unknown)
            };
            let given = message.runs.iter().any(|run| !refused(run));
            if given || message.dropped || waiting.noticed || waiting.taken_by_crash {
                continue;
            }
            let (from, at, name) = (&message.from, &message.at, waiting.marker.in_text());
            sink.fail_since(
                waiting.arrived,
                format!("what {from} wrote in {at} {name} was never given to a run, and nobody was told"),
                format!("message {name} is given to a run, dropped aloud, or its failure is made visible"),
            );
        }
    }
}

impl Fifo {
    fn on_inbound(&mut self, entry: &Entry, facts: &Facts) {
        let Some(marker) = entry.own.first().or(entry.markers.first()) else {
            return;
        };
        let Some(message) = facts.messages.get(marker) else {
            return;
        };
        if !message.wants_answer || message.is_command() {
            return;
        }
        // In a thread bound by another account it is that account's to answer.
        let elsewhere = facts.bindings.iter().any(|binding| {
            let there = &binding.address;
            binding.ended.is_none()
                && (&there.channel, &there.conversation, &there.thread)
                    == (
                        &message.at.channel,
                        &message.at.conversation,
                        &message.at.thread,
                    )
                && there.account != message.at.account
        });
        if elsewhere {
            return;
        }
        let arrived = (facts.index(), entry.at);
        let busy = facts
            .session_at(&message.at)
            .is_some_and(|key| facts.live_runs(key).next().is_some());
        let waiting = self
            .waiting
            .entry(message.number)
            .or_insert_with(|| Waiting {
                marker: marker.clone(),
                arrived,
                again: arrived,
                busy,
                tried: false,
                noticed: false,
                taken_by_crash: false,
            });
        // What comes again before it was worked on may have its place where it came last.
        if !waiting.tried {
            waiting.again = arrived;
            waiting.taken_by_crash = false;
        }
    }

    /// No run has read it: its place is before whatever came after it.
    fn on_refused(&mut self, steer: &SteerId, facts: &Facts) {
        let markers = facts.steers.get(steer).map(|steer| &steer.markers);
        for marker in markers.into_iter().flatten() {
            if let Some(message) = facts.messages.get(marker).filter(|m| m.runs.is_empty())
                && let Some(waiting) = self.waiting.get_mut(&message.number)
            {
                waiting.tried = false;
            }
        }
    }

    /// No other run of the session may be alive.
    fn on_start(&mut self, id: &RunId, facts: &Facts, sink: &mut Sink) {
        let Some(run) = facts.run_here() else {
            return;
        };
        let other = facts.live_runs_here().find(|(other, facts)| {
            *other != id && !facts.start_unknown && !self.cancelled.contains(other)
        });
        if let Some((other, _)) = other {
            let key = &run.key;
            sink.fail(
                format!("run {id} is started in session {key} while run {other} is at work there"),
                format!("run {id} waits in session {key} until run {other} has ended"),
            );
        }
    }

    fn on_given(&mut self, latest: &Marker, run: &RunId, facts: &Facts, sink: &mut Sink) {
        for (marker, message) in facts.messages_here() {
            let waiting = self.waiting.get_mut(&message.number);
            let Some(waiting) = waiting.filter(|message| !message.tried) else {
                continue;
            };
            waiting.tried = true;
            let at = &message.at;
            let Some(session) = facts.run_here().map(|run| run.session) else {
                continue;
            };
            let queues = self.newest.entry(session).or_default();
            let known = queues.iter().position(|newest| newest.at == *at);
            let newest = known.map(|known| &mut queues[known]);
            match newest {
                Some(newest) if newest.arrived > waiting.again.0 && marker == latest => {
                    let (name, first) = (marker.in_text(), newest.marker.in_text());
                    sink.fail(
                        format!("message {name} of {at} is given to run {run} after message {first}, which arrived later"),
                        format!("message {name} is given to a run before message {first}"),
                    );
                    continue;
                }
                Some(newest) if newest.arrived > waiting.again.0 => continue,
                Some(newest) => {
                    newest.arrived = waiting.arrived.0;
                    newest.marker.clone_from(marker);
                }
                None => queues.push(Newest {
                    at: at.clone(),
                    arrived: waiting.arrived.0,
                    marker: marker.clone(),
                }),
            }
            if waiting.busy {
                sink.witness();
            }
        }
    }

    fn on_said<'f>(&mut self, messages: impl Iterator<Item = &'f MessageFacts>) {
        for message in messages {
            if let Some(waiting) = self.waiting.get_mut(&message.number) {
                waiting.noticed = true;
            }
        }
    }
}
