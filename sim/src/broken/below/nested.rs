//! Wrong about who waits for whom.

use moorline_spec::effect::Effect;
use moorline_spec::id::SessionKey;
use moorline_spec::time::{Span, Time};
use std::collections::BTreeMap;

use super::{Broken, Meddler, meddled, nesting, tells};
use crate::reference::{Ended, NestingDecisions, Next, RightNesting, WhenBelow, Yielded};

pub(super) fn gateways() -> Vec<Broken> {
    [waits(), wakes()].into_iter().flatten().collect()
}

/// About the end of a run whose own children are at work.
fn waits() -> Vec<Broken> {
    vec![
        Broken {
            id: "tells-before-children-are-done",
            rule: "nested.settles-below",
            report: None,
            summary: "A child that has ended is told of at once, whatever it still waits for itself.",
            build: nesting::<TellsAtOnce>,
        },
        Broken {
            id: "waiting-spends-attempts",
            rule: "nested.settles-below",
            report: Some("NO-002"),
            summary: "Each look at a child that waits for its own is an attempt to tell of it; after \
                      three the end is given up.",
            build: nesting::<WaitingSpends>,
        },
        Broken {
            id: "waiting-too-often-is-forgotten",
            rule: "relay.liveness",
            report: Some("NO-003"),
            summary: "One look finds that a child waits for its own, another that it does not, and \
                      after three of them its end is gone without a word.",
            build: nesting::<WaitingForgets>,
        },
        Broken {
            id: "a-deferral-counts-as-told",
            rule: "relay.liveness",
            report: Some("NO-006"),
            summary: "The end of a child that waits for its own is put off, and that is taken for told.",
            build: nesting::<DeferralIsTold>,
        },
        Broken {
            id: "waits-below-for-ever",
            rule: "nested.settles-below",
            report: Some("NO-016"),
            summary: "An end waits for what is below it without a bound.",
            build: nesting::<WaitsForEver>,
        },
    ]
}

/// About who is told, and when.
fn wakes() -> Vec<Broken> {
    vec![
        Broken {
            id: "idle-yields-are-accepted",
            rule: "nested.yield-wakes",
            report: Some("CL-036"),
            summary: "A run may yield though nothing is pending, and nothing wakes it.",
            build: nesting::<IdleYields>,
        },
        Broken {
            id: "nobody-wakes-who-yielded",
            rule: "nested.yield-wakes",
            report: Some("RR-021"),
            summary: "What a session that yielded waits for is kept for it, and nothing wakes it.",
            build: nesting::<NeverWoken>,
        },
        Broken {
            id: "never-woken-is-silent",
            rule: "relay.liveness",
            report: None,
            summary: "A child yielded, and nothing woke it: that is taken for a silent end, of which \
                      nobody has to be told.",
            build: nesting::<NeverWokenIsSilent>,
        },
        Broken {
            id: "woken-for-all-conversations",
            rule: "isolation.conversations",
            report: None,
            summary: "Who yielded in several conversations is woken by one turn for all of them, which \
                      answers to the first.",
            build: nesting::<WokenForAll>,
        },
        Broken {
            id: "woken-for-each-child",
            rule: "nested.yield-wakes",
            report: None,
            summary: "Who yielded to wait for several is woken for each of them.",
            build: nesting::<WokenForEach>,
        },
        Broken {
            id: "findings-of-earlier-runs",
            rule: "relay.once",
            report: Some("NO-004"),
            summary: "With what a child found a session is told again all that it ever was told of.",
            build: meddled::<EarlierFindings>,
        },
    ]
}

#[derive(Default)]
struct NeverWokenIsSilent;

impl NestingDecisions for NeverWokenIsSilent {
    fn tells_of_yielded(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct WokenForAll;

impl NestingDecisions for WokenForAll {
    fn wakes_apart(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct TellsAtOnce;

impl NestingDecisions for TellsAtOnce {
    fn when_below(&self, _: &Ended) -> WhenBelow {
        WhenBelow::Hand
    }
}

/// How long three looks take.
const THREE_LOOKS: Span = Span::secs(45);

#[derive(Default)]
struct WaitingSpends;

impl NestingDecisions for WaitingSpends {
    fn waits_at_most(&self, _: Span) -> Option<Span> {
        Some(THREE_LOOKS)
    }

    fn after_waiting(&self) -> Next {
        Next::Fail
    }
}

#[derive(Default)]
struct WaitingForgets;

impl NestingDecisions for WaitingForgets {
    fn waits_at_most(&self, _: Span) -> Option<Span> {
        Some(THREE_LOOKS)
    }

    fn after_waiting(&self) -> Next {
        Next::Forget
    }
}

#[derive(Default)]
struct DeferralIsTold;

impl NestingDecisions for DeferralIsTold {
    fn when_below(&self, ended: &Ended) -> WhenBelow {
        match RightNesting.when_below(ended) {
            WhenBelow::Wait => WhenBelow::Forget,
            other @ (WhenBelow::Hand | WhenBelow::Forget) => other,
        }
    }
}

#[derive(Default)]
struct WaitsForEver;

impl NestingDecisions for WaitsForEver {
    fn waits_at_most(&self, _: Span) -> Option<Span> {
        None
    }
}

#[derive(Default)]
struct IdleYields;

impl NestingDecisions for IdleYields {
    fn refuses_idle_yield(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct NeverWoken;

impl NestingDecisions for NeverWoken {
    fn wakes(&self, _: &Yielded) -> bool {
        false
    }
}

#[derive(Default)]
struct WokenForEach;

impl NestingDecisions for WokenForEach {
    fn wakes(&self, _: &Yielded) -> bool {
        true
    }
}

/// Keeps by session what it should keep by turn.
#[derive(Default)]
struct EarlierFindings {
    told: BTreeMap<SessionKey, String>,
}

impl Meddler for EarlierFindings {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            let Effect::StartRun(start) = effect else {
                continue;
            };
            if !tells(&start.input) {
                continue;
            }
            let told = self.told.entry(start.session_key.clone()).or_default();
            let earlier = told.clone();
            told.push_str(start.input.as_str());
            told.push('\n');
            if !earlier.is_empty() {
                start.input = format!("{}\nbefore: {earlier}", start.input).into();
            }
        }
    }
}
