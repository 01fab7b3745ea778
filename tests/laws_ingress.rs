//! Laws of what comes in: whatever is redelivered, refused or restarted, each message is given to
//! at most one run that ended or lives, and none is lost.

use moorline_sim::channel;
use moorline_sim::reference::Reference;
use moorline_sim::world::{Stage, play};
use moorline_spec::effect::Effect;
use moorline_spec::id::{Marker, RunId};
use moorline_spec::judge::Judge;
use moorline_spec::profile::Profile;
use moorline_spec::scenario::Fixture;
use moorline_spec::stimulus::{Start, Steering, Stimulus};
use moorline_spec::trace::{Rest, Trace, What, World};
use moorline_spec::wire::Disk;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One message of a story, and what goes wrong with it.
#[derive(Clone, Debug)]
struct Letter {
    person: usize,
    after_ms: u64,
    works_s: u64,
    repeats: u32,
    late_s: Option<u64>,
    refused: u32,
    unsteered: bool,
    /// What happens to the gateway after it.
    then: Option<Value>,
}

const PEOPLE: [&str; 3] = ["carol", "dave", "alice"];

fn letter() -> impl Strategy<Value = Letter> {
    let then = prop_oneof![
        6 => Just(None),
        1 => Just(Some(json!({"restarts": "2s"}))),
        1 => Just(Some(json!({"crash": {}}))),
        1 => Just(Some(json!({"crash": {"down": "20s"}}))),
    ];
    let faults = (
        prop_oneof![3 => Just(0_u32), 1 => 1..3_u32],
        prop::option::weighted(0.2, 1..90_u64),
        prop_oneof![4 => Just(0_u32), 1 => 1..3_u32, 1 => 4..6_u32],
        prop::bool::weighted(0.3),
    );
    let when = prop_oneof![Just(0_u64), 1..3_000_u64, 30_000..90_000_u64];
    (0..PEOPLE.len(), when, 0..20_u64, faults, then).prop_map(
        |(person, after_ms, works_s, (repeats, late_s, refused, unsteered), then)| Letter {
            person,
            after_ms,
            works_s,
            repeats,
            late_s,
            refused,
            unsteered,
            then,
        },
    )
}

fn story(letters: &[Letter], mode: &str) -> Fixture {
    let mut steps = Vec::new();
    let mut faults = Vec::new();
    for (index, letter) in letters.iter().enumerate() {
        let name = format!("m{}", index + 1);
        let after = format!("{}ms", letter.after_ms);
        steps.push(json!({
            "after": after, "says": PEOPLE[letter.person], "text": "hello", "as": name,
            "agent": [{"wait": format!("{}s", letter.works_s)}, {"end": {"text": "said"}}],
        }));
        if letter.repeats > 0 || letter.late_s.is_some() {
            let delay = letter.late_s.map(|late| format!("{late}s"));
            let repeats = letter.repeats;
            faults.push(json!({"inbound": {"of": name, "repeats": repeats, "delay": delay}}));
        }
        if letter.refused > 0 {
            faults.push(json!({"start": {"of": name, "times": letter.refused}}));
        }
        if letter.unsteered {
            faults.push(json!({"steer": {"of": name, "refused": true, "delay": "3s"}}));
        }
        if let Some(then) = &letter.then {
            let mut then = then.clone();
            then["after"] = json!("500ms");
            steps.push(then);
        }
    }
    let group = json!({"channel": "discord", "kind": "group", "conversation": "general"});
    let story = json!({
        "title": "What comes in",
        "people": {"carol": group, "dave": group, "alice": {"channel": "telegram"}},
        "config": {"messages": {"queue": {"mode": mode}}},
        "faults": faults,
        "steps": steps,
    });
    Fixture::parse("law", &story.to_string(), channel::names()).expect("it makes sense")
}

/// The runs that were given each message and were not refused, resumed ones apart.
fn given(trace: &Trace) -> BTreeMap<Marker, BTreeSet<RunId>> {
    let mut given: BTreeMap<Marker, BTreeSet<RunId>> = BTreeMap::new();
    let mut inputs: BTreeMap<RunId, Vec<Marker>> = BTreeMap::new();
    let mut steers = BTreeMap::new();
    let mut gone: BTreeSet<RunId> = BTreeSet::new();
    for entry in &trace.entries {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => {
                // What is replaced died, whether that was heard of or not.
                gone.extend(start.resumes.clone());
                inputs.insert(start.run.clone(), entry.markers.clone());
            }
            What::Effect(Effect::SteerRun(steer)) => {
                steers.insert(
                    steer.steer.clone(),
                    (steer.run.clone(), entry.markers.clone()),
                );
            }
            What::Stimulus(Stimulus::Steered(steered)) if steered.outcome == Steering::Taken => {
                if let Some((run, markers)) = steers.remove(&steered.steer) {
                    inputs.entry(run).or_default().extend(markers);
                }
            }
            What::Stimulus(Stimulus::RunStarted(started)) if started.outcome == Start::Refused => {
                gone.insert(started.run.clone());
            }
            What::World(World::Crashed { lost, .. }) => gone.extend(lost.iter().cloned()),
            What::Stimulus(_) | What::Effect(_) | What::World(_) => (),
        }
    }
    for (run, markers) in inputs.into_iter().filter(|(run, _)| !gone.contains(run)) {
        for marker in markers {
            given.entry(marker).or_default().insert(run.clone());
        }
    }
    given
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_message_is_given_to_one_run_and_none_is_lost(
        letters in prop::collection::vec(letter(), 1..9),
        mode in prop::sample::select(vec!["followup", "steer", "collect"]),
    ) {
        let fixture = story(&letters, mode);
        let profile = Profile::target();
        let mut judge = Judge::new(&profile);
        let mut gateway = Reference::new(&profile);
        let stage = Stage { profile: &profile, disk: Disk::Harness };
        let played = play(fixture.scenario(), &stage, &mut gateway, &mut judge);
        let told = || format!("{}\n{}", fixture.to_json(), played.trace.transcript());
        prop_assert_eq!(played.end.as_ref().ok(), Some(&Rest::Settled), "{}", told());
        let given = given(&played.trace);
        for index in 0..letters.len() {
            let marker = Marker::from(format!("m{}", index + 1));
            let runs = given.get(&marker).map_or(0, BTreeSet::len);
            prop_assert!(runs <= 1, "{marker} is given to {runs} runs\n{}", told());
            // Where there is none, people were told so; what dies on its way in is another story.
            let is_told = played.trace.entries.iter().any(|entry| {
                let posted = matches!(entry.what, What::World(World::Posted { .. }));
                posted && entry.markers.contains(&marker)
            });
            let dies = letters.iter().any(|letter| letter.then.is_some());
            prop_assert!(runs == 1 || is_told || dies, "{marker} is lost\n{}", told());
        }
        for (rule, verdict) in judge.finish() {
            prop_assert!(!verdict.is_fail(), "{}: {verdict:?}\n{}", rule.id, told());
        }
    }
}
