//! Agents: scripts, calls, steering; messages that are late.

use serde_json::json;

use super::*;

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

#[test]
fn a_late_message_comes_before_a_repeat_of_the_same_instant() {
    // Slack sends what nobody took again at once.
    let steps = json!({"steps": [{"says": "dave", "text": "hi", "as": "a"}, {"at": "1m", "note": "later"}],
        "faults": [{"inbound": {"of": "a", "delay": "5s", "repeats": 1}}]});
    let trace = played(steps, &mut Echo::default(), Disk::None, &mut Nobody);
    let inbound = |entry: &&Entry| matches!(entry.what, What::Stimulus(Stimulus::Inbound(_)));
    let seen = trace.entries.iter().filter(inbound);
    let seen: Vec<_> = seen.map(|entry| (entry.at.0, entry.own.len())).collect();
    assert_eq!(seen, [(5_000, 1), (5_000, 0)]);
}

#[test]
fn a_run_that_is_refused_has_no_end() {
    let steps = |unknown: bool| {
        json!({"faults": [{"start": {"delay": "1s", "unknown": unknown}}], "steps": [
            {"says": "alice", "text": "go"},
            {"at": "500ms", "says": "alice", "text": "stop"},
        ]})
    };
    let gateway = || {
        Echo::with(|_, now, stimulus, effects| {
            if matches!(stimulus, Stimulus::Inbound(_)) && now == Time(500) {
                effects.clear();
                let run = "run-1".into();
                effects.push(Effect::CancelRun(CancelRun { run }));
            }
        })
    };
    let ends = |unknown| {
        let trace = played(steps(unknown), &mut gateway(), Disk::None, &mut Nobody);
        lines(&trace).iter().any(|line| line.contains("run-1 ends"))
    };
    assert!(!ends(false));
    // Nobody says that it did not start, so somebody says that it is over.
    assert!(ends(true));
}
