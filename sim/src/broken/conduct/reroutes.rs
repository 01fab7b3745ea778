//! Wrong about messages that wait while their conversation changes hands.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a meddler looks at one thing"
)]

use moorline_spec::effect::Effect;
use moorline_spec::profile::Reroute;
use moorline_spec::time::Time;

use super::{Broken, binding, meddled};
use crate::broken::Meddler;
use crate::reference::BindingDecisions;

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "what-waits-stays",
            rule: "routing.decided-again",
            report: None,
            summary: "A message stays with the session that its conversation belonged to as it came.",
            build: binding::<Stays>,
        },
        Broken {
            id: "what-waits-moves",
            rule: "routing.decided-again",
            report: None,
            summary: "A message that waits moves with its conversation, whatever the profile says.",
            build: binding::<Moves>,
        },
        Broken {
            id: "what-waits-fails",
            rule: "routing.decided-again",
            report: None,
            summary: "A message that waits while its conversation changes hands is worked on by nobody.",
            build: binding::<Fails>,
        },
        Broken {
            id: "what-waits-fails-silently",
            rule: "routing.decided-again",
            report: None,
            summary: "Nobody hears that a message was given up.",
            build: meddled::<Silently>,
        },
        Broken {
            id: "what-waits-moves-late",
            rule: "ingress.fifo",
            report: None,
            summary: "A message moves with its conversation when its turn would have come, behind \
                      those that were written since.",
            build: binding::<MovesLate>,
        },
    ]
}

#[derive(Default)]
struct Stays;

impl BindingDecisions for Stays {
    fn reroutes(&self, _: Reroute) -> Reroute {
        Reroute::AtArrival
    }
}

#[derive(Default)]
struct Moves;

impl BindingDecisions for Moves {
    fn reroutes(&self, _: Reroute) -> Reroute {
        Reroute::AtTurn
    }
}

#[derive(Default)]
struct Fails;

impl BindingDecisions for Fails {
    fn reroutes(&self, _: Reroute) -> Reroute {
        Reroute::FailsWithNotice
    }
}

#[derive(Default)]
struct Silently;

impl Meddler for Silently {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        effects.retain(|effect| match effect {
            Effect::Deliver(deliver) => !deliver.text.starts_with("⚠️ Not worked on"),
            _ => true,
        });
    }
}

#[derive(Default)]
struct MovesLate;

impl BindingDecisions for MovesLate {
    fn moves_at_once(&self) -> bool {
        false
    }
}
