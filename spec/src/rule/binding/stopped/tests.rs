//! The bindings of an account that is switched off, and what it hears and says.

use serde_json::json;

use crate::story::{Story, address};

const PARENT: &str = "agent:main:discord:general";
const CHILD: &str = "agent:main:subagent:1";
const THREAD: &str = "discord/general#t1";
const RULE: &str = "binding.account-stopped";

/// A thread is bound, and its account switched off after 100 s.
fn stopped() -> Story {
    let mut story = Story::new();
    story.at_secs(62).says("m1", "discord/general");
    story.starts("a", PARENT, "m1");
    story.has_bound_child("r1", "a", "b", CHILD, THREAD);
    let bound = json!({"bound": {"address": address(THREAD), "session_key": CHILD}});
    story.asks(json!({ "report": bound }));
    story.ends("b", "ok", "", "r1").ends("a", "ok", "", "m1");
    story.at_secs(100);
    switch(&mut story, false);
    story
}

fn switch(story: &mut Story, on: bool) {
    let accounts = json!({"default": {"enabled": on}});
    let config = json!({"channels": {"discord": {"accounts": accounts}}});
    story.told(json!({"config_changed": {"config": config}}));
}

fn says_over(story: &mut Story, reason: &str) {
    let unbound =
        json!({"unbound": {"address": address(THREAD), "session_key": CHILD, "reason": reason}});
    story.asks(json!({ "report": unbound }));
}

fn hears(story: &mut Story, secs: u64, name: &str, key: &str) {
    story.at_secs(secs).says(name, THREAD);
    story.starts(&format!("run-{name}"), key, name);
}

#[test]
fn the_binding_ends_with_a_reason_of_its_own() {
    let mut story = stopped();
    says_over(&mut story, "account-stopped");
    story.keeps(RULE).keeps("binding.never-early");
    let mut story = stopped();
    says_over(&mut story, "disabled");
    story.breaks(RULE, "disabled");
    // Whoever says what is bound says that it is bound no more.
    stopped().breaks(RULE, "stays bound");
}

#[test]
fn switched_on_again_it_has_none_of_its_bindings() {
    for (key, kept) in [(PARENT, true), (CHILD, false)] {
        let mut story = stopped();
        says_over(&mut story, "account-stopped");
        story.at_secs(200);
        switch(&mut story, true);
        hears(&mut story, 201, "m2", key);
        if kept {
            story.keeps(RULE).keeps("routing.unbound-parent");
        } else {
            story.breaks(RULE, CHILD);
            story.breaks("routing.unbound-parent", CHILD);
        }
    }
}

#[test]
fn what_it_hears_is_dropped_aloud() {
    let mut story = stopped();
    says_over(&mut story, "account-stopped");
    story.at_secs(150).says("m2", THREAD);
    story.breaks(RULE, "not dropped aloud");
    story.asks(json!({"drop": {"message": "m2", "why": "off"}}));
    story.keeps(RULE);
    hears(&mut story, 160, "m3", PARENT);
    story.breaks(RULE, "⟦m3⟧");
}

#[test]
fn nothing_is_delivered_through_it() {
    let mut story = stopped();
    says_over(&mut story, "account-stopped");
    // This may be of what came before the switch.
    story.delivers("d1", "discord/general", "m1");
    story.delivers("d2", "telegram/alice", "m1").keeps(RULE);
    story.at_secs(101).delivers("d3", "telegram/alice", "m1");
    story.keeps(RULE);
    story.delivers("d4", "discord/general", "m1");
    story.breaks(RULE, "d4");
}

#[test]
fn who_dies_at_that_instant_may_not_have_heard_of_it() {
    let mut story = stopped();
    story.crashes(&[], &[]);
    hears(&mut story, 201, "m2", CHILD);
    story.does_not_test(RULE);
}
