//! Wrong about how many children there are.

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::effect::{Answer, Effect};
use moorline_spec::id::{CallId, RunId};
use moorline_spec::stimulus::{Caller, Stimulus};
use moorline_spec::time::Time;
use serde_json::json;

use super::super::super::{Broken, Meddler, deciding, meddled};
use super::spawn;
use crate::reference::{Brood, Decisions, Pool};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "counts-before-it-waits",
            rule: "spawn.limits-hold",
            report: Some("NO-012"),
            summary: "Children are counted before their threads are opened, and all pass together.",
            build: deciding::<CountsEarly>,
        },
        Broken {
            id: "children-of-any-depth",
            rule: "spawn.limits-hold",
            report: None,
            summary: "Nobody asks how deep a child is.",
            build: deciding::<AnyDepth>,
        },
        Broken {
            id: "everybody-works-at-once",
            rule: "spawn.limits-hold",
            report: None,
            summary: "Whatever is accepted is at work at once.",
            build: deciding::<AllAtOnce>,
        },
        Broken {
            id: "coordinators-keep-their-slots",
            rule: "spawn.slots-freed",
            report: Some("NO-011"),
            summary: "A child that has ended counts as active while its own children work.",
            build: deciding::<EndedCount>,
        },
        Broken {
            id: "one-pool-for-all",
            rule: "spawn.slots-freed",
            report: Some("NO-013"),
            summary: "All children share one limit, so that a parent waits for a child that waits for it.",
            build: deciding::<OnePool>,
        },
        Broken {
            id: "restart-keeps-the-slots",
            rule: "spawn.slots-freed",
            report: Some("RR-005"),
            summary: "Children that died with the gateway are counted for ever.",
            build: meddled::<Phantoms>,
        },
    ]
}

#[derive(Default)]
struct CountsEarly;

impl Decisions for CountsEarly {
    fn may_have_child(&self, brood: &Brood) -> bool {
        brood.running < brood.most
    }
}

#[derive(Default)]
struct AnyDepth;

impl Decisions for AnyDepth {
    fn may_go_deeper(&self, _depth: u32, _deepest: u32) -> bool {
        true
    }
}

#[derive(Default)]
struct AllAtOnce;

impl Decisions for AllAtOnce {
    fn may_work(&self, _pool: &Pool) -> bool {
        true
    }
}

#[derive(Default)]
struct EndedCount;

impl Decisions for EndedCount {
    fn may_have_child(&self, brood: &Brood) -> bool {
        brood.running + brood.ended + brood.in_flight < brood.most
    }
}

#[derive(Default)]
struct OnePool;

impl Decisions for OnePool {
    fn may_work(&self, pool: &Pool) -> bool {
        pool.of_all < pool.most
    }
}

/// How many children the profiles that come with moorline allow.
const MOST: usize = 5;

/// Counts children until their ends are heard of, through restarts too.
#[derive(Default)]
struct Phantoms {
    spawns: BTreeSet<CallId>,
    runs: BTreeMap<RunId, CallId>,
    refused: Vec<CallId>,
}

impl Meddler for Phantoms {
    fn stimuli(&mut self, _now: Time, stimuli: &mut Vec<Stimulus>) {
        stimuli.retain(|stimulus| {
            if let Stimulus::RunEnded(ended) = stimulus {
                self.runs.remove(&ended.run);
            }
            let Some(call) = spawn(stimulus).filter(|call| matches!(call.by, Caller::Run(_)))
            else {
                return true;
            };
            if self.runs.len() >= MOST {
                self.refused.push(call.call.clone());
                return false;
            }
            self.spawns.insert(call.call.clone());
            true
        });
    }

    fn effects(&mut self, _now: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::Answer(answer) = effect
                && self.spawns.remove(&answer.call)
                && let Some(run) = answer.result["runId"].as_str()
            {
                self.runs.insert(run.into(), answer.call.clone());
            }
        }
        effects.extend(self.refused.drain(..).map(|call| {
            let error = format!(
                "sessions_spawn has reached max active children for this session ({MOST}/{MOST})"
            );
            let result = json!({"status": "forbidden", "error": error});
            Effect::Answer(Answer { call, result })
        }));
    }
}
