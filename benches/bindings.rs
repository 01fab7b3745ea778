//! P3a: a pass of the sweep with its durable effect, with nothing, one in a hundred, and all due.
//! P3b: thirty days of hourly traffic in a thousand bound conversations. P3c: looking a binding up
//! by conversation and by session, touching it, and a message through it beside one that finds
//! nothing bound. Beside the passes and the lookups stand a plain loop and a plain table.
//! A million bindings are measured where `MOORLINE_BENCH_LARGE` is set: making them takes a while.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use moorline::sweep::{PASSES_MAX, Pass, Plan, measure};
use moorline_sim::reference::Reference;
use moorline_spec::address::Address;
use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::id::SessionKey;
use moorline_spec::profile::Profile;
use moorline_spec::stimulus::{
    ConfigChanged, Inbound, Outcome, RunEnded, RunStarted, Start, Stimulus,
};
use moorline_spec::time::{Span, Time};
use rustc_hash::FxHashMap;
use serde_json::json;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn sizes() -> Vec<usize> {
    let mut sizes = vec![1_000, 10_000, 100_000];
    if std::env::var_os("MOORLINE_BENCH_LARGE").is_some() {
        sizes.push(1_000_000);
    }
    sizes
}

/// The passes that end `due` of `bindings` each, of as many gateways as are wanted.
fn passes(bindings: usize, due: usize) -> impl Iterator<Item = Vec<Pass>> {
    let plan = Plan {
        bindings,
        due,
        passes: (bindings / due).clamp(1, PASSES_MAX),
    };
    std::iter::repeat_with(move || {
        let mut gateway = Reference::new(&Profile::target());
        let Ok(sweeps) = measure(&mut gateway, &plan);
        sweeps.passes
    })
}

/// Some of the passes of a gateway.
type Chosen = fn(&[Pass]) -> &[Pass];

/// What so many passes take, by those that `chosen` finds among the passes of each gateway: all of
/// them are made, so all of them count.
fn took(gateways: impl Iterator<Item = Vec<Pass>>, chosen: Chosen, iters: u64) -> Duration {
    let (mut us, mut count) = (0.0, 0);
    for passes in gateways {
        let chosen = chosen(&passes);
        us += chosen.iter().map(|pass| pass.took_us).sum::<f64>();
        count += chosen.len();
        if iters <= count as u64 {
            break;
        }
    }
    Duration::from_secs_f64(us / 1e6 / count as f64 * iters as f64)
}

/// The least that a pass does: takes what is due out of an ordered set, and writes a line and a text
/// for each.
fn plain_pass(order: &mut BTreeSet<(u64, usize)>, due: usize) -> usize {
    let mut lines = String::new();
    let mut texts = Vec::new();
    for _ in 0..due {
        let Some((at, number)) = order.pop_first() else {
            break;
        };
        texts.push(format!("{number} ended at {at}"));
        lines.push_str("a record says of each what it was, where, and what is on its way: ");
        lines.push_str(texts.last().map_or("", String::as_str));
        order.insert((at + 3_600_000, number));
    }
    lines.len() + texts.len()
}

fn sweeps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("P3a");
    group.sample_size(10);
    for bindings in sizes() {
        let due = bindings / 100;
        // The first pass of a gateway finds nothing in a cache.
        let kinds: [(_, _, Chosen); 3] = [
            ("1 % due", due, |all| &all[1..]),
            ("1 % due, first pass", due, |all| &all[..1]),
            ("all due", bindings, |all| all),
        ];
        for (name, due, chosen) in kinds {
            group.throughput(Throughput::Elements(due as u64));
            group.bench_function(BenchmarkId::new(name, bindings), |bencher| {
                bencher.iter_custom(|iters| took(passes(bindings, due), chosen, iters));
            });
        }
        let mut order: BTreeSet<_> = (0..bindings)
            .map(|number| (number as u64, number))
            .collect();
        group.throughput(Throughput::Elements(due as u64));
        group.bench_function(
            BenchmarkId::new("plain loop, 1 % due", bindings),
            |bencher| {
                bencher.iter(|| plain_pass(&mut order, black_box(due)));
            },
        );
        let mut gateway = bound(bindings);
        let mut effects = Vec::new();
        let now = Time::ZERO + Span::mins(52);
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
    let inbound = Inbound::direct(at, format!("n{number}"), "how is the build?");
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
    const DAYS: u64 = 30;
    // Each conversation has a message an hour, one after the other.
    let pause = Span(3_600_000 / BINDINGS as u64);
    let mut group = criterion.benchmark_group("P3b");
    group.sample_size(10);
    group.throughput(Throughput::Elements(DAYS * 24 * 3_600));
    let mut gateway = bound(BINDINGS);
    let (mut now, mut number) = (Time::ZERO + Span::mins(55), 0);
    let mut effects = Vec::new();
    let config = json!({"session": {"dmScope": "per-peer"}});
    let config = Arc::new(config);
    let Ok(()) = gateway.handle(
        now,
        &[Stimulus::ConfigChanged(ConfigChanged { config })],
        &mut effects,
    );
    group.bench_function(
        "simulated seconds: 30 days, hourly traffic in 1000 bindings",
        |bencher| {
            bencher.iter(|| {
                for _ in 0..DAYS * 24 {
                    for conversation in 0..BINDINGS {
                        now = now + pause;
                        while let Some(at) = gateway.wake_at().filter(|at| *at <= now) {
                            effects.clear();
                            let Ok(()) = gateway.handle(at, &[Stimulus::Wake {}], &mut effects);
                        }
                        number += 1;
                        message(&mut gateway, now, number, place(conversation), &mut effects);
                    }
                }
            });
        },
    );
    assert!(gateway.bound_to(&place(0)).is_some(), "it is still bound");
    group.finish();
}

/// What a lookup costs that does nothing else: a table of as many texts.
fn plain_table(places: &[Address]) -> FxHashMap<String, usize> {
    let names = places.iter().map(ToString::to_string);
    names.zip(0..).collect()
}

fn lookups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("P3c");
    group.throughput(Throughput::Elements(1));
    for bindings in sizes() {
        let mut gateway = bound(bindings);
        let places: Vec<Address> = (0..bindings).map(place).collect();
        let keys: Vec<SessionKey> = places
            .iter()
            .filter_map(|place| gateway.bound_to(place).cloned())
            .collect();
        assert_eq!(keys.len(), bindings, "every conversation is bound");
        let mut turn = 0;
        let mut next = move || {
            turn = (turn + 7_919) % bindings;
            turn
        };
        let table = plain_table(&places);
        let names: Vec<String> = places.iter().map(ToString::to_string).collect();
        let id = |name: &str| BenchmarkId::new(name, bindings);
        group.bench_function(id("plain table of texts"), |bencher| {
            bencher.iter(|| black_box(table.get(&names[next()])));
        });
        group.bench_function(id("lookup by conversation"), |bencher| {
            bencher.iter(|| black_box(gateway.bound_to(&places[next()])));
        });
        group.bench_function(id("lookup by session"), |bencher| {
            bencher.iter(|| black_box(gateway.places_of(&keys[next()]).next()));
        });
        let mut now = Time::ZERO + Span::mins(55);
        group.bench_function(id("touch"), |bencher| {
            bencher.iter(|| {
                now = now + Span::ms(1);
                black_box(gateway.touches(&places[next()], now))
            });
        });
        let (mut number, mut effects) = (0, Vec::new());
        for (name, first) in [("message, bound", 0), ("message, nothing bound", bindings)] {
            group.bench_function(id(name), |bencher| {
                bencher.iter(|| {
                    number += 1;
                    let at = place(first + next());
                    message(&mut gateway, now, number, at, &mut effects);
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, sweeps, days, lookups);
criterion_main!(benches);
