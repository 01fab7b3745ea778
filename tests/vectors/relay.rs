//! The crash windows (`W-n`) and leak holes (`H-n`) of the relay notes, each of which a broken
//! gateway has and says so; and reported faults that oppose each other: whoever mends one carelessly
//! has the other.

use std::collections::BTreeSet;

use moorline::fixtures;
use moorline_sim::broken;

use super::super::root;

/// How many windows there are, and how many holes.
const WINDOWS: u32 = 18;
const HOLES: u32 = 17;

/// Holes that no gateway has here, and why.
const NOT: [(&str, &str); 3] = [
    (
        "H-4",
        "a plugin that names the target of a completion: nothing at the seam tells of one",
    ),
    (
        "H-10",
        "what a model sends by a tool of its own is no conduct of the gateway",
    ),
    (
        "H-13",
        "a bot account of an agent's own: here an account belongs to a channel, and what a child is \
         bound to has its account",
    ),
];

/// Fixtures that hold both sides of one fault.
const OPPOSITES: [(&str, &str, &str); 12] = [
    (
        "what the clockwork does to a reset",
        "reported/SI-003-a-heartbeat-resets-nothing",
        "reported/SI-001-heartbeats-do-not-postpone-the-daily-reset",
    ),
    (
        "a guard against waking twice, and the only wake",
        "reported/DD-004-a-slow-turn-is-not-started-twice",
        "reported/CL-036-who-has-heard-all-does-not-wait",
    ),
    (
        "trying again, and giving up",
        "reported/DD-004-a-slow-turn-is-not-started-twice",
        "reported/CL-013-three-failures-in-ten-seconds-are-not-the-end",
    ),
    (
        "giving up at once, and silently",
        "reported/CL-013-three-failures-in-ten-seconds-are-not-the-end",
        "reported/CL-010-a-completion-is-given-up-aloud",
    ),
    (
        "bindings of dead sessions, and those that live",
        "reported/BL-009-a-dead-session-holds-no-dm",
        "binding/a_restart_makes_no_binding_young",
    ),
    (
        "an old finding, and a new binding",
        "reported/BL-009-a-dead-session-holds-no-dm",
        "reported/BL-037-an-old-finding-ends-no-newer-binding",
    ),
    (
        "which bots keep silent",
        "reported/BL-021-two-bots-do-not-both-answer",
        "reported/BL-021-an-account-without-bindings-keeps-nobody-silent",
    ),
    (
        "turns that take the route, and those that have one of their own",
        "reported/MD-002-a-heartbeat-leaves-the-route",
        "reported/MD-025-who-asks-in-webchat-is-answered-there",
    ),
    (
        "a session begun from within, and a spawn from there",
        "reported/MD-024-a-key-begun-by-a-plugin-answers-the-group",
        "reported/MD-001-a-spawn-from-webchat-tells-webchat",
    ),
    (
        "keys by time, and keys by session",
        "reported/DD-020-two-that-end-at-once-are-two",
        "relay/two_ends_told_by_one_session_are_two",
    ),
    (
        "what of a channel is an account's",
        "reported/CP-010-what-the-channel-says-is-not-the-account-s",
        "reported/CP-016-the-default-account-stays-beside-named-ones",
    ),
    (
        "what is pruned, and what is kept for ever",
        "reported/SI-026-maintenance-leaves-alone-what-runs",
        "reported/SI-028-threads-count-too",
    ),
];

/// The windows and holes that summaries of broken gateways name.
fn named() -> BTreeSet<String> {
    let words = broken::all()
        .iter()
        .flat_map(|broken| broken.summary.split(['(', ')', ',', ' ']));
    let is_number = |word: &&str| {
        let number = word.strip_prefix("W-").or(word.strip_prefix("H-"));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    words.filter(is_number).map(str::to_owned).collect()
}

#[test]
fn every_window_and_hole_is_had_or_left_out_for_a_reason() {
    let named = named();
    let windows = (1..=WINDOWS).map(|number| format!("W-{number}"));
    let all: BTreeSet<String> = windows
        .chain((1..=HOLES).map(|number| format!("H-{number}")))
        .collect();
    let left_out: BTreeSet<String> = NOT.iter().map(|(id, _)| (*id).to_owned()).collect();
    let missing: Vec<_> = all.difference(&(&named | &left_out)).cloned().collect();
    assert!(missing.is_empty(), "no broken gateway has {missing:?}");
    let both: Vec<_> = named.intersection(&left_out).cloned().collect();
    assert!(both.is_empty(), "{both:?} are left out, and are had");
    let unknown: Vec<_> = named.difference(&all).cloned().collect();
    assert!(unknown.is_empty(), "{unknown:?} are in no notes");
}

#[test]
fn faults_that_oppose_each_other_are_held_side_by_side() {
    let named = fixtures::on_disk(&root().join("fixtures")).expect("fixtures can be read");
    let ids: BTreeSet<&str> = named.iter().map(|named| named.id.as_str()).collect();
    for (what, one, other) in OPPOSITES {
        for id in [one, other] {
            assert!(ids.contains(id), "{what}: there is no fixture {id}");
        }
    }
}
