//! A gateway whose clock nobody can steer is judged too: the harness waits, and says how exact it is.

mod interpreter;

use std::path::Path;
use std::time::Duration;

use moorline::driver::Deadlines;
use moorline::gate::{Gate, Judgement, Outcome};
use moorline_sim::channel;
use moorline_spec::scenario::Fixture;
use moorline_spec::verdict::Verdict;

fn story() -> Fixture {
    let text = include_str!("real_clock/an_hour.json");
    Fixture::parse("an_hour.json", text, channel::names()).expect("it makes sense")
}

fn command(forgets: bool) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_clock/gateway.py");
    let forgets = if forgets { " forgets" } else { "" };
    format!("exec python3 {}{forgets}", script.display())
}

fn played(forgets: bool, deadlines: Deadlines) -> Outcome {
    let mut gate = Gate::process(&command(forgets), None, deadlines).expect("it starts");
    assert_eq!(gate.report().real_clock, Some(3_600));
    gate.play(story().scenario())
}

fn verdict<'j>(judgement: &'j Judgement, rule: &str) -> &'j Verdict {
    let mut all = judgement.verdicts.iter();
    let found = all.find(|(known, _)| known.id == rule);
    &found.expect("it was judged").1
}

/// Margins in it are fifty minutes and more, which is most of a second of real time.
#[test]
fn a_gateway_with_a_clock_of_its_own_is_waited_for() {
    if !interpreter::is_there("python3") {
        return;
    }
    let Outcome::Played(judgement) = played(true, Deadlines::default()) else {
        panic!("it is played");
    };
    let why = format!("{:?}: {:?}", judgement.end, judgement.unmet);
    assert!(!judgement.fails(), "{why}");
    let idle = verdict(&judgement, "session.idle-reset");
    assert!(matches!(idle, Verdict::Pass { .. }), "{idle:?}");
    let timing = judgement.timing.as_ref().expect("its clock is real");
    assert!(timing.rules.contains("session.idle-reset"), "{timing:?}");
    assert!(!timing.rules.contains("relay.origin"), "{timing:?}");
    let nameless = verdict(&judgement, "policy.nameless");
    assert!(matches!(nameless, Verdict::Inapplicable { .. }));
}

#[test]
fn what_it_gets_wrong_beyond_all_tolerance_is_a_failure() {
    if !interpreter::is_there("python3") {
        return;
    }
    let Outcome::Played(judgement) = played(false, Deadlines::default()) else {
        panic!("it is played");
    };
    let idle = verdict(&judgement, "session.idle-reset");
    assert!(idle.is_fail(), "{idle:?} {:?}", judgement.timing);
}

#[test]
fn a_story_that_would_be_waited_for_too_long_says_nothing() {
    if !interpreter::is_there("python3") {
        return;
    }
    let deadlines = Deadlines {
        scenario: Duration::from_millis(500),
        ..Deadlines::default()
    };
    match played(true, deadlines) {
        Outcome::Inapplicable(why) => assert!(why.contains("3600 times real time"), "{why}"),
        Outcome::Played(judgement) => panic!("it is played to {:?}", judgement.end),
    }
}
