//! A step as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AdminVerb, Crash, Say, Step, Verb, When};
use crate::id::{MessageId, PersonId, SessionKey};
use crate::scenario::{Action, SessionRef, Where};
use crate::stimulus::{Author, InternalPath, Outcome, ThreadState};
use crate::time::Span;

/// A step as it is written: one verb (`says`, `ends`, `posts`, `runs`, `beats`, `admin`,
/// `thread_becomes`, `moves`, `crash`, `restarts`, `compacts`, `configures`, `note` or `at_once`) and what
/// goes with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Step")]
pub(super) struct StepForm {
    /// When, since the start of the story.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Span>,
    /// When, since the step before.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Span>,
    /// This person writes a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<PersonId>,
    /// The run of this name ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    /// The run of this name says something before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    posts: Option<String>,
    /// A plugin starts a run on this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<SessionKey>,
    /// The clockwork asks for a turn of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    beats: Option<SessionRef>,
    /// The administrator does this to `session`.
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<AdminVerb>,
    /// The thread `in` becomes this.
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_becomes: Option<ThreadState>,
    /// This conversation goes by another id from now on: that of the place `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    moves: Option<Where>,
    /// The place whose id it has then.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Where>,
    /// The gateway dies.
    #[serde(skip_serializing_if = "Option::is_none")]
    crash: Option<Crash>,
    /// The gateway stops cleanly, and starts again so much later.
    #[serde(skip_serializing_if = "Option::is_none")]
    restarts: Option<Span>,
    /// This session's transcript is compacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    compacts: Option<SessionRef>,
    /// The configuration is this from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    configures: Option<Value>,
    /// Nothing happens; the author says something.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// All of these arrive before the gateway runs again.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_once: Option<Vec<Part>>,
    /// Where.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    place: Option<Where>,
    /// What is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// How many characters it is made to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    /// A name for it, which is also its marker.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The message's id on the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageId>,
    /// What wrote the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<Author>,
    /// Whether it mentions the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    mentioned: Option<bool>,
    /// Whether its author may give commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorised: Option<bool>,
    /// The run had ended before: the news of an end comes once more, with these words.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    again: bool,
    /// How a run ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// Which clockwork.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<InternalPath>,
    /// Which session.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionRef>,
    /// Further parameters of what the administrator or the plugin calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<Map<String, Value>>,
    /// What the agent does in the first run whose input holds the marker of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Vec<Action>>,
}

/// One of several things that arrive together: a step without a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "StepForm", into = "StepForm")]
#[schemars(with = "StepForm")]
struct Part(Verb);

impl TryFrom<StepForm> for Part {
    type Error = String;

    fn try_from(form: StepForm) -> Result<Self, String> {
        if form.at.is_some() || form.after.is_some() {
            return Err("what is `at_once` has no `at` and no `after` of its own".to_owned());
        }
        form.into_verb().map(Self)
    }
}

impl From<Part> for StepForm {
    fn from(Part(verb): Part) -> Self {
        Self::from(verb)
    }
}

const VERBS: &str = "says, ends, posts, runs, beats, admin, thread_becomes, moves, crash, \
                     restarts, compacts, configures, note or at_once";

impl TryFrom<StepForm> for Step {
    type Error = String;

    fn try_from(mut form: StepForm) -> Result<Self, String> {
        let when = match (form.at.take(), form.after.take()) {
            (Some(at), None) => When::At(at),
            (None, after) => When::After(after.unwrap_or(Span::ZERO)),
            (Some(_), Some(_)) => return Err("a step has `at` or `after`, not both".to_owned()),
        };
        Ok(Self {
            when,
            verb: form.into_verb()?,
        })
    }
}

impl StepForm {
    fn into_verb(mut self) -> Result<Verb, String> {
        let verb = self.take_verb()?;
        if self == Self::default() {
            return Ok(verb);
        }
        let left = serde_json::to_value(&self).map_err(|error| error.to_string())?;
        let left = left.as_object().into_iter().flatten();
        let keys: Vec<String> = left.map(|(key, _)| format!("`{key}`")).collect();
        let has_verb = self.take_verb().is_ok();
        Err(match has_verb {
            true => format!(
                "a step has one verb, and this one has {} too",
                keys.join(", ")
            ),
            false => format!(
                "this step has {} beside what its verb takes",
                keys.join(", ")
            ),
        })
    }

    fn take_verb(&mut self) -> Result<Verb, String> {
        if let Some(person) = self.says.take() {
            return self.take_say(person).map(Verb::Says);
        }
        if let Some(run) = self.ends.take() {
            let (text, length, agent) = (self.text.take(), self.length.take(), self.agent.take());
            let outcome = self.outcome.take().unwrap_or_default();
            return Ok(Verb::Ends {
                run,
                outcome,
                text,
                length,
                agent,
                again: std::mem::take(&mut self.again),
            });
        }
        if let Some(run) = self.posts.take() {
            return Ok(Verb::Posts {
                run,
                text: self.need_text("posts")?,
            });
        }
        if let Some(key) = self.runs.take() {
            let (name, agent) = (self.name.take(), self.agent.take());
            return Ok(Verb::Runs {
                key,
                text: self.need_text("runs")?,
                with: self.with.take().unwrap_or_default(),
                name,
                agent,
            });
        }
        if let Some(session) = self.beats.take() {
            let path = self.path.take().unwrap_or(InternalPath::Heartbeat);
            let (text, name, agent) = (self.text.take(), self.name.take(), self.agent.take());
            return Ok(Verb::Beats {
                session,
                path,
                text,
                name,
                agent,
            });
        }
        self.take_outer_verb()
    }

    fn take_outer_verb(&mut self) -> Result<Verb, String> {
        if let Some(what) = self.admin.take() {
            let session = self.session.take();
            if session.is_none() && what != AdminVerb::List {
                return Err("`admin` needs `session`".to_owned());
            }
            let (with, name) = (self.with.take().unwrap_or_default(), self.name.take());
            return Ok(Verb::Admin {
                what,
                session,
                with,
                name,
            });
        }
        if let Some(state) = self.thread_becomes.take() {
            let place = self
                .place
                .take()
                .ok_or("`thread_becomes` needs `in`, the thread")?;
            return Ok(Verb::ThreadBecomes { state, place });
        }
        if let Some(place) = self.moves.take() {
            let to = self.to.take().ok_or("`moves` needs `to`, another place")?;
            return Ok(Verb::Moves { place, to });
        }
        if let Some(crash) = self.crash.take() {
            let needs_run = crash.after.or(crash.before).is_some() && crash.of.is_none();
            let one = [
                crash.after.or(crash.before).is_some(),
                crash.effects.is_some(),
                crash.reply_withheld,
            ];
            if crash.torn && crash.effects.is_none() {
                return Err("a crash tears a record only after a number of `effects`".to_owned());
            }
            if crash.before_next && (crash.effects.is_none() || crash.torn) {
                return Err(
                    "a crash falls `before_next` after a number of `effects`, and tears \
                            nothing"
                        .to_owned(),
                );
            }
            return match (needs_run, one.into_iter().filter(|&given| given).count()) {
                (true, _) => Err("a crash at an anchor needs `of`, the run's name".to_owned()),
                (false, 0 | 1) => Ok(Verb::Crash(crash)),
                (false, _) => Err("a crash falls at anchors, after `effects`, or with \
                                   `reply_withheld`: only one of these"
                    .to_owned()),
            };
        }
        let verb = None
            .or_else(|| self.restarts.take().map(Verb::Restarts))
            .or_else(|| self.compacts.take().map(Verb::Compacts))
            .or_else(|| self.configures.take().map(Verb::Configures))
            .or_else(|| self.note.take().map(Verb::Note));
        let parts = self.at_once.take();
        let parts = parts.map(|parts| parts.into_iter().map(|Part(verb)| verb).collect());
        verb.or_else(|| parts.map(Verb::AtOnce))
            .ok_or_else(|| format!("a step has one verb: {VERBS}"))
    }

    fn take_say(&mut self, person: PersonId) -> Result<Say, String> {
        Ok(Say {
            person,
            place: self.place.take(),
            text: self.need_text("says")?,
            name: self.name.take(),
            message: self.message.take(),
            agent: self.agent.take(),
            author: self.author.take(),
            mentioned: self.mentioned.take(),
            authorised: self.authorised.take(),
        })
    }

    fn need_text(&mut self, verb: &str) -> Result<String, String> {
        self.text
            .take()
            .ok_or_else(|| format!("`{verb}` needs `text`"))
    }
}

impl From<Step> for StepForm {
    fn from(step: Step) -> Self {
        let mut form = Self::from(step.verb);
        match step.when {
            When::At(at) => form.at = Some(at),
            When::After(Span::ZERO) => (),
            When::After(after) => form.after = Some(after),
        }
        form
    }
}

impl From<Verb> for StepForm {
    fn from(verb: Verb) -> Self {
        let mut form = Self::default();
        match verb {
            Verb::Says(say) => form.say(say),
            Verb::Ends {
                run,
                outcome,
                text,
                length,
                agent,
                again,
            } => {
                (form.ends, form.text, form.length) = (Some(run), text, length);
                form.outcome = (outcome != Outcome::Ok).then_some(outcome);
                (form.agent, form.again) = (agent, again);
            }
            Verb::Posts { run, text } => (form.posts, form.text) = (Some(run), Some(text)),
            Verb::Runs {
                key,
                text,
                with,
                name,
                agent,
            } => {
                form.with = (!with.is_empty()).then_some(with);
                (form.runs, form.text) = (Some(key), Some(text));
                (form.name, form.agent) = (name, agent);
            }
            Verb::Beats {
                session,
                path,
                text,
                name,
                agent,
            } => {
                (form.beats, form.text) = (Some(session), text);
                form.path = (path != InternalPath::Heartbeat).then_some(path);
                (form.name, form.agent) = (name, agent);
            }
            Verb::Admin {
                what,
                session,
                with,
                name,
            } => {
                (form.admin, form.session, form.name) = (Some(what), session, name);
                form.with = (!with.is_empty()).then_some(with);
            }
            Verb::ThreadBecomes { state, place } => {
                (form.thread_becomes, form.place) = (Some(state), Some(place));
            }
            Verb::Moves { place, to } => (form.moves, form.to) = (Some(place), Some(to)),
            Verb::Crash(crash) => form.crash = Some(crash),
            Verb::Restarts(down) => form.restarts = Some(down),
            Verb::Compacts(session) => form.compacts = Some(session),
            Verb::Configures(config) => form.configures = Some(config),
            Verb::Note(note) => form.note = Some(note),
            Verb::AtOnce(verbs) => form.at_once = Some(verbs.into_iter().map(Part).collect()),
        }
        form
    }
}

impl StepForm {
    fn say(&mut self, say: Say) {
        self.says = Some(say.person);
        self.place = say.place;
        self.text = Some(say.text);
        self.name = say.name;
        self.message = say.message;
        self.agent = say.agent;
        self.author = say.author;
        self.mentioned = say.mentioned;
        self.authorised = say.authorised;
    }
}
