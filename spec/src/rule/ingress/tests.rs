use serde_json::json;

use crate::effect::Memory::{Continue, Fresh};
use crate::rule::tale::{Tale, direct};
use crate::stimulus::{Author, Start};

const KEY: &str = "agent:main:main";

fn tale() -> Tale {
    Tale::new(json!({}))
}

#[test]
fn a_message_that_comes_again_starts_nothing() {
    let mut tale = tale();
    tale.says("chat", "alice", "m1")
        .turn("a", KEY, Fresh, "m1")
        .says("chat", "alice", "m1");
    tale.keeps("ingress.once");
    tale.start("b", KEY, Continue, &["m1"]);
    tale.breaks(
        "ingress.once",
        "message ⟦m1⟧ is given to run b, and was given to run a, which has ended",
    );
}

#[test]
fn a_run_that_a_crash_took_is_replaced_once_and_says_so() {
    let mut tale = tale();
    tale.says("chat", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .started("a", Start::Started)
        .crash(&["a"]);
    tale.start_resuming("b", KEY, Continue, &["m1"], Some("a"));
    tale.keeps("ingress.once");
    tale.crash(&["b"])
        .start_resuming("c", KEY, Continue, &["m1"], Some("a"));
    tale.breaks(
        "ingress.once",
        "run c replaces run a, which run b replaced already",
    );
}

#[test]
fn a_replacement_that_does_not_say_so_is_a_second_run() {
    let mut tale = tale();
    tale.says("chat", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .crash(&["a"])
        .start("b", KEY, Continue, &["m1"]);
    tale.breaks(
        "ingress.once",
        "message ⟦m1⟧ is given to run b, and was given to run a, which a crash took",
    );
}

#[test]
fn an_end_that_died_with_the_gateway_may_be_unheard() {
    let mut tale = tale();
    tale.says("chat", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .ends("a", "m1.1")
        .crash_at_once(&[])
        .start_resuming("b", KEY, Continue, &["m1"], Some("a"));
    tale.keeps("ingress.once");
}

#[test]
fn a_refused_start_may_be_tried_again() {
    let mut tale = tale();
    tale.says("chat", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .started("a", Start::Refused)
        .turn("b", KEY, Fresh, "m1")
        .says("chat", "alice", "m1")
        .rests();
    tale.keeps("ingress.once");
    tale.says_nothing("ingress.fifo");
}

fn busy() -> Tale {
    let mut tale = tale();
    tale.says("chat", "alice", "m1")
        .turn("a", KEY, Fresh, "m1")
        .says("chat", "alice", "m2")
        .start("b", KEY, Continue, &["m2"])
        .says("chat", "alice", "m3")
        .says("chat", "alice", "m4");
    tale
}

#[test]
fn messages_to_a_busy_session_wait_their_turn() {
    let mut tale = busy();
    tale.ends("b", "b.1")
        .turn("c", KEY, Continue, "m3")
        .turn("d", KEY, Continue, "m4")
        .rests();
    tale.keeps("ingress.fifo");
}

#[test]
fn a_later_message_does_not_overtake() {
    let mut tale = busy();
    tale.ends("b", "b.1")
        .turn("c", KEY, Continue, "m4")
        .turn("d", KEY, Continue, "m3");
    tale.breaks(
        "ingress.fifo",
        "message ⟦m3⟧ of chat/alice is given to run d after message ⟦m4⟧, which arrived later",
    );
}

#[test]
fn two_runs_of_a_session_do_not_work_at_once() {
    let mut tale = busy();
    tale.start("c", KEY, Continue, &["m3"]);
    tale.breaks(
        "ingress.fifo",
        "run c is started in session agent:main:main while run b is at work there",
    );
}

#[test]
fn a_message_is_not_dropped_in_silence() {
    let mut tale = busy();
    tale.ends("b", "b.1").turn("c", KEY, Continue, "m4").rests();
    tale.breaks(
        "ingress.fifo",
        "what alice wrote in chat/alice ⟦m3⟧ was never given to a run, and nobody was told",
    );
}

#[test]
fn what_a_dying_gateway_was_about_to_say_of_a_message_is_reported_by_the_next() {
    // The run that it was to have is known to nobody else.
    let reported = |person: &str| {
        let mut tale = busy();
        tale.ends("b", "b.1")
            .turn("c", KEY, Continue, "m4")
            .crash(&[])
            .fails("d", &direct("chat", person))
            .rests();
        tale
    };
    reported("alice").keeps("ingress.fifo");
    let never = "what alice wrote in chat/alice ⟦m3⟧ was never given to a run, and nobody was told";
    reported("bob").breaks("ingress.fifo", never);
    // In the same life everybody could have seen it.
    let mut tale = busy();
    tale.ends("b", "b.1")
        .turn("c", KEY, Continue, "m4")
        .fails("d", &direct("chat", "alice"))
        .rests()
        .breaks("ingress.fifo", never);
}

#[test]
fn a_claim_ends_with_the_attempt_it_was_made_for() {
    let again = || {
        let mut tale = tale();
        tale.says("chat", "alice", "m1")
            .start("a", KEY, Fresh, &["m1"])
            .started("a", Start::Refused)
            .after(crate::time::Span::secs(60))
            .says("chat", "alice", "m1");
        tale
    };
    again()
        .start("b", KEY, Fresh, &["m1"])
        .rests()
        .keeps("ingress.claim-released");
    again()
        .drops("m1")
        .rests()
        .says_nothing("ingress.claim-released");
    let minute = crate::time::Span::secs(60);
    again().drops("m1").after(minute).rests().breaks(
        "ingress.claim-released",
        "what alice wrote in chat/alice ⟦m1⟧ comes again, and is not worked on",
    );
    // Somebody stopped it while it waited for another attempt.
    let mut stopped = tale();
    stopped
        .says("chat", "alice", "m1")
        .start("a", KEY, Fresh, &["m1"])
        .started("a", Start::Refused)
        .writes(&direct("chat", "alice"), "alice", "m2", "/stop")
        .after(minute)
        .says("chat", "alice", "m1")
        .drops("m1")
        .after(minute)
        .rests()
        .says_nothing("ingress.claim-released");
    // One that was worked on stays known.
    let mut tale = tale();
    tale.says("chat", "alice", "m1")
        .turn("a", KEY, Fresh, "m1")
        .says("chat", "alice", "m1");
    tale.drops("m1").rests();
    tale.says_nothing("ingress.claim-released");
}

#[test]
fn a_gateway_does_not_answer_itself() {
    let heard = |author: Author, text: &str| {
        let mut tale = tale();
        tale.hears("m1", |message| {
            message.author = author;
            message.text = format!("{text} ⟦m1⟧").as_str().into();
        });
        tale
    };
    let own = "ingress.own-voice";
    heard(Author::Own, "hello").rests().keeps(own);
    heard(Author::Own, "hello")
        .start("a", KEY, Fresh, &["m1"])
        .breaks(
            own,
            "message ⟦m1⟧ in chat/alice is given to a run, and a gateway said it",
        );
    // Outside of what is bound a webhook or another bot may well be heard.
    heard(Author::Webhook, "hello")
        .start("a", KEY, Fresh, &["m1"])
        .says_nothing(own);
    heard(Author::Bot, "🤖 active")
        .start("a", KEY, Fresh, &["m1"])
        .says_nothing(own);
    heard(Author::Person, "⚙️ hello")
        .start("a", KEY, Fresh, &["m1"])
        .says_nothing(own);
}
