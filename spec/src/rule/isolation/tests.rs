use serde_json::json;

use crate::story::Story;

const ALICE: &str = "telegram/alice";
const BOB: &str = "telegram/bob";

#[test]
fn a_shared_memory_may_be_repeated_and_an_answer_may_not() {
    let play = |scope: &str| {
        let mut story = Story::with(json!({}), json!({"session": {"dmScope": scope}}));
        story.says("m1", ALICE).starts("a", "main", "m1");
        story
            .ends("a", "ok", "m1.1", "m1")
            .delivered("d1", ALICE, "m1 m1.1");
        story.at_secs(5).says("m2", BOB).starts("b", "main", "m2");
        story
            .ends("b", "ok", "m2.1", "m1 m1.1 m2")
            .delivered("d2", BOB, "m1 m1.1 m2 m2.1");
        story
    };
    play("main")
        .keeps("isolation.people")
        .keeps("isolation.conversations");
    play("per-peer")
        .breaks("isolation.people", "telegram/alice")
        .breaks("isolation.conversations", "telegram/alice");
    let mut story = play("main");
    story.delivers("d3", ALICE, "m2 m2.1");
    story.breaks("isolation.people", "telegram/bob");
}

#[test]
fn a_reworded_answer_still_belongs_to_its_origin() {
    let play = |to: &str| {
        let mut story = Story::new();
        story
            .says("m0", BOB)
            .starts("z", "main", "m0")
            .ends("z", "ok", "", "m0");
        story.says("m1", ALICE).starts("a", "main", "m1");
        story
            .has_child("r1", "a", "b", "child")
            .ends("a", "ok", "", "m1");
        story.at_secs(9).ends("b", "ok", "r1.1", "r1");
        story
            .starts("c", "main", "r1 r1.1")
            .ends("c", "ok", "r1.2", "");
        story.delivers("d1", to, "r1.2");
        story
    };
    play(ALICE).keeps("isolation.people").keeps("relay.origin");
    play(BOB)
        .breaks("isolation.people", "run c")
        .breaks("relay.origin", "telegram/bob");
}

#[test]
fn what_a_turn_says_after_another_origin_was_steered_in_goes_to_neither() {
    let mut story = Story::new();
    story.says("m1", ALICE).starts("a", "main", "m1");
    let progress = json!({"stimulus": {"run_progress": {"run": "a", "text": "x"}}});
    story.push(progress.clone(), "m1.1", "m1.1");
    story
        .at(10)
        .says("m2", BOB)
        .steers("s1", "a", "m2")
        .steered("s1", "taken");
    story.delivered("d1", ALICE, "m1.1");
    story.keeps("isolation.people");
    story
        .push(progress, "m1.2", "m1.2")
        .delivers("d2", ALICE, "m1.2");
    story.breaks("isolation.people", "telegram/bob");
}

#[test]
fn a_thread_is_another_place_than_its_conversation_unless_bound() {
    let mut story = Story::new();
    story
        .says("m1", "discord/general#t9")
        .starts("a", "k", "m1");
    story
        .ends("a", "ok", "m1.1", "m1")
        .delivers("d1", "discord/general", "m1 m1.1");
    story.breaks("isolation.conversations", "discord/general#t9");

    let mut story = Story::new();
    story.says("m1", "discord/general").starts("a", "k", "m1");
    story.has_bound_child("r1", "a", "b", "child", "discord/general#t1");
    story.ends("b", "ok", "r1.1", "r1");
    story.delivered("d1", "discord/general#t1", "r1 r1.1");
    story.keeps("isolation.conversations");
    // What is said in the thread comes back to whoever asked for the child, when they ask it.
    story
        .at_secs(5)
        .says("m2", "discord/general#t1")
        .starts("c", "child", "m2");
    story
        .ends("c", "ok", "m2.1", "m2")
        .delivered("d2", "discord/general#t1", "m2 m2.1");
    story
        .at_secs(9)
        .says("m3", "discord/general")
        .starts("d", "k", "m3");
    let send = json!({"sessionKey": "child", "message": "s1"});
    story
        .calls("s1", json!({"run": "d"}), "sessions_send", send)
        .starts("e", "child", "s1");
    story
        .ends("e", "ok", "s1.1", "m2 m2.1 s1")
        .answers("s1", json!({"status": "ok"}));
    story.ends("d", "ok", "m3.1", "m2 m2.1 s1.1 m3").delivered(
        "d3",
        "discord/general",
        "m2 m2.1 s1.1 m3 m3.1",
    );
    story.keeps("isolation.conversations");
    story.delivers("d4", "discord/other", "m2 m2.1");
    story.breaks("isolation.conversations", "discord/general#t1");
}

#[test]
fn an_account_does_not_speak_for_another() {
    let mut story = Story::new();
    story
        .says("m1", "telegram:work/alice")
        .starts("a", "main", "m1");
    story.ends("a", "ok", "m1.1", "m1");
    story.does_not_test("isolation.accounts");
    story.delivers("d1", ALICE, "m1 m1.1");
    story.breaks("isolation.accounts", "telegram:work/alice");
    let mut story = Story::new();
    story
        .says("m0", ALICE)
        .starts("z", "main", "m0")
        .ends("z", "ok", "", "m0");
    story
        .says("m1", "telegram:work/alice")
        .starts("a", "main", "m1");
    story
        .ends("a", "ok", "m1.1", "m1")
        .delivers("d1", "telegram:work/alice", "m1 m1.1");
    story.keeps("isolation.accounts");
}

#[test]
fn what_nobody_asked_for_stands_nowhere() {
    let mut story = Story::new();
    story.calls(
        "p1",
        json!("plugin"),
        "runtime.subagent.run",
        json!({"sessionKey": "desk", "message": "p1"}),
    );
    story
        .starts("a", "desk", "p1")
        .has_child("r1", "a", "b", "child");
    story
        .ends("b", "ok", "r1.1", "r1")
        .starts("c", "desk", "r1 r1.1");
    story.ends("c", "ok", "r1.2", "r1 r1.1");
    story.keeps("isolation.fail-closed");
    story.delivers("d1", "telegram/alice", "r1 r1.1 r1.2");
    story.breaks(
        "isolation.fail-closed",
        "delivery d1 takes ⟦r1.2⟧ to telegram/alice, and nobody",
    );
}

#[test]
fn what_is_refused_goes_nowhere_else() {
    let mut story = Story::new();
    story
        .says("m1", "telegram/alice")
        .starts("a", "main", "m1")
        .ends("a", "ok", "m1.1", "m1");
    story.delivers("d1", "telegram/alice", "m1 m1.1");
    story.receipt("d1", json!({"refused": {"permanent": true}}));
    story.keeps("isolation.fail-closed");
    story.delivers("d2", "webchat/alice", "m1 m1.1");
    story.breaks(
        "isolation.fail-closed",
        "to webchat/alice, after telegram/alice refused delivery d1",
    );
}

#[test]
fn a_run_that_is_named_is_not_had() {
    let meddles = |result: serde_json::Value| {
        let mut story = Story::new();
        story
            .says("m1", "telegram/alice")
            .starts("a", "one", "m1")
            .has_child("r1", "a", "b", "child");
        story.says("m2", "telegram/bob").starts("c", "two", "m2");
        story.calls(
            "x",
            json!({"run": "c"}),
            "subagents",
            json!({"action": "retry", "target": "b"}),
        );
        story.answers("x", result);
        story
    };
    meddles(json!({"status": "error", "error": "no"})).keeps("isolation.forged");
    meddles(json!({"status": "ok"})).breaks("isolation.forged", "retry of b, which is of child");
}
