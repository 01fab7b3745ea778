//! The life of `discord/general#t1`, bound at 62 s with an idle timeout of a minute.

use serde_json::json;

use crate::story::{Story, address};

const PARENT: &str = "agent:main:discord:general";
const CHILD: &str = "agent:main:subagent:1";
const THREAD: &str = "discord/general#t1";

fn bound(dials: serde_json::Value, limits: serde_json::Value) -> Story {
    let mut story = Story::with(dials, json!({"session": {"threadBindings": limits}}));
    story.at_secs(62).says("m1", "discord/general");
    story.starts("a", PARENT, "m1");
    story.has_bound_child("r1", "a", "b", CHILD, THREAD);
    story.ends("b", "ok", "", "r1");
    story.ends("a", "ok", "", "m1");
    story
}

fn idle_a_minute() -> Story {
    bound(json!({}), json!({"idleHours": 1.0 / 60.0}))
}

fn a_minute_of_age() -> Story {
    bound(
        json!({}),
        json!({"idleHours": 0, "maxAgeHours": 1.0 / 60.0}),
    )
}

fn message(story: &mut Story, secs: u64, name: &str, key: &str) {
    story.at_secs(secs).says(name, THREAD);
    let run = format!("run-{name}");
    story.starts(&run, key, name).ends(&run, "ok", "", name);
}

fn says_over(story: &mut Story, secs: u64, reason: &str) {
    let unbound =
        json!({"unbound": {"address": address(THREAD), "session_key": CHILD, "reason": reason}});
    story.at_secs(secs).asks(json!({ "report": unbound }));
}

#[test]
fn activity_postpones_the_idle_limit() {
    let mut story = idle_a_minute();
    message(&mut story, 100, "m2", CHILD);
    message(&mut story, 150, "m3", CHILD);
    story.keeps("binding.idle").keeps("binding.never-early");
    story.does_not_test("binding.ends-in-time");
    message(&mut story, 210, "m4", PARENT);
    story.keeps("binding.idle").keeps("binding.ends-in-time");
}

#[test]
fn an_end_that_ignores_activity_is_too_early() {
    let mut story = idle_a_minute();
    message(&mut story, 100, "m2", CHILD);
    message(&mut story, 150, "m3", PARENT);
    story.breaks("binding.idle", "⟦m3⟧");
    story.breaks("binding.never-early", PARENT);
    story.breaks("routing.bound-first", "⟦m3⟧");
}

#[test]
fn at_the_deadline_it_is_over() {
    let mut story = idle_a_minute();
    message(&mut story, 122, "m2", CHILD);
    story.breaks("binding.ends-in-time", "⟦m2⟧");
    story.breaks("binding.idle", "0:01:02.000");
    let mut story = idle_a_minute();
    story.at(121_999).says("m2", THREAD);
    story.starts("c", CHILD, "m2");
    story
        .keeps("routing.bound-first")
        .does_not_test("binding.ends-in-time");
}

#[test]
fn a_reported_end_must_not_come_early() {
    let mut story = idle_a_minute();
    says_over(&mut story, 121, "idle");
    story
        .breaks("binding.idle", "idle")
        .breaks("binding.never-early", THREAD);
    let mut story = idle_a_minute();
    says_over(&mut story, 122, "idle");
    story.keeps("binding.idle").keeps("binding.never-early");
    let mut story = idle_a_minute();
    says_over(&mut story, 80, "thread-gone");
    story.breaks("binding.never-early", "thread-gone");
}

#[test]
fn a_cause_ends_it_at_any_time() {
    let mut story = idle_a_minute();
    story
        .at_secs(80)
        .says_text("m2", "discord/general#t1", "/unfocus");
    says_over(&mut story, 80, "unfocus");
    message(&mut story, 90, "m3", PARENT);
    story.keeps("binding.never-early");
    let mut story = idle_a_minute();
    story
        .at_secs(80)
        .told(json!({"thread_changed": {"at": address(THREAD), "state": "gone"}}));
    says_over(&mut story, 80, "thread-gone");
    story.keeps("binding.never-early");
    let mut story = idle_a_minute();
    let session = json!({"key": CHILD});
    story
        .at_secs(80)
        .calls("c1", json!("admin"), "sessions.reset", session);
    says_over(&mut story, 80, "reset");
    story.keeps("binding.never-early");
}

#[test]
fn output_of_the_bound_session_counts_as_activity_and_notices_do_not() {
    let mut story = idle_a_minute();
    message(&mut story, 100, "m2", CHILD);
    story
        .at_secs(110)
        .says("m3", THREAD)
        .starts("c", CHILD, "m3");
    story
        .at_secs(130)
        .ends("c", "ok", "m3.1", "m3")
        .delivered("d1", THREAD, "m3 m3.1");
    message(&mut story, 185, "m4", CHILD);
    story.keeps("binding.idle");
    let mut story = idle_a_minute();
    story.at_secs(100).delivered("d1", THREAD, "");
    message(&mut story, 130, "m2", CHILD);
    story.breaks("binding.ends-in-time", "⟦m2⟧");
}

#[test]
fn no_activity_postpones_the_age_limit() {
    let mut story = a_minute_of_age();
    message(&mut story, 100, "m2", CHILD);
    message(&mut story, 130, "m3", PARENT);
    story.keeps("binding.max-age").does_not_test("binding.idle");
    let mut story = a_minute_of_age();
    message(&mut story, 100, "m2", CHILD);
    message(&mut story, 130, "m3", CHILD);
    story.breaks("binding.max-age", "0:01:02.000");
    let mut story = a_minute_of_age();
    says_over(&mut story, 121, "max-age");
    story.breaks("binding.max-age", "max-age");
}

#[test]
fn what_the_age_counts_from_after_a_command_is_a_dial() {
    for (dial, holder) in [("bound", PARENT), ("command", CHILD)] {
        let mut story = bound(
            json!({"max_age_from": dial}),
            json!({"idleHours": 0, "maxAgeHours": 1}),
        );
        story
            .at_secs(82)
            .says_text("m2", THREAD, "/session max-age 2m");
        message(&mut story, 190, "m3", holder);
        assert!(
            !story.verdict("binding.max-age").is_fail(),
            "{dial}: {:?}",
            story.verdict("binding.max-age")
        );
        let other = if holder == PARENT { CHILD } else { PARENT };
        let mut story = bound(
            json!({"max_age_from": dial}),
            json!({"idleHours": 0, "maxAgeHours": 1}),
        );
        story
            .at_secs(82)
            .says_text("m2", THREAD, "/session max-age 2m");
        message(&mut story, 190, "m3", other);
        let rule = if other == CHILD {
            "binding.ends-in-time"
        } else {
            "binding.never-early"
        };
        story.breaks(rule, "⟦m3⟧");
    }
}

#[test]
fn a_command_changes_the_live_deadline() {
    let mut story = idle_a_minute();
    story
        .at_secs(82)
        .says_text("m2", THREAD, "/session idle 2h");
    message(&mut story, 7_281, "m3", CHILD);
    story.keeps("binding.never-early");
    let mut story = idle_a_minute();
    story
        .at_secs(82)
        .says_text("m2", THREAD, "/session idle off");
    says_over(&mut story, 82_000, "idle");
    story.breaks("binding.idle", "off");
}

#[test]
fn under_sweep_it_routes_until_the_pass_and_revives_if_idle() {
    let sweep = json!({"lapse_checked_at": "sweep"});
    let mut story = bound(sweep.clone(), json!({"idleHours": 1.0 / 60.0}));
    message(&mut story, 230, "m2", CHILD);
    message(&mut story, 280, "m3", CHILD);
    assert!(!story.verdict("binding.ends-in-time").is_fail());
    story.keeps("binding.never-early");
    let mut story = bound(sweep.clone(), json!({"idleHours": 1.0 / 60.0}));
    message(&mut story, 243, "m2", CHILD);
    story.breaks("binding.ends-in-time", "⟦m2⟧");
    let age = json!({"idleHours": 0, "maxAgeHours": 1.0 / 60.0});
    let mut story = bound(sweep, age);
    message(&mut story, 230, "m2", CHILD);
    message(&mut story, 280, "m3", CHILD);
    story.breaks("binding.ends-in-time", "⟦m3⟧");
}

fn swept() -> Story {
    let mut story = idle_a_minute();
    let other = address("discord/general#t0");
    story
        .at_secs(120)
        .asks(json!({"probe_thread": {"request": "q", "address": other}}));
    message(&mut story, 121, "m2", CHILD);
    story
        .at_secs(125)
        .told(json!({"thread_probed": {"request": "q", "state": "live"}}));
    story
}

#[test]
fn a_sweep_rereads_what_changed_during_its_probe() {
    let mut story = swept();
    message(&mut story, 130, "m3", CHILD);
    story.keeps("binding.sweep-rereads");
    let mut story = swept();
    message(&mut story, 130, "m3", PARENT);
    story.breaks("binding.sweep-rereads", "0:02:02.000");
    let mut story = swept();
    says_over(&mut story, 125, "idle");
    story.breaks("binding.sweep-rereads", "0:02:02.000");
    let mut story = idle_a_minute();
    message(&mut story, 121, "m2", CHILD);
    message(&mut story, 130, "m3", CHILD);
    story.does_not_test("binding.sweep-rereads");
}

#[test]
fn a_lapse_keeps_the_session() {
    let send = |memory: &str| {
        let mut story = idle_a_minute();
        story
            .at_secs(300)
            .says("m2", "discord/general")
            .starts("c", PARENT, "m2");
        let to = json!({"sessionKey": CHILD, "message": "s1"});
        story.calls("s1", json!({"run": "c"}), "sessions_send", to);
        if memory == "none" {
            story.answers("s1", json!({"status": "error", "error": "no such session"}));
        } else {
            story.starts_with("d", CHILD, memory, "s1", json!(null));
            story.answers("s1", json!({"status": "accepted", "runId": "d"}));
        }
        story
    };
    send("continue").keeps("binding.lapse-keeps-session");
    send("fresh").breaks("binding.lapse-keeps-session", "without its memory");
    send("none").breaks("binding.lapse-keeps-session", "refused");
}

#[test]
fn a_crash_may_take_touches_of_late() {
    let mut story = idle_a_minute();
    message(&mut story, 100, "m2", CHILD);
    story.at_secs(110).crashes(&[], &[]);
    says_over(&mut story, 125, "idle");
    assert!(!story.verdict("binding.idle").is_fail());
    let mut story = idle_a_minute();
    message(&mut story, 100, "m2", CHILD);
    story.at_secs(116).crashes(&[], &[]);
    says_over(&mut story, 125, "idle");
    story.breaks("binding.idle", "idle");
}

#[test]
fn words_repeated_by_another_session_are_no_activity() {
    let mut story = idle_a_minute();
    story.at_secs(100).says("m2", THREAD);
    story.starts("c", CHILD, "m2").ends("c", "ok", "m2.1", "m2");
    story.starts("d", PARENT, "m2.1");
    story.ends("d", "ok", "m2.2", "m2 m2.1");
    story.at_secs(150).delivered("d1", THREAD, "m2 m2.1 m2.2");
    says_over(&mut story, 165, "idle");
    story.keeps("binding.idle").keeps("binding.never-early");
}

#[test]
fn a_spawn_whose_answer_died_may_have_bound_its_child() {
    let mut story = idle_a_minute();
    story
        .at_secs(70)
        .says("m2", THREAD)
        .starts("c", CHILD, "m2");
    story.spawns("r2", "c", json!({"thread": true}));
    let open = json!({"request": "q2", "parent": address("discord/general"), "name": "x",
        "session_key": "agent:main:subagent:2"});
    story.asks(json!({"open_thread": open}));
    let opened = json!({"request": "q2", "opened": {"at": address(THREAD)}});
    story.told(json!({"thread_opened": opened}));
    story.starts("e", "agent:main:subagent:2", "r2");
    story.crashes(&["c", "e"], &[]);
    says_over(&mut story, 72, "spawn-failed");
    story.does_not_test("binding.idle");
    story.keeps("binding.never-early");
}

#[test]
fn a_deadline_set_in_the_past_does_not_undo_what_was_routed_before() {
    let mut story = bound(json!({}), json!({"idleHours": 0, "maxAgeHours": 0}));
    story.at_secs(100).says("m2", THREAD);
    story
        .at_secs(140)
        .says_text("m3", THREAD, "/session max-age 30s");
    says_over(&mut story, 150, "max-age");
    story.at_secs(160).starts("c", CHILD, "m2");
    story
        .keeps("binding.max-age")
        .does_not_test("binding.ends-in-time");
}

#[test]
fn a_command_that_came_before_is_no_activity() {
    let mut story = idle_a_minute();
    story.at_secs(100);
    story.says_text("m2", THREAD, "/session idle 1m");
    story.at_secs(150);
    story.says_text("m2", THREAD, "/session idle 1m");
    says_over(&mut story, 162, "idle");
    story.keeps("binding.idle").keeps("binding.never-early");
}

#[test]
fn a_child_that_ended_before_its_answer_may_be_unbound() {
    let mut story = idle_a_minute();
    story.at_secs(70).says("m2", "discord/general");
    story.starts("c", PARENT, "m2");
    let task = json!({"task": "r2", "thread": true, "mode": "run"});
    story.spawns("r2", "c", task);
    let open = json!({"request": "q2", "parent": address("discord/general"), "name": "x",
        "session_key": "agent:main:subagent:2"});
    story.asks(json!({"open_thread": open}));
    let there = "discord/general#t2";
    let opened = json!({"request": "q2", "opened": {"at": address(there)}});
    story.told(json!({"thread_opened": opened}));
    story.starts("e", "agent:main:subagent:2", "r2");
    story.ends("e", "ok", "r2.1", "r2");
    story.answers(
        "r2",
        json!({"status": "accepted", "childSessionKey": "agent:main:subagent:2"}),
    );
    let over = json!({"address": address(there), "session_key": "agent:main:subagent:2",
        "reason": "run-ended"});
    story.asks(json!({"report": {"unbound": over}}));
    story.keeps("binding.never-early");
}
