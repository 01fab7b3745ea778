//! Parameters, their effects and the words of refusals, by the hand-made trace.

use serde_json::{Value, json};

use super::{CHILD, KEY, refuse, spawn};
use crate::effect::Memory::{Continue, Fork, Fresh};
use crate::profile::{AcpParams, SessionCleanup};
use crate::rule::tale::{Tale, direct};
use crate::stimulus::Start;
use crate::story::Story;
use crate::time::Span;

const ALICE: &str = "telegram/alice";

fn accepted(params: Value) -> Tale {
    let mut tale = spawn("chat", params);
    tale.start("b", CHILD, Fresh, &["r1"])
        .started("b", Start::Started)
        .accepts("r1", CHILD, "run");
    tale
}

#[test]
fn what_can_have_no_effect_is_refused() {
    let rule = "spawn.nothing-ignored";
    for (params, name, value) in [
        (json!({"replyTo": ""}), "replyTo", "\"\""),
        (json!({"mode": "SESSION"}), "mode", "\"SESSION\""),
        (json!({"thread": "true"}), "thread", "\"true\""),
        (json!({"runtime": "other"}), "runtime", "\"other\""),
        (json!({"runTimeoutSeconds": -1}), "runTimeoutSeconds", "-1"),
        (json!({"streamTo": "parent"}), "streamTo", "\"parent\""),
        (json!({"resumeSessionId": "s"}), "resumeSessionId", "\"s\""),
        (
            json!({"context": "fork", "runtime": "acp"}),
            "context",
            "\"fork\"",
        ),
        (
            json!({"cleanup": "delete", "mode": "session"}),
            "cleanup",
            "\"delete\"",
        ),
    ] {
        let mut ignored = spawn("chat", params.clone());
        let mode = params["mode"].as_str().unwrap_or("run");
        ignored.accepts("r1", CHILD, mode);
        ignored.breaks(
            rule,
            &format!("spawn r1 is accepted, and `{name}`: {value} counts for nothing"),
        );
        let mut refused = spawn("chat", params);
        refuse(&mut refused, "r1", "no");
        refused.keeps(rule);
        refused.breaks(
            "spawn.refusal-helps",
            &format!("spawn r1 is refused, and its answer does not name `{name}`: no"),
        );
    }
    let mut foreign = spawn("chat", json!({"streamTo": "parent"}));
    foreign
        .dial(|dials| dials.acp_params = AcpParams::Ignored)
        .accepts("r1", CHILD, "run");
    foreign.says_nothing(rule);
    let mut kept = spawn("chat", json!({"cleanup": "delete", "mode": "session"}));
    kept.dial(|dials| dials.session_cleanup = SessionCleanup::Kept)
        .accepts("r1", CHILD, "session");
    kept.says_nothing(rule);
}

#[test]
fn a_refusal_names_what_works_there() {
    let rule = "spawn.refusal-helps";
    let threaded = |error: &str| {
        let mut tale = spawn("chat", json!({"mode": "session", "thread": true}));
        refuse(&mut tale, "r1", error);
        tale
    };
    threaded("Thread bindings are unavailable for chat. Use mode=\"run\".").keeps(rule);
    for error in [
        "thread hook has no handler",
        "Retry with thread: true on a channel with threads",
    ] {
        threaded(error).breaks(
            rule,
            &format!("spawn r1 is refused, and its answer names nothing that works in chat/alice: {error}"),
        );
    }
    threaded("max active children reached (5/5)").says_nothing(rule);
}

#[test]
fn the_task_is_given_to_a_run() {
    let rule = "spawn.nothing-ignored";
    let mut lost = spawn("chat", json!({}));
    lost.start("b", CHILD, Fresh, &[])
        .accepts("r1", CHILD, "run")
        .rests();
    lost.breaks(rule, "spawn r1 is accepted, and no run is given its task");
    let mut late = spawn("chat", json!({}));
    late.accepts("r1", CHILD, "run")
        .start("b", CHILD, Fresh, &["r1"])
        .rests();
    late.keeps(rule);
}

#[test]
fn a_run_stops_when_its_time_is_over() {
    let rule = "spawn.nothing-ignored";
    let running = || accepted(json!({"runTimeoutSeconds": 60}));
    let mut stopped = running();
    stopped.after(Span::secs(60)).cancels("b").ends("b", "r1.1");
    stopped.keeps(rule);
    let mut late = running();
    late.after(Span::secs(90)).ends("b", "r1.1");
    late.breaks(
        rule,
        "run b ends by itself at 0:01:30.009, though it may take only until 0:01:00.007",
    );
    let mut quick = running();
    quick.after(Span::secs(30)).ends("b", "r1.1");
    quick.keeps(rule);
}

#[test]
fn memories_are_as_asked_for() {
    let rule = "spawn.nothing-ignored";
    let first = |params: Value, forks: bool| {
        let mut tale = spawn("chat", params);
        let memory = if forks { Fork(KEY.into()) } else { Fresh };
        tale.start("b", CHILD, memory, &["r1"]);
        tale
    };
    let fork = || json!({"context": "fork"});
    first(fork(), true).keeps(rule);
    first(fork(), false).breaks(
        rule,
        "run b of spawn r1 starts without the memory of its parent",
    );
    for params in [json!({}), json!({"context": "isolated"})] {
        first(params.clone(), false).keeps(rule);
        first(params, true).breaks(
            rule,
            "run b of spawn r1 starts with the memory of another session",
        );
    }
    let resumes = || json!({"runtime": "acp", "resumeSessionId": "s"});
    first(resumes(), true).keeps(rule);
    first(resumes(), false).breaks(rule, "run b of spawn r1 starts without a memory");
    first(json!({"model": "big"}), false)
        .breaks(rule, "run b of spawn r1 has not the model \"big\"");
}

/// The child has ended; its parent is told, and says it aloud or nothing of it.
fn told(params: Value, aloud: bool) -> Tale {
    let mut tale = accepted(params);
    tale.ends("a", "m1.1").ends("b", "r1.1");
    tale.start("c", KEY, Continue, &["r1.1"])
        .started("c", Start::Started)
        .ends("c", "c.1");
    if aloud {
        tale.delivers("d1", &direct("chat", "alice"), &["c.1", "r1.1"]);
    }
    tale.rests();
    tale
}

#[test]
fn who_is_told_is_who_was_asked_for() {
    let rule = "spawn.nothing-ignored";
    told(json!({"notifyParent": true}), false).keeps(rule);
    told(
        json!({"notifyParent": true, "notifyUserOnComplete": true}),
        true,
    )
    .keeps(rule);
    told(
        json!({"notifyParent": true, "notifyUserOnComplete": true}),
        false,
    )
    .breaks(rule, "nobody in chat/alice is told of the end of run b");
    for (params, name) in [
        (
            json!({"expectsCompletionMessage": false}),
            "expectsCompletionMessage",
        ),
        (
            json!({"notifyParent": false, "notifyUserOnComplete": true}),
            "notifyParent",
        ),
    ] {
        told(params, true).breaks(
            rule,
            &format!(
                "session {KEY} is told of the end of run b, though spawn r1 has `{name}`: false"
            ),
        );
    }
    let mut quiet = accepted(json!({"expectsCompletionMessage": false}));
    quiet.ends("b", "r1.1").rests();
    quiet.keeps(rule);
    quiet.says_nothing("relay.liveness");
}

#[test]
fn the_given_mode_wins_and_else_the_thread() {
    let rule = "spawn.mode-resolved";
    let answered = |params: Value, mode: &str| {
        let mut tale = spawn("board", params);
        tale.accepts("r1", CHILD, mode);
        tale
    };
    answered(json!({}), "run").keeps(rule);
    answered(json!({"thread": true}), "session").keeps(rule);
    answered(json!({"thread": true, "mode": "run"}), "run").keeps(rule);
    answered(json!({"thread": true, "mode": "run"}), "session")
        .breaks(rule, "spawn r1 is accepted in mode session");
    answered(json!({"runtime": "acp", "thread": true}), "run")
        .breaks(rule, "spawn r1 is accepted in mode run");
    let mut injected = spawn("forum", json!({}));
    injected.accepts("r1", CHILD, "session");
    injected.says_nothing(rule);
}

#[test]
fn who_speaks_for_a_child_of_a_child_may_be_the_turn_above() {
    let rule = "spawn.nothing-ignored";
    let told = |speaks: bool| {
        let mut story = Story::new();
        story.says("m1", ALICE).starts("a", "main", "m1");
        story
            .has_child("r1", "a", "b", "child")
            .ends("a", "ok", "", "m1");
        let both = json!({"task": "r2", "notifyParent": true, "notifyUserOnComplete": true});
        story
            .spawns("r2", "b", both)
            .starts_with("c", "below", "fresh", "r2", Value::Null);
        let accepted = json!({"status": "accepted", "runId": "c", "childSessionKey": "below"});
        story.answers("r2", accepted).ends("b", "ok", "r1.1", "r1");
        story.at_secs(10).ends("c", "error", "", "r2");
        story
            .starts("d", "child", "r2")
            .ends("d", "ok", "r2.1", "r2");
        story
            .starts("e", "main", "r1 r1.1 r2.1")
            .ends("e", "ok", "r1.2", "r1 r1.1 r2.1");
        if speaks {
            story.delivers("d1", ALICE, "r1 r1.1 r2.1 r1.2");
            story.receipt("d1", json!({"refused": {"permanent": true}}));
        }
        story.world(json!({"rest": "settled"}));
        story
    };
    told(true).keeps(rule);
    told(false).breaks(rule, "nobody in telegram/alice is told of the end of run c");
}
