//! `session.reset` and what overrides it: when a session forgets by itself.

use serde::Deserialize;

use super::{Config, number};
use crate::address::Place;
use crate::id::ChannelId;
use crate::profile::{Dials, LegacyIdle, ResetDefault, ResetNone};
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

/// What the configuration says of one conversation's resets, level by level; the stronger first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetLevels {
    /// `resetByChannel`: it replaces everything.
    pub channel: Option<ResetConfig>,
    /// `resetByType`, for the kind of the conversation.
    pub kind: Option<ResetConfig>,
    /// `reset`
    pub general: Option<ResetConfig>,
    /// `session.idleMinutes`
    pub legacy: Option<u64>,
    /// Whether `resetByType` says anything of any kind.
    pub typed: bool,
}

impl Config {
    /// The reset policy of a conversation: that of its channel as a whole, else field by field that
    /// of its kind, the general one, the legacy one, the default.
    pub fn reset_policy(&self, channel: &ChannelId, kind: Place, dials: &Dials) -> ResetPolicy {
        self.reset_levels(channel, kind).policy(dials)
    }

    /// What is said of the resets of a conversation, level by level.
    pub fn reset_levels(&self, channel: &ChannelId, kind: Place) -> ResetLevels {
        let session = &self.session;
        let types = &session.reset_by_type;
        ResetLevels {
            channel: session.reset_by_channel.get(channel).copied(),
            kind: match kind {
                Place::Direct => types.direct,
                Place::Group => types.group,
                Place::Thread => types.thread,
            },
            general: session.reset,
            legacy: session.idle_minutes,
            typed: types.direct.or(types.group).or(types.thread).is_some(),
        }
    }
}

impl ResetLevels {
    /// How many levels say something.
    pub fn count(self) -> usize {
        let levels = [
            self.channel.is_some(),
            self.kind.is_some(),
            self.general.is_some(),
            self.legacy.is_some(),
        ];
        levels.into_iter().filter(|&given| given).count()
    }

    /// The policy that comes of them.
    pub fn policy(self, dials: &Dials) -> ResetPolicy {
        let (mode, fields) = self.resolved(dials);
        let idle = fields.idle_minutes.map(Span::mins);
        match mode {
            ResetMode::Daily => ResetPolicy {
                daily_at: Some(fields.at_hour.unwrap_or(4)),
                idle,
            },
            ResetMode::Idle => ResetPolicy {
                daily_at: None,
                idle,
            },
            ResetMode::None => ResetPolicy::default(),
        }
    }

    /// Whether it is an idle reset without minutes, which is never due.
    pub fn idles_forever(self, dials: &Dials) -> bool {
        let (mode, fields) = self.resolved(dials);
        mode == ResetMode::Idle && fields.idle_minutes.is_none()
    }

    fn resolved(self, dials: &Dials) -> (ResetMode, ResetConfig) {
        if let Some(whole) = self.channel {
            return (whole.mode.unwrap_or(ResetMode::Daily), whole);
        }
        let legacy = self
            .legacy
            .filter(|_| dials.legacy_idle != LegacyIdle::Ignored);
        let (kind, general) = (self.kind, self.general);
        let yields = kind.is_some() && dials.reset_none == ResetNone::YieldsToType;
        let general_mode = general.and_then(|general| general.mode);
        let general_mode = general_mode.filter(|&mode| !(yields && mode == ResetMode::None));
        let untyped = general.is_none() && !self.typed;
        let default = match (kind.or(general), legacy, dials.legacy_idle) {
            (Some(_), _, _) => ResetMode::Daily,
            (None, Some(_), LegacyIdle::Idle | LegacyIdle::Ignored) => ResetMode::Idle,
            (None, Some(_), LegacyIdle::UntilTyped) if untyped => ResetMode::Idle,
            (None, Some(_), LegacyIdle::UntilTyped) | (None, None, _) => {
                match dials.reset_default {
                    ResetDefault::None => ResetMode::None,
                    ResetDefault::DailyAt4 => ResetMode::Daily,
                }
            }
        };
        let mode = kind
            .and_then(|kind| kind.mode)
            .or(general_mode)
            .unwrap_or(default);
        let fields = ResetConfig {
            mode: Some(mode),
            at_hour: kind
                .and_then(|kind| kind.at_hour)
                .or(general.and_then(|general| general.at_hour)),
            idle_minutes: kind
                .and_then(|kind| kind.idle_minutes)
                .or(general.and_then(|general| general.idle_minutes))
                .or(legacy),
        };
        (mode, fields)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::profile::Profile;

    /// `mode@hour/minutes` as the table of S-71 writes it, without the hour where no day ends.
    fn told(profile: &str, session: &Value, channel: &str, kind: Place) -> String {
        let config = Config::read(&json!({ "session": session })).unwrap();
        let dials = Profile::named(profile).unwrap().dials;
        let ResetPolicy { daily_at, idle } = config.reset_policy(&channel.into(), kind, &dials);
        let daily = daily_at.map(|hour| format!("daily@{hour}"));
        let idle = idle.map(|idle| format!("idle {idle}"));
        let both: Vec<String> = daily.into_iter().chain(idle).collect();
        both.join(" ")
    }

    #[track_caller]
    fn check(session: Value, kind: Place, target: &str, april: &str, september: &str) {
        let told = |profile| told(profile, &session, "telegram", kind);
        assert_eq!(told("target"), target, "{session} {kind:?} target");
        assert_eq!(told("openclaw-2026.4.9"), april, "{session} {kind:?} 4.9");
        assert_eq!(
            told("openclaw-2026.9.6"),
            september,
            "{session} {kind:?} 9.6"
        );
    }

    /// The rows of S-71; mode idle without minutes and mode none are never due.
    #[test]
    fn each_field_comes_from_the_nearest_level() {
        use Place::{Direct, Group, Thread};
        let day = "daily@4";
        check(json!({}), Direct, "", day, "");
        check(json!({"reset": {}}), Group, day, day, day);
        check(
            json!({"idleMinutes": 30}),
            Direct,
            "idle 30m",
            "idle 30m",
            "",
        );
        check(json!({"reset": {"mode": "idle"}}), Thread, "", "", "");
        let idle = json!({"reset": {"mode": "idle", "idleMinutes": 120}});
        check(idle, Direct, "idle 2h", "idle 2h", "idle 2h");
        let both = json!({"reset": {"mode": "daily", "idleMinutes": 60}});
        let told = "daily@4 idle 1h";
        check(both, Direct, told, told, told);
        let group = json!({"resetByType": {"group": {"mode": "idle", "idleMinutes": 15}}});
        check(group.clone(), Group, "idle 15m", "idle 15m", "idle 15m");
        check(group.clone(), Direct, "", day, "");
        check(group, Thread, "", day, "");
        let fields = json!({"reset": {"mode": "daily", "atHour": 5},
            "resetByType": {"group": {"idleMinutes": 15}}});
        let told = "daily@5 idle 15m";
        check(fields, Group, told, told, told);
        let dm = json!({"resetByType": {"dm": {"mode": "idle", "idleMinutes": 10}}});
        check(dm, Direct, "idle 10m", "idle 10m", "idle 10m");
        let legacy = json!({"idleMinutes": 30, "resetByType": {"thread": {"mode": "daily"}}});
        let told = "daily@4 idle 30m";
        check(legacy.clone(), Thread, told, told, day);
        check(legacy, Group, "idle 30m", told, "");
        let none = json!({"reset": {"mode": "none"}, "resetByType": {"group": {"atHour": 3}}});
        check(none, Group, "", "", "daily@3");
    }

    #[test]
    fn a_channels_policy_replaces_all_others() {
        let session = |by_channel: Value| {
            json!({"idleMinutes": 99, "reset": {"mode": "daily", "atHour": 5, "idleMinutes": 60},
                "resetByType": {"direct": {"idleMinutes": 15}},
                "resetByChannel": {"discord": by_channel}})
        };
        let told = |by_channel: Value, channel: &str| {
            told("target", &session(by_channel), channel, Place::Direct)
        };
        let idle = json!({"mode": "idle", "idleMinutes": 5});
        assert_eq!(told(idle.clone(), "discord"), "idle 5m");
        assert_eq!(told(json!({}), "discord"), "daily@4");
        assert_eq!(told(idle, "telegram"), "daily@5 idle 15m");
    }
}
