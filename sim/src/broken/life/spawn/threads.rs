//! Wrong about threads for children: where they can be opened, for whom, and for how long.

use std::collections::BTreeSet;

use moorline_spec::address::Address;
use moorline_spec::channel::Placement;
use moorline_spec::effect::{Answer, Effect, StartRun};
use moorline_spec::id::{CallId, RunId, Text};
use moorline_spec::stimulus::{Caller, Stimulus};
use moorline_spec::time::Time;
use serde_json::json;

use super::super::super::{Broken, Meddler, deciding, meddled};
use super::spawn;
use crate::reference::{Bindable, Decisions, Expecting, Mode, OptIn, Runtime};

pub(super) fn gateways() -> Vec<Broken> {
    [places(), parents(), runs()]
        .into_iter()
        .flatten()
        .collect()
}

fn places() -> Vec<Broken> {
    vec![
        Broken {
            id: "opens-threads-in-direct-chats",
            rule: "spawn.thread-needs-channel",
            report: Some("SV-006"),
            summary: "A thread is asked for in a direct chat, where the channel opens none.",
            build: deciding::<DirectThreads>,
        },
        Broken {
            id: "binds-where-nothing-binds",
            rule: "spawn.thread-needs-channel",
            report: Some("SV-023"),
            summary: "A threaded child is accepted on a channel that can bind nothing.",
            build: deciding::<BindsAnywhere>,
        },
        Broken {
            id: "threads-for-nobody",
            rule: "spawn.thread-needs-channel",
            report: Some("SV-019"),
            summary: "A threaded child is accepted from a run that answers to no conversation.",
            build: meddled::<ThreadsForNobody>,
        },
        Broken {
            id: "threads-without-an-opt-in",
            rule: "spawn.thread-opt-in",
            report: None,
            summary: "Threads are opened for spawns though nobody opted in.",
            build: deciding::<NoOptIn>,
        },
        Broken {
            id: "only-the-default-account-binds",
            rule: "spawn.thread-explicit",
            report: Some("SV-008"),
            summary: "What binds threads is there for the default account alone.",
            build: deciding::<DefaultAccountOnly>,
        },
    ]
}

fn parents() -> Vec<Broken> {
    vec![
        Broken {
            id: "threads-in-prefixed-parents",
            rule: "spawn.thread-explicit",
            report: Some("SV-007"),
            summary: "The conversation is named to the channel with the gateway's own prefix.",
            build: deciding::<PrefixedParents>,
        },
        Broken {
            id: "threads-inside-threads",
            rule: "spawn.thread-explicit",
            report: Some("SV-009"),
            summary: "From inside a thread, a thread is asked for inside that thread.",
            build: deciding::<ThreadsInThreads>,
        },
        Broken {
            id: "hooks-lost-at-a-reload",
            rule: "spawn.thread-explicit",
            report: Some("SV-025"),
            summary: "After the configuration was read again nothing opens threads any more.",
            build: meddled::<HooksLost>,
        },
    ]
}

fn runs() -> Vec<Broken> {
    vec![
        Broken {
            id: "binding-outlives-its-run",
            rule: "spawn.run-is-one-shot",
            report: Some("SV-026"),
            summary: "The thread of a child in mode run stays bound after its one run was told of.",
            build: deciding::<OutlivesRun>,
        },
        Broken {
            id: "two-runs-for-one-spawn",
            rule: "spawn.run-is-one-shot",
            report: Some("SV-022"),
            summary: "An ACP spawn starts its run twice, in two sessions.",
            build: meddled::<TwoRuns>,
        },
        Broken {
            id: "acp-children-fail-when-told-of",
            rule: "spawn.refusal-leaves-nothing",
            report: Some("SV-010"),
            summary: "An ACP child is refused for its lineage after its run was started.",
            build: meddled::<LineageRefused>,
        },
        Broken {
            id: "acp-runs-owe-nothing",
            rule: "relay.liveness",
            report: Some("SV-027"),
            summary: "Nobody is told of the end of an ACP child in mode run.",
            build: deciding::<AcpOwesNothing>,
        },
    ]
}

#[derive(Default)]
struct DirectThreads;

impl Decisions for DirectThreads {
    fn can_bind(&self, place: &Bindable<'_>) -> bool {
        place.placement != Placement::None
    }
}

#[derive(Default)]
struct BindsAnywhere;

impl Decisions for BindsAnywhere {
    fn can_bind(&self, _place: &Bindable<'_>) -> bool {
        true
    }
}

#[derive(Default)]
struct NoOptIn;

impl Decisions for NoOptIn {
    fn opted_in(&self, _opt_in: &OptIn) -> bool {
        true
    }
}

#[derive(Default)]
struct DefaultAccountOnly;

impl Decisions for DefaultAccountOnly {
    fn can_bind(&self, place: &Bindable<'_>) -> bool {
        place.placement != Placement::None && place.at.account.as_str() == "default"
    }
}

#[derive(Default)]
struct PrefixedParents;

impl Decisions for PrefixedParents {
    fn thread_parent(&self, at: &Address) -> Address {
        Address {
            conversation: format!("channel:{}", at.conversation).into(),
            ..at.without_thread()
        }
    }
}

#[derive(Default)]
struct ThreadsInThreads;

impl Decisions for ThreadsInThreads {
    fn thread_parent(&self, at: &Address) -> Address {
        at.clone()
    }
}

#[derive(Default)]
struct OutlivesRun;

impl Decisions for OutlivesRun {
    fn binding_ends_with_run(&self, _mode: Mode) -> bool {
        false
    }
}

#[derive(Default)]
struct AcpOwesNothing;

impl Decisions for AcpOwesNothing {
    fn owes_completion(&self, child: &Expecting) -> bool {
        child.expected && !(child.runtime == Runtime::Acp && child.mode == Mode::Run)
    }
}

/// Knows the runs that nobody asked for.
#[derive(Default)]
struct ThreadsForNobody {
    texts: BTreeSet<Text>,
    runs: BTreeSet<RunId>,
}

impl Meddler for ThreadsForNobody {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::InternalTurn(turn) = stimulus {
                self.texts.insert(turn.text.clone());
            }
            if let Stimulus::Call(call) = stimulus
                && let Caller::Run(run) = &call.by
                && self.runs.contains(run)
                && let Some(params) = call.params.as_object_mut()
            {
                params.remove("thread");
            }
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect
                && self.texts.contains(&start.input)
            {
                self.runs.insert(start.run.clone());
            }
        }
    }
}

/// Knows whether the configuration was read again.
#[derive(Default)]
struct HooksLost {
    lost: bool,
    refused: Vec<CallId>,
}

impl Meddler for HooksLost {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        stimuli.retain(|stimulus| {
            self.lost |= matches!(stimulus, Stimulus::ConfigChanged(_));
            let threaded = spawn(stimulus).filter(|call| call.params["thread"] == true);
            let Some(call) = threaded.filter(|_| self.lost) else {
                return true;
            };
            self.refused.push(call.call.clone());
            false
        });
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        effects.extend(self.refused.drain(..).map(|call| {
            let error = "thread=true is unavailable because no channel plugin registered \
                         subagent_spawning hooks. Use mode=\"run\".";
            let result = json!({"status": "error", "error": error});
            Effect::Answer(Answer { call, result })
        }));
    }
}

#[derive(Default)]
struct TwoRuns(u32);

impl Meddler for TwoRuns {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        let is_acp = |effect: &Effect| matches!(effect, Effect::StartRun(start) if start.session_key.as_str().contains(":acp:"));
        let Some(at) = effects.iter().position(is_acp) else {
            return;
        };
        if let Effect::StartRun(start) = &effects[at] {
            self.0 += 1;
            let second = StartRun {
                run: format!("turn-{}", self.0).into(),
                session_key: format!("{}-turn", start.session_key).into(),
                session_id: format!("{}-turn", start.session_id).into(),
                ..start.clone()
            };
            effects.insert(at + 1, Effect::StartRun(second));
        }
    }
}

#[derive(Default)]
struct LineageRefused;

impl Meddler for LineageRefused {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::Answer(answer) = effect
                && let Some(key) = answer.result["childSessionKey"].as_str()
                && key.contains(":acp:")
            {
                let error = "spawnedBy is only supported for subagent sessions";
                answer.result = json!({"status": "error", "error": error});
            }
        }
    }
}
