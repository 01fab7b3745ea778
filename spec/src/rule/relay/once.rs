//! One completion, one message, one turn.

use rustc_hash::FxHashMap;

use crate::address::Address;
use crate::effect::{Deliver, Effect};
use crate::facts::{Born, DeliveryFacts, DeliveryState, Facts, Role, RunState, Settled};
use crate::id::{DeliveryId, Marker, RunId, SteerId, Text};
use crate::profile::AfterUnknown;
use crate::rule::{Checker, Sink};
use crate::stimulus::{Delivered, Outcome, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What};

/// MUST: a completion is said once.
#[derive(Default)]
pub(super) struct Once {
    /// Attempts to post a run's words at an address, by the marker born with them.
    attempts: FxHashMap<Marker, Vec<Attempt>>,
}

/// The attempts at one address.
struct Attempt {
    to: Address,
    text: Text,
    key: Option<Text>,
    last: DeliveryId,
    /// In which life of the gateway the first was made.
    life: u32,
    /// The first of them that may have happened and nobody knows: when, and under which key.
    unknown: Option<(Time, Option<Text>)>,
}

impl Attempt {
    fn first(deliver: &Deliver, life: u32) -> Self {
        Self {
            to: deliver.to.clone(),
            text: deliver.text.clone(),
            key: deliver.key.clone(),
            last: deliver.delivery.clone(),
            life,
            unknown: None,
        }
    }

    /// Whether a delivery is one of them. Words from before a crash may have been given to a turn
    /// that nobody saw, and be quoted in the news of its failure: another text under another key.
    fn is_of(&self, deliver: &Deliver, life: u32, may_be_quoted: bool) -> bool {
        let same = self.life == life && !may_be_quoted
            || self.text == deliver.text
            || self.key == deliver.key
            || self.key.is_none()
            || deliver.key.is_none();
        self.to == deliver.to && same
    }
}

impl Checker for Once {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::Deliver(deliver)) => self.on_deliver(deliver, facts, sink),
            What::Effect(Effect::StartRun(start)) => {
                tell(&start.run, None, &entry.markers, facts, sink);
            }
            What::Effect(Effect::SteerRun(steer)) => {
                tell(&steer.run, Some(&steer.steer), &entry.markers, facts, sink);
            }
            What::Stimulus(Stimulus::RunEnded(ended))
                if ended.outcome == Outcome::Ok && !facts.told_by(&ended.run).is_empty() =>
            {
                sink.witness();
            }
            What::Stimulus(Stimulus::Receipt(receipt))
                if matches!(receipt.outcome, Delivered::Accepted { .. })
                    && facts
                        .delivery_here()
                        .is_some_and(|(_, delivery)| tells_of_a_child(delivery, facts)) =>
            {
                sink.witness();
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.attempts
            .retain(|marker, _| facts.born.contains_key(marker));
    }
}

/// Whether a text is a child's last words, or those of a turn that was told of a child.
fn tells_of_a_child(delivery: &DeliveryFacts, facts: &Facts) -> bool {
    let run = delivery.speaker.as_ref();
    run.is_some_and(|run| facts.completions.contains_key(run) || !facts.told_by(run).is_empty())
}

impl Once {
    fn on_deliver(&mut self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        let Some((carrier, born)) = facts.carrier_here() else {
            return;
        };
        let Some(run) = born.run() else {
            return;
        };
        said_by_a_turn(deliver, carrier, run, facts, sink);
        let texts = facts.texts_here();
        let quoted = may_be_quoted(born, run, facts);
        for (marker, _) in texts.filter(|(_, other)| other.entry == born.entry) {
            self.attempt(marker, run, (deliver, quoted), facts, sink);
        }
    }

    fn attempt(
        &mut self,
        marker: &Marker,
        run: &RunId,
        (deliver, quoted): (&Deliver, bool),
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let attempts = self.attempts.entry(marker.clone()).or_default();
        let life = facts.lives;
        let is_it = |attempt: &&mut Attempt| attempt.is_of(deliver, life, quoted);
        let Some(attempt) = attempts.iter_mut().find(is_it) else {
            return attempts.push(Attempt::first(deliver, life));
        };
        let before = facts.deliveries.get(&attempt.last);
        let state = before.map_or(DeliveryState::Untold, |before| before.state);
        if matches!(state, DeliveryState::Unknown | DeliveryState::Untold) {
            let unknown = || before.map(|before| (before.asked.1, before.key.clone()));
            attempt.unknown = attempt.unknown.take().or_else(unknown);
        }
        let last = std::mem::replace(&mut attempt.last, deliver.delivery.clone());
        let to = &deliver.to;
        let again = || again(deliver, marker, run);
        match state {
            DeliveryState::Accepted => sink.fail(
                format!("{}, where delivery {last} was accepted", again()),
                "what was accepted is not said twice",
            ),
            DeliveryState::Pending => sink.fail(
                format!("{}, while delivery {last} is on its way", again()),
                "another attempt waits for the receipt of the one before",
            ),
            _ => (),
        }
        let Some((first, key)) = &attempt.unknown else {
            return;
        };
        if facts.dials.after_unknown == AfterUnknown::GiveUpAloud {
            sink.fail(
                format!("{}, and nobody knows what came of delivery {last}", again()),
                "what may have arrived is given up aloud, and not repeated",
            );
            return;
        }
        let window = facts
            .channel(to)
            .and_then(|c| c.capabilities.idempotency_window);
        let open = window.is_some_and(|window| facts.now().since(*first) <= window);
        let by_key = open && key.is_some() && deliver.key == *key;
        if by_key || deliver.repeat {
            sink.witness();
        } else {
            sink.fail(
                format!(
                    "{}, unmarked, though an earlier attempt may have arrived",
                    again()
                ),
                "a repeat uses the key of the first attempt while the channel recognises it, else \
                 it is marked as a possible repeat",
            );
        }
    }
}

/// Whether a turn that nobody saw may have been given what a run said: the gateway died since, and
/// words of that run go on to somebody. An answer to a message goes to its conversation alone.
fn may_be_quoted(born: &Born, run: &RunId, facts: &Facts) -> bool {
    let goes_on = || {
        let run = facts.runs.get(run);
        run.is_none_or(|run| !matches!(run.role, Role::Chat(_) | Role::Internal))
    };
    born.entry < facts.life_entry && goes_on()
}

/// `delivery d2 takes ⟦r1⟧ of run a to telegram/alice again`
fn again(deliver: &Deliver, marker: &Marker, run: &RunId) -> String {
    let (delivery, to) = (&deliver.delivery, &deliver.to);
    format!(
        "delivery {delivery} takes {} of run {run} to {to} again",
        marker.in_text()
    )
}

/// A child's own words after those of a turn that was told of it: the same people read it twice.
fn said_by_a_turn(
    deliver: &Deliver,
    carrier: &Marker,
    run: &RunId,
    facts: &Facts,
    sink: &mut Sink,
) {
    let Some(completion) = facts.completions.get(run) else {
        return;
    };
    let bound = facts
        .runs
        .get(run)
        .is_some_and(|run| facts.was_bound(&run.key, &deliver.to));
    if bound || !completion.origins.contains(&deliver.to) {
        return;
    }
    let posted = completion.turns.iter().find(|turn| {
        let reply = facts.replies.get(*turn);
        // Of a turn that failed, only that news was posted.
        let well = facts
            .runs
            .get(*turn)
            .is_some_and(|turn| turn.state == RunState::Ended(Outcome::Ok));
        well && reply.is_some_and(|reply| {
            reply.settled == Some(Settled::Posted) && reply.to.contains(&deliver.to)
        })
    });
    if let Some(turn) = posted {
        let (delivery, words, to) = (&deliver.delivery, carrier.in_text(), &deliver.to);
        sink.fail(
            format!("delivery {delivery} takes the words {words} of run {run} to {to}, which was told of them by run {turn}"),
            "one completion is one message for the same people",
        );
    }
}

/// A turn, or a text steered into one, tells a requester of children.
fn tell(turn: &RunId, steer: Option<&SteerId>, markers: &[Marker], facts: &Facts, sink: &mut Sink) {
    // Most turns are told of nothing: there is nothing to tell of.
    if facts.completions.is_empty() {
        return;
    }
    for (child, other) in told_before(turn, steer, markers, facts) {
        let key = facts
            .runs
            .get(turn)
            .map(|run| run.key.as_str())
            .unwrap_or_default();
        sink.fail(
            format!(
                "run {turn} in {key} is told of the end of run {child}, as run {other} was or is"
            ),
            "a completion is told in one turn, and in another only where that one failed",
        );
    }
}

/// Whether what tells of a child stands there because a reply says it again: that of its own session,
/// which remembers it, or of one that was told of it by the text it replies to.
pub(in crate::rule) fn repeats_in_reply(child: &RunId, markers: &[Marker], facts: &Facts) -> bool {
    let key = facts.runs.get(child).map(|child| &child.key);
    let mut born = markers.iter().filter_map(|marker| facts.born.get(marker));
    born.any(|born| {
        let by = born.run().and_then(|by| facts.runs.get(by));
        let by = by.filter(|by| matches!(by.role, Role::Sent(_)));
        by.is_some_and(|by| Some(&by.key) == key || facts.told_in(&by.given).contains(child))
    })
}

/// The children that some markers tell a turn's session of, each with another of its turns that was
/// told of it and failed not.
pub(super) fn told_before(
    turn: &RunId,
    steer: Option<&SteerId>,
    markers: &[Marker],
    facts: &Facts,
) -> Vec<(RunId, RunId)> {
    let Some(run) = facts
        .runs
        .get(turn)
        .filter(|_| !facts.completions.is_empty())
    else {
        return Vec::new();
    };
    let mut twice = Vec::new();
    for child in facts.told_in(markers) {
        let Some(completion) = facts.completions.get(&child) else {
            continue;
        };
        if completion.requester.as_ref() != Some(&run.key) || *turn == child {
            continue;
        }
        if repeats_in_reply(&child, markers, facts) {
            continue;
        }
        // A chat turn that repeats what the session knows anyway does not tell it anew.
        if steer.is_none() && !matches!(run.role, Role::Event(_)) {
            continue;
        }
        let stands = |other: &&RunId| {
            let other_run = facts.runs.get(*other);
            let steered_anew = steer.is_some() && *other == turn;
            (*other != turn || steered_anew)
                && other_run.is_some_and(|run| match run.state {
                    RunState::Asked => !run.start_unknown,
                    RunState::Running | RunState::Ended(Outcome::Ok) => true,
                    RunState::Refused | RunState::Ended(_) | RunState::Lost => false,
                })
        };
        let steering = facts.steers.iter().find(|(id, other)| {
            let live = facts
                .runs
                .get(&other.run)
                .is_some_and(|run| run.state.is_live());
            Some(*id) != steer
                && other.outcome.is_none()
                && live
                && facts.told_in(&other.markers).contains(&child)
        });
        let other = completion.turns.iter().find(stands).cloned();
        if let Some(other) = other.or_else(|| steering.map(|(_, steer)| steer.run.clone())) {
            twice.push((child, other));
        }
    }
    twice
}
