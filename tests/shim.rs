//! The example gateway keeps what it says: the stories that it passes, by name.

use std::fs;
use std::path::Path;

use moorline::driver::{Deadlines, Process};
use moorline_sim::channel;
use moorline_sim::world::{Stage, play};
use moorline_spec::judge::Judge;
use moorline_spec::profile::Profile;
use moorline_spec::scenario::{Fixture, unmet};
use moorline_spec::trace::Rest;

/// Each of them: no rule of its families broken, every expectation met, nothing owed at the end.
const PASSES: [&str; 30] = [
    "ingress/a_repeated_message_is_answered_once",
    "ingress/messages_of_a_busy_session_wait_in_order",
    "isolation/a_parent_rewords_a_result",
    "isolation/people_who_share_a_memory_share_no_address",
    "isolation/two_accounts_of_one_channel_stay_apart",
    "relay/a_busy_parent_that_refuses_is_told_behind",
    "relay/a_cut_marker_is_followed",
    "relay/a_dead_address_is_given_up_aloud",
    "relay/a_long_text_arrives_whole",
    "relay/a_refused_delivery_is_tried_again",
    "relay/a_shared_parent_busy_with_another_chat_is_told_behind",
    "relay/an_unknown_receipt_is_repeated_by_key",
    "relay/tells_the_dm_and_nobody_else",
    "relay/what_is_owed_at_the_end_arrives",
    "restart/a_posted_completion_is_repeated_by_key",
    "restart/a_posted_completion_is_repeated_marked",
    "restart/a_turn_that_died_is_resumed_once",
    "send/a_late_reply_is_kept",
    "session/a_known_key_continues_after_months",
    "session/direct_messages_meet_by_scope",
    "session/new_starts_afresh_and_keeps_the_place",
    "session/the_clockwork_neither_causes_nor_postpones_a_reset",
    "session/the_daily_reset_asks_when_the_session_started",
    "spawn/an_accepted_run_survives_a_crash",
    "spawn/an_accepted_run_that_dies_is_told_as_lost",
    "spawn/an_acp_session_without_thread_is_accepted",
    "wire/a_completion_survives_a_kill_after_the_reply",
    "wire/a_completion_survives_a_withheld_reply",
    "wire/a_message_survives_a_withheld_reply",
    "wire/an_answer_survives_a_withheld_reply",
];

/// What one story shows of it that is not right.
fn shortcomings(name: &str, shim: &mut Process, profile: &Profile) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("fixtures").join(format!("{name}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let fixture = Fixture::parse(name, &text, channel::names());
    let fixture = fixture.unwrap_or_else(|error| panic!("{error}"));
    let scenario = fixture.scenario();
    assert!(profile.has(&scenario.dials), "{name} is about another dial");
    let disk = shim.hello().disk;
    let mut judge = Judge::new(profile);
    let played = play(scenario, &Stage { profile, disk }, shim, &mut judge);
    let mut found = Vec::new();
    match played.end {
        Ok(Rest::Settled) => (),
        Ok(rest) => found.push(format!("{rest:?}: {:?}", judge.debts())),
        Err(stopped) => found.push(format!("{stopped:?}")),
    }
    let verdicts = judge.finish();
    let failed = verdicts.iter().filter(|(_, verdict)| verdict.is_fail());
    found.extend(failed.map(|(rule, verdict)| format!("{}: {verdict:?}", rule.id)));
    let unmet = unmet(scenario, profile, &played.trace);
    found.extend(unmet.iter().map(ToString::to_string));
    if !found.is_empty() {
        found.push(played.trace.transcript());
    }
    found
}

#[test]
fn the_python_gateway_passes_these_stories() {
    let command = format!(
        "exec python3 {}/shims/python/minimal.py",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut shim = Process::start(&command, Deadlines::default()).unwrap_or_else(|e| panic!("{e}"));
    let hello = shim.hello().clone();
    let mut profile = Profile::named(&hello.profile).expect("it names a shipped profile");
    let families = hello.families.expect("it says what it keeps");
    profile.families.retain(|family| families.contains(family));
    let mut wrong = String::new();
    for name in PASSES {
        for shortcoming in shortcomings(name, &mut shim, &profile) {
            wrong.push_str(&format!("{name}: {shortcoming}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
