//! A report by a frozen set of rules: what came later fails nobody.

use moorline_spec::requirements::Requirements;

use super::{FixtureOutcome, Report, Standing};

/// Takes the weight from every rule that a set does not have: broken it is a warning, and nobody
/// misses it where nothing put it to the test.
pub fn require(report: &mut Report, set: &Requirements) {
    for rule in &mut report.rules {
        if set.has(&rule.rule) {
            continue;
        }
        let why = || Some(format!("it came after the requirements of {}", set.date));
        match rule.standing {
            Standing::Fail | Standing::Known => rule.standing = Standing::Warn,
            Standing::Inconclusive => (rule.standing, rule.why) = (Standing::Inapplicable, why()),
            Standing::Pass | Standing::Warn | Standing::Inapplicable => (),
        }
    }
    let failing = |fixture: &str| {
        let failing = report
            .rules
            .iter()
            .filter(|rule| rule.standing == Standing::Fail);
        failing
            .flat_map(|rule| &rule.breaches)
            .any(|breach| breach.fixture == fixture)
    };
    let well: Vec<bool> = report
        .fixtures
        .iter()
        .map(|fixture| fixture.unmet.is_empty() && !failing(&fixture.fixture))
        .collect();
    for (fixture, well) in report.fixtures.iter_mut().zip(well) {
        if fixture.outcome == FixtureOutcome::Failed && well {
            fixture.outcome = FixtureOutcome::Passed;
        }
    }
    report.sum_up();
}
