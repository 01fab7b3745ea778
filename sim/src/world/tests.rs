//! Plays against a tiny gateway: it answers each message with a run, and each end of a run with a
//! delivery.

use moorline_spec::effect::{
    Answer, CancelRun, Deliver, Effect, Memory, OpenThread, Persist, ProbeThread, StartRun,
    SteerRun,
};
use moorline_spec::observe::Nobody;
use moorline_spec::stimulus::{Delivered, Opened};
use serde_json::json;

use super::*;

/// The tiny gateway. Its ids count up over all its lives: it reads them from its disk.
#[derive(Default)]
struct Echo {
    runs: Vec<(RunId, moorline_spec::address::Address)>,
    deliveries: usize,
    /// What it does besides.
    also: Option<fn(&mut Echo, Time, &Stimulus, &mut Vec<Effect>)>,
    wake_at: Option<Time>,
    /// What it found when a life began.
    opened: Vec<(Vec<Text>, Vec<RunId>)>,
}

impl Echo {
    fn with(also: fn(&mut Self, Time, &Stimulus, &mut Vec<Effect>)) -> Self {
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
                        record: inbound.text.clone(),
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

fn opens_a_thread() -> Echo {
    Echo::with(|echo, _, stimulus, effects| match stimulus {
        Stimulus::Inbound(inbound) => effects.push(Effect::OpenThread(OpenThread {
            request: "q1".into(),
            parent: inbound.at.clone(),
            name: "work".into(),
            session_key: "agent:main:work".into(),
        })),
        Stimulus::ThreadOpened(opened) => {
            if let Opened::Opened { at } = &opened.outcome {
                let deliver = echo.deliver(at.clone(), "welcome");
                effects.push(Effect::Deliver(deliver));
            }
        }
        Stimulus::ThreadChanged(changed) => {
            let (request, address) = ("q2".into(), changed.at.clone());
            effects.push(Effect::ProbeThread(ProbeThread { request, address }));
        }
        _ => (),
    })
}

#[test]
fn threads_are_opened_refused_or_nobody_knows() {
    let bob = |faults: Value| {
        let steps = json!([
            {"says": "bob", "text": "hi"},
            {"at": "1s", "thread_becomes": "locked", "in": {"thread": 1}}]);
        json!({"steps": steps, "faults": faults})
    };
    let row = |value: Value, expected: &[&str]| {
        check_within(value, &mut opens_a_thread(), Disk::None, expected);
    };
    let opened = [
        "200 opened discord/general#t1",
        "225 posted post-1 at discord/general#t1",
        "1050 probed Locked",
    ];
    row(bob(json!([])), &opened);
    row(
        bob(json!([{"thread": {"refused": true}}])),
        &["200 no thread: refused by the channel"],
    );
    let unknown = ["200 thread unknown", "1050 probed Locked"];
    row(bob(json!([{"thread": {"unknown": true}}])), &unknown);
    let alice = json!({"steps": [{"says": "alice", "text": "hi"}]});
    row(alice, &["200 no thread: the channel opens no threads"]);
}

#[test]
fn a_thread_archives_and_a_message_brings_it_back() {
    let steps = json!({"steps": [
        {"says": "bob", "text": "hi"},
        {"at": "30h", "thread_becomes": "archived", "in": {"thread": 1}},
        {"at": "31h", "says": "bob", "in": {"thread": 1}, "text": "still there?"},
    ]});
    let back = [
        "108000050 probed Archived",
        "111600000 {\"thread\":{\"at\":{\"channel\":\"discord\",\"account\":\"default\",\
         \"conversation\":\"general\",\"thread\":\"t1\"},\"state\":\"live\"}}",
        "111600000 inbound m3",
    ];
    check_within(steps, &mut opens_a_thread(), Disk::None, &back);
}

#[test]
fn scripts_call_wait_for_answers_and_know_their_children() {
    let steps = json!({"steps": [
        {"says": "alice", "text": "go", "agent": [
            {"spawn": {"as": "r1", "task": "refactor", "mode": "run"}},
            {"send": {"as": "s1", "to": "r1", "text": "hurry"}},
            {"call": {"as": "c1", "method": "sessions_list", "params": {"of": "$r1"}}},
        ]},
        {"at": "1s", "ends": "r1", "text": "done"},
    ]});
    let mut gateway = Echo::with(|echo, _, stimulus, effects| {
        if let Stimulus::Call(call) = stimulus {
            if let Some(task) = call.params["task"].as_str() {
                let at = echo.runs[0].1.clone();
                let start = echo.start(at, "agent:main:child", task.into());
                effects.push(start);
            }
            let result = json!({"status": "accepted", "childSessionKey": "agent:main:child"});
            effects.push(Effect::Answer(Answer {
                call: call.call.clone(),
                result,
            }));
        }
    });
    let expected = [
        "40 call r1 {\"mode\":\"run\",\"task\":\"refactor ⟦r1⟧\"}",
        "80 call s1 {\"message\":\"hurry ⟦s1⟧\",\"sessionKey\":\"agent:main:child\"}",
        "120 call c1 {\"of\":\"agent:main:child\"}",
        "160 run-1 ends ok m1.1",
        "1000 run-2 ends ok r1.1",
        "1000 deliver d2 r1 r1.1",
    ];
    check_within(steps, &mut gateway, Disk::None, &expected);
}

#[test]
fn a_text_is_steered_in_and_a_run_is_stopped() {
    let steps = json!({"steps": [
        {"says": "alice", "text": "go", "agent": [{"stay": true}]},
        {"at": "1s", "says": "alice", "text": "also this"},
        {"at": "2s", "says": "alice", "text": "stop"},
    ]});
    let mut gateway = Echo::with(|_, now, stimulus, effects| {
        let Stimulus::Inbound(inbound) = stimulus else {
            return;
        };
        if now == Time(1_000) {
            effects.clear();
            let (steer, input) = ("x".into(), inbound.text.clone());
            effects.push(Effect::SteerRun(SteerRun {
                steer,
                run: "run-1".into(),
                input,
            }));
        } else if now == Time(2_000) {
            effects.clear();
            effects.push(Effect::CancelRun(CancelRun {
                run: "run-1".into(),
            }));
            effects.push(Effect::CancelRun(CancelRun {
                run: "nobody".into(),
            }));
        }
    });
    let expected = ["1020 steered Taken", "2020 run-1 ends killed"];
    check_within(steps, &mut gateway, Disk::None, &expected);
}

#[test]
fn a_cut_marker_is_told_by_the_piece_that_completes_it() {
    let mut gateway = Echo::with(|echo, _, stimulus, effects| {
        if let Stimulus::RunEnded(_) = stimulus
            && let Some(Effect::Deliver(deliver)) = effects.pop()
        {
            let cut = deliver.text.find("m1.1").unwrap() + 2;
            let (one, two) = deliver.text.split_at(cut);
            let first = Deliver {
                text: one.into(),
                ..deliver.clone()
            };
            effects.push(Effect::Deliver(first));
            let second = echo.deliver(deliver.to.clone(), two);
            effects.push(Effect::Deliver(second));
        }
    });
    let steps = json!({"steps": [{"says": "alice", "text": "hello"}]});
    let expected = [
        "300 deliver d1 m1",
        "300 deliver d2 m1.1",
        "325 posted post-1 at telegram/alice m1",
        "325 posted post-2 at telegram/alice m1.1",
    ];
    check_within(steps, &mut gateway, Disk::None, &expected);
}

#[test]
fn a_message_is_late_and_comes_again() {
    let steps = json!({"steps": [{"says": "alice", "text": "hi", "as": "a"}, {"at": "1m", "note": "later"}],
        "faults": [{"inbound": {"of": "a", "delay": "5s", "repeats": 2}}]});
    let trace = played(steps, &mut Echo::default(), Disk::None, &mut Nobody);
    let seen: Vec<_> = trace
        .entries
        .iter()
        .filter(|entry| matches!(entry.what, What::Stimulus(Stimulus::Inbound(_))))
        .map(|entry| (entry.at.0, entry.own.len(), entry.markers.len()))
        .collect();
    assert_eq!(seen, [(5_000, 1, 1), (65_000, 0, 1), (125_000, 0, 1)]);
}

fn crash(crash: Value) -> Value {
    json!({"steps": [{"says": "alice", "text": "hi", "as": "a"}, {"crash": crash}]})
}

#[track_caller]
fn crashes(at: Value, disk: Disk, expected: &[&str]) {
    let all = lines(&played(
        crash(at.clone()),
        &mut Echo::default(),
        disk,
        &mut Nobody,
    ));
    let from = all
        .iter()
        .position(|line| line.contains("crash"))
        .unwrap_or(all.len());
    let around = &all[from.saturating_sub(1)..all.len().min(from + 2)];
    assert_eq!(around, expected, "{at}: {all:#?}");
}

#[test]
fn a_crash_falls_at_its_anchor_where_the_harness_holds_the_disk() {
    let row = |at: Value, expected: [&str; 3]| crashes(at, Disk::Harness, &expected);
    row(
        json!({"before": "started", "of": "a"}),
        [
            "0 inbound a",
            "0 crash lost=0 kept=0",
            "1000 open restored=true",
        ],
    );
    row(
        json!({"after": "started", "of": "a"}),
        [
            "0 start run-1",
            "0 crash lost=1 kept=0",
            "1000 open restored=true",
        ],
    );
    row(
        json!({"before": "ended", "of": "a", "down": "5s"}),
        [
            "10 run-1 started",
            "300 crash lost=1 kept=0",
            "5300 open restored=true",
        ],
    );
    row(
        json!({"before": "ended", "of": "a", "runs": "kept"}),
        [
            "10 run-1 started",
            "300 crash lost=0 kept=1",
            "1300 open restored=true",
        ],
    );
    row(
        json!({"after": "ended", "of": "a"}),
        [
            "300 run-1 ends ok a.1",
            "300 crash lost=0 kept=0",
            "1300 open restored=true",
        ],
    );
    row(
        json!({"after": "ended", "before": "deliver", "of": "a"}),
        [
            "300 run-1 ends ok a.1",
            "300 crash lost=0 kept=0",
            "1300 open restored=true",
        ],
    );
    row(
        json!({"after": "deliver", "of": "a"}),
        [
            "300 deliver d1 a a.1",
            "300 crash lost=0 kept=0",
            "325 posted post-1 at telegram/alice a a.1",
        ],
    );
    row(
        json!({"after": "accepted", "before": "receipt", "of": "a"}),
        [
            "325 posted post-1 at telegram/alice a a.1",
            "350 crash lost=0 kept=0",
            "1350 open restored=true",
        ],
    );
    row(
        json!({"after": "receipt", "of": "a"}),
        [
            "350 d1 accepted post-1",
            "350 crash lost=0 kept=0",
            "1350 open restored=true",
        ],
    );
    row(
        json!({"effects": 0}),
        [
            "0 inbound a",
            "0 crash lost=0 kept=0",
            "1000 open restored=true",
        ],
    );
    row(
        json!({"effects": 2}),
        [
            "0 start run-1",
            "0 crash lost=1 kept=0",
            "1000 open restored=true",
        ],
    );
}

#[test]
fn a_crash_falls_between_replies_where_the_gateway_holds_its_disk() {
    let row = |at: Value, expected: [&str; 3]| crashes(at, Disk::Own, &expected);
    row(
        json!({"before": "started", "of": "a"}),
        [
            "0 inbound a",
            "0 crash lost=0 kept=0",
            "1000 open restored=true",
        ],
    );
    row(
        json!({"after": "ended", "of": "a"}),
        [
            "300 deliver d1 a a.1",
            "300 crash lost=0 kept=0",
            "325 posted post-1 at telegram/alice a a.1",
        ],
    );
    row(
        json!({"reply_withheld": true}),
        [
            "0 inbound a",
            "0 crash lost=0 kept=0",
            "1000 open restored=true",
        ],
    );
    crashes(json!({}), Disk::None, &["350 settled"]);
}

#[test]
fn the_next_life_finds_its_disk_and_the_runs_that_were_kept() {
    let mut gateway = Echo::default();
    let value = crash(json!({"before": "ended", "of": "a", "runs": "kept"}));
    let expected = [
        "1300 open restored=true",
        "1300 run-1 ends ok a.1",
        "1300 deliver d1 a a.1",
    ];
    check_within(value, &mut gateway, Disk::Harness, &expected);
    let kept = (vec![Text::from("hi ⟦a⟧")], vec![RunId::from("run-1")]);
    assert_eq!(gateway.opened, [(vec![], vec![]), kept]);
    // A crash before the first record leaves an empty disk.
    let mut gateway = Echo::default();
    played(
        crash(json!({"effects": 0})),
        &mut gateway,
        Disk::Harness,
        &mut Nobody,
    );
    assert_eq!(gateway.opened, [(vec![], vec![]), (vec![], vec![])]);
}

#[test]
fn what_arrives_during_downtime_is_told_after_the_opening() {
    let steps = json!({"steps": [
        {"restarts": "10s"},
        {"at": "1s", "says": "alice", "text": "one"},
        {"at": "2s", "says": "bob", "text": "two"},
    ]});
    let expected = [
        "0 open restored=false",
        "0 told",
        "10000 open restored=true",
        "10000 inbound m2",
        "10000 start run-1",
        "10000 inbound m3",
        "10000 start run-2",
    ];
    check_within(steps, &mut Echo::default(), Disk::Own, &expected);
}

/// Says that something is owed, always.
struct Waiting;

impl Observer for Waiting {
    fn see(&mut self, _: usize, _: &Entry) {}

    fn owes(&self) -> bool {
        true
    }
}

fn wakes_for_ever() -> Echo {
    Echo::with(|echo, now, _, _| echo.wake_at = Some(now + Span::secs(20)))
}

#[test]
fn a_play_rests_when_nothing_is_owed_or_in_flight() {
    let rest = |gateway: &mut Echo, waiting: bool| {
        let steps = json!({"steps": [
            {"says": "alice", "text": "hi", "agent": [{"stay": true}]}]});
        let trace = if waiting {
            played(steps, gateway, Disk::None, &mut Waiting)
        } else {
            played(steps, gateway, Disk::None, &mut Nobody)
        };
        let lost = lines(&trace)
            .iter()
            .any(|line| line.contains("run-1 ends lost"));
        assert!(lost, "no step ends the run");
        lines(&trace).pop().unwrap()
    };
    assert_eq!(rest(&mut Echo::default(), false), "40 settled");
    assert_eq!(rest(&mut wakes_for_ever(), false), "40 settled");
    assert_eq!(rest(&mut Echo::default(), true), "40 stuck");
    // Half an hour to relay, two minutes to sweep, and one to spare.
    assert_eq!(rest(&mut wakes_for_ever(), true), "1980040 overdue");
}

#[test]
fn a_gateway_that_wakes_too_often_is_stopped() {
    let mut busy = Echo::with(|echo, now, _, _| echo.wake_at = Some(now + Span::ms(1)));
    let steps = json!({"steps": [{"at": "20m", "note": "later"}]});
    let trace = played(steps, &mut busy, Disk::None, &mut Waiting);
    assert_eq!(lines(&trace).pop().unwrap(), "1000000 outofwakes");
    let mut still = Echo::with(|echo, now, _, _| echo.wake_at = Some(now));
    let profile = Profile::target();
    let stage = Stage {
        profile: &profile,
        disk: Disk::None,
    };
    let steps = scenario(json!({"steps": [{"at": "20m", "note": "later"}]}));
    let played = play(&steps, &stage, &mut still, &mut Nobody);
    assert!(matches!(played.end, Err(Stopped::NeverQuiet(_))));
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
