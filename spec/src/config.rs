//! The configuration a gateway is given, in the keys of OpenClaw, and the one precedence that holds
//! everywhere: account, channel, session, default.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::address::{Address, Place};
use crate::id::{AccountId, ChannelId, PersonId};
use crate::profile::ResetDefault;
use crate::time::Span;

/// A configuration that was understood.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Sessions: whose messages meet, and when memory is dropped.
    pub session: SessionConfig,
    /// Channels, by name.
    pub channels: BTreeMap<ChannelId, ChannelConfig>,
    /// Agents.
    pub agents: AgentsConfig,
}

/// `session`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SessionConfig {
    /// Which direct messages share a session.
    pub dm_scope: DmScope,
    /// One name for several peers: `{"alice": ["telegram:123", "discord:456"]}`.
    pub identity_links: BTreeMap<String, Vec<String>>,
    /// The reset policy.
    pub reset: Option<ResetConfig>,
    /// What overrides it field by field, by the kind of conversation.
    pub reset_by_type: ResetByType,
    /// What replaces it whole, by channel.
    pub reset_by_channel: BTreeMap<ChannelId, ResetConfig>,
    /// The legacy form of `reset.idleMinutes`.
    #[serde(deserialize_with = "minutes")]
    pub idle_minutes: Option<u64>,
    /// Bindings on every channel.
    pub thread_bindings: ThreadBindings,
}

/// `session.dmScope`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DmScope {
    /// All direct messages share the agent's main session.
    #[default]
    Main,
    /// One session for each person, on whatever channel.
    PerPeer,
    /// One for each person and channel.
    PerChannelPeer,
    /// One for each person, channel and account.
    PerAccountChannelPeer,
}

/// `session.reset` and its overrides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResetConfig {
    /// Which of the two limits is the main one.
    pub mode: Option<ResetMode>,
    /// The hour of the daily reset, 0 to 23, in the gateway's time zone.
    #[serde(deserialize_with = "hour")]
    pub at_hour: Option<u8>,
    /// The idle limit in minutes, at least 1.
    #[serde(deserialize_with = "minutes")]
    pub idle_minutes: Option<u64>,
}

/// `session.reset.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResetMode {
    /// Each day at an hour; with `idleMinutes` also after that idle time.
    Daily,
    /// After an idle time only.
    Idle,
    /// Never.
    None,
}

/// `session.resetByType`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResetByType {
    /// In direct conversations.
    pub direct: Option<ResetConfig>,
    /// In groups.
    pub group: Option<ResetConfig>,
    /// In threads.
    pub thread: Option<ResetConfig>,
}

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

/// `threadBindings`, at any level. What is absent is decided by the next level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ThreadBindings {
    /// Whether there are any.
    pub enabled: Option<bool>,
    /// The idle timeout in hours; 0 disables it.
    #[serde(deserialize_with = "hours")]
    pub idle_hours: Option<Span>,
    /// The max age in hours; 0 disables it.
    #[serde(deserialize_with = "hours")]
    pub max_age_hours: Option<Span>,
    /// The opt-in for spawns that ask for a thread.
    pub spawn_subagent_sessions: Option<bool>,
}

/// `agents`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AgentsConfig {
    /// What holds for every agent.
    pub defaults: AgentDefaults,
}

/// `agents.defaults`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AgentDefaults {
    /// Children.
    pub subagents: SubagentsConfig,
    /// Turns that nobody asked for.
    pub heartbeat: HeartbeatConfig,
}

/// `agents.defaults.subagents`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SubagentsConfig {
    /// How deep children may have children.
    pub max_spawn_depth: Option<u32>,
    /// How many children of one session may run at a time.
    pub max_children_per_agent: Option<u32>,
}

/// `agents.defaults.heartbeat`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HeartbeatConfig {
    /// Where its output goes; nowhere if absent.
    pub to: Option<Address>,
}

/// Why a configuration was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct ConfigError {
    /// The key it stands at: `session.reset.idleMinutes`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// The two limits of a binding; `None` is a limit switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limits {
    /// How long without activity.
    pub idle: Option<Span>,
    /// How long at most.
    pub max_age: Option<Span>,
}

/// The reset policy of one conversation; `None` is a limit switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetPolicy {
    /// The hour of the daily reset.
    pub daily_at: Option<u8>,
    /// The idle time which, exceeded, resets.
    pub idle: Option<Span>,
}

impl Config {
    /// Reads a configuration. An absent one is empty.
    pub fn read(value: &Value) -> Result<Self, ConfigError> {
        if value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty) {
            return Ok(Self::default());
        }
        // Keeping track of the path takes most of the time, and only an error needs it.
        Self::deserialize(value).or_else(|_| {
            serde_path_to_error::deserialize(value).map_err(|error| ConfigError {
                path: error.path().to_string(),
                why: error.inner().to_string(),
            })
        })
    }

    /// The levels of `threadBindings` that hold at an address, the strongest first.
    fn binding_levels(&self, at: &Address) -> impl Iterator<Item = &ThreadBindings> {
        let channel = self.channels.get(&at.channel);
        let account = channel.and_then(|channel| channel.accounts.get(&at.account));
        let account = account.map(|account| &account.thread_bindings);
        let channel = channel.map(|channel| &channel.thread_bindings);
        account
            .into_iter()
            .chain(channel)
            .chain([&self.session.thread_bindings])
    }

    /// Whether conversations can be bound there. Unless said otherwise they can.
    pub fn bindings_enabled(&self, at: &Address) -> bool {
        self.binding_levels(at)
            .find_map(|level| level.enabled)
            .unwrap_or(true)
    }

    /// Whether a spawn may ask for a thread there; `None` where nobody said so.
    pub fn spawn_may_bind(&self, at: &Address) -> Option<bool> {
        self.binding_levels(at)
            .find_map(|level| level.spawn_subagent_sessions)
    }

    /// The limits of a binding made there: 24 hours idle and no max age unless said otherwise.
    pub fn binding_limits(&self, at: &Address) -> Limits {
        let idle = self.binding_levels(at).find_map(|level| level.idle_hours);
        let max_age = self
            .binding_levels(at)
            .find_map(|level| level.max_age_hours);
        let on = |span: Span| (!span.is_zero()).then_some(span);
        Limits {
            idle: on(idle.unwrap_or(Span::hours(24))),
            max_age: max_age.and_then(on),
        }
    }

    /// The reset policy of a conversation: that of its channel as a whole, else field by field that
    /// of its kind, the general one, the legacy one, the default.
    pub fn reset_policy(
        &self,
        channel: &ChannelId,
        kind: Place,
        default: ResetDefault,
    ) -> ResetPolicy {
        let session = &self.session;
        if let Some(whole) = session.reset_by_channel.get(channel) {
            return whole.policy(ResetMode::Daily);
        }
        let by_type = match kind {
            Place::Direct => session.reset_by_type.direct,
            Place::Group => session.reset_by_type.group,
            Place::Thread => session.reset_by_type.thread,
        };
        let base = session.reset;
        let field = |by_type: Option<ResetConfig>| ResetConfig {
            mode: by_type.and_then(|c| c.mode).or(base.and_then(|c| c.mode)),
            at_hour: by_type
                .and_then(|c| c.at_hour)
                .or(base.and_then(|c| c.at_hour)),
            idle_minutes: by_type
                .and_then(|c| c.idle_minutes)
                .or(base.and_then(|c| c.idle_minutes))
                .or(session.idle_minutes),
        };
        let default = match (default, by_type.or(base), session.idle_minutes) {
            (_, Some(_), _) => ResetMode::Daily,
            (_, None, Some(_)) => ResetMode::Idle,
            (ResetDefault::None, None, None) => ResetMode::None,
            (ResetDefault::DailyAt4, None, None) => ResetMode::Daily,
        };
        field(by_type).policy(default)
    }

    /// The name under which a person is known on a channel: that of an identity link, else their
    /// own.
    pub fn linked<'a>(&'a self, channel: &ChannelId, person: &'a PersonId) -> &'a str {
        let full = || format!("{channel}:{person}");
        let is_them = |peer: &String| {
            peer.eq_ignore_ascii_case(person.as_str()) || peer.eq_ignore_ascii_case(&full())
        };
        let links = &self.session.identity_links;
        let link = links.iter().find(|(_, peers)| peers.iter().any(is_them));
        link.map_or(person.as_str(), |(name, _)| name)
    }

    /// Whether groups on a channel must mention the gateway to be heard.
    pub fn requires_mention(&self, channel: &ChannelId) -> bool {
        self.channels
            .get(channel)
            .is_some_and(|channel| channel.require_mention)
    }
}

impl ResetConfig {
    fn policy(self, default: ResetMode) -> ResetPolicy {
        let idle = self.idle_minutes.map(Span::mins);
        match self.mode.unwrap_or(default) {
            ResetMode::Daily => ResetPolicy {
                daily_at: Some(self.at_hour.unwrap_or(4)),
                idle,
            },
            ResetMode::Idle => ResetPolicy {
                daily_at: None,
                idle,
            },
            ResetMode::None => ResetPolicy::default(),
        }
    }
}

fn hours<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    let Some(hours) = Option::<f64>::deserialize(deserializer)? else {
        return Ok(None);
    };
    Span::from_hours(hours).map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "{hours} is no number of hours; write 0 or more, 0 disables"
        ))
    })
}

fn minutes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Option::<u64>::deserialize(deserializer)? {
        Some(0) => Err(serde::de::Error::custom(
            "0 is no idle time; write 1 or more, or leave it out and nothing resets by idling",
        )),
        minutes => Ok(minutes),
    }
}

fn hour<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    match Option::<u8>::deserialize(deserializer)? {
        Some(hour) if hour > 23 => Err(serde::de::Error::custom(format!(
            "{hour} is no hour; write 0 to 23"
        ))),
        hour => Ok(hour),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn discord(account: &str) -> Address {
        Address {
            channel: "discord".into(),
            account: account.into(),
            conversation: "general".into(),
            thread: None,
        }
    }

    #[track_caller]
    fn limits(config: Value, idle: Option<Span>, max_age: Option<Span>) {
        let config = Config::read(&config).unwrap();
        assert_eq!(
            config.binding_limits(&discord("work")),
            Limits { idle, max_age }
        );
    }

    #[test]
    fn the_nearest_level_decides_each_limit() {
        limits(json!({}), Some(Span::hours(24)), None);
        limits(
            json!({"session": {"threadBindings": {"idleHours": 12}}}),
            Some(Span::hours(12)),
            None,
        );
        // Zero is a value, not absence.
        let zero = json!({"channels": {"discord": {"threadBindings": {"idleHours": 0}}},
            "session": {"threadBindings": {"idleHours": 12, "maxAgeHours": 1}}});
        limits(zero, None, Some(Span::hours(1)));
        let account = json!({"channels": {"discord": {"threadBindings": {"idleHours": 0},
            "accounts": {"work": {"threadBindings": {"idleHours": 0.5}}}}}});
        limits(account, Some(Span::mins(30)), None);
    }

    #[track_caller]
    fn refused(config: Value, path: &str, why: &str) {
        let error = Config::read(&config).unwrap_err();
        assert_eq!(error.path, path);
        assert!(error.why.contains(why), "{error}");
    }

    #[test]
    fn what_is_not_understood_is_refused_at_its_path() {
        refused(
            json!({"session": {"reset": {"idleMinutes": 0}}}),
            "session.reset.idleMinutes",
            "1 or more",
        );
        refused(
            json!({"session": {"reset": {"atHour": 24}}}),
            "session.reset.atHour",
            "0 to 23",
        );
        refused(json!({"sesion": {}}), "sesion", "unknown field `sesion`");
        refused(
            json!({"channels": {"x": {"threadBindings": {"idleHours": -1}}}}),
            "channels.x.threadBindings.idleHours",
            "0 or more",
        );
    }

    #[track_caller]
    fn policy(session: Value, kind: Place, daily_at: Option<u8>, idle: Option<u64>) {
        let config = Config::read(&json!({"session": session})).unwrap();
        let found = config.reset_policy(&"telegram".into(), kind, ResetDefault::None);
        assert_eq!(
            found,
            ResetPolicy {
                daily_at,
                idle: idle.map(Span::mins)
            },
            "{session}"
        );
    }

    #[test]
    fn reset_policies_by_channel_type_and_default() {
        policy(json!({}), Place::Direct, None, None);
        policy(json!({"reset": {}}), Place::Direct, Some(4), None);
        policy(
            json!({"reset": {"mode": "idle", "idleMinutes": 120}}),
            Place::Direct,
            None,
            Some(120),
        );
        policy(json!({"reset": {"mode": "idle"}}), Place::Group, None, None);
        let group = json!({"reset": {"mode": "daily", "atHour": 5}, "resetByType": {"group": {"idleMinutes": 15}}});
        policy(group.clone(), Place::Group, Some(5), Some(15));
        policy(group, Place::Direct, Some(5), None);
        let channel = json!({"reset": {"atHour": 5}, "resetByType": {"direct": {"idleMinutes": 15}},
            "resetByChannel": {"telegram": {"mode": "idle", "idleMinutes": 7}}});
        policy(channel, Place::Direct, None, Some(7));
    }
}
