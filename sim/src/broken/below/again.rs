//! Wrong about what a restart does that was done before.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a meddler looks at one thing"
)]

use std::collections::BTreeMap;

use moorline_spec::address::Address;
use moorline_spec::effect::{Effect, Persist, Report, StartRun};
use moorline_spec::id::{DeliveryId, RunId};
use moorline_spec::stimulus::{Delivered, Outcome, Stimulus};
use moorline_spec::time::Time;
use serde_json::Value;

use super::{Broken, Meddler, deciding, meddled, nesting, tells};
use crate::reference::{Decisions, Lost, NestingDecisions, Recovery, Right};

pub(super) fn gateways() -> Vec<Broken> {
    let mut all = done_again();
    all.extend(told_again());
    all
}

/// What was over is done once more.
fn done_again() -> Vec<Broken> {
    vec![
        Broken {
            id: "two-recoveries-at-once",
            rule: "restart.nothing-twice",
            report: Some("RR-003"),
            summary: "Two scans for what died overlap, and each resumes what it finds.",
            build: meddled::<TwoScans>,
        },
        Broken {
            id: "resumes-without-end",
            rule: "restart.nothing-twice",
            report: Some("RR-004"),
            summary: "What dies again after it was resumed is resumed again, after each restart.",
            build: deciding::<ResumesAlways>,
        },
        Broken {
            id: "jobs-that-ended-run-again",
            rule: "restart.nothing-twice",
            report: Some("RR-006"),
            summary: "A job of the clockwork that was over is run again after a restart.",
            build: meddled::<JobsAgain>,
        },
        Broken {
            id: "recovers-the-old-name-again",
            rule: "restart.nothing-twice",
            report: Some("RR-022"),
            summary: "A run that was resumed under another name, and has ended, is resumed again \
                      after the next restart, since the old name is still there.",
            build: meddled::<OldNames>,
        },
        Broken {
            id: "reports-again-at-each-restart",
            rule: "restart.nothing-twice",
            report: None,
            summary: "The last failure is reported again after each restart.",
            build: nesting::<ReportsAgain>,
        },
    ]
}

/// What was told is told once more.
fn told_again() -> Vec<Broken> {
    vec![
        Broken {
            id: "lost-is-told-twice",
            rule: "relay.once",
            report: None,
            summary: "That a run died with the gateway is told by two keepers of its end, a turn each \
                      (W-15).",
            build: meddled::<LostTwice>,
        },
        Broken {
            id: "settled-is-not-written-down",
            rule: "relay.once",
            report: None,
            summary: "That a completion was told is kept in memory, so that the next life tells of it \
                      again (W-4, W-14).",
            build: meddled::<SettledUnwritten>,
        },
        Broken {
            id: "children-that-ended-run-again",
            rule: "relay.once",
            report: None,
            summary: "A child that had ended, and that was told of, is resumed after a restart under \
                      another name, and told of again (W-18).",
            build: meddled::<ChildrenAgain>,
        },
        Broken {
            id: "what-was-posted-counts-as-failed",
            rule: "restart.nothing-twice",
            report: None,
            summary: "A completion that was posted before a restart waits still, as far as is written \
                      down, and is given up after it (W-8).",
            build: meddled::<PostedFailed>,
        },
    ]
}

#[derive(Default)]
struct ResumesAlways;

impl Decisions for ResumesAlways {
    fn recover(&self, lost: &Lost) -> Recovery {
        match lost {
            Lost::Message { .. } => Recovery::Resume,
            Lost::Child { .. } | Lost::Telling | Lost::Sent | Lost::Unasked => Right.recover(lost),
        }
    }
}

#[derive(Default)]
struct ReportsAgain;

impl NestingDecisions for ReportsAgain {
    fn notes_reports(&self) -> bool {
        false
    }
}

/// A run under another name.
fn twin(start: &StartRun, mark: &str) -> Effect {
    Effect::StartRun(StartRun {
        run: format!("{}-{mark}", start.run).into(),
        ..start.clone()
    })
}

fn is_restored(stimuli: &[Stimulus]) -> bool {
    let restored = |stimulus: &Stimulus| matches!(stimulus, Stimulus::Open(open) if open.restored);
    stimuli.iter().any(restored)
}

#[derive(Default)]
struct TwoScans;

impl Meddler for TwoScans {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        let resumed = effects.iter().filter_map(|effect| match effect {
            Effect::StartRun(start) if start.resumes.is_some() => Some(twin(start, "too")),
            _ => None,
        });
        let resumed: Vec<Effect> = resumed.collect();
        effects.extend(resumed);
    }
}

/// Marks a job as due until its life ends.
#[derive(Default)]
struct JobsAgain {
    /// Jobs that were asked for and not begun.
    asked: Vec<String>,
    begun: BTreeMap<RunId, StartRun>,
    ended: Vec<StartRun>,
    again: bool,
    count: u32,
}

impl Meddler for JobsAgain {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        self.again = is_restored(stimuli);
        for stimulus in stimuli {
            match stimulus {
                Stimulus::InternalTurn(turn) => self.asked.push(turn.text.to_string()),
                Stimulus::RunEnded(ended) => {
                    let begun = self.begun.remove(&ended.run);
                    self.ended
                        .extend(begun.filter(|_| ended.outcome == Outcome::Ok));
                }
                _ => (),
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::StartRun(start) = effect
                && self
                    .asked
                    .iter()
                    .any(|asked| start.input.contains(asked.as_str()))
            {
                self.begun.insert(start.run.clone(), start.clone());
            }
        }
        if std::mem::take(&mut self.again) {
            for start in &self.ended {
                self.count += 1;
                effects.push(twin(start, &format!("again-{}", self.count)));
            }
        }
    }
}

/// Keeps the old name of what it resumed.
#[derive(Default)]
struct OldNames {
    resumed: Vec<StartRun>,
    restarts: u32,
    again: bool,
}

impl Meddler for OldNames {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        self.again = is_restored(stimuli);
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        let resumed = effects.iter().filter_map(|effect| match effect {
            Effect::StartRun(start) if start.resumes.is_some() => Some(start.clone()),
            _ => None,
        });
        let new: Vec<StartRun> = resumed.collect();
        if std::mem::take(&mut self.again) {
            self.restarts += 1;
            let mark = format!("again-{}", self.restarts);
            effects.extend(self.resumed.iter().map(|start| twin(start, &mark)));
        }
        self.resumed.extend(new);
    }
}

/// Two keepers of one end.
#[derive(Default)]
struct LostTwice;

impl Meddler for LostTwice {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        let lost = effects.iter().filter_map(|effect| match effect {
            Effect::StartRun(start)
                if tells(&start.input) && start.input.contains("failed (lost)") =>
            {
                Some(twin(start, "too"))
            }
            _ => None,
        });
        let lost: Vec<Effect> = lost.collect();
        effects.extend(lost);
    }
}

/// Takes out of each record what it says of completions that are settled.
#[derive(Default)]
struct SettledUnwritten;

impl Meddler for SettledUnwritten {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            let Effect::Persist(Persist { record }) = effect else {
                continue;
            };
            let Ok(mut changes) = serde_json::from_str::<Vec<Value>>(&record.text()) else {
                continue;
            };
            let before = changes.len();
            changes.retain(|change| change.get("settled").is_none());
            if changes.len() != before {
                *record = Value::Array(changes).to_string().into();
            }
        }
    }
}

/// Resumes children that it has told of.
#[derive(Default)]
struct ChildrenAgain {
    children: BTreeMap<RunId, StartRun>,
    /// The turn that told of a child.
    told: BTreeMap<RunId, StartRun>,
    /// Children that run once more, and the turn that told of each.
    twins: BTreeMap<RunId, StartRun>,
    ended: Vec<StartRun>,
    again: bool,
}

impl Meddler for ChildrenAgain {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        self.again = is_restored(stimuli);
        for stimulus in stimuli {
            if let Stimulus::RunEnded(ended) = stimulus {
                self.ended.extend(self.twins.remove(&ended.run));
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            let Effect::StartRun(start) = effect else {
                continue;
            };
            let named = start
                .input
                .strip_prefix("run ")
                .filter(|_| tells(&start.input));
            if let Some((child, _)) = named.and_then(|rest| rest.split_once(' ')) {
                self.told.insert(child.into(), start.clone());
            } else if start.session_key.as_str().contains(":subagent:") {
                self.children.insert(start.run.clone(), start.clone());
            }
        }
        for turn in self.ended.drain(..) {
            effects.push(twin(&turn, "again"));
        }
        if std::mem::take(&mut self.again) {
            for (child, turn) in std::mem::take(&mut self.told) {
                let Some(start) = self.children.get(&child) else {
                    continue;
                };
                let mut resumed = twin(start, "again");
                if let Effect::StartRun(start) = &mut resumed {
                    start.resumes = Some(child);
                    self.twins.insert(start.run.clone(), turn);
                }
                effects.push(resumed);
            }
        }
    }
}

/// Takes what it posted for what it has to post.
#[derive(Default)]
struct PostedFailed {
    posts: BTreeMap<DeliveryId, (RunId, Address)>,
    posted: Vec<(RunId, Address)>,
    again: bool,
}

impl Meddler for PostedFailed {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        self.again = is_restored(stimuli);
        for stimulus in stimuli {
            if let Stimulus::Receipt(receipt) = stimulus
                && let Some(post) = self.posts.remove(&receipt.delivery)
                && matches!(receipt.outcome, Delivered::Accepted { .. })
            {
                self.posted.push(post);
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::Deliver(deliver) = effect
                && let Some(run) = deliver
                    .key
                    .as_ref()
                    .and_then(|key| key.strip_suffix(".told"))
            {
                let post = (RunId::from(run), deliver.to.clone());
                self.posts.insert(deliver.delivery.clone(), post);
            }
        }
        if std::mem::take(&mut self.again) {
            effects.extend(self.posted.drain(..).map(|(run, to)| {
                Effect::Report(Report::Failed {
                    run,
                    address: Some(to),
                    why: "it waits since before the restart".into(),
                })
            }));
        }
    }
}
