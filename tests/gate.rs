//! What a maintainer's CI does with the built binary: known failures, parts, logs, profiles.

use std::fs;
use std::path::{Path, PathBuf};

use moorline::report::{Report, Standing};
use snapbox::cmd::{Command, OutputAssert, cargo_bin};

fn moorline(arguments: &[&str]) -> OutputAssert {
    Command::new(cargo_bin!("moorline"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .assert()
}

fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gate-{test}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("it can be made");
    path
}

fn out(output: &OutputAssert) -> String {
    String::from_utf8(output.get_output().stdout.clone()).expect("output is UTF-8")
}

fn err(output: &OutputAssert) -> String {
    String::from_utf8(output.get_output().stderr.clone()).expect("output is UTF-8")
}

fn report(path: &Path) -> Report {
    let text = fs::read_to_string(path).expect("it was written");
    serde_json::from_str(&text).expect("it is a report")
}

/// Breaks a few rules of a family with few fixtures.
const LEAKS: [&str; 4] = ["run", "isolation", "--broken", "completion-to-last-route"];

#[test]
fn known_failures_pass_until_they_hold() {
    let list = directory("known").join("known.toml").display().to_string();
    moorline(&[&LEAKS[..], &["--write-expect", &list]].concat()).code(1);
    let known = moorline(&[&LEAKS[..], &["--expect", &list]].concat()).code(0);
    let said = out(&known);
    assert!(said.contains("broken as known"), "{said}");
    assert!(said.contains("not looked at yet"), "{said}");
    let better = moorline(&["run", "isolation", "--expect", &list]).code(1);
    let said = out(&better);
    assert!(said.contains("take it out of the list"), "{said}");
    assert!(said.contains("does not conform: "), "{said}");
}

#[test]
fn yesterdays_conformer_is_judged_by_yesterdays_rules() {
    let frozen = moorline(&["run", "isolation", "--requirements", "2026-11-28"]).code(0);
    assert!(out(&frozen).contains("conforms: "), "{}", out(&frozen));
    let unknown = moorline(&["run", "isolation", "--requirements", "2020-01-01"]).code(64);
    assert!(
        err(&unknown).contains("there are 2026-11-28"),
        "{}",
        err(&unknown)
    );
}

#[test]
fn a_list_that_makes_no_sense_is_refused() {
    let list = directory("wrong-list").join("known.toml");
    fs::write(&list, "[[known]]\nrule = 'relay.onse'\nreason = 'x'\n").expect("it can be written");
    let list = list.display().to_string();
    let refused = moorline(&["run", "isolation", "--expect", &list]).code(64);
    let said = err(&refused);
    assert!(said.contains("relay.once"), "{said}");
}

#[test]
fn parts_that_were_played_apart_are_one_report() {
    let directory = directory("parts");
    let file = |name: &str| directory.join(name);
    let whole = file("whole.json");
    let json = |path: &Path| format!("json={}", path.display());
    moorline(&[&LEAKS[..], &["--report", &json(&whole)]].concat()).code(1);
    let mut parts = Vec::new();
    for part in ["1/3", "2/3", "3/3"] {
        let path = file(&format!("{}.json", &part[..1]));
        let asked = ["--shard", part, "--report", &json(&path)];
        let _ = moorline(&[&LEAKS[..], &asked].concat());
        parts.push(path.display().to_string());
    }
    let merged = file("merged.json");
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let form = json(&merged);
    let asked = [&["merge"], &parts[..], &["--report", &form]].concat();
    moorline(&asked).code(1);
    let (whole, merged) = (report(&whole), report(&merged));
    assert_eq!(whole.exit_code, merged.exit_code);
    assert_eq!(whole.fixtures, merged.fixtures);
    let standings = |report: &Report| -> Vec<(String, Standing, u64)> {
        let rules = report.rules.iter();
        rules
            .map(|rule| (rule.rule.clone(), rule.standing, rule.witnessed))
            .collect()
    };
    assert_eq!(standings(&whole), standings(&merged));

    let twice = moorline(&["merge", parts[0], parts[0]]).code(64);
    assert!(
        err(&twice).contains("is in two of the reports"),
        "{}",
        err(&twice)
    );
}

#[test]
fn a_log_is_judged_as_its_play_was() {
    let directory = directory("log");
    let log = directory.join("trace.jsonl");
    let played = moorline(&["replay", "relay/tells_the_dm_and_nobody_else", "--lines"]).code(0);
    fs::write(&log, out(&played)).expect("it can be written");
    let log = log.display().to_string();
    let well = moorline(&["check", &log]).code(0);
    assert!(out(&well).contains("conforms: "), "{}", out(&well));

    let told = "relay/tells_the_dm_and_nobody_else";
    let leak = moorline(&[
        "replay",
        told,
        "--broken",
        "completion-to-last-route",
        "--lines",
    ])
    .code(1);
    fs::write(&log, out(&leak)).expect("it can be written");
    let broken = moorline(&["check", &log]).code(1);
    let said = out(&broken);
    assert!(
        said.contains("isolation.conversations is broken in "),
        "{said}"
    );
    assert!(
        said.contains("\n      > "),
        "it shows the lines around it: {said}"
    );

    fs::write(&log, "{\"at\":0,\"stimulus\":{\"wake\":{}}}\n").expect("it can be written");
    let refused = moorline(&["check", &log]).code(64);
    assert!(
        err(&refused).contains("line 1: a log begins with"),
        "{}",
        err(&refused)
    );
    let nowhere = moorline(&["check", "no/such/trace.jsonl"]).code(64);
    assert!(
        err(&nowhere).contains("no/such/trace.jsonl"),
        "{}",
        err(&nowhere)
    );
}

#[test]
fn smoke_says_what_to_write_next() {
    let all = moorline(&["smoke"]).code(0);
    insta::assert_snapshot!("smoke_reference", out(&all));
    let missed = moorline(&["smoke", "--broken", "completion-to-last-route"]).code(1);
    insta::assert_snapshot!("smoke_broken", out(&missed));
}

#[test]
fn profiles_are_listed_shown_and_checked() {
    let list = out(&moorline(&["profile", "list"]).code(0));
    assert_eq!(list.lines().next(), Some("target"));
    for name in list.lines() {
        let shown = out(&moorline(&["profile", "show", name]).code(0));
        assert!(shown.starts_with(name), "{shown}");
        assert!(shown.contains("reset_default = "), "{shown}");
    }
    let directory = directory("profile");
    let file = directory.join("mine.json");
    let path = file.display().to_string();
    fs::write(&file, "{\n  \"name\": \"mine\",\n  \"families\": [\"relay\"],\n  \"dials\": { \"max_children\": 9 }\n}\n")
        .expect("it can be written");
    let said = out(&moorline(&["profile", "check", &path]).code(0));
    assert!(said.contains("mine is a profile: 1 of "), "{said}");
    assert!(said.contains("max_children is 9"), "{said}");
    fs::write(
        &file,
        "{\n  \"name\": \"mine\",\n  \"family\": [\"relay\"]\n}\n",
    )
    .expect("it can be written");
    let wrong = err(&moorline(&["profile", "check", &path]).code(64));
    assert!(wrong.contains("mine.json:3:"), "{wrong}");
    assert!(wrong.contains("unknown field `family`"), "{wrong}");
}
