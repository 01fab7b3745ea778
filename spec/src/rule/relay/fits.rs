//! Long texts arrive whole.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::address::Address;
use crate::effect::{Effect, Report};
use crate::facts::{DeliveryFacts, DeliveryState, Facts, Settled};
use crate::id::{Marker, RunId};
use crate::rule::{Checker, Sink};
use crate::stimulus::Stimulus;
use crate::time::Time;
use crate::trace::{Entry, What, World};

/// MUST: a long text arrives whole, in order, in pieces within the limit.
#[derive(Default)]
pub(super) struct Fits {
    /// Long last words, by each of their markers.
    long: FxHashMap<Marker, usize>,
    words: BTreeMap<usize, Words>,
    remembered: usize,
}

/// Last words that may not fit into one message.
struct Words {
    run: RunId,
    /// Their markers as they stand in the text.
    order: Vec<Marker>,
    /// The text's length on channels whose limit it exceeds is looked up by it.
    text: crate::id::Text,
    /// Whether it was told that they cannot be told.
    failed: bool,
    /// For each address: how many markers stand there, and since when.
    posted: Vec<(Address, usize, (usize, Time))>,
}

impl Checker for Fits {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                let exceeds = |channel: &crate::channel::Channel| {
                    let limit = channel.capabilities.text_limit;
                    limit.is_some_and(|limit| {
                        let bytes = ended.text.len();
                        limit.max < bytes && limit.max < limit.unit.count(&ended.text)
                    })
                };
                let long = entry.own.len() > 1 || facts.channels.values().any(exceeds);
                if long && !entry.own.is_empty() {
                    self.remember(&ended.run, &ended.text, entry);
                }
            }
            What::Effect(Effect::Deliver(deliver)) => {
                let limit = facts
                    .channel(&deliver.to)
                    .and_then(|c| c.capabilities.text_limit);
                let Some(limit) = limit else {
                    return;
                };
                // A byte is the smallest unit there is.
                let length = match deliver.text.len() {
                    short if short <= limit.max => return,
                    _ => limit.unit.count(&deliver.text),
                };
                if limit.max < length {
                    let (delivery, to) = (&deliver.delivery, &deliver.to);
                    sink.fail(
                        format!("delivery {delivery} to {to} is {length} long"),
                        format!("{to} takes {} at most, so it goes in pieces", limit.max),
                    );
                }
            }
            What::Effect(Effect::Report(Report::Failed { run, .. })) => {
                let mut words = self.words.values_mut();
                if let Some(words) = words.find(|words| words.run == *run) {
                    words.failed = true;
                }
            }
            What::World(World::Posted { at, .. }) if !self.long.is_empty() => {
                for marker in &entry.markers {
                    let number = self.long.get(marker);
                    if let Some(words) = number.and_then(|number| self.words.get_mut(number)) {
                        words.post(marker, at, facts, sink);
                    }
                }
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.words
            .retain(|_, words| facts.runs.contains_key(&words.run));
        self.long
            .retain(|_, number| self.words.contains_key(number));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for words in self.words.values() {
            let failed = facts
                .replies
                .get(&words.run)
                .is_some_and(|reply| reply.settled == Some(Settled::Failed));
            for (at, posted, since) in &words.posted {
                let short = *posted < words.order.len() && !failed && !words.failed;
                if short && !words.may_go_on(at, facts) {
                    let (run, missing) = (&words.run, words.order[*posted].in_text());
                    sink.fail_since(
                        *since,
                        format!("of the words of run {run} only a part stands in {at}: {missing} never came"),
                        "a long text arrives whole, or its failure can be seen",
                    );
                }
            }
        }
    }
}

impl Fits {
    fn remember(&mut self, run: &RunId, text: &crate::id::Text, entry: &Entry) {
        let stands = entry
            .markers
            .iter()
            .filter(|marker| entry.own.contains(marker));
        let order: Vec<Marker> = stands.cloned().collect();
        for marker in &order {
            self.long.insert(marker.clone(), self.remembered);
        }
        let words = Words {
            run: run.clone(),
            order,
            text: text.clone(),
            failed: false,
            posted: Vec::new(),
        };
        self.words.insert(self.remembered, words);
        self.remembered += 1;
    }
}

impl Words {
    /// Whether nobody waits for the rest any more, so that the play ended, and the last that was
    /// heard of these words there was no answer for good: they may have been about to be tried again.
    fn may_go_on(&self, at: &Address, facts: &Facts) -> bool {
        let owed = facts.replies.get(&self.run);
        let own = |other: &&DeliveryFacts| {
            let mut markers = other.markers.iter();
            other.to == *at && markers.any(|marker| self.order.contains(marker))
        };
        let last = facts.deliveries.values().rev().find(own);
        let open = |last: &DeliveryFacts| match last.state {
            DeliveryState::Accepted | DeliveryState::RefusedForGood => false,
            DeliveryState::Pending
            | DeliveryState::RefusedForNow
            | DeliveryState::Unknown
            | DeliveryState::Untold => true,
        };
        owed.is_none_or(|reply| reply.settled.is_some()) && last.is_some_and(open)
    }

    fn post(&mut self, marker: &Marker, at: &Address, facts: &Facts, sink: &mut Sink) {
        let Some(place) = self.order.iter().position(|other| other == marker) else {
            return;
        };
        let known = self.posted.iter().position(|(there, ..)| there == at);
        let number = known.unwrap_or_else(|| {
            let since = (facts.index(), facts.now());
            self.posted.push((at.clone(), 0, since));
            self.posted.len() - 1
        });
        let posted = &mut self.posted[number].1;
        if *posted < place {
            let (run, missing) = (&self.run, self.order[*posted].in_text());
            sink.fail(
                format!(
                    "{} of run {run} stands in {at}, and {missing} before it does not",
                    marker.in_text()
                ),
                "the pieces of a text are posted in its order",
            );
        }
        if *posted != place {
            return;
        }
        *posted += 1;
        let limit = facts
            .channel(at)
            .and_then(|channel| channel.capabilities.text_limit);
        let exceeds = limit.is_some_and(|limit| limit.max < limit.unit.count(&self.text));
        if *posted == self.order.len() && (exceeds || self.order.len() > 1) {
            sink.witness();
        }
    }
}
