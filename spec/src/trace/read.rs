//! How an entry is read. Each field is taken as it comes: a flattened enum would copy the whole
//! line first.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Entry, What};
use crate::effect::{
    Answer, CancelRun, Deliver, Drop, Effect, OpenThread, Persist, ProbeThread, RefuseConfig,
    Report, StartRun, SteerRun,
};
use crate::record::Record;

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = EntryVisitor::<Effect>(PhantomData);
        deserializer.deserialize_struct("Entry", FIELDS, visitor)
    }
}

impl Entry {
    /// Reads an entry from the JSON text it stands in. Other than by [`Deserialize`], a record
    /// stays as it stands there until somebody wants to know what it says.
    ///
    /// # Errors
    ///
    /// Where the text is no JSON or no entry, by line and column.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        // What is wrong with a record is at its place in the text only where it is read in place.
        Self::standing(text).or_else(|_| serde_json::from_str(text))
    }

    fn standing(text: &str) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let visitor = EntryVisitor::<Asked>(PhantomData);
        let entry = deserializer.deserialize_struct("Entry", FIELDS, visitor)?;
        deserializer.end()?;
        Ok(entry)
    }
}

const FIELDS: &[&str] = &["at", "stimulus", "effect", "world", "own", "markers"];

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    At,
    Stimulus,
    Effect,
    World,
    Own,
    Markers,
    #[serde(other)]
    Other,
}

/// Reads an entry whose effect has the form `E`.
struct EntryVisitor<E>(PhantomData<E>);

impl<'de, E: Deserialize<'de> + Into<Effect>> Visitor<'de> for EntryVisitor<E> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry of a trace")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let (mut at, mut what, mut own, mut markers) = (None, None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::At => once(&mut at, "at", map.next_value()?)?,
                Field::Own => once(&mut own, "own", map.next_value()?)?,
                Field::Markers => once(&mut markers, "markers", map.next_value()?)?,
                Field::Stimulus => only(&mut what, map.next_value()?, What::Stimulus)?,
                Field::World => only(&mut what, map.next_value()?, What::World)?,
                Field::Effect => {
                    only(&mut what, map.next_value()?, |effect: E| {
                        What::Effect(effect.into())
                    })?;
                }
                Field::Other => map.next_value::<serde::de::IgnoredAny>().map(drop)?,
            }
        }
        Ok(Entry {
            at: at.ok_or_else(|| A::Error::missing_field("at"))?,
            what: what.ok_or_else(not_one)?,
            own: own.unwrap_or_default(),
            markers: markers.unwrap_or_default(),
        })
    }
}

fn not_one<E: Error>() -> E {
    E::custom("an entry has exactly one of `stimulus`, `effect` and `world`")
}

/// Takes what was seen, unless something else was; `null` is nothing.
fn only<T, E: Error>(
    place: &mut Option<What>,
    seen: Option<T>,
    what: impl FnOnce(T) -> What,
) -> Result<(), E> {
    if let Some(seen) = seen
        && place.replace(what(seen)).is_some()
    {
        return Err(not_one());
    }
    Ok(())
}

fn once<T, E: Error>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}

/// An effect, but that a record stays as it stands.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    StartRun(StartRun),
    SteerRun(SteerRun),
    CancelRun(CancelRun),
    Deliver(Deliver),
    OpenThread(OpenThread),
    ProbeThread(ProbeThread),
    Answer(Answer),
    Persist(Standing),
    Report(Report),
    Drop(Drop),
    RefuseConfig(RefuseConfig),
}

/// A record as it stands.
#[derive(Deserialize)]
struct Standing {
    #[serde(deserialize_with = "standing")]
    record: Record,
}

fn standing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Record, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?;
    Record::standing(text).map_err(D::Error::custom)
}

impl From<Asked> for Effect {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::StartRun(start) => Self::StartRun(start),
            Asked::SteerRun(steer) => Self::SteerRun(steer),
            Asked::CancelRun(cancel) => Self::CancelRun(cancel),
            Asked::Deliver(deliver) => Self::Deliver(deliver),
            Asked::OpenThread(open) => Self::OpenThread(open),
            Asked::ProbeThread(probe) => Self::ProbeThread(probe),
            Asked::Answer(answer) => Self::Answer(answer),
            Asked::Persist(Standing { record }) => Self::Persist(Persist { record }),
            Asked::Report(report) => Self::Report(report),
            Asked::Drop(drop) => Self::Drop(drop),
            Asked::RefuseConfig(refuse) => Self::RefuseConfig(refuse),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of reading say the same of a line.
    #[track_caller]
    fn check(line: &str) -> Result<Entry, String> {
        let read = Entry::from_json(line);
        let plain = serde_json::from_str::<Entry>(line);
        match (read, plain) {
            (Ok(read), Ok(plain)) => {
                assert_eq!(read, plain);
                assert_eq!(
                    serde_json::to_string(&read).unwrap(),
                    serde_json::to_string(&plain).unwrap()
                );
                Ok(read)
            }
            (Err(read), Err(plain)) => {
                assert_eq!(read.to_string(), plain.to_string());
                Err(read.to_string())
            }
            (read, plain) => panic!("{line}: {read:?}, but {plain:?}"),
        }
    }

    #[test]
    fn a_record_stays_as_it_stands_and_says_the_same() {
        for said in ["", "plain", r#"[{\"a\":\"b\\n\"}]"#, r"\u00e9 \ud83d\ude00"] {
            let line = format!(r#"{{"at":7,"effect":{{"persist":{{"record":"{said}"}}}}}}"#);
            check(&line).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let rows = [
            (
                r#"{"effect":{"persist":{"record":""}}}"#,
                "missing field `at`",
            ),
            (
                r#"{"at":1,"at":2,"world":{"healing":{}}}"#,
                "duplicate field `at`",
            ),
            (r#"{"at":1}"#, "exactly one of"),
            (
                r#"{"at":1,"world":{"healing":{}},"stimulus":{"wake":{}}}"#,
                "exactly one of",
            ),
            (
                r#"{"at":1,"effect":{"persist":{"record":7}}}"#,
                "expected a string",
            ),
            (
                r#"{"at":1,"effect":{"persist":{"record":"\ud800"}}}"#,
                "unexpected end of hex escape at line 1 column 46",
            ),
            (
                r#"{"at":1,"effect":{"persist":{}}}"#,
                "missing field `record`",
            ),
            (r#"{"at":1,"effect":{"keep":{}}}"#, "unknown variant `keep`"),
            (r#"{"at":1,"world":{"healing":{}}} {"#, "trailing"),
            (r#"[1]"#, "an entry of a trace"),
        ];
        for (line, says) in rows {
            let error = check(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
        // A field of a later version, or of the writer's own.
        check(r#"{"at":1,"seen_by":"me","world":{"healing":{}},"effect":null}"#).unwrap();
        check(r#"{"at":1,"seen_by":"me","world":{"healing":{}}}"#).unwrap();
    }
}
