//! Threads for children by the hand-made trace.

use serde_json::{Value, json};

use super::{CHILD, KEY, refuse, spawn};
use crate::address::Address;
use crate::effect::Memory::{Continue, Fresh};
use crate::rule::tale::{Tale, direct};
use crate::stimulus::{Opened, Start};

fn thread() -> Address {
    Address {
        thread: Some("t1".into()),
        ..direct("board", "alice")
    }
}

/// Alice's agent spawns with a thread from a channel that can open some, where spawns opted in.
fn opted(params: Value) -> Tale {
    let mut tale = Tale::new(json!({"threadBindings": {"spawnSubagentSessions": true}}));
    let mut params = params;
    params["thread"] = true.into();
    tale.says("board", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .started("a", Start::Started)
        .call("r1", "a", "sessions_spawn", params);
    tale
}

#[test]
fn a_thread_needs_a_place_that_can_be_bound() {
    let rule = "spawn.thread-needs-channel";
    let mut refused = spawn("chat", json!({"thread": true}));
    refuse(
        &mut refused,
        "r1",
        "Thread bindings are unavailable for chat.",
    );
    refused.keeps(rule);
    let mut accepted = spawn("chat", json!({"thread": true}));
    accepted.accepts("r1", CHILD, "session");
    accepted.breaks(
        rule,
        "spawn r1 with a thread is accepted from chat/alice, which cannot be bound",
    );
    let mut asks = spawn("chat", json!({"thread": true}));
    asks.asks_thread("q1", &direct("chat", "alice"), CHILD);
    asks.breaks(
        rule,
        "spawn r1 asks for a thread in chat/alice, where none can be opened",
    );
    let nobody = || {
        let mut tale = Tale::new(json!({}));
        tale.beats(KEY, "h1")
            .start("a", KEY, Fresh, &["h1"])
            .started("a", Start::Started)
            .call("r1", "a", "sessions_spawn", json!({"thread": true}));
        tale
    };
    let mut lonely = nobody();
    lonely.accepts("r1", CHILD, "session");
    lonely.breaks(
        rule,
        "spawn r1 with a thread is accepted from a run that answers to no conversation",
    );
    let mut right = nobody();
    refuse(&mut right, "r1", "`thread` needs a conversation");
    right.keeps(rule);
}

#[test]
fn a_thread_needs_the_opt_in_and_bindings() {
    let rule = "spawn.thread-opt-in";
    let asked = || spawn("board", json!({"thread": true}));
    asked().accepts("r1", CHILD, "session").breaks(
        rule,
        "spawn r1 with a thread is accepted from board/alice, where nobody opted in to threads for spawns",
    );
    let mut named = asked();
    refuse(
        &mut named,
        "r1",
        "set threadBindings.spawnSubagentSessions=true",
    );
    named.keeps(rule);
    let mut nameless = asked();
    refuse(&mut nameless, "r1", "no thread for you");
    nameless.breaks(
        rule,
        "spawn r1 is refused, and its answer names no setting: no thread for you",
    );
    opted(json!({}))
        .accepts("r1", CHILD, "session")
        .says_nothing(rule);
    let mut disabled =
        Tale::new(json!({"threadBindings": {"enabled": false, "spawnSubagentSessions": true}}));
    disabled
        .says("board", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .started("a", Start::Started)
        .call("r1", "a", "sessions_spawn", json!({"thread": true}))
        .accepts("r1", CHILD, "session");
    disabled.breaks(
        rule,
        "spawn r1 with a thread is accepted from board/alice, where bindings are disabled",
    );
}

#[test]
fn a_thread_that_nothing_stands_against_is_opened_where_it_was_asked_for() {
    let rule = "spawn.thread-explicit";
    let at = direct("board", "alice");
    let mut right = opted(json!({}));
    right
        .asks_thread("q1", &at, CHILD)
        .opened("q1", Opened::Opened { at: thread() })
        .accepts("r1", CHILD, "session");
    right.keeps(rule);
    let mut refused = opted(json!({}));
    refuse(&mut refused, "r1", "no thread here");
    refused.breaks(rule, "spawn r1 with a thread is refused: no thread here");
    let mut elsewhere = opted(json!({}));
    elsewhere.asks_thread("q1", &direct("board", "channel:alice"), CHILD);
    elsewhere.breaks(
        rule,
        "spawn r1 from board/alice asks for a thread in board/channel:alice",
    );
    let mut within = opted(json!({}));
    within.asks_thread("q1", &thread(), CHILD);
    within.breaks(
        rule,
        "spawn r1 asks for a thread inside thread board/alice#t1",
    );
    let mut unopened = opted(json!({}));
    unopened
        .asks_thread("q1", &at, CHILD)
        .opened("q1", Opened::Refused { why: "full".into() });
    refuse(&mut unopened, "r1", "no thread: full");
    unopened.says_nothing(rule);
    let mut other = opted(json!({}));
    refuse(&mut other, "r1", "max active children reached");
    other.says_nothing(rule);
}

/// A child in a thread has ended, and its parent was told.
fn ended(mode: &str) -> Tale {
    let mut tale = opted(json!({ "mode": mode }));
    tale.asks_thread("q1", &direct("board", "alice"), CHILD)
        .opened("q1", Opened::Opened { at: thread() })
        .start("b", CHILD, Fresh, &["r1"])
        .started("b", Start::Started)
        .accepts("r1", CHILD, mode)
        .ends("a", "m1.1")
        .ends("b", "r1.1")
        .turn("c", KEY, Continue, "r1.1")
        .writes(&thread(), "alice", "m2", "more?");
    tale
}

#[test]
fn one_run_leaves_its_thread_once_it_was_told() {
    let rule = "spawn.run-is-one-shot";
    let mut left = ended("run");
    left.start("d", "agent:main:board:thread:t1", Fresh, &["m2"]);
    left.keeps(rule);
    let mut stays = ended("run");
    stays.start("d", CHILD, Continue, &["m2"]);
    stays.breaks(
        rule,
        "message ⟦m2⟧ of board/alice#t1 is given to session agent:main:subagent:1, whose one run has ended and was told of",
    );
    let mut session = ended("session");
    session.start("d", CHILD, Continue, &["m2"]);
    session.keeps(rule);
    let mut twice = opted(json!({"mode": "run"}));
    twice
        .start("b", CHILD, Fresh, &["r1"])
        .start("c", "agent:main:subagent:2", Fresh, &["r1"]);
    twice.breaks(
        rule,
        "run c is asked for too for spawn r1, whose run b is at work",
    );
}
