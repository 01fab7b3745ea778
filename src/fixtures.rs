//! Fixtures: those that live in the binary, and those on disk, each under its id.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use moorline_sim::channel;
use moorline_spec::profile::{Family, Profile};
use moorline_spec::rule;
use moorline_spec::scenario::{Fixture, FixtureError, Scenario};
use serde_json::Value;

use crate::nearest::did_you_mean;

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");

/// A fixture, and how people call it.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its path below `fixtures`, without the ending: `relay/tells_the_dm`.
    pub id: String,
    /// What a command line calls it by: its id if it is built in, else its file.
    pub called: String,
    /// The story.
    pub fixture: Fixture,
}

/// The text of a fixture, before it is understood.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path below `fixtures`, without the ending.
    pub id: String,
    /// The file, as people would name it.
    pub file: String,
    /// What a command line calls it by.
    pub called: String,
    /// What it says.
    pub text: String,
}

/// Why fixtures could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FixturesError {
    /// Some of them make no sense.
    #[error("{} of the fixtures do not make sense", .0.len())]
    Wrong(Vec<WrongFixture>),
    /// A file or directory could not be read.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There are none.
    #[error("there is no fixture in {}", .0.display())]
    Empty(PathBuf),
}

/// A fixture that makes no sense, with its text, so that the place can be shown.
#[derive(Debug)]
pub struct WrongFixture {
    /// Where, and what would be right.
    pub error: FixtureError,
    /// The text.
    pub text: String,
}

impl Named {
    /// The story.
    pub fn scenario(&self) -> &Scenario {
        self.fixture.scenario()
    }

    /// The part of the id before its name: a family, or `reported`.
    pub fn folder(&self) -> &str {
        self.id.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// The texts of the fixtures that live in the binary, by id.
pub fn built_in_sources() -> Vec<Source> {
    let mut sources = Vec::new();
    collect_built_in(&BUILT_IN, &mut sources);
    sources.sort_by(|a, b| a.id.cmp(&b.id));
    sources
}

fn collect_built_in(dir: &Dir<'_>, sources: &mut Vec<Source>) {
    for file in dir.files() {
        let path = file.path();
        if let (Some(id), Some(text)) = (id_below(path), file.contents_utf8()) {
            sources.push(Source {
                file: format!("fixtures/{id}.json"),
                called: id.clone(),
                id,
                text: text.to_owned(),
            });
        }
    }
    for dir in dir.dirs() {
        collect_built_in(dir, sources);
    }
}

/// The fixtures that live in the binary.
pub fn built_in() -> Result<Vec<Named>, FixturesError> {
    understand(built_in_sources())
}

/// The fixtures in a file or, however deep, in a directory, by id.
pub fn on_disk(path: &Path) -> Result<Vec<Named>, FixturesError> {
    understand(sources_on_disk(path)?)
}

/// The texts of the fixtures in a file or directory, by id.
pub fn sources_on_disk(path: &Path) -> Result<Vec<Source>, FixturesError> {
    let mut files = Vec::new();
    collect_files(path, &mut files)?;
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| FixturesError::Io {
            path: file.clone(),
            error,
        })?;
        sources.push(Source {
            id: id_on_disk(&file),
            called: file.display().to_string(),
            file: file.display().to_string(),
            text,
        });
    }
    if sources.is_empty() {
        return Err(FixturesError::Empty(path.to_owned()));
    }
    Ok(sources)
}

fn collect_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), FixturesError> {
    let failed = |error| FixturesError::Io {
        path: path.to_owned(),
        error,
    };
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let inner = entry.map_err(failed)?.path();
        if inner.is_dir() || inner.extension().is_some_and(|ending| ending == "json") {
            collect_files(&inner, files)?;
        }
    }
    Ok(())
}

/// The id of a file at this path below `fixtures`; none where it is no fixture.
fn id_below(path: &Path) -> Option<String> {
    path.extension().filter(|&ending| ending == "json")?;
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    Some(parts.join("/").strip_suffix(".json")?.to_owned())
}

/// What follows the last `fixtures` in a path; else the directory and the name.
fn id_on_disk(file: &Path) -> String {
    let plain = file.with_extension("");
    let parts: Vec<_> = plain.iter().map(|part| part.to_string_lossy()).collect();
    let below = parts.iter().rposition(|part| part == "fixtures");
    let from = match below {
        Some(index) if index + 1 < parts.len() => index + 1,
        _ => parts.len().saturating_sub(2),
    };
    let kept = parts[from..]
        .iter()
        .filter(|part| !matches!(&***part, "/" | "." | ".."));
    kept.map(|part| &**part).collect::<Vec<_>>().join("/")
}

/// Reads them all, or says everything that is wrong with any of them.
pub fn understand(sources: Vec<Source>) -> Result<Vec<Named>, FixturesError> {
    let channels = channel::names();
    let mut named = Vec::new();
    let mut wrong = Vec::new();
    for source in sources {
        match read(&source, channels) {
            Ok(fixture) => named.push(Named {
                id: source.id,
                called: source.called,
                fixture,
            }),
            Err(error) => wrong.push(WrongFixture {
                error,
                text: source.text,
            }),
        }
    }
    if wrong.is_empty() {
        Ok(named)
    } else {
        Err(FixturesError::Wrong(wrong))
    }
}

fn read(source: &Source, channels: &[&str]) -> Result<Fixture, FixtureError> {
    let fixture = Fixture::parse(&source.file, &source.text, channels)?;
    let problems = unknown_names(fixture.scenario(), &source.text);
    if problems.is_empty() {
        return Ok(fixture);
    }
    Err(FixtureError {
        file: source.file.clone(),
        problems,
    })
}

/// Names that the story itself does not define: rules, profiles and dials.
fn unknown_names(scenario: &Scenario, text: &str) -> Vec<(usize, usize, String)> {
    let mut problems = Vec::new();
    let mut wrong = |name: &str, what: String| {
        let (line, column) = place_of(text, name);
        problems.push((line, column, what));
    };
    for name in &scenario.rules {
        if !is_rule(name) {
            let known = rule::all().iter().map(|rule| rule.id);
            wrong(
                name,
                format!("there is no rule {name:?}{}", did_you_mean(name, known)),
            );
        }
    }
    if let Some(name) = &scenario.profile
        && Profile::named(name).is_none()
    {
        let shipped = Profile::shipped();
        let help = did_you_mean(name, shipped.iter().map(|profile| profile.name.as_str()));
        wrong(name, format!("there is no profile {name:?}{help}"));
    }
    let guards = scenario.expect.iter().map(|expect| &expect.where_dials);
    for dials in std::iter::once(&scenario.dials).chain(guards) {
        for (name, value) in dials {
            let one = BTreeMap::from([(name.clone(), Value::clone(value))]);
            if let Err(error) = Profile::target().with(&one) {
                wrong(name, format!("the dial {name:?}: {error}"));
            }
        }
    }
    problems
}

/// Whether there is that rule, or may be: a family without any rule says nothing about names.
fn is_rule(name: &str) -> bool {
    let Some(family) = name.split('.').next().and_then(Family::named) else {
        return false;
    };
    let rules = rule::all().iter();
    let mut of_family = rules.filter(|rule| rule.family == family).peekable();
    of_family.peek().is_none() || of_family.any(|rule| rule.id == name)
}

/// Line and column, from 1, of a name in quotes; the end of the text's first line where it is
/// written otherwise.
fn place_of(text: &str, name: &str) -> (usize, usize) {
    let quoted = Value::from(name).to_string();
    let offset = text.rfind(&quoted).unwrap_or(0);
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, id: &str) {
        assert_eq!(id_on_disk(Path::new(file)), id);
    }

    #[test]
    fn an_id_is_what_follows_fixtures_in_the_path() {
        check("fixtures/relay/once.json", "relay/once");
        check(
            "/a/fixtures/b/fixtures/reported/CL-001-x.json",
            "reported/CL-001-x",
        );
        check("stories/relay/once.json", "relay/once");
        check("./once.json", "once");
        check("/once.json", "once");
        check("/fixtures.json", "fixtures");
    }

    #[test]
    fn every_built_in_fixture_reads() {
        let named = built_in().unwrap_or_else(|error| panic!("{error}: {error:?}"));
        assert!(!named.is_empty());
    }
}
