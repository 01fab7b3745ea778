//! Wrong about how a session begins anew, and what it keeps.

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::config::Config;
use moorline_spec::effect::{Effect, Memory};
use moorline_spec::id::{RunId, SessionKey};
use moorline_spec::stimulus::{Outcome, Stimulus};
use moorline_spec::time::Time;
use serde_json::Value;

use super::super::super::{Broken, Meddler, deciding, meddled};
use crate::reference::{Ages, Anew, Decisions, Path, Right};

pub(super) fn gateways() -> Vec<Broken> {
    let mut gateways = due();
    gateways.extend(whole());
    gateways.extend(fenced());
    gateways
}

fn due() -> Vec<Broken> {
    vec![
        Broken {
            id: "touches-before-it-looks",
            rule: "session.idle-reset",
            report: Some("SI-002"),
            summary: "A message counts as the last interaction before anybody asks how long ago \
                      that was.",
            build: deciding::<TouchesFirst>,
        },
        Broken {
            id: "exactly-idle-is-stale",
            rule: "session.idle-reset",
            report: None,
            summary: "A session that was idle exactly as long as it may is reset.",
            build: deciding::<ExactlyIdle>,
        },
        Broken {
            id: "agent-path-is-never-reset",
            rule: "session.daily-reset",
            report: Some("SI-007"),
            summary: "What agents send to each other finds its session as old as it may be, also \
                      where that path is to look at the policy.",
            build: deciding::<AgentPathNeverLooks>,
        },
        Broken {
            id: "no-idle-time-is-taken-for-one",
            rule: "session.idle-reset",
            report: None,
            summary: "An idle time of 0 is taken without a word.",
            build: meddled::<ZeroTaken>,
        },
        Broken {
            id: "kinds-come-before-channels",
            rule: "session.reset-precedence",
            report: None,
            summary: "The policy of a channel is overridden by that of the kind of conversation.",
            build: meddled::<KindsFirst>,
        },
        Broken {
            id: "the-general-policy-wins",
            rule: "session.reset-precedence",
            report: None,
            summary: "What the policy of a kind of conversation says is overridden by the general \
                      one.",
            build: meddled::<GeneralFirst>,
        },
    ]
}

fn whole() -> Vec<Broken> {
    vec![
        Broken {
            id: "a-reset-keeps-the-old-start",
            rule: "session.reset-atomic",
            report: Some("SI-004"),
            summary: "A session that began anew is as old as it was before, and begins anew again.",
            build: deciding::<OldStart>,
        },
        Broken {
            id: "a-due-reset-keeps-the-transcript",
            rule: "session.reset-atomic",
            report: Some("SI-005"),
            summary: "A session whose reset was due gets a new id, and remembers everything.",
            build: deciding::<DueKeepsMemory>,
        },
        Broken {
            id: "a-reset-keeps-what-can-be-resumed",
            rule: "session.reset-atomic",
            report: Some("SI-010"),
            summary: "After `/reset` the agent resumes what it was told to forget.",
            build: deciding::<AskedKeepsMemory>,
        },
        Broken {
            id: "a-due-reset-takes-the-label",
            rule: "session.reset-atomic",
            report: Some("SI-012"),
            summary: "A session whose reset was due has lost its label.",
            build: deciding::<DueTakesLabel>,
        },
        Broken {
            id: "a-failed-run-begins-anew",
            rule: "session.rotates-by-policy-only",
            report: Some("SI-008"),
            summary: "After a run that failed or was stopped the session begins anew.",
            build: meddled::<FailedBeginsAnew>,
        },
        Broken {
            id: "a-close-undoes-the-reset",
            rule: "session.reset-atomic",
            report: Some("SI-038"),
            summary: "A session that was told to forget, and then stopped cleanly, is opened again \
                      with all it knew.",
            build: meddled::<CloseUndoes>,
        },
        Broken {
            id: "a-restart-spares-what-is-due",
            rule: "session.idle-reset",
            report: Some("SI-039"),
            summary: "The first message after a restart continues its session, however old that is.",
            build: meddled::<RestartSpares>,
        },
        Broken {
            id: "a-compacted-session-gets-a-new-id",
            rule: "session.compaction-keeps",
            report: None,
            summary: "A session whose transcript was compacted goes on under another id.",
            build: meddled::<CompactedRenamed>,
        },
    ]
}

fn fenced() -> Vec<Broken> {
    vec![
        Broken {
            id: "queues-outlive-a-reset",
            rule: "session.generation-fenced",
            report: Some("SI-013"),
            summary: "What the clockwork asked of a session before its reset is asked of it after.",
            build: deciding::<QueuesOutlive>,
        },
        Broken {
            id: "a-stopped-run-may-call",
            rule: "session.generation-fenced",
            report: None,
            summary: "A run whose session was reset spawns children in the name of the new one.",
            build: deciding::<StoppedCalls>,
        },
        Broken {
            id: "overrides-stick",
            rule: "session.overrides-not-sticky",
            report: None,
            summary: "The model that was asked for once is the model of every later run.",
            build: meddled::<OverridesStick>,
        },
    ]
}

#[derive(Default)]
struct TouchesFirst;

impl Decisions for TouchesFirst {
    fn reset_due(&self, ages: &Ages) -> bool {
        Right.reset_due(&Ages {
            interacted_at: ages.at,
            ..*ages
        })
    }
}

#[derive(Default)]
struct ExactlyIdle;

impl Decisions for ExactlyIdle {
    fn reset_due(&self, ages: &Ages) -> bool {
        let exactly = |idle| ages.at == ages.interacted_at + idle;
        ages.policy.idle.is_some_and(exactly) || Right.reset_due(ages)
    }
}

#[derive(Default)]
struct AgentPathNeverLooks;

impl Decisions for AgentPathNeverLooks {
    fn evaluates(&self, path: Path, _agent_path_resets: bool) -> bool {
        Right.evaluates(path, false)
    }
}

/// Tells the gateway of a configuration that somebody changed.
fn reconfigured(stimuli: &mut [Stimulus], change: impl Fn(&mut Value)) {
    for stimulus in stimuli {
        let config = if let Stimulus::Open(open) = stimulus {
            &mut open.config
        } else if let Stimulus::ConfigChanged(changed) = stimulus {
            &mut changed.config
        } else {
            continue;
        };
        let mut changed = Value::clone(config);
        change(&mut changed);
        *config = changed.into();
    }
}

#[derive(Default)]
struct ZeroTaken;

impl Meddler for ZeroTaken {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        reconfigured(stimuli, |config| {
            let zero = Config::read(config).is_err();
            if zero && let Some(reset) = config.pointer_mut("/session/reset") {
                reset["idleMinutes"] = Value::Null;
            }
        });
    }
}

#[derive(Default)]
struct KindsFirst;

impl Meddler for KindsFirst {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        reconfigured(stimuli, |config| {
            let typed = config.pointer("/session/resetByType").is_some();
            if typed && let Some(by_channel) = config.pointer_mut("/session/resetByChannel") {
                *by_channel = Value::Object(serde_json::Map::default());
            }
        });
    }
}

#[derive(Default)]
struct GeneralFirst;

impl Meddler for GeneralFirst {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        reconfigured(stimuli, |config| {
            let general = config.pointer("/session/reset").cloned();
            let Some(general) = general.as_ref().and_then(Value::as_object) else {
                return;
            };
            let kinds = config.pointer_mut("/session/resetByType");
            let kinds = kinds.and_then(Value::as_object_mut).into_iter().flatten();
            for (_, kind) in kinds {
                for (name, value) in general {
                    kind[name] = value.clone();
                }
            }
        });
    }
}

#[derive(Default)]
struct OldStart;

impl Decisions for OldStart {
    fn begins_at(&self, old: Time, _now: Time) -> Time {
        old
    }
}

#[derive(Default)]
struct DueKeepsMemory;

impl Decisions for DueKeepsMemory {
    fn forgets(&self, why: Anew) -> bool {
        why != Anew::Due
    }
}

#[derive(Default)]
struct AskedKeepsMemory;

impl Decisions for AskedKeepsMemory {
    fn forgets(&self, why: Anew) -> bool {
        why != Anew::Asked
    }
}

#[derive(Default)]
struct DueTakesLabel;

impl Decisions for DueTakesLabel {
    fn keeps_label(&self, why: Anew) -> bool {
        why != Anew::Due
    }
}

/// Knows which session each run is of, and the sessions whose last run failed.
#[derive(Default)]
struct FailedBeginsAnew {
    runs: BTreeMap<RunId, SessionKey>,
    failed: BTreeSet<SessionKey>,
}

impl Meddler for FailedBeginsAnew {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::RunEnded(ended) = stimulus
                && let Some(key) = self.runs.remove(&ended.run)
                && matches!(ended.outcome, Outcome::Error | Outcome::Killed)
            {
                self.failed.insert(key);
            }
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect {
                self.runs
                    .insert(start.run.clone(), start.session_key.clone());
                if self.failed.remove(&start.session_key) {
                    start.memory = Memory::Fresh;
                }
            }
        }
    }
}

/// Knows whether the gateway was stopped cleanly, and the sessions that had a run before that.
#[derive(Default)]
struct CloseUndoes {
    known: BTreeSet<SessionKey>,
    closed: BTreeSet<SessionKey>,
}

impl Meddler for CloseUndoes {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        if stimuli.iter().any(|s| matches!(s, Stimulus::Stop {})) {
            self.closed.clone_from(&self.known);
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect {
                self.known.insert(start.session_key.clone());
                if self.closed.remove(&start.session_key) {
                    start.memory = Memory::Continue;
                }
            }
        }
    }
}

/// Knows the sessions of earlier lives that had no run in this one.
#[derive(Default)]
struct RestartSpares {
    known: BTreeMap<SessionKey, moorline_spec::id::SessionId>,
    spared: BTreeSet<SessionKey>,
}

impl Meddler for RestartSpares {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        let restored =
            |stimulus: &Stimulus| matches!(stimulus, Stimulus::Open(open) if open.restored);
        if stimuli.iter().any(restored) {
            self.spared = self.known.keys().cloned().collect();
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect {
                if self.spared.remove(&start.session_key) {
                    start.memory = Memory::Continue;
                    if let Some(id) = self.known.get(&start.session_key) {
                        start.session_id = id.clone();
                    }
                }
                self.known
                    .insert(start.session_key.clone(), start.session_id.clone());
            }
        }
    }
}

/// Knows the sessions that were compacted.
#[derive(Default)]
struct CompactedRenamed(BTreeSet<SessionKey>);

impl Meddler for CompactedRenamed {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::Compacted(compacted) = stimulus {
                self.0.insert(compacted.session.clone());
            }
        }
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect
                && self.0.contains(&start.session_key)
            {
                start.session_id = format!("{}-compacted", start.session_id).into();
            }
        }
    }
}

#[derive(Default)]
struct QueuesOutlive;

impl Decisions for QueuesOutlive {
    fn outlives_reset(&self, path: Path) -> bool {
        path == Path::Clockwork || Right.outlives_reset(path)
    }
}

#[derive(Default)]
struct StoppedCalls;

impl Decisions for StoppedCalls {
    fn may_call(&self, _told_to_stop: bool) -> bool {
        true
    }
}

/// Knows what each session was asked to run with last.
#[derive(Default)]
struct OverridesStick(BTreeMap<SessionKey, Value>);

impl Meddler for OverridesStick {
    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect {
                if start.overrides.is_null() {
                    if let Some(last) = self.0.get(&start.session_key) {
                        start.overrides = last.clone();
                    }
                } else {
                    let last = start.overrides.clone();
                    self.0.insert(start.session_key.clone(), last);
                }
            }
        }
    }
}
