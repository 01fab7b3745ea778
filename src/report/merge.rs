//! Reports of parts of a run, as the report of the whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{Report, RuleReport, Standing, VERSION};

/// Why reports are not parts of one run. It reads as a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoParts {
    /// There is none.
    #[error("there is no report to merge")]
    Nothing,
    /// They are about different things.
    #[error("one report is about {what} {one:?} and another about {other:?}")]
    Differ {
        /// In what they differ.
        what: &'static str,
        /// What one says.
        one: String,
        /// What another says.
        other: String,
    },
    /// A fixture is in two of them.
    #[error("fixture {0} is in two of the reports; parts of one run have each fixture once")]
    Twice(String),
    /// Its form is one of a later moorline.
    #[error("a report has the form {0}, and this moorline reads form {VERSION}")]
    Form(u32),
}

/// Joins the reports of parts that were played apart.
pub fn merge(parts: Vec<Report>) -> Result<Report, NoParts> {
    let mut parts = parts.into_iter();
    let mut whole = parts.next().ok_or(NoParts::Nothing)?;
    is_known_form(&whole)?;
    let mut ids: BTreeSet<String> = BTreeSet::new();
    ids.extend(whole.fixtures.iter().map(|fixture| fixture.fixture.clone()));
    for part in parts {
        is_known_form(&part)?;
        same("moorline", &whole.moorline, &part.moorline)?;
        same("the gateway", &whole.gateway.name, &part.gateway.name)?;
        same("the profile", &whole.profile, &part.profile)?;
        for fixture in part.fixtures {
            if !ids.insert(fixture.fixture.clone()) {
                return Err(NoParts::Twice(fixture.fixture));
            }
            whole.fixtures.push(fixture);
        }
        for (field, count) in part.gateway.unread {
            *whole.gateway.unread.entry(field).or_default() += count;
        }
        whole.rules = joined(whole.rules, part.rules);
        for stale in part.stale {
            if !whole.stale.contains(&stale) {
                whole.stale.push(stale);
            }
        }
        whole.seconds += part.seconds;
    }
    whole.fixtures.sort_by(|a, b| a.fixture.cmp(&b.fixture));
    whole.sum_up();
    Ok(whole)
}

fn is_known_form(report: &Report) -> Result<(), NoParts> {
    match report.report {
        VERSION => Ok(()),
        other => Err(NoParts::Form(other)),
    }
}

fn same(what: &'static str, one: &str, other: &str) -> Result<(), NoParts> {
    if one == other {
        return Ok(());
    }
    let (one, other) = (one.to_owned(), other.to_owned());
    Err(NoParts::Differ { what, one, other })
}

/// Each rule once, in the order of the first report; rules that only the second has come last.
fn joined(first: Vec<RuleReport>, second: Vec<RuleReport>) -> Vec<RuleReport> {
    let mut others: BTreeMap<String, RuleReport> = BTreeMap::new();
    let order: Vec<String> = second.iter().map(|rule| rule.rule.clone()).collect();
    others.extend(second.into_iter().map(|rule| (rule.rule.clone(), rule)));
    let mut rules: Vec<RuleReport> = first
        .into_iter()
        .map(|rule| match others.remove(&rule.rule) {
            Some(other) => both(rule, other),
            None => rule,
        })
        .collect();
    rules.extend(order.iter().filter_map(|id| others.remove(id)));
    rules
}

/// One rule over two parts: what was broken in one is broken, what was put to the test in one was.
fn both(mut rule: RuleReport, other: RuleReport) -> RuleReport {
    if weight(rule.standing) < weight(other.standing) {
        (rule.standing, rule.why) = (other.standing, other.why);
    }
    rule.witnessed += other.witnessed;
    rule.breaches.extend(other.breaches);
    rule.tolerance_ms = rule.tolerance_ms.max(other.tolerance_ms);
    rule
}

fn weight(standing: Standing) -> u8 {
    match standing {
        Standing::Inapplicable => 0,
        Standing::Inconclusive => 1,
        Standing::Pass => 2,
        Standing::Warn => 3,
        Standing::Known => 4,
        Standing::Fail => 5,
    }
}
