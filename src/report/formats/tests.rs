use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::profile::Family;

use super::*;
use crate::report::{FixtureOutcome, GatewayKind, GatewayReport, Overall, StaleReport};

fn rule(id: &str, family: Family, standing: Standing) -> RuleReport {
    RuleReport {
        rule: id.to_owned(),
        family,
        standing,
        witnessed: 0,
        why: None,
        breaches: Vec::new(),
        tolerance_ms: None,
    }
}

fn fixture(id: &str, outcome: FixtureOutcome) -> FixtureReport {
    FixtureReport {
        fixture: id.to_owned(),
        title: "A story".to_owned(),
        outcome,
        rest: None,
        entries: 12,
        broken: BTreeSet::new(),
        unmet: Vec::new(),
        why: None,
        known: None,
        steps: Vec::new(),
        replay: format!("moorline replay {id}"),
    }
}

/// One of everything, with signs in it that each form has to mind.
#[expect(clippy::too_many_lines, reason = "it has one of everything")]
fn report() -> Report {
    let mut once = rule("relay.once", Family::Relay, Standing::Fail);
    once.breaches.push(BreachReport {
        fixture: "relay/tells_the_dm".to_owned(),
        entry: 23,
        seen: "delivery d2 takes <b>\u{27e6}r1\u{27e7}</b> to alice & bob, 100%: \"again\""
            .to_owned(),
        right: "it is said once".to_owned(),
        lines: Vec::new(),
        plays: None,
        known: None,
        replay: "moorline replay relay/tells_the_dm".to_owned(),
    });
    let mut never = rule(
        "relay.busy-requester",
        Family::Relay,
        Standing::Inconclusive,
    );
    never.why = Some("no fixture of this run puts it to the test".to_owned());
    let mut told = fixture("relay/tells_the_dm", FixtureOutcome::Failed);
    told.broken.insert("relay.once".to_owned());
    let mut new = fixture("session/new_starts_afresh", FixtureOutcome::Failed);
    new.unmet.push(UnmetReport {
        expectation: 2,
        entry: Some(7),
        seen: "m4 was given to run c,\nwhich remembered m3".to_owned(),
        right: "it remembers nothing".to_owned(),
        lines: Vec::new(),
        known: None,
    });
    let mut hung = fixture("wire/it_hangs", FixtureOutcome::Undriven);
    hung.why = Some("it did not reply within 5 s".to_owned());
    let mut late = rule("send.late-reply", Family::Send, Standing::Known);
    late.breaches.push(BreachReport {
        fixture: "send/late".to_owned(),
        entry: 9,
        seen: "nobody is told".to_owned(),
        right: "the sender is".to_owned(),
        lines: Vec::new(),
        plays: None,
        known: Some("we drop them (https://example.org/7)".to_owned()),
        replay: "moorline replay send/late".to_owned(),
    });
    let mut other = fixture("spawn/of_another_profile", FixtureOutcome::Inapplicable);
    other.why = Some("it speaks of openclaw-2026.3.1".to_owned());
    Report {
        report: 1,
        moorline: "0.1.0".to_owned(),
        gateway: GatewayReport {
            kind: GatewayKind::Process,
            name: "my_gateway 3".to_owned(),
            command: Some("python3 gateway.py".to_owned()),
            unread: BTreeMap::new(),
            real_clock: None,
        },
        profile: "target".to_owned(),
        verdict: Overall::DoesNotConform,
        exit_code: 1,
        rules: vec![
            rule("session.continues", Family::Session, Standing::Pass),
            once,
            late,
            never,
        ],
        fixtures: vec![
            told,
            new,
            other,
            hung,
            fixture("send/late", FixtureOutcome::Known),
            fixture("relay/well", FixtureOutcome::Passed),
        ],
        stale: vec![StaleReport {
            rule: Some("binding.idle".to_owned()),
            fixture: None,
            reason: "it ends them early".to_owned(),
        }],
        seconds: 1.5,
    }
}

fn written(format: Format) -> String {
    let mut out = Vec::new();
    format
        .write(&report(), &mut out)
        .expect("memory takes everything");
    String::from_utf8(out).expect("it is text")
}

#[test]
fn a_form_is_found_by_its_name() {
    for format in Format::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    let unknown = "yaml".parse::<Format>().expect_err("nobody asked for it");
    insta::assert_snapshot!(unknown.to_string(), @r#"there is no form "yaml" of a report; there are json, junit, github, markdown, html, sarif, badge"#);
}

#[test]
fn annotations_escape_what_github_reads() {
    insta::assert_snapshot!("github", written(Format::Github));
}

#[test]
fn a_page_is_approved() {
    insta::assert_snapshot!("markdown", written(Format::Markdown));
}

#[test]
fn junit_is_read_back_by_a_reader_of_junit() {
    let text = written(Format::Junit);
    let read = quick_junit::Report::deserialize_from_str(&text).expect("it is JUnit");
    let cases = read.test_suites.iter().flat_map(|suite| &suite.test_cases);
    assert_eq!(
        (cases.count(), read.failures, read.errors),
        (11, 4, 2),
        "{text}"
    );
    insta::assert_snapshot!("junit", text);
}

#[test]
fn sarif_points_at_the_rule() {
    let log: serde_json::Value = serde_json::from_str(&written(Format::Sarif)).unwrap();
    let run = &log["runs"][0];
    let broken = &run["results"][0];
    let index = broken["ruleIndex"].as_u64().expect("it has one") as usize;
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "relay.once");
    assert_eq!(broken["ruleId"], "relay.once");
    let known = &run["results"][1]["suppressions"][0];
    assert_eq!(
        known["justification"],
        "we drop them (https://example.org/7)"
    );
    assert_eq!(run["results"][2]["ruleId"], "expectation");
}

/// The same report of a gateway whose clock nobody steers.
fn written_by_a_real_clock(format: Format) -> String {
    let mut report = report();
    report.gateway.real_clock = Some(60);
    for rule in &mut report.rules {
        rule.tolerance_ms = (rule.rule == "relay.once").then_some(400);
    }
    let mut out = Vec::new();
    format.write(&report, &mut out).expect("memory takes all");
    String::from_utf8(out).expect("it is text")
}

#[test]
fn a_verdict_by_a_real_clock_is_marked_in_every_form_for_people_and_servers() {
    let sentence = "the gateway's clock runs by itself, 60 times as fast as real time; these verdicts \
                    depend on time: relay.once (give or take 400ms)";
    let markdown = written_by_a_real_clock(Format::Markdown);
    let marks: Vec<&str> = markdown
        .lines()
        .filter(|line| line.contains("⏱️"))
        .collect();
    insta::assert_snapshot!(marks.join("\n"), @r"
    ⏱️ The gateway's clock runs by itself, 60 times as fast as real time; these verdicts depend on time: relay.once (give or take 400ms).
    * ⏱️ by a clock that runs by itself: give or take 400ms
    ");
    let text = written_by_a_real_clock(Format::Junit);
    let read = quick_junit::Report::deserialize_from_str(&text).expect("it is JUnit");
    for suite in &read.test_suites {
        let of_rules = suite.name.as_str().starts_with("rules.");
        let marked = suite.properties.iter().any(|one| one.value == *sentence);
        assert_eq!(
            marked,
            of_rules || suite.name == *"known.list",
            "{}",
            suite.name.as_str()
        );
        for case in &suite.test_cases {
            let exact = case.properties.iter().map(|one| one.value.as_str());
            let exact: Vec<&str> = exact.collect();
            let expected: &[&str] = match case.name.as_str() {
                "relay.once" => &["give or take 400ms"],
                _ => &[],
            };
            assert_eq!(exact, expected, "{}", case.name.as_str());
        }
    }
    let page = written_by_a_real_clock(Format::Html);
    assert!(page.contains(&format!("\"clock\":\"{sentence}\"")));
    assert!(page.contains(r#""exact":{"relay.once":"give or take 400ms"}"#));
    // Where the harness steers the clock nothing is marked.
    assert!(!written(Format::Markdown).contains('⏱'));
    assert!(!written(Format::Junit).contains("real-clock"));
    assert!(written(Format::Html).contains(r#""clock":null"#));
}

#[test]
fn a_badge_counts() {
    let badge: serde_json::Value = serde_json::from_str(&written(Format::Badge)).unwrap();
    assert_eq!(badge["message"], "1 of 2 broken");
    assert_eq!(badge["schemaVersion"], 1);
}
