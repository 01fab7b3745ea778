//! Sessions by the hand-made trace.

use serde_json::{Value, json};

use crate::address::Address;
use crate::effect::Memory::{self, Continue, Fresh};
use crate::profile::ResetAnchor;
use crate::rule::tale::{Tale, direct};
use crate::stimulus::Start;
use crate::time::Span;

const KEY: &str = "agent:main:main";

/// Alice wrote, and her session began.
fn begun(session: Value) -> Tale {
    let mut tale = Tale::new(session);
    tale.says("chat", "alice", "m1").turn("a", KEY, Fresh, "m1");
    tale
}

/// She writes again after that time, and a run is asked for.
fn again(session: Value, after: Span, memory: Memory) -> Tale {
    let mut tale = begun(session);
    tale.after(after)
        .says("chat", "alice", "m2")
        .start("b", KEY, memory, &["m2"]);
    tale
}

fn daily() -> Value {
    json!({"reset": {"mode": "daily"}})
}

fn idle() -> Value {
    json!({"reset": {"mode": "idle", "idleMinutes": 30}})
}

#[test]
fn a_known_session_continues() {
    let kept = again(json!({}), Span::hours(1), Continue);
    kept.keeps("session.continues");
    kept.keeps("session.rotates-by-policy-only");
    let broken = again(json!({}), Span::hours(1), Fresh);
    let seen = "run b for message ⟦m2⟧ starts fresh in session agent:main:main, which began at 0:00:00.003";
    broken.breaks("session.continues", seen);
    broken.breaks("session.rotates-by-policy-only", seen);
}

#[test]
fn a_session_that_was_told_to_forget_may_start_fresh() {
    let mut tale = begun(json!({}));
    tale.writes(&direct("chat", "alice"), "alice", "m2", "/new")
        .says("chat", "alice", "m3")
        .turn("b", KEY, Fresh, "m3")
        .admin("x", "sessions.reset", KEY)
        .answer("x", json!({"ok": true}))
        .says("chat", "alice", "m4")
        .turn("c", KEY, Fresh, "m4");
    tale.keeps("session.rotates-by-policy-only");
    tale.says_nothing("session.continues");
    tale.says("chat", "alice", "m5")
        .turn("d", KEY, Continue, "m5");
    tale.keeps("session.continues");
}

#[test]
fn a_start_that_was_refused_leaves_its_cause_standing() {
    let mut tale = begun(json!({}));
    tale.admin("x", "sessions.reset", KEY)
        .says("chat", "alice", "m2")
        .start("b", KEY, Fresh, &["m2"])
        .started("b", Start::Refused)
        .turn("c", KEY, Fresh, "m2");
    tale.keeps("session.rotates-by-policy-only");
}

#[test]
fn an_unknown_key_has_nothing_to_continue() {
    begun(json!({})).keeps("session.unknown-key-fresh");
    let mut tale = Tale::new(json!({}));
    tale.says("chat", "alice", "m1")
        .start("a", KEY, Continue, &["m1"]);
    tale.breaks(
        "session.unknown-key-fresh",
        "run a continues session agent:main:main, which never had a run",
    );
    let mut tale = begun(json!({}));
    tale.admin("x", "sessions.delete", KEY)
        .answer("x", json!({"ok": true}))
        .says("chat", "alice", "m2")
        .start("b", KEY, Continue, &["m2"]);
    tale.breaks(
        "session.unknown-key-fresh",
        "run b continues session agent:main:main, which was deleted",
    );
}

#[test]
fn a_direct_conversation_has_the_session_its_scope_says() {
    let two = |scope: &str, other: &str| {
        let mut tale = begun(json!({"dmScope": scope}));
        tale.says("chat", "bob", "m2").turn("b", other, Fresh, "m2");
        tale
    };
    two("main", KEY).keeps("session.dm-scope");
    two("per-peer", "agent:main:bob").keeps("session.dm-scope");
    two("main", "agent:main:bob").breaks(
        "session.dm-scope",
        "run b for chat/bob is in session agent:main:bob, and run a for chat/alice was in session agent:main:main",
    );
    two("per-peer", KEY).breaks(
        "session.dm-scope",
        "run b for chat/bob is in session agent:main:main, as run a for chat/alice was",
    );
    begun(json!({})).says_nothing("session.dm-scope");
    // A third is compared with whoever is in its session, not with the last one only.
    let three = |key: &str| {
        let mut tale = two("per-peer", "agent:main:bob");
        tale.says("chat", "carol", "m3").turn("c", key, Fresh, "m3");
        tale
    };
    three("agent:main:carol").keeps("session.dm-scope");
    three("agent:main:bob").breaks(
        "session.dm-scope",
        "run c for chat/carol is in session agent:main:bob, as run b for chat/bob was",
    );
    let mut again = three("agent:main:carol");
    again
        .says("chat", "bob", "m4")
        .turn("d", "agent:main:robert", Fresh, "m4");
    again.breaks(
        "session.dm-scope",
        "run d for chat/bob is in session agent:main:robert, and run b for chat/bob was in session agent:main:bob",
    );
}

#[test]
fn an_identity_link_joins_two_conversations() {
    let links = json!({"dmScope": "per-peer", "identityLinks": {"al": ["chat:alice", "board:al"]}});
    let mut tale = begun(links);
    tale.says("board", "al", "m2")
        .turn("b", KEY, Continue, "m2");
    tale.keeps("session.dm-scope");
}

#[test]
fn the_agent_path_resets_nothing() {
    let sent = |memory| {
        let mut tale = begun(idle());
        tale.after(Span::hours(1))
            .call("p1", "", "runtime.subagent.run", json!({"sessionKey": KEY}))
            .start("b", KEY, memory, &["p1"]);
        tale
    };
    sent(Continue).keeps("session.agent-path-never-resets");
    let seen =
        "run b for call p1 starts fresh in session agent:main:main, which began at 0:00:00.003";
    sent(Fresh).breaks("session.agent-path-never-resets", seen);
    let mut resets = sent(Fresh);
    resets.dial(|dials| dials.agent_path_resets = true);
    resets.says_nothing("session.agent-path-never-resets");
    resets.keeps("session.rotates-by-policy-only");
}

#[test]
fn a_session_that_began_before_the_hour_is_reset_by_the_next_message() {
    let day = Span::hours(20);
    again(daily(), day, Fresh).keeps("session.daily-reset");
    again(daily(), day, Continue).breaks(
        "session.daily-reset",
        "run b for message ⟦m2⟧ starts with its memory in session agent:main:main, which began at 0:00:00.003",
    );
    again(daily(), Span::hours(1), Continue).says_nothing("session.daily-reset");
    again(daily(), Span::hours(1), Fresh).breaks(
        "session.daily-reset",
        "run b for message ⟦m2⟧ starts fresh in session agent:main:main, which began at 0:00:00.003",
    );
}

#[test]
fn a_last_write_counts_where_the_profile_says_so() {
    let mut tale = begun(daily());
    tale.dial(|dials| dials.reset_anchor = ResetAnchor::LastWrite)
        .after(Span::hours(20))
        .beats(KEY, "h1")
        .turn("b", KEY, Continue, "h1")
        .says("chat", "alice", "m2")
        .turn("c", KEY, Continue, "m2");
    tale.says_nothing("session.daily-reset");
    tale.keeps("session.rotates-by-policy-only");
}

/// The clockwork has its turn after the hour, and then alice writes.
fn stirred(beat: Memory, message: Memory) -> Tale {
    let mut tale = begun(daily());
    tale.after(Span::hours(20))
        .beats(KEY, "h1")
        .turn("b", KEY, beat, "h1")
        .says("chat", "alice", "m2")
        .turn("c", KEY, message, "m2");
    tale
}

#[test]
fn the_clockwork_neither_causes_nor_postpones_a_reset() {
    stirred(Continue, Fresh).keeps("session.system-neutral");
    stirred(Fresh, Continue).breaks(
        "session.system-neutral",
        "run b for an internal turn starts fresh in session agent:main:main, which began at 0:00:00.003",
    );
    stirred(Continue, Continue).breaks(
        "session.system-neutral",
        "run c for message ⟦m2⟧ starts with its memory in session agent:main:main, which began at 0:00:00.003",
    );
}

#[test]
fn a_thread_has_the_policy_of_threads() {
    let thread = Address {
        thread: Some("t1".into()),
        ..direct("forum", "hall")
    };
    let mut tale = Tale::new(json!({"resetByType": {"thread": {"mode": "daily"}}}));
    tale.writes(&thread, "alice", "m1", "hello")
        .turn("a", KEY, Fresh, "m1")
        .after(Span::hours(20))
        .writes(&thread, "alice", "m2", "hello")
        .turn("b", KEY, Fresh, "m2");
    tale.keeps("session.daily-reset");
}
