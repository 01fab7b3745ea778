//! What becomes of a message that waits while its conversation changes hands.

use std::collections::BTreeSet;

use super::super::{Checker, Kind, Rule, Sink};
use crate::effect::Effect;
use crate::facts::{Facts, MessageFacts, Owner};
use crate::id::{Marker, SessionKey};
use crate::profile::Reroute;
use crate::stimulus::{Author, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, Rest, What, World};

pub(super) fn rule() -> Rule {
    Rule {
        id: "routing.decided-again",
        text: "A message that waits for its turn while its conversation is bound, bound to another \
               session or bound no more goes to whoever the conversation belongs to then. Where \
               the profile says so it stays with the session it came to; or nobody is given it, \
               and whoever wrote it is told.",
        sources: &["B-26", "B-130", "B-137", "E-25", "I-18"],
        dials: &["reroute"],
        sees: &[
            Kind::Inbound,
            Kind::StartRun,
            Kind::SteerRun,
            Kind::Deliver,
            Kind::Rest,
        ],
        checker: Some(|| Box::<DecidedAgain>::default()),
        ..super::rule()
    }
}

/// MUST: what waits goes where the profile says once its conversation changed hands.
#[derive(Default)]
struct DecidedAgain {
    /// Messages that were given to nobody, and whose authors were told so.
    told: BTreeSet<Marker>,
    /// Those of them that came again since: they wait anew, from then.
    again: BTreeSet<Marker>,
    rested: bool,
}

impl Checker for DecidedAgain {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            // Whatever happens there happens to messages from bound conversations.
            _ if facts.bindings.is_empty() => (),
            What::Stimulus(Stimulus::Inbound(_)) => {
                let came = entry.markers.iter();
                let came = came.filter(|name| self.told.contains(*name));
                self.again.extend(came.cloned());
            }
            What::Effect(Effect::StartRun(start)) => {
                for (marker, message) in self.judged(facts) {
                    if matches!(&*message.runs, [only] if *only == start.run) {
                        given(marker, message, &start.session_key, facts, sink);
                    }
                }
            }
            What::Effect(Effect::SteerRun(_)) => {
                let Some(run) = facts.run_here() else { return };
                for (marker, message) in self.judged(facts) {
                    if message.runs.is_empty() {
                        given(marker, message, &run.key, facts, sink);
                    }
                }
            }
            What::Effect(Effect::Deliver(deliver)) => {
                if facts.dials.reroute != Reroute::FailsWithNotice {
                    return;
                }
                for (marker, message) in facts.messages_here() {
                    let first = message.runs.is_empty() && message.at == deliver.to;
                    // Whose it is by then may be in doubt; who is told knows.
                    if first && self.told.insert(marker.clone()) && hands(message, facts).is_some()
                    {
                        sink.witness();
                    }
                }
            }
            What::World(World::Rest(rest)) => self.rested = *rest != Rest::OutOfWakes,
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        for told in [&mut self.told, &mut self.again] {
            told.retain(|marker| facts.messages.contains_key(marker));
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        // Where only so many may wait, one is given up for that.
        let capped = facts.config.messages.queue.cap.is_some();
        if !self.rested || capped || facts.bindings.is_empty() {
            return;
        }
        let lost = |(marker, message): &(&Marker, &MessageFacts)| {
            message.runs.is_empty() && !self.told.contains(*marker)
        };
        let mut all = facts.messages.iter().filter(lost);
        let found =
            all.find_map(|(marker, message)| Some((marker, message, hands(message, facts)?)));
        let Some((marker, message, Hands { was, is, since })) = found else {
            return;
        };
        let (name, at, from) = (marker.in_text(), &message.at, &message.from);
        let seen =
            format!("message {name}, written in {at} while that was {was}, is given to nobody");
        let (seen, right) = match facts.dials.reroute {
            Reroute::AtTurn => (
                seen,
                format!("{at} is {is} since {since}, and what waits moves with it"),
            ),
            Reroute::AtArrival => (
                seen,
                format!("it stays where it came to, though {at} is {is} since {since}"),
            ),
            Reroute::FailsWithNotice => (
                format!("{seen}, and {from} is not told"),
                format!("{at} is {is} since {since}, and {from} is told that it was in vain"),
            ),
        };
        sink.fail_since(message.arrived, seen, right);
    }
}

impl DecidedAgain {
    /// The messages that the entry brings and that came but once, as far as that is of concern here.
    fn judged<'f>(&self, facts: &'f Facts) -> impl Iterator<Item = (&'f Marker, &'f MessageFacts)> {
        let messages = facts.messages_here();
        messages.filter(|(marker, _)| !self.again.contains(*marker))
    }
}

/// A conversation that changed hands while a message from there waited.
struct Hands<'f> {
    was: Owner<'f>,
    is: Owner<'f>,
    since: Time,
}

/// Whether that happened to the conversation of a message, for certain.
fn hands<'f>(message: &MessageFacts, facts: &'f Facts) -> Option<Hands<'f>> {
    let arrived = message.arrived.1;
    // What a crash takes is another matter.
    let waits = arrived < facts.now() && (facts.lives <= 1 || facts.life_began < arrived);
    let plain = message.author == Author::Person && message.authorised && !message.is_command();
    if !waits || !plain || !message.wants_answer || !facts.has_been_bound(&message.at) {
        return None;
    }
    let was = facts.owner_then(&message.at, arrived)?;
    let (is, since) = facts.owner_now(&message.at)?;
    (was != is).then_some(Hands { was, is, since })
}

impl Hands<'_> {
    /// Whether a session is that of one of the two.
    fn is_of(&self, owner: Owner<'_>, key: &SessionKey) -> bool {
        match (owner, self.was, self.is) {
            (Owner::Bound(owner), _, _) => owner == key,
            (Owner::Own, Owner::Bound(other), _) | (Owner::Own, _, Owner::Bound(other)) => {
                other != key
            }
            (Owner::Own, Owner::Own, Owner::Own) => true,
        }
    }
}

/// A message is given to a session for the first time.
fn given(
    marker: &Marker,
    message: &MessageFacts,
    key: &SessionKey,
    facts: &Facts,
    sink: &mut Sink,
) {
    let Some(hands) = hands(message, facts) else {
        return;
    };
    let Hands { was, is, since } = hands;
    let at = &message.at;
    let (right, told) = match facts.dials.reroute {
        Reroute::AtTurn => (
            hands.is_of(is, key),
            format!("{at} is {is} since {since}, and what waits moves with it"),
        ),
        Reroute::AtArrival => (
            hands.is_of(was, key),
            format!(
                "{at} was {was} as it came, and it stays there, though {at} is {is} since {since}"
            ),
        ),
        Reroute::FailsWithNotice => (
            false,
            format!("{at} is {is} since {since}, so nobody is given it, and its author is told"),
        ),
    };
    // Of one instant it may have been given before that.
    if right {
        sink.witness();
    } else if since < facts.now() {
        let name = marker.in_text();
        sink.fail(
            format!("message {name}, written in {at} while that was {was}, is given to {key}"),
            told,
        );
    }
}
