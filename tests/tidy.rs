//! Rules of taste that fail a test get kept.

mod vectors;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use moorline::fixtures;
use moorline_sim::broken;
use moorline_spec::rule;

/// The most lines that a file of Rust may have.
const LINES_MAX: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the project below a path, with its path from the root.
fn files(below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![root().join(below)];
    while let Some(path) = left.pop() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if matches!(&*name, "target" | ".git" | "__pycache__") {
            continue;
        }
        if path.is_dir() {
            let inner = fs::read_dir(&path).expect("a directory can be read");
            left.extend(inner.map(|entry| entry.expect("a directory can be read").path()));
        } else if path.is_file() {
            found.push(path.strip_prefix(root()).expect("it is below").to_owned());
        }
    }
    found.sort();
    found
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(root().join(file)).expect("a file can be read")).into_owned()
}

fn ends_in(file: &Path, ending: &str) -> bool {
    file.extension().is_some_and(|own| own == ending)
}

#[track_caller]
fn none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

/// `spec` <- `sim` <- the root package, through dev-dependencies too.
#[test]
fn no_layer_depends_on_one_above_it() {
    for (manifest, allowed) in [
        ("spec/Cargo.toml", &[][..]),
        ("sim/Cargo.toml", &["moorline-spec"]),
    ] {
        let text = read(Path::new(manifest));
        let names = text.lines().filter(|line| line.starts_with("moorline"));
        let names = names.map(|line| line.split(['.', ' ', '=']).next().unwrap_or(line));
        let wrong: Vec<String> = names
            .filter(|name| !allowed.contains(name))
            .map(str::to_owned)
            .collect();
        none(&wrong, &format!("{manifest} depends on a layer above it"));
    }
}

#[test]
fn no_file_is_too_long_to_be_read() {
    let is_code = |file: &PathBuf| ends_in(file, "rs");
    let long = files("").into_iter().filter(is_code).filter_map(|file| {
        let lines = read(&file).lines().count();
        (lines > LINES_MAX).then(|| format!("{} has {lines} lines", file.display()))
    });
    none(&long.collect::<Vec<_>>(), "files end at 600 lines");
}

#[test]
fn no_file_speaks_of_the_machine_it_was_written_on() {
    // In two parts, or this file would speak of them.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/home", "/"),
        concat!("arti", "factory"),
        concat!("index.", "crates.io"),
    ];
    let mut found = Vec::new();
    for file in files("") {
        let text = read(&file);
        for (index, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", file.display(), index + 1));
            }
        }
    }
    none(&found, "a clone on another machine has none of these");
}

#[test]
fn every_fixture_is_needed_and_every_transcript_has_its_fixture() {
    let named = fixtures::on_disk(&root().join("fixtures")).unwrap();
    let idle = named.iter().filter(|named| {
        let scenario = named.scenario();
        let is_report = scenario
            .source
            .as_ref()
            .is_some_and(|source| source.bug.is_some());
        scenario.rules.is_empty() && !is_report
    });
    let idle: Vec<String> = idle.map(|named| named.id.clone()).collect();
    none(&idle, "no rule and no report needs these fixtures");

    let ids: BTreeSet<&str> = named.iter().map(|named| named.id.as_str()).collect();
    let transcripts = Path::new("tests/transcripts");
    let snapshots = files("tests/transcripts").into_iter().filter(|file| {
        let plain = file.with_extension("");
        let id = plain.strip_prefix(transcripts).unwrap_or(&plain);
        !ids.contains(id.to_string_lossy().as_ref())
    });
    let orphans: Vec<String> = snapshots.map(|file| file.display().to_string()).collect();
    none(&orphans, "these transcripts have no fixture");
}

#[test]
fn every_rule_bites() {
    let named = fixtures::on_disk(&root().join("fixtures")).unwrap();
    let witnessed: BTreeSet<&str> = named
        .iter()
        .flat_map(|named| named.scenario().rules.iter().map(String::as_str))
        .collect();
    let led: BTreeSet<&str> = broken::all().iter().map(|broken| broken.rule).collect();
    let mut toothless = Vec::new();
    for rule in rule::all() {
        if !witnessed.contains(rule.id) {
            toothless.push(format!("{}: no fixture puts it to the test", rule.id));
        }
        if !led.contains(rule.id) {
            toothless.push(format!("{}: no broken gateway is led by it", rule.id));
        }
        if !rule.id.starts_with(&format!("{}.", rule.family.as_str())) {
            toothless.push(format!("{}: it is not of its family", rule.id));
        }
        if rule.sources.is_empty() {
            toothless.push(format!("{}: it has no source", rule.id));
        }
    }
    none(
        &toothless,
        "a rule ships with a fixture, a broken gateway and its sources",
    );
}

#[test]
fn ids_are_given_once() {
    let rules: Vec<&str> = rule::all().iter().map(|rule| rule.id).collect();
    let gateways: Vec<&str> = broken::all().iter().map(|broken| broken.id).collect();
    for ids in [rules, gateways] {
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
    }
}

#[test]
fn what_is_generated_is_there() {
    for file in [
        "spec/RULES.md",
        "spec/WIRE.md",
        "spec/schema/fixture.schema.json",
    ] {
        assert!(root().join(file).is_file(), "{file} is missing");
    }
}
