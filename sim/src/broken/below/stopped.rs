//! Wrong about how far a stop reaches.

use moorline_spec::effect::{CancelRun, Effect};
use moorline_spec::time::{Span, Time};

use super::{Broken, Meddler, meddled, nesting};
use crate::reference::{Beneath, NestingDecisions};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "stops-do-not-cascade",
            rule: "cancel.closes-below",
            report: Some("NO-007"),
            summary: "Who is stopped is stopped alone: what it asked for goes on.",
            build: nesting::<StopsAlone>,
        },
        Broken {
            id: "stops-reach-children-only",
            rule: "cancel.closes-below",
            report: None,
            summary: "A stop reaches the children of a session, and not theirs.",
            build: nesting::<StopsChildren>,
        },
        Broken {
            id: "the-killed-speak-on",
            rule: "cancel.closes-below",
            report: None,
            summary: "A child that ended, and was killed before anybody was told, is told of with \
                      what it said.",
            build: nesting::<SpeaksOn>,
        },
        Broken {
            id: "children-begin-after-the-kill",
            rule: "cancel.closes-below",
            report: None,
            summary: "A child whose thread is opened as whoever asked is killed begins all the same.",
            build: nesting::<BeginsLate>,
        },
        Broken {
            id: "siblings-are-stopped-one-by-one",
            rule: "cancel.closes-below",
            report: Some("NO-009"),
            summary: "The second child is stopped once everything of the first is cleaned up, which \
                      takes minutes.",
            build: meddled::<OneByOne>,
        },
        Broken {
            id: "stops-by-the-place-and-not-by-the-binding",
            rule: "cancel.closes-below",
            report: Some("QC-021"),
            summary: "In a bound thread /stop stops the session that the place would have had.",
            build: nesting::<StopsThePlace>,
        },
    ]
}

#[derive(Default)]
struct StopsAlone;

impl NestingDecisions for StopsAlone {
    fn stop_reaches(&self, _: &Beneath) -> bool {
        false
    }
}

#[derive(Default)]
struct StopsChildren;

impl NestingDecisions for StopsChildren {
    fn stop_reaches(&self, beneath: &Beneath) -> bool {
        beneath.between == 0
    }
}

#[derive(Default)]
struct SpeaksOn;

impl NestingDecisions for SpeaksOn {
    fn stop_takes_what_ended(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct BeginsLate;

impl NestingDecisions for BeginsLate {
    fn stop_takes_what_begins(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct StopsThePlace;

impl NestingDecisions for StopsThePlace {
    fn stops_what_is_bound(&self) -> bool {
        false
    }
}

/// How long the first one's cleanup takes.
const CLEANUP: Span = Span::mins(5);

/// Awaits each stop before the next.
#[derive(Default)]
struct OneByOne {
    held: Vec<(Time, CancelRun)>,
}

impl Meddler for OneByOne {
    fn effects(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let mut seen = 0;
        effects.retain(|effect| {
            let Effect::CancelRun(cancel) = effect else {
                return true;
            };
            seen += 1;
            // The one that was named, and its first child.
            if seen > 2 {
                self.held.push((now + CLEANUP, cancel.clone()));
            }
            seen <= 2
        });
        let due = self.held.extract_if(.., |(at, _)| *at <= now);
        effects.extend(due.map(|(_, cancel)| Effect::CancelRun(cancel)));
    }

    fn wake_at(&self, wake_at: Option<Time>) -> Option<Time> {
        let due = self.held.iter().map(|(at, _)| *at);
        wake_at.into_iter().chain(due).min()
    }
}
