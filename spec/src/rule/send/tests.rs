use serde_json::{Value, json};

use crate::address::Address;
use crate::effect::Memory::{self, Continue, Fresh};
use crate::profile::Visibility;
use crate::rule::tale::{Tale, direct};
use crate::time::Span;

const MAIN: &str = "agent:main:main";
const CHILD: &str = "agent:main:subagent:1";
const OTHER: &str = "agent:main:subagent:2";
const EXACT: &str = "send.exact-target";
const MINTING: &str = "send.no-minting";
const LATE: &str = "send.late-reply-kept";
const BOUNDED: &str = "send.bounded";
const REACH: &str = "send.visibility";

/// The main session has two children that stay; its run `a` goes on.
fn family() -> Tale {
    let mut tale = Tale::new(json!({}));
    tale.says("chat", "alice", "m1")
        .start("a", MAIN, Fresh, &["m1"]);
    for (call, run, key) in [("r1", "b", CHILD), ("r2", "c", OTHER)] {
        tale.call(
            call,
            "a",
            "sessions_spawn",
            json!({"mode": "session", "label": call}),
        )
        .start(run, key, Fresh, &[call])
        .accepts(call, key, "session")
        .ends(run, &format!("{run}.1"));
    }
    tale
}

/// Run `a` sends a text; it goes to a run in that session.
fn sends(params: Value, to: &str) -> Tale {
    let mut tale = family();
    tale.call("s1", "a", "sessions_send", params)
        .start("d", to, Continue, &["s1"]);
    tale
}

/// Run `a` sends a text, and is answered.
fn answered(params: Value, status: &str) -> Tale {
    let mut tale = family();
    tale.call("s1", "a", "sessions_send", params)
        .answer("s1", json!({"status": status}));
    tale
}

#[test]
fn a_key_an_id_and_a_label_name_one_session() {
    sends(json!({"sessionKey": CHILD}), CHILD).keeps(EXACT);
    sends(json!({"label": "r2"}), OTHER).keeps(EXACT);
    // Blanks name nothing, and space around a name is none of it.
    sends(json!({"sessionKey": " ", "label": " r2 "}), OTHER).keeps(EXACT);
    let elsewhere = "send s1 goes to run d in session agent:main:subagent:1";
    sends(json!({"label": "r2"}), CHILD).breaks(EXACT, elsewhere);
    sends(json!({"sessionKey": OTHER}), CHILD).breaks(EXACT, elsewhere);
    sends(json!({"sessionKey": CHILD, "label": "r1"}), CHILD).breaks(EXACT, elsewhere);
    sends(json!({"label": "r3"}), CHILD).breaks(EXACT, elsewhere);
    sends(json!({}), CHILD).breaks(EXACT, elsewhere);
}

#[test]
fn what_names_nothing_is_refused_and_what_is_there_is_not() {
    answered(json!({"sessionKey": CHILD, "label": "r1"}), "error").keeps(EXACT);
    answered(json!({"label": "r3"}), "error").keeps(EXACT);
    answered(json!({"label": "r3"}), "accepted").breaks(EXACT, "send s1 is answered accepted");
    answered(json!({"label": "r1"}), "error").breaks(EXACT, "send s1 is refused");
    answered(json!({"sessionKey": CHILD}), "error").breaks(EXACT, "send s1 is refused");
    // Nobody outside knows what else may be called so.
    answered(json!({"sessionKey": "r1"}), "error").says_nothing(EXACT);
    answered(json!({"sessionKey": MAIN}), "error").says_nothing(EXACT);
}

#[test]
fn a_key_that_never_was_does_not_come_to_be() {
    let never = "agent:main:subagent:7";
    answered(json!({"sessionKey": never}), "error").keeps(MINTING);
    sends(json!({"sessionKey": never}), never).breaks(MINTING, "send s1 goes to run d");
    answered(json!({"sessionKey": never}), "timeout")
        .breaks(MINTING, "send s1 is answered timeout");
    sends(json!({"sessionKey": never}), never)
        .dial(|dials| dials.send_minting = true)
        .says_nothing(MINTING);
    // Every agent has a main session, and what differs in case only may be known.
    sends(json!({"agentId": "main"}), MAIN).says_nothing(MINTING);
    sends(json!({"sessionKey": "AGENT:main:subagent:1"}), CHILD).says_nothing(MINTING);
}

/// Run `a` waits for a reply, is told that none came, and ends; then the reply comes.
fn late() -> Tale {
    let mut tale = sends(json!({"sessionKey": CHILD}), CHILD);
    tale.after(Span::secs(30))
        .answer("s1", json!({"status": "timeout"}))
        .ends("a", "a.1")
        .after(Span::secs(30))
        .ends("d", "d.1");
    tale
}

#[test]
fn a_late_reply_is_told_once() {
    let mut tale = late();
    tale.start("e", MAIN, Continue, &["d.1"])
        .ends("e", "e.1")
        .rests();
    tale.keeps(LATE);
    tale.start("f", MAIN, Continue, &["d.1"]);
    tale.breaks(LATE, "run f is told what became of run d, as run e was");

    let lost = "run d replied after send s1 was answered, and agent:main:main never heard of it";
    late().rests().breaks(LATE, lost);
    // A turn that was refused told nobody anything.
    late()
        .start("e", MAIN, Continue, &["d.1"])
        .started("e", crate::stimulus::Start::Refused)
        .rests()
        .breaks(LATE, lost);
}

#[test]
fn a_reply_in_time_is_no_late_one() {
    let mut tale = sends(json!({"sessionKey": CHILD}), CHILD);
    tale.ends("d", "d.1")
        .answer("s1", json!({"status": "ok"}))
        .rests();
    tale.says_nothing(LATE);
}

#[test]
fn an_exchange_has_so_many_turns() {
    // The news of a late reply is no turn of an exchange.
    let mut tale = late();
    tale.start("e", MAIN, Continue, &["d.1"])
        .ends("e", "e.1")
        .rests();
    tale.keeps(BOUNDED);
    tale.start("f", CHILD, Continue, &["e.1"]);
    tale.breaks(BOUNDED, "run f is turn 2 of the exchange of send s1");
    // It came in time: it is told.
    let mut tale = sends(json!({"sessionKey": CHILD}), CHILD);
    tale.ends("d", "d.1")
        .answer("s1", json!({"status": "ok"}))
        .start("e", MAIN, Continue, &["d.1"]);
    tale.breaks(BOUNDED, "run e is turn 1 of the exchange of send s1");
}

#[test]
fn nobody_sends_to_itself() {
    answered(json!({"sessionKey": MAIN}), "error").keeps(BOUNDED);
    answered(json!({"sessionKey": "current"}), "error").keeps(BOUNDED);
    answered(json!({"sessionKey": MAIN}), "accepted").breaks(
        BOUNDED,
        "send s1 of a session to itself is answered accepted",
    );
    sends(json!({"sessionKey": MAIN}), MAIN).breaks(
        BOUNDED,
        "send s1 goes to run d in the session it comes from",
    );
}

/// A child sends a text to somebody.
fn child_sends(visibility: Visibility, to: &str, status: Option<&str>) -> Tale {
    let mut tale = family();
    tale.dial(|dials| dials.visibility = visibility)
        .call("r3", "a", "sessions_spawn", json!({"mode": "run"}))
        .start("d", "agent:main:subagent:3", Fresh, &["r3"])
        .call("s1", "d", "sessions_send", json!({"sessionKey": to}));
    match status {
        Some(status) => tale.answer("s1", json!({"status": status})),
        None => tale.start("e", to, Continue, &["s1"]),
    };
    tale
}

#[test]
fn a_session_reaches_as_far_as_it_sees() {
    use Visibility::{Agent, All, Own, Tree};
    sends(json!({"sessionKey": CHILD}), CHILD).keeps(REACH);
    for narrow in [Own, Tree] {
        child_sends(narrow, OTHER, Some("forbidden")).keeps(REACH);
        child_sends(narrow, OTHER, None).breaks(
            REACH,
            "send s1 of session agent:main:subagent:3 goes to session agent:main:subagent:2",
        );
    }
    for wide in [Agent, All] {
        child_sends(wide, OTHER, None).keeps(REACH);
        child_sends(wide, OTHER, Some("forbidden")).breaks(
            REACH,
            "call s1 of session agent:main:subagent:3 for session agent:main:subagent:2 is \
             forbidden",
        );
    }
}

#[test]
fn a_list_shows_no_more_than_that() {
    let list = |keys: &[&str]| {
        let rows: Vec<Value> = keys.iter().map(|key| json!({"key": key})).collect();
        let mut tale = family();
        tale.call("l1", "a", "sessions_list", json!({}))
            .answer("l1", json!({"status": "ok", "sessions": rows}));
        tale
    };
    list(&[MAIN, CHILD, OTHER]).keeps(REACH);
    let mut tale = family();
    tale.says("forum", "bob", "m9")
        .start("x", "agent:main:forum:direct:bob", Fresh, &["m9"])
        .call("l1", "a", "sessions_list", json!({}));
    let row = json!({"key": "agent:main:forum:direct:bob"});
    tale.answer("l1", json!({"status": "ok", "sessions": [row]}));
    tale.breaks(
        REACH,
        "call l1 shows session agent:main:main the session agent:main:forum:direct:bob",
    );
}

#[test]
fn whoever_is_stopped_with_those_above_need_not_reach_anybody() {
    let home = direct("chat", "alice");
    let elsewhere = Address {
        thread: Some("t1".into()),
        ..direct("chat", "team")
    };
    let refused = |at: &Address, says: &str| {
        let mut tale = family();
        tale.start("e", CHILD, Continue, &["r1"])
            .call("s1", "e", "sessions_send", json!({"label": "r2"}))
            .writes(at, "alice", "m2", says)
            .answer("s1", json!({"status": "error"}));
        tale
    };
    refused(&home, "/stop").says_nothing(EXACT);
    // Something else is said, or is said where nobody above is.
    refused(&home, "hello").breaks(EXACT, "send s1 is refused");
    refused(&elsewhere, "/stop").breaks(EXACT, "send s1 is refused");
    // What is asked for afterwards is asked for by whoever goes on.
    let mut tale = family();
    tale.start("e", CHILD, Continue, &["r1"])
        .writes(&home, "alice", "m2", "/stop")
        .call("s1", "e", "sessions_send", json!({"label": "r2"}))
        .answer("s1", json!({"status": "error"}));
    tale.breaks(EXACT, "send s1 is refused");
}

#[test]
fn who_began_anew_may_be_nobodys_child() {
    let exchange = |memory: Memory| {
        let mut tale = family();
        tale.configures(json!({"session": {"agentToAgent": {"maxPingPongTurns": 2}}}))
            .call("s1", "a", "sessions_send", json!({"sessionKey": CHILD}))
            .admin("x", "sessions.delete", CHILD)
            .answer("x", json!({"ok": true}))
            .start("d", CHILD, memory, &["s1"])
            .ends("d", "d.1")
            .answer("s1", json!({"status": "timeout"}))
            .start("e", MAIN, Continue, &["d.1"])
            .ends("e", "e.1")
            .start("f", CHILD, Continue, &["e.1"])
            .rests();
        tale
    };
    exchange(Fresh).keeps(BOUNDED);
    exchange(Continue).breaks(BOUNDED, "run f is turn 2 of the exchange of send s1");
}

#[test]
fn whose_child_a_session_is_nobody_may_know_once_its_parent_is_deleted() {
    let forbidden = |deleted: &str| {
        let below = "agent:main:subagent:3";
        let mut tale = family();
        tale.start("e", CHILD, Continue, &["r1"])
            .call("r3", "e", "sessions_spawn", json!({"mode": "session"}))
            .start("f", below, Fresh, &["r3"])
            .accepts("r3", below, "session")
            .admin("x", "sessions.delete", deleted)
            .answer("x", json!({"ok": true}))
            .call("s1", "a", "sessions_send", json!({"sessionKey": below}))
            .answer("s1", json!({"status": "forbidden"}));
        tale
    };
    forbidden(CHILD).says_nothing(REACH);
    forbidden(OTHER).breaks(
        REACH,
        "call s1 of session agent:main:main for session agent:main:subagent:3 is forbidden",
    );
}

#[test]
fn a_turn_that_is_told_of_a_reply_and_of_a_child_goes_on_with_the_exchange() {
    let mut tale = late();
    tale.start("x", OTHER, Continue, &["r2"])
        .ends("x", "x.1")
        .start("e", MAIN, Continue, &["d.1", "x.1"])
        .ends("e", "e.1")
        .start("f", CHILD, Continue, &["d.1", "x.1", "e.1"])
        .ends("f", "f.1")
        .start("g", MAIN, Continue, &["d.1", "x.1", "e.1", "f.1"]);
    tale.breaks(BOUNDED, "run g is turn 2 of the exchange of send s1");
}
