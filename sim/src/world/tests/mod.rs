//! Plays against a tiny gateway: it answers each message with a run, and each end of a run with a
//! delivery.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the tiny gateway looks at few things"
)]

use moorline_spec::effect::{
    Answer, CancelRun, Deliver, Effect, Memory, OpenThread, Persist, ProbeThread, StartRun,
    SteerRun,
};
use moorline_spec::observe::Nobody;
use moorline_spec::stimulus::{Delivered, Opened};
use serde_json::json;

use super::*;

mod agents;
mod crashes;
mod rest;
mod threads;

type Also = fn(&mut Echo, Time, &Stimulus, &mut Vec<Effect>);

/// The tiny gateway. Its ids count up over all its lives: it reads them from its disk.
#[derive(Default)]
struct Echo {
    runs: Vec<(RunId, moorline_spec::address::Address)>,
    deliveries: usize,
    /// What it does besides.
    also: Option<Also>,
    wake_at: Option<Time>,
    /// What it found when a life began.
    opened: Vec<(Vec<Text>, Vec<RunId>)>,
}

impl Echo {
    fn with(also: Also) -> Self {
        Self {
            also: Some(also),
            ..Self::default()
        }
    }

    fn start(&mut self, at: moorline_spec::address::Address, key: &str, input: Text) -> Effect {
        let run = RunId::from(format!("run-{}", self.runs.len() + 1));
        self.runs.push((run.clone(), at));
        Effect::StartRun(StartRun {
            run,
            session_key: key.into(),
            session_id: "s".into(),
            memory: Memory::Continue,
            agent: "main".into(),
            input,
            overrides: Value::Null,
            resumes: None,
        })
    }

    fn deliver(&mut self, to: moorline_spec::address::Address, text: &str) -> Deliver {
        self.deliveries += 1;
        Deliver {
            delivery: format!("d{}", self.deliveries).into(),
            to,
            text: text.into(),
            key: None,
            repeat: false,
        }
    }
}

impl Gateway for Echo {
    type Error = String;

    fn handle(
        &mut self,
        now: Time,
        stimuli: &[Stimulus],
        effects: &mut Vec<Effect>,
    ) -> Result<(), String> {
        for stimulus in stimuli {
            match stimulus {
                Stimulus::Open(open) => self.opened.push((open.disk.clone(), open.alive.clone())),
                Stimulus::Inbound(inbound) => {
                    effects.push(Effect::Persist(Persist {
                        record: inbound.text.clone().into(),
                    }));
                    let key = format!("agent:main:{}", inbound.at);
                    let start = self.start(inbound.at.clone(), &key, inbound.text.clone());
                    effects.push(start);
                }
                Stimulus::RunEnded(ended) if !ended.text.is_empty() => {
                    let at = self.runs.iter().find(|(run, _)| *run == ended.run);
                    let deliver = self.deliver(at.unwrap().1.clone(), &ended.text);
                    effects.push(Effect::Deliver(deliver));
                }
                Stimulus::Wake {} => self.wake_at = None,
                _ => (),
            }
            if let Some(also) = self.also {
                also(self, now, stimulus, effects);
            }
        }
        Ok(())
    }

    fn wake_at(&self) -> Option<Time> {
        self.wake_at
    }
}

fn scenario(mut value: Value) -> Scenario {
    let people = json!({
        "alice": {"channel": "telegram"},
        "bob": {"channel": "discord", "conversation": "general", "kind": "group"},
        "carol": {"channel": "whatsapp"},
        "dave": {"channel": "slack"},
    });
    value["title"] = "a test".into();
    value["people"] = people;
    serde_json::from_value(value).unwrap()
}

fn played(value: Value, gateway: &mut Echo, disk: Disk, observer: &mut impl Observer) -> Trace {
    let profile = Profile::target();
    let stage = Stage {
        profile: &profile,
        disk,
    };
    let played = play(&scenario(value), &stage, gateway, observer);
    played.end.unwrap();
    played.trace
}

fn lines(trace: &Trace) -> Vec<String> {
    trace.entries.iter().filter_map(line).collect()
}

fn line(entry: &Entry) -> Option<String> {
    let names = |markers: &[Marker]| {
        markers
            .iter()
            .map(|marker| format!(" {marker}"))
            .collect::<String>()
    };
    let what = match &entry.what {
        What::Stimulus(Stimulus::Open(open)) => format!("open restored={}", open.restored),
        What::Stimulus(Stimulus::Inbound(inbound)) => format!("inbound {}", inbound.message),
        What::Stimulus(Stimulus::RunStarted(start)) => {
            format!("{} {:?}", start.run, start.outcome).to_lowercase()
        }
        What::Stimulus(Stimulus::RunEnded(end)) => {
            format!(
                "{} ends {}{}",
                end.run,
                end.outcome.as_str(),
                names(&entry.own)
            )
        }
        What::Stimulus(Stimulus::Receipt(receipt)) => match &receipt.outcome {
            Delivered::Accepted { message } => format!("{} accepted {message}", receipt.delivery),
            Delivered::Refused { why, .. } => format!("{} refused: {why}", receipt.delivery),
            Delivered::Unknown {} => format!("{} unknown", receipt.delivery),
        },
        What::Stimulus(Stimulus::ThreadOpened(opened)) => match &opened.outcome {
            Opened::Opened { at } => format!("opened {at}"),
            Opened::Refused { why } => format!("no thread: {why}"),
            Opened::Unknown {} => "thread unknown".to_owned(),
        },
        What::Stimulus(Stimulus::ThreadProbed(probed)) => format!("probed {:?}", probed.state),
        What::Stimulus(Stimulus::Steered(steered)) => format!("steered {:?}", steered.outcome),
        What::Stimulus(Stimulus::Call(call)) => format!("call {} {}", call.call, call.params),
        What::Stimulus(Stimulus::Wake {}) => "wake".to_owned(),
        What::Stimulus(_) => "told".to_owned(),
        What::Effect(Effect::StartRun(start)) => format!("start {}", start.run),
        What::Effect(Effect::Deliver(deliver)) => {
            format!("deliver {}{}", deliver.delivery, names(&entry.markers))
        }
        What::Effect(_) => return None,
        What::World(Happening::Posted { at, message, .. }) => {
            format!("posted {message} at {at}{}", names(&entry.markers))
        }
        What::World(Happening::Rest(rest)) => format!("{rest:?}").to_lowercase(),
        What::World(Happening::Crashed { lost, kept }) => {
            format!("crash lost={} kept={}", lost.len(), kept.len())
        }
        What::World(other) => serde_json::to_string(other).unwrap(),
    };
    Some(format!("{} {what}", entry.at.0))
}

#[track_caller]
fn check(value: Value, gateway: &mut Echo, disk: Disk, expected: &[&str]) {
    let trace = played(value, gateway, disk, &mut Nobody);
    assert_eq!(lines(&trace), expected, "{:#?}", lines(&trace));
}

#[track_caller]
fn check_within(value: Value, gateway: &mut Echo, disk: Disk, expected: &[&str]) {
    let all = lines(&played(value, gateway, disk, &mut Nobody));
    let mut rest = all.iter();
    for line in expected {
        assert!(
            rest.any(|seen| seen == line),
            "no {line:?} in its place in {all:#?}"
        );
    }
}

#[test]
fn a_message_is_answered_and_the_play_rests() {
    let steps = json!({"steps": [{"says": "alice", "text": "hello"}]});
    let expected = [
        "0 open restored=false",
        "0 inbound m1",
        "0 start run-1",
        "10 run-1 started",
        "300 run-1 ends ok m1.1",
        "300 deliver d1 m1 m1.1",
        "325 posted post-1 at telegram/alice m1 m1.1",
        "350 d1 accepted post-1",
        "350 {\"healing\":{}}",
        "350 settled",
    ];
    check(steps, &mut Echo::default(), Disk::Harness, &expected);
}

#[test]
fn at_one_instant_answers_come_before_steps_before_agents_before_wakes() {
    // The receipt of d1 is due at 350; so are a step, the progress of a run, and a wake.
    let steps = json!({"steps": [
        {"says": "alice", "text": "hello"},
        {"at": "310ms", "says": "bob", "text": "hi", "agent": [{"progress": "working"}]},
        {"at": "350ms", "says": "alice", "text": "again"},
    ]});
    let mut gateway = Echo::with(|echo, now, stimulus, _| {
        if let Stimulus::Open(_) = stimulus {
            echo.wake_at = Some(now + Span::ms(350));
        }
    });
    let trace = played(steps, &mut gateway, Disk::None, &mut Nobody);
    let at_350: Vec<String> = trace
        .entries
        .iter()
        .filter(|entry| entry.at == Time(350) && matches!(entry.what, What::Stimulus(_)))
        .filter_map(line)
        .collect();
    assert_eq!(
        at_350,
        [
            "350 d1 accepted post-1",
            "350 inbound m3",
            "350 told",
            "350 wake"
        ]
    );
}

#[test]
fn what_arrives_at_once_is_told_in_one_slice() {
    let steps = json!({"steps": [
        {"at_once": [{"says": "alice", "text": "a"}, {"says": "bob", "text": "b"}]}]});
    let expected = [
        "0 open restored=false",
        "0 inbound m1.1",
        "0 inbound m1.2",
        "0 start run-1",
        "0 start run-2",
    ];
    check_within(steps, &mut Echo::default(), Disk::None, &expected);
}

#[test]
fn a_key_is_recognised_where_the_channel_does_so() {
    let gateway = || {
        Echo::with(|echo, _, stimulus, effects| {
            if let Stimulus::RunEnded(_) = stimulus {
                let Some(Effect::Deliver(deliver)) = effects.last_mut() else {
                    return;
                };
                deliver.key = Some("k".into());
                let (to, text) = (deliver.to.clone(), deliver.text.clone());
                let again = Deliver {
                    key: Some("k".into()),
                    ..echo.deliver(to, &text)
                };
                effects.push(Effect::Deliver(again));
            }
        })
    };
    let bob = json!({"steps": [{"says": "bob", "text": "hi"}]});
    let recognised = [
        "325 posted post-1 at discord/general m1 m1.1",
        "325 {\"recognised\":{\"delivery\":\"d2\",\"message\":\"post-1\"}}",
        "350 d1 accepted post-1",
        "350 d2 accepted post-1",
    ];
    check_within(bob, &mut gateway(), Disk::None, &recognised);
    let alice = json!({"steps": [{"says": "alice", "text": "hi"}]});
    let posted = ["350 d1 accepted post-1", "350 d2 accepted post-2"];
    check_within(alice, &mut gateway(), Disk::None, &posted);
}

#[test]
fn receipts_follow_the_plan_until_the_world_heals() {
    let fault = |fault: Value| {
        let steps = json!([{"says": "alice", "text": "hi", "as": "a"}]);
        json!({"steps": steps, "faults": [{"receipt": fault}]})
    };
    let row = |value: Value, expected: &[&str]| {
        check_within(value, &mut Echo::default(), Disk::None, expected);
    };
    row(
        fault(json!({"of": "a", "outcome": "permanent"})),
        &["350 d1 refused: refused by the channel"],
    );
    row(
        fault(json!({"to": "alice", "outcome": "unknown_lost"})),
        &["350 d1 unknown"],
    );
    let happened = [
        "325 posted post-1 at telegram/alice a a.1",
        "350 d1 unknown",
    ];
    row(fault(json!({"outcome": "unknown_happened"})), &happened);
    row(
        fault(json!({"to": "bob", "outcome": "permanent"})),
        &["350 d1 accepted post-1"],
    );
    // A delay ends with the healing.
    row(
        fault(json!({"delay": "2h"})),
        &["325 {\"healing\":{}}", "325 d1 accepted post-1"],
    );
}

#[test]
fn a_channel_refuses_what_it_cannot_post() {
    let long = json!({"steps": [
        {"says": "alice", "text": "hi", "agent": [{"end": {"text": "long", "length": 5000}}]}]});
    check_within(
        long,
        &mut Echo::default(),
        Disk::None,
        &["90 d1 refused: the text is too long"],
    );
    let late = json!({"steps": [{"says": "carol", "text": "hi", "agent": [{"wait": "24h"}]}]});
    let closed = ["86400090 d1 refused: the reply window is closed"];
    check_within(late, &mut Echo::default(), Disk::None, &closed);
    let mut lost = Echo::with(|_, _, stimulus, effects| {
        if let Stimulus::RunEnded(_) = stimulus
            && let Some(Effect::Deliver(deliver)) = effects.last_mut()
        {
            deliver.to.account = "other".into();
        }
    });
    let steps = json!({"steps": [{"says": "alice", "text": "hi"}]});
    check_within(
        steps,
        &mut lost,
        Disk::None,
        &["350 d1 refused: no such conversation"],
    );
}

#[test]
fn the_same_play_leaves_the_same_trace() {
    let steps = || {
        json!({"steps": [
            {"says": "alice", "text": "hi", "as": "a", "agent": [{"recall": true}, {"wait": "1s"}]},
            {"says": "bob", "text": "hi"},
            {"crash": {"after": "accepted", "of": "a", "runs": "kept"}},
        ], "faults": [{"receipt": {"outcome": "transient", "times": 3}}]})
    };
    let one = played(steps(), &mut Echo::default(), Disk::Harness, &mut Nobody);
    let two = played(steps(), &mut Echo::default(), Disk::Harness, &mut Nobody);
    assert_eq!(one.to_lines(), two.to_lines());
}

#[test]
fn odd_effects_do_no_harm() {
    let mut odd = Echo::with(|_, _, stimulus, effects| {
        if let Stimulus::Inbound(_) = stimulus {
            let again = effects.clone();
            effects.extend(again);
            let result = json!({"status": "ok"});
            effects.push(Effect::Answer(Answer {
                call: "nobody".into(),
                result,
            }));
            let (steer, run, input) = ("x".into(), "nobody".into(), "hello".into());
            effects.push(Effect::SteerRun(SteerRun { steer, run, input }));
        }
    });
    let steps = json!({"steps": [
        {"says": "alice", "text": "hi"},
        {"ends": "m1"},
        {"posts": "m1", "text": "too late"},
        {"thread_becomes": "gone", "in": {"thread": 3}},
        {"admin": "reset", "session": "bob"},
    ]});
    let expected = ["10 run-1 refused", "20 steered Refused"];
    check_within(steps, &mut odd, Disk::None, &expected);
}
