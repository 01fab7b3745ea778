use serde_json::json;

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
