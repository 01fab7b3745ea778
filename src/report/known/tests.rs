use std::path::Path;

use moorline_spec::profile::Family;
use moorline_spec::requirements::Requirements;
use moorline_spec::trace::Rest;

use super::*;
use crate::report::{BreachReport, Exit, GatewayKind, GatewayReport, require};

#[expect(clippy::too_many_lines, reason = "every field of a report is there")]
fn report() -> Report {
    let breach = |fixture: &str| BreachReport {
        fixture: fixture.to_owned(),
        entry: 3,
        seen: "it is said twice".to_owned(),
        right: "it is said once".to_owned(),
        lines: Vec::new(),
        plays: None,
        known: None,
        replay: String::new(),
    };
    let rule = |id: &str, breaches: Vec<BreachReport>| RuleReport {
        rule: id.to_owned(),
        family: Family::Relay,
        standing: if breaches.is_empty() {
            Standing::Pass
        } else {
            Standing::Fail
        },
        witnessed: 2,
        why: None,
        breaches,
        tolerance_ms: None,
    };
    let fixture = |id: &str, outcome| FixtureReport {
        fixture: id.to_owned(),
        title: String::new(),
        outcome,
        rest: Some(Rest::Settled),
        entries: 9,
        broken: [].into(),
        unmet: Vec::new(),
        why: None,
        known: None,
        steps: Vec::new(),
        replay: String::new(),
    };
    let mut report = Report {
        report: 1,
        moorline: "0.1.0".to_owned(),
        gateway: GatewayReport {
            kind: GatewayKind::Process,
            name: "my_gateway".to_owned(),
            command: None,
            unread: [].into(),
            real_clock: None,
        },
        profile: "target".to_owned(),
        verdict: Overall::Conforms,
        exit_code: 0,
        rules: vec![
            rule("relay.once", vec![breach("relay/a"), breach("relay/b")]),
            rule("relay.origin", Vec::new()),
        ],
        fixtures: vec![
            fixture("relay/a", FixtureOutcome::Failed),
            fixture("relay/b", FixtureOutcome::Failed),
            fixture("relay/c", FixtureOutcome::Passed),
        ],
        stale: Vec::new(),
        seconds: 0.0,
    };
    report.sum_up();
    report
}

fn list(toml: &str) -> Result<KnownFailures, WrongList> {
    KnownFailures::read(Path::new("known.toml"), toml)
}

/// A report under a list, and how it ends.
#[track_caller]
fn under(toml: &str, is_whole: bool) -> Report {
    let mut report = report();
    list(toml)
        .expect("the list makes sense")
        .apply(&mut report, is_whole);
    report
}

#[test]
fn what_is_known_does_not_fail_the_gate() {
    let rule = "[[known]]\nrule = 'relay.once'\nreason = 'r'\n";
    let fixtures = "[[known]]\nfixture = 'relay/a'\nreason = 'r'\n\
                    [[known]]\nfixture = 'relay/b'\nrule = 'relay.once'\nreason = 'r'\n";
    for toml in [rule, fixtures] {
        let report = under(toml, true);
        assert_eq!(report.exit(), Exit::Conforms, "{toml}");
        assert_eq!(report.rules[0].standing, Standing::Known);
        assert_eq!(report.fixtures[0].outcome, FixtureOutcome::Known);
        assert_eq!(report.fixtures[2].outcome, FixtureOutcome::Passed);
    }
}

#[test]
fn what_is_known_elsewhere_fails_it_here() {
    let report = under("[[known]]\nfixture = 'relay/a'\nreason = 'r'\n", true);
    assert_eq!(report.exit(), Exit::DoesNotConform);
    assert_eq!(report.rules[0].standing, Standing::Fail);
    assert_eq!(report.fixtures[0].outcome, FixtureOutcome::Known);
    assert_eq!(report.fixtures[1].outcome, FixtureOutcome::Failed);
}

#[test]
fn what_fails_no_more_fails_the_gate() {
    let all = "[[known]]\nrule = 'relay.once'\nreason = 'r'\n";
    let rows = [
        ("rule = 'relay.origin'", true, 1),
        ("fixture = 'relay/c'", true, 1),
        ("rule = 'relay.once'\nfixture = 'relay/c'", true, 1),
        // In another part of the fixtures it may still be broken.
        ("rule = 'relay.origin'", false, 0),
        ("fixture = 'relay/c'", false, 1),
        // What was not played says nothing.
        ("fixture = 'relay/elsewhere'", true, 0),
    ];
    for (entry, is_whole, stale) in rows {
        let toml = format!("{all}[[known]]\n{entry}\nreason = 'it was so'\n");
        let report = under(&toml, is_whole);
        assert_eq!(report.stale.len(), stale, "{entry}");
        assert_eq!(report.exit_code, u8::from(stale > 0), "{entry}");
    }
}

#[test]
fn what_came_later_fails_nobody() {
    let set = |rules: &[&'static str]| Requirements {
        date: "2026-01-01",
        rules: rules.to_vec(),
    };
    let mut later = report();
    require(&mut later, &set(&["relay.origin"]));
    assert_eq!(later.exit(), Exit::Conforms);
    assert_eq!(later.rules[0].standing, Standing::Warn);
    assert_eq!(later.fixtures[0].outcome, FixtureOutcome::Passed);
    let mut asked = report();
    require(&mut asked, &set(&["relay.once"]));
    assert_eq!(asked.exit(), Exit::DoesNotConform);
}

#[test]
fn a_list_that_is_written_covers_what_it_was_written_of() {
    for name in ["known.toml", "known.json"] {
        let path = Path::new(name);
        let text = KnownFailures::of(&report()).to_text(path);
        let list = KnownFailures::read(path, &text).expect("it reads back");
        assert_eq!(list.len(), 2);
        let mut report = report();
        list.apply(&mut report, true);
        assert_eq!(report.exit(), Exit::Conforms);
        assert_eq!(KnownFailures::of(&report), list);
    }
    insta::assert_snapshot!(KnownFailures::of(&report()).to_text(Path::new("known.toml")));
}

#[test]
fn a_list_that_makes_no_sense_is_told_of() {
    let said = |toml: &str| list(toml).expect_err("it makes no sense").to_string();
    let rows = [
        "[[known]]\nrule = 'relay.onse'\nreason = 'r'\n",
        "[[known]]\nreason = 'r'\n",
        "[[known]]\nrule = 'relay.once'\nreason = ' '\n",
        "[[known]]\nrule = 'relay.once'\n",
        "[[known]]\nrule = 'relay.once'\nreason = 'r'\nbecause = 'x'\n",
        "[[known]\nrule = 'relay.once'\n",
    ];
    insta::assert_snapshot!(rows.map(said).join("\n"));
}
