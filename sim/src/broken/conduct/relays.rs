//! Wrong about what is still owed, and about what it takes to tell it.

use moorline_spec::channel::TextLimit;
use moorline_spec::time::Time;

use super::{Broken, deciding, meddled};
use crate::broken::Meddler;
use crate::reference::{
    Again, Busy, Decisions, Doubt, Expecting, Handing, Lost, Next, Recovery, Right, Untold,
    WhenBusy,
};

pub(super) fn gateways() -> Vec<Broken> {
    [debts(), ways()].into_iter().flatten().collect()
}

/// About what is still owed.
fn debts() -> Vec<Broken> {
    vec![
        Broken {
            id: "completion-needs-thread",
            rule: "relay.liveness",
            report: Some("CL-001"),
            summary: "Only a child with a thread owes a completion.",
            build: deciding::<CompletionNeedsThread>,
        },
        Broken {
            id: "never-wakes-again",
            rule: "relay.liveness",
            report: None,
            summary: "It has something to try again, and asks for no wake.",
            build: meddled::<NeverWakes>,
        },
        Broken {
            id: "queued-counts-as-delivered",
            rule: "relay.still-owed",
            report: Some("CL-011"),
            summary: "A completion is settled when a turn for it is queued, and the queue dies \
                      with the process.",
            build: deciding::<QueuedCounts>,
        },
        Broken {
            id: "unknown-counts-as-delivered",
            rule: "relay.still-owed",
            report: None,
            summary: "A delivery of which nobody knows whether it happened is taken for delivered.",
            build: deciding::<UnknownCounts>,
        },
        Broken {
            id: "failed-turn-is-forgotten",
            rule: "relay.still-owed",
            report: None,
            summary: "A completion is settled by a turn that was told of it and failed.",
            build: deciding::<FailedTurnForgotten>,
        },
    ]
}

/// About the ways to whoever asked, and what a restart leaves of them.
fn ways() -> Vec<Broken> {
    vec![
        Broken {
            id: "refused-steer-forgotten",
            rule: "relay.busy-requester",
            report: Some("CL-007"),
            summary: "A completion that a busy requester does not take is lost.",
            build: deciding::<RefusedSteerForgotten>,
        },
        Broken {
            id: "steers-into-any-run",
            rule: "relay.busy-requester",
            report: None,
            summary: "A completion is steered into whatever its requester is at (H-17).",
            build: deciding::<SteersIntoAnyRun>,
        },
        Broken {
            id: "text-over-the-limit",
            rule: "relay.fits-channel",
            report: None,
            summary: "A text is posted whole, however little the channel takes.",
            build: deciding::<TextOverTheLimit>,
        },
        Broken {
            id: "restart-prunes-runs",
            rule: "restart.converges",
            report: Some("RR-001"),
            summary: "Children that were in flight are pruned after a restart, with what they owe.",
            build: deciding::<RestartPrunesRuns>,
        },
        Broken {
            id: "queue-dies-with-the-process",
            rule: "restart.converges",
            report: None,
            summary: "Turns that waited behind another are gone after a restart.",
            build: deciding::<QueueDies>,
        },
    ]
}

#[derive(Default)]
struct CompletionNeedsThread;

impl Decisions for CompletionNeedsThread {
    fn owes_completion(&self, child: &Expecting) -> bool {
        child.expected && child.thread
    }
}

#[derive(Default)]
struct NeverWakes;

impl Meddler for NeverWakes {
    fn wake_at(&self, _: Option<Time>) -> Option<Time> {
        None
    }
}

#[derive(Default)]
struct QueuedCounts;

impl Decisions for QueuedCounts {
    fn is_told(&self, handing: Handing) -> bool {
        handing == Handing::Queued || Right.is_told(handing)
    }

    fn queue_survives(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct UnknownCounts;

impl Decisions for UnknownCounts {
    fn after_unknown(&self, _: &Doubt) -> Again {
        Again::Assume
    }
}

#[derive(Default)]
struct FailedTurnForgotten;

impl Decisions for FailedTurnForgotten {
    fn after_untold(&self, _: &Untold) -> Next {
        Next::Forget
    }
}

#[derive(Default)]
struct RefusedSteerForgotten;

impl Decisions for RefusedSteerForgotten {
    fn after_refused_steer(&self) -> Next {
        Next::Forget
    }
}

#[derive(Default)]
struct SteersIntoAnyRun;

impl Decisions for SteersIntoAnyRun {
    fn when_busy(&self, busy: &Busy<'_>) -> WhenBusy {
        if busy.running {
            WhenBusy::Steer
        } else {
            WhenBusy::Queue
        }
    }
}

#[derive(Default)]
struct TextOverTheLimit;

impl Decisions for TextOverTheLimit {
    fn piece(&self, text: &str, _: Option<TextLimit>) -> usize {
        text.len()
    }
}

#[derive(Default)]
struct RestartPrunesRuns;

impl Decisions for RestartPrunesRuns {
    fn recover(&self, lost: &Lost) -> Recovery {
        match lost {
            Lost::Child { .. } => Recovery::Forget,
            Lost::Message { .. } | Lost::Telling | Lost::Sent | Lost::Unasked => {
                Right.recover(lost)
            }
        }
    }
}

#[derive(Default)]
struct QueueDies;

impl Decisions for QueueDies {
    fn queue_survives(&self) -> bool {
        false
    }
}
