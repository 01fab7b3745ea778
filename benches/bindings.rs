//! P3a: a pass of the sweep with its durable effect, with nothing, one in a hundred, and all due.
//! P3b: a day of hourly traffic in a thousand bound conversations. P3c: looking a binding up by
//! conversation and by session, and a message through it beside one that finds nothing bound.
//! A million bindings are measured where `MOORLINE_BENCH_LARGE` is set: making them takes a while.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use moorline::sweep::{PASSES_MAX, Plan, measure};
use moorline_sim::reference::Reference;
use moorline_spec::address::{Address, Place};
use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::id::SessionKey;
use moorline_spec::profile::Profile;
use moorline_spec::stimulus::{Author, Inbound, Outcome, RunEnded, RunStarted, Start, Stimulus};
use moorline_spec::time::{Span, Time};

fn sizes() -> Vec<usize> {
    let mut sizes = vec![1_000, 10_000, 100_000];
    if std::env::var_os("MOORLINE_BENCH_LARGE").is_some() {
        sizes.push(1_000_000);
    }
    sizes
}

/// The time of so many passes that end `due` of `bindings`; with none due, of replies to `Wake`.
fn passes(bindings: usize, due: usize, iters: u64) -> Duration {
    let mut us = 0.0;
    let mut measured = 0;
    while measured < iters {
        let most = bindings.checked_div(due).unwrap_or(1).clamp(1, PASSES_MAX);
        let plan = Plan {
            bindings,
            due,
            passes: most,
        };
        let mut gateway = Reference::new(&Profile::target());
        let Ok(sweeps) = measure(&mut gateway, &plan);
        for pass in sweeps.passes.iter().take((iters - measured) as usize) {
            us += pass.took_us;
            measured += 1;
        }
    }
    Duration::from_secs_f64(us / 1e6)
}

fn sweeps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("P3a");
    group.sample_size(10);
    for bindings in sizes() {
        for (name, due) in [("1 % due", bindings / 100), ("all due", bindings)] {
            group.throughput(Throughput::Elements(due as u64));
            group.bench_with_input(BenchmarkId::new(name, bindings), &due, |bencher, &due| {
                bencher.iter_custom(|iters| passes(bindings, due, iters));
            });
        }
        let mut gateway = bound(bindings);
        let mut effects = Vec::new();
        let now = Time::ZERO + Span::mins(51);
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("nothing due", bindings), |bencher| {
            bencher.iter(|| {
                effects.clear();
                let Ok(()) = gateway.handle(now, &[Stimulus::Wake {}], &mut effects);
                black_box(gateway.wake_at())
            });
        });
    }
    group.finish();
}

/// A gateway with so many bindings, 50 minutes after it began.
fn bound(bindings: usize) -> Reference {
    let mut gateway = Reference::new(&Profile::target());
    let plan = Plan {
        bindings,
        due: 0,
        passes: 0,
    };
    let Ok(_) = measure(&mut gateway, &plan);
    gateway
}

fn place(conversation: usize) -> Address {
    Address {
        channel: "chat".into(),
        account: "default".into(),
        conversation: format!("c{conversation}").into(),
        thread: None,
    }
}

/// A message and the run that answers it.
fn message(gateway: &mut Reference, now: Time, number: usize, at: Address, out: &mut Vec<Effect>) {
    let inbound = Inbound {
        message: format!("n{number}").into(),
        from: at.conversation.as_str().into(),
        at,
        kind: Place::Direct,
        author: Author::Person,
        mentioned: true,
        authorised: true,
        text: "how is the build?".into(),
    };
    out.clear();
    let Ok(()) = gateway.handle(now, &[Stimulus::Inbound(inbound)], out);
    let run = out.iter().find_map(|effect| {
        if let Effect::StartRun(start) = effect {
            Some(start.run.clone())
        } else {
            None
        }
    });
    let run = run.expect("a message is worked on at once");
    let started = Stimulus::RunStarted(RunStarted {
        run: run.clone(),
        outcome: Start::Started,
    });
    let ended = Stimulus::RunEnded(RunEnded {
        run,
        outcome: Outcome::Ok,
        text: "NO_REPLY".into(),
    });
    let Ok(()) = gateway.handle(now, &[started, ended], out);
}

fn days(criterion: &mut Criterion) {
    const BINDINGS: usize = 1_000;
    let mut group = criterion.benchmark_group("P3b");
    group.sample_size(10);
    group.throughput(Throughput::Elements(24 * 3_600));
    let mut gateway = bound(BINDINGS);
    let (mut now, mut number) = (Time::ZERO + Span::mins(55), 0);
    let mut effects = Vec::new();
    group.bench_function(
        "simulated seconds, hourly traffic in 1000 bindings",
        |bencher| {
            bencher.iter(|| {
                for _ in 0..24 {
                    for conversation in 0..BINDINGS {
                        number += 1;
                        message(&mut gateway, now, number, place(conversation), &mut effects);
                    }
                    // Within the idle time: everything stays bound.
                    now = now + Span::mins(55);
                    while let Some(at) = gateway.wake_at().filter(|at| *at <= now) {
                        effects.clear();
                        let Ok(()) = gateway.handle(at, &[Stimulus::Wake {}], &mut effects);
                    }
                }
            });
        },
    );
    assert!(gateway.bound_to(&place(0)).is_some(), "it is still bound");
    group.finish();
}

fn lookups(criterion: &mut Criterion) {
    const BINDINGS: usize = 100_000;
    let mut gateway = bound(BINDINGS);
    let places: Vec<Address> = (0..BINDINGS).map(place).collect();
    let keys: Vec<SessionKey> = places
        .iter()
        .filter_map(|place| gateway.bound_to(place).cloned())
        .collect();
    assert_eq!(keys.len(), BINDINGS, "every conversation is bound");
    let mut group = criterion.benchmark_group("P3c");
    group.throughput(Throughput::Elements(1));
    let mut turn = 0;
    let mut next = move || {
        turn = (turn + 7_919) % BINDINGS;
        turn
    };
    group.bench_function("lookup by conversation", |bencher| {
        bencher.iter(|| black_box(gateway.bound_to(&places[next()])));
    });
    group.bench_function("lookup by session", |bencher| {
        bencher.iter(|| black_box(gateway.places_of(&keys[next()]).next()));
    });
    let now = Time::ZERO + Span::mins(55);
    let (mut number, mut effects) = (0, Vec::new());
    for (name, first) in [("message, bound", 0), ("message, nothing bound", BINDINGS)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                number += 1;
                let at = place(first + next());
                message(&mut gateway, now, number, at, &mut effects);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sweeps, days, lookups);
criterion_main!(benches);
