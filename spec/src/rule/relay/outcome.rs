//! How a run ended, and what it said then.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::news::{By, News, news};
use crate::effect::{Deliver, Effect};
use crate::facts::{BornAs, Completion, Facts};
use crate::id::{Marker, RunId};
use crate::rule::{Checker, Sink};
use crate::stimulus::{Outcome, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

/// Words of more markers than this may have been cut to what a gateway keeps of a result.
const WHOLE_MAX: usize = 150;

/// MUST: status and text are those of the end that came first.
#[derive(Default)]
pub(super) struct OutcomeTrue {
    /// Words of ends that came after the first of their run.
    later: FxHashMap<Marker, RunId>,
    /// Children of which their requester was told before they ended, or by what they said on their
    /// way: in which entry, and what was said there.
    early: BTreeMap<RunId, ((usize, Time), String)>,
    /// Children whose end the gateway heard of in the instant it died in: it may know nothing of it.
    unheard: BTreeSet<RunId>,
}

impl Checker for OutcomeTrue {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                let known = facts.runs.get(&ended.run);
                if known.is_some_and(|run| run.words != entry.own) {
                    let later = entry.own.iter();
                    self.later
                        .extend(later.map(|own| (own.clone(), ended.run.clone())));
                }
            }
            What::World(World::Crashed { .. }) => {
                let open = facts.completions.iter();
                let open = open.filter(|(_, c)| c.settled.is_none() && c.ended.1 == facts.now());
                self.unheard.extend(open.map(|(run, _)| run.clone()));
            }
            What::Effect(Effect::StartRun(start)) => self.on_news(&start.run, facts, sink),
            What::Effect(Effect::SteerRun(steer)) => self.on_news(&steer.run, facts, sink),
            What::Effect(Effect::Deliver(deliver)) => self.on_deliver(deliver, facts, sink),
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.later.retain(|_, run| facts.runs.contains_key(run));
        self.early.retain(|run, _| facts.runs.contains_key(run));
        self.unheard.retain(|run| facts.runs.contains_key(run));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (child, (entry, how)) in &self.early {
            let untold = facts.completions.get(child);
            if let Some(completion) = untold.filter(|c| c.settled.is_none()) {
                let outcome = completion.outcome.as_str();
                sink.fail_since(
                    *entry,
                    format!("{how}, and never of its end ({outcome})"),
                    "a run is over when it ends: what it says on its way, or a wait that is over, \
                     is not that",
                );
            }
        }
    }
}

/// Whether what a run ended with need not be told: it only ended its turn to wait, or was stopped
/// before anybody was told of it.
fn is_open(child: &RunId, facts: &Facts) -> bool {
    facts.was_overtaken(child)
        || facts.may_be_stopping()
        || facts.runs.get(child).is_some_and(|run| run.yielded)
}

impl OutcomeTrue {
    fn on_news(&mut self, turn: &RunId, facts: &Facts, sink: &mut Sink) {
        if facts.completions.is_empty() && facts.calls.is_empty() {
            return;
        }
        let Some(news) = news(facts) else {
            return;
        };
        if news.call.session.as_ref() != Some(news.told) {
            return;
        }
        let child = news.child;
        if let Some(run) = self.later.get(news.marker) {
            return sink.fail(
                format!(
                    "run {turn} is told {} of run {run}, which had ended before",
                    news.marker.in_text()
                ),
                "the first end is the one that counts",
            );
        }
        let Some(completion) = facts.completions.get(child) else {
            return self.told_early(turn, &news, facts);
        };
        match news.by {
            By::Words => self.by_words(turn, &news, completion, facts, sink),
            By::Progress => self.told_early(turn, &news, facts),
            By::Task if completion.outcome != Outcome::Ok || completion.words.is_empty() => {
                self.early.remove(child);
                sink.witness();
            }
            By::Task if self.unheard.contains(child) || is_open(child, facts) => (),
            By::Task => {
                let (words, key) = (completion.words[0].in_text(), news.told);
                sink.fail(
                    format!(
                        "run {turn} tells {key} of run {child} without {words}, which it ended ok \
                         with"
                    ),
                    "status and text are those of its end",
                );
            }
        }
    }

    fn told_early(&mut self, turn: &RunId, news: &News<'_>, facts: &Facts) {
        let streams = news.call.text("streamTo").is_some();
        if news.by == By::Words || news.by == By::Progress && streams {
            return;
        }
        let what = match news.by {
            By::Progress => format!("by {}, which it said on its way", news.marker.in_text()),
            By::Words | By::Task => "while it goes on".to_owned(),
        };
        let entry = (facts.index(), facts.now());
        let (key, child) = (news.told, news.child);
        let how = format!("run {turn} tells {key} of run {child} {what}");
        self.early.entry(child.clone()).or_insert((entry, how));
    }

    fn by_words(
        &mut self,
        turn: &RunId,
        news: &News<'_>,
        completion: &Completion,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let (child, key) = (news.child, news.told);
        if completion.outcome != Outcome::Ok {
            let (outcome, words) = (completion.outcome.as_str(), news.marker.in_text());
            return sink.fail(
                format!(
                    "run {turn} tells {key} of run {child}, which ended as {outcome}, by its words \
                     {words}"
                ),
                "what a run says that does not end well is no result: its failure is told",
            );
        }
        let given = |marker: &Marker| facts.texts_here().any(|(other, _)| other == marker);
        let missing = completion.words.iter().find(|marker| !given(marker));
        if let Some(missing) = missing.filter(|_| completion.words.len() <= WHOLE_MAX) {
            let missing = missing.in_text();
            return sink.fail(
                format!(
                    "run {turn} tells {key} of only a part of what run {child} ended with: \
                     {missing} is not there"
                ),
                "the text of a completion is the whole text of the end",
            );
        }
        self.early.remove(child);
        sink.witness();
    }

    fn on_deliver(&self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        if self.later.is_empty() && facts.completions.is_empty() {
            return;
        }
        let Some((carrier, born)) = facts.carrier_here() else {
            return;
        };
        let (delivery, words, to) = (&deliver.delivery, carrier.in_text(), &deliver.to);
        if let Some(run) = self.later.get(carrier) {
            return sink.fail(
                format!("delivery {delivery} takes {words} of run {run}, which had ended before, to {to}"),
                "the first end is the one that counts",
            );
        }
        let BornAs::LastWords(child) = &born.what else {
            return;
        };
        let Some(completion) = facts.completions.get(child) else {
            return;
        };
        if completion.outcome == Outcome::Ok {
            return sink.witness();
        }
        let bound = facts
            .runs
            .get(child)
            .is_some_and(|run| facts.was_bound(&run.key, to));
        if completion.origins.contains(to) && !bound {
            let outcome = completion.outcome.as_str();
            sink.fail(
                format!(
                    "delivery {delivery} takes the words {words} of run {child}, which ended as \
                     {outcome}, to {to}"
                ),
                "what a run says that does not end well is no result: its failure is told",
            );
        }
    }
}
