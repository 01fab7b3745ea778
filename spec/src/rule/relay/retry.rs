//! What a refusal means, and what it means for others.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::address::Address;
use crate::effect::{Deliver, Effect, Report};
use crate::facts::{BornAs, Facts, RunState};
use crate::id::{DeliveryId, Marker, RunId, SessionKey, Text};
use crate::rule::nested::may_be_open;
use crate::rule::{Checker, Sink};
use crate::stimulus::{Delivered, Outcome, Receipt, Stimulus};
use crate::time::{Span, Time};
use crate::trace::{Entry, What, World};

/// From this pause on it need not grow any more.
const PAUSE_MAX: Span = Span::mins(5);
/// So many pauses that do not grow are too many.
const PAUSES_MAX: usize = 4;
/// How far the last attempt may lie beyond the bound, and how far before it there may be none.
const SLACK: Span = Span::mins(6);
/// How long a completion may wait that nothing keeps.
const PATIENCE: Span = Span::mins(1);

/// MUST: refusals for now are tried again, with growing pauses and within a bound; those for good
/// are not; and nobody else waits for that.
#[derive(Default)]
pub(super) struct RetryClassified {
    /// Texts that were refused, by what they are made for and where they are to go.
    series: FxHashMap<Tried, Series>,
    /// Texts of which nobody knows whether they were posted, or since when they are tried.
    doubted: BTreeSet<Tried>,
    /// Messages that were worked on anew while the news of the first time was refused: what is said
    /// of them is told apart by its key alone.
    anew: BTreeSet<Marker>,
    /// Runs that ended while another text was refused elsewhere, and of which nothing was heard yet.
    waits: BTreeMap<RunId, Waits>,
}

/// A text by what it is made for, where it is to go, and its key where that alone tells it from
/// another one.
type Tried = (Marker, Address, Option<Text>);

/// The attempts at one text.
struct Series {
    /// When the first one was made.
    first: Time,
    /// The last one, and when it was refused.
    last: (DeliveryId, Time),
    permanent: bool,
    /// Whether nobody knows what came of one of them: when the first was made is not judged then.
    doubted: bool,
    /// How long the channel asked to wait.
    retry_after: Option<Span>,
    /// How long it asked to wait in all.
    asked: Span,
    /// The pauses that the gateway chose.
    pauses: Vec<Span>,
}

struct Waits {
    since: (usize, Time),
    /// The session that is to be told, where one is.
    requester: Option<SessionKey>,
}

impl Checker for RetryClassified {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Receipt(receipt)) => self.on_receipt(receipt, facts, sink),
            _ if self.series.is_empty() => (),
            What::Stimulus(Stimulus::RunEnded(ended)) => self.on_ended(&ended.run, facts),
            What::Effect(Effect::StartRun(start)) => {
                self.on_told(&entry.markers, facts, sink);
                // Whatever a session is at, what comes after it waits.
                self.waits
                    .retain(|_, waits| waits.requester.as_ref() != Some(&start.session_key));
            }
            What::Effect(Effect::SteerRun(_)) => self.on_told(&entry.markers, facts, sink),
            What::Effect(Effect::Deliver(deliver)) => {
                self.on_told(&entry.markers, facts, sink);
                self.on_deliver(deliver, facts, sink);
            }
            What::Effect(Effect::Report(Report::Failed { run, .. })) => {
                self.on_failed(run, facts, sink);
            }
            // Somebody asks for another try of what was given up.
            What::Stimulus(Stimulus::Call(call)) if call.params["action"] == "retry" => {
                self.series.clear();
            }
            // When the first attempt at a text was made, the next life may or may not know.
            What::World(World::Crashed { .. }) => {
                self.doubted.extend(self.series.drain().map(|(key, _)| key));
                self.waits.clear();
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.series
            .retain(|(marker, ..), _| facts.born.contains_key(marker));
        self.doubted
            .retain(|(marker, ..)| facts.born.contains_key(marker));
        self.anew.retain(|marker| facts.born.contains_key(marker));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        self.judge_waits(facts, sink);
        for _ in self.series.values().filter(|series| series.permanent) {
            sink.witness();
        }
    }
}

impl RetryClassified {
    fn on_receipt(&mut self, receipt: &Receipt, facts: &Facts, sink: &mut Sink) {
        let refused = matches!(receipt.outcome, Delivered::Refused { .. });
        let unknown = receipt.outcome == (Delivered::Unknown {});
        if !refused && !unknown && self.series.is_empty() {
            return;
        }
        self.judge_waits(facts, sink);
        let Some(delivery) = facts.deliveries.get(&receipt.delivery) else {
            return;
        };
        let Some((carrier, _)) = facts.made_for(&delivery.markers) else {
            return;
        };
        let Some(key) = self.tried(carrier, &delivery.to, delivery.key.as_ref()) else {
            return;
        };
        let Delivered::Refused {
            permanent,
            retry_after,
            ..
        } = &receipt.outcome
        else {
            if unknown {
                self.doubted.insert(key.clone());
            }
            if self.series.remove(&key).is_some() {
                sink.witness();
            }
            return;
        };
        let retry_after = retry_after.map(|wait| Span(wait.0));
        let doubted = self.doubted.contains(&key);
        let series = self.series.entry(key).or_insert_with(|| Series {
            first: delivery.asked.1,
            last: (receipt.delivery.clone(), facts.now()),
            permanent: false,
            doubted,
            retry_after: None,
            asked: Span::ZERO,
            pauses: Vec::new(),
        });
        series.last = (receipt.delivery.clone(), facts.now());
        (series.permanent, series.retry_after) = (*permanent, retry_after);
        series.asked = Span(series.asked.0 + retry_after.map_or(0, |wait| wait.0));
    }

    fn on_deliver(&mut self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        let Some((carrier, born)) = facts.carrier_here() else {
            return;
        };
        if let Some(run) = born.run()
            && self.waits.remove(run).is_some()
        {
            sink.witness();
        }
        self.part_anew(carrier, &deliver.to, facts);
        let window = facts.dials.relay_window;
        let key = self.tried(carrier, &deliver.to, deliver.key.as_ref());
        if let Some(series) = key.and_then(|key| self.series.get_mut(&key)) {
            series.on_attempt(deliver, carrier, window, facts.now(), sink);
        }
        self.judge_waits(facts, sink);
    }

    /// By what the attempts at a text are known; by nothing where they may be at another one.
    fn tried(&self, carrier: &Marker, to: &Address, key: Option<&Text>) -> Option<Tried> {
        let parted = self.anew.contains(carrier);
        let key = key.filter(|_| parted);
        (key.is_some() || !parted).then(|| (carrier.clone(), to.clone(), key.cloned()))
    }

    /// A message that came again and was worked on anew has news of its own, and that of the first
    /// time may still be tried.
    fn part_anew(&mut self, carrier: &Marker, to: &Address, facts: &Facts) {
        let Some(series) = self.series.get(&(carrier.clone(), to.clone(), None)) else {
            return;
        };
        let message = facts.messages.get(carrier);
        let last = message.and_then(|message| facts.runs.get(message.runs.last()?));
        if last.is_some_and(|last| series.last.1 < last.asked.1) {
            self.series
                .retain(|(marker, at, _), _| marker != carrier || at != to);
            self.anew.insert(carrier.clone());
        }
    }

    /// A run ended while another text is refused elsewhere: what is to be heard of it waits for
    /// nothing.
    fn on_ended(&mut self, id: &RunId, facts: &Facts) {
        let completion = facts.completions.get(id).filter(|c| c.settled.is_none());
        // The news of a failure is told by what it quotes: of that nothing is said here.
        let well = facts.runs.get(id).map(|run| run.state) == Some(RunState::Ended(Outcome::Ok));
        let reply = facts
            .replies
            .get(id)
            .filter(|reply| well && reply.settled.is_none());
        let to = match (completion, reply) {
            (Some(completion), _) => &completion.origins,
            (None, Some(reply)) => &reply.to,
            (None, None) => return,
        };
        let elsewhere = |(_, at, _): &Tried| !to.contains(at);
        // Where the channel itself asks to wait, that may hold for all of it.
        let asked = self
            .series
            .values()
            .any(|series| series.retry_after.is_some());
        let active = self
            .series
            .values()
            .any(|series| series.is_active(facts.now()));
        // Who ended its turn to wait is not complete.
        let paused = facts.runs.get(id).is_some_and(|run| run.yielded);
        if to.is_empty() || asked || paused || !active || !self.series.keys().all(elsewhere) {
            return;
        }
        let requester = completion.and_then(|completion| completion.requester.clone());
        let busy = requester
            .as_ref()
            .is_some_and(|key| facts.live_runs(key).next().is_some());
        if !busy && !waits_below(id, facts) {
            let since = (facts.index(), facts.now());
            self.waits.insert(id.clone(), Waits { since, requester });
        }
    }

    fn on_told(&mut self, markers: &[Marker], facts: &Facts, sink: &mut Sink) {
        for child in facts.told_in(markers) {
            if self.waits.remove(&child).is_some() {
                sink.witness();
            }
        }
    }

    fn judge_waits(&mut self, facts: &Facts, sink: &mut Sink) {
        let now = facts.now();
        let overdue = |waits: &Waits| PATIENCE < now.since(waits.since.1);
        let Some((run, waits)) = self.waits.iter().find(|(_, waits)| overdue(waits)) else {
            return;
        };
        let active = self
            .series
            .iter()
            .filter(|(_, series)| series.is_active(now));
        let Some(((_, at, _), series)) = active.min_by_key(|(_, series)| series.first) else {
            self.waits.clear();
            return;
        };
        let (who, last) = (waits.requester.as_ref(), &series.last.0);
        let who = who.map_or("whoever asked", |key| key.as_str());
        sink.fail_since(
            waits.since,
            format!(
                "{who} waits for the end of run {run} since {}, and nothing is tried while \
                 delivery {last} to {at} is refused",
                waits.since.1
            ),
            "what one channel or person does not take keeps nobody else waiting",
        );
        self.waits.clear();
    }

    fn on_failed(&mut self, run: &RunId, facts: &Facts, sink: &mut Sink) {
        self.waits.remove(run);
        let window = facts.dials.relay_window;
        // What it said on its way is another text, of which nothing is said here.
        let of_it = |marker: &Marker| {
            let born = facts.born.get(marker).map(|born| &born.what);
            matches!(born, Some(BornAs::LastWords(said)) if said == run)
                || facts.told_in(std::slice::from_ref(marker)).contains(run)
        };
        let own = |((marker, ..), _): &(&Tried, &Series)| of_it(marker);
        if self
            .series
            .iter()
            .filter(own)
            .any(|(_, series)| series.permanent)
        {
            sink.witness();
            return self.series.retain(|(marker, ..), _| !of_it(marker));
        }
        // A run may have said more than its last words: what is given up at once is what was refused,
        // and of two that were refused at one moment it may be the other.
        let now = facts.now();
        let on_its_way = |((marker, ..), series): (&Tried, &Series)| {
            let born = facts.born.get(marker).map(|born| &born.what);
            let progress = matches!(born, Some(BornAs::Progress(said)) if said == run);
            progress && series.last.1 == now
        };
        let other = self.series.iter().any(on_its_way);
        for ((marker, to, _), series) in self.series.iter().filter(own) {
            let spent = now.since(series.first);
            let next = Span(spent.0 + series.retry_after.map_or(0, |wait| wait.0));
            let at_once = series.last.1 == now && !other;
            if at_once && !series.doubted && Span(next.0 + SLACK.0) < window {
                let tries = series.pauses.len() + 1;
                sink.fail(
                    format!(
                        "{} of run {run} for {to} is given up {spent} after the first of {tries} \
                         attempts, and the last refusal was only for now",
                        marker.in_text()
                    ),
                    format!("what is refused for now is tried again for {window}"),
                );
            } else {
                sink.witness();
            }
        }
        self.series.retain(|(marker, ..), _| !of_it(marker));
    }
}

/// Whether what a run's session asked for may still be owed to it: at work, or waiting for its
/// place.
fn waits_below(parent: &RunId, facts: &Facts) -> bool {
    let Some(run) = facts.runs.get(parent) else {
        return false;
    };
    let mut calls = facts.calls.values();
    calls.any(|call| {
        let own = call.method == "sessions_spawn" && call.session.as_ref() == Some(&run.key);
        own && (call.answer.is_none() || may_be_open(call, facts))
    })
}

impl Series {
    /// Whether it is about to be tried again, as far as can be seen.
    fn is_active(&self, now: Time) -> bool {
        !self.permanent && now.since(self.last.1) < SLACK
    }

    fn on_attempt(
        &mut self,
        deliver: &Deliver,
        carrier: &Marker,
        window: Span,
        now: Time,
        sink: &mut Sink,
    ) {
        let (delivery, words, to) = (&deliver.delivery, carrier.in_text(), &deliver.to);
        let again = format_args!("delivery {delivery} takes {words} to {to} again");
        let (last, at) = &self.last;
        if self.permanent {
            return sink.fail(
                format!("{again}, though delivery {last} was refused for good"),
                "what is refused for good is not tried again: its failure is made visible",
            );
        }
        let pause = now.since(*at);
        if let Some(wait) = self.retry_after
            && pause < wait
        {
            return sink.fail(
                format!("{again} {pause} after delivery {last} was refused for {wait}"),
                "another attempt waits for as long as the channel asks",
            );
        }
        if self.retry_after.is_none() {
            self.pauses.push(pause);
        }
        let first = self.pauses.first().copied().unwrap_or(PAUSE_MAX);
        // A fifth is for chance.
        let grows = |pause: &&Span| first.0 + first.0 / 5 < pause.0;
        let grown = self.pauses.iter().any(|pause| grows(&pause));
        if PAUSES_MAX <= self.pauses.len() && first < PAUSE_MAX && !grown {
            let count = self.pauses.len();
            return sink.fail(
                format!("{again}, {pause} after a refusal for now, as {count} times before"),
                "the pauses between attempts grow",
            );
        }
        let spent = now.since(self.first);
        if window.0 + SLACK.0 + self.asked.0 < spent.0 {
            sink.fail(
                format!("{again}, {spent} after the first attempt"),
                format!("attempts end within {window}, and then the failure is made visible"),
            );
        }
    }
}
