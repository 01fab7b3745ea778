//! Wrong about when a run is over, and how it ended.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a meddler looks at one thing"
)]

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::effect::{Deliver, Effect, StartRun};
use moorline_spec::id::{CallId, RunId, SessionKey, Text};
use moorline_spec::stimulus::{Caller, Outcome, RunEnded, RunProgress, Stimulus};
use moorline_spec::time::{Span, Time};

use super::{Broken, meddled};
use crate::broken::Meddler;

pub(super) fn gateways() -> Vec<Broken> {
    let lists = [early(), untrue(), unheard()];
    lists.into_iter().flatten().collect()
}

/// Ends that are none.
fn early() -> Vec<Broken> {
    vec![
        Broken {
            id: "a-wait-that-is-over-is-an-end",
            rule: "relay.outcome-true",
            report: Some("CT-005"),
            summary: "A child that is waited for longer than a minute is told of as timed out, and \
                      what it ends with is not heard.",
            build: meddled::<WaitIsEnd>,
        },
        Broken {
            id: "progress-is-the-end",
            rule: "relay.outcome-true",
            report: Some("CT-004"),
            summary: "The first thing that a child says is taken for its result.",
            build: meddled::<ProgressIsEnd>,
        },
        Broken {
            id: "a-later-end-counts",
            rule: "relay.outcome-true",
            report: Some("CT-007"),
            summary: "Where news of an end comes twice, the later news is told.",
            build: meddled::<LaterEnd>,
        },
        Broken {
            id: "an-end-twice-is-two-ends",
            rule: "relay.once",
            report: Some("DD-029"),
            summary: "Where news of an end comes twice, it is told twice.",
            build: meddled::<EndTwice>,
        },
    ]
}

/// Ends that are told as others.
fn untrue() -> Vec<Broken> {
    vec![
        Broken {
            id: "an-abort-is-a-success",
            rule: "relay.outcome-true",
            report: Some("CT-006"),
            summary: "Whatever a child said last is its result, however it ended.",
            build: meddled::<AbortIsSuccess>,
        },
        Broken {
            id: "a-failure-has-old-words",
            rule: "relay.outcome-true",
            report: Some("CT-012"),
            summary: "A child that fails is told of by what it said before that.",
            build: meddled::<OldWords>,
        },
        Broken {
            id: "a-result-is-its-beginning",
            rule: "relay.outcome-true",
            report: Some("CT-008"),
            summary: "Of what a child ends with, the first lines are told.",
            build: meddled::<Beginning>,
        },
        Broken {
            id: "progress-out-of-order",
            rule: "relay.progress",
            report: None,
            summary: "Of two things that a child says on its way the second is told first.",
            build: meddled::<OutOfOrder>,
        },
    ]
}

/// Ends that nobody hears of.
fn unheard() -> Vec<Broken> {
    vec![
        Broken {
            id: "the-last-of-several-is-dropped",
            rule: "relay.all-of-n",
            report: Some("CL-043"),
            summary: "Of several children of one run the last to end is not told of.",
            build: meddled::<LastDropped>,
        },
        Broken {
            id: "one-instant-is-one-end",
            rule: "relay.all-of-n",
            report: Some("DD-020"),
            summary: "Of two children that end in the same instant one is told of.",
            build: meddled::<OneInstant>,
        },
        Broken {
            id: "only-good-ends-are-told",
            rule: "relay.liveness",
            report: Some("CL-035"),
            summary: "Whoever waits for a child that fails waits for ever.",
            build: meddled::<OnlyGood>,
        },
        Broken {
            id: "a-kill-mark-hides-the-end",
            rule: "relay.liveness",
            report: Some("CL-044"),
            summary: "The end of a child that somebody wanted to stop is told to nobody.",
            build: meddled::<KillMark>,
        },
        Broken {
            id: "acp-ends-are-not-heard",
            rule: "relay.liveness",
            report: Some("CL-046"),
            summary: "A child behind a protocol of its own runs for ever, as far as anybody hears.",
            build: meddled::<AcpUnheard>,
        },
        Broken {
            id: "compaction-forgets-who-waits",
            rule: "relay.liveness",
            report: Some("CL-054"),
            summary: "A session whose transcript was compacted hears of none of its children.",
            build: meddled::<Compaction>,
        },
    ]
}

/// The runs for which children were spawned: the first run of each session below another.
#[derive(Default)]
pub(super) struct Children {
    runs: BTreeMap<RunId, SessionKey>,
}

impl Children {
    /// Whether a session's key is that of a child.
    fn is_one(key: &SessionKey) -> bool {
        key.as_str().contains(":subagent:") || key.as_str().contains(":acp:")
    }

    /// Takes in what a gateway asked for; a child that begins with it is returned.
    fn meet<'e>(&mut self, effect: &'e Effect) -> Option<&'e StartRun> {
        let Effect::StartRun(start) = effect else {
            return None;
        };
        let known = self.runs.values().any(|key| *key == start.session_key);
        if known || !Self::is_one(&start.session_key) {
            return None;
        }
        self.runs
            .insert(start.run.clone(), start.session_key.clone());
        Some(start)
    }

    fn meet_all(&mut self, effects: &[Effect]) {
        for effect in effects {
            self.meet(effect);
        }
    }

    fn has(&self, run: &RunId) -> bool {
        self.runs.contains_key(run)
    }
}

/// How long a child is waited for.
const PATIENCE: Span = Span::secs(60);

#[derive(Default)]
struct WaitIsEnd {
    children: Children,
    due: BTreeMap<RunId, Time>,
}

impl Meddler for WaitIsEnd {
    fn stimuli(&mut self, now: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli.iter() {
            match stimulus {
                Stimulus::Open(_) => self.due.clear(),
                Stimulus::RunEnded(ended) => drop(self.due.remove(&ended.run)),
                _ => (),
            }
        }
        let over: Vec<RunId> = self
            .due
            .iter()
            .filter(|(_, due)| **due <= now)
            .map(|(run, _)| run.clone())
            .collect();
        for run in over {
            self.due.remove(&run);
            stimuli.push(Stimulus::RunEnded(RunEnded {
                run,
                outcome: Outcome::Timeout,
                text: Text::default(),
            }));
        }
    }

    fn effects(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Some(start) = self.children.meet(effect) {
                self.due.insert(start.run.clone(), now + PATIENCE);
            }
        }
    }

    fn wake_at(&self, wake_at: Option<Time>) -> Option<Time> {
        wake_at.into_iter().chain(self.due.values().copied()).min()
    }
}

#[derive(Default)]
struct ProgressIsEnd {
    children: Children,
}

impl Meddler for ProgressIsEnd {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        let said = stimuli.iter().filter_map(|stimulus| match stimulus {
            Stimulus::RunProgress(said) if self.children.has(&said.run) => Some(said),
            _ => None,
        });
        let ends: Vec<Stimulus> = said
            .map(|said| {
                Stimulus::RunEnded(RunEnded {
                    run: said.run.clone(),
                    outcome: Outcome::Ok,
                    text: said.text.clone(),
                })
            })
            .collect();
        stimuli.extend(ends);
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        self.children.meet_all(effects);
    }
}

/// Puts the words of a later end in the place of those of the first.
#[derive(Default)]
struct LaterEnd {
    first: BTreeMap<RunId, Text>,
    later: Vec<(Text, Text)>,
}

impl Meddler for LaterEnd {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli.iter() {
            let Stimulus::RunEnded(ended) = stimulus else {
                continue;
            };
            match self.first.get(&ended.run) {
                Some(first) => self.later.push((first.clone(), ended.text.clone())),
                None => drop(self.first.insert(ended.run.clone(), ended.text.clone())),
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            let text = match effect {
                Effect::StartRun(start) => &mut start.input,
                Effect::SteerRun(steer) => &mut steer.input,
                Effect::Deliver(Deliver { text, .. }) => text,
                _ => continue,
            };
            for (first, later) in self.later.iter().filter(|(first, _)| !first.is_empty()) {
                *text = text.replace(first.as_str(), later).into();
            }
        }
    }
}

#[derive(Default)]
struct EndTwice {
    /// The turns that were told of an end, by the words of that.
    tellings: Vec<StartRun>,
    ended: BTreeMap<RunId, Text>,
    again: Vec<StartRun>,
}

impl Meddler for EndTwice {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli.iter() {
            let Stimulus::RunEnded(ended) = stimulus else {
                continue;
            };
            let Some(first) = self.ended.get(&ended.run) else {
                self.ended.insert(ended.run.clone(), ended.text.clone());
                continue;
            };
            let told =
                |start: &&StartRun| !first.is_empty() && start.input.contains(first.as_str());
            if let Some(telling) = self.tellings.iter().find(told) {
                self.again.push(StartRun {
                    run: format!("{}-again", telling.run).into(),
                    ..telling.clone()
                });
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::StartRun(start) = effect {
                self.tellings.push(start.clone());
            }
        }
        effects.extend(self.again.drain(..).map(Effect::StartRun));
    }
}

#[derive(Default)]
struct AbortIsSuccess {
    children: Children,
}

impl Meddler for AbortIsSuccess {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            if let Stimulus::RunEnded(ended) = stimulus
                && self.children.has(&ended.run)
                && !ended.text.is_empty()
            {
                ended.outcome = Outcome::Ok;
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        self.children.meet_all(effects);
    }
}

#[derive(Default)]
struct OldWords {
    children: Children,
    said: BTreeMap<RunId, Text>,
}

impl Meddler for OldWords {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli {
            match stimulus {
                Stimulus::RunProgress(said) => {
                    self.said.insert(said.run.clone(), said.text.clone());
                }
                Stimulus::RunEnded(ended)
                    if self.children.has(&ended.run) && ended.outcome != Outcome::Ok =>
                {
                    if let Some(said) = self.said.remove(&ended.run) {
                        (ended.outcome, ended.text) = (Outcome::Ok, said);
                    }
                }
                _ => (),
            }
        }
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        self.children.meet_all(effects);
    }
}

/// How many characters are told.
const BEGINNING: usize = 400;

#[derive(Default)]
struct Beginning;

impl Meddler for Beginning {
    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects {
            if let Effect::StartRun(start) = effect
                && start.input.starts_with("run ")
                && let Some((end, _)) = start.input.char_indices().nth(BEGINNING)
            {
                start.input = Text::from(&start.input[..end]);
            }
        }
    }
}

#[derive(Default)]
struct OutOfOrder {
    held: Option<RunProgress>,
}

impl Meddler for OutOfOrder {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        let told = std::mem::take(stimuli);
        for stimulus in told {
            match (stimulus, self.held.take()) {
                (Stimulus::RunProgress(said), None) => self.held = Some(said),
                (stimulus @ Stimulus::RunEnded(_), Some(held)) => {
                    stimuli.extend([Stimulus::RunProgress(held), stimulus]);
                }
                (stimulus @ Stimulus::RunProgress(_), Some(held)) => {
                    stimuli.extend([stimulus, Stimulus::RunProgress(held)]);
                }
                (stimulus, held) => {
                    self.held = held;
                    stimuli.push(stimulus);
                }
            }
        }
    }
}

#[derive(Default)]
struct LastDropped {
    /// The run that made each spawn.
    asked: BTreeMap<CallId, RunId>,
    /// For each such run its children, and whether they ended.
    broods: BTreeMap<RunId, BTreeMap<RunId, bool>>,
}

impl Meddler for LastDropped {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        for stimulus in stimuli.iter() {
            if let Stimulus::Call(call) = stimulus
                && call.method == "sessions_spawn"
                && let Caller::Run(run) = &call.by
            {
                self.asked.insert(call.call.clone(), run.clone());
            }
        }
        stimuli.retain(|stimulus| {
            let Stimulus::RunEnded(ended) = stimulus else {
                return true;
            };
            let mut broods = self.broods.values_mut();
            let Some(brood) = broods.find(|brood| brood.contains_key(&ended.run)) else {
                return true;
            };
            brood.insert(ended.run.clone(), true);
            brood.len() < 2 || brood.values().any(|ended| !ended)
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        for effect in effects.iter() {
            if let Effect::Answer(answer) = effect
                && let Some(parent) = self.asked.get(&answer.call)
                && let Some(run) = answer.result["runId"].as_str()
            {
                let brood = self.broods.entry(parent.clone()).or_default();
                brood.insert(run.into(), false);
            }
        }
    }
}

#[derive(Default)]
struct OneInstant {
    children: Children,
    last: Option<Time>,
}

impl Meddler for OneInstant {
    fn stimuli(&mut self, now: Time, stimuli: &mut Vec<Stimulus>) {
        let (children, last) = (&self.children, &mut self.last);
        stimuli.retain(|stimulus| {
            let Stimulus::RunEnded(ended) = stimulus else {
                return true;
            };
            !children.has(&ended.run) || last.replace(now) != Some(now)
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        self.children.meet_all(effects);
    }
}

#[derive(Default)]
struct OnlyGood {
    children: Children,
}

impl Meddler for OnlyGood {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        let children = &self.children;
        stimuli.retain(|stimulus| {
            let Stimulus::RunEnded(ended) = stimulus else {
                return true;
            };
            ended.outcome == Outcome::Ok || !children.has(&ended.run)
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        self.children.meet_all(effects);
    }
}

#[derive(Default)]
struct KillMark {
    marked: BTreeSet<RunId>,
    children: Children,
}

impl Meddler for KillMark {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        let marked = &self.marked;
        stimuli.retain(|stimulus| {
            let Stimulus::RunEnded(ended) = stimulus else {
                return true;
            };
            !marked.contains(&ended.run)
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        self.children.meet_all(effects);
        for effect in effects.iter() {
            if let Effect::CancelRun(cancel) = effect
                && self.children.has(&cancel.run)
            {
                self.marked.insert(cancel.run.clone());
            }
        }
    }
}

#[derive(Default)]
struct AcpUnheard {
    children: Children,
}

impl Meddler for AcpUnheard {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        let runs = &self.children.runs;
        stimuli.retain(|stimulus| {
            let Stimulus::RunEnded(ended) = stimulus else {
                return true;
            };
            let key = runs.get(&ended.run);
            key.is_none_or(|key| !key.as_str().contains(":acp:"))
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        self.children.meet_all(effects);
    }
}

#[derive(Default)]
struct Compaction {
    children: Children,
    compacted: bool,
}

impl Meddler for Compaction {
    fn stimuli(&mut self, _: Time, stimuli: &mut Vec<Stimulus>) {
        let (children, compacted) = (&self.children, &mut self.compacted);
        stimuli.retain(|stimulus| match stimulus {
            Stimulus::Compacted(of) => {
                *compacted |= !Children::is_one(&of.session);
                true
            }
            Stimulus::RunEnded(ended) => !(*compacted && children.has(&ended.run)),
            _ => true,
        });
    }

    fn effects(&mut self, _: Time, effects: &mut Vec<Effect>) {
        self.children.meet_all(effects);
    }
}
