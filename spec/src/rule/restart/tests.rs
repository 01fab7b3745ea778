use serde_json::json;

use crate::story::Story;

const HOME: &str = "telegram/alice";

fn child_in_flight() -> Story {
    let mut story = Story::new();
    story.says("m1", HOME).starts("a", "main", "m1");
    story.has_child("r1", "a", "b", "child");
    story
        .ends("a", "ok", "m1.1", "m1")
        .delivered("d1", HOME, "m1 m1.1");
    story
}

#[test]
fn a_lost_child_is_told_of_or_resumed_once() {
    let mut story = child_in_flight();
    story.at_secs(10).crashes(&["b"], &[]);
    story
        .starts("c", "main", "r1")
        .ends("c", "ok", "m9.1", "r1");
    story.delivered("d2", HOME, "r1 m9.1");
    story.keeps("restart.converges");

    let mut story = child_in_flight();
    story.at_secs(10).crashes(&["b"], &[]);
    story.starts_with("b2", "child", "continue", "r1", json!("b"));
    story.at_secs(20).ends("b2", "ok", "r1.1", "r1");
    story
        .starts("c", "main", "r1 r1.1")
        .ends("c", "ok", "", "r1 r1.1");
    story.keeps("restart.converges").keeps("relay.liveness");
    story.starts_with("b3", "child", "continue", "r1", json!("b"));
    story.breaks("restart.converges", "b3");
}

#[test]
fn a_lost_child_nobody_hears_of_has_not_converged() {
    let mut story = child_in_flight();
    story.at_secs(10).crashes(&["b"], &[]);
    story.breaks("restart.converges", "run b");
    story.breaks("relay.liveness", "run b (lost)");
    let mut story = child_in_flight();
    story.at_secs(10).crashes(&["b"], &[]);
    story.starts_with("b2", "child", "continue", "r1", json!("b"));
    story.ends("b2", "ok", "r1.1", "r1");
    story.breaks("restart.converges", "run b2");
}

#[test]
fn a_kept_child_is_told_of_in_the_next_life() {
    let mut story = child_in_flight();
    story.at_secs(10).crashes(&[], &["b"]);
    story.at_secs(20).ends("b", "ok", "r1.1", "r1");
    story.breaks("restart.converges", "run b");
    story
        .starts("c", "main", "r1 r1.1")
        .ends("c", "ok", "", "r1 r1.1");
    story.keeps("restart.converges");
}

#[test]
fn what_a_gateway_was_told_as_it_died_it_was_not_told() {
    // The end of the child was heard and not written down.
    let mut story = child_in_flight();
    story.at_secs(10).ends("b", "ok", "r1.1", "r1");
    story.crashes(&[], &[]);
    story.starts("c", "main", "r1").ends("c", "ok", "", "r1");
    story.keeps("restart.converges").keeps("relay.liveness");

    // The turn that was told of it ended, and that was not written down: another may be told.
    let mut story = child_in_flight();
    story.at_secs(10).ends("b", "ok", "r1.1", "r1");
    story.starts("c", "main", "r1 r1.1");
    story.at_secs(20).ends("c", "ok", "", "r1 r1.1");
    story.crashes(&[], &[]);
    story.starts("d", "main", "r1 r1.1");
    story.ends("d", "ok", "", "r1 r1.1");
    story.keeps("relay.once");
}
