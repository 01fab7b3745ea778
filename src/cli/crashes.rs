//! `moorline replay --every-crash`: stories with every crash there can be, as a short table and one
//! fixture for each rule that breaks.

use std::io::Write;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use super::failure::Failure;
use super::palette::{BAD, FAINT, GOOD, STRONG, UNSURE};
use super::{ReplayArgs, choose};
use crate::crashes::{Crashes, Depth, Found, every_crash as play_all};
use crate::fixtures::Named;
use crate::report::Exit;

/// What came of one story.
struct Told<'a> {
    named: &'a Named,
    crashes: Result<Crashes, String>,
}

pub(super) fn every_crash(out: &mut impl Write, args: &ReplayArgs) -> Result<Exit, Failure> {
    let began = Instant::now();
    let fixtures = choose::selection(&args.what)?.fixtures;
    let told = play(&fixtures, args)?;
    let mut all = Crashes::default();
    let mut untold = Vec::new();
    let mut found = Vec::new();
    for Told { named, crashes } in told {
        match crashes {
            Ok(mut crashes) => {
                found.extend(crashes.found.drain(..).map(|found| (named, found)));
                all.take(crashes);
            }
            Err(why) => untold.push((named, why)),
        }
    }
    let is_one = fixtures.len() == 1;
    for (named, why) in untold.iter().filter(|_| is_one) {
        writeln!(out, "{UNSURE}inapplicable{UNSURE:#}: {}: {why}.", named.id)?;
    }
    for (named, found) in &found {
        write_found(out, named, found)?;
    }
    write_table(out, &all, fixtures.len() - untold.len())?;
    writeln!(
        out,
        "{FAINT}{:.1} s{FAINT:#}",
        began.elapsed().as_secs_f64()
    )?;
    Ok(match (found.is_empty(), all.plays()) {
        (false, _) => Exit::DoesNotConform,
        (true, 0) => Exit::Inconclusive,
        (true, _) => Exit::Conforms,
    })
}

/// Plays them on every core, each with a gateway of its own, and tells them in their order.
fn play<'a>(fixtures: &'a [Named], args: &ReplayArgs) -> Result<Vec<Told<'a>>, Failure> {
    let next = AtomicUsize::new(0);
    let told = Mutex::new(Vec::new());
    let work = || -> Result<(), Failure> {
        let mut gate = choose::gate(&args.gateway)?;
        while let Some((index, named)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            fixtures.get(index).map(|named| (index, named))
        } {
            let crashes = play_all(&mut gate, named.scenario(), Depth::Two);
            if let Ok(mut told) = told.lock() {
                told.push((index, Told { named, crashes }));
            }
        }
        Ok(())
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let workers = cores.min(fixtures.len());
    thread::scope(|scope| {
        let all: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        all.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let mut told = told.into_inner().unwrap_or_default();
    told.sort_by_key(|(index, _)| *index);
    Ok(told.into_iter().map(|(_, told)| told).collect())
}

fn write_found(out: &mut impl Write, named: &Named, found: &Found) -> std::io::Result<()> {
    let (id, text) = found.rule.map_or(
        ("no rest", "A play comes to rest, with nothing owed."),
        |rule| (rule.id, rule.text),
    );
    let plays = found.plays;
    writeln!(
        out,
        "{BAD}fail{BAD:#}  {STRONG}{id}{STRONG:#} in {}, {plays} times",
        named.id
    )?;
    writeln!(out, "      {text}")?;
    writeln!(out, "      where it dies {}:", found.point)?;
    writeln!(
        out,
        "      {}; right would be: {}.",
        found.seen, found.right
    )?;
    writeln!(
        out,
        "{FAINT}      this play as a fixture, for `moorline replay`:{FAINT:#}"
    )?;
    writeln!(out, "{}", found.fixture)
}

fn write_table(out: &mut impl Write, all: &Crashes, stories: usize) -> std::io::Result<()> {
    let what = if stories == 1 { "story" } else { "stories" };
    writeln!(
        out,
        "{STRONG}{stories} {what}, where the gateway dies{STRONG:#}"
    )?;
    for (place, count) in &all.counts {
        let failed = match count.failed {
            0 => format!("{GOOD}none broken{GOOD:#}"),
            failed => format!("{BAD}{failed} broken{BAD:#}"),
        };
        writeln!(
            out,
            "  {:<26}{:>8} plays  {failed}",
            place.as_str(),
            count.plays
        )?;
    }
    Ok(())
}
