//! The worked vectors for bindings, `W-n` in sources: where each is told, or why it is not. A
//! fixture that tells one says so in its source.

mod relay;

use std::path::Path;

use moorline::fixtures;

/// What became of a vector.
enum Told {
    /// A fixture tells it, under the profile it speaks of where a dial decides it.
    By(&'static str),
    /// It is left out.
    Not(&'static str),
}

use Told::{By, Not};

const VECTORS: [(u32, Told); 32] = [
    (1, By("binding/w1_an_idle_thread_ends_at_the_sweep")),
    (2, By("binding/w2_a_message_before_the_sweep_revives")),
    (
        3,
        By("binding/w3_max_age_ends_at_the_sweep_whatever_is_said"),
    ),
    (4, By("binding/w4_at_a_tie_the_reason_is_idle")),
    (6, By("binding/a_touch_during_the_sweep_keeps_it")),
    (
        7,
        Not("a bot without a token: there are no credentials here, and W-9 is a probe that fails"),
    ),
    (8, By("binding/a_deleted_thread_is_bound_no_more")),
    (9, By("binding/one_failing_probe_stops_no_other")),
    (
        10,
        By("reported/BL-037-an-old-finding-ends-no-newer-binding"),
    ),
    (
        11,
        By("binding/w11_a_new_idle_timeout_counts_from_the_command"),
    ),
    (12, By("binding/w12_a_new_max_age_counts_by_placement")),
    (
        14,
        By("binding/w14_a_limit_holds_for_all_threads_of_a_session"),
    ),
    (15, By("binding/w15_only_the_binder_changes_it")),
    (
        16,
        By("binding/w16_what_the_system_bound_anybody_may_change"),
    ),
    (17, By("binding/w17_binding_again_forgets_a_limit")),
    (19, By("binding/a_crash_loses_no_older_touch")),
    (21, By("binding/w21_a_stored_expiry_keeps_its_instant")),
    (23, By("binding/w23_the_older_key_means_idle")),
    (25, By("binding/zero_is_a_value_and_not_absence")),
    (
        26,
        Not("a store that knows no limits is one with both switched off, which is told"),
    ),
    (
        28,
        Not("a store in memory only: nobody defends it, so it is no dial"),
    ),
    (
        29,
        Not("whether a plain group can be bound is a capability, and no matter of versions here"),
    ),
    (30, By("binding/w30_a_killed_child_gives_its_thread_back")),
    (31, By("binding/w30_a_killed_child_gives_its_thread_back")),
    (
        33,
        By("spawn/a_child_that_cannot_start_leaves_only_its_thread"),
    ),
    (34, By("binding/w34_no_thread_is_opened_in_a_dm")),
    (
        36,
        By("reported/SV-001-a-session-without-thread-is-refused-by-name"),
    ),
    (
        37,
        Not("two keys that became one in a later version; the configuration here has the first"),
    ),
    (
        39,
        Not("a guess among several bindings of a child: an address is captured, never looked for"),
    ),
    (
        41,
        By("binding/focus_is_answered_where_nothing_can_be_bound"),
    ),
    (
        44,
        By("binding/a_message_to_a_session_that_is_gone_goes_on"),
    ),
    (
        45,
        Not("a plain session taken for another kind at a restart: a fault that nobody defends"),
    ),
];

#[test]
fn every_vector_is_told_or_left_out_for_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let named = fixtures::on_disk(&root).unwrap();
    let mut wrong = Vec::new();
    for (number, told) in &VECTORS {
        match told {
            By(id) => match named.iter().find(|named| named.id == *id) {
                Some(named) => {
                    let source = named.scenario().source.clone().unwrap_or_default();
                    let note = source.note.unwrap_or_default();
                    if !note.contains(&format!("W-{number}")) {
                        wrong.push(format!("{id} does not say that it tells W-{number}"));
                    }
                }
                None => wrong.push(format!("W-{number}: there is no fixture {id}")),
            },
            Not(why) => assert!(!why.is_empty(), "W-{number} is left out without a reason"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let numbers: Vec<u32> = VECTORS.iter().map(|&(number, _)| number).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}
