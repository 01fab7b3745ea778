//! Wrong about what a refusal means, and about what is given up.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a meddler looks at one thing"
)]

use moorline_spec::effect::{Effect, Report};
use moorline_spec::id::DeliveryId;
use moorline_spec::stimulus::{Delivered, Stimulus};
use moorline_spec::time::{Span, Time};

use super::{Broken, deciding, meddled, relaying};
use crate::broken::Meddler;
use crate::reference::{Decisions, RelayDecisions, Right};

pub(super) fn gateways() -> Vec<Broken> {
    let lists = [tries(), ends()];
    lists.into_iter().flatten().collect()
}

/// About trying again.
fn tries() -> Vec<Broken> {
    vec![
        Broken {
            id: "three-tries-and-out",
            rule: "relay.retry-classified",
            report: Some("CL-013"),
            summary: "What is refused is tried three times within seconds, and given up.",
            build: deciding::<ThreeTries>,
        },
        Broken {
            id: "hammers",
            rule: "relay.retry-classified",
            report: None,
            summary: "What is refused is tried again every five seconds.",
            build: deciding::<Hammers>,
        },
        Broken {
            id: "tries-what-was-refused-for-good",
            rule: "relay.retry-classified",
            report: None,
            summary: "What is refused for good is tried again like what is refused for now.",
            build: deciding::<TriesForGood>,
        },
        Broken {
            id: "takes-a-lull-for-the-end",
            rule: "relay.retry-classified",
            report: Some("CL-018"),
            summary: "What is refused for now is given up like what is refused for good.",
            build: deciding::<LullIsEnd>,
        },
        Broken {
            id: "does-not-wait-as-asked",
            rule: "relay.retry-classified",
            report: None,
            summary: "A channel that asks to wait is tried again as if it had not.",
            build: meddled::<DoesNotWait>,
        },
        Broken {
            id: "tries-for-ever",
            rule: "relay.retry-classified",
            report: Some("DD-009"),
            summary: "What is refused is tried again without a bound.",
            build: deciding::<TriesForEver>,
        },
        Broken {
            id: "one-that-is-refused-stops-all",
            rule: "relay.retry-classified",
            report: None,
            summary: "While one text is refused, no other one sets out.",
            build: meddled::<StopsAll>,
        },
    ]
}

/// About giving up.
fn ends() -> Vec<Broken> {
    vec![
        Broken {
            id: "gives-up-in-silence",
            rule: "relay.gives-up-aloud",
            report: Some("CL-010"),
            summary: "What cannot be told is given up, and nobody hears of that.",
            build: meddled::<InSilence>,
        },
        Broken {
            id: "forgets-what-it-gave-up",
            rule: "relay.gives-up-aloud",
            report: Some("CL-023"),
            summary: "What was given up cannot be tried again: it is not there any more.",
            build: relaying::<Forgets>,
        },
        Broken {
            id: "failures-are-not-listed",
            rule: "relay.gives-up-aloud",
            report: None,
            summary: "Who looks for what was given up finds nothing.",
            build: relaying::<NotListed>,
        },
        Broken {
            id: "dismissed-and-still-there",
            rule: "relay.gives-up-aloud",
            report: None,
            summary: "What was dismissed is shown as before.",
            build: relaying::<StillThere>,
        },
    ]
}

#[derive(Default)]
struct ThreeTries;

impl Decisions for ThreeTries {
    fn retries(&self, permanent: bool, spent: Span, _: Span) -> bool {
        !permanent && spent < Span::secs(10)
    }

    fn retry_after(&self, _: u32) -> Span {
        Span::secs(4)
    }
}

#[derive(Default)]
struct Hammers;

impl Decisions for Hammers {
    fn retry_after(&self, _: u32) -> Span {
        Span::secs(5)
    }
}

#[derive(Default)]
struct TriesForGood;

impl Decisions for TriesForGood {
    fn retries(&self, _: bool, spent: Span, window: Span) -> bool {
        Right.retries(false, spent, window)
    }
}

#[derive(Default)]
struct LullIsEnd;

impl Decisions for LullIsEnd {
    fn retries(&self, _: bool, _: Span, _: Span) -> bool {
        false
    }
}

#[derive(Default)]
struct DoesNotWait;

impl Meddler for DoesNotWait {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::Receipt(receipt) = stimulus
                && let Delivered::Refused { retry_after, .. } = &mut receipt.outcome
            {
                *retry_after = None;
            }
        }
    }
}

#[derive(Default)]
struct TriesForEver;

impl Decisions for TriesForEver {
    fn retries(&self, permanent: bool, _: Span, _: Span) -> bool {
        !permanent
    }
}

/// Holds everything back while one text is refused.
#[derive(Default)]
struct StopsAll {
    /// The key of the text that is refused.
    refused: Option<Option<moorline_spec::id::Text>>,
    held: Vec<Effect>,
    sent: Vec<(DeliveryId, Option<moorline_spec::id::Text>)>,
}

impl Meddler for StopsAll {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli.iter() {
            let Stimulus::Receipt(receipt) = stimulus else {
                continue;
            };
            let key = self.sent.iter().find(|(id, _)| *id == receipt.delivery);
            let Some(key) = key.map(|(_, key)| key.clone()) else {
                continue;
            };
            match &receipt.outcome {
                Delivered::Refused {
                    permanent: false, ..
                } => self.refused = Some(key),
                _ if self.refused.as_ref() == Some(&key) => self.refused = None,
                _ => (),
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        let asked = std::mem::take(effects);
        for effect in asked {
            match (&effect, &self.refused) {
                (Effect::Deliver(deliver), Some(refused)) if deliver.key != *refused => {
                    self.held.push(effect);
                }
                _ => effects.push(effect),
            }
        }
        if self.refused.is_none() {
            effects.append(&mut self.held);
        }
        for effect in effects.iter() {
            if let Effect::Deliver(deliver) = effect {
                self.sent
                    .push((deliver.delivery.clone(), deliver.key.clone()));
            }
        }
    }
}

#[derive(Default)]
struct InSilence;

impl Meddler for InSilence {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        effects.retain(|effect| !matches!(effect, Effect::Report(Report::Failed { .. })));
    }
}

#[derive(Default)]
struct Forgets;

impl RelayDecisions for Forgets {
    fn keeps_given_up(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct NotListed;

impl RelayDecisions for NotListed {
    fn lists_failures(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct StillThere;

impl RelayDecisions for StillThere {
    fn forgets_dismissed(&self) -> bool {
        false
    }
}
