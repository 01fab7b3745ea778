//! What is due, and in which order: by time, at one instant by class, in a class by age.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use moorline_spec::id::Marker;
use moorline_spec::scenario::ReceiptOutcome;
use moorline_spec::stimulus::{Inbound, Receipt, Start, Stimulus, ThreadState};
use moorline_spec::time::{Span, Time};

/// Where something stands among what is due at the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A new life: nothing can be told before it.
    Life,
    /// Answers, and what channels do on the way to them, in the order of the requests.
    Answer,
    /// Steps, in the order of the scenario. They are kept apart; this is where they stand.
    Step,
    /// What agents do.
    Agent,
}

/// An entry of the trace by its number, where the request stands that something is done for.
pub(super) type At = usize;

/// A run by its number.
pub(super) type RunIndex = usize;

/// The number of a life of the gateway; answers die with the life that asked.
pub(super) type Life = u32;

/// Something that is due.
#[derive(Debug)]
pub(super) enum What {
    /// The gateway comes back.
    Reopen,
    /// The gateway hears whether a run started.
    Started(RunIndex, Start),
    /// A text is steered in, or not.
    Steer {
        request: At,
        refused: bool,
        life: Life,
    },
    /// A run is stopped.
    Kill(RunIndex),
    /// A delivery reaches its channel.
    Arrive {
        request: At,
        fault: Option<Misfortune>,
        receipt: Time,
        life: Life,
    },
    /// The gateway hears what came of a delivery.
    Receipt { request: At, receipt: Receipt },
    /// A thread comes into being.
    Thread {
        request: At,
        unknown: bool,
        answer: Time,
        life: Life,
    },
    /// A thread is looked at.
    Probe {
        request: At,
        finds: Option<ThreadState>,
    },
    /// The gateway hears an answer that nothing can change any more.
    Answer(Box<Stimulus>),
    /// An agent does the next thing. The number tells it from one that was put off.
    Act(RunIndex, u32),
    /// A message arrives late, or again.
    Inbound {
        inbound: Box<Inbound>,
        own: Vec<Marker>,
        markers: Vec<Marker>,
    },
}

/// What a fault makes of a delivery.
#[derive(Clone, Copy, Debug)]
pub(super) struct Misfortune {
    /// What comes of it; accepted if absent.
    pub(super) outcome: Option<ReceiptOutcome>,
    /// How long to wait before trying again.
    pub(super) retry_after: Option<Span>,
}

impl What {
    /// Whether it dies with the gateway's process: an answer that nobody waits for any more.
    fn dies(&self) -> bool {
        match self {
            Self::Started(..) | Self::Receipt { .. } | Self::Probe { .. } | Self::Answer(_) => true,
            Self::Reopen
            | Self::Steer { .. }
            | Self::Kill(_)
            | Self::Arrive { .. }
            | Self::Thread { .. }
            | Self::Act(..)
            | Self::Inbound { .. } => false,
        }
    }
}

/// The place of something in the order of what is due. The order is kept by moving places about,
/// so what it is lies elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Time,
    class: Class,
    seq: u64,
    slot: usize,
}

/// Something that waits for its time.
#[derive(Debug)]
struct Waiting {
    /// Whether a fault put it off: it ends with the healing.
    delayed: bool,
    what: What,
}

/// Everything that is due, beside the steps.
#[derive(Debug, Default)]
pub(super) struct Clock {
    due: BinaryHeap<Reverse<Due>>,
    waiting: Vec<Option<Waiting>>,
    /// Slots where nothing waits.
    free: Vec<usize>,
    seq: u64,
    delayed: usize,
}

impl Clock {
    /// The number of the next request: among answers at one instant the older request is first.
    pub(super) fn request(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Something is due.
    pub(super) fn push(&mut self, at: Time, class: Class, what: What) {
        let seq = self.request();
        self.push_as(at, class, seq, false, what);
    }

    /// Something is due in answer to a request, perhaps later than it should be.
    pub(super) fn push_as(&mut self, at: Time, class: Class, seq: u64, delayed: bool, what: What) {
        self.delayed += usize::from(delayed);
        let waiting = Some(Waiting { delayed, what });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.waiting[slot] = waiting;
                slot
            }
            None => {
                self.waiting.push(waiting);
                self.waiting.len() - 1
            }
        };
        self.due.push(Reverse(Due {
            at,
            class,
            seq,
            slot,
        }));
    }

    /// When the next thing is due, and where it stands at that instant.
    pub(super) fn next(&self) -> Option<(Time, Class)> {
        self.due.peek().map(|Reverse(due)| (due.at, due.class))
    }

    /// Takes the next thing, with the number of its request.
    pub(super) fn pop(&mut self) -> Option<(u64, What)> {
        let Reverse(due) = self.due.pop()?;
        let waiting = self.waiting[due.slot].take()?;
        self.free.push(due.slot);
        self.delayed -= usize::from(waiting.delayed);
        Some((due.seq, waiting.what))
    }

    /// Whether nothing is due but what a fault put off.
    pub(super) fn is_quiet(&self) -> bool {
        self.due.len() == self.delayed
    }

    /// The gateway's process died: so did the answers on their way to it.
    pub(super) fn forget_answers(&mut self) {
        let Self {
            due, waiting, free, ..
        } = self;
        due.retain(|Reverse(due)| {
            let dies = |waiting: &Waiting| waiting.what.dies();
            let stays = !waiting[due.slot].as_ref().is_some_and(dies);
            if !stays {
                waiting[due.slot] = None;
                free.push(due.slot);
            }
            stays
        });
        let delayed = |waiting: &&Waiting| waiting.delayed;
        self.delayed = self.waiting.iter().flatten().filter(delayed).count();
    }

    /// What was put off by a fault comes now.
    pub(super) fn heal(&mut self, now: Time) {
        if self.delayed == 0 {
            return;
        }
        let mut all = std::mem::take(&mut self.due).into_vec();
        for Reverse(due) in &mut all {
            if let Some(waiting) = &mut self.waiting[due.slot]
                && waiting.delayed
            {
                waiting.delayed = false;
                due.at = due.at.min(now);
            }
        }
        self.delayed = 0;
        self.due = all.into();
    }
}
