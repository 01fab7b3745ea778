//! JUnit XML, as CI servers read it: a suite for each directory of fixtures, with a case for each
//! fixture, and a suite for each family, with a case for each rule.

use std::collections::BTreeMap;
use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{Finding, all_findings, text_of};
use crate::report::text::{clock_sentence, give_or_take, stale_sentence};
use crate::report::{FixtureOutcome, FixtureReport, Report, RuleReport, Standing};

/// Marks what depends on a clock that nobody steers, and the verdicts that do.
const REAL_CLOCK: &str = "moorline.real-clock";

/// Writes a report as JUnit XML.
pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut junit = Junit::new(format!("moorline judges {}", report.gateway.name));
    let mut by_fixture: BTreeMap<&str, Vec<Finding<'_>>> = BTreeMap::new();
    let mut by_rule: BTreeMap<&str, Vec<Finding<'_>>> = BTreeMap::new();
    for found in all_findings(report) {
        if let Some(rule) = found.rule {
            by_rule.entry(&rule.rule).or_default().push(found);
        }
        by_fixture.entry(found.fixture).or_default().push(found);
    }
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for fixture in &report.fixtures {
        let (directory, name) = fixture
            .fixture
            .split_once('/')
            .unwrap_or(("", &fixture.fixture));
        let found = by_fixture.get(fixture.fixture.as_str());
        let found = found.map_or(&[] as &[_], Vec::as_slice);
        let mut case = TestCase::new(name, of_fixture(fixture, found));
        case.set_classname(format!("fixtures.{directory}"));
        suite(&mut suites, directory, "fixtures").add_test_case(case);
    }
    junit.add_test_suites(std::mem::take(&mut suites).into_values());
    for rule in &report.rules {
        let family = rule.family.as_str();
        let found = by_rule.get(rule.rule.as_str());
        let found = found.map_or(&[] as &[_], Vec::as_slice);
        let mut case = TestCase::new(rule.rule.as_str(), of_rule(rule, found));
        case.set_classname(format!("rules.{family}"));
        if let Some(exact) = give_or_take(rule) {
            case.add_property((REAL_CLOCK, exact.as_str()));
        }
        suite(&mut suites, family, "rules").add_test_case(case);
    }
    for stale in &report.stale {
        let name = [&stale.rule, &stale.fixture].map(|it| it.as_deref().unwrap_or("any"));
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(stale_sentence(stale));
        let case = TestCase::new(name.join(" in "), status);
        suite(&mut suites, "list", "known").add_test_case(case);
    }
    if let Some(clock) = clock_sentence(report) {
        for suite in suites.values_mut() {
            suite.add_property((REAL_CLOCK, clock.as_str()));
        }
    }
    junit.add_test_suites(suites.into_values());
    let text = junit.to_string().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

fn suite<'s, 'n>(
    suites: &'s mut BTreeMap<&'n str, TestSuite>,
    name: &'n str,
    what: &str,
) -> &'s mut TestSuite {
    suites
        .entry(name)
        .or_insert_with(|| TestSuite::new(format!("{what}.{name}")))
}

fn of_fixture(fixture: &FixtureReport, found: &[Finding<'_>]) -> TestCaseStatus {
    match fixture.outcome {
        FixtureOutcome::Passed => TestCaseStatus::success(),
        FixtureOutcome::Failed => failure(found.iter().filter(|found| !found.is_warning)),
        FixtureOutcome::Known => skipped(fixture.known.as_deref().or(known(found))),
        FixtureOutcome::Inapplicable => skipped(fixture.why.as_deref()),
        FixtureOutcome::Undriven => {
            let mut error = TestCaseStatus::non_success(NonSuccessKind::Error);
            error.set_message(fixture.why.clone().unwrap_or_default());
            error
        }
    }
}

fn of_rule(rule: &RuleReport, found: &[Finding<'_>]) -> TestCaseStatus {
    match rule.standing {
        // A warning is no failure, and JUnit has no word for it.
        Standing::Pass | Standing::Warn => TestCaseStatus::success(),
        Standing::Fail => failure(found.iter()),
        Standing::Known => skipped(known(found)),
        Standing::Inapplicable => skipped(rule.why.as_deref()),
        // What was never put to the test has not passed.
        Standing::Inconclusive => {
            let mut error = TestCaseStatus::non_success(NonSuccessKind::Error);
            error.set_type("inconclusive");
            error.set_message(rule.why.clone().unwrap_or_default());
            error.set_description(text_of(&rule.rule));
            error
        }
    }
}

fn skipped(why: Option<&str>) -> TestCaseStatus {
    let mut skipped = TestCaseStatus::skipped();
    skipped.set_message(why.unwrap_or_default());
    skipped
}

/// The reason of the first finding that is known.
fn known<'r>(found: &[Finding<'r>]) -> Option<&'r str> {
    found.iter().find_map(|found| found.known)
}

fn failure<'f>(findings: impl Iterator<Item = &'f Finding<'f>>) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let mut titles = Vec::new();
    let mut words = Vec::new();
    for finding in findings.filter(|found| found.known.is_none()) {
        titles.push(finding.title());
        words.push(finding.words());
    }
    status.set_message(titles.join("; "));
    status.set_description(words.join("\n\n"));
    status
}
