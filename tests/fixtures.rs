//! Every fixture on disk is one named test: the reference tells it, twice to the same byte, as the
//! approved transcript has it, with every rule it names put to the test and kept; and the broken
//! gateway that reproduces its report fails it.

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use moorline::fixtures::{self, Named};
use moorline::gate::{Gate, Judgement, Outcome};
use moorline_sim::broken;
use moorline_spec::trace::Rest;
use moorline_spec::verdict::Verdict;

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let named = match fixtures::on_disk(&root) {
        Ok(named) => named,
        Err(error) => panic!("{error}: {error:#?}"),
    };
    let trials = named.into_iter().map(|named| {
        let name = named.id.clone();
        Trial::test(name, move || tell(&named))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn tell(named: &Named) -> Result<(), Failed> {
    let told = play(&mut Gate::reference(None), named)?;
    let again = play(&mut Gate::reference(None), named)?;
    snapshot(named, &told);
    kept(named, &told)?;
    if told.trace.to_lines() != again.trace.to_lines() {
        return Err("played twice, it is told in two ways".into());
    }
    reproduced(named)
}

fn play(gate: &mut Gate, named: &Named) -> Result<Judgement, Failed> {
    match gate.play(named.scenario()) {
        Outcome::Played(judgement) => Ok(*judgement),
        Outcome::Inapplicable(why) => Err(format!("it was not played: {why}").into()),
    }
}

/// The transcript, as a person approved it.
fn snapshot(named: &Named, told: &Judgement) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(Path::new("transcripts").join(named.folder()));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(&named.scenario().title);
    let name = named.id.rsplit('/').next().unwrap_or(&named.id).to_owned();
    settings.bind(|| insta::assert_snapshot!(name, told.trace.transcript()));
}

/// The reference comes to rest, breaks nothing, and puts every rule that is named to the test.
fn kept(named: &Named, told: &Judgement) -> Result<(), Failed> {
    let mut problems = Vec::new();
    if told.end != Ok(Rest::Settled) {
        problems.push(format!("it ended as {:?}", told.end));
    }
    for (rule, verdict) in &told.verdicts {
        let is_named = named.scenario().rules.iter().any(|name| name == rule.id);
        match verdict {
            Verdict::Fail(breach) => problems.push(format!(
                "{} is broken at entry {}: {}; right would be: {}\n      {}",
                rule.id,
                breach.entry,
                breach.seen,
                breach.right,
                told.trace.transcript_line(breach.entry)
            )),
            Verdict::Inconclusive { why } | Verdict::Inapplicable { why } if is_named => {
                problems.push(format!("{} is named and not witnessed: {why}", rule.id));
            }
            Verdict::Pass { .. } | Verdict::Inconclusive { .. } | Verdict::Inapplicable { .. } => {}
        }
    }
    for unmet in &told.unmet {
        problems.push(format!("expectation {} is unmet: {unmet}", unmet.index + 1));
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n\n{}", problems.join("\n"), told.trace.transcript()).into())
}

/// The broken gateway of the report fails: by the rule that leads it, or by what is expected.
fn reproduced(named: &Named) -> Result<(), Failed> {
    let Some(id) = &named.scenario().reproduced_by else {
        return Ok(());
    };
    let broken = broken::named(id).ok_or(format!("there is no broken gateway {id}"))?;
    let told = play(&mut Gate::broken(broken, None), named)?;
    let leads = told
        .verdicts
        .iter()
        .any(|(rule, verdict)| rule.id == broken.rule && verdict.is_fail());
    if leads || !told.unmet.is_empty() {
        return Ok(());
    }
    let failed: Vec<&str> = told
        .verdicts
        .iter()
        .filter(|(_, verdict)| verdict.is_fail())
        .map(|(rule, _)| rule.id)
        .collect();
    Err(format!(
        "{id} neither breaks {} nor leaves an expectation unmet; it breaks {failed:?}\n\n{}",
        broken.rule,
        told.trace.transcript()
    )
    .into())
}
