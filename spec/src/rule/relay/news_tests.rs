//! Who is told of what: rows for requester, audience, outcome, progress and silence.

use serde_json::{Value, json};

use crate::story::Story;

const ALICE: &str = "telegram/alice";

/// Run `a` of alice has a child `b` that was asked for with these parameters, and is over.
fn with_child(params: Value, dials: Value) -> Story {
    let mut story = Story::with(dials, json!({}));
    story.says("m1", ALICE).starts("a", "main", "m1");
    let mut asked = json!({"task": "r1"});
    for (name, value) in params.as_object().expect("an object") {
        asked[name] = value.clone();
    }
    story.spawns("r1", "a", asked);
    story.starts_with("b", "child", "fresh", "r1", Value::Null);
    let accepted = json!({"status": "accepted", "runId": "b", "childSessionKey": "child"});
    story.answers("r1", accepted);
    story
        .ends("a", "ok", "m1.1", "m1")
        .delivered("d0", ALICE, "m1 m1.1");
    story.at_secs(9);
    story
}

fn child() -> Story {
    with_child(json!({}), json!({}))
}

fn ended(story: &mut Story) -> &mut Story {
    story.ends("b", "ok", "r1.1", "r1")
}

#[test]
fn the_session_that_asked_is_told_while_it_is_there() {
    let mut story = child();
    ended(&mut story).starts("c", "main", "r1 r1.1");
    story.keeps("relay.requester");
    let mut story = child();
    ended(&mut story).starts("c", "elsewhere", "r1 r1.1");
    story.breaks(
        "relay.requester",
        "run c tells elsewhere of the end of run b ⟦r1.1⟧, which main",
    );
    // Whoever is gone is told nothing.
    let mut story = child();
    story.calls(
        "x",
        json!("admin"),
        "sessions.delete",
        json!({"key": "main"}),
    );
    story.answers("x", json!({"status": "ok"}));
    ended(&mut story).starts("c", "elsewhere", "r1 r1.1");
    story.does_not_test("relay.requester");
}

#[test]
fn words_that_another_run_repeats_are_no_news_of_whoever_said_them() {
    let mut story = child();
    ended(&mut story).starts("c", "main", "r1 r1.1");
    story.ends("c", "ok", "r1.2", "r1 r1.1");
    story.starts("e", "elsewhere", "r1.1 r1.2");
    story.keeps("relay.requester");
}

#[test]
fn the_parent_is_told_before_the_conversation() {
    let mut story = child();
    ended(&mut story).delivers("d1", ALICE, "r1 r1.1");
    story.breaks(
        "relay.audience",
        "and main, which asked for it, was not told",
    );
    // A turn that failed is a reason.
    let mut story = child();
    ended(&mut story).starts("c", "main", "r1 r1.1");
    story
        .ends("c", "error", "", "")
        .delivers("d1", ALICE, "r1 r1.1");
    story.keeps("relay.audience");
}

#[test]
fn nobody_is_nobody_and_both_are_not_twice() {
    let mut story = with_child(json!({"expectsCompletionMessage": false}), json!({}));
    ended(&mut story);
    story.keeps("relay.audience");
    story.starts("c", "main", "r1 r1.1");
    story.breaks("relay.audience", "run c tells main of the end of run b");
    let both = json!({"notifyParent": true, "notifyUserOnComplete": true});
    let mut story = with_child(both, json!({}));
    ended(&mut story).delivered("d1", ALICE, "r1 r1.1");
    story
        .starts("c", "main", "r1 r1.1")
        .ends("c", "ok", "r1.2", "r1 r1.1");
    story.keeps("relay.audience");
    story.delivers("d2", ALICE, "r1 r1.1 r1.2");
    story.breaks("relay.audience", "where delivery d1 took its own words");
    let person = json!({"notifyParent": false, "notifyUserOnComplete": true});
    let mut story = with_child(person, json!({}));
    ended(&mut story).starts("c", "main", "r1 r1.1");
    story.breaks("relay.audience", "run c tells main");
}

#[test]
fn the_first_end_is_the_one_that_is_told() {
    let mut story = child();
    ended(&mut story).starts("c", "main", "r1 r1.1");
    story.keeps("relay.outcome-true");
    let mut story = child();
    ended(&mut story).ends("b", "killed", "r1.2", "r1");
    story.starts("c", "main", "r1 r1.2");
    story.breaks(
        "relay.outcome-true",
        "is told ⟦r1.2⟧ of run b, which had ended before",
    );
    let mut story = child();
    ended(&mut story).starts("c", "main", "r1");
    story.breaks(
        "relay.outcome-true",
        "without ⟦r1.1⟧, which it ended ok with",
    );
}

#[test]
fn a_failure_has_no_words_and_progress_is_no_end() {
    let mut story = child();
    story
        .ends("b", "timeout", "r1.1", "r1")
        .starts("c", "main", "r1");
    story.keeps("relay.outcome-true");
    let mut story = child();
    story
        .ends("b", "timeout", "r1.1", "r1")
        .starts("c", "main", "r1 r1.1");
    story.breaks(
        "relay.outcome-true",
        "which ended as timeout, by its words ⟦r1.1⟧",
    );
    let mut story = child();
    let said = json!({"stimulus": {"run_progress": {"run": "b", "text": "on it"}}});
    story.push(said, "r1.1", "r1.1").starts("c", "main", "r1.1");
    story.ends("b", "ok", "r1.2", "r1");
    story.breaks(
        "relay.outcome-true",
        "by ⟦r1.1⟧, which it said on its way, and never of its end (ok)",
    );
    story.starts("e", "main", "r1 r1.2").ends("e", "ok", "", "");
    story.keeps("relay.outcome-true");
}

#[test]
fn progress_comes_in_order_and_before_the_end() {
    let asked = json!({"runtime": "acp", "streamTo": "parent"});
    let says = |story: &mut Story, marker: &str| {
        let said = json!({"stimulus": {"run_progress": {"run": "b", "text": marker}}});
        story.push(said, marker, marker);
    };
    let mut story = with_child(asked.clone(), json!({}));
    says(&mut story, "r1.1");
    story.breaks(
        "relay.progress",
        "main waits for what run b said on its way ⟦r1.1⟧",
    );
    says(&mut story, "r1.2");
    story.starts("c", "main", "r1.1 r1.2");
    story.keeps("relay.progress");
    let mut story = with_child(asked.clone(), json!({}));
    says(&mut story, "r1.1");
    says(&mut story, "r1.2");
    story.starts("c", "main", "r1.2");
    story.breaks("relay.progress", "⟦r1.2⟧ of run b is told before ⟦r1.1⟧");
    let mut story = with_child(asked, json!({}));
    says(&mut story, "r1.1");
    story
        .ends("b", "ok", "r1.2", "r1")
        .starts("c", "main", "r1 r1.2");
    story.breaks(
        "relay.progress",
        "the end ⟦r1⟧ of run b is told before ⟦r1.1⟧",
    );
}

#[test]
fn tokens_stay_among_agents() {
    let mut story = child();
    ended(&mut story).starts("c", "main", "r1 r1.1");
    story.ends("c", "ok", "", "");
    let token = json!({"text": "NO_REPLY"});
    story.delivers_with("d1", ALICE, "", token);
    story.breaks(
        "relay.silent-tokens",
        "delivery d1 takes NO_REPLY to telegram/alice",
    );
    // A person may write what an agent may not say.
    let mut story = Story::new();
    story
        .says_text("m1", ALICE, "NO_REPLY")
        .starts("a", "main", "m1");
    story.ends("a", "error", "", "");
    let quoted = json!({"text": "no answer to: NO_REPLY ⟦m1⟧"});
    story.delivers_with("d1", ALICE, "m1", quoted);
    story.does_not_test("relay.silent-tokens");
}

#[test]
fn of_several_children_each_is_told() {
    let mut story = Story::new();
    story.says("m1", ALICE).starts("a", "main", "m1");
    story
        .has_child("r1", "a", "b", "one")
        .has_child("r2", "a", "c", "two");
    story
        .ends("a", "ok", "m1.1", "m1")
        .delivered("d0", ALICE, "m1 m1.1");
    story
        .at_secs(9)
        .ends("b", "ok", "r1.1", "r1")
        .ends("c", "ok", "r2.1", "r2");
    story.starts("d", "main", "r1 r1.1").ends("d", "ok", "", "");
    story.breaks(
        "relay.all-of-n",
        "of the 2 runs that main asked for in run a it was told of 1; run c",
    );
    story.starts("e", "main", "r2 r2.1").ends("e", "ok", "", "");
    story.keeps("relay.all-of-n");
}

#[test]
fn what_a_stop_reached_before_it_was_told_may_be_told_of_as_killed() {
    let told = |at: &str, says: &str| {
        let mut story = child();
        story
            .says("m0", "discord/general")
            .starts("z", "team", "m0");
        ended(&mut story);
        story.at_secs(10).says_text("m2", at, says);
        story.starts("c", "main", "r1");
        story
    };
    told(ALICE, "/stop").does_not_test("relay.outcome-true");
    for (at, says) in [(ALICE, "hello"), ("discord/general", "/stop")] {
        told(at, says).breaks("relay.outcome-true", "without ⟦r1.1⟧");
    }
    // A reset stops from when it is asked for; one that is refused stops nothing.
    let reset = |status: Option<&str>| {
        let mut story = child();
        ended(&mut story);
        let call = json!("admin");
        story.calls("x", call, "sessions.reset", json!({"key": "child"}));
        if let Some(status) = status {
            story.answers("x", json!({ "status": status }));
        }
        story.starts("c", "main", "r1");
        story
    };
    reset(None).does_not_test("relay.outcome-true");
    reset(Some("ok")).does_not_test("relay.outcome-true");
    reset(Some("error")).breaks("relay.outcome-true", "without ⟦r1.1⟧");
}
