//! The other side of a mistake: what a hasty remedy for one of the others gets wrong.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a meddler looks at one thing"
)]

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::address::Address;
use moorline_spec::effect::{Effect, StartRun};
use moorline_spec::id::{DeliveryId, RunId, SessionKey, Text};
use moorline_spec::silence;
use moorline_spec::stimulus::{Caller, Delivered, Outcome, Receipt, Stimulus};
use moorline_spec::time::Time;

use super::{Broken, meddled};
use crate::broken::{Meddler, tells};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "the-first-channel-keeps-the-answers",
            rule: "routing.same-place",
            report: Some("MD-025"),
            summary: "What a session says to messages from another channel goes to the place in which \
                      it spoke first, so that nothing takes its route.",
            build: meddled::<FirstChannel>,
        },
        Broken {
            id: "begun-from-within-stays-within",
            rule: "relay.liveness",
            report: Some("MD-024"),
            summary: "A session that a plugin began has no conversation: what it says to people later \
                      is kept where the plugin reads it.",
            build: meddled::<BegunWithin>,
        },
        Broken {
            id: "a-session-is-told-of-one-completion",
            rule: "relay.liveness",
            report: None,
            summary: "What is said of a completion has the key of the session that says it, so that \
                      channels which know keys take the second for the first.",
            build: meddled::<KeyOfSession>,
        },
        Broken {
            id: "silence-counts-as-untold",
            rule: "relay.once",
            report: Some("DD-008"),
            summary: "A requester that has nothing to add to what its child said in the conversation \
                      was not told, and is told again.",
            build: meddled::<SilenceUntold>,
        },
    ]
}

/// The run that a delivery's key is made of.
fn run_of(key: Option<&Text>) -> Option<RunId> {
    let key = key?.as_str();
    let end = key.find(['.', '/']).unwrap_or(key.len());
    Some(RunId::from(&key[..end]))
}

#[derive(Default)]
struct FirstChannel {
    sessions: BTreeMap<RunId, SessionKey>,
    first: BTreeMap<SessionKey, Address>,
}

impl Meddler for FirstChannel {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect {
                self.sessions
                    .insert(start.run.clone(), start.session_key.clone());
            }
            let Effect::Deliver(deliver) = effect else {
                continue;
            };
            let session = run_of(deliver.key.as_ref()).and_then(|run| self.sessions.get(&run));
            if let Some(session) = session {
                let first = self.first.entry(session.clone());
                let first = first.or_insert_with(|| deliver.to.clone());
                if first.channel != deliver.to.channel {
                    deliver.to = first.clone();
                }
            }
        }
    }
}

#[derive(Default)]
struct BegunWithin {
    known: BTreeSet<SessionKey>,
    /// Sessions whose first run was a plugin's.
    within: BTreeSet<SessionKey>,
    runs: BTreeMap<RunId, SessionKey>,
    by_plugin: bool,
    kept: Vec<DeliveryId>,
}

impl Meddler for BegunWithin {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        let of_plugin = |stimulus: &Stimulus| matches!(stimulus, Stimulus::Call(call) if call.by == Caller::Plugin);
        self.by_plugin = stimuli.iter().any(of_plugin);
        let begins = |stimulus: &Stimulus| matches!(stimulus, Stimulus::Open(_));
        if stimuli.iter().any(begins) {
            return self.kept.clear();
        }
        stimuli.extend(self.kept.drain(..).map(|delivery| {
            let message = delivery.as_str().into();
            let outcome = Delivered::Accepted { message };
            Stimulus::Receipt(Receipt { delivery, outcome })
        }));
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::StartRun(start) = effect {
                let is_new = self.known.insert(start.session_key.clone());
                if is_new && self.by_plugin {
                    self.within.insert(start.session_key.clone());
                }
                self.runs
                    .insert(start.run.clone(), start.session_key.clone());
            }
        }
        let (runs, within, kept) = (&self.runs, &self.within, &mut self.kept);
        effects.retain(|effect| {
            let Effect::Deliver(deliver) = effect else {
                return true;
            };
            let session = run_of(deliver.key.as_ref()).and_then(|run| runs.get(&run));
            let stays = session.is_some_and(|session| within.contains(session));
            if stays {
                kept.push(deliver.delivery.clone());
            }
            !stays
        });
    }
}

#[derive(Default)]
struct KeyOfSession {
    turns: BTreeMap<RunId, SessionKey>,
}

impl Meddler for KeyOfSession {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::StartRun(start) if tells(&start.input) => {
                    self.turns
                        .insert(start.run.clone(), start.session_key.clone());
                }
                Effect::Deliver(deliver) => {
                    let turn = run_of(deliver.key.as_ref());
                    if let Some(session) = turn.and_then(|turn| self.turns.get(&turn)) {
                        deliver.key = Some(session.as_str().into());
                    }
                }
                _ => (),
            }
        }
    }
}

/// Tells by another turn what a turn has nothing to say to.
#[derive(Default)]
struct SilenceUntold {
    turns: BTreeMap<RunId, StartRun>,
    untold: Vec<StartRun>,
}

impl Meddler for SilenceUntold {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::RunEnded(ended) = stimulus
                && let Some(turn) = self.turns.remove(&ended.run)
                && ended.outcome == Outcome::Ok
                && silence::is_silent(&ended.text)
            {
                self.untold.push(turn);
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::StartRun(start) = effect
                && tells(&start.input)
            {
                self.turns.insert(start.run.clone(), start.clone());
            }
        }
        effects.extend(self.untold.drain(..).map(|turn| {
            Effect::StartRun(StartRun {
                run: format!("{}-again", turn.run).into(),
                ..turn
            })
        }));
    }
}
