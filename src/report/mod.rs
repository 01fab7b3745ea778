//! What a run found, as data. The text for people and the JSON for programs both come from it.

mod exit;
mod formats;
mod gather;
mod known;
mod merge;
mod required;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::profile::Family;
use moorline_spec::scenario::Unmet;
use moorline_spec::time::Time;
use moorline_spec::trace::{Entry, Rest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use exit::Exit;
pub use formats::{Format, UnknownFormat};
pub use gather::{Account, gather, lines};
pub(crate) use gather::{LINES_AFTER, LINES_BEFORE};
pub use known::{KnownFailures, WrongList};
pub use merge::{NoParts, merge};
pub use required::require;
pub use text::{write_lines, write_report};

/// The JSON Schema of a report.
///
/// # Panics
///
/// Never: a schema is plain data.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Report);
    let mut text = serde_json::to_string_pretty(&schema).expect("plain data");
    text.push('\n');
    text
}

/// The version of the report's form.
pub const VERSION: u32 = 1;

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this form.
    pub report: u32,
    /// The version of moorline.
    pub moorline: String,
    /// Who was judged.
    pub gateway: GatewayReport,
    /// The name of the profile it was judged by.
    pub profile: String,
    /// The word that sums it up.
    pub verdict: Overall,
    /// The exit code that says the same.
    pub exit_code: u8,
    /// Every rule that was selected.
    pub rules: Vec<RuleReport>,
    /// Every fixture that was selected.
    pub fixtures: Vec<FixtureReport>,
    /// Failures that are listed as known, and are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<StaleReport>,
    /// How long it took.
    pub seconds: f64,
}

/// Who was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayReport {
    /// What it is.
    pub kind: GatewayKind,
    /// Its name, and its version where it told one.
    pub name: String,
    /// The command that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Fields of its replies that nobody reads, and how often each came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unread: BTreeMap<String, u64>,
    /// How many times faster than real time its clock runs, where that runs by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real_clock: Option<u32>,
}

/// What kind of gateway was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatewayKind {
    /// Our own.
    Reference,
    /// One of ours that breaks a rule.
    Broken,
    /// A child process.
    Process,
    /// Whoever wrote a log.
    Log,
}

/// A failure that is listed as known, and is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleReport {
    /// The rule that was to be broken, if the list names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The fixture that was to fail, if the list names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixture: Option<String>,
    /// The reason that the list gives.
    pub reason: String,
}

/// The word that sums a run up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    /// Every selected rule was put to the test and kept.
    Conforms,
    /// A rule was broken or an expectation unmet.
    DoesNotConform,
    /// A selected rule was never put to the test.
    Inconclusive,
    /// The implementation could not be driven.
    Undriven,
}

/// How a rule stands after all fixtures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Put to the test and kept.
    Pass,
    /// Broken.
    Fail,
    /// Broken where that is known, and nowhere else.
    Known,
    /// Broken, and it only says what should be.
    Warn,
    /// Never put to the test.
    Inconclusive,
    /// Not promised.
    Inapplicable,
}

/// One rule after all fixtures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleReport {
    /// The rule.
    pub rule: String,
    /// Its family.
    pub family: Family,
    /// How it stands.
    pub standing: Standing,
    /// How often it was put to the test and kept, over all fixtures.
    pub witnessed: u64,
    /// Why it is inconclusive or inapplicable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Where it was broken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<BreachReport>,
    /// Where its verdict depends on time and the gateway's clock runs by itself: by how much times
    /// may be other than they were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_ms: Option<u64>,
}

/// One rule broken in one fixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BreachReport {
    /// The fixture.
    pub fixture: String,
    /// The number of the entry that broke it.
    pub entry: usize,
    /// What was seen.
    pub seen: String,
    /// What would have been right.
    pub right: String,
    /// The transcript around that entry.
    pub lines: Vec<LineReport>,
    /// In how many of how many plays, where it was played again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plays: Option<PlaysReport>,
    /// The reason that the list of known failures gives for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// The command that shows it again.
    pub replay: String,
}

/// A line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineReport {
    /// The number of the entry.
    pub entry: usize,
    /// When it was.
    pub at: Time,
    /// What it says.
    pub text: String,
}

/// How often a fixture failed that was played several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlaysReport {
    /// So many failed.
    pub failed: u32,
    /// Of so many.
    pub of: u32,
}

/// One fixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FixtureReport {
    /// Its id.
    pub fixture: String,
    /// What must hold in it.
    pub title: String,
    /// What came of it.
    pub outcome: FixtureOutcome,
    /// How the play came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
    /// How many entries its trace has.
    pub entries: usize,
    /// The rules that were broken in it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub broken: BTreeSet<String>,
    /// What it expects and did not see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<UnmetReport>,
    /// Why it was not played, or not to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The reason that the list of known failures gives for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// Everything that was seen in it, records that were persisted apart, where it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepReport>,
    /// The command that shows it again.
    pub replay: String,
}

/// One thing that was seen: as people read it, and as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// The number of the entry.
    pub entry: usize,
    /// What it says.
    pub line: String,
    /// The entry.
    #[serde(flatten)]
    pub seen: Entry,
}

/// What came of a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FixtureOutcome {
    /// No rule was broken, no expectation unmet.
    Passed,
    /// One was.
    Failed,
    /// It failed only in what is known to fail.
    Known,
    /// It says nothing about this gateway.
    Inapplicable,
    /// The implementation could not be driven.
    Undriven,
}

/// Something that a fixture expects and that was not seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnmetReport {
    /// Which expectation of the fixture, from 1.
    pub expectation: usize,
    /// The entry that shows it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<usize>,
    /// What was seen.
    pub seen: String,
    /// What would have been right.
    pub right: String,
    /// The transcript around that entry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineReport>,
    /// The reason that the list of known failures gives for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

impl FixtureReport {
    /// Whether it was played to its end.
    pub fn is_played(&self) -> bool {
        self.rest.is_some()
    }

    /// Whether the implementation could not be driven through it.
    pub fn is_undriven(&self) -> bool {
        !self.is_played() && self.outcome != FixtureOutcome::Inapplicable
    }
}

impl UnmetReport {
    fn new(unmet: &Unmet, lines: Vec<LineReport>) -> Self {
        Self {
            expectation: unmet.index + 1,
            entry: unmet.entry,
            seen: unmet.seen.clone(),
            right: unmet.right.clone(),
            lines,
            known: None,
        }
    }
}

impl Overall {
    /// The word for how a command ends.
    pub fn of(exit: Exit) -> Self {
        match exit {
            Exit::Conforms => Self::Conforms,
            Exit::Inconclusive => Self::Inconclusive,
            Exit::Undriven => Self::Undriven,
            Exit::DoesNotConform | Exit::Usage | Exit::OurFault => Self::DoesNotConform,
        }
    }
}

impl Report {
    /// How the command ends.
    pub fn exit(&self) -> Exit {
        let standing = |rule: &RuleReport| match rule.standing {
            Standing::Pass | Standing::Warn | Standing::Known | Standing::Inapplicable => {
                Exit::Conforms
            }
            Standing::Fail => Exit::DoesNotConform,
            Standing::Inconclusive => Exit::Inconclusive,
        };
        let outcome = |fixture: &FixtureReport| match fixture.outcome {
            FixtureOutcome::Undriven => Exit::Undriven,
            FixtureOutcome::Failed if fixture.unmet.iter().any(|unmet| unmet.known.is_none()) => {
                Exit::DoesNotConform
            }
            FixtureOutcome::Passed
            | FixtureOutcome::Failed
            | FixtureOutcome::Known
            | FixtureOutcome::Inapplicable => Exit::Conforms,
        };
        let rules = self.rules.iter().map(standing);
        let fixtures = self.fixtures.iter().map(outcome);
        let stale = self.stale.iter().map(|_| Exit::DoesNotConform);
        let all = rules.chain(fixtures).chain(stale);
        all.fold(Exit::Conforms, Exit::or_worse)
    }

    /// The rules that stand so.
    pub fn standing(&self, standing: Standing) -> impl Iterator<Item = &RuleReport> {
        self.rules
            .iter()
            .filter(move |rule| rule.standing == standing)
    }

    /// The fixtures of which this came.
    pub fn came_to(&self, outcome: FixtureOutcome) -> impl Iterator<Item = &FixtureReport> {
        self.fixtures
            .iter()
            .filter(move |fixture| fixture.outcome == outcome)
    }
}
