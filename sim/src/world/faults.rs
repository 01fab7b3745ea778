//! The scenario's plan of misfortunes: which strikes what.

use moorline_spec::address::Address;
use moorline_spec::effect::Effect;
use moorline_spec::id::Marker;
use moorline_spec::scenario::{
    Fault, InboundFault, ProbeFault, ReceiptFault, ReceiptOutcome, Scenario, ThreadFault,
};
use moorline_spec::stimulus::Start;
use moorline_spec::time::Span;
use moorline_spec::trace::{self, World as Happening};

use super::World;
use super::clock::At;

/// The plan, and how often each fault can still strike.
#[derive(Debug, Default)]
pub(super) struct Plan<'s> {
    faults: Vec<(u32, &'s Fault)>,
}

impl<'s> Plan<'s> {
    /// The plan of a scenario.
    pub(super) fn of(scenario: &'s Scenario) -> Self {
        let left = |fault: &'s Fault| {
            let times = match fault {
                Fault::Receipt(fault) => fault.times,
                Fault::Start(fault) => fault.times,
                Fault::Steer(fault) => fault.times,
                Fault::Thread(fault) => fault.times,
                Fault::Probe(fault) => fault.times,
                Fault::Inbound(_) => 1,
            };
            (times, fault)
        };
        Self {
            faults: scenario.faults.iter().map(left).collect(),
        }
    }
}

impl<'s> World<'s> {
    /// The first fault that can still strike and matches; it strikes.
    fn strike<F: Copy>(&mut self, matches: impl Fn(&Self, &'s Fault) -> Option<F>) -> Option<F> {
        for index in 0..self.plan.faults.len() {
            let (left, fault) = self.plan.faults[index];
            if left == 0 {
                continue;
            }
            if let Some(found) = matches(self, fault) {
                self.plan.faults[index].0 -= 1;
                return Some(found);
            }
        }
        None
    }

    fn struck(&mut self, what: String) {
        self.happens(Happening::Fault { what: what.into() });
    }

    /// What strikes a delivery.
    pub(super) fn receipt_fault(&mut self, request: At) -> Option<&'s ReceiptFault> {
        let fault = self.strike(|world, fault| {
            let Fault::Receipt(fault) = fault else {
                return None;
            };
            world.receipt_matches(fault, request).then_some(fault)
        })?;
        let what = match fault.outcome {
            None => "the receipt takes its time",
            Some(ReceiptOutcome::Permanent) => "the channel refuses it for good",
            Some(ReceiptOutcome::Transient) => "the channel refuses it this time",
            Some(ReceiptOutcome::UnknownHappened) => "the channel posts it and does not say so",
            Some(ReceiptOutcome::UnknownLost) => "the channel loses it and does not say so",
        };
        if let trace::What::Effect(Effect::Deliver(deliver)) = &self.trace.entries[request].what {
            let what = format!("delivery {}: {what}", deliver.delivery);
            self.struck(what);
        }
        Some(fault)
    }

    fn receipt_matches(&self, fault: &ReceiptFault, request: At) -> bool {
        let entry = &self.trace.entries[request];
        let trace::What::Effect(Effect::Deliver(deliver)) = &entry.what else {
            return false;
        };
        let in_time = self.healed.is_none() || fault.outcome == Some(ReceiptOutcome::Permanent);
        let is_there = |to: &Address| *to == deliver.to;
        in_time
            && fault
                .to
                .as_ref()
                .is_none_or(|to| self.places.find(to).is_some_and(|(at, _)| is_there(&at)))
            && fault
                .of
                .as_ref()
                .is_none_or(|of| self.carries(&entry.markers, of))
    }

    /// What strikes the start of a run: what the gateway hears, and how late.
    pub(super) fn start_fault(&mut self, request: At) -> Option<(Start, Option<Span>)> {
        if self.healed.is_some() {
            return None;
        }
        let fault = self.strike(|world, fault| {
            let Fault::Start(fault) = fault else {
                return None;
            };
            world.holds(request, fault.of.as_deref()).then_some(fault)
        })?;
        let (start, what) = if fault.unknown {
            (Start::Unknown, "does not start, and nobody says so")
        } else {
            (Start::Refused, "is refused")
        };
        if let trace::What::Effect(Effect::StartRun(start)) = &self.trace.entries[request].what {
            let what = format!("run {} {what}", start.run);
            self.struck(what);
        }
        Some((start, fault.delay))
    }

    /// What strikes a text to be steered in: whether it is refused, and how late it is decided.
    pub(super) fn steer_fault(&mut self, request: At) -> Option<(bool, Option<Span>)> {
        if self.healed.is_some() {
            return None;
        }
        let fault = self.strike(|world, fault| {
            let Fault::Steer(fault) = fault else {
                return None;
            };
            world.holds(request, fault.of.as_deref()).then_some(fault)
        })?;
        let what = if fault.refused {
            "is not read"
        } else {
            "is read late"
        };
        self.struck(format!("the steered text {what}"));
        Some((fault.refused, fault.delay))
    }

    fn holds(&self, request: At, of: Option<&str>) -> bool {
        let markers = &self.trace.entries[request].markers;
        of.is_none_or(|of| markers.iter().any(|marker| marker.as_str() == of))
    }

    /// What strikes the opening of a thread.
    pub(super) fn thread_fault(&mut self, _: At) -> Option<&'s ThreadFault> {
        if self.healed.is_some() {
            return None;
        }
        let fault = self.strike(|_, fault| {
            let Fault::Thread(fault) = fault else {
                return None;
            };
            Some(fault)
        })?;
        let what = match (fault.refused, fault.unknown) {
            (true, _) => "the channel opens no thread this time",
            (false, true) => "the channel opens a thread and does not say so",
            (false, false) => "the channel takes its time to open a thread",
        };
        self.struck(what.to_owned());
        Some(fault)
    }

    /// What strikes a probe.
    pub(super) fn probe_fault(&mut self, request: At) -> Option<&'s ProbeFault> {
        if self.healed.is_some() {
            return None;
        }
        let fault = self.strike(|world, fault| {
            let Fault::Probe(fault) = fault else {
                return None;
            };
            world.probe_matches(fault, request).then_some(fault)
        })?;
        let what = match fault.finds {
            Some(state) => format!("the probe will find it {state:?}").to_lowercase(),
            None => "the probe takes its time".to_owned(),
        };
        self.struck(what);
        Some(fault)
    }

    fn probe_matches(&self, fault: &ProbeFault, request: At) -> bool {
        let trace::What::Effect(Effect::ProbeThread(probe)) = &self.trace.entries[request].what
        else {
            return false;
        };
        fault.at.as_ref().is_none_or(|place| {
            self.places
                .find(place)
                .is_some_and(|(at, _)| at == probe.address)
        })
    }

    /// What strikes a message on its way in.
    pub(super) fn inbound_fault(&mut self, name: &str) -> Option<&'s InboundFault> {
        let fault = self.strike(|_, fault| {
            let Fault::Inbound(fault) = fault else {
                return None;
            };
            (fault.of == name).then_some(fault)
        })?;
        let what = match (fault.delay, fault.repeats) {
            (Some(delay), 0) => format!("message {name} arrives {delay} late"),
            (None, _) => format!("message {name} comes again"),
            (Some(delay), _) => format!("message {name} arrives {delay} late, and comes again"),
        };
        self.struck(what);
        Some(fault)
    }

    /// Whether a text with these markers carries the marker of a message or run, or that of an
    /// output it led to.
    pub(super) fn carries(&self, markers: &[Marker], of: &str) -> bool {
        markers.iter().any(|marker| marker.as_str() == of) || self.tells_of(markers, of)
    }

    /// Whether one of these markers is of an output that a message or run led to.
    pub(super) fn tells_of(&self, markers: &[Marker], of: &str) -> bool {
        let mut seen = Vec::new();
        let mut open: Vec<usize> = markers
            .iter()
            .filter_map(|marker| self.names.maker(marker))
            .collect();
        while let Some(run) = open.pop() {
            if seen.contains(&run) {
                continue;
            }
            seen.push(run);
            let given = &self.runs[run].given;
            if given.iter().any(|marker| marker.as_str() == of) {
                return true;
            }
            open.extend(given.iter().filter_map(|marker| self.names.maker(marker)));
        }
        false
    }
}
