//! From a log in which a rule is broken to a fixture that can be played: the people and what they
//! said, the agents' scripts as they were seen, what went wrong around them, up to what the rule
//! needs.
//!
//! The log is told from outside, and so is the fixture: what the gateway did is left to the gateway
//! that plays it.

mod cast;
mod faults;
mod order;
mod scripts;
mod steps;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use moorline_sim::channel;
use moorline_spec::judge::Judge;
use moorline_spec::profile::Profile;
use moorline_spec::rule::Rule;
use moorline_spec::scenario::{Fixture, Problem, Scenario, Source};
use moorline_spec::trace::Entry;
use moorline_spec::verdict::{Breach, Verdict};
use serde_json::Value;

/// What was cut.
#[derive(Debug)]
pub struct Cut {
    /// The fixture.
    pub fixture: Fixture,
    /// The rule that the log breaks.
    pub rule: &'static Rule,
    /// How it does.
    pub breach: Breach,
    /// So many entries of the log were needed.
    pub entries: usize,
    /// What stands in the log and could not be told, each once.
    pub left_out: BTreeSet<String>,
}

/// Why nothing can be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// There is nothing to show.
    #[error("no rule is broken in it, so there is nothing to cut a fixture for")]
    NothingBroken,
    /// Another rule is.
    #[error("{asked} is not broken in it; what is broken is {broken}")]
    NotBroken {
        /// The rule that was asked for.
        asked: String,
        /// Those that are.
        broken: String,
    },
    /// What was put together makes no sense: our doing, or that of a log that tells too little.
    #[error("what is left of it makes no story: {0}")]
    NoStory(String),
}

/// Cuts a fixture for a rule, or for the one that is broken first.
pub fn cut(entries: &[Entry], profile: &Profile, rule: Option<&str>) -> Result<Cut, CutError> {
    let (rule, breach, is_late) = broken(entries, profile, rule)?;
    let needed = match is_late {
        true => entries.len(),
        false => needed(entries, profile, rule),
    };
    let (mut scenario, left_out) = steps::tell(entries, needed);
    scenario.title = format!("What a log showed: {}", breach.seen);
    scenario.source = Some(Source {
        note: Some("cut from a recorded log".to_owned()),
        ..Source::default()
    });
    scenario.rules = vec![rule.id.to_owned()];
    speak_of(&mut scenario, profile);
    let fixture = Fixture::from_scenario(scenario, channel::names()).map_err(|problems| {
        let words = problems
            .iter()
            .map(|Problem { pointer, what }| format!("{pointer}: {what}"));
        CutError::NoStory(words.collect::<Vec<_>>().join("; "))
    })?;
    Ok(Cut {
        fixture,
        rule,
        breach,
        entries: needed,
        left_out,
    })
}

/// The rule that is broken, how, and whether that is known only at the end of the log.
fn broken(
    entries: &[Entry],
    profile: &Profile,
    asked: Option<&str>,
) -> Result<(&'static Rule, Breach, bool), CutError> {
    let early = breaches(Judge::having_seen(profile, entries).so_far());
    let all = match entries.last().is_some_and(super::is_rest) {
        true => breaches(Judge::having_seen(profile, entries).finish()),
        false => early.clone(),
    };
    let is_meant =
        |(rule, _): &&(&'static Rule, Breach)| asked.is_none_or(|asked| rule.id == asked);
    let first = all
        .iter()
        .filter(is_meant)
        .min_by_key(|(_, breach)| breach.entry);
    match (first, asked) {
        (Some((rule, breach)), _) => {
            let is_late = !early.iter().any(|(known, _)| known.id == rule.id);
            Ok((*rule, breach.clone(), is_late))
        }
        (None, Some(asked)) if !all.is_empty() => Err(CutError::NotBroken {
            asked: asked.to_owned(),
            broken: all
                .iter()
                .map(|(rule, _)| rule.id)
                .collect::<Vec<_>>()
                .join(", "),
        }),
        (None, _) => Err(CutError::NothingBroken),
    }
}

fn breaches(verdicts: Vec<(&'static Rule, Verdict)>) -> Vec<(&'static Rule, Breach)> {
    let broken = verdicts.into_iter();
    broken
        .filter_map(|(rule, verdict)| Some((rule, verdict.breach()?.clone())))
        .collect()
}

/// How many entries it takes to see that a rule is broken: once it is, it stays so.
fn needed(entries: &[Entry], profile: &Profile, rule: &Rule) -> usize {
    let is_broken = |count: usize| {
        let found = breaches(Judge::having_seen(profile, &entries[..count]).so_far());
        found.iter().any(|(known, _)| known.id == rule.id)
    };
    let (mut too_few, mut enough) = (0, entries.len());
    while too_few + 1 < enough {
        let middle = too_few.midpoint(enough);
        match is_broken(middle) {
            true => enough = middle,
            false => too_few = middle,
        }
    }
    enough
}

/// The fixture speaks of gateways that promise what this one does.
fn speak_of(scenario: &mut Scenario, profile: &Profile) {
    let shipped = Profile::named(&profile.name).filter(|shipped| shipped.name != "target");
    let base = shipped.clone().unwrap_or_else(Profile::target);
    scenario.profile = shipped.map(|shipped| shipped.name);
    let dials = |profile: &Profile| match serde_json::to_value(&profile.dials) {
        Ok(Value::Object(dials)) => dials,
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    let usual = dials(&base);
    let other = dials(profile).into_iter();
    let other = other.filter(|(name, value)| usual.get(name) != Some(value));
    scenario.dials = other.collect::<BTreeMap<String, Value>>();
}
