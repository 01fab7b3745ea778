//! A scenario on disk: reading it, and saying where it is wrong.

use std::fmt;

use serde_json::Value;
use serde_path_to_error::Segment;

use super::Scenario;
use super::check::{self, Problem, did_you_mean};
use super::position::{Part, Spot, escape, line_and_column};

/// A scenario that was read and makes sense: every name it uses is defined in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixture {
    scenario: Scenario,
}

/// Where a fixture is wrong, and what would be right. `Display` gives one line for each problem,
/// `file:line:column: words`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixtureError {
    /// The file, as it was given.
    pub file: String,
    /// Each problem with its line and column, from 1.
    pub problems: Vec<(usize, usize, String)>,
}

impl fmt::Display for FixtureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (line, column, what)) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{line}:{column}: {what}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for FixtureError {}

impl Fixture {
    /// Reads a fixture. `file` is its name in errors; `channels` are the channel profiles there are.
    pub fn parse(file: &str, text: &str, channels: &[&str]) -> Result<Self, FixtureError> {
        Self::read(text, channels).map_err(|mut problems| {
            problems.sort_by_key(|&(line, column, _)| (line, column));
            FixtureError {
                file: file.to_owned(),
                problems,
            }
        })
    }

    fn read(text: &str, channels: &[&str]) -> Result<Self, Vec<(usize, usize, String)>> {
        serde_json::from_str::<Value>(text).map_err(|wrong| vec![no_json(text, &wrong)])?;
        let (spot, twice) = Spot::read(text);
        let place = |pointer: &str, part: Part, what: String| {
            let (line, column) = line_and_column(text, spot.offset(pointer, part));
            (line, column, what)
        };
        let twice = twice.into_iter();
        let twice: Vec<_> = twice
            .map(|problem| place(&problem.pointer, Part::Key, problem.what))
            .collect();
        if !twice.is_empty() {
            return Err(twice);
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let scenario: Scenario = serde_path_to_error::deserialize(&mut json).map_err(|wrong| {
            let (part, what) = reword(&without_position(wrong.inner()));
            vec![place(&pointer(wrong.path()), part, what)]
        })?;
        Self::from_scenario(scenario, channels).map_err(|problems| {
            let problems = problems.into_iter();
            problems
                .map(|problem| place(&problem.pointer, Part::Value, problem.what))
                .collect()
        })
    }

    /// A scenario made by a program, held to the same sense.
    pub fn from_scenario(scenario: Scenario, channels: &[&str]) -> Result<Self, Vec<Problem>> {
        let problems = check::problems(&scenario, channels);
        if problems.is_empty() {
            Ok(Self { scenario })
        } else {
            Err(problems)
        }
    }

    /// The story.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The text that reads back as the same fixture.
    ///
    /// # Panics
    ///
    /// Never: a scenario is plain data.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(&self.scenario).expect("plain data");
        text.push('\n');
        text
    }
}

/// Where a text stops being JSON.
fn no_json(text: &str, wrong: &serde_json::Error) -> (usize, usize, String) {
    let start: usize = text
        .split_inclusive('\n')
        .take(wrong.line().saturating_sub(1))
        .map(str::len)
        .sum();
    let offset = start + wrong.column().saturating_sub(1);
    let (line, column) = line_and_column(text, offset.min(text.len()));
    (line, column, without_position(wrong))
}

/// The words of an error; its position is told apart.
fn without_position(error: &serde_json::Error) -> String {
    let mut words = error.to_string();
    if let Some(end) = words.rfind(" at line ") {
        words.truncate(end);
    }
    words
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let name = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => escape(key),
            Segment::Enum { variant } => escape(variant),
            Segment::Unknown => break,
        };
        pointer.push('/');
        pointer += &name;
    }
    pointer
}

/// What is wrong in our words, and whether it is the key or the value.
pub(super) fn reword(words: &str) -> (Part, String) {
    if let Some(name) = words.strip_prefix("missing field ") {
        return (Part::Value, format!("{name} is missing"));
    }
    for (start, part, wrong) in [
        ("unknown field `", Part::Key, "is no key here"),
        ("unknown variant `", Part::Value, "is unknown here"),
    ] {
        let rest = words.strip_prefix(start);
        if let Some((name, known)) = rest.and_then(|rest| rest.split_once('`')) {
            let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
            let help = did_you_mean(name, known.iter().copied());
            return (part, format!("{name:?} {wrong}; {help}"));
        }
    }
    let what = words.strip_prefix("invalid ").and_then(|rest| {
        let (_, rest) = rest.split_once(": ")?;
        let (found, right) = rest.split_once(", expected ")?;
        Some(format!("{found} stands here; expected is {right}"))
    });
    (Part::Value, what.unwrap_or_else(|| words.to_owned()))
}
