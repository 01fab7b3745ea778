//! Wrong about what is left after a restart.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a meddler looks at one thing"
)]

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::address::Address;
use moorline_spec::effect::Effect;
use moorline_spec::id::RunId;
use moorline_spec::stimulus::{Caller, Stimulus};
use moorline_spec::time::{Span, Time};

use super::{Broken, Meddler, deciding, meddled, nesting};
use crate::reference::{Decisions, Handing, Lost, NestingDecisions, Recovery, Right};

pub(super) fn gateways() -> Vec<Broken> {
    [owed(), others()].into_iter().flatten().collect()
}

/// About what was owed.
fn owed() -> Vec<Broken> {
    vec![
        Broken {
            id: "ended-runs-are-not-told-after-a-restart",
            rule: "restart.converges",
            report: None,
            summary: "A run whose end was written down, and which nobody was told of before the \
                      restart, is told of to nobody (W-2, W-7).",
            build: nesting::<EndsDie>,
        },
        Broken {
            id: "a-turn-that-told-is-forgotten",
            rule: "restart.converges",
            report: Some("CL-008"),
            summary: "What a turn was to tell that died with the gateway is not told any more (W-3).",
            build: deciding::<TellingForgotten>,
        },
        Broken {
            id: "taken-counts-as-told",
            rule: "relay.still-owed",
            report: None,
            summary: "A completion that a run took is told, though that run dies (W-5).",
            build: deciding::<TakenCounts>,
        },
        Broken {
            id: "recovered-counts-as-told",
            rule: "relay.still-owed",
            report: None,
            summary: "What a restart asks for anew is taken for told, and a second restart finds \
                      nothing of it (W-9).",
            build: nesting::<RecoveredCounts>,
        },
        Broken {
            id: "texts-die-on-their-way",
            rule: "restart.converges",
            report: None,
            summary: "A text that was on its way when the gateway died is not sent again (W-10, W-11).",
            build: nesting::<PostsDie>,
        },
        Broken {
            id: "first-replies-after-a-restart-are-lost",
            rule: "relay.liveness",
            report: Some("RR-010"),
            summary: "What is said in the first seconds after a restart, while channels connect, \
                      goes nowhere.",
            build: meddled::<FirstReplies>,
        },
    ]
}

/// About everything else.
fn others() -> Vec<Broken> {
    vec![
        Broken {
            id: "order-dies-with-the-process",
            rule: "ingress.fifo",
            report: Some("RR-016"),
            summary: "What waited for a session waits in the opposite order after a restart.",
            build: nesting::<OrderDies>,
        },
        Broken {
            id: "an-orphan-s-end-is-not-heard",
            rule: "relay.liveness",
            report: Some("CL-046"),
            summary: "The end of a child is not heard once the run that asked for it is over.",
            build: meddled::<OrphansUnheard>,
        },
        Broken {
            id: "a-failed-recovery-locks-the-conversation",
            rule: "ingress.fifo",
            report: Some("RR-020"),
            summary: "Where a run died with the gateway, every later message is turned away.",
            build: meddled::<Locked>,
        },
    ]
}

#[derive(Default)]
struct EndsDie;

impl NestingDecisions for EndsDie {
    fn ends_survive(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct TellingForgotten;

impl Decisions for TellingForgotten {
    fn recover(&self, lost: &Lost) -> Recovery {
        match lost {
            Lost::Telling => Recovery::Forget,
            Lost::Message { .. } | Lost::Child { .. } | Lost::Sent | Lost::Unasked => {
                Right.recover(lost)
            }
        }
    }
}

#[derive(Default)]
struct TakenCounts;

impl Decisions for TakenCounts {
    fn is_told(&self, handing: Handing) -> bool {
        handing == Handing::SteerTaken || Right.is_told(handing)
    }
}

#[derive(Default)]
struct RecoveredCounts;

impl NestingDecisions for RecoveredCounts {
    fn recovered_is_told(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct PostsDie;

impl NestingDecisions for PostsDie {
    fn posts_survive(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct OrderDies;

impl NestingDecisions for OrderDies {
    fn order_survives(&self) -> bool {
        false
    }
}

/// How long channels take to connect.
const CONNECTS: Span = Span::secs(5);

#[derive(Default)]
struct FirstReplies {
    until: Time,
}

impl Meddler for FirstReplies {
    fn stimuli(&mut self, now: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::Open(open) = stimulus
                && open.restored
            {
                self.until = now + CONNECTS;
            }
        }
    }

    fn effects(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if now < self.until {
            effects.retain(|effect| !matches!(effect, Effect::Deliver(_)));
        }
    }
}

/// Listens for a child's end as long as its parent's run goes on.
#[derive(Default)]
struct OrphansUnheard {
    /// By whom each call was made.
    calls: BTreeMap<String, RunId>,
    parents: BTreeMap<RunId, RunId>,
    over: BTreeSet<RunId>,
}

impl Meddler for OrphansUnheard {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        stimuli.retain(|stimulus| match stimulus {
            Stimulus::Call(call) => {
                if let Caller::Run(run) = &call.by {
                    self.calls.insert(call.call.to_string(), run.clone());
                }
                true
            }
            Stimulus::RunEnded(ended) => {
                let parent = self.parents.get(&ended.run);
                let orphan = parent.is_some_and(|parent| self.over.contains(parent));
                self.over.insert(ended.run.clone());
                !orphan
            }
            _ => true,
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::Answer(answer) = effect
                && let Some(by) = self.calls.remove(answer.call.as_str())
                && let Some(run) = answer.result["runId"].as_str()
            {
                self.parents.insert(run.into(), by);
            }
        }
    }
}

/// Holds a conversation for a run that will not come back.
#[derive(Default)]
struct Locked {
    /// Where the messages of runs that go on came from.
    last: Option<Address>,
    running: BTreeMap<RunId, Address>,
    locked: BTreeSet<Address>,
}

impl Meddler for Locked {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        stimuli.retain(|stimulus| match stimulus {
            Stimulus::Open(open) if open.restored => {
                let running = std::mem::take(&mut self.running).into_iter();
                let dead = running.filter(|(run, _)| !open.alive.contains(run));
                self.locked.extend(dead.map(|(_, at)| at));
                true
            }
            Stimulus::Inbound(inbound) if self.locked.contains(&inbound.at) => false,
            Stimulus::Inbound(inbound) => {
                self.last = Some(inbound.at.clone());
                true
            }
            Stimulus::RunEnded(ended) => {
                self.running.remove(&ended.run);
                true
            }
            _ => true,
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::StartRun(start) = effect
                && let Some(at) = self.last.take()
            {
                self.running.insert(start.run.clone(), at);
            }
        }
    }
}
