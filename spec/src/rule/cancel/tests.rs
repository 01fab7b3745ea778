use serde_json::json;

use crate::story::Story;

const HOME: &str = "telegram/alice";

/// Main asked for `b`, and that for `c`.
fn three_deep() -> Story {
    let mut story = Story::new();
    story.says("m1", HOME).starts("a", "main", "m1");
    story.has_child("r1", "a", "b", "child");
    story.has_child("r2", "b", "c", "grandchild");
    story
}

fn kill(story: &mut Story, secs: u64, key: &str) {
    story.at_secs(secs);
    let params = json!({"action": "kill", "target": key});
    story.calls("k1", json!({"run": "a"}), "subagents", params);
    story.answers("k1", json!({"status": "ok", "killed": key}));
}

#[test]
fn a_kill_reaches_all_below() {
    let mut story = three_deep();
    kill(&mut story, 10, "child");
    story.asks(json!({"cancel_run": {"run": "b"}}));
    story.asks(json!({"cancel_run": {"run": "c"}}));
    story
        .ends("b", "killed", "", "")
        .ends("c", "killed", "", "");
    story.keeps("cancel.closes-below");

    let mut story = three_deep();
    kill(&mut story, 10, "child");
    story.asks(json!({"cancel_run": {"run": "b"}}));
    story.ends("b", "killed", "", "");
    story.at_secs(60).ends("c", "ok", "r2.1", "r2");
    story.breaks("cancel.closes-below", "run c went on");
    // It may have been ending just then.
    let mut story = three_deep();
    kill(&mut story, 10, "child");
    story.at(10_999).ends("c", "ok", "", "r2");
    story.does_not_test("cancel.closes-below");
}

#[test]
fn a_stop_and_a_reset_do_too() {
    let mut story = three_deep();
    story.at_secs(10).says_text("m2", HOME, "/stop");
    story.at_secs(60).ends("c", "ok", "r2.1", "r2");
    story.breaks("cancel.closes-below", "run c went on");
    let mut story = three_deep();
    story.at_secs(10);
    story.calls(
        "x",
        json!("admin"),
        "sessions.reset",
        json!({"key": "main"}),
    );
    story.answers("x", json!({"status": "ok"}));
    story.at_secs(60).ends("c", "ok", "r2.1", "r2");
    story.breaks("cancel.closes-below", "run c went on");
}

#[test]
fn what_ended_and_waits_is_told_as_killed() {
    let waits = || {
        let mut story = three_deep();
        story.ends("a", "ok", "", "m1");
        story.at_secs(5).ends("b", "ok", "r1.1", "r1");
        kill(&mut story, 10, "child");
        story.asks(json!({"cancel_run": {"run": "c"}}));
        story.ends("c", "killed", "", "");
        story
    };
    let mut story = waits();
    story.starts("d", "main", "r1").ends("d", "ok", "", "r1");
    story.keeps("cancel.closes-below").keeps("relay.liveness");
    let mut story = waits();
    story.starts("d", "main", "r1 r1.1");
    story.breaks("cancel.closes-below", "r1.1");
}

#[test]
fn nothing_is_said_after_a_stop() {
    let mut story = three_deep();
    kill(&mut story, 10, "child");
    story.asks(json!({"cancel_run": {"run": "b"}}));
    story.asks(json!({"cancel_run": {"run": "c"}}));
    story.ends("c", "ok", "r2.1", "r2");
    story.delivers("d1", HOME, "r2.1");
    story.breaks("cancel.closes-below", "r2.1");
}

#[test]
fn a_child_that_was_about_to_begin_is_stopped_too() {
    let begins = || {
        let mut story = three_deep();
        story.spawns("r3", "b", json!({"task": "r3"}));
        kill(&mut story, 10, "child");
        story.asks(json!({"cancel_run": {"run": "b"}}));
        story.asks(json!({"cancel_run": {"run": "c"}}));
        story
            .ends("b", "killed", "", "")
            .ends("c", "killed", "", "");
        story.starts_with("e", "late", "fresh", "r3", json!(null));
        story
    };
    let mut story = begins();
    story.at_secs(60).ends("e", "ok", "r3.1", "r3");
    story.breaks("cancel.closes-below", "run e went on");
    let mut story = begins();
    story.asks(json!({"cancel_run": {"run": "e"}}));
    story.at_secs(60).ends("e", "killed", "", "r3");
    story.keeps("cancel.closes-below");
}
