//! In worlds of debts the reference breaks no rule, wherever it dies and whatever channels refuse:
//! safety at every entry, and after the healing everybody was told or saw a failure.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use moorline_sim::channel;
use moorline_sim::generator;
use moorline_sim::reference::Reference;
use moorline_sim::world::{Stage, play};
use moorline_spec::judge::Judge;
use moorline_spec::profile::Profile;
use moorline_spec::scenario::{Fixture, Scenario};
use moorline_spec::trace::Rest;
use moorline_spec::verdict::{Debt, Verdict};
use moorline_spec::wire::Disk;

/// How many worlds each profile is played in.
const WORLDS: u64 = 10_000;

/// What a world breaks, the rule first.
fn broken(scenario: &Scenario, profile: &Profile) -> Option<(&'static str, String)> {
    let mut judge = Judge::new(profile);
    let mut gateway = Reference::new(profile);
    let stage = Stage {
        profile,
        disk: Disk::Harness,
    };
    let played = play(scenario, &stage, &mut gateway, &mut judge);
    let owed = judge.debts();
    let fails = judge
        .finish()
        .into_iter()
        .find_map(|(rule, verdict)| match verdict {
            Verdict::Fail(breach) => Some((rule.id, breach.seen)),
            Verdict::Pass { .. } | Verdict::Inconclusive { .. } | Verdict::Inapplicable { .. } => {
                None
            }
        });
    fails.or_else(|| match played.end {
        Ok(Rest::Settled) => None,
        end => {
            let owed: Vec<String> = owed.iter().map(Debt::to_string).collect();
            Some(("no rest", format!("{end:?}: {}", owed.join("; "))))
        }
    })
}

/// The scenario with as few steps and faults as still break the same rule.
fn shrunk(scenario: &Scenario, profile: &Profile, rule: &str) -> Scenario {
    let mut smallest = scenario.clone();
    let is_story =
        |scenario: &Scenario| Fixture::from_scenario(scenario.clone(), channel::names()).is_ok();
    let breaks = |scenario: &Scenario| {
        is_story(scenario) && broken(scenario, profile).is_some_and(|(other, _)| other == rule)
    };
    loop {
        let before = smallest.steps.len() + smallest.faults.len();
        for index in (0..smallest.steps.len()).rev() {
            let mut other = smallest.clone();
            other.steps.remove(index);
            if breaks(&other) {
                smallest = other;
            }
        }
        for index in (0..smallest.faults.len()).rev() {
            let mut other = smallest.clone();
            other.faults.remove(index);
            if breaks(&other) {
                smallest = other;
            }
        }
        if smallest.steps.len() + smallest.faults.len() == before {
            return smallest;
        }
    }
}

/// The fixture somebody would keep.
fn as_fixture(scenario: &Scenario, profile: &Profile, rule: &str) -> String {
    let mut scenario = shrunk(scenario, profile, rule);
    scenario.profile = Some(profile.name.clone());
    scenario.rules = vec![rule.to_owned()];
    match Fixture::from_scenario(scenario, channel::names()) {
        Ok(fixture) => fixture.to_json(),
        Err(problems) => format!("{problems:?}"),
    }
}

#[test]
fn the_reference_keeps_every_rule_in_worlds_of_debts() {
    let profiles = Profile::shipped();
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let worlds = WORLDS * profiles.len() as u64;
    let work = || -> Option<String> {
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if worlds <= number {
                return None;
            }
            let profile = &profiles[usize::try_from(number % profiles.len() as u64).ok()?];
            let seed = number / profiles.len() as u64;
            let scenario = generator::tree(seed);
            if let Some((rule, seen)) = broken(&scenario, profile) {
                failed.store(true, Ordering::Relaxed);
                let fixture = as_fixture(&scenario, profile, rule);
                let name = &profile.name;
                return Some(format!(
                    "tree {seed} under {name} breaks {rule}: {seen}\n{fixture}"
                ));
            }
        }
        None
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let found = thread::scope(|scope| {
        let all: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let all = all.into_iter().map(|worker| worker.join());
        all.filter_map(|found| found.expect("a play never panics"))
            .collect::<Vec<_>>()
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The worlds are as large as they are meant to be, and no two seeds are needed for that.
#[test]
fn worlds_of_debts_have_what_they_promise() {
    let worlds: Vec<Scenario> = (0..500).map(generator::tree).collect();
    for world in &worlds {
        assert!((2..=4).contains(&world.people.len()), "{}", world.title);
        assert!(world.faults.len() <= 8, "{}", world.title);
        let fixture = Fixture::from_scenario(world.clone(), channel::names());
        assert!(fixture.is_ok(), "{}: {:?}", world.title, fixture.err());
    }
    let most = |count: fn(&Scenario) -> usize| worlds.iter().map(count).max();
    assert_eq!(most(|world| world.people.len()), Some(4));
    assert_eq!(most(|world| world.faults.len()), Some(8));
    let json = |world: &Scenario| serde_json::to_string(world).expect("plain data");
    let crashes = worlds
        .iter()
        .map(|world| json(world).matches("\"crash\":").count());
    assert_eq!(crashes.max(), Some(3));
    let spawns = worlds
        .iter()
        .map(|world| json(world).matches("\"spawn\":").count());
    assert_eq!(spawns.max(), Some(6));
}
