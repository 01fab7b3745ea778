//! The end of the binding of `discord/general#t1`, made at 62 s: how it comes and what is said.

use serde_json::json;

use crate::story::{Story, address};

const PARENT: &str = "agent:main:discord:general";
const CHILD: &str = "agent:main:subagent:1";
const THREAD: &str = "discord/general#t1";

fn bound(limits: serde_json::Value) -> Story {
    let config = json!({"session": {"threadBindings": limits}});
    let mut story = Story::with(json!({}), config);
    story.at_secs(62).says("m1", "discord/general");
    story.starts("a", PARENT, "m1");
    let bound = json!({"bound": {"address": address(THREAD), "session_key": CHILD}});
    story.asks(json!({ "report": bound }));
    story.has_bound_child("r1", "a", "b", CHILD, THREAD);
    story
}

fn says_over(story: &mut Story, secs: u64, reason: &str) {
    let unbound =
        json!({"unbound": {"address": address(THREAD), "session_key": CHILD, "reason": reason}});
    story.at_secs(secs).asks(json!({ "report": unbound }));
}

fn says(story: &mut Story, id: &str, text: &str) {
    story.delivers_with(id, THREAD, "", json!({ "text": text, "key": id }));
}

fn becomes(story: &mut Story, secs: u64, state: &str) {
    let changed = json!({"at": address(THREAD), "state": state});
    story
        .at_secs(secs)
        .told(json!({ "thread_changed": changed }));
}

#[test]
fn a_lapse_is_told_once_and_with_its_length() {
    let lapsed = || {
        let mut story = bound(json!({"idleHours": 1}));
        says_over(&mut story, 3_700, "idle");
        story
    };
    let rule = "binding.farewell-once";
    lapsed().breaks(rule, "nobody there is told");
    let mut story = lapsed();
    says(&mut story, "d1", "over after 1h");
    story.keeps(rule);
    says(&mut story, "d1", "over after 1h");
    story.keeps(rule);
    says(&mut story, "d2", "over after 1h");
    story.breaks(rule, "a second time");
    let mut story = lapsed();
    says(&mut story, "d1", "it is over");
    story.breaks(rule, "no length of time");
    let mut story = lapsed();
    says(&mut story, "d1", "over after 2h");
    story.breaks(rule, "no length of time");
}

#[test]
fn nobody_is_told_where_the_thread_is_gone() {
    let mut story = bound(json!({}));
    becomes(&mut story, 100, "gone");
    says_over(&mut story, 100, "thread-gone");
    story
        .keeps("binding.farewell-once")
        .keeps("binding.platform-end");
    says(&mut story, "d1", "it is over");
    story.breaks("binding.farewell-once", "is deleted");
}

#[test]
fn what_the_gateway_hears_of_a_thread_ends_it() {
    let mut story = bound(json!({}));
    becomes(&mut story, 100, "locked");
    story.breaks("binding.platform-end", "stays bound");
    let mut story = bound(json!({}));
    becomes(&mut story, 100, "unknown");
    story.does_not_test("binding.platform-end");
}

#[test]
fn the_earlier_deadline_is_the_reason() {
    for (reason, kept) in [("max-age", true), ("idle", false)] {
        let mut story = bound(json!({"idleHours": 2, "maxAgeHours": 1}));
        says_over(&mut story, 7_400, reason);
        if kept {
            story.keeps("binding.earlier-wins");
        } else {
            story.breaks("binding.earlier-wins", "idle");
        }
    }
}

#[test]
fn an_intro_names_what_is_on() {
    let intro = |text: &str| {
        let mut story = bound(json!({"idleHours": 1, "maxAgeHours": 48}));
        says(&mut story, "d1", text);
        story
    };
    let rule = "binding.intro-names-limits";
    intro("idle after 1h; max age 2d").keeps(rule);
    intro("idle after 60 minutes, 48 hours at most").keeps(rule);
    intro("idle after 1h").breaks(rule, "without its limit of 2d");
    intro("1h, 2d, 3d").breaks(rule, "no limit of 3d");
    intro("hello").breaks(rule, "without its limit");
}

#[test]
fn a_thread_is_probed_once_at_a_time() {
    let probe =
        |request: &str| json!({"probe_thread": {"request": request, "address": address(THREAD)}});
    let mut story = bound(json!({}));
    story.at_secs(120).asks(probe("q8"));
    story.at_secs(240).asks(probe("q9"));
    story.breaks("binding.sweep-alone", "probed again");
    let mut story = bound(json!({}));
    story.at_secs(120).asks(probe("q8"));
    story
        .at_secs(300)
        .told(json!({"thread_probed": {"request": "q8", "state": "live"}}));
    story.asks(probe("q9"));
    story.keeps("binding.sweep-alone");
}

#[test]
fn a_message_to_what_is_gone_goes_on() {
    let gone = || {
        let mut story = bound(json!({}));
        story.ends("b", "ok", "", "r1");
        story.calls(
            "c1",
            json!("admin"),
            "sessions.delete",
            json!({"key": CHILD}),
        );
        story.answers("c1", json!({"status": "ok"}));
        story.at_secs(70).says("m2", THREAD);
        story
    };
    gone().breaks("binding.live-target", "is given to nobody");
    let mut story = gone();
    story.starts("c", PARENT, "m2");
    story.keeps("binding.live-target");
}

#[test]
fn touches_cost_one_write_in_fifteen_seconds() {
    let record = json!({"persist": {"record": "[]"}});
    let burst = |extra: usize, apart: u64| {
        let mut story = bound(json!({}));
        story.at_secs(70).says("m2", "discord/other");
        story.asks(record.clone()).starts("c", "other", "m2");
        for number in 0..2 {
            let (name, run) = (format!("n{number}"), format!("run{number}"));
            story.at_secs(80 + number * apart).says(&name, THREAD);
            for _ in 0..=extra {
                story.asks(record.clone());
            }
            story.starts(&run, CHILD, &name);
        }
        story
    };
    burst(0, 5).keeps("binding.writes-bounded");
    burst(1, 5).breaks("binding.writes-bounded", "2 writes");
    assert!(!burst(1, 20).verdict("binding.writes-bounded").is_fail());
}

#[test]
fn a_binding_that_took_the_place_of_another_may_be_asked_about_anew() {
    const HOME: &str = "telegram/alice";
    let probe =
        |request: &str| json!({"probe_thread": {"request": request, "address": address(HOME)}});
    let binds = |story: &mut Story, call: &str, run: &str| {
        story.spawns(call, "a", json!({"task": call, "thread": true}));
        story.starts_with(run, run, "fresh", call, json!(null));
        let accepted = json!({"status": "accepted", "runId": run, "childSessionKey": run});
        story.answers(call, accepted);
    };
    let again = |replaced: bool| {
        let mut story = Story::new();
        story.says("m1", HOME).starts("a", "main", "m1");
        binds(&mut story, "r1", "b");
        story.at_secs(60).asks(probe("q8")).at_secs(120);
        if replaced {
            binds(&mut story, "r2", "c");
        }
        story.at_secs(130).asks(probe("q9"));
        story
            .at_secs(300)
            .told(json!({"thread_probed": {"request": "q9", "state": "live"}}));
        story
    };
    again(true).keeps("binding.sweep-alone");
    again(false).breaks("binding.sweep-alone", "probed again");
}
