//! Laws of playing: they hold for every scenario, not for those we thought of.

use std::cell::RefCell;
use std::collections::BTreeSet;

use moorline_sim::channel;
use moorline_sim::generator::{self, Chance};
use moorline_sim::reference::Reference;
use moorline_sim::world::{Played, Stage, play};
use moorline_spec::judge::Judge;
use moorline_spec::observe::Observer;
use moorline_spec::profile::Profile;
use moorline_spec::projection::by_conversation;
use moorline_spec::rule::Rule;
use moorline_spec::scenario::{
    Action, Ending, Fixture, Home, Say, Scenario, Spawn, Step, Verb, When,
};
use moorline_spec::time::Span;
use moorline_spec::trace::{Entry, Rest, Trace};
use moorline_spec::verdict::Verdict;
use moorline_spec::wire::Disk;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};
use serde_json::{Value, json};

type Ruling = Vec<(&'static Rule, Verdict)>;

fn play_once(scenario: &Scenario) -> (Played<std::convert::Infallible>, Ruling) {
    let profile = Profile::target();
    let mut judge = Judge::new(&profile);
    let mut gateway = Reference::new(&profile);
    let stage = Stage {
        profile: &profile,
        disk: Disk::Harness,
    };
    let played = play(scenario, &stage, &mut gateway, &mut judge);
    (played, judge.finish())
}

/// A failing scenario as the fixture somebody would keep.
fn as_fixture(scenario: &Scenario) -> String {
    match Fixture::from_scenario(scenario.clone(), channel::names()) {
        Ok(fixture) => fixture.to_json(),
        Err(problems) => format!("{problems:?}"),
    }
}

fn config(cases: u32) -> Config {
    // The seed is the case: it needs no file to be played again.
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

/// Every kind of stimulus, effect and answer has to be met on the way, or the law is an empty one.
#[test]
fn the_reference_keeps_every_rule_in_small_random_worlds() {
    let met = RefCell::new(BTreeSet::new());
    let law = |seed: u64| {
        let scenario = generator::scenario(seed);
        let (played, ruling) = play_once(&scenario);
        prop_assert_eq!(
            played.end.ok(),
            Some(Rest::Settled),
            "{}",
            as_fixture(&scenario)
        );
        for (rule, verdict) in ruling {
            let id = rule.id;
            prop_assert!(
                !verdict.is_fail(),
                "{id}: {verdict:?}\n{}",
                as_fixture(&scenario)
            );
        }
        note_kinds(&played.trace, &mut met.borrow_mut());
        Ok::<(), TestCaseError>(())
    };
    // The same worlds each time: a law that fails once in a while teaches nothing.
    for seed in 0..10_000 {
        law(seed).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    }
    let met = met.into_inner();
    let missing: Vec<&str> = EVERY_KIND
        .into_iter()
        .filter(|kind| !met.contains(*kind))
        .collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}

/// What a judge forgets of the past never makes it accuse, and what is owed is never forgotten.
#[test]
fn a_short_memory_accuses_nobody() {
    let profile = Profile::target();
    for seed in 0..1_000 {
        let scenario = generator::scenario(seed);
        let (played, long) = play_once(&scenario);
        let mut judge = Judge::with_horizon(&profile, 8);
        for (index, entry) in played.trace.entries.iter().enumerate() {
            judge.see(index, entry);
        }
        assert!(judge.debts().is_empty(), "seed {seed}");
        for ((rule, short), (_, long)) in judge.finish().into_iter().zip(long) {
            let told = (rule.id, &short);
            assert!(!short.is_fail() || long.is_fail(), "seed {seed}: {told:?}");
        }
    }
}

/// A log of any length is judged in memory that follows what is live, and not what was.
#[test]
fn memory_follows_what_is_live() {
    let day = generator::scenario(7);
    let (played, _) = play_once(&day);
    let length = played.trace.entries.last().map_or(0, |last| last.at.0 + 1);
    let mut judge = Judge::with_horizon(&Profile::target(), 1_000);
    let mut sizes = Vec::new();
    let mut index = 0;
    for number in 0..400 {
        for entry in &played.trace.entries {
            let mut entry = renamed(entry, number);
            entry.at.0 += number as u64 * length;
            judge.see(index, &entry);
            index += 1;
        }
        sizes.push(judge.facts().size());
    }
    let early = sizes[..200].iter().max();
    let late = sizes[200..].iter().max();
    assert!(late <= early, "{early:?} things at first, {late:?} later");
}

/// The entry with ids and markers of its own, as another day would have them.
fn renamed(entry: &Entry, number: usize) -> Entry {
    let mut value = serde_json::to_value(entry).expect("an entry is plain data");
    rename(&mut value, number);
    serde_json::from_value(value).expect("a name is a name")
}

fn rename(value: &mut Value, number: usize) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, number)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_id = matches!(
                    name.as_str(),
                    "run" | "call" | "delivery" | "message" | "request" | "steer" | "resumes"
                );
                match value {
                    Value::String(id) if is_id => *id = format!("{id}@{number}"),
                    Value::Array(all)
                        if matches!(
                            name.as_str(),
                            "own" | "markers" | "lost" | "kept" | "alive"
                        ) =>
                    {
                        for id in all {
                            if let Value::String(id) = id {
                                *id = format!("{id}@{number}");
                            }
                        }
                    }
                    Value::String(_)
                    | Value::Array(_)
                    | Value::Object(_)
                    | Value::Null
                    | Value::Bool(_)
                    | Value::Number(_) => rename(value, number),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

/// The names of the seam, as they stand in the lines of a trace; outcomes behind a colon.
const EVERY_KIND: [&str; 48] = [
    "open",
    "inbound",
    "internal_turn",
    "call",
    "run_started",
    "run_progress",
    "run_ended",
    "steered",
    "receipt",
    "thread_opened",
    "thread_probed",
    "thread_changed",
    "conversation_moved",
    "compacted",
    "config_changed",
    "wake",
    "stop",
    "start_run",
    "steer_run",
    "cancel_run",
    "deliver",
    "open_thread",
    "probe_thread",
    "answer",
    "persist",
    "report",
    "drop",
    "refuse_config",
    "run_started:started",
    "run_started:refused",
    "run_ended:ok",
    "run_ended:error",
    "run_ended:timeout",
    "run_ended:killed",
    "run_ended:lost",
    "steered:taken",
    "steered:refused",
    "receipt:accepted",
    "receipt:refused",
    "receipt:unknown",
    "thread_opened:opened",
    "thread_opened:refused",
    "thread_opened:unknown",
    "thread_probed:live",
    "thread_probed:gone",
    "thread_probed:archived",
    "thread_probed:locked",
    "thread_probed:unknown",
];

fn note_kinds(trace: &Trace, met: &mut BTreeSet<String>) {
    for entry in &trace.entries {
        let line = serde_json::to_value(entry).expect("an entry is plain data");
        let Some(told) = line
            .get("stimulus")
            .or(line.get("effect"))
            .and_then(Value::as_object)
        else {
            continue;
        };
        for (kind, fields) in told {
            let outcome = fields
                .get("outcome")
                .or(fields.get("state"))
                .and_then(Value::as_str);
            let flat = ["accepted", "refused", "unknown", "opened"];
            let flat = flat.into_iter().find(|name| fields.get(*name).is_some());
            met.extend(outcome.or(flat).map(|outcome| format!("{kind}:{outcome}")));
            met.insert(kind.clone());
        }
    }
}

proptest! {
    #![proptest_config(config(500))]

    /// Equal scenarios give equal traces, to the byte.
    #[test]
    fn playing_twice_is_equal_to_the_byte(seed: u64) {
        let scenario = generator::scenario(seed);
        let (first, second) = (play_once(&scenario).0, play_once(&scenario).0);
        prop_assert_eq!(first.trace.to_lines(), second.trace.to_lines());
    }

    /// A generated scenario reads back from the fixture it is written to, and plays the same.
    #[test]
    fn a_generated_scenario_is_a_fixture(seed: u64) {
        let scenario = generator::scenario(seed);
        let text = as_fixture(&scenario);
        let read = Fixture::parse("generated.json", &text, channel::names());
        let read = read.map_err(|wrong| TestCaseError::fail(wrong.to_string()))?;
        prop_assert_eq!(read.scenario(), &scenario);
    }

    /// What two people who have nothing in common do at one instant can come in either order:
    /// neither sees a difference.
    #[test]
    fn steps_with_nothing_in_common_can_change_places(seed: u64) {
        let (first, second) = (side_by_side(seed, false), side_by_side(seed, true));
        let (first, second) = (play_once(&first).0.trace, play_once(&second).0.trace);
        let (first, second) = (seen_by_each(&first), seen_by_each(&second));
        prop_assert_eq!(first.len(), second.len());
        for (one, other) in first.iter().zip(&second) {
            prop_assert_eq!(one, other);
        }
    }
}

/// The entries of each conversation, a line each. Words are left out, for they may name ids that are
/// numbered over all conversations; their markers tell what they are about.
fn seen_by_each(trace: &Trace) -> Vec<String> {
    let places = by_conversation(trace, &Default::default()).into_iter();
    let lines = places.flat_map(|(at, lines)| {
        lines.into_iter().map(move |(_, mut line)| {
            leave_out_words(&mut line);
            format!("{at} {line}")
        })
    });
    lines.collect()
}

fn leave_out_words(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !["text", "input"].contains(&name.as_str()));
            fields.values_mut().for_each(leave_out_words);
        }
        Value::Array(values) => values.iter_mut().for_each(leave_out_words),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

/// Two people on two channels, with a session each, who write at the same instants.
fn side_by_side(seed: u64, swapped: bool) -> Scenario {
    let home = |channel: &str| Home {
        channel: channel.into(),
        account: "default".into(),
        conversation: None,
        thread: None,
        kind: Default::default(),
    };
    let mut chance = Chance::new(seed, 7);
    let mut steps = Vec::new();
    for round in 0..chance.between(1, 6) {
        let after = When::After(Span::secs(chance.between(1, 7_200)));
        let mut pair = [("alice", 'a'), ("walter", 'w')]
            .map(|(person, letter)| says(person, &format!("{letter}{round}"), &mut chance));
        if swapped {
            pair.swap(0, 1);
        }
        let [one, other] = pair;
        steps.push(Step {
            when: after,
            verb: one,
        });
        steps.push(Step {
            when: When::After(Span::ZERO),
            verb: other,
        });
    }
    Scenario {
        title: format!("Seed {seed}, side by side"),
        people: [("alice", "telegram"), ("walter", "whatsapp")]
            .map(|(name, channel)| (name.into(), home(channel)))
            .into(),
        agents: vec!["main".into()],
        starts_at: "2026-03-02T09:00:00Z".to_owned(),
        timezone: "UTC".to_owned(),
        config: json!({"session": {"dmScope": "per-channel-peer"}}),
        steps,
        ..Scenario::default()
    }
}

fn says(person: &str, name: &str, chance: &mut Chance) -> Verb {
    let mut script = Vec::new();
    if chance.percent(40) {
        let child = vec![
            Action::Wait(Span::secs(chance.between(1, 9_000))),
            Action::End(Ending {
                text: Some("done".to_owned()),
                ..Ending::default()
            }),
        ];
        script.push(Action::Spawn(Spawn {
            name: format!("child-of-{name}"),
            task: "a task".to_owned(),
            agent: Some(child),
            ..Spawn::default()
        }));
    }
    if chance.percent(50) {
        script.push(Action::Wait(Span::secs(chance.between(1, 600))));
    }
    script.push(Action::End(Ending {
        text: Some("said".to_owned()),
        ..Ending::default()
    }));
    Verb::Says(Say {
        person: person.into(),
        text: "do something".to_owned(),
        name: Some(name.to_owned()),
        agent: Some(script),
        ..Say::default()
    })
}
