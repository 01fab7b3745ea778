use serde_json::{Value, json};

use crate::story::Story;

const ALICE: &str = "telegram/alice";
const BOB: &str = "telegram/bob";

/// Run `a` of alice has a child `b`, and is over.
fn with_child() -> Story {
    with_child_under(json!({}))
}

fn with_child_under(dials: Value) -> Story {
    let mut story = Story::with(dials, json!({}));
    story.says("m1", ALICE).starts("a", "main", "m1");
    story.has_child("r1", "a", "b", "child");
    story
        .ends("a", "ok", "m1.1", "m1")
        .delivered("d0", ALICE, "m1 m1.1");
    story
}

/// The child's end is told in turn `c`, whose words are on their way.
fn told() -> Story {
    told_under(json!({}))
}

fn told_under(dials: Value) -> Story {
    let mut story = with_child_under(dials);
    story.at_secs(9).ends("b", "ok", "r1.1", "r1");
    story
        .starts("c", "main", "r1 r1.1")
        .ends("c", "ok", "r1.2", "r1 r1.1");
    story.delivers_with("d1", ALICE, "r1 r1.1 r1.2", json!({"key": "k1"}));
    story
}

fn accepted() -> Value {
    json!({"accepted": {"message": "x"}})
}

#[test]
fn a_completion_that_is_told_lives() {
    let mut story = told();
    story.breaks("relay.liveness", "⟦r1.2⟧");
    story
        .posted("d1", ALICE, "r1 r1.1 r1.2")
        .receipt("d1", accepted());
    story
        .keeps("relay.liveness")
        .keeps("relay.origin")
        .keeps("relay.once");
}

#[test]
fn a_completion_nobody_hears_of_is_named() {
    let mut story = with_child();
    story.at_secs(9).ends("b", "error", "", "r1");
    story.breaks(
        "relay.liveness",
        "main for telegram/alice waits for the completion of run b (error) ⟦r1⟧ since 0:00:09.000",
    );
    story.asks(json!({"report": {"failed": {"run": "b", "why": "nobody there"}}}));
    story.keeps("relay.liveness");
    let mut story = with_child();
    story.at_secs(9).ends("b", "timeout", "", "r1");
    story.delivered("d1", ALICE, "r1");
    story.keeps("relay.liveness");
}

#[test]
fn what_was_accepted_or_is_on_its_way_is_not_said_again() {
    let mut story = told();
    story.delivers("d2", ALICE, "r1 r1.1 r1.2");
    story.breaks("relay.once", "while delivery d1");
    let mut story = told();
    story.posted("d1", ALICE, "r1.2").receipt("d1", accepted());
    story.delivers("d2", ALICE, "r1 r1.1 r1.2");
    story.breaks("relay.once", "where delivery d1 was accepted");
    let mut story = told();
    story.receipt("d1", json!({"refused": {"permanent": false}}));
    story.delivered("d2", ALICE, "r1 r1.1 r1.2");
    story.keeps("relay.once").keeps("relay.still-owed");
}

#[test]
fn after_an_unknown_receipt_a_repeat_has_its_key_or_is_marked() {
    let again = |dials: Value, secs: u64, how: Value| {
        let mut story = told_under(dials);
        story.receipt("d1", json!({"unknown": {}}));
        story
            .at_secs(secs)
            .delivers_with("d2", ALICE, "r1 r1.1 r1.2", how);
        story
            .posted("d2", ALICE, "r1 r1.1 r1.2")
            .receipt("d2", accepted());
        story
    };
    let key = json!({"key": "k1"});
    again(json!({}), 20, key.clone()).keeps("relay.once");
    again(json!({}), 20, json!({"key": "k2"})).breaks("relay.once", "unmarked");
    // Telegram here forgets keys after a minute.
    again(json!({}), 80, key.clone()).breaks("relay.once", "unmarked");
    again(json!({}), 80, json!({"repeat": true}))
        .keeps("relay.once")
        .keeps("relay.still-owed");
    again(json!({"after_unknown": "give_up_aloud"}), 20, key).breaks("relay.once", "nobody knows");
}

#[test]
fn a_crash_before_the_receipt_leaves_it_unknown() {
    let mut story = told();
    story.posted("d1", ALICE, "r1 r1.1 r1.2").crashes(&[], &[]);
    story.delivers("d2", ALICE, "r1 r1.1 r1.2");
    story.breaks("relay.once", "unmarked");
    let mut story = told();
    story.crashes(&[], &[]);
    story.breaks("relay.still-owed", "nothing more was tried");
}

#[test]
fn a_requester_is_told_in_one_turn() {
    let mut story = told();
    story.starts("d", "main", "r1 r1.1");
    story.breaks("relay.once", "run d in main");
    let mut story = with_child();
    story.at_secs(9).ends("b", "ok", "r1.1", "r1");
    story
        .starts("c", "main", "r1 r1.1")
        .at_secs(10)
        .crashes(&["c"], &[]);
    story.breaks(
        "relay.still-owed",
        "run b: the turn that was told of it died",
    );
    story
        .starts_with("d", "main", "continue", "r1 r1.1", json!("c"))
        .ends("d", "ok", "", "");
    story
        .keeps("relay.once")
        .keeps("relay.still-owed")
        .keeps("relay.liveness");
}

#[test]
fn the_same_people_are_not_told_by_a_turn_and_directly() {
    let mut story = told();
    story
        .posted("d1", ALICE, "r1 r1.1 r1.2")
        .receipt("d1", accepted());
    story.delivers("d2", ALICE, "r1 r1.1");
    story.breaks("relay.once", "told of them by run c");
}

#[test]
fn a_completion_goes_to_its_origin() {
    let mut story = with_child();
    story
        .at_secs(5)
        .says("m2", BOB)
        .starts("z", "main", "m2")
        .ends("z", "ok", "", "m2");
    story
        .at_secs(9)
        .ends("b", "ok", "r1.1", "r1")
        .delivers("d1", BOB, "r1 r1.1");
    story.breaks("relay.origin", "to telegram/bob");
    let mut story = with_child();
    story
        .at_secs(9)
        .ends("b", "ok", "r1.1", "r1")
        .delivers("d1", "telegram:work/alice", "r1 r1.1");
    story.breaks("relay.origin", "telegram:work/alice");
}

/// Alice is in run `c` when her child ends.
fn busy(dials: Value, with: &str) -> Story {
    let mut story = with_child_under(dials);
    story.at_secs(5).says("m2", with).starts("c", "main", "m2");
    story.at_secs(9).ends("b", "ok", "r1.1", "r1");
    story
}

#[test]
fn a_busy_requester_is_told_once() {
    let mut story = busy(json!({}), ALICE);
    story.breaks("relay.busy-requester", "never told");
    story.steers("s1", "c", "r1 r1.1").steered("s1", "taken");
    story
        .at_secs(12)
        .ends("c", "ok", "m2.1", "m2 r1 r1.1")
        .delivered("d1", ALICE, "m2 r1 r1.1 m2.1");
    story
        .keeps("relay.busy-requester")
        .keeps("relay.once")
        .keeps("relay.origin");
    story.starts("d", "main", "r1 r1.1");
    story
        .breaks("relay.busy-requester", "run d")
        .breaks("relay.once", "run d");
}

#[test]
fn a_steer_that_was_refused_is_queued() {
    let mut story = busy(json!({}), ALICE);
    story
        .steers("s1", "c", "r1 r1.1")
        .at_secs(12)
        .ends("c", "ok", "", "m2")
        .steered("s1", "refused");
    story.breaks("relay.still-owed", "not taken where it was steered");
    story.starts("d", "main", "r1 r1.1").ends("d", "ok", "", "");
    story
        .keeps("relay.busy-requester")
        .keeps("relay.still-owed")
        .keeps("relay.once");
}

#[test]
fn it_is_steered_only_where_the_run_answers_to_the_same_origin() {
    let mut story = busy(json!({}), BOB);
    story.steers("s1", "c", "r1 r1.1");
    story.breaks("relay.busy-requester", "telegram/bob");
    let mut story = busy(json!({"busy_requester": "steer"}), BOB);
    story
        .steers("s1", "c", "r1 r1.1")
        .steered("s1", "taken")
        .ends("c", "ok", "", "");
    story.keeps("relay.busy-requester");
    let mut story = busy(json!({"busy_requester": "queue"}), ALICE);
    story.steers("s1", "c", "r1 r1.1");
    story.breaks("relay.busy-requester", "steered into run c");
    let mut story = busy(json!({}), ALICE);
    story.starts("d", "main", "r1 r1.1");
    story.breaks("relay.busy-requester", "while run c goes on");
}

fn long() -> Story {
    let mut story = Story::new();
    story.says("m1", "webchat/alice").starts("a", "main", "m1");
    let ended =
        json!({"stimulus": {"run_ended": {"run": "a", "outcome": "ok", "text": "x".repeat(90)}}});
    story.push(ended, "w w+1 w+2", "w+1 w+2 m1 w");
    story
}

#[test]
fn a_long_text_arrives_whole_and_in_order() {
    let mut story = long();
    for (id, marker) in [("d1", "w+1"), ("d2", "w+2"), ("d3", "m1 w")] {
        story.delivered(id, "webchat/alice", marker);
    }
    story.keeps("relay.fits-channel").keeps("relay.liveness");
    let mut story = long();
    story
        .delivered("d1", "webchat/alice", "w+1")
        .delivered("d2", "webchat/alice", "m1 w");
    story.breaks("relay.fits-channel", "⟦w+2⟧ before it");
    let mut story = long();
    story.delivered("d1", "webchat/alice", "w+1");
    story
        .breaks("relay.fits-channel", "only a part")
        .breaks("relay.liveness", "⟦w+2⟧");
    let mut story = long();
    story.delivers_with(
        "d1",
        "webchat/alice",
        "w+1 w+2 m1 w",
        json!({"text": "x".repeat(41)}),
    );
    story.breaks("relay.fits-channel", "41 long");
}

#[test]
fn a_receipt_that_died_with_the_gateway_leaves_its_text_in_doubt() {
    let twice = |acts: bool| {
        let mut story = told();
        story.posted("d1", ALICE, "r1 r1.1 r1.2");
        story.at_secs(30).receipt("d1", accepted());
        if acts {
            story.asks(json!({"persist": {"record": "x"}}));
        }
        story.crashes(&[], &[]);
        story.at_secs(40);
        story.delivers_with("d2", ALICE, "r1 r1.1 r1.2", json!({"repeat": true}));
        story
    };
    twice(false).keeps("relay.once");
    twice(true).breaks("relay.once", "where delivery d1 was accepted");
}

#[test]
fn what_was_told_to_stop_owes_no_words() {
    let mut story = Story::new();
    story.says("m1", ALICE).starts("a", "main", "m1");
    story.asks(json!({"cancel_run": {"run": "a"}}));
    story.ends("a", "ok", "m1.1", "m1");
    story.does_not_test("relay.liveness");
}

#[test]
fn words_from_before_a_crash_may_be_quoted_in_the_news_of_a_turn_that_nobody_saw() {
    let twice = |mut story: Story, dies: bool, words: &str, other: (&str, &str)| {
        if dies {
            story.crashes(&[], &[]);
        }
        story.at_secs(10);
        let news = json!({"text": "run z failed: words", "key": "z"});
        story.delivers_with("d1", ALICE, words, news);
        let said = json!({"text": other.0, "key": other.1, "repeat": true});
        story.delivers_with("d2", ALICE, words, said);
        story
            .posted("d2", ALICE, words)
            .receipt("d2", json!({"accepted": {"message": "x"}}));
        story
    };
    let ended = || {
        let mut story = with_child();
        story.at_secs(9).ends("b", "ok", "r1.1", "r1");
        story
    };
    let itself = ("words", "b");
    twice(ended(), true, "r1 r1.1", itself).keeps("relay.once");
    let on_its_way = "while delivery d1 is on its way";
    for other in [("run z failed: words", "b"), ("words", "z")] {
        twice(ended(), true, "r1 r1.1", other).breaks("relay.once", on_its_way);
    }
    // In the life in which they were said every turn that was given them could be seen, and an answer
    // to a message is given to nobody else.
    twice(ended(), false, "r1 r1.1", itself).breaks("relay.once", on_its_way);
    let mut answer = Story::new();
    answer.says("m1", ALICE).starts("a", "main", "m1");
    answer.ends("a", "ok", "m1.1", "m1");
    twice(answer, true, "m1.1", itself).breaks("relay.once", on_its_way);
}

#[test]
fn a_part_of_a_text_that_nobody_waits_for_may_still_be_tried() {
    let short = |owed: bool, outcome: Value| {
        let mut story = Story::new();
        story.says("m1", "webchat/alice").starts("a", "main", "m1");
        story.spawns("r1", "a", json!({"task": "r1", "notifyParent": owed}));
        story.starts_with("b", "child", "fresh", "r1", Value::Null);
        story.answers("r1", json!({"status": "accepted", "runId": "b"}));
        story.ends("a", "ok", "", "m1");
        let ended = json!({"stimulus": {"run_ended": {"run": "b", "outcome": "ok", "text": "x".repeat(90)}}});
        story.push(ended, "w w+1", "w+1 r1 w");
        story
            .delivers("d1", "webchat/alice", "w+1")
            .posted("d1", "webchat/alice", "w+1")
            .receipt("d1", outcome);
        story.world(json!({"rest": "settled"}));
        story
    };
    let only = "only a part";
    short(false, json!({"unknown": {}})).does_not_test("relay.fits-channel");
    short(false, accepted()).breaks("relay.fits-channel", only);
    short(false, json!({"refused": {"permanent": true}})).breaks("relay.fits-channel", only);
}

#[test]
fn what_a_bound_child_cannot_say_in_its_thread_is_still_owed_where_it_was_asked_for() {
    let failed = |at: &str| {
        let mut story = Story::new();
        story
            .says("m1", "discord/general")
            .starts("a", "main", "m1");
        story.has_bound_child("r1", "a", "b", "child", "discord/general#t1");
        story.ends("a", "ok", "", "m1");
        story.at_secs(9).ends("b", "ok", "r1.1", "r1");
        let address = crate::story::address(at);
        story.asks(
            json!({"report": {"failed": {"run": "b", "address": address, "why": "refused"}}}),
        );
        story.world(json!({"rest": "stuck"}));
        story
    };
    failed("discord/general#t1").breaks("relay.liveness", "the completion of run b (ok) ⟦r1.1⟧");
    failed("discord/general").keeps("relay.liveness");
}
