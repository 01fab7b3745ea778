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

/// Rules that no story can put to the test here, and why.
const UNWITNESSED: [(&str, &str); 5] = [
    ("binding.writes-bounded", "it holds its own disk"),
    ("binding.sweep-rereads", "it does not probe in each pass"),
    ("binding.sweep-alone", "it does not probe in each pass"),
    ("routing.route-hygiene", "it knows no last route"),
    ("isolation.forged", "its story calls subagents"),
];

/// Families that the examples do not have yet.
const NOT_YET: [Family; 2] = [Family::Nested, Family::Cancel];

/// The first story of each rule that says something about this gateway passes; all of its families
/// are put to the test by them, but for the rules above.
#[track_caller]
fn keeps_what_it_says(interpreter: &str, file: &str) {
    if !interpreter::is_there(interpreter) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = fixtures::on_disk(&root.join("fixtures")).unwrap_or_else(|e| panic!("{e}"));
    let command = format!("exec {interpreter} '{}'", root.join(file).display());
    let gate = Gate::process(&command, None, Deadlines::default());
    let mut gate = gate.unwrap_or_else(|error| panic!("{error}"));
    let all = Family::ALL.into_iter();
    let all: BTreeSet<Family> = all.filter(|family| !NOT_YET.contains(family)).collect();
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
    let rules = rule::all().iter();
    let rules = rules.filter(|rule| !NOT_YET.contains(&rule.family));
    let open = rules.map(|rule| rule.id);
    let open: BTreeSet<&str> = open.filter(|id| !kept.contains(id)).collect();
    let known: BTreeSet<&str> = UNWITNESSED.iter().map(|&(id, _)| id).collect();
    assert_eq!(open, known, "these rules are never put to the test");
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
