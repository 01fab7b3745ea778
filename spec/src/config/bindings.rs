//! `threadBindings`, which the configuration, a channel and an account can each have.

use serde::Deserialize;

use super::{Config, Layer, Layers, number};
use crate::address::Address;
use crate::time::Span;

/// `threadBindings`, at any level. What is absent is decided by the next level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ThreadBindings {
    /// Whether there are any.
    pub enabled: Option<bool>,
    /// The idle timeout in hours; 0 disables it.
    #[serde(deserialize_with = "number::hours")]
    pub idle_hours: Option<Span>,
    /// The max age in hours; 0 disables it.
    #[serde(deserialize_with = "number::hours")]
    pub max_age_hours: Option<Span>,
    /// The older name of `idleHours`, which wins where both are given.
    #[serde(deserialize_with = "number::hours")]
    pub ttl_hours: Option<Span>,
    /// The opt-in for spawns that ask for a thread.
    pub spawn_subagent_sessions: Option<bool>,
}

/// The two limits of a binding; `None` is a limit switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limits {
    /// How long without activity.
    pub idle: Option<Span>,
    /// How long at most.
    pub max_age: Option<Span>,
}

impl ThreadBindings {
    /// The idle timeout, by its present name or its older one.
    fn idle(&self) -> Option<Span> {
        self.idle_hours.or(self.ttl_hours)
    }
}

impl Config {
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

    /// Whether conversations can be bound there. Unless said otherwise they can, where the account
    /// is at work at all.
    pub fn bindings_enabled(&self, at: &Address) -> bool {
        let said = self.binding_levels(at).find_map(|level| level.enabled);
        said.unwrap_or(true) && self.account_enabled(at)
    }

    /// What each layer says of whether a spawn may ask for a thread there.
    pub fn spawn_rules(&self, at: &Address) -> Layers<bool> {
        let channel = self.channels.get(&at.channel);
        let account = channel.and_then(|channel| channel.accounts.get(&at.account));
        let says = |level: &ThreadBindings| level.spawn_subagent_sessions;
        Layers::default()
            .with(
                Layer::Account,
                account.and_then(|own| says(&own.thread_bindings)),
            )
            .with(
                Layer::Channel,
                channel.and_then(|own| says(&own.thread_bindings)),
            )
            .with(Layer::Default, says(&self.session.thread_bindings))
    }

    /// Whether a spawn may ask for a thread there; `None` where nobody said so.
    pub fn spawn_may_bind(&self, at: &Address) -> Option<bool> {
        self.binding_levels(at)
            .find_map(|level| level.spawn_subagent_sessions)
    }

    /// The limits of a binding made there: 24 hours idle and no max age unless said otherwise.
    pub fn binding_limits(&self, at: &Address) -> Limits {
        let idle = self.binding_levels(at).find_map(ThreadBindings::idle);
        let max_age = self
            .binding_levels(at)
            .find_map(|level| level.max_age_hours);
        limits(idle, max_age)
    }

    /// The limits that a binding made there would have if one of the levels had decided alone, or
    /// fractions of hours had been cut off, where they would be others.
    pub fn other_binding_limits(&self, at: &Address) -> Vec<Limits> {
        let right = self.binding_limits(at);
        let default = [ThreadBindings::default()];
        let levels = self.binding_levels(at).chain(&default);
        let whole = |limit: Option<Span>| limit.map(|span| Span::hours(span.0 / Span::hours(1).0));
        let cut = Limits {
            idle: whole(right.idle),
            max_age: whole(right.max_age),
        };
        let mut others: Vec<Limits> = levels
            .map(|level| limits(level.idle(), level.max_age_hours))
            .chain([cut])
            .filter(|other| *other != right)
            .collect();
        others.dedup();
        others
    }

    /// Whether the idle timeout of a binding made there stands in the configuration in its older
    /// form.
    pub fn idle_is_migrated(&self, at: &Address) -> bool {
        let level = self.binding_levels(at).find(|level| level.idle().is_some());
        level.is_some_and(|level| level.idle_hours.is_none())
    }
}

/// What levels say as limits: what is absent is the default, and zero is off.
fn limits(idle: Option<Span>, max_age: Option<Span>) -> Limits {
    let on = |span: Span| (!span.is_zero()).then_some(span);
    Limits {
        idle: on(idle.unwrap_or(Span::hours(24))),
        max_age: max_age.and_then(on),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
        // The older name means the same, and loses to the present one.
        let legacy = |value: Value| json!({"session": {"threadBindings": value}});
        limits(legacy(json!({"ttlHours": 48})), Some(Span::hours(48)), None);
        limits(legacy(json!({"ttlHours": 0})), None, None);
        let both = json!({"ttlHours": 48, "idleHours": 12});
        limits(legacy(both), Some(Span::hours(12)), None);
        let account = json!({"channels": {"discord": {"threadBindings": {"idleHours": 0},
            "accounts": {"work": {"threadBindings": {"idleHours": 0.5}}}}}});
        limits(account, Some(Span::mins(30)), None);
    }

    /// W-23 of the worked vectors, and the rows of hours that are no whole milliseconds.
    #[test]
    fn the_older_form_means_idle_at_its_own_level() {
        let both = json!({"channels": {"discord": {"threadBindings": {"ttlHours": 48}}},
            "session": {"threadBindings": {"idleHours": 12}}});
        limits(both, Some(Span::hours(48)), None);
        let never = json!({"session": {"threadBindings": {"ttlHours": 0}}});
        limits(never, None, None);
        let newer = json!({"session": {"threadBindings": {"ttlHours": 72, "idleHours": 1}}});
        limits(newer, Some(Span::hours(1)), None);
        for (hours, ms) in [
            (0.5, 1_800_000),
            (1.0 / 3.0, 1_200_000),
            (24.000_001, 86_400_003),
            (2.8e-7, 1),
        ] {
            let config = json!({"session": {"threadBindings": {"idleHours": hours}}});
            limits(config, Some(Span(ms)), None);
        }
        let less = json!({"session": {"threadBindings": {"idleHours": 2e-7}}});
        limits(less, None, None);
        let endless = json!({"session": {"threadBindings": {"idleHours": 1e308}}});
        assert!(Config::read(&endless).is_err());
    }

    #[test]
    fn an_account_that_is_switched_off_has_none() {
        let off = json!({"enabled": false, "threadBindings": {"enabled": true}});
        let config = json!({"channels": {"discord": {"accounts": {"work": off,
            "home": {"enabled": true}}}}});
        let config = Config::read(&config).unwrap();
        for (account, at_work) in [("work", false), ("home", true), ("default", true)] {
            assert_eq!(config.account_enabled(&discord(account)), at_work);
            assert_eq!(config.bindings_enabled(&discord(account)), at_work);
        }
        let stopped: Vec<_> = config.stopped_accounts().collect();
        assert_eq!(stopped, [(&"discord".into(), &"work".into())]);
    }

    #[test]
    fn what_other_levels_would_have_said_is_known() {
        let config = json!({"session": {"threadBindings": {"idleHours": 12}},
            "channels": {"discord": {"threadBindings": {"idleHours": 0}}}});
        let config = Config::read(&config).unwrap();
        let others = config.other_binding_limits(&discord("work"));
        let idle: Vec<_> = others.iter().map(|limits| limits.idle).collect();
        assert_eq!(idle, [Some(Span::hours(12)), Some(Span::hours(24))]);
        assert_eq!(Config::default().other_binding_limits(&discord("work")), []);
    }
}
