//! `session.reset` and what overrides it: when a session forgets by itself.

use serde::Deserialize;

use super::{Config, number};
use crate::address::Place;
use crate::id::ChannelId;
use crate::profile::ResetDefault;
use crate::time::Span;

/// `session.reset` and its overrides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResetConfig {
    /// Which of the two limits is the main one.
    pub mode: Option<ResetMode>,
    /// The hour of the daily reset, 0 to 23, in the gateway's time zone.
    #[serde(deserialize_with = "number::hour")]
    pub at_hour: Option<u8>,
    /// The idle limit in minutes, at least 1.
    #[serde(deserialize_with = "number::minutes")]
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
    /// In direct conversations; `dm` is its older name.
    #[serde(alias = "dm")]
    pub direct: Option<ResetConfig>,
    /// In groups.
    pub group: Option<ResetConfig>,
    /// In threads.
    pub thread: Option<ResetConfig>,
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

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
