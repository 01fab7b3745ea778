//! `messages`: what happens to people's messages while their session is busy.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Config, Layer, Layers, number};
use crate::id::ChannelId;

/// `messages`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MessagesConfig {
    /// How messages wait.
    pub queue: QueueConfig,
}

/// `messages.queue`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct QueueConfig {
    /// What a message does that finds its session busy.
    pub mode: Option<QueueMode>,
    /// The same, by channel.
    pub by_channel: BTreeMap<ChannelId, QueueMode>,
    /// How many messages of people may wait for one session.
    #[serde(deserialize_with = "number::at_least_one")]
    pub cap: Option<u32>,
    /// Which one is given up where more come.
    pub drop: Option<DropPolicy>,
}

/// `messages.queue.mode`: what a message does that finds its session busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueMode {
    /// It waits, and has a turn of its own.
    #[default]
    Followup,
    /// It is steered into the run, where that answers the same person in the same place; else it
    /// waits.
    Steer,
    /// It is steered too, one message at a time: the older name of that.
    Queue,
    /// It waits, and what one person wrote in one place meanwhile has one turn together.
    Collect,
}

/// `messages.queue.drop`: which message is given up, aloud, where too many wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropPolicy {
    /// The one that has waited longest.
    Old,
    /// The one that came last.
    #[default]
    New,
}

impl Config {
    /// What each layer says of messages from a channel that find their session busy.
    pub fn queue_mode(&self, channel: &ChannelId) -> Layers<QueueMode> {
        let queue = &self.messages.queue;
        Layers::default()
            .with(Layer::Channel, queue.by_channel.get(channel).copied())
            .with(Layer::Default, queue.mode)
    }
}
