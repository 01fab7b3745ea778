//! `channels`: what holds on one channel, and for one of its accounts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Config;
use super::bindings::ThreadBindings;
use crate::id::{AccountId, ChannelId};

/// `channels.<channel>`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ChannelConfig {
    /// In groups only messages that mention the gateway are for it.
    pub require_mention: bool,
    /// Bindings on this channel.
    pub thread_bindings: ThreadBindings,
    /// Accounts, by name.
    pub accounts: BTreeMap<AccountId, AccountConfig>,
}

/// `channels.<channel>.accounts.<account>`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccountConfig {
    /// Bindings of this account.
    pub thread_bindings: ThreadBindings,
}

impl Config {
    /// Whether groups on a channel must mention the gateway to be heard.
    pub fn requires_mention(&self, channel: &ChannelId) -> bool {
        self.channels
            .get(channel)
            .is_some_and(|channel| channel.require_mention)
    }
}
