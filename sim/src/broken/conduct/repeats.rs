//! Wrong about what was done already.

use moorline_spec::address::Address;
use moorline_spec::effect::{Deliver, Effect, StartRun};
use moorline_spec::id::{DeliveryId, RunId, Text};
use moorline_spec::stimulus::{Delivered, Stimulus};
use moorline_spec::time::{Span, Time};

use super::{Broken, deciding, meddled};
use crate::broken::Meddler;
use crate::reference::{Again, Decisions, Doubt, Right};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "slow-turn-started-again",
            rule: "relay.once",
            report: Some("DD-004"),
            summary: "A turn that is told of a completion and not over after a minute is started \
                      again; what both say is posted.",
            build: meddled::<SlowTurn>,
        },
        Broken {
            id: "recovery-sends-again",
            rule: "relay.once",
            report: Some("DD-010"),
            summary: "After a restart, all that was ever delivered is delivered again.",
            build: meddled::<SendsAgain>,
        },
        Broken {
            id: "repeats-unmarked",
            rule: "relay.once",
            report: None,
            summary: "What may have been delivered is repeated as if it had not, also where the \
                      channel knows no keys (W-17).",
            build: deciding::<RepeatsUnmarked>,
        },
        Broken {
            id: "a-key-for-each-attempt",
            rule: "relay.once",
            report: None,
            summary: "Every attempt at one message has a key of its own, so the channel posts each.",
            build: deciding::<KeyForEachAttempt>,
        },
    ]
}

/// How long a turn may take before it is taken for dead.
const PATIENCE: Span = Span::secs(60);

/// Takes a slow turn for one that never was.
#[derive(Default)]
struct SlowTurn {
    turns: Vec<Turn>,
}

/// A turn that is told of a completion, and its double.
struct Turn {
    start: StartRun,
    /// When it is started again.
    due: Option<Time>,
    double: RunId,
    /// What the turn said at its end, and where that went.
    said: Option<Text>,
    to: Option<Address>,
    /// What the double said at its end.
    doubled: Option<Text>,
}

impl Turn {
    fn of(start: &StartRun, now: Time) -> Option<Self> {
        let input = start.input.as_str();
        let tells =
            input.starts_with("run ") && (input.contains(" ended") || input.contains(" failed ("));
        tells.then(|| Self {
            start: start.clone(),
            due: Some(now + PATIENCE),
            double: format!("{}-again", start.run).into(),
            said: None,
            to: None,
            doubled: None,
        })
    }

    /// The second message, once both have spoken.
    fn second(&mut self) -> Option<Effect> {
        let to = self.to.clone()?;
        let text = self.doubled.take()?;
        Some(Effect::Deliver(Deliver {
            delivery: self.double.as_str().into(),
            to,
            text,
            key: Some(self.double.as_str().into()),
            repeat: false,
        }))
    }
}

impl Meddler for SlowTurn {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::Open(_) = stimulus {
                self.turns.clear();
            }
            let Stimulus::RunEnded(ended) = stimulus else {
                continue;
            };
            for turn in &mut self.turns {
                if turn.start.run == ended.run {
                    turn.due = None;
                    turn.said = Some(ended.text.clone());
                } else if turn.double == ended.run {
                    turn.doubled = Some(ended.text.clone());
                }
            }
        }
    }

    fn effects(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::StartRun(start) = effect {
                self.turns.extend(Turn::of(start, now));
            }
            if let Effect::Deliver(deliver) = effect {
                let said = |turn: &&mut Turn| turn.said.as_ref() == Some(&deliver.text);
                for turn in self.turns.iter_mut().filter(said) {
                    turn.to = Some(deliver.to.clone());
                }
            }
        }
        for turn in &mut self.turns {
            if turn.due.is_some_and(|due| due <= now) {
                turn.due = None;
                effects.push(Effect::StartRun(StartRun {
                    run: turn.double.clone(),
                    ..turn.start.clone()
                }));
            }
            effects.extend(turn.second());
        }
    }

    fn wake_at(&self, wake_at: Option<Time>) -> Option<Time> {
        let due = self.turns.iter().filter_map(|turn| turn.due);
        wake_at.into_iter().chain(due).min()
    }
}

/// Remembers what was delivered, and not that it was.
#[derive(Default)]
struct SendsAgain {
    asked: Vec<Deliver>,
    delivered: Vec<Deliver>,
    opened: bool,
    again: u32,
}

impl Meddler for SendsAgain {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::Open(open) = stimulus {
                self.opened = open.restored;
            }
            if let Stimulus::Receipt(receipt) = stimulus {
                let accepted = matches!(receipt.outcome, Delivered::Accepted { .. });
                let answered = |asked: &mut Deliver| asked.delivery == receipt.delivery;
                let answered = self.asked.extract_if(.., answered);
                self.delivered.extend(answered.filter(|_| accepted));
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::Deliver(deliver) = effect {
                self.asked.push(deliver.clone());
            }
        }
        if !std::mem::take(&mut self.opened) {
            return;
        }
        for deliver in &self.delivered {
            self.again += 1;
            effects.push(Effect::Deliver(Deliver {
                delivery: DeliveryId::from(format!("again-{}", self.again)),
                ..deliver.clone()
            }));
        }
    }
}

#[derive(Default)]
struct RepeatsUnmarked;

impl Decisions for RepeatsUnmarked {
    fn after_unknown(&self, _: &Doubt) -> Again {
        Again::Blindly
    }
}

#[derive(Default)]
struct KeyForEachAttempt;

impl Decisions for KeyForEachAttempt {
    fn delivery_key(&self, stem: &Text, piece: u32, whole: bool, attempt: u32) -> Option<Text> {
        let key = Right.delivery_key(stem, piece, whole, attempt)?;
        Some(format!("{key}#{attempt}").into())
    }
}
