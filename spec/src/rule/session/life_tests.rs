//! The life of sessions by the hand-made trace.

use serde_json::{Value, json};

use crate::address::Address;
use crate::effect::Memory::{self, Continue, Fresh};
use crate::rule::tale::{Tale, direct};
use crate::stimulus::Start;
use crate::time::Span;
use crate::verdict::Verdict;

const KEY: &str = "agent:main:main";

/// Alice wrote, and writes again after that time; a run is asked for.
fn again(session: Value, after: Span, memory: Memory) -> Tale {
    let mut tale = Tale::new(session);
    tale.says("chat", "alice", "m1")
        .turn("a", KEY, Fresh, "m1")
        .after(after)
        .says("chat", "alice", "m2")
        .start("b", KEY, memory, &["m2"]);
    tale
}

#[test]
fn an_idle_session_is_reset_by_the_next_message() {
    let idle = || json!({"reset": {"mode": "idle", "idleMinutes": 30}});
    again(idle(), Span::hours(1), Fresh).keeps("session.idle-reset");
    again(idle(), Span::hours(1), Continue).breaks(
        "session.idle-reset",
        "run b for message ⟦m2⟧ starts with its memory in session agent:main:main, which began at 0:00:00.003",
    );
    again(idle(), Span::mins(29), Fresh).breaks(
        "session.idle-reset",
        "run b for message ⟦m2⟧ starts fresh in session agent:main:main, which began at 0:00:00.003",
    );
    again(idle(), Span::mins(29), Continue).says_nothing("session.idle-reset");
    let forever = || json!({"reset": {"mode": "idle"}});
    again(forever(), Span::hours(900), Continue).keeps("session.idle-reset");
}

#[test]
fn a_policy_of_the_kind_comes_before_the_general_one() {
    let both = || {
        json!({"reset": {"mode": "idle", "idleMinutes": 600},
            "resetByType": {"direct": {"idleMinutes": 30}}})
    };
    again(both(), Span::hours(1), Fresh).keeps("session.reset-precedence");
    again(both(), Span::hours(1), Continue).breaks(
        "session.reset-precedence",
        "run b for message ⟦m2⟧ starts with its memory in session agent:main:main, which began at 0:00:00.003",
    );
    // No order of the two would decide otherwise.
    again(both(), Span::hours(20), Fresh).says_nothing("session.reset-precedence");
}

#[test]
fn whoever_was_told_to_forget_has_forgotten() {
    let told = |memory| {
        let mut tale = Tale::new(json!({}));
        tale.says("chat", "alice", "m1")
            .turn("a", KEY, Fresh, "m1")
            .writes(&direct("chat", "alice"), "alice", "m2", "/new")
            .says("chat", "alice", "m3")
            .start("b", KEY, memory, &["m3"]);
        tale
    };
    told(Continue).breaks(
        "session.reset-atomic",
        "run b for message ⟦m3⟧ starts with its memory in session agent:main:main, which began at 0:00:00.003",
    );
    // A name is used for one memory.
    told(Fresh).breaks(
        "session.reset-atomic",
        "run b starts fresh in session agent:main:main under the id agent:main:main, which it had before",
    );
    let mut keeps = told(Fresh);
    keeps.dial(|dials| dials.reset_keeps_id = true);
    keeps.keeps("session.reset-atomic");
}

#[test]
fn what_the_clockwork_asked_of_a_session_ends_with_it() {
    let queued = |after_reset: bool| {
        let mut tale = Tale::new(json!({}));
        tale.says("chat", "alice", "m1")
            .turn("a", KEY, Fresh, "m1")
            .beats(KEY, "h1");
        if after_reset {
            tale.admin("x", "sessions.reset", KEY)
                .answer("x", json!({"ok": true}));
        }
        tale.start("b", KEY, Fresh, &["h1"]);
        tale
    };
    queued(true).breaks(
        "session.generation-fenced",
        "run b of session agent:main:main is given ⟦h1⟧, which its clockwork asked for before the session was reset",
    );
    queued(false).says_nothing("session.generation-fenced");
}

#[test]
fn a_deleted_session_is_neither_remembered_nor_listed() {
    let deleted = || {
        let mut tale = Tale::new(json!({}));
        tale.says("chat", "alice", "m1")
            .turn("a", KEY, Fresh, "m1")
            .admin("x", "sessions.delete", KEY)
            .answer("x", json!({"ok": true}));
        tale
    };
    let mut kept = deleted();
    kept.says("chat", "alice", "m2").turn("b", KEY, Fresh, "m2");
    kept.keeps("session.deleted-stays-deleted");
    let mut broken = deleted();
    broken
        .says("chat", "alice", "m2")
        .start("b", KEY, Continue, &["m2"]);
    let seen = "run b continues session agent:main:main, which was deleted";
    broken.breaks("session.deleted-stays-deleted", seen);
    let mut listed = deleted();
    listed
        .admin("y", "sessions_list", "")
        .answer("y", json!({"status": "ok", "sessions": [{"key": KEY}]}));
    let seen = "call y lists session agent:main:main, which was deleted";
    listed.breaks("session.deleted-stays-deleted", seen);
}

#[test]
fn a_thread_does_not_share_the_session_of_people() {
    let thread = Address {
        thread: Some("t1".into()),
        ..direct("board", "hall")
    };
    let mut tale = Tale::new(json!({}));
    tale.says("chat", "alice", "m1")
        .turn("a", KEY, Fresh, "m1")
        .writes(&thread, "bob", "m2", "hello")
        .start("b", KEY, Continue, &["m2"]);
    tale.breaks(
        "session.key-canonical",
        "run b for board/hall#t1 is in session agent:main:main, that of direct messages",
    );
}

#[test]
fn half_a_key_reaches_nobody() {
    let mut tale = Tale::new(json!({}));
    tale.call(
        "p1",
        "",
        "runtime.subagent.run",
        json!({"sessionKey": "agent:main"}),
    )
    .start("a", KEY, Fresh, &["p1"]);
    tale.breaks(
        "session.key-canonical",
        "run a for call p1 is in session agent:main:main, and named was \"agent:main\"",
    );
}

#[test]
fn who_began_anew_before_a_reset_was_answered_has_forgotten() {
    let told = |early: bool| {
        let mut tale = Tale::new(json!({}));
        tale.dial(|dials| dials.reset_keeps_id = true);
        tale.says("chat", "alice", "m1")
            .turn("a", KEY, Fresh, "m1")
            .beats(KEY, "h1")
            .admin("x", "sessions.reset", KEY);
        if early {
            tale.start("b", KEY, Fresh, &["h1"]);
            tale.started("b", Start::Started);
        }
        tale.answer("x", json!({"ok": true}));
        if early {
            tale.ends("b", "b.1");
        }
        tale.says("chat", "alice", "m2")
            .start("c", KEY, Continue, &["m2"]);
        tale
    };
    told(false).breaks(
        "session.reset-atomic",
        "run c for message ⟦m2⟧ starts with its memory in session agent:main:main, which began at 0:00:00.003",
    );
    assert!(!matches!(
        told(true).verdict("session.reset-atomic"),
        Verdict::Fail(_)
    ));
}

#[test]
fn what_began_while_a_reset_was_under_way_may_be_of_the_new_incarnation() {
    let calls = |memory: Memory, run: &str| {
        let mut tale = Tale::new(json!({}));
        tale.says("chat", "alice", "m1")
            .start("a", KEY, Fresh, &["m1"])
            .started("a", Start::Started);
        tale.admin("x", "sessions.reset", KEY)
            .says("chat", "alice", "m2")
            .start("b", KEY, memory, &["m2"])
            .started("b", Start::Started)
            .answer("x", json!({"ok": true}));
        tale.call("r1", run, "sessions_spawn", json!({})).accepts(
            "r1",
            "agent:main:subagent:1",
            "run",
        );
        tale
    };
    calls(Fresh, "b").says_nothing("session.generation-fenced");
    let over = |run: &str| {
        format!("call r1 by run {run} is accepted, and session {KEY}, which made it, is over")
    };
    // The run from before the reset is not, and what continues began nothing.
    calls(Fresh, "a").breaks("session.generation-fenced", &over("a"));
    calls(Continue, "b").breaks("session.generation-fenced", &over("b"));
}
