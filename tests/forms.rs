//! The forms of a report, read by those who read such forms.

use std::path::Path;

use moorline::report::{Format, Report};
use serde_json::Value;
use snapbox::cmd::Command;

/// The report of a gateway that fails here and there.
fn report() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_moorline"))
        .args([
            "run",
            "isolation",
            "--broken",
            "completion-to-last-route",
            "--report",
            "json=-",
        ])
        .output()
        .expect("it runs");
    serde_json::from_slice(&output.stdout).expect("a report")
}

fn written(format: Format) -> String {
    let report: Report = serde_json::from_value(report()).expect("what was written reads back");
    let mut text = Vec::new();
    format.write(&report, &mut text).expect("memory takes all");
    String::from_utf8(text).expect("it is text")
}

#[track_caller]
fn is_valid(schema: &str, value: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("spec/schema")
        .join(schema);
    let text = std::fs::read_to_string(file).expect("it is checked in");
    let schema: Value = serde_json::from_str(&text).expect("it is JSON");
    holds(&schema, value);
}

#[track_caller]
fn holds(schema: &Value, value: &Value) {
    let validator = jsonschema::validator_for(schema).expect("it is a schema");
    let wrong = validator.iter_errors(value);
    let wrong: Vec<String> = wrong
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_report_is_what_its_schema_says() {
    let report = report();
    assert_eq!(report["exit_code"], 1);
    is_valid("report.schema.json", &report);
}

#[test]
fn every_fixture_is_what_its_schema_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("spec/schema/fixture.schema.json");
    let text = std::fs::read_to_string(file).expect("it is checked in");
    let schema: Value = serde_json::from_str(&text).expect("it is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let mut seen = 0;
    for source in moorline::fixtures::built_in_sources() {
        let value: Value = serde_json::from_str(&source.text).expect("it is JSON");
        let wrong = validator
            .iter_errors(&value)
            .next()
            .map(|error| error.to_string());
        assert_eq!(wrong, None, "{}", source.id);
        seen += 1;
    }
    assert!(100 < seen);
}

#[test]
fn sarif_is_what_its_schema_says() {
    let log: Value = serde_json::from_str(&written(Format::Sarif)).expect("it is JSON");
    let results = log["runs"][0]["results"].as_array();
    assert!(results.is_some_and(|results| !results.is_empty()), "{log}");
    let schema = include_str!("schema_of_others/sarif-2.1.0.json");
    // The pattern of a language has a bracket too many, which not every reader of patterns forgives.
    let schema = schema.replace("-[a-zA-Z]{2}]?$", "-[a-zA-Z]{2}$");
    let schema: Value = serde_json::from_str(&schema).expect("it is JSON");
    holds(&schema, &log);
    // The validator that found nothing wrong finds what is.
    let mut wrong = log;
    wrong["runs"][0]["results"][0]["message"] = "not an object".into();
    assert!(!jsonschema::is_valid(&schema, &wrong));
}

#[test]
fn junit_is_read_by_who_reads_junit() {
    let text = written(Format::Junit);
    let read = junit_parser::from_reader(text.as_bytes()).expect("it is JUnit");
    let report = report();
    let rules = report["rules"].as_array().expect("it has rules");
    let broken = rules.iter().filter(|rule| rule["standing"] == "fail");
    let broken: Vec<&str> = broken.filter_map(|rule| rule["rule"].as_str()).collect();
    assert!(!broken.is_empty());
    let cases = read.suites.iter().flat_map(|suite| &suite.cases);
    let failed: Vec<_> = cases.filter(|case| case.status.is_failure()).collect();
    assert_eq!(read.failures, failed.len() as u64);
    for rule in broken {
        let told = |case: &&&junit_parser::TestCase| case.name.contains(rule);
        assert!(failed.iter().find(told).is_some(), "{rule} in {text}");
    }
}

/// The parts of SARIF 2.1.0 that code hosts ask for. Its schema is a work of OASIS that we do not
/// carry; what is needed of it stands here, by the numbers of its sections.
#[test]
fn sarif_has_what_the_standard_asks_for() {
    let log: Value = serde_json::from_str(&written(Format::Sarif)).expect("it is JSON");
    assert_eq!(log["version"], "2.1.0", "3.13.2");
    assert!(
        log["$schema"]
            .as_str()
            .is_some_and(|uri| uri.starts_with("https://")),
        "3.13.3"
    );
    let runs = log["runs"].as_array().expect("3.13.4");
    for run in runs {
        let driver = &run["tool"]["driver"];
        assert!(
            driver["name"].as_str().is_some_and(|name| !name.is_empty()),
            "3.19.8"
        );
        let rules = driver["rules"].as_array().expect("3.19.23");
        let mut ids: Vec<&str> = rules
            .iter()
            .filter_map(|rule| rule["id"].as_str())
            .collect();
        assert_eq!(ids.len(), rules.len(), "3.49.3: each has an id");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), rules.len(), "3.49.3: no two have the same");
        for rule in rules {
            assert!(rule["shortDescription"]["text"].is_string(), "3.49.9");
            let level = rule["defaultConfiguration"]["level"].as_str();
            assert!(level.is_some_and(is_level), "3.50.3");
        }
        let results = run["results"].as_array().expect("3.14.23");
        assert!(!results.is_empty(), "something is broken");
        for result in results {
            assert!(
                result["message"]["text"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "3.27.11"
            );
            assert!(result["level"].as_str().is_some_and(is_level), "3.27.10");
            let id = result["ruleId"].as_str().expect("3.27.5");
            match result["ruleIndex"].as_u64() {
                Some(index) => assert_eq!(rules[index as usize]["id"], id, "3.27.6"),
                None => assert_eq!(id, "expectation"),
            }
            let places = result["locations"].as_array().expect("3.27.12");
            for place in places {
                let uri = place["physicalLocation"]["artifactLocation"]["uri"].as_str();
                let uri = uri.expect("3.4.3");
                assert!(
                    !uri.contains([' ', '\\']) && !uri.starts_with('/'),
                    "3.4.3: {uri}"
                );
            }
        }
    }
}

fn is_level(level: &str) -> bool {
    ["none", "note", "warning", "error"].contains(&level)
}
