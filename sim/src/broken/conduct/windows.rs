//! Wrong about what was written down when the process died, and about what came of it: one for each
//! window between two steps of a completion.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a meddler looks at one thing"
)]

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::effect::{Deliver, Effect};
use moorline_spec::id::{DeliveryId, RunId, Text};
use moorline_spec::stimulus::{Delivered, Receipt, Stimulus};
use moorline_spec::time::{Span, Time};
use serde_json::Value;

use super::{Broken, meddled};
use crate::broken::{Meddler, tells};

pub(super) fn gateways() -> Vec<Broken> {
    let lists = [unwritten_things(), sends()];
    lists.into_iter().flatten().collect()
}

/// What is not written down.
fn unwritten_things() -> Vec<Broken> {
    vec![
        Broken {
            id: "an-end-is-not-written-down",
            rule: "relay.outcome-true",
            report: None,
            summary: "That a child ended is told before it is written down; after a crash it never \
                      did (W-1).",
            build: meddled::<EndUnwritten>,
        },
        Broken {
            id: "what-was-told-is-not-written-down",
            rule: "relay.once",
            report: Some("DD-015"),
            summary: "That a requester was told is not written down; after a crash it is told again \
                      (W-4).",
            build: meddled::<ToldUnwritten>,
        },
        Broken {
            id: "a-receipt-is-not-written-down",
            rule: "relay.once",
            report: Some("DD-014"),
            summary: "That a text was accepted is not written down; after a crash it is posted again \
                      (W-6, W-12).",
            build: meddled::<ReceiptUnwritten>,
        },
        Broken {
            id: "posts-die-with-the-process",
            rule: "relay.still-owed",
            report: None,
            summary: "Texts on their way are held in memory only (W-10, W-13).",
            build: meddled::<PostsDie>,
        },
        Broken {
            id: "debts-die-with-the-process",
            rule: "relay.liveness",
            report: Some("CL-008"),
            summary: "What is owed is held in memory only (W-7, W-16).",
            build: meddled::<DebtsDie>,
        },
    ]
}

/// What a send comes to.
fn sends() -> Vec<Broken> {
    vec![
        Broken {
            id: "bookkeeping-counts-as-sending",
            rule: "relay.once",
            report: Some("DD-003"),
            summary: "A text that was accepted is sent again where what follows its receipt failed.",
            build: meddled::<Bookkeeping>,
        },
        Broken {
            id: "what-is-on-its-way-sets-out-again",
            rule: "relay.once",
            report: Some("DD-022"),
            summary: "A text without a receipt after half a minute is sent once more beside.",
            build: meddled::<SetsOutAgain>,
        },
        Broken {
            id: "handed-over-counts-as-delivered",
            rule: "relay.liveness",
            report: Some("CL-050"),
            summary: "What a requester says to the end of a child is delivered when it was handed \
                      over within the gateway; nothing is sent.",
            build: meddled::<HandedOver>,
        },
        Broken {
            id: "one-piece-is-enough",
            rule: "relay.fits-channel",
            report: Some("CT-013"),
            summary: "A text of which one piece was accepted counts as delivered.",
            build: meddled::<OnePiece>,
        },
    ]
}

fn unwritten(effects: &mut Vec<Effect>) {
    effects.retain(|effect| !matches!(effect, Effect::Persist(_)));
}

#[derive(Default)]
struct EndUnwritten {
    children: BTreeSet<RunId>,
    ended: bool,
}

impl Meddler for EndUnwritten {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        self.ended = stimuli.iter().any(|stimulus| {
            matches!(stimulus, Stimulus::RunEnded(ended) if self.children.contains(&ended.run))
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::StartRun(start) = effect
                && start.session_key.as_str().contains(":subagent:")
            {
                self.children.insert(start.run.clone());
            }
        }
        if self.ended {
            unwritten(effects);
        }
    }
}

#[derive(Default)]
struct ToldUnwritten {
    turns: BTreeSet<RunId>,
    over: bool,
}

impl Meddler for ToldUnwritten {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        self.over = stimuli.iter().any(|stimulus| {
            matches!(stimulus, Stimulus::RunEnded(ended) if self.turns.contains(&ended.run))
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::StartRun(start) = effect
                && tells(&start.input)
            {
                self.turns.insert(start.run.clone());
            }
        }
        if self.over {
            unwritten(effects);
        }
    }
}

#[derive(Default)]
struct ReceiptUnwritten {
    accepted: bool,
}

impl Meddler for ReceiptUnwritten {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        self.accepted = stimuli.iter().any(|stimulus| {
            let Stimulus::Receipt(receipt) = stimulus else {
                return false;
            };
            matches!(receipt.outcome, Delivered::Accepted { .. })
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        if self.accepted {
            unwritten(effects);
        }
    }
}

/// Takes what records say of one kind of thing off the disk.
fn lose(stimuli: &mut [Stimulus], kind: &str) {
    for stimulus in stimuli {
        let Stimulus::Open(open) = stimulus else {
            continue;
        };
        for record in &mut open.disk {
            let Ok(Value::Array(changes)) = serde_json::from_str(record) else {
                continue;
            };
            let left: Vec<Value> = changes
                .into_iter()
                .filter(|change| change.get(kind).is_none())
                .collect();
            *record = Text::from(Value::Array(left).to_string());
        }
    }
}

#[derive(Default)]
struct PostsDie;

impl Meddler for PostsDie {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        lose(stimuli, "post");
    }
}

#[derive(Default)]
struct DebtsDie;

impl Meddler for DebtsDie {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        lose(stimuli, "debt");
    }
}

/// Fails after the send, twice for each text.
#[derive(Default)]
struct Bookkeeping {
    keys: BTreeMap<DeliveryId, Option<Text>>,
    failed: BTreeMap<Option<Text>, u32>,
}

impl Meddler for Bookkeeping {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            let Stimulus::Receipt(receipt) = stimulus else {
                continue;
            };
            let Some(key) = self.keys.remove(&receipt.delivery) else {
                continue;
            };
            let failed = self.failed.entry(key).or_default();
            if matches!(receipt.outcome, Delivered::Accepted { .. }) && *failed < 2 {
                *failed += 1;
                receipt.outcome = Delivered::Refused {
                    permanent: false,
                    retry_after: None,
                    why: "the transcript is locked".into(),
                };
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::Deliver(deliver) = effect {
                self.keys
                    .insert(deliver.delivery.clone(), deliver.key.clone());
            }
        }
    }
}

/// How long a receipt is waited for.
const PATIENCE: Span = Span::secs(30);

#[derive(Default)]
struct SetsOutAgain {
    waits: Vec<(Time, Deliver)>,
}

impl Meddler for SetsOutAgain {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli.iter() {
            match stimulus {
                Stimulus::Open(_) => self.waits.clear(),
                Stimulus::Receipt(receipt) => {
                    self.waits
                        .retain(|(_, deliver)| deliver.delivery != receipt.delivery);
                }
                _ => (),
            }
        }
    }

    fn effects(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::Deliver(deliver) = effect {
                self.waits.push((now + PATIENCE, deliver.clone()));
            }
        }
        let due: Vec<Deliver> = self
            .waits
            .iter()
            .filter(|(due, _)| *due <= now)
            .map(|(_, deliver)| deliver.clone())
            .collect();
        self.waits.retain(|(at, _)| now < *at);
        effects.extend(due.into_iter().map(|deliver| {
            Effect::Deliver(Deliver {
                delivery: format!("{}-again", deliver.delivery).into(),
                ..deliver
            })
        }));
    }

    fn wake_at(&self, wake_at: Option<Time>) -> Option<Time> {
        let due = self.waits.iter().map(|(due, _)| *due);
        wake_at.into_iter().chain(due).min()
    }
}

#[derive(Default)]
struct HandedOver {
    turns: BTreeSet<RunId>,
    handed: Vec<DeliveryId>,
}

impl Meddler for HandedOver {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        let receipts = self.handed.drain(..).map(|delivery| {
            let message = delivery.as_str().into();
            let outcome = Delivered::Accepted { message };
            Stimulus::Receipt(Receipt { delivery, outcome })
        });
        let receipts: Vec<Stimulus> = receipts.collect();
        let begins = stimuli
            .iter()
            .any(|stimulus| matches!(stimulus, Stimulus::Open(_)));
        if !begins {
            stimuli.extend(receipts);
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::StartRun(start) = effect
                && tells(&start.input)
            {
                self.turns.insert(start.run.clone());
            }
        }
        let (turns, handed) = (&self.turns, &mut self.handed);
        effects.retain(|effect| {
            let Effect::Deliver(deliver) = effect else {
                return true;
            };
            let stem = deliver.key.as_ref().map(Text::as_str);
            let of_turn = turns.iter().any(|turn| Some(turn.as_str()) == stem);
            if of_turn {
                handed.push(deliver.delivery.clone());
            }
            !of_turn
        });
    }
}

#[derive(Default)]
struct OnePiece {
    /// The text that each delivery is a piece of, by its key.
    stems: BTreeMap<DeliveryId, Text>,
    begun: BTreeSet<Text>,
}

impl Meddler for OnePiece {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            let Stimulus::Receipt(receipt) = stimulus else {
                continue;
            };
            let Some(stem) = self.stems.remove(&receipt.delivery) else {
                continue;
            };
            match receipt.outcome {
                Delivered::Accepted { .. } => drop(self.begun.insert(stem)),
                Delivered::Refused { .. } if self.begun.contains(&stem) => {
                    let message = receipt.delivery.as_str().into();
                    receipt.outcome = Delivered::Accepted { message };
                }
                Delivered::Refused { .. } | Delivered::Unknown {} => (),
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::Deliver(deliver) = effect
                && let Some((stem, _)) = deliver.key.as_ref().and_then(|key| key.split_once('/'))
            {
                self.stems.insert(deliver.delivery.clone(), stem.into());
            }
        }
    }
}
