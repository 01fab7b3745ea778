//! Every rule bites. Each broken gateway plays all fixtures; the exact set of rules that it fails,
//! the one that leads it first, is what a person approved. And each rule leads a broken gateway,
//! and is put to the test, and kept, by the reference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use moorline::fixtures::{self, Named};
use moorline::gate::{Gate, Judgement, Outcome};
use moorline_sim::broken::{self, Broken};
use moorline_spec::rule::{self, Rule};
use moorline_spec::verdict::Verdict;

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let named = match fixtures::on_disk(&root) {
        Ok(named) => named,
        Err(error) => panic!("{error}: {error:#?}"),
    };
    let named: &'static [Named] = named.leak();
    let mut trials: Vec<Trial> = broken::all()
        .iter()
        .map(|broken| Trial::test(broken.id, move || is_caught(broken, named)))
        .collect();
    trials.push(Trial::test(
        "every_rule_leads_a_broken_gateway",
        every_rule_leads,
    ));
    trials.push(Trial::test("every_rule_is_put_to_the_test", move || {
        every_rule_is_tested(named)
    }));
    trials.push(Trial::test("no_id_is_taken_twice", no_id_is_taken_twice));
    trials.push(Trial::test(
        "no_snapshot_is_left_over",
        no_snapshot_is_left_over,
    ));
    libtest_mimic::run(&arguments, trials).exit();
}

/// A fixture that a rule fails in, and how that is told.
struct Failure {
    fixture: &'static str,
    told: String,
}

/// It fails the rule that leads it, and the fixture of its report; the rest is as approved.
fn is_caught(broken: &'static Broken, named: &'static [Named]) -> Result<(), Failed> {
    let mut failures: BTreeMap<&'static str, Failure> = BTreeMap::new();
    let mut problems = Vec::new();
    for named in in_order(broken, named) {
        let mut gate = Gate::broken(broken, None);
        let Outcome::Played(told) = gate.play(named.scenario()) else {
            continue;
        };
        let mut leads = false;
        for (rule, failure) in failed(named, &told) {
            leads |= rule == broken.rule;
            failures.entry(rule).or_insert(failure);
        }
        let reproduces = named.scenario().reproduced_by.as_deref() == Some(broken.id);
        if reproduces && !leads && told.unmet.is_empty() {
            problems.push(format!("{} is not failed, though it names it", named.id));
        }
    }
    if !failures.contains_key(broken.rule) {
        problems.push(format!("no fixture shows that it breaks {}", broken.rule));
    }
    let told = tell(broken, failures);
    if !problems.is_empty() {
        return Err(format!("{}\n\n{told}", problems.join("\n")).into());
    }
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(Path::new("snapshots").join("broken"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(broken.summary);
    settings.bind(|| insta::assert_snapshot!(broken.id, told));
    Ok(())
}

/// The fixture of its report first: it tells best what is wrong.
fn in_order(broken: &Broken, named: &'static [Named]) -> impl Iterator<Item = &'static Named> {
    let names_it = |named: &&Named| named.scenario().reproduced_by.as_deref() == Some(broken.id);
    let (first, rest): (Vec<_>, Vec<_>) = named.iter().partition(names_it);
    first.into_iter().chain(rest)
}

fn failed(named: &'static Named, told: &Judgement) -> Vec<(&'static str, Failure)> {
    let fixture = named.id.as_str();
    if let Err(why) = &told.end {
        let told = why.clone();
        return vec![("no end", Failure { fixture, told })];
    }
    let breaches = told
        .verdicts
        .iter()
        .filter_map(|(rule, verdict)| match verdict {
            Verdict::Fail(breach) => Some((*rule, breach)),
            Verdict::Pass { .. } | Verdict::Inconclusive { .. } | Verdict::Inapplicable { .. } => {
                None
            }
        });
    let tell = |(rule, breach): (&'static Rule, &moorline_spec::verdict::Breach)| {
        let line = told.trace.transcript_line(breach.entry);
        let (seen, right) = (&breach.seen, &breach.right);
        let told = format!("{}\n  seen: {seen}\n  right: {right}", line.trim_start());
        (rule.id, Failure { fixture, told })
    };
    breaches.map(tell).collect()
}

fn tell(broken: &Broken, mut failures: BTreeMap<&'static str, Failure>) -> String {
    let mut told = String::new();
    let own = failures.remove_entry(broken.rule);
    for (rule, failure) in own.into_iter().chain(failures) {
        let Failure { fixture, told: how } = failure;
        write!(told, "{rule}, first in {fixture}\n  {how}\n\n").expect("a string takes all");
    }
    told
}

/// A checker that nothing fails might as well not be there.
fn every_rule_leads() -> Result<(), Failed> {
    let led: BTreeSet<&str> = broken::all().iter().map(|broken| broken.rule).collect();
    let mut problems: Vec<String> = rule::all()
        .iter()
        .filter(|rule| !led.contains(rule.id))
        .map(|rule| format!("{} leads no broken gateway", rule.id))
        .collect();
    for broken in broken::all() {
        if rule::named(broken.rule).is_none() {
            problems.push(format!(
                "{} is led by {}, which is no rule",
                broken.id, broken.rule
            ));
        }
    }
    none(&problems)
}

/// The reference keeps each rule, and does so where it could have been broken.
fn every_rule_is_tested(named: &'static [Named]) -> Result<(), Failed> {
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for named in named {
        if let Outcome::Played(told) = Gate::reference(None).play(named.scenario()) {
            let verdicts = told.verdicts.iter();
            let passed = verdicts.filter(|(_, verdict)| matches!(verdict, Verdict::Pass { .. }));
            kept.extend(passed.map(|(rule, _)| rule.id));
        }
    }
    let problems: Vec<String> = rule::all()
        .iter()
        .filter(|rule| !kept.contains(rule.id))
        .map(|rule| format!("no fixture puts {} to the test", rule.id))
        .collect();
    none(&problems)
}

fn no_id_is_taken_twice() -> Result<(), Failed> {
    let mut ids = BTreeSet::new();
    let problems: Vec<String> = broken::all()
        .iter()
        .filter(|broken| !ids.insert(broken.id))
        .map(|broken| format!("{} is the id of two", broken.id))
        .collect();
    none(&problems)
}

fn no_snapshot_is_left_over() -> Result<(), Failed> {
    let of: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "snapshots", "broken"]
        .iter()
        .collect();
    let mut problems = Vec::new();
    for file in std::fs::read_dir(of)? {
        let name = file?.file_name();
        let name = name.to_string_lossy();
        let id = name.strip_suffix(".snap").unwrap_or(&name);
        if !id.ends_with(".snap.new") && broken::named(id).is_none() {
            problems.push(format!("{name} is the snapshot of no broken gateway"));
        }
    }
    none(&problems)
}

fn none(problems: &[String]) -> Result<(), Failed> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(problems.join("\n").into())
}
