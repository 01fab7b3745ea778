//! What comes of a refusal, and of a requester that began anew.

use serde_json::{Value, json};

use crate::story::Story;

const ALICE: &str = "telegram/alice";

/// The child of alice ended, and what its parent says to that is refused.
fn refused(permanent: bool, retry_after: Value) -> Story {
    let mut story = Story::new();
    story.says("m1", ALICE).starts("a", "main", "m1");
    story.has_child("r1", "a", "b", "child");
    story
        .ends("a", "ok", "m1.1", "m1")
        .delivered("d0", ALICE, "m1 m1.1");
    story.at_secs(10).ends("b", "ok", "r1.1", "r1");
    story
        .starts("c", "main", "r1 r1.1")
        .ends("c", "ok", "r1.2", "r1 r1.1");
    again(&mut story, "d1", permanent, retry_after);
    story
}

fn again(story: &mut Story, id: &str, permanent: bool, retry_after: Value) {
    story.delivers(id, ALICE, "r1 r1.1 r1.2");
    let mut outcome = json!({"refused": {"permanent": permanent}});
    if !retry_after.is_null() {
        outcome["refused"]["retry_after"] = retry_after;
    }
    story.receipt(id, outcome);
}

fn fails(story: &mut Story, run: &str) {
    story.asks(json!({"report": {"failed": {"run": run, "why": "refused"}}}));
}

#[test]
fn what_is_refused_for_good_is_not_tried_again() {
    let mut story = refused(true, Value::Null);
    fails(&mut story, "c");
    story
        .keeps("relay.retry-classified")
        .keeps("relay.gives-up-aloud");
    let mut story = refused(true, Value::Null);
    story.at_secs(60).delivers("d2", ALICE, "r1 r1.1 r1.2");
    story.breaks(
        "relay.retry-classified",
        "though delivery d1 was refused for good",
    );
    let mut story = refused(true, Value::Null);
    story.at_secs(60);
    story.breaks(
        "relay.gives-up-aloud",
        "the last of 1 refusals was at 0:00:10.000",
    );
}

#[test]
fn pauses_grow_and_are_as_long_as_was_asked_for() {
    let mut story = refused(false, Value::Null);
    for (at, id) in [(15, "d2"), (20, "d3"), (25, "d4")] {
        again(story.at_secs(at), id, false, Value::Null);
    }
    story.at_secs(30).delivers("d5", ALICE, "r1 r1.1 r1.2");
    story.breaks(
        "relay.retry-classified",
        "5s after a refusal for now, as 4 times before",
    );
    let mut story = refused(false, Value::Null);
    for (at, id) in [(15, "d2"), (30, "d3"), (75, "d4")] {
        again(story.at_secs(at), id, false, Value::Null);
    }
    story.at_secs(210).delivered("d5", ALICE, "r1 r1.1 r1.2");
    story.keeps("relay.retry-classified");
    let mut story = refused(false, json!(120_000));
    story.at_secs(129).delivers("d2", ALICE, "r1 r1.1 r1.2");
    story.breaks(
        "relay.retry-classified",
        "1m59s after delivery d1 was refused for 2m",
    );
    let mut story = refused(false, json!(120_000));
    story.at_secs(130).delivered("d2", ALICE, "r1 r1.1 r1.2");
    story.keeps("relay.retry-classified");
}

#[test]
fn a_bound_is_kept_on_both_sides() {
    let mut story = refused(false, Value::Null);
    again(story.at_secs(14), "d2", false, Value::Null);
    fails(&mut story, "c");
    story.breaks(
        "relay.retry-classified",
        "is given up 4s after the first of",
    );
    let mut story = refused(false, Value::Null);
    story.at_secs(10 + 30 * 60);
    fails(&mut story, "c");
    story.keeps("relay.retry-classified");
    let mut story = refused(false, Value::Null);
    story
        .at_secs(10 + 36 * 60)
        .delivers("d2", ALICE, "r1 r1.1 r1.2");
    story.does_not_test("relay.retry-classified");
    let mut story = refused(false, Value::Null);
    story
        .at_secs(11 + 36 * 60)
        .delivers("d2", ALICE, "r1 r1.1 r1.2");
    story.breaks("relay.retry-classified", "36m1s after the first attempt");
}

#[test]
fn what_was_given_up_is_listed_retried_and_dismissed() {
    let call = |story: &mut Story, id: &str, action: &str, result: Value| {
        let params = json!({"action": action, "target": "c"});
        story
            .calls(id, json!("admin"), "subagents", params)
            .answers(id, result);
    };
    let mut story = refused(true, Value::Null);
    fails(&mut story, "c");
    let failed = json!({"status": "ok", "failed": [{"runId": "c"}]});
    call(&mut story, "x1", "list", failed.clone());
    story.keeps("relay.gives-up-aloud");
    call(&mut story, "x2", "retry", json!({"status": "ok"}));
    story.breaks(
        "relay.gives-up-aloud",
        "another try of run c was asked for, and none is made",
    );
    story.delivered("d2", ALICE, "r1 r1.1 r1.2");
    story
        .keeps("relay.gives-up-aloud")
        .keeps("relay.retry-classified");
    let mut story = refused(true, Value::Null);
    fails(&mut story, "c");
    call(&mut story, "x1", "dismiss", json!({"status": "ok"}));
    call(&mut story, "x2", "list", failed);
    story.breaks(
        "relay.gives-up-aloud",
        "lists the failure of run c, which was dismissed",
    );
    let mut story = refused(true, Value::Null);
    fails(&mut story, "c");
    call(&mut story, "x1", "list", json!({"status": "ok"}));
    story.breaks("relay.gives-up-aloud", "lists no failure of run c");
}

fn anew(dial: &str) -> Story {
    let mut story = Story::with(json!({ "reset_requester": dial }), json!({}));
    story.says("m1", ALICE).starts("a", "main", "m1");
    story.has_child("r1", "a", "b", "child");
    story
        .ends("a", "ok", "m1.1", "m1")
        .delivered("d0", ALICE, "m1 m1.1");
    story.at_secs(5).says_text("m2", ALICE, "/new hello");
    story.starts_with("n", "main", "fresh", "m2", Value::Null);
    story
        .ends("n", "ok", "m2.1", "m2")
        .delivered("d1", ALICE, "m2 m2.1");
    story.at_secs(10).ends("b", "ok", "r1.1", "r1");
    story
}

#[test]
fn who_began_anew_is_told_or_there_is_a_failure() {
    let mut story = anew("visible_failure");
    story.breaks("relay.reset-requester", "main began anew at 0:00:05.000");
    fails(&mut story, "b");
    story.keeps("relay.reset-requester");
    let mut story = anew("visible_failure");
    story.starts("c", "main", "r1 r1.1");
    story.breaks(
        "relay.reset-requester",
        "run c tells main of the end of run b",
    );
    let mut story = anew("new_incarnation");
    story.starts("c", "main", "r1 r1.1").ends("c", "ok", "", "");
    story.keeps("relay.reset-requester");
    fails(&mut story, "b");
    story.breaks(
        "relay.reset-requester",
        "run c of the new incarnation was told of it",
    );
}

#[test]
fn a_message_that_is_worked_on_anew_has_news_of_its_own() {
    let again = |anew: bool| {
        let mut story = Story::new();
        story.says("m1", ALICE).starts("a", "main", "m1");
        story.ends("a", "error", "", "m1");
        story.delivers("d1", ALICE, "m1");
        story.receipt("d1", json!({"refused": {"permanent": true}}));
        fails(&mut story, "a");
        story.at_secs(60);
        if anew {
            story.starts("b", "main", "m1").ends("b", "error", "", "m1");
        }
        story.at_secs(61).delivers("d2", ALICE, "m1");
        story
    };
    again(false).breaks("relay.retry-classified", "refused for good");
    again(true).does_not_test("relay.retry-classified");
}

#[test]
fn news_of_a_message_that_was_worked_on_twice_is_told_apart_by_its_key() {
    let news = |story: &mut Story, id: &str, key: &str| {
        story.delivers_with(id, ALICE, "m1", json!({"key": key}));
        story.receipt(
            id,
            json!({"refused": {"permanent": false, "retry_after": 60_000}}),
        );
    };
    let again = |anew: bool, key: &str| {
        let mut story = Story::new();
        story.says("m1", ALICE).starts("a", "main", "m1");
        story.ends("a", "error", "", "m1");
        news(&mut story, "d1", "a");
        story.at_secs(50);
        if anew {
            story.starts("b", "main", "m1").ends("b", "error", "", "m1");
            news(&mut story, "d2", "b");
        }
        story.at_secs(if anew { 70 } else { 20 + 30 });
        story.delivers_with("d3", ALICE, "m1", json!({ "key": key }));
        story
            .posted("d3", ALICE, "m1")
            .receipt("d3", json!({"accepted": {"message": "x"}}));
        story
    };
    again(true, "a").does_not_test("relay.retry-classified");
    again(true, "b").breaks(
        "relay.retry-classified",
        "20s after delivery d2 was refused for 1m",
    );
    // Where there was but one piece of news, it is that under whatever key.
    again(false, "c").breaks(
        "relay.retry-classified",
        "50s after delivery d1 was refused for 1m",
    );
}

#[test]
fn who_waits_for_a_child_that_has_no_place_yet_waits_for_no_refusal() {
    let ended = |below: &str| {
        let mut story = refused(false, Value::Null);
        story
            .says("m2", "telegram/bob")
            .starts("d", "bobs", "m2")
            .has_child("r2", "d", "e", "other");
        story.ends("d", "ok", "", "m2");
        story.spawns("r3", "e", json!({"task": "r3"}));
        story.answers(
            "r3",
            json!({"status": below, "runId": "f", "childSessionKey": "below"}),
        );
        story.at_secs(20).ends("e", "ok", "r2.1", "r2");
        again(story.at_secs(90), "d2", false, Value::Null);
        story
    };
    ended("accepted").does_not_test("relay.retry-classified");
    ended("error").breaks(
        "relay.retry-classified",
        "bobs waits for the end of run e since 0:00:20.000, and nothing is tried",
    );
}

#[test]
fn of_two_texts_that_are_refused_at_once_either_may_be_the_one_that_is_given_up() {
    let failed = |progress: bool| {
        let mut story = Story::new();
        story.says("m1", ALICE).starts("a", "main", "m1");
        if progress {
            let said = json!({"stimulus": {"run_progress": {"run": "a", "text": "on it"}}});
            story.push(said, "p1", "p1").delivers("d1", ALICE, "p1");
        }
        story
            .at_secs(5)
            .ends("a", "ok", "m1.1", "m1")
            .delivers("d2", ALICE, "m1 m1.1");
        story.receipt("d2", json!({"refused": {"permanent": false}}));
        if progress {
            story.receipt("d1", json!({"refused": {"permanent": true}}));
        }
        fails(&mut story, "a");
        story
    };
    failed(true).keeps("relay.retry-classified");
    failed(false).breaks("relay.retry-classified", "⟦m1.1⟧ of run a");
}
