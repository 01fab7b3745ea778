//! What went wrong around the gateway: refusals, silence, answers that came late.

use std::collections::BTreeMap;

use moorline_spec::address::Address;
use moorline_spec::channel::Placement;
use moorline_spec::effect::{Deliver, ProbeThread};
use moorline_spec::id::{DeliveryId, RequestId, RunId, SteerId};
use moorline_spec::scenario::{
    Fault, InboundFault, ProbeFault, ReceiptFault, ReceiptOutcome, StartFault, SteerFault,
    ThreadFault, Where,
};
use moorline_spec::stimulus::{Delivered, Opened, Receipt, Start, Steering, ThreadState};
use moorline_spec::time::{Span, Time};

/// From a delivery to its receipt, where nothing is wrong.
const RECEIPT: Span = Span::ms(50);
/// What takes so much longer than usual is told of.
const LATE: Span = Span::secs(1);

/// What is asked of channels and agents, until it is answered.
#[derive(Debug, Default)]
pub(super) struct Faults {
    deliveries: BTreeMap<DeliveryId, Sent>,
    /// What came of the deliveries of one text to one place, in order.
    receipts: BTreeMap<(Option<String>, Option<Where>), Vec<ReceiptFault>>,
    starts: BTreeMap<Option<String>, Vec<Option<StartFault>>>,
    started: BTreeMap<RunId, Option<String>>,
    steers: BTreeMap<SteerId, Option<String>>,
    steered: BTreeMap<Option<String>, Vec<SteerFault>>,
    threads: Vec<ThreadFault>,
    asked: BTreeMap<RequestId, (Address, Time)>,
    states: BTreeMap<Address, ThreadState>,
    probes: BTreeMap<Option<Where>, Vec<ProbeFault>>,
    again: BTreeMap<String, u32>,
}

/// A delivery under way.
#[derive(Debug)]
struct Sent {
    of: Option<String>,
    to: Option<Where>,
    at: Time,
    posted: bool,
}

impl Faults {
    pub(super) fn sent(
        &mut self,
        deliver: &Deliver,
        of: Option<String>,
        to: Option<Where>,
        at: Time,
    ) {
        let sent = Sent {
            of,
            to,
            at,
            posted: false,
        };
        self.deliveries.insert(deliver.delivery.clone(), sent);
    }

    pub(super) fn posted(&mut self, delivery: &DeliveryId) {
        if let Some(sent) = self.deliveries.get_mut(delivery) {
            sent.posted = true;
        }
    }

    pub(super) fn receipt(&mut self, receipt: &Receipt, at: Time) {
        let Some(sent) = self.deliveries.remove(&receipt.delivery) else {
            return;
        };
        // A place that nobody writes from refuses by itself.
        if sent.to.is_none() {
            return;
        }
        let took = at.since(sent.at);
        let (outcome, retry_after) = match &receipt.outcome {
            Delivered::Accepted { .. } => (None, None),
            Delivered::Refused {
                permanent: true, ..
            } => (Some(ReceiptOutcome::Permanent), None),
            Delivered::Refused { retry_after, .. } => {
                let after = retry_after.map(|after| Span::ms(after.0));
                (Some(ReceiptOutcome::Transient), after)
            }
            Delivered::Unknown {} if sent.posted => (Some(ReceiptOutcome::UnknownHappened), None),
            Delivered::Unknown {} => (Some(ReceiptOutcome::UnknownLost), None),
        };
        let fault = ReceiptFault {
            of: sent.of.clone(),
            to: sent.to.clone(),
            times: 1,
            outcome,
            retry_after,
            delay: (RECEIPT + LATE <= Span::ZERO + took).then_some(took),
        };
        self.receipts
            .entry((sent.of, sent.to))
            .or_default()
            .push(fault);
    }

    pub(super) fn start(&mut self, run: &RunId, of: Option<String>) {
        self.started.insert(run.clone(), of);
    }

    pub(super) fn started(&mut self, run: &RunId, outcome: Start) {
        let Some(of) = self.started.remove(run) else {
            return;
        };
        let fault = (outcome != Start::Started).then(|| StartFault {
            of: of.clone(),
            times: 1,
            unknown: outcome == Start::Unknown,
            delay: None,
        });
        self.starts.entry(of).or_default().push(fault);
    }

    pub(super) fn steer(&mut self, steer: &SteerId, of: Option<String>) {
        self.steers.insert(steer.clone(), of);
    }

    /// `alive`: whether the run was there to read it.
    pub(super) fn steered(&mut self, steer: &SteerId, outcome: Steering, alive: bool) {
        let Some(of) = self.steers.remove(steer) else {
            return;
        };
        if outcome == Steering::Refused && alive {
            self.steered
                .entry(of.clone())
                .or_default()
                .push(SteerFault {
                    of,
                    times: 1,
                    refused: true,
                    delay: None,
                });
        }
    }

    pub(super) fn asks(&mut self, request: &RequestId, at: &Address, when: Time) {
        self.asked.insert(request.clone(), (at.clone(), when));
    }

    /// A thread is opened or not, in a channel that can.
    pub(super) fn opened(&mut self, request: &RequestId, outcome: &Opened, placement: Placement) {
        self.asked.remove(request);
        if placement != Placement::Child {
            return;
        }
        let (refused, unknown) = match outcome {
            Opened::Opened { at } => {
                self.states.insert(at.clone(), ThreadState::Live);
                (false, false)
            }
            Opened::Refused { .. } => (true, false),
            Opened::Unknown {} => (false, true),
        };
        self.threads.push(ThreadFault {
            times: 1,
            refused,
            unknown,
            delay: None,
        });
    }

    pub(super) fn becomes(&mut self, at: &Address, state: ThreadState) {
        self.states.insert(at.clone(), state);
    }

    pub(super) fn probe(&mut self, probe: &ProbeThread, when: Time) {
        self.asks(&probe.request, &probe.address, when);
    }

    pub(super) fn probed(
        &mut self,
        request: &RequestId,
        state: ThreadState,
        now: Time,
        place: impl Fn(&Address) -> Option<Where>,
    ) {
        let Some((at, when)) = self.asked.remove(request) else {
            return;
        };
        let known = self.states.get(&at).copied().unwrap_or_default();
        let took = now.since(when);
        let late = (LATE <= took).then_some(took);
        let at = place(&at);
        self.probes.entry(at.clone()).or_default().push(ProbeFault {
            at,
            times: 1,
            finds: (state != known).then_some(state),
            delay: late,
        });
    }

    /// A message comes once more.
    pub(super) fn again(&mut self, name: &str) {
        *self.again.entry(name.to_owned()).or_default() += 1;
    }

    /// The plan: for each kind and text in order, up to the last that went wrong.
    pub(super) fn plan(self) -> Vec<Fault> {
        let mut plan = Vec::new();
        for faults in self.receipts.into_values() {
            let wrong = |fault: &ReceiptFault| fault.outcome.is_some() || fault.delay.is_some();
            for mut fault in until_last(faults, wrong) {
                if !wrong(&fault) {
                    // One that goes well takes its turn.
                    fault.delay = Some(RECEIPT);
                }
                plan.push(Fault::Receipt(fault));
            }
        }
        for faults in self.starts.into_values() {
            // What starts at once cannot be told apart from what is refused first.
            plan.extend(faults.into_iter().flatten().map(Fault::Start));
        }
        plan.extend(self.steered.into_values().flatten().map(Fault::Steer));
        let wrong = |fault: &ThreadFault| fault.refused || fault.unknown;
        for mut fault in until_last(self.threads, wrong) {
            if !wrong(&fault) {
                fault.delay = Some(Span::ms(200));
            }
            plan.push(Fault::Thread(fault));
        }
        for faults in self.probes.into_values() {
            let wrong = |fault: &ProbeFault| fault.finds.is_some() || fault.delay.is_some();
            for mut fault in until_last(faults, wrong) {
                if !wrong(&fault) {
                    fault.delay = Some(RECEIPT);
                }
                plan.push(Fault::Probe(fault));
            }
        }
        plan.extend(self.again.into_iter().map(|(of, repeats)| {
            Fault::Inbound(InboundFault {
                of,
                delay: None,
                repeats,
            })
        }));
        plan
    }
}

fn until_last<T>(mut all: Vec<T>, is_wrong: impl Fn(&T) -> bool) -> Vec<T> {
    let end = all.iter().rposition(is_wrong).map_or(0, |last| last + 1);
    all.truncate(end);
    all
}
