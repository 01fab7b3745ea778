//! What a channel declares. Behaviour follows these declarations and never a channel's name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, ChannelId, Text};
use crate::time::Span;

/// A channel as the gateway is told of it when it opens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    /// Its name in addresses and in the configuration.
    pub id: ChannelId,
    /// The gateway's accounts on it; the first is the one named `default` where there is one.
    pub accounts: Vec<AccountId>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How its plugin wants sub-agents to be threaded.
    #[serde(default)]
    pub threading: Threading,
}

/// What a channel can do. `None` means unknown or not applicable, never "no limit was found".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// How a conversation can be tied to a session.
    pub threads: Threads,
    /// The longest text in one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_limit: Option<TextLimit>,
    /// For how long the channel recognises a delivery's key and posts nothing the second time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_window: Option<Span>,
    /// How long after a person's last message the gateway may still write to them unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_window: Option<Span>,
    /// After how long without activity a thread is archived by the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archives_after: Option<Span>,
    /// When a message that was not taken comes again, each counted from the one before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redelivers_after: Vec<Span>,
    /// Whether two ids that differ only in case are two. Unless the channel says otherwise they
    /// are.
    #[serde(default, skip_serializing_if = "IdCase::is_kept")]
    pub id_case: IdCase,
}

/// What case means in the ids of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdCase {
    /// Two ids that differ in case are two.
    #[default]
    Kept,
    /// They are one.
    Folded,
}

impl IdCase {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for this signature"
    )]
    fn is_kept(&self) -> bool {
        *self == Self::Kept
    }
}

/// How a conversation of the channel can be tied to a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threads {
    /// Where a binding is made.
    pub placement: Placement,
    /// Whether that works in direct conversations too.
    #[serde(default)]
    pub in_direct: bool,
}

/// Where a binding is made on a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Nowhere: the channel cannot bind.
    #[default]
    None,
    /// In a thread that is opened for it.
    Child,
    /// In the conversation or thread the request came from.
    Current,
}

/// The longest text in one message, and how it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextLimit {
    /// How many units.
    pub max: usize,
    /// Of what.
    pub unit: TextUnit,
}

/// What a text limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextUnit {
    /// Unicode scalar values.
    Characters,
    /// UTF-16 code units.
    Utf16,
    /// UTF-8 bytes.
    Bytes,
}

impl TextUnit {
    /// How many units a text has.
    pub fn count(self, text: &str) -> usize {
        match self {
            Self::Characters => text.chars().count(),
            Self::Utf16 => text.chars().map(char::len_utf16).sum(),
            Self::Bytes => text.len(),
        }
    }

    /// How many units one character has.
    pub fn of(self, character: char) -> usize {
        match self {
            Self::Characters => 1,
            Self::Utf16 => character.len_utf16(),
            Self::Bytes => character.len_utf8(),
        }
    }
}

/// The threading policy a channel plugin declares; both keys absent change nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Threading {
    /// A sub-agent is always given a thread.
    #[serde(default)]
    pub requires_thread_for_subagents: bool,
    /// A sub-agent's mode is always `session`.
    #[serde(default)]
    pub auto_inject_thread_params: bool,
}

/// Where a fact about a channel was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The page, package or document.
    #[serde(rename = "where")]
    pub place: Text,
    /// What it supports.
    pub supports: Text,
    /// What kind of source it is: `V` vendor text, `T` vendor types, `O` a leading gateway's
    /// documentation, `P` a third party, `R` recalled and unverified.
    pub class: Text,
}
