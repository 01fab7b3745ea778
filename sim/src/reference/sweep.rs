//! The sweep: bindings that lapsed without anybody speaking, and threads that are gone.

use moorline_spec::address::Address;
use moorline_spec::effect::{Effect, ProbeThread, UnboundBecause};
use moorline_spec::id::RequestId;
use moorline_spec::profile::{ArchivedThread, Probe};
use moorline_spec::stimulus::{ThreadProbed, ThreadState};
use moorline_spec::time::{Span, Time};

use super::Reference;
use super::decisions::{Lapse, Times};
use super::state::{Look, Probing};

impl Reference {
    /// The first tick at or after an instant; the first of all is one interval after the start.
    fn tick_from(&self, at: Time) -> Time {
        let every = self.dials.sweep_every.0.max(1);
        let since = at.since(self.opened_at).0;
        Time(self.opened_at.0 + since.div_ceil(every).max(1) * every)
    }

    /// When the sweep has something to do: where threads are probed each time, at the next tick; else
    /// at the first one that finds a binding due.
    pub(super) fn next_sweep(&self) -> Option<Time> {
        let next = || self.tick.max(self.tick_from(self.now));
        match self.dials.probe {
            Probe::EachPass => (!self.state.bindings.is_empty()).then(next),
            Probe::OnRefusal => {
                let &(due, _) = self.state.order.first()?;
                Some(self.tick_from(due).max(next()))
            }
        }
    }

    pub(super) fn sweep_if_due(&mut self) {
        if self.now < self.tick.max(self.tick_from(self.now)) {
            return;
        }
        self.tick = self.tick_from(self.now + Span::ms(1));
        // A tick that falls into a pass is left out: passes do not overlap.
        let under_way = !self.state.pass.is_empty() || self.is_probing();
        if !self.decisions.of_bindings().begins_pass(under_way) {
            return;
        }
        match self.dials.probe {
            Probe::EachPass => {
                let bindings = self.state.bindings.values();
                self.state.pass = bindings
                    .map(|binding| Look {
                        number: binding.number,
                        snapshot: binding.times,
                    })
                    .collect();
                self.go_on();
            }
            Probe::OnRefusal => self.end_what_is_due(),
        }
    }

    fn is_probing(&self) -> bool {
        self.state.probes.values().any(|probe| probe.pass.is_some())
    }

    /// Looks at those bindings only whose deadline, as last known, has come.
    fn end_what_is_due(&mut self) {
        while let Some(&(due, number)) = self.state.order.first()
            && due <= self.now
        {
            // Nothing due stays in front, whatever is thought of the binding.
            self.state.order.pop_first();
            let Some(binding) = self.state.bindings.get_mut(&number) else {
                continue;
            };
            binding.due = None;
            let binding = self.state.bindings.get(&number);
            let deadline = binding.and_then(|binding| self.deadline(binding));
            match deadline {
                Some((at, lapse)) if at <= self.now => {
                    self.end_by_lapse(number, lapse);
                    if self.decisions.of_bindings().writes_each_end() {
                        self.write_now();
                    }
                }
                // It was touched since.
                Some(_) | None => self.schedule(number),
            }
        }
    }

    /// The pass goes on to its next binding, as it is at this moment; it waits for each probe.
    fn go_on(&mut self) {
        while let Some(look) = self.state.pass.pop_front() {
            if self.end_if_lapsed(look.number, &look.snapshot) {
                continue;
            }
            let Some(binding) = self.state.bindings.get(&look.number) else {
                continue;
            };
            if self.state.session(&binding.key).is_none() {
                self.unbind(look.number, UnboundBecause::Deleted);
            } else if binding.address.thread.is_some() {
                let address = binding.address.clone();
                return self.probe(look.number, address, Some(look.snapshot));
            }
        }
    }

    fn probe(&mut self, binding: u64, address: Address, pass: Option<Times>) {
        self.state.requests_made += 1;
        let request = RequestId::from(self.name("q", self.state.requests_made));
        self.out.push(Effect::ProbeThread(ProbeThread {
            request: request.clone(),
            address: address.clone(),
        }));
        let probing = Probing {
            binding,
            address,
            pass,
        };
        self.state.probes.insert(request, probing);
    }

    /// A delivery to a bound thread was refused: is it still there?
    pub(super) fn probe_after_refusal(&mut self, at: &Address) {
        if self.dials.probe != Probe::OnRefusal || at.thread.is_none() {
            return;
        }
        let Some(number) = self.number_at(at) else {
            return;
        };
        if !self
            .state
            .probes
            .values()
            .any(|probe| probe.binding == number)
        {
            self.probe(number, at.clone(), None);
        }
    }

    pub(super) fn on_thread_probed(&mut self, probed: &ThreadProbed) {
        let Some(probing) = self.state.probes.remove(&probed.request) else {
            return;
        };
        let bound = self.number_at(&probing.address);
        let same = bound == Some(probing.binding);
        if let Some(number) = bound.filter(|_| self.decisions.still_meant(same)) {
            self.judge_thread(number, probed.state);
        }
        if let Some(snapshot) = probing.pass {
            self.end_if_lapsed(probing.binding, &snapshot);
            if self.decisions.of_bindings().goes_on_after(probed.state) {
                self.go_on();
            } else {
                self.state.pass.clear();
            }
        }
    }

    /// Ends a binding that the pass finds lapsed, as it is at this moment.
    fn end_if_lapsed(&mut self, number: u64, snapshot: &Times) -> bool {
        let Some(binding) = self.state.bindings.get(&number) else {
            return false;
        };
        let times = self.decisions.sweeps_by(snapshot, &binding.times);
        let lapse = self.decisions.lapse(&times, self.limits(binding));
        let Some((_, lapse)) = lapse.filter(|&(at, _)| at <= self.now) else {
            return false;
        };
        self.end_by_lapse(number, lapse);
        true
    }

    pub(super) fn on_thread_changed(&mut self, at: &Address, state: ThreadState) {
        if let Some(number) = self.number_at(at) {
            self.judge_thread(number, state);
        }
    }

    fn judge_thread(&mut self, number: u64, state: ThreadState) {
        let archived_ends = self.dials.archived_thread == ArchivedThread::Ends;
        if !self.decisions.ends_binding(state, archived_ends) {
            return;
        }
        let reason = match state {
            ThreadState::Locked => UnboundBecause::ThreadLocked,
            ThreadState::Archived => UnboundBecause::ThreadArchived,
            ThreadState::Gone | ThreadState::Live | ThreadState::Unknown => {
                UnboundBecause::ThreadGone
            }
        };
        self.unbind(number, reason);
    }
}

impl Lapse {
    /// The reason in reports.
    pub(super) fn because(self) -> UnboundBecause {
        match self {
            Self::Idle => UnboundBecause::Idle,
            Self::MaxAge => UnboundBecause::MaxAge,
        }
    }
}
