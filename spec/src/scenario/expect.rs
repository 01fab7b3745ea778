//! What must be seen in a story, beside the rules.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{SessionRef, Where};
use crate::time::Span;

/// One thing that must be seen, or must not.
///
/// A text *tells of* a message or run if it carries the marker of an output that this led to: the
/// run's own last words, those of a run that was given them, and so on; or, once the run ended,
/// its name's marker (a notice of failure). It tells once, however many pieces it comes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "ExpectForm", into = "ExpectForm")]
#[schemars(with = "ExpectForm")]
pub struct Expect {
    /// What.
    pub what: Expectation,
    /// Only where these dials stand so.
    pub where_dials: BTreeMap<String, Value>,
}

/// What must be seen, or must not.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// So many texts that tell of a message or run were posted at a place. `None` is at least one.
    Told {
        /// The place.
        place: Where,
        /// The name of the message or run.
        of: String,
        /// How many times.
        times: Option<usize>,
        /// How many of them are marked as a possible repeat, if that matters.
        marked: Option<usize>,
    },
    /// No text that tells of it was even meant for that place.
    NeverTold {
        /// The place.
        place: Where,
        /// The name of the message or run.
        of: String,
    },
    /// A call was answered.
    Answered {
        /// The call's name.
        call: String,
        /// With this status.
        status: Option<String>,
        /// With these words somewhere in the result.
        says: Option<String>,
    },
    /// A message or text was given to a run.
    Given {
        /// The name of the message or text.
        text: String,
        /// In the session of this run, person or place, or under this key.
        to: Option<SessionRef>,
        /// Not in that one.
        not_to: Option<SessionRef>,
        /// Whether the agent remembered nothing (`fresh`) or what was before (`continue`).
        memory: Option<String>,
        /// The agent, at that moment, remembered the text of this name.
        remembers: Option<String>,
        /// It did not.
        forgets: Option<String>,
    },
    /// No run was given it.
    NeverGiven {
        /// The name of the message or text.
        text: String,
    },
    /// So many texts with these words were posted at a place.
    Posted {
        /// The place.
        place: Where,
        /// The words.
        says: String,
        /// At this time of the story, give or take a second.
        at: Option<Span>,
        /// How many; `None` is at least one.
        times: Option<usize>,
    },
    /// The gateway reported a visible failure of this run.
    Failed {
        /// The run's name.
        run: String,
    },
    /// So many threads were opened.
    Threads {
        /// How many.
        count: usize,
    },
}

/// An expectation as it is written: one of `told`, `never_told`, `answered`, `given`,
/// `never_given`, `posted`, `failed`, `threads`, and what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Expect")]
struct ExpectForm {
    /// At this place a text was posted that tells of `of`.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<Where>,
    /// For this place no text was meant that tells of `of`.
    #[serde(skip_serializing_if = "Option::is_none")]
    never_told: Option<Where>,
    /// The call of this name was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered: Option<String>,
    /// The message or text of this name was given to a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<String>,
    /// The message or text of this name was given to no run.
    #[serde(skip_serializing_if = "Option::is_none")]
    never_given: Option<String>,
    /// At this place a text was posted with the words `says`.
    #[serde(skip_serializing_if = "Option::is_none")]
    posted: Option<Where>,
    /// A visible failure of the run of this name was reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
    /// So many threads were opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<usize>,
    /// The name of the message or run that is told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    /// How many times; at least once if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<usize>,
    /// How many of them are marked as possible repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    marked: Option<usize>,
    /// The answer's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// Words in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<String>,
    /// The session it was given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<SessionRef>,
    /// A session it was not given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_to: Option<SessionRef>,
    /// `fresh` or `continue`.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<String>,
    /// A text the agent remembered then.
    #[serde(skip_serializing_if = "Option::is_none")]
    remembers: Option<String>,
    /// A text the agent did not remember then.
    #[serde(skip_serializing_if = "Option::is_none")]
    forgets: Option<String>,
    /// When, give or take a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Span>,
    /// Only where these dials stand so.
    #[serde(rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    where_dials: BTreeMap<String, Value>,
}

impl TryFrom<ExpectForm> for Expect {
    type Error = String;

    fn try_from(mut form: ExpectForm) -> Result<Self, String> {
        let where_dials = std::mem::take(&mut form.where_dials);
        let what = form.take_what()?;
        if form == ExpectForm::default() {
            return Ok(Self { what, where_dials });
        }
        let left = serde_json::to_value(&form).map_err(|error| error.to_string())?;
        let left = left.as_object().into_iter().flatten();
        let keys: Vec<String> = left.map(|(key, _)| format!("`{key}`")).collect();
        Err(format!(
            "this expectation has {} beside what it takes",
            keys.join(", ")
        ))
    }
}

impl ExpectForm {
    fn take_what(&mut self) -> Result<Expectation, String> {
        if let Some(place) = self.told.take() {
            let of = self
                .of
                .take()
                .ok_or("`told` needs `of`, the message or run")?;
            let (times, marked) = (self.times.take(), self.marked.take());
            return Ok(Expectation::Told {
                place,
                of,
                times,
                marked,
            });
        }
        if let Some(place) = self.never_told.take() {
            let of = self
                .of
                .take()
                .ok_or("`never_told` needs `of`, the message or run")?;
            return Ok(Expectation::NeverTold { place, of });
        }
        if let Some(call) = self.answered.take() {
            let (status, says) = (self.status.take(), self.says.take());
            return Ok(Expectation::Answered { call, status, says });
        }
        if let Some(text) = self.given.take() {
            return Ok(Expectation::Given {
                text,
                to: self.to.take(),
                not_to: self.not_to.take(),
                memory: self.memory.take(),
                remembers: self.remembers.take(),
                forgets: self.forgets.take(),
            });
        }
        if let Some(place) = self.posted.take() {
            let says = self.says.take().ok_or("`posted` needs `says`, the words")?;
            return Ok(Expectation::Posted {
                place,
                says,
                at: self.at.take(),
                times: self.times.take(),
            });
        }
        None.or_else(|| {
            self.never_given
                .take()
                .map(|text| Expectation::NeverGiven { text })
        })
        .or_else(|| self.failed.take().map(|run| Expectation::Failed { run }))
        .or_else(|| {
            self.threads
                .take()
                .map(|count| Expectation::Threads { count })
        })
        .ok_or_else(|| {
            "an expectation is one of told, never_told, answered, given, never_given, posted, \
                 failed or threads"
                .to_owned()
        })
    }
}

impl From<Expect> for ExpectForm {
    fn from(expect: Expect) -> Self {
        let mut form = Self {
            where_dials: expect.where_dials,
            ..Self::default()
        };
        match expect.what {
            Expectation::Told {
                place,
                of,
                times,
                marked,
            } => {
                (form.told, form.of) = (Some(place), Some(of));
                (form.times, form.marked) = (times, marked);
            }
            Expectation::NeverTold { place, of } => {
                (form.never_told, form.of) = (Some(place), Some(of));
            }
            Expectation::Answered { call, status, says } => {
                (form.answered, form.status, form.says) = (Some(call), status, says);
            }
            Expectation::Given {
                text,
                to,
                not_to,
                memory,
                remembers,
                forgets,
            } => {
                (form.given, form.to, form.not_to) = (Some(text), to, not_to);
                (form.memory, form.remembers, form.forgets) = (memory, remembers, forgets);
            }
            Expectation::NeverGiven { text } => form.never_given = Some(text),
            Expectation::Posted {
                place,
                says,
                at,
                times,
            } => {
                (form.posted, form.says) = (Some(place), Some(says));
                (form.at, form.times) = (at, times);
            }
            Expectation::Failed { run } => form.failed = Some(run),
            Expectation::Threads { count } => form.threads = Some(count),
        }
        form
    }
}
