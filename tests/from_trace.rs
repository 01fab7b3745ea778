//! A fixture that is cut from a log shows what the log shows.

use std::path::Path;

use moorline::fixtures::{self, Named};
use moorline::gate::{Gate, Judgement, Outcome};
use moorline::log::{Cut, cut};
use moorline_sim::broken::{self, Broken};
use moorline_spec::profile::Profile;
use moorline_spec::scenario::Scenario;

fn all_fixtures() -> Vec<Named> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    fixtures::on_disk(&root).expect("they make sense")
}

fn profile_of(scenario: &Scenario) -> Profile {
    let base = match &scenario.profile {
        Some(name) => Profile::named(name).expect("it comes with moorline"),
        None => Profile::target(),
    };
    base.with(&scenario.dials).expect("dials that exist")
}

fn played(gate: &mut Gate, scenario: &Scenario) -> Option<Box<Judgement>> {
    match gate.play(scenario) {
        Outcome::Played(judgement) => Some(judgement),
        Outcome::Inapplicable(_) => None,
    }
}

fn breaks(judgement: &Judgement, rule: &str) -> bool {
    let mut verdicts = judgement.verdicts.iter();
    verdicts.any(|(known, verdict)| known.id == rule && verdict.is_fail())
}

/// What is wrong with what was cut from the log of a broken gateway, if anything is.
fn trouble(broken: &'static Broken, named: &Named) -> Option<Result<(), String>> {
    let mut gate = Gate::broken(broken, None);
    let log = played(&mut gate, named.scenario())?;
    if !breaks(&log, broken.rule) {
        return None;
    }
    let profile = profile_of(named.scenario());
    let cut = match cut(&log.trace.entries, &profile, Some(broken.rule)) {
        Ok(cut) => cut,
        Err(error) => return Some(Err(error.to_string())),
    };
    Some(shows(broken, &mut gate, &cut))
}

fn shows(broken: &Broken, gate: &mut Gate, cut: &Cut) -> Result<(), String> {
    let scenario = cut.fixture.scenario();
    let again = played(gate, scenario).ok_or("it is not played")?;
    if !breaks(&again, broken.rule) {
        return Err("the broken gateway keeps the rule in it".to_owned());
    }
    let right = played(&mut Gate::reference(None), scenario).ok_or("it is not played")?;
    let fails = right
        .verdicts
        .iter()
        .filter(|(_, verdict)| verdict.is_fail());
    let fails: Vec<&str> = fails.map(|(rule, _)| rule.id).collect();
    match fails.is_empty() && right.end.is_ok() {
        true => Ok(()),
        false => Err(format!("the reference fails {} in it", fails.join(", "))),
    }
}

/// What does not come back from its log, and why.
const NOT_CUT: [(&str, &str); 10] = [
    (
        "channels-known-by-name",
        "a relation is between two plays, and a log is of one",
    ),
    (
        "later-messages-overtake-a-steer",
        "the moment between two messages at one instant is lost",
    ),
    (
        "sweeps-overlap",
        "how long each probe takes is told to the second",
    ),
    (
        "pieces-begin-anew",
        "which piece of a text a channel refuses is not told",
    ),
    (
        "what-is-on-its-way-sets-out-again",
        "which piece of a text a channel refuses is not told",
    ),
    (
        "one-piece-is-enough",
        "which piece of a text a channel refuses is not told",
    ),
    (
        "a-later-end-counts",
        "a run that ends twice is told as one that ends once",
    ),
    (
        "children-begin-after-the-kill",
        "how long a thread takes to open is not told",
    ),
    (
        "recovered-counts-as-told",
        "between which effects of one reply the gateway dies is not told",
    ),
    (
        "texts-die-on-their-way",
        "between which effects of one reply the gateway dies is not told",
    ),
];

#[test]
fn what_is_cut_from_a_log_fails_like_the_log_and_the_reference_passes() {
    let named = all_fixtures();
    let mut wrong = Vec::new();
    let mut right = 0;
    for broken in broken::all() {
        let about = named.iter().filter(|named| {
            let scenario = named.scenario();
            scenario.reproduced_by.as_deref() == Some(broken.id)
                || scenario.rules.iter().any(|rule| rule == broken.rule)
        });
        let tried: Vec<_> = about
            .filter_map(|named| Some((&named.id, trouble(broken, named)?)))
            .collect();
        let is_known = NOT_CUT.iter().any(|(id, _)| *id == broken.id);
        let comes_back = tried.iter().any(|(_, tried)| tried.is_ok());
        right += usize::from(comes_back);
        match tried
            .iter()
            .find_map(|(id, tried)| Some((id, tried.as_ref().err()?)))
        {
            Some((id, why)) if !comes_back && !is_known => {
                wrong.push(format!("{} in {id}: {why}", broken.id));
            }
            _ if comes_back && is_known => {
                wrong.push(format!("{} comes back; take it off the list", broken.id));
            }
            _ => (),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(250 < right, "{right} come back");
}

#[test]
fn a_log_in_which_nothing_is_broken_has_nothing_to_cut() {
    let named = all_fixtures();
    let named = named
        .iter()
        .find(|named| named.id == "relay/tells_the_dm_and_nobody_else");
    let scenario = named.expect("it is there").scenario();
    let log = played(&mut Gate::reference(None), scenario).expect("it is played");
    let target = Profile::target();
    let said = |rule| match cut(&log.trace.entries, &target, rule) {
        Ok(cut) => panic!("{} is broken?", cut.rule.id),
        Err(error) => error.to_string(),
    };
    assert!(said(None).contains("no rule is broken"));
    assert!(said(Some("relay.once")).contains("no rule is broken"));
}
