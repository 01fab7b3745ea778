//! Wrong about children: what a refusal leaves, what a session without thread is, what lasts.

mod agents;
mod asked;
mod headless;
mod limits;
mod threads;

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::effect::{Answer, Effect, Memory, StartRun};
use moorline_spec::id::{CallId, RequestId, Text};
use moorline_spec::profile::Permission;
use moorline_spec::stimulus::{Call, Opened, Stimulus};
use moorline_spec::time::Time;
use serde_json::{Value, json};

use super::super::{Broken, Meddler, deciding, meddled};
use crate::reference::Decisions;

pub(super) fn gateways() -> Vec<Broken> {
    let families = [
        refusals(),
        lasting(),
        asked::gateways(),
        agents::gateways(),
        headless::gateways(),
        threads::gateways(),
        limits::gateways(),
    ];
    families.into_iter().flatten().collect()
}

/// About what a refusal leaves, and what is a session.
fn refusals() -> Vec<Broken> {
    vec![
        Broken {
            id: "refusal-after-start",
            rule: "spawn.refusal-leaves-nothing",
            report: Some("SV-001"),
            summary: "A spawn is checked after its run was started: it is refused, and the run stays.",
            build: meddled::<RefusesAfterStart>,
        },
        Broken {
            id: "refused-spawn-keeps-its-label",
            rule: "spawn.refusal-leaves-nothing",
            report: None,
            summary: "The label of a refused spawn stays taken.",
            build: meddled::<KeepsLabel>,
        },
        Broken {
            id: "session-needs-thread",
            rule: "spawn.session-without-thread",
            report: Some("SV-001"),
            summary: "A session without a thread is refused though the profile allows it.",
            build: deciding::<NeedsThread>,
        },
        Broken {
            id: "accepts-without-a-key",
            rule: "spawn.session-without-thread",
            report: None,
            summary: "Whoever spawned a session is not told the key to reach it by.",
            build: meddled::<NoKey>,
        },
    ]
}

/// About what comes about as a whole, and what lasts.
fn lasting() -> Vec<Broken> {
    vec![
        Broken {
            id: "binds-the-chat-for-want-of-a-thread",
            rule: "spawn.thread-atomic",
            report: None,
            summary: "Where its thread is refused, a child is bound to the whole conversation.",
            build: meddled::<BindsTheChat>,
        },
        Broken {
            id: "does-not-name-the-thread-that-stays",
            rule: "spawn.thread-atomic",
            report: None,
            summary: "A spawn that failed after its thread was opened says nothing of the thread.",
            build: meddled::<ThreadUnnamed>,
        },
        Broken {
            id: "accepts-before-it-is-written-down",
            rule: "spawn.durable-before-accepted",
            report: Some("SV-018"),
            summary: "A spawn is answered before its record is on the disk.",
            build: deciding::<AnswersEarly>,
        },
        Broken {
            id: "writes-nothing-down",
            rule: "spawn.durable-before-accepted",
            report: None,
            summary: "Everything is kept in memory, and nothing outlives the process.",
            build: meddled::<WritesNothing>,
        },
    ]
}

/// The call, where it is a spawn.
fn spawn(stimulus: &Stimulus) -> Option<&Call> {
    let Stimulus::Call(call) = stimulus else {
        return None;
    };
    (call.method == "sessions_spawn").then_some(call)
}

/// The answer, where it is an error.
fn refusal(effect: &Effect) -> Option<&Answer> {
    let Effect::Answer(answer) = effect else {
        return None;
    };
    (answer.result["status"] == json!("error")).then_some(answer)
}

/// Knows the tasks of spawns.
#[derive(Default)]
struct RefusesAfterStart {
    tasks: BTreeMap<CallId, Text>,
    started: u32,
}

impl Meddler for RefusesAfterStart {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        for call in stimuli.iter().filter_map(spawn) {
            if let Some(task) = call.params["task"].as_str() {
                self.tasks.insert(call.call.clone(), task.into());
            }
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        let refused = |effect: &Effect| self.tasks.get(&refusal(effect)?.call).cloned();
        let Some((at, task)) = (0..effects.len()).find_map(|at| Some((at, refused(&effects[at])?)))
        else {
            return;
        };
        self.started += 1;
        let number = self.started;
        let start = StartRun {
            run: format!("early-{number}").into(),
            session_key: format!("agent:main:subagent:early-{number}").into(),
            session_id: format!("early-{number}").into(),
            memory: Memory::Fresh,
            agent: "main".into(),
            input: task,
            overrides: Value::Null,
            resumes: None,
        };
        effects.insert(at, Effect::StartRun(start));
    }
}

/// Knows the labels of refused spawns.
#[derive(Default)]
struct KeepsLabel {
    asked: BTreeMap<CallId, String>,
    taken: BTreeSet<String>,
    refused: Vec<CallId>,
}

impl Meddler for KeepsLabel {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        stimuli.retain(|stimulus| {
            let Some(call) = spawn(stimulus) else {
                return true;
            };
            let Some(label) = call.params["label"].as_str() else {
                return true;
            };
            if self.taken.contains(label) {
                self.refused.push(call.call.clone());
                return false;
            }
            self.asked.insert(call.call.clone(), label.to_owned());
            true
        });
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        let refused = effects.iter().filter_map(refusal);
        let labels = refused.filter_map(|answer| self.asked.remove(&answer.call));
        self.taken.extend(labels);
        effects.extend(self.refused.drain(..).map(|call| {
            let error = "the label is taken; choose another `label`";
            let result = json!({"status": "error", "error": error});
            Effect::Answer(Answer { call, result })
        }));
    }
}

#[derive(Default)]
struct NeedsThread;

impl Decisions for NeedsThread {
    fn session_may_lack_thread(&self, _dial: Permission) -> bool {
        false
    }
}

#[derive(Default)]
struct NoKey;

impl Meddler for NoKey {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::Answer(answer) = effect
                && let Some(result) = answer.result.as_object_mut()
            {
                result.remove("childSessionKey");
            }
        }
    }
}

/// Knows where threads were asked for.
#[derive(Default)]
struct BindsTheChat(BTreeMap<RequestId, moorline_spec::address::Address>);

impl Meddler for BindsTheChat {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::ThreadOpened(opened) = stimulus
                && matches!(opened.outcome, Opened::Refused { .. })
                && let Some(parent) = self.0.get(&opened.request)
            {
                opened.outcome = Opened::Opened { at: parent.clone() };
            }
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::OpenThread(open) = effect {
                self.0.insert(open.request.clone(), open.parent.clone());
            }
        }
    }
}

/// Knows which calls are spawns.
#[derive(Default)]
struct ThreadUnnamed(BTreeSet<CallId>);

impl Meddler for ThreadUnnamed {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        let spawns = stimuli.iter().filter_map(spawn);
        self.0.extend(spawns.map(|call| call.call.clone()));
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if refusal(effect).is_some_and(|answer| self.0.contains(&answer.call))
                && let Effect::Answer(answer) = effect
                && let Some(words) = answer.result["error"].as_str()
                && let Some((before, _)) = words.split_once("; the thread")
            {
                answer.result["error"] = json!(before);
            }
        }
    }
}

#[derive(Default)]
struct AnswersEarly;

impl Decisions for AnswersEarly {
    fn answers_before_persisting(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct WritesNothing;

impl Meddler for WritesNothing {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        effects.retain(|effect| !matches!(effect, Effect::Persist(_)));
    }
}
