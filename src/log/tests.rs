use moorline_sim::broken;

use super::*;
use crate::fixtures;
use crate::gate::{Gate, Judgement, Outcome};

/// A built-in fixture as it was played by the reference, or by a broken gateway.
fn played(fixture: &str, by: Option<&str>) -> Judgement {
    let mut gate = match by {
        Some(id) => Gate::broken(broken::named(id).expect("it is there"), None),
        None => Gate::reference(None),
    };
    let all = fixtures::built_in().expect("they make sense");
    let named = all.into_iter().find(|named| named.id == fixture);
    match gate.play(named.expect("it is there").scenario()) {
        Outcome::Played(judgement) => *judgement,
        Outcome::Inapplicable(why) => panic!("it is played: {why}"),
    }
}

#[test]
fn a_log_is_judged_as_its_play_was() {
    let all = fixtures::built_in().expect("they make sense");
    let target = Profile::target();
    let of_target = all.iter().filter(|named| {
        let scenario = named.scenario();
        scenario.profile.is_none() && scenario.dials.is_empty()
    });
    for named in of_target.step_by(7) {
        let judgement = played(&named.id, None);
        let found = judge(judgement.trace.to_lines().as_bytes(), &target).expect("it is a log");
        assert_eq!(found.entries, judgement.trace.len());
        for (rule, verdict) in &found.verdicts {
            let own = judgement
                .verdicts
                .iter()
                .find(|(other, _)| other.id == rule.id);
            let (_, own) = own.expect("both judge every rule");
            assert_eq!(own, verdict, "{} in {}", rule.id, named.id);
        }
    }
}

#[test]
fn what_is_broken_in_a_log_is_shown_with_the_lines_around_it() {
    let broken = broken::all()
        .iter()
        .find(|broken| broken.rule == "isolation.conversations");
    let broken = broken.expect("a gateway breaks it");
    let all = fixtures::built_in().expect("they make sense");
    let leaks = all.iter().find_map(|named| {
        let judgement = played(&named.id, Some(broken.id));
        judgement.fails().then_some(judgement)
    });
    let text = leaks.expect("it is found").trace.to_lines();
    let found = judge(text.as_bytes(), &Profile::target()).expect("it is a log");
    let breaking = found.breaking();
    let shown = lines_around(text.as_bytes(), &breaking).expect("it is a log");
    let first = breaking[0];
    assert!(shown[0].iter().any(|line| line.entry == first));
    let report = found.report(
        "log.jsonl",
        "target",
        "moorline check log.jsonl",
        shown,
        0.0,
    );
    assert_eq!(report.exit_code, 1);
    assert!(!report.fixtures[0].broken.is_empty());
}

#[test]
fn what_is_owed_at_the_end_of_a_log_is_held_against_nobody() {
    let whole = played("relay/tells_the_dm_and_nobody_else", None).trace;
    for cut in 1..whole.len() {
        let part = Trace {
            entries: whole.entries[..cut].to_vec(),
        };
        let found = judge(part.to_lines().as_bytes(), &Profile::target()).expect("it is a log");
        assert_eq!(found.breaking(), [] as [usize; 0], "cut at {cut}");
        assert_eq!(found.rest, None);
    }
}

#[test]
fn what_is_no_log_is_told_of() {
    let open = played("relay/tells_the_dm_and_nobody_else", None)
        .trace
        .to_lines();
    let (open, _) = open.split_once('\n').expect("it has lines");
    let wake = |at: u64| format!("{{\"at\":{at},\"stimulus\":{{\"wake\":{{}}}}}}");
    let rows = [
        String::new(),
        wake(3),
        format!("{open}\n{{\"at\":1,\"stimulus\":{{\"wakes\":{{}}}}}}"),
        format!("{open}\n\n{}\n{}", wake(9), wake(8)),
        format!("{open}\nnot json"),
    ];
    let said = rows.map(|text| {
        let error = judge(text.as_bytes(), &Profile::target()).expect_err("it is no log");
        let words = error.to_string();
        // Which words serde knows is the schema's affair.
        words
            .split(", expected one of")
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    insta::assert_snapshot!(said.join("\n"));
}
