//! The example gateways keep what they say: for each rule the stories that put it to the test first,
//! played through the real interpreters. `just examples` plays every story.

mod interpreter;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use moorline::driver::Deadlines;
use moorline::fixtures::{self, Named};
use moorline::gate::{Gate, Outcome};
use moorline_spec::profile::Family;
use moorline_spec::rule;
use moorline_spec::verdict::Verdict;

/// Rules about what the profile `target` does not do, and why no story puts them to the test here.
const UNWITNESSED: [(&str, &str); 3] = [
    ("binding.sweep-rereads", "it does not probe in each pass"),
    ("binding.sweep-alone", "it does not probe in each pass"),
    ("routing.route-hygiene", "it knows no last route"),
];

/// Whoever holds the disk.
const DISKS: [&str; 2] = ["own", "harness"];

/// The first story of each rule that says something about this gateway passes, whoever holds its
/// disk; all families are put to the test by them, but for the rules above.
#[track_caller]
fn keeps_what_it_says(interpreter: &str, file: &str) {
    if !interpreter::is_there(interpreter) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = fixtures::on_disk(&root.join("fixtures")).unwrap_or_else(|e| panic!("{e}"));
    let mut kept = BTreeSet::new();
    for disk in DISKS {
        let program = root.join(file);
        let command = format!("exec {interpreter} '{}' --disk={disk}", program.display());
        let kept_so = keeps_first_stories(&command, &named);
        let of_the_disk = rule::OF_THE_DISK.into_iter();
        let of_the_disk: Vec<&str> = of_the_disk.filter(|_| disk == "own").collect();
        let open: BTreeSet<&str> = rule::all()
            .iter()
            .map(|rule| rule.id)
            .filter(|id| !kept_so.contains(id) && !of_the_disk.contains(id))
            .collect();
        let known: BTreeSet<&str> = UNWITNESSED.iter().map(|&(id, _)| id).collect();
        assert_eq!(
            open, known,
            "never put to the test where the disk is {disk}"
        );
        kept.extend(kept_so);
    }
    assert_eq!(kept.len() + UNWITNESSED.len(), rule::all().len());
}

/// The first stories of all rules: those that are kept in them.
fn keeps_first_stories(command: &str, named: &[Named]) -> BTreeSet<&'static str> {
    let gate = Gate::process(command, None, Deadlines::default());
    let mut gate = gate.unwrap_or_else(|error| panic!("{error}"));
    let all: BTreeSet<Family> = Family::ALL.into_iter().collect();
    assert_eq!(gate.profile().families, all, "it has them all");
    let (mut kept, mut played) = (BTreeSet::new(), BTreeSet::new());
    let mut wrong = String::new();
    for rule in rule::all() {
        let names_it = |named: &&Named| named.scenario().rules.iter().any(|id| id == rule.id);
        for named in named.iter().filter(names_it) {
            if kept.contains(rule.id) {
                break;
            }
            if played.insert(named.id.as_str()) {
                wrong.push_str(&play(&mut gate, named, &mut kept));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    kept
}

/// Plays a story; notes the rules that were kept, and tells what is wrong.
fn play(gate: &mut Gate, named: &Named, kept: &mut BTreeSet<&'static str>) -> String {
    let Outcome::Played(told) = gate.play(named.scenario()) else {
        return String::new();
    };
    let mut wrong = String::new();
    if let Err(why) = &told.end {
        wrong.push_str(&format!("{}: {why}\n", named.id));
    }
    for unmet in &told.unmet {
        wrong.push_str(&format!("{}: {unmet}\n", named.id));
    }
    for (rule, verdict) in &told.verdicts {
        match verdict {
            Verdict::Pass { .. } => drop(kept.insert(rule.id)),
            Verdict::Fail(breach) => {
                let (id, seen) = (rule.id, &breach.seen);
                wrong.push_str(&format!("{}: {id}: {seen}\n", named.id));
            }
            Verdict::Inconclusive { .. } | Verdict::Inapplicable { .. } => (),
        }
    }
    wrong
}

#[test]
fn the_python_gateway_keeps_what_it_says() {
    keeps_what_it_says("python3", "shims/python/examples/gateway.py");
}

#[test]
fn the_typescript_gateway_keeps_what_it_says() {
    keeps_what_it_says("node", "shims/typescript/examples/gateway.js");
}

/// What the shims themselves promise is tested in their own languages.
#[track_caller]
fn passes_its_own_tests(interpreter: &str, arguments: &[&str]) {
    if !interpreter::is_there(interpreter) {
        return;
    }
    let output = Command::new(interpreter)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    let told = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&told)
    );
}

#[test]
fn the_python_shim_passes_its_own_tests() {
    passes_its_own_tests("python3", &["shims/python/test_shim.py"]);
}

#[test]
fn the_typescript_shim_passes_its_own_tests() {
    passes_its_own_tests(
        "node",
        &["--test", "shims/typescript/moorline-shim.test.js"],
    );
}
