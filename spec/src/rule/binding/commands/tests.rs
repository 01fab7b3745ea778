//! Commands in `discord/general#t1`, which is bound to a child, and in `#t5`, which carol focuses.

use serde_json::json;

use crate::story::{Story, address};

const PARENT: &str = "agent:main:discord:general";
const CHILD: &str = "agent:main:subagent:1";
const THREAD: &str = "discord/general#t1";
const OTHER: &str = "discord/general#t5";

fn bound() -> Story {
    let config = json!({"session": {"threadBindings": {"idleHours": 1}}});
    let mut story = Story::with(json!({}), config);
    story.at_secs(62).says("m1", "discord/general");
    story.starts("a", PARENT, "m1");
    story.has_bound_child("r1", "a", "b", CHILD, THREAD);
    story.ends("b", "ok", "", "r1");
    story.ends("a", "ok", "", "m1");
    story
}

/// Somebody says something in a thread.
fn says(story: &mut Story, secs: u64, who: &str, at: &str, text: &str) {
    let name = format!("{who}{secs}");
    let inbound = json!({"inbound": {"message": name, "at": address(at), "kind": "thread",
        "author": "person", "from": who, "text": format!("{text} ⟦{name}⟧")}});
    story
        .at_secs(secs)
        .push(json!({ "stimulus": inbound }), &name, &name);
}

fn answers(story: &mut Story, at: &str, text: &str) {
    story.delivers_with("d", at, "", json!({ "text": text }));
}

fn message(story: &mut Story, secs: u64, at: &str, key: &str) {
    says(story, secs, "erin", at, "hello");
    let (run, name) = (format!("run{secs}"), format!("erin{secs}"));
    story.starts(&run, key, &name).ends(&run, "ok", "", &name);
}

fn focused() -> Story {
    let mut story = bound();
    says(&mut story, 70, "carol", OTHER, &format!("/focus {CHILD}"));
    answers(&mut story, OTHER, "bound");
    story
}

#[test]
fn a_command_is_answered() {
    let mut story = bound();
    says(&mut story, 70, "carol", THREAD, "/agents");
    story.breaks("binding.unfocus", "answers nothing");
    answers(&mut story, THREAD, "none");
    story.breaks("binding.unfocus", CHILD);
    let mut story = bound();
    says(&mut story, 70, "carol", THREAD, "/agents");
    answers(&mut story, THREAD, &format!("- {CHILD}"));
    story
        .keeps("binding.unfocus")
        .keeps("binding.command-bypass");
}

#[test]
fn what_was_unfocused_is_free() {
    for (key, kept) in [(PARENT, true), (CHILD, false)] {
        let mut story = bound();
        says(&mut story, 70, "carol", THREAD, "/unfocus");
        answers(&mut story, THREAD, "done");
        message(&mut story, 80, THREAD, key);
        if kept {
            story
                .keeps("binding.unfocus")
                .keeps("routing.unbound-parent");
        } else {
            story.breaks("binding.unfocus", CHILD);
            story.breaks("routing.unbound-parent", CHILD);
        }
    }
}

#[test]
fn a_focus_binds_where_it_can() {
    let mut story = focused();
    message(&mut story, 80, OTHER, CHILD);
    story.keeps("binding.focus").keeps("routing.bound-first");
    let mut story = focused();
    message(&mut story, 80, OTHER, PARENT);
    story.breaks("binding.focus", "bound nothing");
    // What nobody can tell is nobody's fault.
    let mut story = bound();
    says(&mut story, 70, "carol", OTHER, "/focus somebody:else");
    answers(&mut story, OTHER, "who is that?");
    message(&mut story, 80, OTHER, PARENT);
    story.does_not_test("binding.focus");
}

#[test]
fn only_the_binder_changes_it_and_anybody_asks() {
    let mut story = focused();
    says(&mut story, 75, "dave", OTHER, "/unfocus");
    answers(&mut story, OTHER, "only carol may");
    message(&mut story, 80, OTHER, PARENT);
    story.breaks("binding.who-may", "dave");
    let mut story = focused();
    says(&mut story, 75, "dave", OTHER, "/session idle 1s");
    answers(&mut story, OTHER, "only carol may");
    message(&mut story, 80, OTHER, CHILD);
    story.keeps("binding.who-may");
    let mut story = focused();
    says(&mut story, 75, "dave", OTHER, "/session idle");
    story.breaks("binding.who-may", "answers nothing");
}

#[test]
fn a_limit_is_reported_and_set_as_stated() {
    for (text, kept) in [
        ("idle after 1h", true),
        ("idle after 2h", false),
        ("yes", false),
    ] {
        let mut story = bound();
        says(&mut story, 70, "carol", THREAD, "/session idle");
        answers(&mut story, THREAD, text);
        if kept {
            story.keeps("binding.limits-by-command");
        } else {
            story.breaks("binding.limits-by-command", text);
        }
    }
    for (key, kept) in [(PARENT, true), (CHILD, false)] {
        let mut story = bound();
        says(&mut story, 70, "carol", THREAD, "/session idle 1m");
        answers(&mut story, THREAD, "done");
        message(&mut story, 200, THREAD, key);
        if kept {
            story.keeps("binding.limits-by-command");
        } else {
            story.breaks("binding.limits-by-command", CHILD);
        }
    }
}

#[test]
fn a_command_is_no_prompt() {
    let mut story = bound();
    says(&mut story, 70, "carol", THREAD, "/unfocus");
    story.starts("c", CHILD, "carol70");
    story.breaks("binding.command-bypass", "/unfocus");
    let mut story = bound();
    says(&mut story, 70, "carol", THREAD, "/new words");
    story.starts("c", CHILD, "carol70");
    story.does_not_test("binding.command-bypass");
}
