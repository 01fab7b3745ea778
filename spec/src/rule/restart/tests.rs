use serde_json::{Value, json};

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

#[test]
fn one_recovery_resumes_a_message_once() {
    let dies = || {
        let mut story = Story::new();
        story.says("m1", HOME).starts("a", "main", "m1");
        story.at_secs(10).crashes(&["a"], &[]);
        story
    };
    let mut story = dies();
    story.starts_with("b", "main", "continue", "m1", json!("a"));
    story.keeps("restart.nothing-twice");
    story.starts_with("c", "main", "continue", "m1", json!("a"));
    story.breaks("restart.nothing-twice", "both are asked for");

    // The second one dies too: it is not resumed once more.
    let mut story = dies();
    story.starts_with("b", "main", "continue", "m1", json!("a"));
    story.at_secs(20).crashes(&["b"], &[]);
    story.starts_with("c", "main", "continue", "m1", json!("b"));
    story.breaks("restart.nothing-twice", "which resumed run a");
}

#[test]
fn what_was_over_is_not_done_posted_or_reported_again() {
    let over = || {
        let mut story = Story::new();
        story.says("m1", HOME).starts("a", "main", "m1");
        story.ends("a", "ok", "m1.1", "m1");
        story.delivered("d1", HOME, "m1 m1.1");
        story.at_secs(5).says("m2", HOME);
        story.at_secs(10).crashes(&[], &[]);
        story
    };
    let mut story = over();
    story.starts("b", "main", "m1");
    story.breaks("restart.nothing-twice", "did before it");
    let mut story = over();
    story.delivers("d2", HOME, "m1 m1.1");
    story.breaks("restart.nothing-twice", "was accepted there");
    // What came before the receipt may come again.
    let mut story = Story::new();
    story.says("m1", HOME).starts("a", "main", "m1");
    story.ends("a", "ok", "m1.1", "m1");
    story
        .delivers("d1", HOME, "m1 m1.1")
        .posted("d1", HOME, "m1 m1.1");
    story.at_secs(10).crashes(&[], &[]);
    story.delivers("d2", HOME, "m1 m1.1");
    story.keeps("restart.nothing-twice");
}

#[test]
fn a_failure_is_reported_again_only_where_the_report_may_not_have_left() {
    let failed = json!({"report": {"failed": {"run": "a", "why": "refused"}}});
    let mut story = Story::new();
    story.says("m1", HOME).starts("a", "main", "m1");
    story.asks(failed.clone());
    story.at_secs(10).crashes(&[], &[]);
    story.asks(failed.clone());
    story.keeps("restart.nothing-twice");
    story.at_secs(20).says("m2", HOME);
    story.at_secs(30).crashes(&[], &[]);
    story.asks(failed.clone());
    story.breaks("restart.nothing-twice", "reported again");

    // Another text of the same run was on its way, or had yet to set out, when the gateway died.
    let mut story = Story::new();
    story.says("m1", HOME).starts("a", "main", "m1");
    let progress = json!({"run_progress": {"run": "a", "text": "m1.1"}});
    story.push(json!({ "stimulus": progress }), "m1.1", "m1.1");
    story.delivers("d1", HOME, "m1.1").asks(failed.clone());
    story.at_secs(5).says("m2", HOME);
    story.at_secs(10).crashes(&[], &[]).asks(failed.clone());
    story.keeps("restart.nothing-twice");

    let mut story = Story::new();
    story.says("m1", HOME).starts("a", "main", "m1");
    story.asks(failed.clone());
    story.at_secs(5).says("m2", HOME);
    story.at_secs(10).ends("a", "ok", "m1.1", "m1");
    story.crashes(&[], &[]).asks(failed);
    story.keeps("restart.nothing-twice");
}

#[test]
fn of_a_text_in_pieces_each_has_to_arrive() {
    let told = |pieces: &[&str]| {
        let mut story = Story::new();
        story.says("m1", HOME).starts("a", "main", "m1");
        story.has_child("r1", "a", "b", "child");
        story.ends("a", "ok", "", "m1");
        story.ends("b", "ok", "r1.1 r1.2", "r1");
        for (index, piece) in pieces.iter().enumerate() {
            story.delivered(&format!("d{index}"), HOME, piece);
        }
        story.at_secs(5).says("m2", HOME);
        story.at_secs(10).crashes(&[], &[]);
        story.asks(json!({"report": {"failed": {"run": "b", "why": "nobody knows"}}}));
        story
    };
    told(&["r1 r1.1"]).keeps("restart.nothing-twice");
    told(&["r1 r1.1", "r1.2"]).breaks("restart.nothing-twice", "took it to telegram/alice");
}

#[test]
fn the_news_of_a_failure_may_have_come_to_nothing_beside_what_was_reported() {
    let failed = json!({"report": {"failed": {"run": "a", "why": "refused"}}});
    let twice = |news: &str| {
        let mut story = Story::new();
        story.says("m0", HOME).says("m1", HOME);
        story
            .starts("a", "main", "m1")
            .ends("a", "timeout", "", "m1");
        story.delivers("d1", HOME, news).asks(failed.clone());
        story.at_secs(5).says("m2", HOME);
        story.at_secs(10).crashes(&[], &[]).asks(failed.clone());
        story
    };
    twice("m1").keeps("restart.nothing-twice");
    twice("m0").breaks("restart.nothing-twice", "reported again");
}

#[test]
fn a_bound_child_whose_end_nobody_wants_to_hear_of_may_die_with_its_words() {
    let dies = |writes: bool| {
        let mut story = Story::new();
        story.says("m1", HOME).starts("a", "main", "m1");
        let params = json!({"task": "r1", "thread": true, "notifyParent": false});
        story
            .spawns("r1", "a", params)
            .starts_with("b", "child", "fresh", "r1", Value::Null);
        let accepted = json!({"status": "accepted", "runId": "b", "childSessionKey": "child", "mode": "session"});
        story.answers("r1", accepted);
        story
            .ends("a", "ok", "m1.1", "m1")
            .delivered("d0", HOME, "m1 m1.1");
        story.at_secs(10).ends("b", "ok", "r1.1", "r1");
        if writes {
            story.asks(json!({"persist": {"record": "x"}}));
        }
        story.crashes(&[], &[]).world(json!({"rest": "settled"}));
        story
    };
    assert_eq!(dies(false).owed(), [""; 0]);
    dies(true).breaks("relay.liveness", "the words of run b ⟦r1.1⟧");
}
