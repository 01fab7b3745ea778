//! Rows of decisions.

use moorline_spec::channel::{TextLimit, TextUnit, Threading};
use moorline_spec::config::{Limits, ResetPolicy};
use moorline_spec::profile::ResetAnchor;
use moorline_spec::time::{Span, Time};

use super::commands::duration;
use super::decisions::{Ages, Asked, Decisions, Lapse, Mode, Right, Runtime, Times};
use super::keys;

#[track_caller]
fn lapses(idle: u64, max_age: u64, touched: u64, expected: Option<(u64, Lapse)>) {
    let on = |seconds: u64| (seconds > 0).then_some(Span::secs(seconds));
    let limits = Limits {
        idle: on(idle),
        max_age: on(max_age),
    };
    let times = Times {
        bound_at: Time::ZERO,
        aged_from: Time::ZERO,
        touched_at: Time::ZERO + Span::secs(touched),
    };
    let expected = expected.map(|(at, lapse)| (Time::ZERO + Span::secs(at), lapse));
    assert_eq!(Right.lapse(&times, limits), expected);
}

#[test]
fn the_earlier_deadline_is_the_reason_and_idle_at_a_tie() {
    lapses(60, 60, 0, Some((60, Lapse::Idle)));
    lapses(60, 60, 1, Some((60, Lapse::MaxAge)));
    lapses(60, 90, 20, Some((80, Lapse::Idle)));
    lapses(0, 90, 20, Some((90, Lapse::MaxAge)));
    lapses(60, 0, 1_000, Some((1_060, Lapse::Idle)));
    lapses(0, 0, 5, None);
}

#[track_caller]
fn pieces(text: &str, max: usize, unit: TextUnit, expected: &[&str]) {
    let limit = Some(TextLimit { max, unit });
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, next) = rest.split_at(keys::piece(rest, limit));
        assert!(unit.count(piece) <= max, "{piece:?}");
        found.push(piece);
        rest = next;
    }
    assert_eq!(found, expected);
    assert_eq!(found.concat(), text);
}

#[test]
fn pieces_keep_words_and_limits_and_join_back() {
    let characters = TextUnit::Characters;
    pieces("ab cd ef", 100, characters, &["ab cd ef"]);
    pieces("ab cd ef", 5, characters, &["ab ", "cd ef"]);
    pieces("abcdefg", 3, characters, &["abc", "def", "g"]);
    pieces("ääää", 4, TextUnit::Bytes, &["ää", "ää"]);
    pieces("😀😀😀", 4, TextUnit::Utf16, &["😀😀", "😀"]);
    pieces("ääää", 4, characters, &["ääää"]);
}

#[track_caller]
fn typed(text: &str, ms: Option<u64>) {
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(duration(&words), ms.map(Span), "{text}");
}

#[test]
fn durations_as_people_type_them() {
    for (text, ms) in [
        ("24h", 86_400_000),
        ("24", 86_400_000),
        ("1.5", 5_400_000),
        ("1h 30m", 5_400_000),
        ("90m", 5_400_000),
        ("500ms", 500),
        ("30 1h", 1_083_600_000),
        ("0.0000001", 0),
        ("off", 0),
        ("Disabled", 0),
        ("0", 0),
    ] {
        typed(text, Some(ms));
    }
    for text in ["-1", "+2h", "1e3", "1w", ".5h", "1.h", "1h30", "off now"] {
        typed(text, None);
    }
}

/// Every row of {requires} x {injects} x {thread} x {mode} x {runtime}.
#[test]
fn a_channel_adds_what_its_sub_agents_need_and_leaves_the_rest_alone() {
    let bools = [false, true];
    let modes = [None, Some(Mode::Run), Some(Mode::Session)];
    for requires in bools {
        for injects in bools {
            for thread in bools {
                for mode in modes {
                    for runtime in [Runtime::Subagent, Runtime::Acp] {
                        let asked = Asked {
                            thread,
                            mode,
                            runtime,
                            threading: Threading {
                                requires_thread_for_subagents: requires,
                                auto_inject_thread_params: injects,
                            },
                        };
                        let ours = runtime == Runtime::Subagent;
                        let threaded = Right.spawn_thread(&asked);
                        assert_eq!(threaded, thread || (requires && ours), "{asked:?}");
                        let expected = match (injects && ours, mode, threaded) {
                            (true, _, _) | (false, None, true) => Mode::Session,
                            (false, None, false) => Mode::Run,
                            (false, Some(mode), _) => mode,
                        };
                        assert_eq!(Right.spawn_mode(&asked, threaded), expected, "{asked:?}");
                    }
                }
            }
        }
    }
}

#[track_caller]
fn resets(started: u64, interacted: u64, at: u64, boundary: Option<i64>, idle: u64, due: bool) {
    let found = Right.reset_due(&Ages {
        policy: ResetPolicy {
            daily_at: None,
            idle: (idle > 0).then_some(Span(idle)),
        },
        anchor: ResetAnchor::StartAndLastInteraction,
        started_at: Time(started),
        interacted_at: Time(interacted),
        written_at: Time(at),
        at: Time(at),
        boundary,
    });
    assert_eq!(found, due);
}

#[test]
fn an_exact_boundary_is_fresh() {
    resets(99, 150, 200, Some(100), 0, true);
    resets(100, 150, 200, Some(100), 0, false);
    resets(0, 100, 200, Some(-5), 100, false);
    resets(0, 100, 201, None, 100, true);
    resets(0, 0, u64::MAX, None, 0, false);
}

#[test]
fn runs_are_named_by_letters() {
    for (number, name) in [(1, "a"), (26, "z"), (27, "aa"), (702, "zz"), (703, "aaa")] {
        assert_eq!(keys::run_id(number).as_str(), name);
        assert_eq!(keys::run_number(&name.into()), Some(number));
    }
    assert_eq!(keys::run_number(&"R1".into()), None);
}

#[test]
fn pauses_grow_up_to_five_minutes() {
    let pauses: Vec<u64> = (1..=7).map(|n| Right.retry_after(n).0 / 1_000).collect();
    assert_eq!(pauses, [5, 15, 45, 135, 300, 300, 300]);
}
