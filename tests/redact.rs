//! A log that can be shown to others is judged like the log it was made of, and tells nothing more.

use std::collections::BTreeSet;
use std::path::Path;

use moorline::fixtures::{self, Named};
use moorline::gate::{Gate, Outcome};
use moorline::log::Redactor;
use moorline_sim::broken;
use moorline_sim::generator;
use moorline_spec::judge::Judge;
use moorline_spec::profile::Profile;
use moorline_spec::trace::Trace;
use moorline_spec::verdict::Verdict;
use proptest::prelude::*;
use proptest::test_runner::Config;

fn all_fixtures() -> Vec<Named> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fixtures::on_disk(&root).expect("they make sense")
}

/// What is played under is what its log is judged under.
fn profile_of(named: &Named) -> Profile {
    let scenario = named.scenario();
    let base = match &scenario.profile {
        Some(name) => Profile::named(name).expect("it comes with moorline"),
        None => Profile::target(),
    };
    base.with(&scenario.dials).expect("dials that exist")
}

fn trace_of(gate: &mut Gate, named: &Named) -> Option<Trace> {
    match gate.play(named.scenario()) {
        Outcome::Played(judgement) => Some(judgement.trace),
        Outcome::Inapplicable(_) => None,
    }
}

fn redacted(trace: &Trace) -> Trace {
    let mut redactor = Redactor::default();
    let entries = trace.entries.iter();
    Trace {
        entries: entries.map(|entry| redactor.entry(entry)).collect(),
    }
}

/// What rules say, and where; how they say it names names.
fn found(profile: &Profile, trace: &Trace) -> Vec<String> {
    let verdicts = Judge::of(profile, trace).into_iter();
    let told = verdicts.map(|(rule, verdict)| match verdict {
        Verdict::Pass { witnessed } => format!("{} passes {witnessed} times", rule.id),
        Verdict::Fail(breach) => format!("{} fails at {}", rule.id, breach.entry),
        Verdict::Inconclusive { .. } => format!("{} is inconclusive", rule.id),
        Verdict::Inapplicable { .. } => format!("{} is inapplicable", rule.id),
    });
    told.collect()
}

/// The rules that say something else of the redacted log.
fn differences(profile: &Profile, trace: &Trace) -> Vec<String> {
    let (before, after) = (found(profile, trace), found(profile, &redacted(trace)));
    let pairs = before.into_iter().zip(after);
    let differing = pairs.filter(|(before, after)| before != after);
    differing
        .map(|(before, after)| format!("{before}, and redacted: {after}"))
        .collect()
}

#[test]
fn every_rule_finds_in_a_redacted_log_what_it_finds_in_the_log() {
    let mut wrong = Vec::new();
    let named = all_fixtures();
    let mut reference = Gate::reference(None);
    for named in &named {
        let trace = trace_of(&mut reference, named).expect("the reference plays all");
        for difference in differences(&profile_of(named), &trace) {
            wrong.push(format!("{}: {difference}", named.id));
        }
    }
    let mut failing = 0;
    for broken in broken::all() {
        let mut gate = Gate::broken(broken, None);
        let about = named.iter().filter(|named| {
            let scenario = named.scenario();
            scenario.reproduced_by.as_deref() == Some(broken.id)
                || scenario.rules.iter().any(|rule| rule == broken.rule)
        });
        for named in about {
            let Some(trace) = trace_of(&mut gate, named) else {
                continue;
            };
            let profile = profile_of(named);
            failing += Judge::of(&profile, &trace)
                .iter()
                .filter(|(_, verdict)| verdict.is_fail())
                .count();
            for difference in differences(&profile, &trace) {
                wrong.push(format!("{} by {}: {difference}", named.id, broken.id));
            }
        }
    }
    assert!(broken::all().len() <= failing, "the broken ones do fail");
    assert!(wrong.is_empty(), "{}: {}", wrong.len(), wrong.join("\n"));
}

proptest! {
    #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn random_logs_are_judged_alike_too(seed: u64) {
        let scenario = generator::scenario(seed);
        let Outcome::Played(judgement) = Gate::reference(None).play(&scenario) else {
            panic!("the reference plays all");
        };
        prop_assert_eq!(differences(&Profile::target(), &judgement.trace), Vec::<String>::new());
    }
}

/// The words of a fixture that somebody chose: names, ids, and what people and agents say.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let long = words.filter(|word| 6 <= word.chars().count());
    long.map(str::to_lowercase).collect()
}

/// The law is about words that nobody but their author would write.
#[test]
fn no_word_that_somebody_chose_is_left() {
    let mut reference = Gate::reference(None);
    let mut seen = 0;
    for named in all_fixtures() {
        let trace = trace_of(&mut reference, &named).expect("the reference plays all");
        // Every text in it is given a word of its own.
        let text = trace.to_lines();
        let mine = text
            .replace("refactor", "zanzibar")
            .replace("alice", "qwertz7")
            .replace("general", "ouagadougou");
        let Ok(mine) = Trace::from_lines(&mine) else {
            continue;
        };
        let left = words(&redacted(&mine).to_lines());
        for word in ["zanzibar", "qwertz7", "ouagadougou"] {
            seen += usize::from(mine.to_lines().contains(word));
            assert!(!left.contains(word), "{word} is left of {}", named.id);
        }
    }
    assert!(100 < seen, "they stood in the logs");
}
