//! `channels`: what holds on one channel, and for one of its accounts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::bindings::ThreadBindings;
use super::{Config, Layer, Layers};
use crate::address::Address;
use crate::id::{AccountId, ChannelId};

/// `channels.<channel>`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ChannelConfig {
    /// In groups only messages that mention the gateway are for it.
    pub require_mention: Option<bool>,
    /// What other bots write is for the gateway too.
    pub allow_bots: Option<bool>,
    /// Bindings on this channel.
    pub thread_bindings: ThreadBindings,
    /// Accounts, by name.
    pub accounts: BTreeMap<AccountId, AccountConfig>,
}

/// `channels.<channel>.accounts.<account>`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccountConfig {
    /// Whether the account is at work: hears, speaks, and has bindings.
    pub enabled: Option<bool>,
    /// In groups only messages that mention the gateway are for it.
    pub require_mention: Option<bool>,
    /// What other bots write is for the gateway too.
    pub allow_bots: Option<bool>,
    /// Bindings of this account.
    pub thread_bindings: ThreadBindings,
}

impl Config {
    /// Whether the account of an address is at work. Unless said otherwise it is.
    pub fn account_enabled(&self, at: &Address) -> bool {
        let account = || self.scopes(at).0?.enabled;
        self.channels.is_empty() || account().unwrap_or(true)
    }

    /// The accounts that are switched off.
    pub fn stopped_accounts(&self) -> impl Iterator<Item = (&ChannelId, &AccountId)> {
        let accounts = self.channels.iter().flat_map(|(id, channel)| {
            let accounts = channel.accounts.iter();
            accounts.map(move |(account, own)| (id, account, own))
        });
        let stopped = accounts.filter(|(_, _, own)| own.enabled == Some(false));
        stopped.map(|(id, account, _)| (id, account))
    }

    /// What is said of the account and of the channel of an address.
    fn scopes(&self, at: &Address) -> (Option<&AccountConfig>, Option<&ChannelConfig>) {
        let channel = self.channels.get(&at.channel);
        let account = channel.and_then(|channel| channel.accounts.get(&at.account));
        (account, channel)
    }

    /// What each layer says of whether groups there must mention the gateway to be heard.
    pub fn mention_rules(&self, at: &Address) -> Layers<bool> {
        let (account, channel) = self.scopes(at);
        Layers::default()
            .with(Layer::Account, account.and_then(|own| own.require_mention))
            .with(Layer::Channel, channel.and_then(|own| own.require_mention))
    }

    /// Whether groups there must mention the gateway to be heard. Unless said otherwise they need
    /// not.
    pub fn requires_mention(&self, at: &Address) -> bool {
        !self.channels.is_empty() && self.mention_rules(at).decided().unwrap_or(false)
    }

    /// What each layer says of whether other bots are heard there.
    pub fn bot_rules(&self, at: &Address) -> Layers<bool> {
        let (account, channel) = self.scopes(at);
        Layers::default()
            .with(Layer::Account, account.and_then(|own| own.allow_bots))
            .with(Layer::Channel, channel.and_then(|own| own.allow_bots))
    }

    /// Whether other bots are heard there. Unless said otherwise they are not.
    pub fn allows_bots(&self, at: &Address) -> bool {
        self.bot_rules(at).decided().unwrap_or(false)
    }
}
