//! The built binary as a user meets it: what it says, and how it ends.

use std::fs;
use std::path::{Path, PathBuf};

use snapbox::cmd::{Command, OutputAssert, cargo_bin};

const STORY: &str = r#"{
  "title": "Each of two people is answered in their own conversation",
  "people": {
    "alice": { "channel": "telegram" },
    "bob": { "channel": "telegram" }
  },
  "config": { "session": { "dmScope": "per-channel-peer" } },
  "steps": [
    { "says": "alice", "text": "good morning" },
    { "after": "1m", "says": "bob", "text": "good evening" }
  ],
  "expect": [{ "told": "alice", "of": "m1", "times": 1 }, { "never_told": "bob", "of": "m1" }],
  "rules": ["isolation.conversations", "isolation.people"]
}
"#;

fn moorline(arguments: &[&str]) -> OutputAssert {
    Command::new(cargo_bin!("moorline"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .assert()
}

/// A directory of its own for a test, with these files in it.
fn directory(test: &str, files: &[(&str, &str)]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&path);
    for (name, text) in files {
        let file = path.join(name);
        fs::create_dir_all(file.parent().expect("it is in the directory")).expect("it can be made");
        fs::write(file, text).expect("it can be written");
    }
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

/// Plays one file, and compares what is said about it from the file's name on.
#[track_caller]
fn is_refused(test: &str, from: &str, to: &str, says: &[&str]) {
    assert!(STORY.contains(from), "{from:?} is in the story");
    let story = STORY.replacen(from, to, 1);
    let path = directory(test, &[("isolation/two.json", &story)]);
    let output = moorline(&["run", &path.display().to_string()]).code(64);
    let said = text(&output.get_output().stderr);
    let (_, place) = said.split_once("two.json:").expect("it names the file");
    for part in says {
        assert!(place.contains(part), "{part:?} is not in:\n{place}");
    }
    let caret = place.lines().last().expect("it shows the line");
    assert!(caret.trim_end().ends_with('^'), "{place}");
}

#[test]
fn help_is_approved() {
    let help = moorline(&["--help"]).success();
    insta::assert_snapshot!("help", text(&help.get_output().stdout));
    let run = moorline(&["run", "--help"]).success();
    insta::assert_snapshot!("help_run", text(&run.get_output().stdout));
}

#[test]
fn what_help_shows_can_be_typed() {
    let help = moorline(&["--help"]).success();
    let help = text(&help.get_output().stdout);
    let (_, examples) = help.split_once("Examples:\n").expect("help has examples");
    let (examples, _) = examples.split_once("\n\n").expect("they end");
    // Those that read or write a file are another's; a whole family's crashes take too long here.
    let of_others = ["gw", "my/", "=", ".jsonl", "--every-crash"];
    let is_typed = |example: &&str| !of_others.iter().any(|part| example.contains(part));
    let mut typed = 0;
    for example in examples.lines().filter(is_typed) {
        let (command, _) = example.trim().split_once("  ").expect("words follow it");
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("moorline"));
        moorline(&words.collect::<Vec<_>>()).success();
        typed += 1;
    }
    assert!(4 < typed, "{typed} of the examples were typed");
}

#[test]
fn a_fixture_that_holds_conforms() {
    let path = directory("holds", &[("isolation/two.json", STORY)]);
    let output = moorline(&["run", &path.display().to_string()]).code(0);
    let said = text(&output.get_output().stdout);
    assert!(said.contains("isolation "), "{said}");
    assert!(
        said.contains("conforms: 2 rules kept (1 fixture played, "),
        "{said}"
    );
}

#[test]
fn the_report_is_data_too() {
    let path = directory("data", &[("isolation/two.json", STORY)]);
    let (path, file) = (path.display().to_string(), path.join("report.out"));
    let json = format!("json={}", file.display());
    moorline(&["run", &path, "--report", &json]).code(0);
    let written = fs::read_to_string(&file).expect("the report was written");
    let printed = moorline(&["run", &path, "--report", "json=-"]).code(0);
    for json in [written, text(&printed.get_output().stdout)] {
        let report: moorline::report::Report = serde_json::from_str(&json).expect("it reads back");
        assert_eq!((report.exit_code, report.fixtures.len()), (0, 1));
        assert_eq!(report.fixtures[0].fixture, "isolation/two");
    }
}

#[test]
fn a_shipped_profile_is_a_file_to_begin_with() {
    let directory = directory("profile", &[("mine.json", "")]);
    let file = directory.join("mine.json");
    let shown = moorline(&["profile", "show", "openclaw-2026.9.6", "--json"]).code(0);
    fs::write(&file, &shown.get_output().stdout).expect("it can be written");
    let check = |file: &Path| {
        let checked = moorline(&["profile", "check", &file.display().to_string()]).code(0);
        text(&checked.get_output().stdout)
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = root.join("spec/profiles/openclaw-2026.9.6.json");
    assert_eq!(check(&file), check(&shipped));
}

#[test]
fn json_is_a_form_like_others() {
    let output = moorline(&["run", "--json", "report.json"]).code(64);
    let said = text(&output.get_output().stderr);
    assert!(said.contains("`--report json=report.json`"), "{said}");
}

#[test]
fn an_unmet_expectation_does_not_conform() {
    let story = STORY.replacen("\"times\": 1", "\"times\": 2", 1);
    let path = directory("unmet", &[("isolation/two.json", &story)]);
    let output = moorline(&["run", &path.display().to_string()]).code(1);
    let said = text(&output.get_output().stdout);
    assert!(
        said.contains("expectation 1 of isolation/two is unmet: "),
        "{said}"
    );
    assert!(said.contains("; right would be: "), "{said}");
    assert!(said.contains("moorline replay "), "{said}");
    assert!(
        said.contains("does not conform: 1 expectation unmet"),
        "{said}"
    );
}

#[test]
fn a_rule_that_is_not_witnessed_is_inconclusive() {
    let story = STORY.replacen("[\"isolation.", "[\"isolation.accounts\", \"isolation.", 1);
    let path = directory("open", &[("isolation/two.json", &story)]);
    let output = moorline(&["run", &path.display().to_string()]).code(2);
    let said = text(&output.get_output().stdout);
    assert!(
        said.contains("isolation.accounts is inconclusive: "),
        "{said}"
    );
}

#[test]
fn a_misspelt_key_is_shown() {
    let says = ["9:24: \"txt\" is no key here; did you mean \"text\"?"];
    is_refused("misspelt", "\"text\"", "\"txt\"", &says);
}

#[test]
fn a_wrong_time_is_shown() {
    let says = [
        "10:",
        "\"1 minute\" is no length of time",
        "as in \"1h30m\"",
    ];
    is_refused("time", "\"1m\"", "\"1 minute\"", &says);
}

#[test]
fn an_unknown_person_is_shown() {
    let says = ["9:15: there is no person \"alise\"; did you mean \"alice\"?"];
    is_refused(
        "person",
        "\"says\": \"alice\"",
        "\"says\": \"alise\"",
        &says,
    );
}

#[test]
fn an_unknown_channel_is_shown() {
    let says = ["4:27: there is no channel \"telegrm\"; did you mean \"telegram\"?"];
    is_refused("channel", "telegram", "telegrm", &says);
}

#[test]
fn an_unknown_rule_is_shown() {
    let says = ["there is no rule \"isolation.poeple\"; did you mean \"isolation.people\"?"];
    is_refused("rule", "isolation.people", "isolation.poeple", &says);
    moorline(&["explain", "isolation.poeple"])
        .code(64)
        .stderr_eq(
            "moorline: there is no rule \"isolation.poeple\"; did you mean \"isolation.people\"?\n",
        );
}

#[test]
fn every_problem_of_every_file_is_told() {
    let wrong = STORY.replacen("\"says\": \"alice\"", "\"says\": \"alise\"", 1);
    let worse = wrong.replacen("\"says\": \"bob\"", "\"says\": \"bop\"", 1);
    let path = directory("all", &[("a/one.json", &wrong), ("a/two.json", &worse)]);
    let output = moorline(&["run", &path.display().to_string()]).code(64);
    let said = text(&output.get_output().stderr);
    assert_eq!(said.matches("there is no person").count(), 3, "{said}");
}

#[test]
fn a_word_that_nobody_knows_is_a_usage_error() {
    for arguments in [
        &["run", "isolatoin"][..],
        &["run", "--broken", "no-such-gateway"],
        &["run", "--profile", "targte"],
        &["replay", "no/such_fixture"],
        &["rules", "--family", "relais"],
        &["juggle"],
    ] {
        let output = moorline(arguments).code(64);
        assert!(!output.get_output().stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_gateway_that_is_none_could_not_be_driven() {
    let path = directory("none", &[("isolation/two.json", STORY)]);
    let path = path.display().to_string();
    for command in ["exit 7", "echo garbage", "cat"] {
        let output = moorline(&["run", &path, "--gateway", command]).code(3);
        let said = text(&output.get_output().stderr);
        assert!(
            said.contains("could not be driven: the gateway "),
            "{command}: {said}"
        );
    }
}

#[test]
fn a_replay_tells_the_story_and_the_verdicts() {
    let path = directory("replay", &[("isolation/two.json", STORY)]);
    let file = path.join("isolation/two.json").display().to_string();
    let output = moorline(&["replay", &file]).code(0);
    let said = text(&output.get_output().stdout);
    for part in [
        "Each of two people",
        "good morning",
        "⟦m1⟧",
        "pass  isolation.people",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    let output = moorline(&["replay", &file, "--lines"]).code(0);
    for line in text(&output.get_output().stdout).lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("one object a line");
        assert!(entry["at"].is_u64(), "{line}");
    }
}

#[test]
fn rules_are_listed_and_explained() {
    let output = moorline(&["rules", "--family", "isolation"]).code(0);
    let said = text(&output.get_output().stdout);
    assert!(
        said.starts_with("isolation\n  isolation.conversations "),
        "{said}"
    );
    let output = moorline(&["explain", "isolation.people"]).code(0);
    let said = text(&output.get_output().stdout);
    for part in [
        "isolation.people  MUST",
        "sources   I-05",
        "moorline run isolation.people",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[test]
fn the_demo_shows_a_leak() {
    let output = moorline(&["demo"]).code(0);
    let said = text(&output.get_output().stdout);
    for part in [
        "\n>",
        " is broken at entry ",
        "Found in ",
        "moorline explain ",
    ] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[test]
fn readme_begins_with_commands_that_exist() {
    let readme = include_str!("../README.md");
    let (_, after) = readme.split_once("```sh\n").expect("README has commands");
    let (block, _) = after.split_once("```").expect("their block ends");
    let commands: Vec<&str> = block
        .lines()
        .map(|line| line.split("  #").next().unwrap_or(line).trim())
        .collect();
    assert_eq!(
        commands[1..],
        ["cargo test"],
        "the second command runs every test"
    );
    let ours = commands[0]
        .strip_prefix("cargo run -- ")
        .expect("the first runs moorline");
    moorline(&[ours, "--help"]).success();
}

#[test]
fn a_report_comes_in_every_form_asked_for() {
    let path = directory("forms", &[("isolation/two.json", STORY)]);
    let file = |name: &str| path.join(name).display().to_string();
    let forms = ["junit", "markdown", "sarif", "badge", "json"];
    let targets = forms.map(|form| format!("--report={form}={}", file(form)));
    let story = file("isolation");
    let mut arguments = vec!["run", &story, "--report=github=-"];
    arguments.extend(targets.iter().map(String::as_str));
    let output = moorline(&arguments).success();
    let said = text(&output.get_output().stdout);
    assert!(
        said.contains("conforms"),
        "the table is still there: {said}"
    );
    let holds = [
        "<testsuites",
        "✅ conforms",
        "2.1.0",
        "brightgreen",
        "\"report\": 1",
    ];
    for (form, part) in forms.into_iter().zip(holds) {
        let written = fs::read_to_string(path.join(form)).expect("it was written");
        assert!(written.contains(part), "{form}: {written}");
    }
    moorline(&["run", &story, "--report=yaml=x"]).code(64);
    moorline(&["run", &story, "--report=json=-", "--report=junit=-"]).code(64);
}

#[test]
fn a_part_of_the_fixtures_is_played_by_each_shard() {
    let files = ["isolation/a.json", "isolation/b.json", "isolation/c.json"];
    let path = directory("shards", &files.map(|name| (name, STORY)));
    let story = path.join("isolation").display().to_string();
    let played = |shard: &str| {
        let output = moorline(&["run", &story, "--shard", shard, "--report", "json=-"]).success();
        let report: serde_json::Value =
            serde_json::from_slice(&output.get_output().stdout).unwrap();
        report["fixtures"].as_array().unwrap().len()
    };
    assert_eq!((played("1/2"), played("2/2")), (2, 1));
    moorline(&["run", &story, "--shard", "3/2"]).code(64);
}

#[test]
fn the_report_is_the_same_however_many_play() {
    let run = |more: &[&str]| {
        let arguments = [&["run", "isolation", "--report", "json=-"], more].concat();
        let output = moorline(&arguments);
        let mut report: serde_json::Value =
            serde_json::from_slice(&output.get_output().stdout).expect("a report");
        report["seconds"] = 0.into();
        report
    };
    let broken = ["--broken", "completion-to-last-route"];
    let with = |jobs: &[&'static str]| [&broken[..], jobs].concat();
    let one = run(&with(&[]));
    assert!(one["fixtures"].as_array().is_some_and(|all| 3 < all.len()));
    assert_eq!(one, run(&with(&["--jobs", "3"])));
    let first = run(&with(&["--fail-fast"]));
    assert_eq!(first, run(&with(&["--fail-fast", "--jobs", "3"])));
    let served = concat!(env!("CARGO_BIN_EXE_moorline"), " serve");
    let piped = |jobs: &str| run(&["--gateway", served, "--jobs", jobs]);
    assert_eq!(piped("1"), piped("2"));
    moorline(&["run", "isolation", "--jobs", "0"]).code(64);
}

#[test]
fn a_log_is_shown_without_names_and_becomes_a_fixture() {
    let path = directory("logs", &[("log.jsonl", "")]);
    let file = |name: &str| path.join(name).display().to_string();
    let story = "reported/MD-001-a-spawn-from-webchat-tells-webchat";
    let broken = "completion-to-last-route";
    let lines = moorline(&["replay", story, "--lines", "--broken", broken]).code(1);
    let log = text(&lines.get_output().stdout).to_owned();
    fs::write(path.join("log.jsonl"), &log).expect("it is written");
    let (log, copy) = (file("log.jsonl"), file("copy.jsonl"));
    let checked = |log: &str, more: &[&str]| {
        let output = moorline(&[&["check", log, "--report=json=-"], more].concat());
        let report: serde_json::Value =
            serde_json::from_slice(&output.get_output().stdout).expect("a report");
        (
            report["exit_code"].clone(),
            report["fixtures"][0]["broken"].clone(),
        )
    };
    let found = checked(&log, &["--redact", &copy]);
    assert_eq!(found.0, 1);
    assert_eq!(found, checked(&copy, &[]));
    assert!(
        !fs::read_to_string(&copy)
            .expect("it is there")
            .contains("alice")
    );
    moorline(&["check", &log, "--redact", &log]).code(64);
    let fixture = file("cut.json");
    moorline(&["fixture", "from-trace", &log, "--out", &fixture]).success();
    moorline(&["replay", &fixture]).success();
    moorline(&["replay", &fixture, "--broken", broken]).code(1);
}

#[test]
fn a_play_that_is_stuck_says_who_waits() {
    for (story, waits) in [
        (
            "binding/commands_work_though_the_session_cannot_run",
            "discord/general#t1 waits for a run that takes message ⟦m2⟧ since 0:01:00.000",
        ),
        (
            "relay/a_refused_delivery_is_tried_again",
            "telegram/alice waits for the words of run c ⟦r1.2⟧ since 0:10:00.300",
        ),
    ] {
        let output = moorline(&["replay", story, "--broken", "never-wakes-again"]).code(1);
        let said = text(&output.get_output().stdout);
        let (_, after) = said.split_once("\nstuck ").expect("it is stuck");
        let who = after.lines().nth(1).map(str::trim);
        assert_eq!(who, Some(waits), "{said}");
        let output = moorline(&["replay", story]).code(0);
        let said = text(&output.get_output().stdout);
        assert!(!said.contains(" waits for "), "{said}");
    }
}
