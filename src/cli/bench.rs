//! `moorline bench`: what a gateway costs, as a table for people and as JSON.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use moorline_sim::reference::Reference;
use moorline_spec::profile::Profile;
use serde_json::json;

use super::failure::Failure;
use super::palette::{FAINT, STRONG};
use crate::driver::{Deadlines, Process};
use crate::gate::GateError;
use crate::report::Exit;
use crate::sweep::{PASSES_MAX, Plan, Sweeps, measure};

#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// How long a pass takes that ends bindings which were idle too long
    Sweep(SweepArgs),
}

#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// The command that starts the gateway; the reference is measured without it
    #[arg(long, value_name = "COMMAND")]
    gateway: Option<String>,
    /// How many conversations are bound
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    bindings: usize,
    /// How many of them are due with each pass
    #[arg(long, value_name = "K", default_value_t = 100)]
    due: usize,
    /// How many passes find something due, at most 10
    #[arg(long, value_name = "P", default_value_t = 5)]
    passes: usize,
    /// Write the figures as JSON to a file, or with `-` in place of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Far more than any gateway should need for all of it.
const DEADLINES: Deadlines = Deadlines {
    start: Duration::from_secs(10),
    reply: Duration::from_secs(600),
    scenario: Duration::from_secs(3_600),
};

pub(super) fn bench(out: &mut impl Write, what: &Bench) -> Result<Exit, Failure> {
    let Bench::Sweep(args) = what;
    sweep(out, args)
}

fn sweep(out: &mut impl Write, args: &SweepArgs) -> Result<Exit, Failure> {
    if !(1..=PASSES_MAX).contains(&args.passes) || args.bindings < args.due * args.passes {
        return Err(Failure::Usage(format!(
            "--passes is 1 to {PASSES_MAX}, and --bindings at least --due times --passes"
        )));
    }
    let plan = Plan {
        bindings: args.bindings,
        due: args.due,
        passes: args.passes,
    };
    let (name, sweeps) = match &args.gateway {
        None => {
            let mut gateway = Reference::new(&Profile::target());
            let Ok(sweeps) = measure(&mut gateway, &plan);
            ("the reference, in process".to_owned(), sweeps)
        }
        Some(command) => {
            let mut process = Process::start(command, DEADLINES).map_err(GateError::from)?;
            let hello = process.hello();
            let name = format!("{} {}", hello.name, hello.version);
            let sweeps = measure(&mut process, &plan).map_err(GateError::from)?;
            (name.trim_end().to_owned(), sweeps)
        }
    };
    let figures = json!({
        "gateway": name,
        "bindings": args.bindings,
        "due": args.due,
        "p50_us": sweeps.quantile_us(0.5),
        "p95_us": sweeps.quantile_us(0.95),
        "ended_per_s": sweeps.ended_per_s(),
        "passes": sweeps.passes,
        "touches": sweeps.touches,
        "idle_us": sweeps.idle_us,
    });
    match &args.json {
        Some(path) if path.as_os_str() == "-" => writeln!(out, "{figures:#}")?,
        json => {
            write_table(out, &name, args, &sweeps)?;
            if let Some(path) = json {
                let text = format!("{figures:#}\n");
                fs::write(path, text).map_err(|error| Failure::File(path.clone(), error))?;
            }
        }
    }
    Ok(if sweeps.passes.is_empty() {
        Exit::Inconclusive
    } else {
        Exit::Conforms
    })
}

fn write_table(
    out: &mut impl Write,
    name: &str,
    args: &SweepArgs,
    sweeps: &Sweeps,
) -> Result<(), Failure> {
    let (bindings, due) = (args.bindings, args.due);
    writeln!(
        out,
        "{STRONG}{name}{STRONG:#}: {bindings} bindings, {due} due with each pass\n"
    )?;
    if sweeps.passes.is_empty() {
        writeln!(out, "no pass ended anything, so there is nothing to tell")?;
        return Ok(());
    }
    writeln!(
        out,
        "{FAINT}pass        time   ended  farewells  writes{FAINT:#}"
    )?;
    for (index, pass) in sweeps.passes.iter().enumerate() {
        writeln!(
            out,
            "{:>4} {:>9.3} ms {:>7} {:>10} {:>7}",
            index + 1,
            pass.took_us / 1e3,
            pass.ended,
            pass.farewells,
            pass.writes
        )?;
    }
    let ms = |part: f64| sweeps.quantile_us(part).unwrap_or_default() / 1e3;
    writeln!(
        out,
        "\np50 {:.3} ms, p95 {:.3} ms, {:.0} bindings ended a second",
        ms(0.5),
        ms(0.95),
        sweeps.ended_per_s().unwrap_or_default()
    )?;
    if let Some(touches) = sweeps.touches {
        writeln!(
            out,
            "{} messages through bindings: {} writes, as many elsewhere: {}, and {} in between",
            touches.messages, touches.bound_writes, touches.other_writes, touches.wake_writes
        )?;
    }
    Ok(())
}
