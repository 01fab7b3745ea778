//! Wrong about sessions without a thread.

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::effect::{Answer, Effect, Memory};
use moorline_spec::id::{CallId, RunId, SessionKey};
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Time;
use serde_json::json;

use super::super::super::{Broken, Meddler, deciding, meddled};
use super::spawn;
use crate::reference::{Asked, Decisions, Expecting, Mode, Right};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "every-session-gets-a-thread",
            rule: "spawn.headless-is-headless",
            report: None,
            summary: "A session that was asked for without a thread gets one where the channel can.",
            build: deciding::<EverySessionThreaded>,
        },
        Broken {
            id: "headless-session-forgets-each-turn",
            rule: "spawn.headless-remembers",
            report: None,
            summary: "Each turn of a session without a thread begins with nothing.",
            build: meddled::<ForgetsEachTurn>,
        },
        Broken {
            id: "headless-session-ends-with-its-first-run",
            rule: "spawn.headless-remembers",
            report: None,
            summary: "A session without a thread is gone after its first run.",
            build: meddled::<EndsWithItsRun>,
        },
        Broken {
            id: "headless-session-owes-no-completion",
            rule: "spawn.headless-output",
            report: None,
            summary: "What a session without a thread says at the end of its first run is told to nobody.",
            build: deciding::<OwesNothing>,
        },
        Broken {
            id: "replies-without-the-words",
            rule: "spawn.headless-output",
            report: None,
            summary: "Whoever sent something to a session is told that there was a reply, not what it says.",
            build: meddled::<RepliesWithoutWords>,
        },
    ]
}

#[derive(Default)]
struct EverySessionThreaded;

impl Decisions for EverySessionThreaded {
    fn spawn_thread(&self, asked: &Asked) -> bool {
        asked.mode == Some(Mode::Session) || Right.spawn_thread(asked)
    }
}

/// The sessions that were spawned without a thread, and their labels.
#[derive(Default)]
struct Headless {
    labels: BTreeMap<CallId, String>,
    keys: BTreeMap<SessionKey, String>,
}

impl Headless {
    fn hear(&mut self, stimulus: &Stimulus) {
        if let Some(call) = spawn(stimulus) {
            let label = call.params["label"].as_str().unwrap_or_default();
            self.labels.insert(call.call.clone(), label.to_owned());
        }
    }

    /// Takes in an answer, which may make such a session known.
    fn know(&mut self, answer: &Answer) {
        let result = &answer.result;
        let headless = result["mode"] == json!("session") && result["boundTo"].is_null();
        if let Some(label) = self.labels.remove(&answer.call)
            && let Some(key) = result["childSessionKey"].as_str().filter(|_| headless)
        {
            self.keys.insert(key.into(), label);
        }
    }
}

#[derive(Default)]
struct ForgetsEachTurn(Headless);

impl Meddler for ForgetsEachTurn {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            self.0.hear(stimulus);
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::Answer(answer) = effect {
                self.0.know(answer);
            }
            if let Effect::StartRun(start) = effect
                && self.0.keys.contains_key(&start.session_key)
            {
                start.memory = Memory::Fresh;
            }
        }
    }
}

/// Knows which sessions without a thread are over, and what was sent to them since.
#[derive(Default)]
struct EndsWithItsRun {
    headless: Headless,
    runs: BTreeMap<RunId, SessionKey>,
    over: BTreeSet<SessionKey>,
    refused: Vec<CallId>,
}

impl EndsWithItsRun {
    fn is_to_the_dead(&self, stimulus: &Stimulus) -> Option<CallId> {
        let Stimulus::Call(call) = stimulus else {
            return None;
        };
        let (key, label) = (&call.params["sessionKey"], &call.params["label"]);
        let dead = |over: &SessionKey| {
            let own = self.headless.keys.get(over).filter(|own| !own.is_empty());
            *key == json!(over) || own.is_some_and(|own| *label == json!(own))
        };
        let sent = call.method == "sessions_send" && self.over.iter().any(dead);
        sent.then(|| call.call.clone())
    }
}

impl Meddler for EndsWithItsRun {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        stimuli.retain(|stimulus| {
            self.headless.hear(stimulus);
            if let Stimulus::RunEnded(ended) = stimulus
                && let Some(key) = self.runs.get(&ended.run)
                && self.headless.keys.contains_key(key)
            {
                self.over.insert(key.clone());
            }
            let refused = self.is_to_the_dead(stimulus);
            self.refused.extend(refused.clone());
            refused.is_none()
        });
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::Answer(answer) = effect {
                self.headless.know(answer);
            }
            if let Effect::StartRun(start) = effect {
                let run = (start.run.clone(), start.session_key.clone());
                self.runs.extend([run]);
            }
        }
        effects.extend(self.refused.drain(..).map(|call| {
            let result = json!({"status": "error", "error": "Session not found"});
            Effect::Answer(Answer { call, result })
        }));
    }
}

#[derive(Default)]
struct OwesNothing;

impl Decisions for OwesNothing {
    fn owes_completion(&self, child: &Expecting) -> bool {
        let headless = child.mode == Mode::Session && !child.thread;
        child.expected && !headless
    }
}

#[derive(Default)]
struct RepliesWithoutWords;

impl Meddler for RepliesWithoutWords {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::Answer(answer) = effect
                && let Some(result) = answer.result.as_object_mut()
            {
                result.remove("reply");
            }
        }
    }
}
