use serde_json::{Value, json};

use crate::story::{Story, address};

#[test]
fn an_answer_goes_to_the_whole_address_of_its_message() {
    let mut story = Story::new();
    story
        .says("m1", "discord/general#t9")
        .starts("a", "k", "m1")
        .ends("a", "ok", "m1.1", "m1");
    story.delivered("d1", "discord/general#t9", "m1 m1.1");
    story.keeps("routing.same-place");
    story.delivers("d2", "discord/general", "m1 m1.1");
    story.breaks("routing.same-place", "discord/general");
}

#[test]
fn a_bound_conversation_on_a_channel_without_threads_routes_to_the_child() {
    let play = |key: &str| {
        let mut story = Story::new();
        story.says("m1", "telegram/alice").starts("a", "main", "m1");
        story.spawns("r1", "a", json!({"task": "r1", "thread": true}));
        story.starts_with("b", "child", "fresh", "r1", json!(null));
        story.answers(
            "r1",
            json!({"status": "accepted", "childSessionKey": "child"}),
        );
        story.at_secs(5).says("m2", "telegram/alice");
        story.starts("c", key, "m2");
        story
    };
    play("child").keeps("routing.bound-first");
    play("main").breaks("routing.bound-first", "⟦m2⟧");
}

/// Alice's conversation is bound to a child; she writes m3 while that is at work, and focuses
/// another one, or none.
fn a_conversation_that_changes_hands(reroute: &str, command: &str) -> Story {
    let mut story = Story::with(json!({"reroute": reroute}), json!({}));
    story.says("m0", "telegram/alice").starts("z", "main", "m0");
    for (call, run, key) in [("r1", "a", "writer"), ("r2", "b", "painter")] {
        story.spawns(
            call,
            "z",
            json!({"task": call, "label": key, "mode": "session"}),
        );
        story.starts_with(run, key, "fresh", call, Value::Null);
        story.answers(call, json!({"status": "accepted", "childSessionKey": key}));
        story.ends(run, "ok", &format!("{call}.1"), call);
    }
    story.ends("z", "ok", "m0.1", "m0");
    story
        .at_secs(1)
        .says_text("m1", "telegram/alice", "/focus writer");
    story
        .at_secs(2)
        .says("m2", "telegram/alice")
        .starts("c", "writer", "m2");
    story.at_secs(3).says("m3", "telegram/alice");
    story.at_secs(4).says_text("m4", "telegram/alice", command);
    story.at_secs(5);
    story
}

#[test]
fn what_waits_goes_where_the_profile_says_once_its_conversation_changed_hands() {
    let given = |reroute: &str, command: &str, key: &str| {
        let mut story = a_conversation_that_changes_hands(reroute, command);
        story.starts("d", key, "m3");
        story
    };
    let rule = "routing.decided-again";
    for (command, now) in [("/focus painter", "painter"), ("/unfocus", "main")] {
        given("at_turn", command, now).keeps(rule);
        given("at_turn", command, "writer").breaks(rule, "⟦m3⟧");
        given("at_arrival", command, "writer").keeps(rule);
        given("at_arrival", command, now).breaks(rule, "⟦m3⟧");
        given("fails_with_notice", command, now).breaks(rule, "⟦m3⟧");
        given("fails_with_notice", command, "writer").breaks(rule, "⟦m3⟧");
    }
    given("at_turn", "/focus writer", "writer").does_not_test(rule);
    given("at_turn", "/session idle off", "writer").does_not_test(rule);
}

#[test]
fn what_fails_is_told() {
    let mut story = a_conversation_that_changes_hands("fails_with_notice", "/unfocus");
    story.delivers("d1", "telegram/alice", "m3");
    story.keeps("routing.decided-again");
    for reroute in ["at_turn", "at_arrival", "fails_with_notice"] {
        let mut story = a_conversation_that_changes_hands(reroute, "/unfocus");
        story.at_secs(60).world(json!({"rest": "settled"}));
        story.breaks("routing.decided-again", "given to nobody");
    }
}

#[test]
fn at_one_instant_nobody_knows_what_came_first() {
    let at_once = |key: &str| {
        let mut story = a_conversation_that_changes_hands("at_turn", "hello");
        story.says_text("m5", "telegram/alice", "/focus painter");
        story.starts("d", key, "m3");
        story
    };
    at_once("painter").keeps("routing.decided-again");
    at_once("writer").does_not_test("routing.decided-again");
}

#[test]
fn a_conversation_by_another_id_is_what_the_profile_says() {
    let moved = |dial: &str, bound: bool, key: &str| {
        let mut story = Story::with(json!({"moved_conversation": dial}), json!({}));
        story.says("m1", "telegram/team").starts("a", "team", "m1");
        if bound {
            story.spawns("r1", "a", json!({"task": "r1", "thread": true}));
            story.starts_with("b", "child", "fresh", "r1", Value::Null);
            let result = json!({"status": "accepted", "childSessionKey": "child"});
            story.answers("r1", result);
            story.ends("b", "ok", "r1.1", "r1");
        }
        story.ends("a", "ok", "m1.1", "m1").at_secs(5);
        let (from, to) = (address("telegram/team"), address("telegram/larger"));
        story.told(json!({"conversation_moved": {"from": from, "to": to}}));
        story.at_secs(6).says("m2", "telegram/larger");
        story.starts("c", key, "m2");
        story
    };
    let rule = "routing.moved-conversation";
    moved("follows", false, "team").keeps(rule);
    moved("follows", false, "larger").breaks(rule, "telegram/larger, which was telegram/team");
    moved("follows", true, "child").keeps(rule);
    moved("follows", true, "team").breaks(rule, "in session team");
    moved("anew", false, "larger").keeps(rule);
    moved("anew", false, "team").breaks(rule, "in session team");
    moved("anew", true, "child").breaks(rule, "in session child");
}

#[test]
fn who_is_configured_for_a_conversation_has_it() {
    let story = |config: &Value, starts: &[(&str, &str, &str)]| {
        let mut story = Story::with(json!({}), config.clone());
        for (number, (at, key, agent)) in starts.iter().enumerate() {
            let (message, run) = (format!("m{number}"), format!("r{number}"));
            story.at_secs(number as u64).says(&message, at);
            let start = json!({"run": run, "session_key": key, "session_id": "s", "memory": "continue",
                "agent": agent, "input": message, "overrides": {}});
            story.push(json!({"effect": {"start_run": start}}), "", &message);
            story.ends(&run, "ok", &format!("{message}.1"), &message);
        }
        story
    };
    let peer = |id: &str| json!({"channel": "telegram", "peer": {"kind": "direct", "id": id}});
    let bound = json!({"bindings": [
        {"type": "acp", "agentId": "codex", "match": peer("alice")},
        {"type": "acp", "agentId": "codex", "match": peer("bob")}]});
    let rule = "routing.configured";
    let alice = |key, agent| ("telegram/alice", key, agent);
    story(
        &bound,
        &[
            alice("x", "codex"),
            ("telegram/bob", "y", "codex"),
            alice("x", "codex"),
        ],
    )
    .keeps(rule);
    story(&bound, &[alice("x", "main")]).breaks(rule, "of agent main");
    story(
        &bound,
        &[alice("x", "codex"), ("telegram/bob", "x", "codex")],
    )
    .breaks(rule, "that of telegram/alice");
    story(
        &bound,
        &[alice("x", "codex"), ("telegram/eve", "x", "main")],
    )
    .breaks(rule, "that of telegram/alice");
    story(&bound, &[alice("x", "codex"), alice("z", "codex")])
        .breaks(rule, "one before was in session x");
    story(&bound, &[("telegram/eve", "main", "codex")]).breaks(rule, "of agent codex");
    story(&bound, &[("telegram/eve", "main", "main")]).does_not_test(rule);
    let routed = json!({"bindings": [{"agentId": "main", "match": {"channel": "telegram"}}]});
    story(&routed, &[alice("x", "main")]).keeps(rule);
    story(&routed, &[alice("x", "other")]).breaks(rule, "of agent other");
}

#[test]
fn who_was_told_while_nobody_outside_could_say_whose_the_conversation_is_was_told() {
    const DAY: u64 = 24 * 3_600;
    let told = |to: Option<&str>| {
        let mut story = a_conversation_that_changes_hands("fails_with_notice", "/agents");
        // By now the binding may have lapsed.
        story.at_secs(DAY + 60);
        if let Some(to) = to {
            story.delivers("d1", to, "m3");
        }
        let focus = "/focus painter";
        story
            .at_secs(DAY + 61)
            .says_text("m5", "telegram/alice", focus);
        story.at_secs(DAY + 62).world(json!({"rest": "settled"}));
        story
    };
    told(Some("telegram/alice")).does_not_test("routing.decided-again");
    for nobody in [None, Some("telegram/bob")] {
        told(nobody).breaks("routing.decided-again", "and alice is not told");
    }
}

#[test]
fn what_was_told_to_be_in_vain_and_comes_again_waits_anew() {
    let again = |comes: bool, key: &str| {
        let command = "/focus painter";
        let mut story = a_conversation_that_changes_hands("fails_with_notice", command);
        story.delivers("d1", "telegram/alice", "m3").at_secs(60);
        if comes {
            let (at, text) = (address("telegram/alice"), "words ⟦m3⟧");
            let same = json!({"message": "m3", "at": at, "kind": "direct", "author": "person",
                "from": "alice", "text": text});
            story.push(json!({"stimulus": {"inbound": same}}), "", "m3");
        }
        story.at_secs(70).starts("d", key, "m3");
        story
    };
    again(true, "painter").keeps("routing.decided-again");
    again(false, "painter").breaks("routing.decided-again", "⟦m3⟧");
}
