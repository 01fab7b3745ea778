//! Every story about what is owed, with a crash at every point: the reference breaks nothing,
//! wherever it dies. What `moorline replay --every-crash` does besides, a second crash in each
//! recovery, takes too long for a test of every story, and is done here for a few.

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use moorline::crashes::{Depth, every_crash};
use moorline::fixtures::{self, Named};
use moorline::gate::Gate;

/// The families that a restart can get wrong.
const FAMILIES: [&str; 4] = ["relay.", "nested.", "cancel.", "restart."];

/// Of those, every so many are played with two crashes.
const TWICE: usize = 8;

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let named = match fixtures::on_disk(&root) {
        Ok(named) => named,
        Err(error) => panic!("{error}: {error:#?}"),
    };
    let of_families = named.into_iter().filter(is_about_debts).enumerate();
    let trials = of_families.map(|(index, named)| {
        let depth = if index % TWICE == 0 {
            Depth::Two
        } else {
            Depth::One
        };
        Trial::test(named.id.clone(), move || dies(&named, depth))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn is_about_debts(named: &Named) -> bool {
    let rules = &named.scenario().rules;
    let is_of = |rule: &String| FAMILIES.iter().any(|family| rule.starts_with(family));
    rules.iter().any(is_of)
}

fn dies(named: &Named, depth: Depth) -> Result<(), Failed> {
    let crashes = every_crash(&mut Gate::reference(None), named.scenario(), depth)?;
    if crashes.plays() == 0 {
        return Err("there is no point at which it could die".into());
    }
    let Some(found) = crashes.found.first() else {
        return Ok(());
    };
    let rule = found.rule.map_or("no rest", |rule| rule.id);
    let (point, seen, right) = (&found.point, &found.seen, &found.right);
    Err(format!(
        "{rule} is broken where the gateway dies {point}: {seen}; right would be: {right}\n{}",
        found.fixture
    )
    .into())
}
