//! What comes next, and when nothing does: healing, and rest.

use moorline_spec::observe::Observer;
use moorline_spec::time::Time;
use moorline_spec::trace::{Rest, World as Happening};

use super::World;
use super::agents::State;
use super::clock::{Class, What};

/// How often a gateway may wake in one play.
const WAKES_MAX: u64 = 1_000_000;

/// How much may go on after the last step before the world heals although it is not quiet; an
/// exchange between agents that never ends would otherwise go on for ever.
const UNQUIET_MAX: u64 = 10_000;

/// How much may go on after the last step in all, beside the gateway's wakes.
const AFTER_STEPS_MAX: u64 = 50_000;

/// What comes next.
pub(super) enum Next {
    /// Something that is due.
    Due,
    /// A step.
    Step,
    /// The gateway wakes.
    Wake(Time),
    /// The world heals.
    Heal,
    /// Nothing.
    Rest(Rest),
}

impl World<'_> {
    /// What comes next: what is due at the earliest time; the gateway's own wake is last at it.
    pub(super) fn next(&mut self, wake_at: Option<Time>, observer: &impl Observer) -> Next {
        let wake = wake_at
            .filter(|_| self.down.is_none())
            .map(|at| at.max(self.now));
        let step = self
            .steps
            .get(self.next_step)
            .map(|&(at, _)| (at.max(self.now), Class::Step));
        let due = self.clock.next();
        if self.wakes >= WAKES_MAX {
            return Next::Rest(Rest::OutOfWakes);
        }
        if step.is_none() {
            let is_quiet = self.clock.is_quiet() || self.told_since_steps > UNQUIET_MAX;
            if self.healed.is_none() && is_quiet && self.down.is_none() {
                return Next::Heal;
            }
            if let Some(rest) = self.rest(due.map(|(at, _)| at), wake, observer) {
                return Next::Rest(rest);
            }
        }
        let (next, other) = match (step, due) {
            (Some(step), Some(due)) if due < step => (Some(due), Next::Due),
            (None, Some(due)) => (Some(due), Next::Due),
            (step, _) => (step, Next::Step),
        };
        match (next, wake) {
            (Some((at, _)), Some(wake)) if wake < at => Next::Wake(wake),
            (Some(_), _) => other,
            (None, Some(wake)) => Next::Wake(wake),
            // Not reached: after the steps the play rests when nothing is due.
            (None, None) => Next::Rest(Rest::Stuck),
        }
    }

    /// Whether the play comes to its end, and how.
    fn rest(
        &self,
        due: Option<Time>,
        wake: Option<Time>,
        observer: &impl Observer,
    ) -> Option<Rest> {
        let healed = self.healed?;
        if self.told_since_steps > AFTER_STEPS_MAX {
            return Some(Rest::OutOfWakes);
        }
        let Some(next) = due.into_iter().chain(wake).min() else {
            return Some(if observer.owes() {
                Rest::Stuck
            } else {
                Rest::Settled
            });
        };
        let is_overdue = next > healed + self.patience;
        // In flight is what the world still has to do, and what a call waits for.
        let is_quiet = due.is_none() && (self.calls.is_empty() || is_overdue);
        match (is_quiet, is_overdue) {
            (true, _) if !observer.owes() => Some(Rest::Settled),
            (_, true) if observer.owes() => Some(Rest::Overdue),
            (true | false, true | false) => None,
        }
    }

    /// The steps are over: from now on nothing goes wrong any more.
    pub(super) fn heal(&mut self) {
        self.happens(Happening::Healing {});
        self.healed = Some(self.now);
        self.clock.heal(self.now);
        for run in 0..self.runs.len() {
            if self.runs[run].state == State::Staying {
                self.act_at(run, self.now);
            }
        }
    }

    /// Does what is due.
    pub(super) fn do_next(&mut self) {
        let Some((at, _)) = self.clock.next() else {
            return;
        };
        self.now = self.now.max(at);
        let Some((seq, what)) = self.clock.pop() else {
            return;
        };
        match what {
            What::Reopen => self.on_reopen(),
            What::Started(run, outcome) => self.on_started(run, outcome),
            What::Steer {
                request,
                refused,
                life,
            } => self.on_steer(seq, request, refused, life),
            What::Kill(run) => self.on_kill(run),
            What::Arrive {
                request,
                fault,
                receipt,
                life,
            } => {
                self.on_arrive(seq, request, fault, receipt, life);
            }
            What::Receipt { request, receipt } => self.on_receipt(request, receipt),
            What::Thread {
                request,
                unknown,
                answer,
                life,
            } => {
                self.on_thread(seq, request, unknown, answer, life);
            }
            What::Probe { request, finds } => self.on_probed(request, finds),
            What::Answer(stimulus) => self.tell(*stimulus, Vec::new(), Vec::new()),
            What::Act(run, turn) => self.on_act(run, turn),
            What::Inbound {
                inbound,
                own,
                markers,
            } => self.arrives(*inbound, own, markers),
        }
    }
}
