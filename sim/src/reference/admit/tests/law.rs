//! A law: whatever the order of spawns, threads that come late or not at all, starts that are
//! refused and ends, the limits hold, and in the end every place is free.

use moorline_spec::address::Address;
use moorline_spec::channel::{Placement, Threading};
use moorline_spec::effect::Effect;
use moorline_spec::id::{RequestId, RunId};
use moorline_spec::stimulus::{
    Opened, Outcome, RunEnded, RunStarted, Start, Steered, Steering, Stimulus, ThreadOpened,
};
use proptest::prelude::*;
use serde_json::json;

use super::{Play, alice};

const MOST: usize = 3;
const AT_ONCE: usize = 2;

/// What the gateway asked for and has no answer to, and what is at work.
#[derive(Default)]
struct Open {
    threads: Vec<RequestId>,
    starts: Vec<RunId>,
    running: Vec<RunId>,
    accepted: usize,
    refused: usize,
}

impl Open {
    /// Takes in effects. A steer is taken at once, and so is a cancel.
    fn take(&mut self, play: &mut Play, effects: Vec<Effect>) {
        for effect in effects {
            let answer = match effect {
                Effect::OpenThread(open) => {
                    self.threads.push(open.request);
                    continue;
                }
                Effect::StartRun(start) => {
                    self.starts.push(start.run);
                    continue;
                }
                Effect::Answer(answer) => {
                    let accepted = answer.result["status"] == "accepted";
                    self.accepted += usize::from(accepted);
                    self.refused += usize::from(!accepted);
                    continue;
                }
                Effect::SteerRun(steer) => Stimulus::Steered(Steered {
                    steer: steer.steer,
                    outcome: Steering::Taken,
                }),
                Effect::CancelRun(cancel) => {
                    self.starts.retain(|run| *run != cancel.run);
                    self.running.retain(|run| *run != cancel.run);
                    ended(cancel.run, Outcome::Killed)
                }
                _ => continue,
            };
            let effects = play.tell(answer);
            self.take(play, effects);
        }
    }

    fn at_work(&self) -> usize {
        self.starts.len() + self.running.len()
    }
}

fn ended(run: RunId, outcome: Outcome) -> Stimulus {
    let text = "done".into();
    Stimulus::RunEnded(RunEnded { run, outcome, text })
}

fn pick<T>(all: &mut Vec<T>, which: usize) -> Option<T> {
    (!all.is_empty()).then(|| all.remove(which % all.len()))
}

/// One thing happens, if it can.
fn happens(play: &mut Play, open: &mut Open, what: u8, which: usize) {
    let stimulus = match what {
        0 | 1 => {
            let effects = play.call(json!({"thread": what == 0, "mode": "run"}));
            return open.take(play, effects);
        }
        2 => pick(&mut open.threads, which).map(|request| {
            let thread = Some(format!("t-{request}").into());
            let at = Address { thread, ..alice() };
            let outcome = match which % 4 {
                0 => Opened::Refused { why: "full".into() },
                1 => Opened::Unknown {},
                _ => Opened::Opened { at },
            };
            Stimulus::ThreadOpened(ThreadOpened { request, outcome })
        }),
        3 => pick(&mut open.starts, which).map(|run| {
            let outcome = match which % 5 {
                0 => Start::Refused,
                1 => Start::Unknown,
                _ => Start::Started,
            };
            if outcome == Start::Started {
                open.running.push(run.clone());
            }
            Stimulus::RunStarted(RunStarted { run, outcome })
        }),
        4 => pick(&mut open.running, which).map(|run| {
            let outcomes = [Outcome::Ok, Outcome::Error, Outcome::Timeout, Outcome::Lost];
            ended(run, outcomes[which % outcomes.len()])
        }),
        _ => {
            play.sleep();
            Some(Stimulus::Wake {})
        }
    };
    if let Some(stimulus) = stimulus {
        let effects = play.tell(stimulus);
        open.take(play, effects);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_keeps_the_limits_and_frees_the_places(
        events in prop::collection::vec((0..6_u8, any::<u16>()), 0..80),
    ) {
        let config = json!({
            "channels": {"chat": {"threadBindings": {"spawnSubagentSessions": true}}},
            "agents": {"defaults": {"subagents": {
                "maxChildrenPerAgent": MOST, "maxConcurrent": AT_ONCE,
            }}},
        });
        let mut play = Play::with(Placement::Child, Threading::default(), config);
        let mut open = Open::default();
        for (what, which) in events {
            happens(&mut play, &mut open, what, which.into());
            prop_assert!(open.at_work() <= AT_ONCE, "{} at work", open.at_work());
            let children = open.threads.len() + open.at_work();
            prop_assert!(children <= MOST, "{children} children");
        }
        // Everything comes to its end, one thing after the other.
        for round in 0..200 {
            happens(&mut play, &mut open, 2 + (round % 4) as u8, 7);
        }
        prop_assert_eq!((open.threads.len(), open.at_work()), (0, 0));
        let before = (open.accepted, open.refused);
        for _ in 0..=MOST {
            let effects = play.call(json!({"mode": "run"}));
            open.take(&mut play, effects);
            while let Some(run) = open.starts.pop() {
                open.running.push(run.clone());
                let effects = play.tell(Stimulus::RunStarted(RunStarted {
                    run,
                    outcome: Start::Started,
                }));
                open.take(&mut play, effects);
            }
        }
        prop_assert_eq!((open.accepted, open.refused), (before.0 + MOST, before.1 + 1));
    }
}
