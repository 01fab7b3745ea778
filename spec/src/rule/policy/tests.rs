//! Policies by the hand-made trace, and one scenario with its channels renamed.

use serde_json::{Value, json};

use super::nameless;
use crate::effect::Memory::Fresh;
use crate::rule::tale::{Tale, direct};
use crate::scenario::Scenario;
use crate::verdict::Verdict;

const KEY: &str = "agent:main:main";
const CHILD: &str = "agent:main:subagent:1";

/// Alice's agent spawns from a channel.
fn spawn(channel: &str, params: Value) -> Tale {
    let mut tale = Tale::new(json!({}));
    tale.says(channel, "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .call("r1", "a", "sessions_spawn", params);
    tale
}

fn threaded(channel: &str, params: Value, mode: &str) -> Tale {
    let mut tale = spawn(channel, params);
    tale.asks_thread("q1", &direct(channel, "alice"), CHILD)
        .accepts("r1", CHILD, mode);
    tale
}

fn unthreaded(channel: &str, params: Value, mode: &str) -> Tale {
    let mut tale = spawn(channel, params);
    tale.accepts("r1", CHILD, mode);
    tale
}

#[test]
fn a_thread_that_the_policy_requires_is_opened() {
    let rule = "policy.thread-injected";
    threaded("forum", json!({}), "session").keeps(rule);
    unthreaded("forum", json!({}), "session").breaks(
        rule,
        "spawn r1 from forum/alice is accepted, and no thread was asked for",
    );
    threaded("board", json!({}), "session").breaks(
        rule,
        "spawn r1 from board/alice is accepted, and a thread was asked for",
    );
    threaded("board", json!({"thread": true}), "session").keeps(rule);
    unthreaded("board", json!({}), "run").keeps(rule);
    unthreaded("chat", json!({}), "run").says_nothing(rule);
    let mut refused = spawn("forum", json!({"mode": "session"}));
    let error = "mode=\"session\" requires thread=true so the session can stay bound";
    refused.answer("r1", json!({"status": "error", "error": error}));
    refused.breaks(
        rule,
        &format!("spawn r1 from forum/alice is refused for want of a thread: {error}"),
    );
}

#[test]
fn the_mode_that_the_policy_injects_wins() {
    let rule = "policy.mode-injected";
    threaded("forum", json!({"mode": "run"}), "session").keeps(rule);
    threaded("forum", json!({"mode": "run"}), "run")
        .breaks(rule, "spawn r1 from forum/alice is accepted in mode run");
    unthreaded("board", json!({"mode": "run"}), "session").breaks(
        rule,
        "spawn r1 from board/alice is accepted in mode session",
    );
    threaded("board", json!({"thread": true}), "session").keeps(rule);
}

#[test]
fn the_policy_leaves_acp_alone() {
    let rule = "policy.acp-untouched";
    unthreaded("forum", json!({"runtime": "acp"}), "run").keeps(rule);
    threaded(
        "forum",
        json!({"runtime": "acp", "thread": true}),
        "session",
    )
    .keeps(rule);
    threaded("forum", json!({"runtime": "acp"}), "run").breaks(
        rule,
        "spawn r1 from forum/alice is accepted, and a thread was asked for that nobody gave",
    );
    unthreaded("forum", json!({"runtime": "acp"}), "session").breaks(
        rule,
        "spawn r1 from forum/alice is accepted in mode session",
    );
    threaded("forum", json!({}), "session").says_nothing(rule);
}

fn scenario(steps: Value) -> Scenario {
    let scenario = json!({
        "title": "Alice writes",
        "people": {"alice": {"channel": "chat"}},
        "config": {
            "channels": {"chat": {"requireMention": true}},
            "session": {
                "resetByChannel": {"chat": {"mode": "idle"}},
                "identityLinks": {"al": ["chat:alice", "bob"]}
            }
        },
        "steps": steps,
    });
    serde_json::from_value(scenario).expect("a scenario")
}

#[test]
fn a_channel_in_a_session_key_is_renamed_too() {
    let key = |name: &str| format!("agent:main:{name}:group:garden");
    let send = |name: &str| json!([{"send": {"as": "s1", "to": key(name), "text": "look"}}]);
    let steps = |name: &str| {
        json!([
            {"says": "alice", "text": "hi", "agent": send(name)},
            {"runs": key(name), "text": "note it"},
            {"beats": key(name), "text": "anything?"},
            {"runs": "agent:main:chat", "text": "a session of that name"},
            {"runs": "agent:main:other:group:garden", "text": "no channel of ours"},
        ])
    };
    let renamed = nameless::renamed(&scenario(steps("chat"))).unwrap();
    assert_eq!(renamed.steps, scenario(steps("x-chat")).steps);
}

#[test]
fn every_channel_is_renamed_wherever_it_is_named() {
    let renamed = nameless::renamed(&scenario(json!([{"says": "alice", "text": "hi"}]))).unwrap();
    assert_eq!(renamed.people["alice"].channel.as_str(), "x-chat");
    assert_eq!(renamed.channels["x-chat"].like.as_deref(), Some("chat"));
    assert_eq!(
        renamed.config,
        json!({
            "channels": {"x-chat": {"requireMention": true}},
            "session": {
                "resetByChannel": {"x-chat": {"mode": "idle"}},
                "identityLinks": {"al": ["x-chat:alice", "bob"]}
            }
        })
    );
    assert_eq!(nameless::renamed(&scenario(json!([]))), None);
}

/// The same story on a channel, with ids of its own.
fn told(channel: &str, run: &str, key: &str, said: &[&str]) -> Tale {
    let mut tale = Tale::new(json!({}));
    tale.says(channel, "alice", "m1")
        .start(run, key, Fresh, &["m1"])
        .ends(run, "m1.1")
        .delivers(run, &direct(channel, "alice"), said)
        .rests();
    tale
}

fn compare(other: &Tale) -> Verdict {
    let one = scenario(json!([{"says": "alice", "text": "hi"}]));
    let two = nameless::renamed(&one).unwrap();
    let first = told("chat", "a", "agent:main:chat:alice", &["m1.1"]);
    nameless::compare(&one, first.trace(), &two, other.trace())
}

#[test]
fn ids_and_the_name_may_differ_and_nothing_else() {
    let same = told("x-chat", "b", "agent:main:x-chat:alice", &["m1.1"]);
    assert_eq!(compare(&same), Verdict::Pass { witnessed: 1 });
    let other = told("x-chat", "b", "agent:main:x-chat:alice", &["m1.1", "m1"]);
    let Verdict::Fail(breach) = compare(&other) else {
        panic!("it differs");
    };
    assert!(
        breach
            .seen
            .starts_with("with every channel renamed, what happens in chat/alice differs")
    );
}

#[test]
fn the_order_of_a_list_is_no_difference() {
    let listed = |channel: &str, sessions: Value| {
        let key = format!("agent:main:{channel}:alice");
        let mut tale = Tale::new(json!({}));
        tale.says(channel, "alice", "m1")
            .start("a", &key, Fresh, &["m1"])
            .call("l1", "a", "sessions_list", json!({}))
            .answer("l1", json!({"status": "ok", "sessions": sessions}))
            .rests();
        tale
    };
    let one = scenario(json!([{"says": "alice", "text": "hi"}]));
    let two = nameless::renamed(&one).unwrap();
    let ours = json!([{"key": "agent:main:chat:alice"}, {"key": CHILD, "label": "coder"}]);
    let theirs = json!([{"key": CHILD, "label": "coder"}, {"key": "agent:main:x-chat:alice"}]);
    let (first, second) = (listed("chat", ours), listed("x-chat", theirs));
    let verdict = nameless::compare(&one, first.trace(), &two, second.trace());
    assert_eq!(verdict, Verdict::Pass { witnessed: 1 });
}
