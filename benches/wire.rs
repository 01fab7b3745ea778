//! P4: round trips to a gateway at the end of a pipe, beside the same lines through a raw pipe. P7: a
//! recorded log, judged by every rule.
//!
//! The other end of both pipes is this program itself, so the two differ in the harness's end only.

use std::env;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use mimalloc::MiMalloc;
use moorline::driver::{Deadlines, Process};
use moorline::log;
use moorline_sim::channel;
use moorline_sim::reference::Reference;
use moorline_sim::world::{Stage, play};
use moorline_spec::gateway::Gateway as _;
use moorline_spec::judge::Judge;
use moorline_spec::profile::Profile;
use moorline_spec::scenario::Fixture;
use moorline_spec::stimulus::{Open, RunProgress, Stimulus};
use moorline_spec::time::Time;
use moorline_spec::trace::{Trace, What};
use moorline_spec::wire::{Disk, StimuliFrame};
use serde_json::json;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What this program is told to be the other end of a pipe.
const ECHO: &str = "--other-end-of-the-pipe";
/// The bytes of a frame, its line end included.
const FRAME: usize = 150;
/// A reply of as many bytes: a gateway that has nothing to ask for, and words that nobody reads.
const REPLY: &str = r#"{"effects":[],"wake_at":null}"#;

fn main() {
    if env::args().any(|word| word == ECHO) {
        return other_end();
    }
    let mut criterion = Criterion::default().configure_from_args();
    round_trips(&mut criterion);
    judged_log(&mut criterion);
    criterion.final_summary();
}

/// Answers each line at once: `hello` by `hello`, and all else by a line of the size of a frame.
fn other_end() {
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut output = io::stdout().lock();
    let mut line = Vec::new();
    let mut reply = REPLY.as_bytes().to_vec();
    reply.resize(FRAME - 1, b' ');
    reply.push(b'\n');
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(1..) => (),
            Ok(0) | Err(_) => return,
        }
        let is_hello = line.starts_with(br#"{"hello""#);
        let hello = b"{\"hello\":{\"wire\":1,\"name\":\"echo\"}}\n";
        let answer: &[u8] = if is_hello { hello } else { &reply };
        if output
            .write_all(answer)
            .and_then(|()| output.flush())
            .is_err()
        {
            return;
        }
    }
}

fn command() -> String {
    let program = env::current_exe().expect("this program is somewhere");
    format!("exec {} {ECHO}", program.display())
}

/// Stimuli whose frame has exactly the size that is measured.
fn stimuli() -> Vec<Stimulus> {
    let with = |text: String| {
        vec![Stimulus::RunProgress(RunProgress {
            run: "a".into(),
            text: text.into(),
        })]
    };
    let bare = frame(&with(String::new())).len();
    with("x".repeat(FRAME - bare))
}

fn frame(stimuli: &[Stimulus]) -> Vec<u8> {
    let now = Time(1_000);
    let mut line = serde_json::to_vec(&StimuliFrame { now, stimuli }).expect("plain data");
    line.push(b'\n');
    line
}

/// The raw pipe: the same bytes to the same program, looked for in the same way as the driver does,
/// and nothing is made of them.
struct Raw {
    child: Child,
    input: ChildStdin,
    output: File,
    reply: Vec<u8>,
}

impl Raw {
    fn start() -> Self {
        let child = Command::new("sh")
            .args(["-c", &command()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.expect("it starts");
        let input = child.stdin.take().expect("it has one");
        let output = child.stdout.take().expect("it has one");
        let again = output.as_fd().try_clone_to_owned();
        // Whoever reads it does not wait in the kernel.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("the machine has one");
        let _inside = runtime.enter();
        tokio::process::ChildStdout::from_std(output).expect("it is a pipe");
        Self {
            child,
            input,
            output: File::from(again.expect("there is room for one more")),
            reply: vec![0; 4096],
        }
    }

    fn exchange(&mut self, line: &[u8]) -> usize {
        self.input.write_all(line).expect("it reads");
        let mut count = 0;
        while count == 0 || self.reply[count - 1] != b'\n' {
            match self.output.read(&mut self.reply[count..]) {
                Ok(0) => panic!("it ended"),
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        count
    }

    fn end(mut self) {
        drop(self.input);
        self.child.wait().expect("it ends with its input");
    }
}

/// A gateway that says nothing, at the other end of the driver.
fn driven() -> Process {
    let deadlines = Deadlines {
        scenario: std::time::Duration::from_secs(3_600),
        ..Deadlines::default()
    };
    let mut process = Process::start(&command(), deadlines).expect("it starts");
    let open = Stimulus::Open(Box::new(Open {
        starts_at: "2026-03-02T09:00:00Z".into(),
        timezone: "UTC".into(),
        config: Arc::new(json!({})),
        channels: Arc::from([]),
        agents: Arc::from(["main".into()]),
        restored: false,
        disk: Vec::new(),
        alive: Vec::new(),
        state_dir: None,
    }));
    process
        .handle(Time::ZERO, &[open], &mut Vec::new())
        .expect("it answers");
    process
}

fn round_trips(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("P4");
    group.throughput(Throughput::Elements(1));
    let stimuli = stimuli();
    let line = frame(&stimuli);
    assert_eq!(line.len(), FRAME);
    let mut raw = Raw::start();
    group.bench_function("raw pipe", |bench| {
        bench.iter(|| black_box(raw.exchange(&line)));
    });
    let mut process = driven();
    let mut effects = Vec::new();
    let mut ask = || {
        process
            .handle(Time(1_000), black_box(&stimuli), &mut effects)
            .expect("it answers");
        effects.clear();
    };
    group.bench_function("driver", |bench| bench.iter(&mut ask));
    group.finish();
    print_ratio(|| _ = black_box(raw.exchange(&line)), ask);
    raw.end();
}

/// Both in turns, so that whatever else goes on strikes both: medians, and that of their ratios.
#[expect(clippy::print_stdout, reason = "a figure beside those of criterion")]
fn print_ratio(mut raw: impl FnMut(), mut driver: impl FnMut()) {
    const ROUNDS: usize = 41;
    const EACH: u32 = 2_000;
    fn rate(mut exchange: impl FnMut()) -> f64 {
        let began = Instant::now();
        for _ in 0..EACH {
            exchange();
        }
        f64::from(EACH) / began.elapsed().as_secs_f64()
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let pairs: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| (rate(&mut raw), rate(&mut driver)))
        .collect();
    let raw = median(pairs.iter().map(|pair| pair.0).collect());
    let driver = median(pairs.iter().map(|pair| pair.1).collect());
    let share = median(pairs.iter().map(|(raw, driver)| driver / raw).collect());
    println!(
        "P4: raw pipe {raw:.0}/s, driver {driver:.0}/s, that is {:.0} % of it",
        100.0 * share
    );
}

/// One life of a gateway with the day that P1 plays, again and again: so many entries.
fn long_log(days: u64) -> (Vec<u8>, u64) {
    let text = include_str!("day.json");
    let fixture = Fixture::parse("benches/day.json", text, channel::names());
    let fixture = fixture.expect("the bench's scenario makes sense");
    let profile = Profile::target();
    let stage = Stage {
        profile: &profile,
        disk: Disk::Harness,
    };
    let mut judge = Judge::new(&profile);
    let mut gateway = Reference::new(&profile);
    let played = play(fixture.scenario(), &stage, &mut gateway, &mut judge);
    let length = played.trace.entries.last().map_or(0, |last| last.at.0 + 1);
    let mut log = Vec::new();
    let mut count = 0;
    for day in 0..days {
        let of_day = played.trace.entries.iter().filter(|entry| {
            // One life, that never rests.
            let opens = matches!(entry.what, What::Stimulus(Stimulus::Open(_)));
            let ends = matches!(entry.what, What::World(_)) && is_end(&entry.what);
            !(ends || opens && 0 < day)
        });
        let day_of = Trace {
            entries: of_day.cloned().collect(),
        };
        count += day_of.len() as u64;
        renamed(&day_of, day, day * length, &mut log);
    }
    (log, count)
}

fn is_end(what: &What) -> bool {
    use moorline_spec::trace::World;
    matches!(what, What::World(World::Rest(_) | World::Healing {}))
}

/// The lines of a day: every id and marker is of that day alone, and so are people and sessions.
fn renamed(trace: &Trace, day: u64, later: u64, log: &mut Vec<u8>) {
    const NAMED: [&str; 10] = [
        "run",
        "runId",
        "call",
        "message",
        "delivery",
        "steer",
        "request",
        "key",
        "resumes",
        "session_id",
    ];
    const OF_PEOPLE: [&str; 4] = ["conversation", "from", "session_key", "childSessionKey"];
    fn rename(value: &mut serde_json::Value, under: &str, day: u64) {
        use serde_json::Value;
        match value {
            Value::String(text) => {
                let is_id =
                    OF_PEOPLE.contains(&under) || NAMED.contains(&under) && !text.contains(':');
                if is_id || under == "own" || under == "markers" {
                    *text = format!("{text}-{day}");
                } else if text.contains('⟦') {
                    *text = text.replace('⟧', &format!("-{day}⟧"));
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|one| rename(one, under, day)),
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    rename(value, name, day);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => (),
        }
    }
    for entry in &trace.entries {
        let mut value = serde_json::to_value(entry).expect("plain data");
        rename(&mut value, "", day);
        value["at"] = (entry.at.0 + later).into();
        serde_json::to_writer(&mut *log, &value).expect("memory takes all");
        log.push(b'\n');
    }
}

fn judged_log(criterion: &mut Criterion) {
    let profile = Profile::target();
    // What is told of is a peak, so it comes before anything else that may have one.
    print_memory(&profile);
    let mut group = criterion.benchmark_group("P7");
    group.sample_size(10);
    let (log, count) = long_log(1_000);
    let found = log::judge(&log[..], &profile).expect("it is a log");
    assert_eq!(found.entries as u64, count);
    assert!(found.breaking().is_empty(), "the reference keeps the rules");
    group.throughput(Throughput::Elements(count));
    group.bench_function("parsed alone", |bench| {
        bench.iter(|| black_box(log::read(&log[..]).expect("it is a log").len()));
    });
    group.bench_function("judged", |bench| {
        bench.iter(|| black_box(log::judge(&log[..], &profile).expect("it is a log").entries));
    });
    group.finish();
}

/// How much a judge holds after a log and after one ten times as long.
#[expect(clippy::print_stdout, reason = "a figure beside those of criterion")]
fn print_memory(profile: &Profile) {
    let resident = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    for days in [1_000, 10_000] {
        let (log, count) = long_log(days);
        let before = resident();
        log::judge(&log[..], profile).expect("it is a log");
        let more = resident() - before;
        println!("P7: {count} entries judged; the peak of memory rose by {more} KiB");
    }
}
