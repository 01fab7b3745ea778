//! Failures that are known: they do not fail the gate, and it fails when one of them is none any
//! more, so that the list never covers what is not there.

use std::fmt;
use std::path::Path;

use moorline_spec::rule;
use serde::{Deserialize, Serialize};

use super::{FixtureOutcome, FixtureReport, Overall, Report, RuleReport, StaleReport, Standing};
use crate::nearest::did_you_mean;

/// What is known to fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFailures {
    /// One entry for each failure.
    #[serde(default)]
    known: Vec<Known>,
}

/// One failure: of a rule wherever it is broken, of a fixture whatever is broken in it, or of a
/// rule in a fixture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fixture: Option<String>,
    reason: String,
    /// Where it is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// Why a list of known failures makes no sense. It reads as a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WrongList(String);

/// What a list begins with when it is written for somebody.
const HEAD: &str = "\
# Failures that are known. Each entry names a rule, a fixture, or a rule in a fixture, and says why;
# `link` says where that is followed. A listed failure does not fail the gate; one that holds again
# does, until its entry is taken out.

";

impl KnownFailures {
    /// Reads a list: JSON where the name of its file says so, TOML elsewhere.
    pub fn read(path: &Path, text: &str) -> Result<Self, WrongList> {
        let is_json = path.extension().is_some_and(|ending| ending == "json");
        let list: Self = if is_json {
            serde_json::from_str(text).map_err(|error| WrongList(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| WrongList(in_toml(text, &error)))?
        };
        for (number, known) in list.known.iter().enumerate() {
            known
                .check()
                .map_err(|why| WrongList(format!("entry {} of the list {why}", number + 1)))?;
        }
        Ok(list)
    }

    /// Everything that fails in a report, to be listed with reasons by whoever reads it.
    pub fn of(report: &Report) -> Self {
        let entry = |rule: Option<&str>, fixture: &str| Known {
            rule: rule.map(str::to_owned),
            fixture: Some(fixture.to_owned()),
            reason: "not looked at yet".to_owned(),
            link: None,
        };
        let failing = report
            .rules
            .iter()
            .filter(|rule| matches!(rule.standing, Standing::Fail | Standing::Known));
        let of_rules = failing.flat_map(|rule| {
            let fixtures = rule.breaches.iter().map(|breach| &breach.fixture);
            fixtures.map(|fixture| entry(Some(&rule.rule), fixture))
        });
        let of_fixtures = report
            .fixtures
            .iter()
            .filter(|fixture| !fixture.unmet.is_empty() || fixture.is_undriven());
        let of_fixtures = of_fixtures.map(|fixture| entry(None, &fixture.fixture));
        let mut known: Vec<Known> = of_rules.chain(of_fixtures).collect();
        known.dedup();
        Self { known }
    }

    /// The list as a file: JSON where the name of the file says so, TOML elsewhere.
    pub fn to_text(&self, path: &Path) -> String {
        if path.extension().is_some_and(|ending| ending == "json") {
            let json = serde_json::to_string_pretty(self).unwrap_or_default();
            return format!("{json}\n");
        }
        let toml = toml::to_string(self).unwrap_or_default();
        format!("{HEAD}{toml}")
    }

    /// How many failures it lists.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it lists none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Marks what is known in a report, and finds what is known wrongly. Where only a part of the
    /// fixtures was played, an entry for a rule alone may still be true of another part.
    pub fn apply(&self, report: &mut Report, is_whole: bool) {
        let mut used = vec![false; self.known.len()];
        let mut find = |rule: Option<&str>, fixture: &str| {
            let number = self
                .known
                .iter()
                .position(|known| known.covers(rule, fixture))?;
            used[number] = true;
            Some(self.known[number].to_string())
        };
        for rule in &mut report.rules {
            for breach in &mut rule.breaches {
                breach.known = find(Some(&rule.rule), &breach.fixture);
            }
            let all = rule.breaches.iter().all(|breach| breach.known.is_some());
            if rule.standing == Standing::Fail && all {
                rule.standing = Standing::Known;
            }
        }
        for fixture in &mut report.fixtures {
            for unmet in &mut fixture.unmet {
                unmet.known = find(None, &fixture.fixture);
            }
            let undriven = fixture.outcome == FixtureOutcome::Undriven;
            if undriven && let Some(known) = find(None, &fixture.fixture) {
                fixture.known = Some(known);
                fixture.outcome = FixtureOutcome::Known;
            }
            if fixture.outcome == FixtureOutcome::Failed && is_known(fixture, &report.rules) {
                fixture.outcome = FixtureOutcome::Known;
            }
        }
        let unused = self.known.iter().zip(used).filter(|(_, used)| !used);
        let stale = unused.filter(|(known, _)| known.is_stale(report, is_whole));
        report.stale = stale.map(|(known, _)| known.into()).collect();
        report.sum_up();
    }
}

/// Whether everything that fails in a fixture is known.
fn is_known(fixture: &FixtureReport, rules: &[RuleReport]) -> bool {
    let here = rules.iter().filter(|rule| rule.standing != Standing::Warn);
    let mut breaches = here.flat_map(|rule| &rule.breaches);
    let open = breaches.any(|breach| breach.fixture == fixture.fixture && breach.known.is_none());
    !open && fixture.unmet.iter().all(|unmet| unmet.known.is_some())
}

impl Known {
    fn check(&self) -> Result<(), String> {
        if self.rule.is_none() && self.fixture.is_none() {
            return Err("names neither a rule nor a fixture".to_owned());
        }
        if self.reason.trim().is_empty() {
            return Err("gives no reason".to_owned());
        }
        let Some(id) = &self.rule else { return Ok(()) };
        if rule::named(id).is_some() {
            return Ok(());
        }
        let known = rule::all().iter().map(|rule| rule.id);
        Err(format!(
            "names {id:?}, which is no rule{}",
            did_you_mean(id, known)
        ))
    }

    /// Whether it speaks of a rule broken in a fixture, or, without a rule, of anything else that
    /// fails there.
    fn covers(&self, rule: Option<&str>, fixture: &str) -> bool {
        let here = self.fixture.as_deref().is_none_or(|own| own == fixture);
        match (&self.rule, rule) {
            (Some(own), Some(rule)) => own == rule && here,
            (Some(_), None) => false,
            (None, _) => here,
        }
    }

    /// Whether what it speaks of was put to the test, and did not fail.
    fn is_stale(&self, report: &Report, is_whole: bool) -> bool {
        let played = |id: &String| {
            let mut fixtures = report.fixtures.iter();
            fixtures.any(|fixture| fixture.fixture == *id && fixture.is_played())
        };
        let kept = |id: &String| {
            let rule = report.rules.iter().find(|rule| rule.rule == *id);
            rule.is_some_and(|rule| rule.witnessed > 0 || !rule.breaches.is_empty())
        };
        match (&self.rule, &self.fixture) {
            (None, None) => false,
            (None, Some(fixture)) => played(fixture),
            (Some(rule), Some(fixture)) => {
                played(fixture) && report.rules.iter().any(|judged| judged.rule == *rule)
            }
            (Some(rule), None) => is_whole && kept(rule),
        }
    }
}

/// The reason, and where it is followed.
impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.trim())?;
        self.link.iter().try_for_each(|link| write!(f, " ({link})"))
    }
}

impl From<&Known> for StaleReport {
    fn from(known: &Known) -> Self {
        Self {
            rule: known.rule.clone(),
            fixture: known.fixture.clone(),
            reason: known.to_string(),
        }
    }
}

impl Report {
    /// Brings the word and the exit code up to date with what stands in it.
    pub(crate) fn sum_up(&mut self) {
        let exit = self.exit();
        self.exit_code = exit.code();
        self.verdict = Overall::of(exit);
    }
}

/// `line 3, column 1: what is wrong`
fn in_toml(text: &str, error: &toml::de::Error) -> String {
    let Some(span) = error.span() else {
        return error.message().to_owned();
    };
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(1, |last| last.chars().count() + 1);
    format!("line {line}, column {column}: {}", error.message())
}

#[cfg(test)]
mod tests;
