//! The misfortunes of a generated scenario.

use moorline_spec::scenario::{
    Fault, InboundFault, ProbeFault, ReceiptFault, ReceiptOutcome, StartFault, SteerFault,
    ThreadFault,
};
use moorline_spec::stimulus::ThreadState;
use moorline_spec::time::Span;

use super::Maker;

impl Maker {
    pub(super) fn faults(&mut self) -> Vec<Fault> {
        (0..self.chance.below(4)).map(|_| self.fault()).collect()
    }

    pub(super) fn fault(&mut self) -> Fault {
        let delay = self
            .chance
            .percent(30)
            .then(|| Span::secs(self.chance.between(1, 100)));
        let times = u32::try_from(self.chance.between(1, 3)).expect("a small number");
        match self.chance.below(10) {
            0 => Fault::Start(StartFault {
                of: None,
                times,
                unknown: false,
                delay,
            }),
            1 => Fault::Steer(SteerFault {
                of: None,
                times,
                refused: self.chance.percent(70),
                delay,
            }),
            2 => {
                let refused = self.chance.percent(40);
                let unknown = !refused && self.chance.percent(60);
                Fault::Thread(ThreadFault {
                    times,
                    refused,
                    unknown,
                    delay,
                })
            }
            3 => {
                let states = [
                    ThreadState::Gone,
                    ThreadState::Unknown,
                    ThreadState::Archived,
                ];
                let finds = self.chance.percent(60).then(|| *self.chance.pick(&states));
                Fault::Probe(ProbeFault {
                    at: None,
                    times,
                    finds,
                    delay,
                })
            }
            4 if self.messages > 0 => {
                let of = format!("m{}", self.chance.between(1, self.messages as u64));
                Fault::Inbound(InboundFault {
                    of,
                    delay,
                    repeats: times,
                })
            }
            _ => self.receipt(times, delay),
        }
    }

    fn receipt(&mut self, times: u32, delay: Option<Span>) -> Fault {
        let outcomes = [
            ReceiptOutcome::Permanent,
            ReceiptOutcome::Transient,
            ReceiptOutcome::Transient,
            ReceiptOutcome::UnknownHappened,
            ReceiptOutcome::UnknownLost,
        ];
        let outcome = self
            .chance
            .percent(90)
            .then(|| *self.chance.pick(&outcomes));
        let retry_after = (outcome == Some(ReceiptOutcome::Transient) && self.chance.percent(50))
            .then(|| Span::secs(self.chance.between(1, 60)));
        Fault::Receipt(ReceiptFault {
            of: None,
            to: None,
            times,
            outcome,
            retry_after,
            delay,
        })
    }
}
