//! Names of things. Each is its own type, so that a run is never taken for a delivery.
//!
//! An id is text chosen by whoever made the thing: the scenario names people and channels, the
//! gateway names sessions, runs and deliveries, the world names messages and threads. Nothing here
//! reads meaning into the letters. Short ids are stored inline, so a clone costs a copy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Text that is cloned into stimuli, effects and trace entries; a clone never copies a long text.
pub type Text = SmolStr;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[derive(JsonSchema)]
        #[serde(transparent)]
        pub struct $name(#[schemars(with = "String")] SmolStr);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<SmolStr>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

ids! {
    /// A person who writes in conversations; named by the scenario.
    PersonId;
    /// A channel, by the name the configuration gives it. Never tested for by code.
    ChannelId;
    /// One of the gateway's accounts (bots) on a channel.
    AccountId;
    /// A direct or group conversation on a channel.
    ConversationId;
    /// A thread inside a conversation.
    ThreadId;
    /// An inbound or posted message, as the channel names it.
    MessageId;
    /// A configured agent.
    AgentId;
    /// The name under which a session is addressed; its owner chooses it.
    SessionKey;
    /// The name a gateway gave one incarnation of a session.
    SessionId;
    /// One execution of an agent.
    RunId;
    /// One attempt to steer a text into a run.
    SteerId;
    /// One message on its way to one address.
    DeliveryId;
    /// One question to a channel: open a thread, probe a thread.
    RequestId;
    /// One call of a method of the gateway.
    CallId;
    /// A unique token in a scripted text, by which information is followed. Written `⟦m1⟧`.
    Marker;
}
