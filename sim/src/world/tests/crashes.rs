//! Crashes, and the lives after them.

use serde_json::json;

use super::*;

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
}

#[test]
fn a_crash_falls_after_an_end_at_a_delivery_or_after_so_many_effects() {
    let row = |at: Value, expected: [&str; 3]| crashes(at, Disk::Harness, &expected);
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
