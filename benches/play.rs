//! P1: whole scenarios a second, judged by every rule. P2: stimuli a second through the reference.
//! Beside both a plain heap loop of as many events, so that a ratio of one run can be quoted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use moorline_sim::channel;
use moorline_sim::reference::Reference;
use moorline_sim::world::{Stage, play};
use moorline_spec::address::Address;
use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::judge::Judge;
use moorline_spec::profile::Profile;
use moorline_spec::scenario::{Fixture, Scenario};
use moorline_spec::stimulus::{
    Delivered, Inbound, Open, Outcome, Receipt, RunEnded, RunStarted, Start, Stimulus,
};
use moorline_spec::time::Time;
use moorline_spec::wire::Disk;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// One simulated day: two people, a spawn, a refusal, messages that queue.
fn one_day() -> Scenario {
    let text = include_str!("day.json");
    let fixture = Fixture::parse("benches/day.json", text, channel::names());
    fixture
        .expect("the bench's scenario makes sense")
        .scenario()
        .clone()
}

fn play_once(scenario: &Scenario, profile: &Profile) -> usize {
    let mut judge = Judge::new(profile);
    let mut gateway = Reference::new(profile);
    let stage = Stage {
        profile,
        disk: Disk::Harness,
    };
    let played = play(scenario, &stage, &mut gateway, &mut judge);
    let verdicts = judge.finish();
    assert!(verdicts.iter().all(|(_, verdict)| !verdict.is_fail()));
    played.trace.len()
}

/// As many pushes and pops as the play has entries, each with a little allocation.
fn plain_loop(events: u64) -> u64 {
    let mut heap = BinaryHeap::new();
    let mut sum = 0;
    for event in 0..events {
        heap.push(Reverse((
            event * 7919 % 1_000,
            event,
            format!("event {event}"),
        )));
    }
    while let Some(Reverse((time, _, text))) = heap.pop() {
        sum += time + text.len() as u64;
    }
    sum
}

fn scenarios(criterion: &mut Criterion) {
    let (scenario, profile) = (one_day(), Profile::target());
    let entries = play_once(&scenario, &profile);
    assert!(
        entries >= 80,
        "the gate speaks of 80 entries; the day has {entries}"
    );
    let mut group = criterion.benchmark_group("P1");
    group.throughput(Throughput::Elements(1));
    group.bench_function("scenario, judged", |bencher| {
        bencher.iter(|| play_once(black_box(&scenario), &profile));
    });
    group.bench_function("plain heap loop", |bencher| {
        bencher.iter(|| plain_loop(black_box(entries as u64)));
    });
    group.finish();
}

/// The exchange of a message: it arrives, its run starts and ends, the answer is posted.
fn exchange(number: u64) -> [Stimulus; 4] {
    let at = Address {
        channel: "telegram".into(),
        account: "default".into(),
        conversation: format!("c{}", number % 100).into(),
        thread: None,
    };
    let inbound = Inbound::direct(at, format!("m{number}"), "how is the build?");
    let run = moorline_spec::id::RunId::default();
    let receipt = Delivered::Accepted {
        message: "t".into(),
    };
    [
        Stimulus::Inbound(inbound),
        Stimulus::RunStarted(RunStarted {
            run: run.clone(),
            outcome: Start::Started,
        }),
        Stimulus::RunEnded(RunEnded {
            run,
            outcome: Outcome::Ok,
            text: "green".into(),
        }),
        Stimulus::Receipt(Receipt {
            delivery: "".into(),
            outcome: receipt,
        }),
    ]
}

fn handled(messages: u64, profile: &Profile) -> u64 {
    let mut gateway = Reference::new(profile);
    let mut effects = Vec::new();
    let open = Open {
        starts_at: "2026-03-02T09:00:00Z".into(),
        timezone: "UTC".into(),
        config: Arc::new(serde_json::json!({"session": {"dmScope": "per-peer"}})),
        channels: Arc::new([]),
        agents: Arc::new(["main".into()]),
        restored: false,
        disk: Vec::new(),
        alive: Vec::new(),
        state_dir: None,
    };
    let Ok(()) = gateway.handle(Time::ZERO, &[Stimulus::Open(Box::new(open))], &mut effects);
    let mut stimuli = 0;
    for number in 0..messages {
        let mut run = None;
        let mut delivery = None;
        for mut stimulus in exchange(number) {
            match (&mut stimulus, &run, &delivery) {
                (Stimulus::RunStarted(started), Some(run), _) => started.run = Clone::clone(run),
                (Stimulus::RunEnded(ended), Some(run), _) => ended.run = Clone::clone(run),
                (Stimulus::Receipt(receipt), _, Some(id)) => receipt.delivery = Clone::clone(id),
                _ => (),
            }
            effects.clear();
            let now = Time(number * 1_000);
            let Ok(()) = gateway.handle(now, std::slice::from_ref(&stimulus), &mut effects);
            stimuli += 1;
            for effect in &effects {
                if let Effect::StartRun(start) = effect {
                    run = Some(start.run.clone());
                }
                if let Effect::Deliver(deliver) = effect {
                    delivery = Some(deliver.delivery.clone());
                }
            }
        }
        assert!(delivery.is_some(), "every message is answered");
    }
    stimuli
}

fn stimuli(criterion: &mut Criterion) {
    const MESSAGES: u64 = 2_500;
    let profile = Profile::target();
    let mut group = criterion.benchmark_group("P2");
    group.throughput(Throughput::Elements(4 * MESSAGES));
    group.bench_function("stimuli handled by the reference", |bencher| {
        bencher.iter(|| handled(black_box(MESSAGES), &profile));
    });
    group.bench_function("plain heap loop", |bencher| {
        bencher.iter(|| plain_loop(black_box(4 * MESSAGES)));
    });
    group.finish();
}

criterion_group!(benches, scenarios, stimuli);
criterion_main!(benches);
