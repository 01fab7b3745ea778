//! A process that cannot be driven: each way of failing is told in words, and none is a verdict.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;

use moorline::driver::{Deadlines, DriverError, Process};
use moorline_spec::gateway::Gateway as _;
use moorline_spec::stimulus::{Open, Stimulus};
use moorline_spec::time::Time;

/// What every double starts with. Its code must do without single quotes.
const PRELUDE: &str = r#"
import json, os, sys, time
def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
def hear():
    line = sys.stdin.readline()
    return json.loads(line) if line else sys.exit(0)
def log(words):
    sys.stderr.write(words + "\n")
    sys.stderr.flush()
def hello(**more):
    hear()
    say(json.dumps({"hello": {"wire": 1, "name": "double", **more}}))
quiet = json.dumps({"effects": [], "wake_at": None})
def opened():
    hello()
    hear()
    say(quiet)
"#;

const SHORT: Deadlines = Deadlines {
    start: Duration::from_secs(10),
    reply: Duration::from_secs(10),
    scenario: Duration::from_secs(60),
};

fn double(code: &str) -> String {
    assert!(!code.contains('\''), "{code}");
    format!("exec python3 -c '{PRELUDE}{code}'")
}

fn open(restored: bool) -> Stimulus {
    Stimulus::Open(Box::new(Open {
        starts_at: "2026-03-02T09:00:00Z".into(),
        timezone: "UTC".into(),
        config: Arc::new(json!({})),
        channels: Arc::from([]),
        agents: Arc::from(["main".into()]),
        restored,
        disk: Vec::new(),
        alive: Vec::new(),
        state_dir: None,
    }))
}

fn play(process: &mut Process) -> Result<(), DriverError> {
    let mut effects = Vec::new();
    process.handle(Time(0), &[open(false)], &mut effects)?;
    for now in [1_000, 2_000, 3_000] {
        process.handle(Time(now), &[Stimulus::Wake {}], &mut effects)?;
    }
    Ok(())
}

/// Starts a double, lets it open, wakes it three times, and tells what went wrong.
#[track_caller]
fn failure_within(code: &str, deadlines: Deadlines) -> String {
    let failed = Process::start(&double(code), deadlines)
        .and_then(|mut process| play(&mut process))
        .expect_err("the double fails");
    failed.to_string()
}

#[track_caller]
fn failure(code: &str) -> String {
    failure_within(code, SHORT)
}

#[test]
fn a_field_that_nobody_reads_is_told_of() {
    let code = r#"
hello(colour="blue")
hear()
say(json.dumps({"effects": [], "wakes_at": 7}))
for line in sys.stdin:
    say(json.dumps({"effects": [{"drop": {"message": "m1", "why": "no", "reason": "x"}}]}))
"#;
    let mut process = Process::start(&double(code), SHORT).expect("it starts");
    play(&mut process).expect("it can be driven all the same");
    let unread: Vec<_> = process.unread().iter().collect();
    assert_eq!(
        unread,
        [
            (&"effects.reason".to_owned(), &3),
            (&"hello.colour".to_owned(), &1),
            (&"wakes_at".to_owned(), &1),
        ]
    );
}

#[test]
fn a_command_that_is_not_there_is_named_by_the_shell() {
    let failed = Process::start("exec ./no-such-gateway", SHORT).expect_err("it is not there");
    let words = failed.to_string();
    assert!(
        words.starts_with("the gateway exited with status 127 in place of replying\n"),
        "{words}"
    );
    assert!(words.contains("no-such-gateway"), "{words}");
}

#[test]
fn another_version_of_the_wire() {
    assert_snapshot!(
        failure(r#"hear(); say(json.dumps({"hello": {"wire": 7, "name": "double"}})); hear()"#),
        @"the gateway speaks version 7 of the wire, and this harness speaks version 1"
    );
}

#[test]
fn effects_in_place_of_hello() {
    assert_snapshot!(failure("hear(); say(quiet); hear()"), @r#"
    the gateway wrote a line that is no frame: `hello` is answered by `hello`
      line: {"effects": [], "wake_at": null}
    "#);
}

#[test]
fn an_early_exit_with_its_last_words() {
    assert_snapshot!(failure(r#"opened(); hear(); log("cannot open the database"); sys.exit(3)"#), @r#"
    the gateway exited with status 3 in place of replying
      request: {"now":1000,"stimuli":[{"wake":{}}]}
      its standard error ends with:
        cannot open the database
    "#);
}

#[test]
fn only_the_end_of_its_standard_error_is_kept() {
    let words =
        failure(r#"opened(); hear(); log("first\n" + "middle\n" * 9000 + "last"); sys.exit(3)"#);
    assert!(words.ends_with("    middle\n    last"), "{words}");
    assert!(words.lines().count() < 20, "{words}");
}

#[test]
fn killed_in_the_middle_of_a_reply() {
    let code = r#"
opened()
hear()
sys.stdout.write("{\"effects\":[")
sys.stdout.flush()
os.kill(os.getpid(), 9)
"#;
    assert_snapshot!(failure(code), @r#"
    the gateway was killed by signal 9 (SIGKILL) in place of replying
      request: {"now":1000,"stimuli":[{"wake":{}}]}
      written so far: {"effects":[
    "#);
}

#[test]
fn garbage() {
    assert_snapshot!(failure(r#"opened(); hear(); say("Traceback \x1b[31mof nothing"); hear()"#), @r"
    the gateway wrote a line that is no frame: expected value at line 1 column 1
      line: Traceback \u{1b}[31mof nothing
    ");
}

#[test]
fn a_frame_with_a_wrong_field_inside() {
    let code = r#"opened(); hear(); say(json.dumps({"effects": [{"deliver": {"delivery": "d1"}}]})); hear()"#;
    assert_snapshot!(failure(code), @r#"
    the gateway wrote a line that is no frame: missing field `to` at line 1 column 43
      line: {"effects": [{"deliver": {"delivery": "d1"}}]}
    "#);
}

#[test]
fn an_effect_that_nobody_knows() {
    let code =
        r#"opened(); hear(); say(json.dumps({"effects": [{"launch": {"missile": 1}}]})); hear()"#;
    assert_snapshot!(failure(code), @r#"
    the gateway asked for `launch`, which is no effect of the wire
      line: {"effects": [{"launch": {"missile": 1}}]}
    "#);
}

#[test]
fn a_hang_and_a_late_answer() {
    let deadlines = Deadlines {
        reply: Duration::from_millis(300),
        ..SHORT
    };
    assert_snapshot!(failure_within(r#"opened(); hear(); log("thinking"); time.sleep(600)"#, deadlines), @r#"
    the gateway did not reply within the deadline for a reply (300ms)
      request: {"now":1000,"stimuli":[{"wake":{}}]}
      its standard error ends with:
        thinking
    "#);
    assert_snapshot!(failure_within("opened(); hear(); time.sleep(1); say(quiet); hear()", deadlines), @r#"
    the gateway did not reply within the deadline for a reply (300ms)
      request: {"now":1000,"stimuli":[{"wake":{}}]}
    "#);
}

#[test]
fn no_hello_at_all() {
    let deadlines = Deadlines {
        start: Duration::from_millis(300),
        ..SHORT
    };
    assert_snapshot!(failure_within("time.sleep(600)", deadlines), @r#"
    the gateway did not say hello within the deadline for its start (300ms)
      request: {"hello":{"wire":1,"harness":"0.1.0"}}
    "#);
}

#[test]
fn each_reply_in_time_and_the_scenario_too_long() {
    let deadlines = Deadlines {
        scenario: Duration::from_millis(900),
        ..SHORT
    };
    let code = "opened()\nwhile hear(): time.sleep(0.5); say(quiet)";
    assert_snapshot!(failure_within(code, deadlines), @r#"
    the gateway did not come to the end within the deadline for a whole scenario (900ms)
      request: {"now":2000,"stimuli":[{"wake":{}}]}
    "#);
}

#[test]
fn a_line_out_of_turn() {
    assert_snapshot!(failure(r#"opened(); hear(); say(quiet + "\n{\"effects\":[]}"); hear()"#), @r#"
    the gateway wrote a line out of turn: nothing is sent unasked
      line: {"effects":[]}
    "#);
    let later = r#"opened(); hear(); say(quiet); time.sleep(0.2); say("by the way"); hear(); say(quiet); hear()"#;
    let mut process = Process::start(&double(later), SHORT).expect("it starts");
    let mut effects = Vec::new();
    process
        .handle(Time(0), &[open(false)], &mut effects)
        .expect("it opens");
    process
        .handle(Time(1), &[Stimulus::Wake {}], &mut effects)
        .expect("it replies");
    std::thread::sleep(Duration::from_millis(500));
    let failed = process.handle(Time(2), &[Stimulus::Wake {}], &mut effects);
    assert_snapshot!(failed.expect_err("it spoke unasked"), @r"
    the gateway wrote a line out of turn: nothing is sent unasked
      line: by the way
    ");
}

#[test]
fn a_flood_of_lines() {
    let words = failure("opened()\nwhile True: say(quiet)");
    assert!(
        words.starts_with("the gateway floods its output: "),
        "{words}"
    );
    assert!(
        words.contains(r#"first line: {"effects": [], "wake_at": null}"#),
        "{words}"
    );
}

#[test]
fn a_line_without_an_end() {
    let words = failure(r#"opened(); hear(); sys.stdout.write("x" * 3000000); sys.stdout.flush()"#);
    let expected = format!(
        "the gateway wrote a line longer than 1048576 bytes\n  line: {} ...",
        "x".repeat(200)
    );
    assert_eq!(words, expected);
}

#[test]
fn an_input_that_is_closed() {
    assert_snapshot!(failure("opened(); os.close(0); time.sleep(600)"), @r#"
    the gateway closed its input and did not exit: Broken pipe (os error 32)
      request: {"now":1000,"stimuli":[{"wake":{}}]}
    "#);
}

#[test]
fn a_wake_in_the_past() {
    let code = r#"opened(); hear(); say(json.dumps({"effects": [], "wake_at": 999})); hear()"#;
    assert_snapshot!(failure(code), @r#"
    the gateway wants to be woken at 0:00:00.999, and it is 0:00:01.000 already
      line: {"effects": [], "wake_at": 999}
    "#);
}

#[test]
fn what_it_says_it_does_not_support_is_named_and_the_process_goes_on() {
    let code = r#"
opened()
hear()
say(json.dumps({"unsupported": "compacted"}))
hear()
say(quiet)
hear()
"#;
    let mut process = Process::start(&double(code), SHORT).expect("it starts");
    let failed = play(&mut process).expect_err("it says so");
    assert!(matches!(&failed, DriverError::Unsupported { kind } if kind == "compacted"));
    assert_snapshot!(failed, @"the gateway does not support `compacted`");
    process
        .handle(Time(0), &[open(false)], &mut Vec::new())
        .expect("it opens again");
}

#[test]
fn after_an_error_the_next_scenario_has_a_new_process() {
    let code = r#"
hello()
hear()
say(quiet)
hear()
sys.exit(1)
"#;
    let mut process = Process::start(&double(code), SHORT).expect("it starts");
    for _ in 0..2 {
        let failed = play(&mut process).expect_err("it exits");
        assert!(
            matches!(failed, DriverError::ExitedEarly { .. }),
            "{failed}"
        );
        let failed = process.handle(Time(9), &[Stimulus::Wake {}], &mut Vec::new());
        assert_eq!(failed, Err(DriverError::Gone));
    }
}

/// Answers everything; writes what it was told at each `open` to a file beside its state.
const DIARY: &str = r#"
hello(disk="own", reopen=REOPEN)
while True:
    request = hear()
    if "open" in request:
        place = request["open"]["state_dir"]
        with open(os.path.join(place, "lives"), "a") as file:
            file.write(str(os.getpid()) + "\n")
        with open(os.path.join(place, "lives")) as file:
            log(place)
            lives = file.read().split()
        say(json.dumps({"effects": [{"report": {"failed": {"run": place, "why": " ".join(lives)}}}]}))
    else:
        say(quiet)
"#;

struct Diary {
    process: Process,
}

impl Diary {
    fn start(reopen: &str) -> Self {
        let code = double(&DIARY.replace("REOPEN", reopen));
        let process = Process::start(&code, SHORT).expect("it starts");
        Self { process }
    }

    /// Opens; the state's directory, and the process ids of the lives that were in it.
    fn open(&mut self, restored: bool) -> (String, Vec<String>) {
        let mut effects = Vec::new();
        let opened = self
            .process
            .handle(Time(0), &[open(restored)], &mut effects);
        opened.expect("it opens");
        let told = serde_json::to_value(&effects[0]).expect("plain data");
        let failed = &told["report"]["failed"];
        let text = |name: &str| failed[name].as_str().expect("a text").to_owned();
        let lives = text("why").split(' ').map(str::to_owned).collect();
        (text("run"), lives)
    }
}

#[test]
fn a_crash_keeps_the_state_and_takes_the_process() {
    let mut diary = Diary::start("True");
    let (place, first) = diary.open(false);
    let (same, lives) = diary.open(true);
    assert_eq!(place, same);
    assert_eq!(lives[0], first[0]);
    assert_ne!(lives[1], first[0]);
    let (next, lives) = diary.open(false);
    assert_ne!(place, next);
    assert_eq!(lives.len(), 1);
    assert!(!Path::new(&place).exists());
    drop(diary);
    assert!(!Path::new(&next).exists());
}

#[test]
fn a_process_is_opened_again_unless_it_says_that_it_cannot() {
    let mut diary = Diary::start("True");
    assert_eq!(diary.open(false).1, diary.open(false).1);
    let mut diary = Diary::start("False");
    assert_ne!(diary.open(false).1, diary.open(false).1);
}

#[test]
fn a_clean_end_ends_the_process_and_keeps_the_state() {
    let mut diary = Diary::start("True");
    let (place, _) = diary.open(false);
    let mut effects = Vec::new();
    let stopped = diary
        .process
        .handle(Time(5), &[Stimulus::Stop {}], &mut effects);
    stopped.expect("it stops");
    let (same, lives) = diary.open(true);
    assert_eq!(place, same);
    assert_ne!(lives[0], lives[1]);
}

#[test]
fn a_crash_takes_the_whole_process_group() {
    let code = r#"
import subprocess
below = subprocess.Popen(["sleep", "600"])
hello()
while hear():
    say(json.dumps({"effects": [{"report": {"failed": {"run": str(below.pid), "why": ""}}}]}))
"#;
    let mut process = Process::start(&double(code), SHORT).expect("it starts");
    let mut effects = Vec::new();
    for restored in [false, true] {
        let opened = process.handle(Time(0), &[open(restored)], &mut effects);
        opened.expect("it opens");
    }
    drop(process);
    for effect in &effects {
        let told = serde_json::to_value(effect).expect("plain data");
        let id = told["report"]["failed"]["run"].as_str().expect("a text");
        assert!(is_dead(id), "process {id} outlived its gateway");
    }
}

/// Whether a process that was killed is dead. The signal is on its way when the driver returns; how
/// soon it arrives is the scheduler's affair, so there is patience for it, and an end to that.
fn is_dead(id: &str) -> bool {
    (0..500).any(|_| {
        let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // A dead process whose new parent has not looked yet is a zombie.
        let dead = state.is_empty() || state.contains(") Z") || state.contains(") X");
        if !dead {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        dead
    })
}
