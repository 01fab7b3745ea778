//! JUnit XML, as CI servers read it: a suite for each directory of fixtures, with a case for each
//! fixture, and a suite for each family, with a case for each rule.

use std::collections::BTreeMap;
use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::{Finding, findings, text_of};
use crate::report::{FixtureOutcome, FixtureReport, Report, RuleReport, Standing};

/// Writes a report as JUnit XML.
pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut junit = Junit::new(format!("moorline judges {}", report.gateway.name));
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for fixture in &report.fixtures {
        let (directory, name) = fixture
            .fixture
            .split_once('/')
            .unwrap_or(("", &fixture.fixture));
        let mut case = TestCase::new(name, of_fixture(report, fixture));
        case.set_classname(format!("fixtures.{directory}"));
        suite(&mut suites, directory, "fixtures").add_test_case(case);
    }
    junit.add_test_suites(std::mem::take(&mut suites).into_values());
    for rule in &report.rules {
        let family = rule.family.as_str();
        let mut case = TestCase::new(rule.rule.as_str(), of_rule(report, rule));
        case.set_classname(format!("rules.{family}"));
        suite(&mut suites, family, "rules").add_test_case(case);
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

fn of_fixture(report: &Report, fixture: &FixtureReport) -> TestCaseStatus {
    let here = findings(report).filter(|found| found.fixture == fixture.fixture);
    match fixture.outcome {
        FixtureOutcome::Passed => TestCaseStatus::success(),
        FixtureOutcome::Failed => failure(here.filter(|found| !found.is_warning)),
        FixtureOutcome::Inapplicable => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(fixture.why.clone().unwrap_or_default());
            skipped
        }
        FixtureOutcome::Undriven => {
            let mut error = TestCaseStatus::non_success(NonSuccessKind::Error);
            error.set_message(fixture.why.clone().unwrap_or_default());
            error
        }
    }
}

fn of_rule(report: &Report, rule: &RuleReport) -> TestCaseStatus {
    let here = findings(report).filter(|found| found.rule.is_some_and(|it| it.rule == rule.rule));
    match rule.standing {
        // A warning is no failure, and JUnit has no word for it.
        Standing::Pass | Standing::Warn => TestCaseStatus::success(),
        Standing::Fail => failure(here),
        Standing::Inapplicable => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(rule.why.clone().unwrap_or_default());
            skipped
        }
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

fn failure<'r>(findings: impl Iterator<Item = Finding<'r>>) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let mut titles = Vec::new();
    let mut words = Vec::new();
    for finding in findings {
        titles.push(finding.title());
        words.push(finding.words());
    }
    status.set_message(titles.join("; "));
    status.set_description(words.join("\n\n"));
    status
}
