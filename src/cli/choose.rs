//! From the words of a command line to gateways, profiles, fixtures and rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use moorline_sim::broken::{self, Broken};
use moorline_spec::profile::{Family, Profile};
use moorline_spec::requirements::{self, Requirements};
use moorline_spec::rule::{self, Rule};

use super::GatewayArgs;
use super::failure::Failure;
use crate::fixtures::{self, Named};
use crate::gate::Gate;
use crate::nearest::did_you_mean;
use crate::report::KnownFailures;

/// What a run is about.
pub(super) struct Selection {
    /// The fixtures to play, by id.
    pub(super) fixtures: Vec<Named>,
    /// The rules that count.
    pub(super) rules: Vec<&'static Rule>,
    /// Whether fixtures were chosen and rules were not: only rules that they name are missed then.
    pub(super) only_named: bool,
}

/// The gateway that the options ask for.
pub(super) fn gate(args: &GatewayArgs) -> Result<Gate, Failure> {
    let profile = profile(args.profile.as_deref())?;
    match (&args.gateway, &args.broken) {
        (Some(command), _) => Ok(Gate::process(command, profile, args.deadlines())?),
        (None, Some(id)) => Ok(Gate::broken(broken_gateway(id)?, profile)),
        (None, None) => Ok(Gate::reference(profile)),
    }
}

fn broken_gateway(id: &str) -> Result<&'static Broken, Failure> {
    broken::named(id).ok_or_else(|| {
        let known = broken::all().iter().map(|broken| broken.id);
        Failure::Usage(format!(
            "there is no broken gateway {id:?}{}",
            did_you_mean(id, known)
        ))
    })
}

/// A shipped profile, or one in a file.
pub(super) fn profile(name: Option<&str>) -> Result<Option<Profile>, Failure> {
    let Some(name) = name else { return Ok(None) };
    if let Some(profile) = Profile::named(name) {
        return Ok(Some(profile));
    }
    let path = Path::new(name);
    if !path.exists() {
        let shipped = Profile::shipped();
        let help = did_you_mean(name, shipped.iter().map(|profile| profile.name.as_str()));
        let words = format!("there is no profile and no file {name:?}{help}");
        return Err(Failure::Usage(words));
    }
    profile_in(path).map(Some)
}

/// The profile in a file.
pub(super) fn profile_in(path: &Path) -> Result<Profile, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::File(path.to_owned(), error))?;
    serde_json::from_str(&text).map_err(|error| {
        let words = error.to_string();
        // Where it stands is said first, as everywhere.
        let (what, _) = words.rsplit_once(" at line ").unwrap_or((&words, ""));
        let (path, line, column) = (path.display(), error.line(), error.column());
        Failure::Usage(format!("{path}:{line}:{column}: it is no profile: {what}"))
    })
}

/// The rules that were required at a date.
pub(super) fn requirements(date: &str) -> Result<Requirements, Failure> {
    requirements::of(date).ok_or_else(|| {
        let known: Vec<&str> = requirements::all().iter().map(|set| set.date).collect();
        let known = known.join(", ");
        Failure::Usage(format!(
            "no requirements were frozen on {date:?}; there are {known}"
        ))
    })
}

/// Whether a fixture is about a rule of a set, or about none in particular.
pub(super) fn is_about(named: &Named, set: &Requirements) -> bool {
    let rules = &named.scenario().rules;
    rules.is_empty() || rules.iter().any(|rule| set.has(rule))
}

/// A list of known failures.
pub(super) fn known_failures(path: &Path) -> Result<KnownFailures, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::File(path.to_owned(), error))?;
    KnownFailures::read(path, &text)
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

/// The rule of that id.
pub(super) fn rule(id: &str) -> Result<&'static Rule, Failure> {
    rule::named(id).ok_or_else(|| {
        let help = did_you_mean(id, rule::all().iter().map(|rule| rule.id));
        Failure::Usage(format!("there is no rule {id:?}{help}"))
    })
}

/// The family of that name.
pub(super) fn family(name: &str) -> Result<Family, Failure> {
    Family::named(name).ok_or_else(|| {
        let help = did_you_mean(name, Family::ALL.into_iter().map(Family::as_str));
        Failure::Usage(format!("there is no family {name:?}{help}"))
    })
}

/// One fixture, by file or id.
pub(super) fn fixture(name: &str) -> Result<Named, Failure> {
    let path = Path::new(name);
    let found = if path.is_file() {
        fixtures::on_disk(path)?.pop()
    } else {
        fixtures::built_in()?
            .into_iter()
            .find(|named| named.id == name)
    };
    found.ok_or_else(|| unknown(name))
}

/// Fixtures by file, directory or id; families and rules by name. Where families or rules are
/// named, only they count, and only fixtures that speak of them are played.
pub(super) fn selection(words: &[String]) -> Result<Selection, Failure> {
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    let mut named: Vec<Named> = Vec::new();
    for word in words {
        if let Some(family) = Family::named(word) {
            let of_family = rule::all().iter().filter(|rule| rule.family == family);
            ids.extend(of_family.map(|rule| rule.id));
        } else if let Some(rule) = rule::named(word) {
            ids.insert(rule.id);
        } else if Path::new(word).exists() {
            named.extend(fixtures::on_disk(Path::new(word))?);
        } else {
            let inside = format!("{}/", word.trim_end_matches('/'));
            let is_meant = |named: &Named| named.id == *word || named.id.starts_with(&inside);
            let before = named.len();
            named.extend(fixtures::built_in()?.into_iter().filter(is_meant));
            if named.len() == before {
                return Err(unknown(word));
            }
        }
    }
    let only_named = !named.is_empty() && ids.is_empty();
    if named.is_empty() {
        named = fixtures::built_in()?;
    }
    named.sort_by(|a, b| a.id.cmp(&b.id));
    named.dedup_by(|a, b| a.called == b.called);
    let speaks_of = |named: &Named, id: &str| named.scenario().rules.iter().any(|rule| rule == id);
    if !ids.is_empty() {
        named.retain(|named| ids.iter().any(|id| speaks_of(named, id)));
    }
    let counts = |rule: &&Rule| ids.is_empty() || ids.contains(rule.id);
    let rules = rule::all().iter().filter(counts);
    Ok(Selection {
        rules: rules.collect(),
        fixtures: named,
        only_named,
    })
}

fn unknown(word: &str) -> Failure {
    let built_in = fixtures::built_in_sources().into_iter();
    let mut known: Vec<String> = built_in.map(|source| source.id).collect();
    known.extend(rule::all().iter().map(|rule| rule.id.to_owned()));
    known.extend(Family::ALL.map(|family| family.as_str().to_owned()));
    let help = did_you_mean(word, known.iter().map(String::as_str));
    Failure::Usage(format!(
        "there is no file, fixture, family or rule {word:?}{help}"
    ))
}
