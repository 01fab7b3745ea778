//! Where a message can go, and whom a run answers to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, ChannelId, ConversationId, PersonId, SessionKey, ThreadId};

/// A conversation as one account sees it, and the thread in it if there is one.
///
/// An address is a whole. It is captured once and passed on; no field is ever replaced by that of
/// another address, which is why there is no builder.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Address {
    /// The channel that carries it.
    pub channel: ChannelId,
    /// The gateway's account on that channel; `default` where there is but one.
    pub account: AccountId,
    /// The direct or group conversation.
    pub conversation: ConversationId,
    /// The thread in the conversation; absent for the conversation itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
}

impl Address {
    /// The same conversation without its thread.
    pub fn without_thread(&self) -> Self {
        Self {
            thread: None,
            ..self.clone()
        }
    }

    /// A thread in this conversation.
    pub fn with_thread(&self, thread: ThreadId) -> Self {
        Self {
            thread: Some(thread),
            ..self.clone()
        }
    }
}

/// `telegram/alice`, `discord/general#t1`, `telegram:work/alice`: the account only where it is not
/// the default one.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.channel)?;
        if self.account.as_str() != "default" {
            write!(f, ":{}", self.account)?;
        }
        write!(f, "/{}", self.conversation)?;
        self.thread
            .as_ref()
            .map_or(Ok(()), |thread| write!(f, "#{thread}"))
    }
}

/// What a conversation is, as the channel says with each message.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// One person and the gateway's account.
    #[default]
    Direct,
    /// Several people and the gateway's account.
    Group,
    /// A thread inside a conversation.
    Thread,
}

/// Recorded when a run is asked for and never edited: where its completion belongs.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Origin {
    /// The whole address of the conversation the request came from.
    pub address: Address,
    /// The person at whose request it happens, where a person asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// The session that asked, where a session asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<SessionKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_aloud() {
        let plain = Address {
            channel: "telegram".into(),
            account: "default".into(),
            conversation: "alice".into(),
            thread: None,
        };
        assert_eq!(plain.to_string(), "telegram/alice");
        assert_eq!(
            plain.with_thread("t1".into()).to_string(),
            "telegram/alice#t1"
        );
        let work = Address {
            account: "work".into(),
            ..plain
        };
        assert_eq!(work.to_string(), "telegram:work/alice");
    }
}
