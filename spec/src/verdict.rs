//! What a checker says at the end.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// What a checker says of a play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The rule applied so many times, and was kept each time.
    Pass {
        /// How many times.
        witnessed: u64,
    },
    /// The rule was broken.
    Fail(Breach),
    /// The rule never applied, or the play did not last: not a pass.
    Inconclusive {
        /// Why.
        why: Cow<'static, str>,
    },
    /// The profile says that the rule does not hold for this gateway.
    Inapplicable {
        /// Why.
        why: Cow<'static, str>,
    },
}

/// How a rule was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Breach {
    /// The number of the entry that broke it; for something that never came, of the entry since
    /// which it is waited for.
    pub entry: usize,
    /// The time of that entry.
    pub at: Time,
    /// What was seen, as a sentence without its full stop.
    pub seen: String,
    /// What would have been right, likewise.
    pub right: String,
}

/// Something that somebody still waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debt {
    /// Who waits.
    pub who: String,
    /// For what.
    pub what: String,
    /// The entry since which.
    pub since: usize,
    /// The time of that entry.
    pub at: Time,
}

impl fmt::Display for Debt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, what, at, .. } = self;
        write!(out, "{who} waits for {what} since {at}")
    }
}

impl Verdict {
    /// What broke the rule, if it was broken.
    pub fn breach(&self) -> Option<&Breach> {
        match self {
            Self::Fail(breach) => Some(breach),
            Self::Pass { .. } | Self::Inconclusive { .. } | Self::Inapplicable { .. } => None,
        }
    }

    /// The verdict of a checker that saw no breach.
    pub fn from_witnesses(witnessed: u64) -> Self {
        match witnessed {
            0 => Self::Inconclusive {
                why: "nothing in this story puts it to the test".into(),
            },
            witnessed => Self::Pass { witnessed },
        }
    }

    /// Whether the rule was broken.
    pub fn is_fail(&self) -> bool {
        matches!(self, Self::Fail(_))
    }
}
