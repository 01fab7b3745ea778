use serde_json::{Value, json};

use super::*;
use crate::marker::markers_in;
use crate::profile::Profile;
use crate::scenario::Expect;

/// One story: alice asks, a child is spawned, its parent is told, alice and a thread are told.
fn story() -> Vec<Value> {
    let alice = address("alice", None);
    let thread = address("team", Some("t1"));
    vec![
        json!([0, "stimulus", {"inbound": {"message": "m1", "at": alice, "kind": "direct",
            "author": "person", "from": "alice", "text": "refactor ⟦m1⟧"}}, ["m1"]]),
        json!([
            0,
            "effect",
            start("a", "agent:main:main", "fresh", "refactor ⟦m1⟧")
        ]),
        json!([40, "stimulus", {"call": {"call": "c1", "by": {"run": "a"},
            "method": "sessions_spawn", "params": {"task": "do it ⟦r1⟧"}}}, ["r1"]]),
        json!([40, "effect", {"answer": {"call": "c1", "result": {"status": "accepted",
            "runId": "b", "childSessionKey": "agent:main:subagent:1", "note": "it goes on"}}}]),
        json!([
            40,
            "effect",
            start("b", "agent:main:subagent:1", "fresh", "do it ⟦r1⟧")
        ]),
        json!([50, "stimulus", {"thread_opened": {"request": "q1", "opened": {"at": thread}}}]),
        said("run_ended", 60, "a", "ok ⟦m1⟧ ⟦m1.1⟧", &["m1.1"]),
        deliver(60, "d1", &alice, "ok ⟦m1⟧ ⟦m1.1⟧"),
        posted(70, "d1", &alice, "ok ⟦m1⟧ ⟦m1.1⟧", false),
        said(
            "run_ended",
            9_000,
            "b",
            "long ⟦r1.1+1⟧ words ⟦r1⟧ ⟦r1.1⟧",
            &["r1.1", "r1.1+1"],
        ),
        json!([
            9_000,
            "effect",
            start("c", "agent:main:main", "continue", "long ⟦r1⟧ ⟦r1.1⟧")
        ]),
        said(
            "run_ended",
            9_300,
            "c",
            "done ⟦r1⟧ ⟦r1.1⟧ ⟦r1.2⟧",
            &["r1.2"],
        ),
        // In two pieces: the first has the markers it repeats, the second its own.
        deliver(9_300, "d2", &alice, "done ⟦r1⟧ ⟦r1.1⟧"),
        deliver(9_300, "d3", &alice, " ⟦r1.2⟧"),
        posted(9_325, "d2", &alice, "done ⟦r1⟧ ⟦r1.1⟧", false),
        posted(9_325, "d3", &alice, " ⟦r1.2⟧", false),
        // A part of the child's words, and a notice of failure.
        deliver(9_400, "d4", &thread, "words ⟦r1.1+1⟧"),
        posted(9_425, "d4", &thread, "words ⟦r1.1+1⟧", false),
        deliver(9_500, "d5", &thread, "failed: do it ⟦r1⟧"),
        posted(9_525, "d5", &thread, "failed: do it ⟦r1⟧", true),
        json!([9_600, "effect", {"steer_run": {"steer": "s1", "run": "c", "input": "more ⟦m2⟧"}}]),
        json!([9_620, "stimulus", {"steered": {"steer": "s1", "outcome": "taken"}}]),
        json!([
            9_700,
            "effect",
            start("d", "agent:main:other", "fresh", "again ⟦m3⟧")
        ]),
        json!([9_710, "stimulus", {"run_started": {"run": "d", "outcome": "refused"}}]),
        json!([9_800, "effect", {"report": {"failed": {"run": "b", "why": "refused"}}}]),
    ]
}

fn address(conversation: &str, thread: Option<&str>) -> Value {
    let address = json!({"channel": "chat", "account": "default", "conversation": conversation});
    match thread {
        None => address,
        Some(thread) => {
            let mut address = address;
            address["thread"] = thread.into();
            address
        }
    }
}

fn start(run: &str, key: &str, memory: &str, input: &str) -> Value {
    json!({"start_run": {"run": run, "session_key": key, "session_id": run, "memory": memory,
        "agent": "main", "input": input}})
}

fn said(kind: &str, at: u64, run: &str, text: &str, own: &[&str]) -> Value {
    json!([at, "stimulus", {kind: {"run": run, "outcome": "ok", "text": text}}, own])
}

fn deliver(at: u64, delivery: &str, to: &Value, text: &str) -> Value {
    json!([at, "effect", {"deliver": {"delivery": delivery, "to": to, "text": text}}])
}

fn posted(at: u64, delivery: &str, place: &Value, text: &str, repeat: bool) -> Value {
    json!([at, "world", {"posted": {"delivery": delivery, "at": place, "message": delivery,
        "text": text, "repeat": repeat}}])
}

fn trace(rows: &[Value]) -> Trace {
    let entry = |row: &Value| {
        let kind = row[1].as_str().unwrap();
        let markers = markers_in(&row[2].to_string());
        let own = row.get(3).cloned().unwrap_or_else(|| json!([]));
        let entry = json!({"at": row[0], kind: row[2], "own": own, "markers": markers});
        serde_json::from_value(entry).unwrap()
    };
    Trace {
        entries: rows.iter().map(entry).collect(),
    }
}

fn scenario(expect: &Value) -> Scenario {
    let expect: Expect = serde_json::from_value(expect.clone()).unwrap();
    let scenario = json!({"title": "a story", "steps": [],
        "people": {"alice": {"channel": "chat"}, "bob": {"channel": "chat"}}});
    Scenario {
        expect: vec![expect],
        ..serde_json::from_value(scenario).unwrap()
    }
}

#[track_caller]
fn check(expect: Value, told: Option<&str>) {
    let found = unmet(&scenario(&expect), &Profile::target(), &trace(&story()));
    let found = found.first().map(ToString::to_string);
    assert_eq!(found.as_deref(), told, "{expect}");
}

#[test]
fn a_text_tells_once_however_many_pieces_it_comes_in() {
    check(json!({"told": "alice", "of": "r1", "times": 1}), None);
    check(json!({"told": "alice", "of": "r1", "marked": 0}), None);
    check(json!({"told": "alice", "of": "m1", "times": 1}), None);
    check(
        json!({"told": "alice", "of": "r1", "times": 2}),
        Some("alice was told of r1 once; right is: alice is told of r1 twice"),
    );
    check(
        json!({"told": "bob", "of": "r1"}),
        Some("bob was told of r1 never; right is: bob is told of r1 at least once"),
    );
}

#[test]
fn a_notice_tells_of_a_run_that_ended_and_a_part_inside_does_not() {
    check(
        json!({"told": {"thread": 1}, "of": "r1", "times": 1, "marked": 1}),
        None,
    );
    check(
        json!({"told": {"thread": 2}, "of": "r1"}),
        Some("there is no thread 2; right is: thread 2 is opened"),
    );
}

#[test]
fn every_attempt_counts_where_nobody_is_to_be_told() {
    check(json!({"never_told": "bob", "of": "r1"}), None);
    check(json!({"never_told": {"thread": 1}, "of": "m1"}), None);
    check(
        json!({"never_told": {"thread": 1}, "of": "r1"}),
        Some("delivery d4 to thread 1 tells of r1; right is: thread 1 is never told of r1"),
    );
}

#[test]
fn a_call_is_known_by_its_name_or_its_id() {
    check(
        json!({"answered": "r1", "status": "accepted", "says": "it goes"}),
        None,
    );
    check(json!({"answered": "c1", "says": "subagent:1"}), None);
    check(
        json!({"answered": "r2"}),
        Some("call r2 was never made; right is: call r2 is answered"),
    );
    let found = unmet(
        &scenario(&json!({"answered": "r1", "status": "forbidden"})),
        &Profile::target(),
        &trace(&story()),
    );
    assert_eq!(found[0].entry, Some(3));
    assert_eq!(found[0].right, "call r1 is answered forbidden");
}

#[test]
fn a_text_is_given_to_a_session_that_remembers() {
    check(
        json!({"given": "m1", "to": "alice", "memory": "fresh"}),
        None,
    );
    check(json!({"given": "r1", "to": "r1", "forgets": "m1"}), None);
    check(
        json!({"given": "r1", "to": "agent:main:main", "memory": "continue", "remembers": "m1"}),
        None,
    );
    check(
        json!({"given": "m2", "to": "alice", "remembers": "r1", "not_to": "r1"}),
        None,
    );
    check(
        json!({"given": "m1", "to": "r1"}),
        Some(
            "m1 was given to run a in agent:main:main, which remembered nothing; right is: m1 is \
             given to a run in the session of r1",
        ),
    );
    check(
        json!({"given": "r1", "not_to": "alice"}),
        Some(
            "r1 was given to run c in agent:main:main; right is: r1 is not given to the session \
             of alice",
        ),
    );
}

#[test]
fn a_run_that_never_ran_was_given_nothing() {
    check(json!({"never_given": "m3"}), None);
    check(
        json!({"given": "m3"}),
        Some("m3 was given to no run; right is: m3 is given to a run"),
    );
    check(
        json!({"never_given": "m2"}),
        Some("m2 was given to run c in agent:main:main; right is: m2 is given to no run"),
    );
}

#[test]
fn words_stand_at_a_place_and_a_time() {
    check(
        json!({"posted": "alice", "says": "ok", "times": 1, "at": "1s"}),
        None,
    );
    check(
        json!({"posted": "alice", "says": "never", "times": 0}),
        None,
    );
    check(
        json!({"posted": "alice", "says": "done", "at": "2s"}),
        Some(
            "\"done\" was posted in alice once, at 0:00:09.325; right is: it is posted there at \
             least once, at 0:00:02.000",
        ),
    );
}

#[test]
fn failures_and_threads_are_counted() {
    check(json!({"failed": "r1"}), None);
    check(json!({"threads": 1}), None);
    check(
        json!({"threads": 0}),
        Some("1 thread opened; right is: no thread opened"),
    );
    check(
        json!({"failed": "m2"}),
        Some(
            "no failure of m2 was reported; right is: the gateway reports a visible failure of m2",
        ),
    );
}

#[test]
fn an_expectation_holds_only_where_its_dials_stand_so() {
    check(json!({"threads": 0, "where": {"probe": "each_pass"}}), None);
    check(
        json!({"threads": 0, "where": {"probe": "on_refusal"}}),
        Some("1 thread opened; right is: no thread opened"),
    );
}
