//! Threads: opened, probed, changed by people.

use moorline_spec::address::Place;
use moorline_spec::channel::Placement;
use moorline_spec::effect::{Effect, OpenThread};
use moorline_spec::stimulus::{Opened, Stimulus, ThreadOpened, ThreadProbed, ThreadState};
use moorline_spec::time::Time;
use moorline_spec::trace::{self, World as Happening};

use super::clock::{At, Class, Life, What};
use super::{World, latency};

impl World<'_> {
    /// A thread shall be opened.
    pub(super) fn on_open_thread(&mut self, request: At) {
        let seq = self.clock.request();
        let trace::What::Effect(Effect::OpenThread(open)) = &self.trace.entries[request].what
        else {
            return;
        };
        let open = open.clone();
        let refused = self.refuses_thread(&open);
        let fault = if refused.is_some() {
            None
        } else {
            self.thread_fault(request)
        };
        let delay = fault.and_then(|fault| fault.delay);
        let answer = self.now + delay.unwrap_or(latency::THREAD);
        let faulted = fault.is_some_and(|fault| fault.refused);
        if let Some(why) = refused.or(faulted.then_some("refused by the channel")) {
            let outcome = Opened::Refused { why: why.into() };
            let opened = Stimulus::ThreadOpened(ThreadOpened {
                request: open.request,
                outcome,
            });
            let what = What::Answer(Box::new(opened));
            self.clock
                .push_as(answer, Class::Answer, seq, delay.is_some(), what);
            return;
        }
        let unknown = fault.is_some_and(|fault| fault.unknown);
        let what = What::Thread {
            request,
            unknown,
            answer,
            life: self.life,
        };
        let at = (self.now + latency::THREAD_MADE).min(answer);
        self.clock.push_as(at, Class::Answer, seq, false, what);
    }

    /// Why the channel cannot open a thread there.
    fn refuses_thread(&mut self, open: &OpenThread) -> Option<&'static str> {
        if open.parent.thread.is_some() {
            return Some("there are no threads in threads");
        }
        let Some(&mut conversation) = self.places.conversation(&open.parent) else {
            return Some("no such conversation");
        };
        let threads = self.places.capabilities(conversation).threads;
        match (threads.placement, conversation.place) {
            (Placement::None | Placement::Current, _) => Some("the channel opens no threads"),
            (Placement::Child, Place::Direct) if !threads.in_direct => {
                Some("the channel opens no threads in direct conversations")
            }
            (Placement::Child, Place::Direct | Place::Group | Place::Thread) => None,
        }
    }

    /// A thread comes into being.
    pub(super) fn on_thread(
        &mut self,
        seq: u64,
        request: At,
        unknown: bool,
        answer: Time,
        life: Life,
    ) {
        let trace::What::Effect(Effect::OpenThread(open)) = &self.trace.entries[request].what
        else {
            return;
        };
        let id = open.request.clone();
        let at = self.places.open(&open.parent, self.now);
        self.happens(Happening::Thread {
            at: at.clone(),
            state: ThreadState::Live,
        });
        if life != self.life {
            return;
        }
        let outcome = if unknown {
            Opened::Unknown {}
        } else {
            Opened::Opened { at }
        };
        let opened = Stimulus::ThreadOpened(ThreadOpened {
            request: id,
            outcome,
        });
        let delayed = answer.since(self.now) > latency::THREAD;
        let what = What::Answer(Box::new(opened));
        self.clock
            .push_as(answer, Class::Answer, seq, delayed, what);
    }

    /// A thread shall be looked at.
    pub(super) fn on_probe(&mut self, request: At) {
        let seq = self.clock.request();
        let fault = self.probe_fault(request);
        let delay = fault.and_then(|fault| fault.delay);
        let at = self.now + delay.unwrap_or(latency::PROBE);
        let what = What::Probe {
            request,
            finds: fault.and_then(|fault| fault.finds),
        };
        self.clock
            .push_as(at, Class::Answer, seq, delay.is_some(), what);
    }

    /// The gateway hears what a thread is like.
    pub(super) fn on_probed(&mut self, request: At, finds: Option<ThreadState>) {
        let trace::What::Effect(Effect::ProbeThread(probe)) = &self.trace.entries[request].what
        else {
            return;
        };
        let is = self.places.state(&probe.address, self.now);
        let probed = ThreadProbed {
            request: probe.request.clone(),
            state: finds.unwrap_or(is),
        };
        self.tell(Stimulus::ThreadProbed(probed), Vec::new(), Vec::new());
    }
}
