//! What happens in a story, and when.

mod form;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Action, SessionRef, Where};
use crate::id::{Marker, MessageId, PersonId, SessionKey};
use crate::stimulus::{Author, InternalPath, Outcome, ThreadState};
use crate::time::Span;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "form::StepForm", into = "form::StepForm")]
#[schemars(with = "form::StepForm")]
pub struct Step {
    /// When.
    pub when: When,
    /// What.
    pub verb: Verb,
}

/// When a step happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At a time of the story.
    At(Span),
    /// So long after the step before it; zero means at once.
    After(Span),
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// A person writes a message.
    Says(Say),
    /// A run that was told to stay, or was spawned without a script, ends.
    Ends {
        /// The run's name.
        run: String,
        /// How.
        outcome: Outcome,
        /// Its last words; empty means none. Defaults to the outcome's name.
        text: Option<String>,
        /// How long they are made.
        length: Option<usize>,
        /// What the agent does that is given them.
        agent: Option<Vec<Action>>,
        /// Whether it had ended before, and the news of an end comes once more.
        again: bool,
    },
    /// A run says something before its end.
    Posts {
        /// The run's name.
        run: String,
        /// What.
        text: String,
    },
    /// A plugin starts a run on a key: `runtime.subagent.run`.
    Runs {
        /// The key.
        key: SessionKey,
        /// What the agent is given.
        text: String,
        /// Further parameters.
        with: Map<String, Value>,
        /// The name of the call, of its text's marker, and of the run.
        name: Option<String>,
        /// What the agent does.
        agent: Option<Vec<Action>>,
    },
    /// The gateway's clockwork asks for a turn.
    Beats {
        /// The session.
        session: SessionRef,
        /// Which clockwork.
        path: InternalPath,
        /// What the agent is given.
        text: Option<String>,
        /// The name of its marker.
        name: Option<String>,
        /// What the agent does.
        agent: Option<Vec<Action>>,
    },
    /// The administrator does something to a session.
    Admin {
        /// What.
        what: AdminVerb,
        /// The session, where it is done to one.
        session: Option<SessionRef>,
        /// Further parameters.
        with: Map<String, Value>,
        /// The name of the call.
        name: Option<String>,
    },
    /// A thread is archived, locked, deleted or brought back by somebody.
    ThreadBecomes {
        /// What it becomes.
        state: ThreadState,
        /// The thread.
        place: Where,
    },
    /// A conversation goes by another id: that of another place.
    Moves {
        /// Which it was.
        place: Where,
        /// Which it is.
        to: Where,
    },
    /// The gateway's process dies.
    Crash(Crash),
    /// The gateway is stopped cleanly and started again so much later.
    Restarts(Span),
    /// A session's transcript is compacted.
    Compacts(SessionRef),
    /// The configuration is edited.
    Configures(Value),
    /// Nothing; time has passed, and the author says something.
    Note(String),
    /// Several things arrive before the gateway runs again.
    AtOnce(Vec<Verb>),
}

/// A message that somebody writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Say {
    /// Who.
    pub person: PersonId,
    /// Where, if not at home.
    pub place: Option<Where>,
    /// What.
    pub text: String,
    /// The message's name, and its marker; `m` and the step's number from 1 if absent.
    pub name: Option<String>,
    /// The message's id on the channel, where it is to equal another's; its name if absent.
    pub message: Option<MessageId>,
    /// What the agent does that is given it.
    pub agent: Option<Vec<Action>>,
    /// What writes it, if not a person.
    pub author: Option<Author>,
    /// Whether it mentions the gateway's account; it does unless said otherwise.
    pub mentioned: Option<bool>,
    /// Whether its author may give commands; they may unless said otherwise.
    pub authorised: Option<bool>,
}

/// What an administrator does to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdminVerb {
    /// `sessions.reset`
    Reset,
    /// `sessions.delete`
    Delete,
    /// `sessions.patch`
    Patch,
    /// `sessions_list`
    List,
    /// `sessions_history`
    History,
}

impl AdminVerb {
    /// The method that is called.
    pub fn method(self) -> &'static str {
        match self {
            Self::Reset => "sessions.reset",
            Self::Delete => "sessions.delete",
            Self::Patch => "sessions.patch",
            Self::List => "sessions_list",
            Self::History => "sessions_history",
        }
    }
}

/// The gateway's process dies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Crash {
    /// Right after this, or, if `before` is given too, at some point after it. Nothing given means
    /// at the step's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Anchor>,
    /// Right before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Anchor>,
    /// The run whose anchors these are, by name: it may also be a message's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// In place of anchors: after so many effects of the play; 0 is before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effects: Option<usize>,
    /// The gateway worked on the step before this one, and none of its effects reached the world
    /// but what it wrote to its own disk.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reply_withheld: bool,
    /// With `effects`: it falls while the next effect begins; of a record, half reaches the disk.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub torn: bool,
    /// With `effects`: the gateway was told what leads to the next effect, and dies right before
    /// it; of a record, nothing reaches the disk.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub before_next: bool,
    /// How long it stays down; a second if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down: Option<Span>,
    /// What becomes of runs in flight.
    #[serde(skip_serializing_if = "RunsAfterCrash::is_lost")]
    pub runs: RunsAfterCrash,
}

/// A point in the life of a run that can be seen from outside.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// Its `StartRun` was asked for.
    Started,
    /// The call that asked for it was answered.
    Answered,
    /// The gateway was told that it ended.
    Ended,
    /// A delivery that tells of it was asked for.
    Deliver,
    /// The channel posted that delivery.
    Accepted,
    /// The gateway was told so.
    Receipt,
}

/// Where a crash falls, once its form was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// At the step's time.
    Time,
    /// Right after an anchor.
    After(Anchor),
    /// Right before an anchor, once the other one was passed if there is one.
    Before(Anchor, Option<Anchor>),
    /// After so many effects.
    Effects(usize),
    /// At the step's time, and the reply before it never reached the world.
    Withheld,
}

/// What becomes of runs in flight when the gateway dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunsAfterCrash {
    /// They die with it.
    #[default]
    Lost,
    /// They go on, and the next life hears of them.
    Kept,
}

impl RunsAfterCrash {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for this signature"
    )]
    fn is_lost(&self) -> bool {
        *self == Self::Lost
    }
}

impl Crash {
    /// Where it falls.
    pub fn point(&self) -> CrashPoint {
        match (self.effects, self.after, self.before) {
            (Some(effects), _, _) => CrashPoint::Effects(effects),
            (None, after, Some(before)) => CrashPoint::Before(before, after),
            (None, Some(after), None) => CrashPoint::After(after),
            (None, None, None) if self.reply_withheld => CrashPoint::Withheld,
            (None, None, None) => CrashPoint::Time,
        }
    }

    /// How long the gateway stays down.
    pub fn downtime(&self) -> Span {
        self.down.unwrap_or(Span::secs(1))
    }
}

/// The number of a step, and of a part of it: what an unnamed message is named after.
#[derive(Clone, Debug)]
pub struct StepNumber(String);

impl StepNumber {
    /// Of a step by its index.
    pub fn top(index: usize) -> Self {
        Self((index + 1).to_string())
    }

    /// Of a part of a step by its index in it.
    pub fn part(&self, index: usize) -> Self {
        Self(format!("{}.{}", self.0, index + 1))
    }

    /// The name of something that the author left unnamed.
    pub fn name(&self, letter: char) -> String {
        format!("{letter}{}", self.0)
    }
}

impl Step {
    pub(super) fn collect_names(&self, number: &StepNumber, names: &mut Vec<Marker>) {
        self.verb.collect_names(number, names);
    }
}

impl Verb {
    /// The name of the message, call or turn that this is, given or derived from its number.
    pub fn name(&self, number: &StepNumber) -> Option<String> {
        let (given, letter) = match self {
            Self::Says(say) => (&say.name, 'm'),
            Self::Runs { name, .. } => (name, 'p'),
            Self::Beats { name, .. } => (name, 'h'),
            Self::Admin { name, .. } => return name.clone(),
            Self::Ends { .. }
            | Self::Posts { .. }
            | Self::ThreadBecomes { .. }
            | Self::Moves { .. }
            | Self::Crash(_)
            | Self::Restarts(_)
            | Self::Compacts(_)
            | Self::Configures(_)
            | Self::Note(_)
            | Self::AtOnce(_) => return None,
        };
        Some(given.clone().unwrap_or_else(|| number.name(letter)))
    }

    /// The script that comes with it.
    pub fn script(&self) -> Option<&[Action]> {
        match self {
            Self::Says(say) => say.agent.as_deref(),
            Self::Runs { agent, .. } | Self::Beats { agent, .. } | Self::Ends { agent, .. } => {
                agent.as_deref()
            }
            Self::Posts { .. }
            | Self::Admin { .. }
            | Self::ThreadBecomes { .. }
            | Self::Moves { .. }
            | Self::Crash(_)
            | Self::Restarts(_)
            | Self::Compacts(_)
            | Self::Configures(_)
            | Self::Note(_)
            | Self::AtOnce(_) => None,
        }
    }

    /// The script that comes with it, or could, to be changed.
    pub fn script_mut(&mut self) -> Option<&mut Option<Vec<Action>>> {
        match self {
            Self::Says(say) => Some(&mut say.agent),
            Self::Runs { agent, .. } | Self::Beats { agent, .. } | Self::Ends { agent, .. } => {
                Some(agent)
            }
            Self::Posts { .. }
            | Self::Admin { .. }
            | Self::ThreadBecomes { .. }
            | Self::Moves { .. }
            | Self::Crash(_)
            | Self::Restarts(_)
            | Self::Compacts(_)
            | Self::Configures(_)
            | Self::Note(_)
            | Self::AtOnce(_) => None,
        }
    }

    fn collect_names(&self, number: &StepNumber, names: &mut Vec<Marker>) {
        names.extend(self.name(number).map(Marker::from));
        collect_script_names(self.script().unwrap_or_default(), names);
        if let Self::AtOnce(verbs) = self {
            for (index, verb) in verbs.iter().enumerate() {
                verb.collect_names(&number.part(index), names);
            }
        }
    }
}

fn collect_script_names(script: &[Action], names: &mut Vec<Marker>) {
    for (name, agent) in script.iter().flat_map(Action::texts) {
        names.push(Marker::from(name));
        collect_script_names(agent.unwrap_or_default(), names);
    }
}
