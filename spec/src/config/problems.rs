//! What is wrong with a configuration, and where.

use serde_json::Value;
use serde_path_to_error::Segment;

use super::{Config, ConfigError, legacy};
use crate::profile::LegacyKeys;

/// So many problems of one configuration are told.
const PROBLEMS_MAX: usize = 100;

/// One step into a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key(String),
    Index(usize),
}

/// Something that is wrong, and the steps to it.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) parts: Vec<Part>,
    pub(super) why: String,
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        let mut path = String::new();
        for part in &problem.parts {
            match part {
                Part::Index(index) => path.push_str(&format!("[{index}]")),
                Part::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(key);
                }
            }
        }
        let path = if path.is_empty() { ".".into() } else { path };
        let why = problem.why;
        Self { path, why }
    }
}

/// Reads a configuration; the error knows where it stands.
pub(super) fn first(value: &Value) -> Result<Config, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let part = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Part::Index(*index)),
            Segment::Map { key } => Some(Part::Key(key.clone())),
            Segment::Enum { variant } => Some(Part::Key(variant.clone())),
            Segment::Unknown => None,
        };
        Problem {
            parts: error.path().iter().map_while(part).collect(),
            why: error.inner().to_string(),
        }
    })
}

/// Everything that is wrong: each problem is taken out, and what is left is read again.
pub(super) fn all(value: &Value, keys: LegacyKeys) -> Vec<Problem> {
    let mut left = value.clone();
    let mut found = Vec::new();
    if left.is_null() {
        return found;
    }
    while found.len() < PROBLEMS_MAX {
        let old = match keys {
            LegacyKeys::Refused => legacy::first(&left),
            LegacyKeys::Migrated => None,
        };
        let Some(problem) = old.or_else(|| first(&left).err()) else {
            break;
        };
        let removed = remove(&mut left, &problem.parts);
        found.push(problem);
        if !removed {
            break;
        }
    }
    found
}

/// Takes a part out of a value.
fn remove(value: &mut Value, parts: &[Part]) -> bool {
    let Some((last, way)) = parts.split_last() else {
        return false;
    };
    let mut at = value;
    for part in way {
        let next = match part {
            Part::Key(key) => at.get_mut(key),
            Part::Index(index) => at.get_mut(index),
        };
        let Some(next) = next else {
            return false;
        };
        at = next;
    }
    match (last, at) {
        (Part::Key(key), Value::Object(members)) => members.remove(key).is_some(),
        (Part::Index(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}
