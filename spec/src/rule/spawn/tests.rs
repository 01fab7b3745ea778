//! Spawns by the hand-made trace.

mod limits;
mod parameters;
mod threads;

use serde_json::{Value, json};

use crate::address::Address;
use crate::effect::Memory::{Continue, Fresh};
use crate::profile::Permission;
use crate::rule::tale::{Tale, direct};
use crate::stimulus::{Opened, Start};

const KEY: &str = "agent:main:main";
const CHILD: &str = "agent:main:subagent:1";

/// Alice's agent spawns from a channel.
fn spawn(channel: &str, params: Value) -> Tale {
    let mut tale = Tale::new(json!({}));
    tale.says(channel, "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .started("a", Start::Started)
        .call("r1", "a", "sessions_spawn", params);
    tale
}

fn refuse(tale: &mut Tale, call: &str, error: &str) {
    tale.answer(call, json!({"status": "error", "error": error}));
}

#[test]
fn a_run_that_was_started_for_a_refused_spawn_is_stopped() {
    let rule = "spawn.refusal-leaves-nothing";
    let early = || {
        let mut tale = spawn("chat", json!({"mode": "session"}));
        tale.start("b", CHILD, Fresh, &["r1"])
            .started("b", Start::Started);
        refuse(&mut tale, "r1", "it needs a thread");
        tale
    };
    let mut stayed = early();
    stayed.ends("b", "r1.1");
    stayed.breaks(rule, "spawn r1 was refused, and its run b stayed at work");
    let mut stopped = early();
    stopped.cancels("b").ends("b", "r1.1");
    stopped.keeps(rule);
}

#[test]
fn a_refused_spawn_leaves_no_run_no_label_and_no_session() {
    let rule = "spawn.refusal-leaves-nothing";
    let refused = || {
        let mut tale = spawn("chat", json!({"thread": true, "label": "helper"}));
        refuse(&mut tale, "r1", "this channel has no threads");
        tale
    };
    let mut kept = refused();
    kept.call("l1", "a", "sessions_list", json!({}))
        .answer("l1", json!({"sessions": []}))
        .call("r2", "a", "sessions_spawn", json!({"label": "helper"}))
        .accepts("r2", CHILD, "run");
    kept.keeps(rule);
    let mut started = refused();
    started.start("b", CHILD, Fresh, &["r1"]);
    started.breaks(
        rule,
        "run b is given the task of spawn r1, which was refused",
    );
    let mut listed = refused();
    listed.call("l1", "a", "sessions_list", json!({})).answer(
        "l1",
        json!({"sessions": [{"key": CHILD, "label": "helper"}]}),
    );
    listed.breaks(
        rule,
        "sessions_list l1 shows \"helper\", which is of refused spawn r1",
    );
    let mut labelled = refused();
    labelled.call("r2", "a", "sessions_spawn", json!({"label": "helper"}));
    refuse(&mut labelled, "r2", "label helper is in use");
    labelled.breaks(
        rule,
        "spawn r2 is refused for its label \"helper\", which only refused spawn r1 had: label helper is in use",
    );
}

#[test]
fn a_refused_spawn_counts_for_no_limit() {
    let mut tale = spawn("chat", json!({"thread": true}));
    refuse(&mut tale, "r1", "this channel has no threads");
    tale.call("r2", "a", "sessions_spawn", json!({}));
    tale.answer(
        "r2",
        json!({"status": "forbidden", "error": "max children reached (1/1)"}),
    );
    tale.breaks(
        "spawn.refusal-leaves-nothing",
        "spawn r2 is refused for too many children while 0 of 5 are at work: max children reached (1/1)",
    );
}

#[test]
fn a_session_without_a_thread_is_accepted_where_the_profile_says_so() {
    let rule = "spawn.session-without-thread";
    let session = || spawn("chat", json!({"mode": "session"}));
    session().accepts("r1", CHILD, "session").keeps(rule);
    session()
        .answer("r1", json!({"status": "accepted"}))
        .breaks(
            rule,
            "spawn r1 of a session without a thread is accepted without a childSessionKey",
        );
    let error = "mode=\"session\" requires thread=true so the subagent can stay bound to a thread.";
    let mut refused = session();
    refuse(&mut refused, "r1", error);
    refused.breaks(
        rule,
        &format!("spawn r1 of a session without a thread is refused: {error}"),
    );
    refused.dial(|dials| dials.session_without_thread = Permission::Refused);
    refused.keeps(rule);
    let mut accepted = session();
    accepted
        .accepts("r1", CHILD, "session")
        .dial(|dials| dials.session_without_thread = Permission::Refused)
        .breaks(
            rule,
            "spawn r1 of a session without a thread is answered accepted",
        );
    spawn("chat", json!({}))
        .accepts("r1", CHILD, "run")
        .says_nothing(rule);
}

/// A session without a thread, whose first run has ended and was told of.
fn headless() -> Tale {
    let mut tale = spawn("board", json!({"mode": "session", "label": "helper"}));
    tale.accepts("r1", CHILD, "session")
        .start("b", CHILD, Fresh, &["r1"])
        .started("b", Start::Started)
        .ends("a", "m1.1")
        .delivers("d1", &direct("board", "alice"), &["m1.1"])
        .ends("b", "r1.1")
        .turn("c", KEY, Continue, "r1.1")
        .delivers("d2", &direct("board", "alice"), &["c.1", "r1.1"])
        .says("board", "alice", "m2")
        .start("d", KEY, Continue, &["m2"])
        .started("d", Start::Started);
    tale
}

#[test]
fn a_session_without_a_thread_is_bound_nowhere() {
    let rule = "spawn.headless-is-headless";
    headless().keeps(rule);
    let mut threaded = headless();
    threaded.asks_thread("q1", &direct("board", "alice"), CHILD);
    threaded.breaks(
        rule,
        "a thread in board/alice is asked for, for headless session agent:main:subagent:1",
    );
    let mut bound = headless();
    bound
        .says("board", "alice", "m3")
        .start("e", CHILD, Continue, &["m3"]);
    bound.breaks(
        rule,
        "message ⟦m3⟧ of board/alice is given to headless session agent:main:subagent:1",
    );
}

#[test]
fn what_is_sent_to_it_by_key_or_label_reaches_its_memory() {
    let rule = "spawn.headless-remembers";
    for to in [json!({"sessionKey": CHILD}), json!({"label": "helper"})] {
        let sent = || {
            let mut tale = headless();
            tale.call("s1", "d", "sessions_send", to.clone());
            tale
        };
        sent().start("e", CHILD, Continue, &["s1"]).keeps(rule);
        sent().start("e", CHILD, Fresh, &["s1"]).breaks(
            rule,
            "run e for send s1 remembers nothing of headless session agent:main:subagent:1",
        );
        sent().start("e", "agent:main:other", Fresh, &["s1"]).breaks(
            rule,
            "send s1 to headless session agent:main:subagent:1 is given to run e in session agent:main:other",
        );
        let mut refused = sent();
        refuse(&mut refused, "s1", "unknown session");
        refused.breaks(
            rule,
            "send s1 to headless session agent:main:subagent:1 is refused: unknown session",
        );
    }
}

#[test]
fn the_words_of_a_later_run_are_the_reply() {
    let rule = "spawn.headless-output";
    let replied = || {
        let mut tale = headless();
        tale.call("s1", "d", "sessions_send", json!({"sessionKey": CHILD}))
            .turn("e", CHILD, Continue, "s1");
        tale
    };
    let mut answered = replied();
    answered
        .answer("s1", json!({"status": "ok", "reply": "⟦e.1⟧"}))
        .rests();
    answered.keeps(rule);
    let mut late = replied();
    late.answer("s1", json!({"status": "timeout"}))
        .ends("d", "m2.1")
        .turn("f", KEY, Continue, "e.1")
        .rests();
    late.keeps(rule);
    let mut forgotten = replied();
    forgotten.answer("s1", json!({"status": "timeout"})).rests();
    forgotten.breaks(
        rule,
        "the words of run e never came back to whoever sent s1",
    );
    let mut astray = replied();
    astray.delivers("d3", &direct("board", "bob"), &["e.1"]);
    astray.breaks(
        rule,
        "delivery d3 takes the words of run e of headless session agent:main:subagent:1 to board/bob",
    );
}

fn thread() -> Address {
    Address {
        thread: Some("t1".into()),
        ..direct("forum", "alice")
    }
}

#[test]
fn a_spawn_whose_thread_fails_is_refused_as_a_whole() {
    let rule = "spawn.thread-atomic";
    let asked = || {
        let mut tale = spawn("forum", json!({}));
        tale.asks_thread("q1", &direct("forum", "alice"), CHILD);
        tale
    };
    let failed = || {
        let mut tale = asked();
        tale.opened("q1", Opened::Refused { why: "no".into() });
        tale
    };
    let mut kept = failed();
    refuse(&mut kept, "r1", "the thread could not be opened");
    kept.keeps(rule);
    failed()
        .accepts("r1", CHILD, "session")
        .breaks(rule, "spawn r1 is accepted after its thread was refused");
    failed().rests().breaks(
        rule,
        "spawn r1 was never answered after its thread was refused",
    );
    let started = || {
        let mut tale = asked();
        tale.opened("q1", Opened::Opened { at: thread() })
            .start("b", CHILD, Fresh, &["r1"])
            .started("b", Start::Refused);
        tale
    };
    let mut named = started();
    refuse(
        &mut named,
        "r1",
        "the run could not be started; thread t1 stays",
    );
    named.keeps(rule);
    let mut unnamed = started();
    refuse(&mut unnamed, "r1", "the run could not be started");
    unnamed.breaks(
        rule,
        "spawn r1 failed after the start of its run was refused, and its answer does not name the \
         thread forum/alice#t1 that stays: the run could not be started",
    );
    named
        .writes(&thread(), "alice", "m2", "hello")
        .start("c", CHILD, Continue, &["m2"]);
    named.breaks(
        rule,
        "message ⟦m2⟧ of forum/alice#t1 is given to session agent:main:subagent:1, which failed spawn r1 would have made",
    );
    let mut again = started();
    again
        .start("c", CHILD, Fresh, &["r1"])
        .started("c", Start::Started)
        .accepts("r1", CHILD, "session");
    again.says_nothing(rule);
}

#[test]
fn what_was_accepted_survives_a_crash() {
    let rule = "spawn.durable-before-accepted";
    let crashed = || {
        let mut tale = spawn("chat", json!({}));
        tale.accepts("r1", CHILD, "run")
            .start("b", CHILD, Fresh, &["r1"])
            .started("b", Start::Started)
            .crash(&["a", "b"]);
        tale
    };
    crashed().rests().breaks(
        rule,
        "spawn r1 was accepted before this crash, and its run b was lost, and nobody was told",
    );
    let mut told = crashed();
    told.turn("c", KEY, Continue, "r1").rests();
    told.keeps(rule);
    let mut notice = crashed();
    notice
        .delivers("d1", &direct("chat", "alice"), &["r1"])
        .rests();
    notice.keeps(rule);
    let mut resumed = crashed();
    resumed
        .start_resuming("c", CHILD, Continue, &["r1"], Some("b"))
        .ends("c", "r1.1")
        .turn("d", KEY, Continue, "r1.1")
        .rests();
    resumed.keeps(rule);
    let mut unknown = crashed();
    unknown
        .says("chat", "alice", "m2")
        .start("c", KEY, Continue, &["m2"])
        .call("s1", "c", "sessions_send", json!({"sessionKey": CHILD}));
    refuse(&mut unknown, "s1", "no session has that key");
    unknown.breaks(
        rule,
        "send s1 to session agent:main:subagent:1 of accepted spawn r1 is answered after a crash: no session has that key",
    );
}

#[test]
fn what_is_accepted_was_written_down() {
    let rule = "spawn.durable-before-accepted";
    let mut tale = spawn("chat", json!({}));
    tale.accepts("r1", CHILD, "run").persists();
    tale.breaks(
        rule,
        "spawn r1 is accepted, and nothing was written down since it was asked for",
    );
    let mut tale = spawn("chat", json!({}));
    tale.persists().accepts("r1", CHILD, "run");
    tale.says_nothing(rule);
}
