//! A scenario on disk: reading it, and saying where it is wrong.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use super::Scenario;
use super::check::{self, Problem};

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
        let error = |problems| FixtureError {
            file: file.to_owned(),
            problems,
        };
        let scenario: Scenario = serde_json::from_str(text).map_err(|wrong| {
            let words = wrong.to_string();
            let end = words.rfind(" at line ").unwrap_or(words.len());
            error(vec![(
                wrong.line(),
                wrong.column(),
                words[..end].to_owned(),
            )])
        })?;
        let problems = check::problems(&scenario, channels);
        if problems.is_empty() {
            return Ok(Self { scenario });
        }
        let place = |problem: Problem| {
            let (line, column) = position(text, &problem.pointer);
            (line, column, problem.what)
        };
        Err(error(problems.into_iter().map(place).collect()))
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

/// Line and column, from 1, of the value at a JSON pointer; of its nearest ancestor where there is
/// none.
fn position(text: &str, pointer: &str) -> (usize, usize) {
    let mut here = text;
    for part in pointer.split('/').skip(1) {
        let Some(next) = child(here, part) else { break };
        here = next;
    }
    let offset = here.as_ptr() as usize - text.as_ptr() as usize;
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1;
    (line, column)
}

/// The text of a member of an object or an element of an array, as a part of the text around it.
fn child<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    if let Ok(index) = part.parse::<usize>()
        && let Ok(elements) = serde_json::from_str::<Vec<&'a RawValue>>(text)
    {
        return elements.get(index).map(|raw| raw.get());
    }
    let members = serde_json::from_str::<BTreeMap<String, &'a RawValue>>(text).ok()?;
    members.get(part).map(|raw| raw.get())
}
