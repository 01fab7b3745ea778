use serde_json::json;

use crate::story::Story;

const HOME: &str = "telegram/alice";

/// Somebody wrote, and run `a` of main works on it.
fn asked() -> Story {
    let mut story = Story::new();
    story.says("m1", HOME).starts("a", "main", "m1");
    story
}

/// A run ends its turn to wait.
fn yields(story: &mut Story, run: &str) {
    story.calls("y1", json!({ "run": run }), "sessions_yield", json!({}));
    story.answers("y1", json!({"status": "yielded"}));
}

/// Main asked for `b`, and that for `c`; `b` ended and `c` goes on.
fn child_that_waits() -> Story {
    let mut story = asked();
    story.has_child("r1", "a", "b", "child");
    story.has_child("r2", "b", "c", "grandchild");
    story.ends("a", "ok", "", "m1");
    story.at_secs(10).ends("b", "ok", "r1.1", "r1");
    story
}

#[test]
fn an_end_is_told_once_what_is_below_is_settled() {
    let mut story = child_that_waits();
    story.at_secs(20).ends("c", "ok", "r2.1", "r2");
    story.starts("d", "child", "r2 r2.1");
    story.ends("d", "ok", "r2.2", "r2 r2.1");
    story.starts("e", "main", "r1 r1.1 r2.2");
    story.keeps("nested.settles-below");

    let mut story = child_that_waits();
    story.starts("e", "main", "r1 r1.1");
    story.breaks("nested.settles-below", "run b");
    let mut story = child_that_waits();
    story.delivers("d1", HOME, "r1 r1.1");
    story.breaks("nested.settles-below", "run b");
    // Its words may stand in a thread of its own.
    let mut story = child_that_waits();
    story.ends("c", "ok", "r2.1", "r2");
    story.starts("e", "main", "r1 r1.1");
    story.breaks("nested.settles-below", "run b");
}

#[test]
fn waiting_costs_nothing_and_has_a_bound() {
    let mut story = child_that_waits();
    story
        .at_secs(60)
        .asks(json!({"report": {"failed": {"run": "b", "why": "tried three times"}}}));
    story.breaks("nested.settles-below", "given up");

    // At the bound it is told as it is.
    let mut story = child_that_waits();
    story.at_secs(10 + 1_800 - 1).starts("e", "main", "r1 r1.1");
    story.breaks("nested.settles-below", "run b");
    let mut story = child_that_waits();
    story.at_secs(10 + 1_800).starts("e", "main", "r1 r1.1");
    story.keeps("nested.settles-below");

    // Somebody speaks, and nothing was told long after the bound.
    let mut story = child_that_waits();
    story.at_secs(10 + 1_800 + 59).says("m2", "telegram/bob");
    story.does_not_test("nested.settles-below");
    story.at_secs(10 + 1_800 + 61).says("m3", "telegram/bob");
    story.breaks("nested.settles-below", "waits at");
}

#[test]
fn what_failed_waits_for_nothing() {
    let mut story = asked();
    story.has_child("r1", "a", "b", "child");
    story.has_child("r2", "b", "c", "grandchild");
    story.ends("a", "ok", "", "m1");
    story.at_secs(10).ends("b", "error", "r1.1", "r1");
    story.starts("e", "main", "r1");
    story.does_not_test("nested.settles-below");
}

/// `a` asked for two children and yielded.
fn yielded() -> Story {
    let mut story = asked();
    story.has_child("r1", "a", "b", "one");
    story.has_child("r2", "a", "c", "two");
    yields(&mut story, "a");
    story.ends("a", "ok", "", "m1");
    story
}

#[test]
fn who_yields_is_woken_once_for_all() {
    let mut story = yielded();
    story.at_secs(10).ends("b", "ok", "r1.1", "r1");
    story.at_secs(20).ends("c", "ok", "r2.1", "r2");
    story.starts("d", "main", "r1 r1.1 r2 r2.1");
    story.ends("d", "ok", "", "r1 r2");
    story.keeps("nested.yield-wakes");

    let mut early = yielded();
    early.at_secs(10).ends("b", "ok", "r1.1", "r1");
    early.starts("d", "main", "r1 r1.1");
    early.breaks("nested.yield-wakes", "waits for run c too");

    let mut twice = yielded();
    twice.at_secs(10).ends("b", "ok", "r1.1", "r1");
    twice.at_secs(20).ends("c", "ok", "r2.1", "r2");
    twice
        .starts("d", "main", "r1 r1.1")
        .starts("e", "main", "r2 r2.1");
    twice.breaks("nested.yield-wakes", "run e");

    let mut never = yielded();
    never.at_secs(10).ends("b", "ok", "r1.1", "r1");
    never.at_secs(20).ends("c", "ok", "r2.1", "r2");
    never.breaks("nested.yield-wakes", "nothing ever wakes it");
}

#[test]
fn at_the_bound_who_yielded_is_woken_for_what_there_is() {
    let mut story = yielded();
    story.at_secs(10).ends("b", "ok", "r1.1", "r1");
    story.at_secs(10 + 1_800).starts("d", "main", "r1 r1.1");
    story.ends("d", "ok", "", "r1");
    story.at_secs(4_000).ends("c", "ok", "r2.1", "r2");
    story
        .starts("e", "main", "r2 r2.1")
        .ends("e", "ok", "", "r2");
    story.keeps("nested.yield-wakes");
}

#[test]
fn nobody_yields_to_wait_for_nothing() {
    let mut story = asked();
    story.calls("y1", json!({"run": "a"}), "sessions_yield", json!({}));
    story.answers("y1", json!({"status": "error"}));
    story.ends("a", "ok", "", "m1").keeps("nested.yield-wakes");

    let mut story = asked();
    yields(&mut story, "a");
    story.ends("a", "ok", "", "m1");
    story.breaks("nested.yield-wakes", "yielded");
}

/// `b` asked for `c`, which waits for its place and never has a run; `b` ended.
fn child_of_which_one_never_began() -> Story {
    let mut story = asked();
    story.has_child("r1", "a", "b", "child");
    story.spawns("r2", "b", json!({"task": "r2"}));
    let accepted = json!({"status": "accepted", "runId": "c", "childSessionKey": "grandchild"});
    story.answers("r2", accepted);
    story.ends("a", "ok", "", "m1");
    story.at_secs(10).ends("b", "ok", "r1.1", "r1");
    story
}

#[test]
fn what_never_began_is_settled_once_whoever_asked_knows() {
    let mut story = child_of_which_one_never_began();
    story.starts("e", "main", "r1 r1.1");
    story.breaks("nested.settles-below", "run b");

    let mut story = child_of_which_one_never_began();
    story.starts("d", "child", "r2");
    story.starts("e", "main", "r1 r1.1");
    story.breaks("nested.settles-below", "run b");

    let mut story = child_of_which_one_never_began();
    story.starts("d", "child", "r2").ends("d", "ok", "", "r2");
    story.starts("e", "main", "r1 r1.1");
    story.keeps("nested.settles-below");

    let mut story = child_of_which_one_never_began();
    story.asks(json!({"report": {"failed": {"run": "c", "why": "killed"}}}));
    story.starts("e", "main", "r1 r1.1");
    story.keeps("nested.settles-below");
}

#[test]
fn once_all_below_is_settled_an_end_may_be_given_up() {
    let mut story = child_that_waits();
    story.at_secs(20).ends("c", "ok", "r2.1", "r2");
    story.starts("d", "child", "r2 r2.1");
    story.ends("d", "ok", "r2.2", "r2 r2.1");
    story.asks(json!({"report": {"failed": {"run": "b", "why": "nobody knows"}}}));
    story.does_not_test("nested.settles-below");
}

#[test]
fn whoever_hears_of_what_never_began_has_nothing_to_wait_for() {
    let hears = || {
        let mut story = child_of_which_one_never_began();
        story.starts("d", "child", "r2");
        story.calls("y1", json!({"run": "d"}), "sessions_yield", json!({}));
        story
    };
    let mut story = hears();
    story.answers("y1", json!({"status": "error"}));
    story.ends("d", "ok", "", "r2").keeps("nested.yield-wakes");
    let mut story = hears();
    story.answers("y1", json!({"status": "yielded"}));
    story.ends("d", "ok", "", "r2");
    story.breaks("nested.yield-wakes", "run d of session child yielded");
}

#[test]
fn what_is_on_its_way_into_a_run_that_run_does_not_wait_for() {
    let mut story = asked();
    story.has_child("r1", "a", "b", "one");
    story.has_child("r2", "a", "c", "two");
    story
        .ends("b", "ok", "r1.1", "r1")
        .steers("x1", "a", "r1 r1.1");
    yields(&mut story, "a");
    story.ends("a", "ok", "", "m1").steered("x1", "refused");
    story
        .starts("d", "main", "r1 r1.1")
        .ends("d", "ok", "", "r1");
    story.at_secs(10).ends("c", "ok", "r2.1", "r2");
    story.starts("e", "main", "r2 r2.1");
    story.keeps("nested.yield-wakes");
}

#[test]
fn a_stop_that_a_dying_gateway_may_not_have_heard_leaves_something_to_wait_for() {
    let stopped = |dies: bool| {
        let mut story = asked();
        story.has_child("r1", "a", "b", "child");
        story.ends("a", "ok", "", "m1");
        story.at_secs(10).says_text("m2", HOME, "/stop");
        if dies {
            story.crashes(&[], &["b"]);
        }
        story.at_secs(20).says("m3", HOME).starts("c", "main", "m3");
        yields(&mut story, "c");
        story.ends("c", "ok", "", "m3");
        story
    };
    stopped(true).does_not_test("nested.yield-wakes");
    stopped(false).breaks("nested.yield-wakes", "run c");
}

#[test]
fn what_the_session_of_a_failed_child_says_later_is_not_its_end() {
    let told = |outcome: &str| {
        let mut story = asked();
        story.has_child("r1", "a", "b", "child");
        story.has_child("r2", "b", "c", "grandchild");
        story.ends("a", "ok", "", "m1");
        story.at_secs(10).ends("b", outcome, "r1.1", "r1");
        story.at_secs(20).ends("c", "ok", "r2.1", "r2");
        story.starts("d", "child", "r2 r2.1");
        story.ends("d", "ok", "r2.2", "r2 r2.1");
        story.delivered("d1", HOME, "r2 r2.1 r2.2");
        story.world(json!({"rest": "stuck"}));
        story
    };
    told("ok").keeps("relay.liveness");
    told("error").breaks("relay.liveness", "the completion of run b");
}

#[test]
fn what_a_child_says_where_it_is_bound_leaves_its_end_to_be_waited_for() {
    let yields = |thread: bool, hears: bool, dies: bool| {
        let mut story = asked();
        story.spawns("r1", "a", json!({"task": "r1", "thread": thread}));
        story.starts_with("b", "child", "fresh", "r1", serde_json::Value::Null);
        let mode = if thread { "session" } else { "run" };
        let accepted =
            json!({"status": "accepted", "runId": "b", "childSessionKey": "child", "mode": mode});
        story.answers("r1", accepted);
        story.at_secs(10).ends("b", "ok", "r1.1", "r1");
        story.delivered("d1", HOME, "r1 r1.1");
        if hears {
            story.steers("x1", "a", "r1 r1.1").steered("x1", "taken");
        }
        story.at_secs(20);
        let mut by = "a";
        if dies {
            by = "d";
            story.crashes(&["a"], &[]);
            story.starts_with(by, "main", "continue", "m1", json!("a"));
        }
        yields(&mut story, by);
        story.ends(by, "ok", "", "m1");
        story
    };
    let hanging = "of session main yielded";
    yields(true, false, false).does_not_test("nested.yield-wakes");
    yields(true, true, false).breaks("nested.yield-wakes", hanging);
    yields(false, false, false).breaks("nested.yield-wakes", hanging);
    // A turn that took the news and died with the gateway heard nothing for good.
    yields(true, true, true).does_not_test("nested.yield-wakes");
    yields(false, false, true).breaks("nested.yield-wakes", hanging);
}

#[test]
fn an_end_that_a_gateway_died_over_waits_for_nothing() {
    let told = |writes: bool, told: &str| {
        let mut story = asked();
        story.has_child("r1", "a", "b", "child");
        story.has_child("r2", "b", "c", "grandchild");
        story.ends("a", "ok", "", "m1");
        story.at_secs(10).ends("b", "ok", "", "r1");
        if writes {
            story.asks(json!({"persist": {"record": "x"}}));
        }
        story.crashes(&[], &["c"]);
        story.at_secs(12).starts("e", "main", told);
        story
    };
    told(false, "r1").does_not_test("nested.settles-below");
    told(true, "r1").breaks("nested.settles-below", "run b");
}

#[test]
fn what_the_session_of_a_child_says_goes_on_for_no_end_that_a_gateway_died_over() {
    let said = |writes: bool| {
        let mut story = asked();
        story.has_child("r1", "a", "b", "child");
        story.has_child("r2", "b", "c", "below");
        story.has_child("r3", "b", "f", "beside");
        story.ends("a", "ok", "", "m1");
        story.at_secs(10).ends("b", "ok", "r1.1", "r1");
        if writes {
            story.asks(json!({"persist": {"record": "x"}}));
        }
        story.crashes(&[], &["c", "f"]);
        story.at_secs(20).ends("c", "error", "", "r2");
        story
            .starts("d", "child", "r2")
            .ends("d", "ok", "r2.2", "r2");
        story.delivers("d1", HOME, "r2 r2.2");
        story
    };
    said(false).does_not_test("nested.settles-below");
    said(true).breaks(
        "nested.settles-below",
        "delivery d1 is told of the end of run b",
    );
}

#[test]
fn what_is_on_its_way_into_a_run_that_is_over_nobody_waits_for_yet() {
    let yields = |refused_before: bool| {
        let mut story = asked();
        story.has_child("r1", "a", "b", "one");
        story.has_child("r2", "a", "c", "two");
        story
            .ends("b", "ok", "r1.1", "r1")
            .steers("x1", "a", "r1 r1.1");
        story.ends("a", "ok", "", "m1");
        story.at_secs(5).says("m2", HOME).starts("d", "main", "m2");
        if refused_before {
            story.steered("x1", "refused");
        }
        yields(&mut story, "d");
        if !refused_before {
            story.steered("x1", "refused");
        }
        story.ends("d", "ok", "", "m2");
        story
            .starts("e", "main", "r1 r1.1")
            .ends("e", "ok", "", "r1");
        story.at_secs(10).ends("c", "ok", "r2.1", "r2");
        story.starts("f", "main", "r2 r2.1");
        story
    };
    yields(false).keeps("nested.yield-wakes");
    yields(true).breaks("nested.yield-wakes", "waits for run c too");
}

#[test]
fn what_a_reply_repeats_of_a_child_wakes_nobody_again() {
    let told = |by_reply: bool| {
        let mut story = yielded();
        story.at_secs(10).ends("b", "ok", "r1.1", "r1");
        story.at_secs(20).ends("c", "ok", "r2.1", "r2");
        story.starts("d", "main", "r1 r1.1 r2 r2.1");
        story.calls(
            "s1",
            json!({"run": "d"}),
            "sessions_send",
            json!({"sessionKey": "other"}),
        );
        story.starts("e", "other", "r1 r1.1 s1");
        story.answers("s1", json!({"status": "accepted", "runId": "e"}));
        story.ends("d", "ok", "", "r1 r2");
        story.at_secs(30).ends("e", "ok", "s1.1", "r1 r1.1 s1");
        let reply = if by_reply {
            "r1 r1.1 s1 s1.1"
        } else {
            "r1 r1.1"
        };
        story.starts("f", "main", reply);
        story
    };
    told(true).keeps("nested.yield-wakes").keeps("relay.once");
    told(false)
        .breaks("nested.yield-wakes", "which run d woke before")
        .breaks("relay.once", "as run d was or is");
}

#[test]
fn what_was_stopped_after_its_end_is_told_of_by_itself() {
    let told = |stopped: bool| {
        let mut story = asked();
        story.has_child("r1", "a", "b", "one");
        story.has_child("r2", "a", "c", "two");
        yields(&mut story, "a");
        story.at_secs(10).ends("b", "ok", "r1.1", "r1");
        story.at_secs(20).ends("c", "ok", "r2.1", "r2");
        let kill = json!({"action": "kill", "target": "two"});
        story.calls("k1", json!({"run": "a"}), "subagents", kill);
        let result = match stopped {
            true => json!({"status": "ok", "killed": "two"}),
            false => json!({"status": "error"}),
        };
        story.answers("k1", result).ends("a", "ok", "", "m1");
        story
            .starts("d", "main", "r1 r1.1")
            .ends("d", "ok", "", "r1");
        story.starts("e", "main", "r2").ends("e", "ok", "", "r2");
        story
    };
    told(true).keeps("nested.yield-wakes");
    told(false).breaks("nested.yield-wakes", "which run d woke before");
}

#[test]
fn what_one_turn_heard_of_a_child_and_of_a_reply_comes_back_with_the_next_reply() {
    let told = |to: &str| {
        let mut story = asked();
        story.has_child("r1", "a", "b", "one");
        let send = json!({"sessionKey": "other"});
        story.calls("s1", json!({"run": "a"}), "sessions_send", send);
        story.starts("e", "other", "s1");
        story.answers("s1", json!({"status": "timeout", "runId": "e"}));
        yields(&mut story, "a");
        story.ends("a", "ok", "", "m1");
        story.at_secs(5).ends("e", "ok", "s1.1", "s1");
        story.at_secs(10).ends("b", "ok", "r1.1", "r1");
        story.starts("d", "main", "r1 r1.1 s1 s1.1");
        story.ends("d", "ok", "r1.2", "r1 r1.1 s1 s1.1");
        let all = "r1 r1.1 s1 s1.1 r1.2";
        story.starts("q", to, all).ends("q", "ok", "q.1", all);
        story.starts("r", "main", &format!("{all} q.1"));
        story
    };
    told("other")
        .keeps("nested.yield-wakes")
        .keeps("relay.once");
    // Nothing was sent to this one.
    told("elsewhere")
        .breaks("nested.yield-wakes", "run r wakes session main")
        .breaks("relay.once", "run r in main");
}
