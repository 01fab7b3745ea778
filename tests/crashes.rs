//! Every story with a crash at every point: the reference breaks nothing, wherever it dies. What
//! `moorline replay --every-crash` does besides, a second crash in each recovery, takes too long for
//! a test of every story, and is done here for one in sixty.

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use moorline::crashes::{Depth, every_crash};
use moorline::fixtures::{self, Named};
use moorline::gate::Gate;

/// Every so many are played with two crashes.
const TWICE: usize = 60;

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let named = match fixtures::on_disk(&root) {
        Ok(named) => named,
        Err(error) => panic!("{error}: {error:#?}"),
    };
    let trials = named.into_iter().enumerate().map(|(index, named)| {
        let depth = if index % TWICE == 0 {
            Depth::Two
        } else {
            Depth::One
        };
        Trial::test(named.id.clone(), move || dies(&named, depth))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
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
