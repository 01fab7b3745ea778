//! Limits, slots and agents by the hand-made trace.

use serde_json::{Value, json};

use super::{CHILD, KEY, spawn};
use crate::effect::Memory::Fresh;
use crate::rule::tale::{Tale, direct};
use crate::stimulus::Start;
use crate::time::Span;

fn child(number: u32) -> String {
    format!("agent:main:subagent:{number}")
}

/// Alice's agent is at work, under these limits of children.
fn limited(subagents: Value) -> Tale {
    let mut tale = Tale::new(json!({}));
    tale.configures(json!({"agents": {"defaults": {"subagents": subagents}}}))
        .says("chat", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .started("a", Start::Started);
    tale
}

/// A spawn is accepted, and its run is at work.
fn another(tale: &mut Tale, number: u32) {
    let (call, run) = (format!("r{number}"), format!("b{number}"));
    tale.call(&call, "a", "sessions_spawn", json!({}))
        .start(&run, &child(number), Fresh, &[&call])
        .started(&run, Start::Started)
        .accepts(&call, &child(number), "run");
}

fn refused(tale: &mut Tale, number: u32, error: &str) {
    let call = format!("r{number}");
    tale.call(&call, "a", "sessions_spawn", json!({}))
        .answer(&call, json!({"status": "forbidden", "error": error}));
}

const FULL: &str = "max active children reached (2/2)";

#[test]
fn the_last_place_may_be_given_and_no_other() {
    let rule = "spawn.limits-hold";
    let full = || {
        let mut tale = limited(json!({"maxChildrenPerAgent": 2}));
        another(&mut tale, 1);
        another(&mut tale, 2);
        tale
    };
    full().keeps(rule);
    let mut over = full();
    another(&mut over, 3);
    over.breaks(
        rule,
        "spawn r3 is accepted while 2 children of agent:main:main are at work",
    );
    let mut freed = full();
    freed.ends("b1", "b1.1");
    another(&mut freed, 3);
    freed.keeps(rule);
    // What was told to stop may be counted no more.
    let mut stopped = full();
    stopped.cancels("b1");
    another(&mut stopped, 3);
    stopped.keeps(rule);
}

#[test]
fn depth_is_counted_along_the_spawns() {
    let rule = "spawn.limits-hold";
    let nested = |most: u32| {
        let mut tale = limited(json!({"maxSpawnDepth": most}));
        another(&mut tale, 1);
        tale.call("r2", "b1", "sessions_spawn", json!({}))
            .start("c", &child(2), Fresh, &["r2"])
            .accepts("r2", &child(2), "run");
        tale
    };
    nested(1).breaks(rule, "spawn r2 is accepted from depth 1");
    nested(2).keeps(rule);
}

#[test]
fn no_more_runs_are_at_work_than_configured() {
    let rule = "spawn.limits-hold";
    let mut tale = limited(json!({"maxConcurrent": 1}));
    another(&mut tale, 1);
    tale.call("r2", "a", "sessions_spawn", json!({}))
        .accepts("r2", &child(2), "run");
    tale.keeps(rule);
    tale.start("b2", &child(2), Fresh, &["r2"]);
    tale.breaks(
        rule,
        "run b2 of spawn r2 is asked for while 1 runs of children are at work",
    );
}

#[test]
fn who_has_ended_holds_no_slot() {
    let rule = "spawn.slots-freed";
    let full = || {
        let mut tale = limited(json!({"maxChildrenPerAgent": 2}));
        another(&mut tale, 1);
        another(&mut tale, 2);
        tale
    };
    let mut right = full();
    refused(&mut right, 3, FULL);
    right.says_nothing(rule);
    right.ends("b1", "b1.1");
    let told = "spawn r4 is refused for too many children while 1 of 2 are at work: max active children reached (2/2)";
    let mut again = right;
    refused(&mut again, 4, FULL);
    again.breaks(rule, told);
    let mut freed = full();
    freed.ends("b1", "b1.1");
    another(&mut freed, 3);
    freed.keeps(rule);
    let mut lost = full();
    lost.crash(&["a", "b1", "b2"])
        .says("chat", "alice", "m2")
        .start("d", KEY, Fresh, &["m2"])
        .started("d", Start::Started)
        .call("r3", "d", "sessions_spawn", json!({}))
        .answer("r3", json!({"status": "forbidden", "error": FULL}));
    lost.breaks(
        rule,
        "spawn r3 is refused for too many children while 0 of 5 are at work: max active children reached (2/2)",
    );
}

#[test]
fn nobody_waits_while_there_is_room() {
    let rule = "spawn.slots-freed";
    let waiting = || {
        let mut tale = limited(json!({"maxConcurrent": 1}));
        another(&mut tale, 1);
        tale.call("r2", "a", "sessions_spawn", json!({}))
            .accepts("r2", &child(2), "run")
            .after(Span::mins(5));
        tale
    };
    let mut busy = waiting();
    busy.says("chat", "alice", "m2");
    busy.says_nothing(rule);
    let mut idle = waiting();
    idle.ends("b1", "b1.1").rests();
    idle.breaks(
        rule,
        "spawn r2 is accepted, and waits while 0 of 1 runs of children are at work",
    );
    let mut killed = waiting();
    killed
        .call("k1", "a", "subagents", json!({"action": "kill"}))
        .ends("b1", "b1.1")
        .rests();
    killed.says_nothing(rule);
    let mut stopped = waiting();
    stopped
        .writes(&direct("chat", "alice"), "alice", "m2", "/stop")
        .ends("b1", "b1.1")
        .rests();
    stopped.says_nothing(rule);
    stopped.keeps("spawn.nothing-ignored");
    // There was room, and another one took it.
    let mut next = waiting();
    next.call("r3", "a", "sessions_spawn", json!({}))
        .accepts("r3", &child(3), "run")
        .ends("b1", "b1.1")
        .start("b2", &child(2), Fresh, &["r2"])
        .started("b2", Start::Started)
        .after(Span::mins(5))
        .ends("b2", "b2.1")
        .start("b3", &child(3), Fresh, &["r3"]);
    next.keeps(rule);
}

fn asked(list: Value, params: Value) -> Tale {
    let mut tale = limited(json!({ "allowAgents": list }));
    tale.call("r1", "a", "sessions_spawn", params);
    tale
}

#[test]
fn only_what_is_there_and_listed_is_asked() {
    let rule = "spawn.agent-allowed";
    let mut own = asked(json!(["coder"]), json!({}));
    own.start("b", CHILD, Fresh, &["r1"]);
    own.keeps(rule);
    let mut named = asked(json!(["coder"]), json!({"agentId": "main"}));
    named.accepts("r1", CHILD, "run");
    named.breaks(rule, "spawn r1 of agent \"main\" is accepted");
    let mut gone = asked(json!(["*"]), json!({"agentId": "gone"}));
    gone.accepts("r1", CHILD, "run");
    gone.breaks(rule, "spawn r1 of agent \"gone\" is accepted");
    let mut other = asked(json!(["*"]), json!({"agentId": "gone"}));
    other.start("b", CHILD, Fresh, &["r1"]);
    other.breaks(rule, "run b of spawn r1 is of agent main");
    let error = "agentId is not allowed for sessions_spawn (allowed: none)";
    let mut listed = asked(json!(["*"]), json!({"agentId": "MAIN"}));
    listed.answer("r1", json!({"status": "forbidden", "error": error}));
    listed.breaks(
        rule,
        &format!("spawn r1 of agent \"MAIN\" is refused: {error}"),
    );
    let mut right = asked(json!([]), json!({"agentId": "main"}));
    right.answer("r1", json!({"status": "forbidden", "error": error}));
    right.keeps(rule);
    spawn("chat", json!({})).says_nothing(rule);
}
