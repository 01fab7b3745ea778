//! Wrong about what comes in.

use std::collections::BTreeMap;

use moorline_spec::address::Address;
use moorline_spec::effect::Effect;
use moorline_spec::id::{RunId, Text};
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Time;

use super::super::{Broken, Meddler, deciding, meddled};
use crate::reference::Decisions;

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "repeated-messages-are-new",
            rule: "ingress.once",
            report: Some("DD-027"),
            summary: "A message that the channel brings again is worked on again.",
            build: deciding::<RepeatsAreNew>,
        },
        Broken {
            id: "resumes-without-saying-so",
            rule: "ingress.once",
            report: None,
            summary: "The run that replaces a lost one does not say that it does.",
            build: meddled::<ResumesUnsaid>,
        },
        Broken {
            id: "newest-message-first",
            rule: "ingress.fifo",
            report: Some("QC-001"),
            summary: "Of the messages that wait for a busy session the last one is worked on first.",
            build: deciding::<NewestFirst>,
        },
        Broken {
            id: "drops-messages-while-busy",
            rule: "ingress.fifo",
            report: Some("QC-003"),
            summary: "What somebody writes while their last message is being answered is lost, and \
                      nobody is told.",
            build: meddled::<DropsWhileBusy>,
        },
    ]
}

#[derive(Default)]
struct RepeatsAreNew;

impl Decisions for RepeatsAreNew {
    fn repeats(&self, _seen: bool) -> bool {
        false
    }
}

#[derive(Default)]
struct ResumesUnsaid;

impl Meddler for ResumesUnsaid {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect {
                start.resumes = None;
            }
        }
    }
}

#[derive(Default)]
struct NewestFirst;

impl Decisions for NewestFirst {
    fn next_turn(&self, waiting: usize) -> usize {
        waiting.saturating_sub(1)
    }
}

/// Knows which conversations are being answered.
#[derive(Default)]
struct DropsWhileBusy {
    heard: BTreeMap<Text, Address>,
    answering: BTreeMap<RunId, Address>,
}

impl Meddler for DropsWhileBusy {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        stimuli.retain(|stimulus| {
            if let Stimulus::RunEnded(ended) = stimulus {
                self.answering.remove(&ended.run);
            }
            let Stimulus::Inbound(inbound) = stimulus else {
                return true;
            };
            self.heard.insert(inbound.text.clone(), inbound.at.clone());
            !self.answering.values().any(|at| *at == inbound.at)
        });
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect
                && let Some(at) = self.heard.get(&start.input)
            {
                self.answering.insert(start.run.clone(), at.clone());
            }
        }
    }
}
