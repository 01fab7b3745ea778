//! What a gateway asks for takes place.

use moorline_spec::effect::{CancelRun, Effect};
use moorline_spec::marker::{Scan, markers_in};
use moorline_spec::stimulus::{RunStarted, Start, Stimulus};
use moorline_spec::trace;
use moorline_spec::wire::Disk;

use super::agents::State;
use super::clock::{At, Class, RunIndex, What};
use super::text::{is_whole, markers_in_value};
use super::{World, latency};

impl World<'_> {
    /// An effect takes place.
    pub(super) fn apply(&mut self, effect: Effect) {
        let markers = match &effect {
            Effect::StartRun(start) => markers_in(&start.input),
            Effect::SteerRun(steer) => markers_in(&steer.input),
            Effect::Deliver(deliver) => {
                let scan = Scan::of(&deliver.text);
                if !is_whole(&scan) {
                    self.places.pieces.insert(self.trace.entries.len());
                }
                let attempts = &mut self.places.attempts;
                attempts.markers(&deliver.to, &deliver.text, scan)
            }
            Effect::OpenThread(open) => markers_in(&open.name),
            Effect::Answer(answer) => {
                let mut markers = Vec::new();
                markers_in_value(&answer.result, &mut markers);
                markers
            }
            Effect::CancelRun(_)
            | Effect::ProbeThread(_)
            | Effect::Persist(_)
            | Effect::Report(_)
            | Effect::Drop(_)
            | Effect::RefuseConfig(_) => Vec::new(),
        };
        match &effect {
            Effect::Answer(answer) => self.on_answer(answer),
            Effect::CancelRun(cancel) => self.on_cancel(cancel),
            Effect::Persist(persist) => {
                if self.disk == Disk::Harness {
                    self.persisted.push(persist.record.clone());
                }
            }
            Effect::StartRun(_)
            | Effect::SteerRun(_)
            | Effect::Deliver(_)
            | Effect::OpenThread(_)
            | Effect::ProbeThread(_)
            | Effect::Report(_)
            | Effect::Drop(_)
            | Effect::RefuseConfig(_) => (),
        }
        let ask: Option<fn(&mut Self, At)> = match &effect {
            Effect::StartRun(_) => Some(Self::on_start),
            Effect::SteerRun(_) => Some(Self::on_steer_asked),
            Effect::Deliver(_) => Some(Self::on_deliver),
            Effect::OpenThread(_) => Some(Self::on_open_thread),
            Effect::ProbeThread(_) => Some(Self::on_probe),
            Effect::CancelRun(_)
            | Effect::Answer(_)
            | Effect::Persist(_)
            | Effect::Report(_)
            | Effect::Drop(_)
            | Effect::RefuseConfig(_) => None,
        };
        let at = self.trace.entries.len();
        self.record(trace::What::Effect(effect), Vec::new(), markers);
        if let Some(ask) = ask {
            ask(self, at);
        }
    }

    fn on_steer_asked(&mut self, request: At) {
        let seq = self.clock.request();
        let fault = self.steer_fault(request);
        let delay = fault.and_then(|(_, delay)| delay);
        let refused = fault.is_some_and(|(refused, _)| refused);
        let at = self.now + delay.unwrap_or(latency::STEER);
        let what = What::Steer {
            request,
            refused,
            life: self.life,
        };
        self.clock
            .push_as(at, Class::Answer, seq, delay.is_some(), what);
    }

    fn on_cancel(&mut self, cancel: &CancelRun) {
        let seq = self.clock.request();
        let Some(&run) = self.run_ids.get(&cancel.run) else {
            return;
        };
        let is_there = self.runs[run].state.is_alive() || self.runs[run].state == State::Absent;
        if is_there {
            let at = self.now + latency::CANCEL;
            self.clock
                .push_as(at, Class::Answer, seq, false, What::Kill(run));
        }
    }

    /// The gateway hears whether a run started.
    pub(super) fn on_started(&mut self, run: RunIndex, outcome: Start) {
        let run = self.runs[run].id.clone();
        let started = RunStarted { run, outcome };
        self.tell(Stimulus::RunStarted(started), Vec::new(), Vec::new());
    }
}
