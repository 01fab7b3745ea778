//! SARIF 2.1.0: what code hosts show beside the lines of a change. A gateway under test has no lines
//! here, so a result points at the fixture that shows it, and at the rule.

use moorline_spec::rule::{self, Keyword};
use serde_json::{Value, json};

use super::{Finding, all_findings, text_of};
use crate::report::Report;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log of one run.
pub(super) fn log(report: &Report) -> Value {
    let rules: Vec<Value> = report
        .rules
        .iter()
        .map(|rule| described(&rule.rule))
        .collect();
    let place = |id: &str| report.rules.iter().position(|rule| rule.rule == id);
    let results: Vec<Value> = all_findings(report)
        .map(|found| result(&found, place))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "moorline",
                    "version": report.moorline,
                    "rules": rules,
                }
            },
            "properties": { "gateway": report.gateway.name, "profile": report.profile },
            "results": results,
        }]
    })
}

fn described(id: &str) -> Value {
    let known = rule::named(id);
    let level = match known.map(|rule| rule.keyword) {
        Some(Keyword::Should) => "warning",
        Some(Keyword::Must) | None => "error",
    };
    let sources = known.map_or(&[] as &[&str], |rule| rule.sources);
    json!({
        "id": id,
        "shortDescription": { "text": text_of(id) },
        "help": { "text": format!("moorline explain {id}") },
        "defaultConfiguration": { "level": level },
        "properties": { "tags": sources },
    })
}

fn result(finding: &Finding<'_>, place: impl Fn(&str) -> Option<usize>) -> Value {
    let fixture = finding.fixture;
    let mut result = json!({
        "level": if finding.is_warning { "warning" } else { "error" },
        "message": { "text": format!("{}\n{}", finding.title(), finding.words()) },
        "locations": [{
            "physicalLocation": { "artifactLocation": { "uri": format!("fixtures/{fixture}.json") } },
            "logicalLocations": [{ "fullyQualifiedName": fixture, "kind": "object" }],
        }],
    });
    if let Some(reason) = finding.known {
        let suppression = json!({ "kind": "external", "justification": reason });
        result["suppressions"] = json!([suppression]);
    }
    match finding.rule {
        Some(rule) => {
            result["ruleId"] = json!(rule.rule);
            result["ruleIndex"] = json!(place(&rule.rule));
        }
        None => result["ruleId"] = json!("expectation"),
    }
    result
}
