use serde_json::{Value, json};

use crate::story::Story;

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
