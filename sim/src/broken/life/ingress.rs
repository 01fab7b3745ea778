//! Wrong about what comes in.

use std::collections::BTreeMap;

use moorline_spec::address::{Address, Origin};
use moorline_spec::effect::Effect;
use moorline_spec::id::{RunId, Text};
use moorline_spec::stimulus::{Author, Outcome, Stimulus};
use moorline_spec::time::{Span, Time};

use super::super::{Broken, Meddler, deciding, meddled};
use crate::reference::{Decisions, Hearing, Right};

pub(super) fn gateways() -> Vec<Broken> {
    let mut all = claims();
    all.extend(queues());
    all.extend(batches());
    all
}

/// Which messages are known already, and which are its own.
fn claims() -> Vec<Broken> {
    vec![
        Broken {
            id: "claims-die-with-the-process",
            rule: "ingress.once",
            report: Some("RR-017"),
            summary: "Which messages were worked on is forgotten with the process, so that what \
                      comes again after a restart is new.",
            build: deciding::<ClaimsDie>,
        },
        Broken {
            id: "claims-by-session",
            rule: "ingress.once",
            report: Some("DD-026"),
            summary: "A message is known by the session it reached: once it reaches another one it \
                      is new.",
            build: deciding::<ClaimsBySession>,
        },
        Broken {
            id: "claims-are-never-released",
            rule: "ingress.claim-released",
            report: None,
            summary: "A message whose run could not be started is taken for done when it comes \
                      again.",
            build: deciding::<ClaimsKept>,
        },
        Broken {
            id: "the-backlog-is-taken-for-old",
            rule: "ingress.fifo",
            report: None,
            summary: "What arrives in the first seconds after a restart is taken for a repetition.",
            build: meddled::<BacklogIsOld>,
        },
        Broken {
            id: "own-voice-is-heard",
            rule: "ingress.own-voice",
            report: None,
            summary: "What the gateway posted itself, and comes back, is taken for a message.",
            build: deciding::<HearsItself>,
        },
        Broken {
            id: "notices-are-answered",
            rule: "ingress.own-voice",
            report: None,
            summary: "Where bots are heard, the notices of gateways are answered too.",
            build: deciding::<AnswersNotices>,
        },
    ]
}

/// In which order messages are worked on, and with what.
fn queues() -> Vec<Broken> {
    vec![
        Broken {
            id: "repeated-messages-are-new",
            rule: "ingress.once",
            report: None,
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
            report: None,
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
        Broken {
            id: "later-messages-overtake-a-steer",
            rule: "ingress.fifo",
            report: Some("QC-001"),
            summary: "A message that is being steered has no place in the queue: what comes later \
                      is worked on first where the steer is refused.",
            build: deciding::<OvertakesSteer>,
        },
        Broken {
            id: "the-queue-goes-on-after-success-only",
            rule: "ingress.fifo",
            report: Some("QC-005"),
            summary: "What waits behind a run that times out waits for ever.",
            build: deciding::<GoesOnAfterSuccess>,
        },
        Broken {
            id: "a-stop-takes-what-waits",
            rule: "ingress.fifo",
            report: Some("QC-009"),
            summary: "Whoever stops a run stops the messages that wait behind it, and nobody hears.",
            build: deciding::<StopTakesAll>,
        },
    ]
}

/// Which messages are answered as one.
fn batches() -> Vec<Broken> {
    vec![
        Broken {
            id: "batches-run-as-one-sender",
            rule: "routing.own-route-each",
            report: Some("QC-004"),
            summary: "What several people wrote in a group meanwhile is answered as one message, by \
                      the authority of one of them.",
            build: deciding::<BatchesSenders>,
        },
        Broken {
            id: "batches-across-places",
            rule: "routing.own-route-each",
            report: None,
            summary: "What one person wrote in several places is answered in one of them.",
            build: deciding::<BatchesPlaces>,
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

#[derive(Default)]
struct ClaimsDie;

impl Decisions for ClaimsDie {
    fn claims_survive(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct ClaimsBySession;

impl Decisions for ClaimsBySession {
    fn claims_by_session(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct ClaimsKept;

impl Decisions for ClaimsKept {
    fn releases_claims(&self) -> bool {
        false
    }
}

/// Knows when it was restarted.
#[derive(Default)]
struct BacklogIsOld {
    restarted: Option<Time>,
}

impl Meddler for BacklogIsOld {
    fn stimuli(&mut self, now: Time, stimuli: &mut Vec<Stimulus>) {
        let fresh = |restarted: Time| now < restarted + Span::secs(30);
        stimuli.retain(|stimulus| {
            if let Stimulus::Open(open) = stimulus {
                self.restarted = open.restored.then_some(now);
            }
            let message = matches!(stimulus, Stimulus::Inbound(_));
            !(message && self.restarted.is_some_and(fresh))
        });
    }
}

#[derive(Default)]
struct HearsItself;

impl Decisions for HearsItself {
    fn hears(&self, message: &Hearing) -> Result<(), &'static str> {
        match message.author {
            Author::Own => Ok(()),
            Author::Person | Author::Bot | Author::Webhook => Right.hears(message),
        }
    }
}

#[derive(Default)]
struct AnswersNotices;

impl Decisions for AnswersNotices {
    fn hears(&self, message: &Hearing) -> Result<(), &'static str> {
        let notice = false;
        Right.hears(&Hearing { notice, ..*message })
    }
}

#[derive(Default)]
struct OvertakesSteer;

impl Decisions for OvertakesSteer {
    fn keeps_its_place(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct BatchesSenders;

impl Decisions for BatchesSenders {
    fn joins(&self, one: &Origin, other: &Origin) -> bool {
        one.address == other.address
    }
}

#[derive(Default)]
struct BatchesPlaces;

impl Decisions for BatchesPlaces {
    fn joins(&self, one: &Origin, other: &Origin) -> bool {
        one.person == other.person
    }
}

#[derive(Default)]
struct GoesOnAfterSuccess;

impl Decisions for GoesOnAfterSuccess {
    fn goes_on_after(&self, outcome: Outcome) -> bool {
        outcome == Outcome::Ok
    }
}

#[derive(Default)]
struct StopTakesAll;

impl Decisions for StopTakesAll {
    fn stop_takes_what_waits(&self) -> bool {
        true
    }
}
