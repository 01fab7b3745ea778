//! Everything needed to play once: people, places, channels, configuration, steps with times,
//! agents' scripts, faults and crash points. Playing it draws no random number.

mod check;
mod expect;
mod fault;
mod fixture;
mod position;
mod script;
mod step;
mod unmet;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, Place};
use crate::channel::{Capabilities, Threading};
use crate::id::{
    AccountId, AgentId, ChannelId, ConversationId, Marker, PersonId, SessionKey, ThreadId,
};

pub use check::Problem;
pub use expect::{Expect, Expectation};
pub use fault::{
    Fault, InboundFault, ProbeFault, ReceiptFault, ReceiptOutcome, StartFault, SteerFault,
    ThreadFault,
};
pub use fixture::{Fixture, FixtureError};
pub use script::{Action, Ending, MethodCall, SendText, SendTo, Spawn};
pub use step::{
    AdminVerb, Anchor, Crash, CrashPoint, RunsAfterCrash, Say, Step, StepNumber, Verb, When,
};
pub use unmet::{Unmet, unmet};

/// One story, complete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The schema that editors check it against.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// What must hold, as a sentence.
    pub title: String,
    /// The report it reproduces, or the text it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The calendar instant of time zero, as RFC 3339.
    #[serde(default = "default_start", skip_serializing_if = "is_default_start")]
    pub starts_at: String,
    /// The gateway's IANA time zone.
    #[serde(default = "default_zone", skip_serializing_if = "is_default_zone")]
    pub timezone: String,
    /// The profile it speaks of; it says nothing about gateways of another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Dials it needs to stand so; it says nothing about gateways where they don't.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dials: BTreeMap<String, Value>,
    /// Channels that are other than their name says: further accounts, another threading policy.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<ChannelId, ChannelForm>,
    /// People, and where each writes unless a step says otherwise.
    pub people: BTreeMap<PersonId, Home>,
    /// Further places, by a name for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, Home>,
    /// The agents; the first is the default one.
    #[serde(default = "default_agents", skip_serializing_if = "is_default_agents")]
    pub agents: Vec<AgentId>,
    /// The gateway's configuration, in the keys of OpenClaw.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub config: Value,
    /// What stands on the gateway's disk before its first life: files of an older form, for a
    /// gateway whose disk the harness holds. One that is text stands there as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disk: Vec<Value>,
    /// How many texts an agent's context takes before its transcript is compacted; without it only
    /// steps compact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_limit: Option<usize>,
    /// What goes wrong, beside what the steps tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What must be seen, beside the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expect>,
    /// The rules that this story witnesses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// The broken gateway that fails here for the reason the report gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reproduced_by: Option<String>,
}

/// Where a story comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The issue or pull request: `openclaw/openclaw#47443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<String>,
    /// The report's id in our list: `CL-001`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bug: Option<String>,
    /// The version it was seen in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What else there is to say about where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A channel of the story.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelForm {
    /// The channel profile it follows; the one of its own name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// The gateway's accounts on it, beside those where people and places are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountId>,
    /// The threading policy its plugin declares, in place of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threading: Option<Threading>,
    /// What it can do, in place of what the profile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
}

/// Where somebody writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Home {
    /// The channel.
    pub channel: ChannelId,
    /// The gateway's account there.
    #[serde(
        default = "default_account",
        skip_serializing_if = "is_default_account"
    )]
    pub account: AccountId,
    /// The conversation; named after the person or place if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// The thread in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// What it is.
    #[serde(default)]
    pub kind: Place,
}

/// A place in a story: the home of a person, a named place, or a thread by the order of opening.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "the name of a person or a place, or {\"thread\": 1} for the first thread opened"
)]
pub enum Where {
    /// A person's home, or a place.
    Named(String),
    /// The n-th thread that was opened in the play, from 1.
    Thread {
        /// Its number.
        thread: usize,
    },
}

/// A session in a story: a key (it has a colon), the name of a run, or of a person or place whose
/// messages it takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SessionRef(pub String);

impl SessionRef {
    /// The key, where it is one.
    pub fn key(&self) -> Option<SessionKey> {
        self.0
            .contains(':')
            .then(|| SessionKey::from(self.0.as_str()))
    }
}

impl Home {
    /// Its address; `name` is the person's or place's.
    pub fn address(&self, name: &str) -> Address {
        Address {
            channel: self.channel.clone(),
            account: self.account.clone(),
            conversation: self.conversation.clone().unwrap_or_else(|| name.into()),
            thread: self.thread.clone(),
        }
    }
}

impl Scenario {
    /// The address of a person's home or of a place.
    pub fn address(&self, name: &str) -> Option<Address> {
        self.home(name).map(|home| home.address(name))
    }

    /// A person's home or a place.
    pub fn home(&self, name: &str) -> Option<&Home> {
        self.places.get(name).or_else(|| self.people.get(name))
    }

    /// The names of messages, runs and calls that its steps and scripts give, in order. Each is a
    /// marker too.
    pub fn names(&self) -> Vec<Marker> {
        let mut names = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            step.collect_names(&step::StepNumber::top(index), &mut names);
        }
        names
    }
}

fn default_start() -> String {
    "2026-03-02T09:00:00Z".to_owned()
}

fn is_default_start(text: &str) -> bool {
    text == default_start()
}

fn default_zone() -> String {
    "UTC".to_owned()
}

fn is_default_zone(text: &str) -> bool {
    text == "UTC"
}

fn default_agents() -> Vec<AgentId> {
    vec!["main".into()]
}

fn is_default_agents(agents: &[AgentId]) -> bool {
    agents == default_agents()
}

fn default_account() -> AccountId {
    "default".into()
}

fn is_default_account(account: &AccountId) -> bool {
    account.as_str() == "default"
}
