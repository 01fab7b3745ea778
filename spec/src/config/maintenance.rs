//! `session.maintenance`: how many sessions are kept, and for how long.

use serde::{Deserialize, Deserializer};

use crate::profile::{Dials, Maintenance};
use crate::time::Span;

/// How long a session is kept that nothing is written to, unless said otherwise.
const PRUNE_AFTER: Span = Span::hours(30 * 24);

/// `session.maintenance`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MaintenanceConfig {
    /// Whether it removes anything.
    pub mode: Option<Maintenance>,
    /// How long a session is kept that nothing is written to: `30d`.
    #[serde(deserialize_with = "length")]
    pub prune_after: Option<Span>,
    /// How many sessions are kept.
    #[serde(deserialize_with = "count")]
    pub max_entries: Option<usize>,
}

impl MaintenanceConfig {
    /// Whether sessions are removed.
    pub fn is_enforced(self, dials: &Dials) -> bool {
        self.mode.unwrap_or(dials.maintenance) == Maintenance::Enforce
    }

    /// How long a session is kept that nothing is written to.
    pub fn prune_after(self) -> Span {
        self.prune_after.unwrap_or(PRUNE_AFTER)
    }

    /// How many sessions are kept.
    pub fn max_entries(self, dials: &Dials) -> usize {
        self.max_entries.unwrap_or(dials.max_entries as usize)
    }
}

fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    match Option::<Span>::deserialize(deserializer)? {
        Some(Span::ZERO) => Err(serde::de::Error::custom(
            "0 keeps nothing at all; write a length of time such as \"30d\"",
        )),
        length => Ok(length),
    }
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    match Option::<usize>::deserialize(deserializer)? {
        Some(0) => Err(serde::de::Error::custom(
            "0 keeps nothing at all; write 1 or more",
        )),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Config;
    use crate::profile::Profile;

    #[track_caller]
    fn check(maintenance: Value, profile: &str, right: (bool, Span, usize)) {
        let config = Config::read(&json!({"session": {"maintenance": maintenance}})).unwrap();
        let dials = Profile::named(profile).unwrap().dials;
        let found = config.session.maintenance;
        let found = (
            found.is_enforced(&dials),
            found.prune_after(),
            found.max_entries(&dials),
        );
        assert_eq!(found, right, "{maintenance}");
    }

    /// The table before S-109.
    #[test]
    fn what_is_left_out_is_the_profiles() {
        let month = Span::hours(720);
        check(json!({}), "target", (false, month, 500));
        check(json!({}), "openclaw-2026.4.9", (false, month, 500));
        check(json!({}), "openclaw-2026.9.6", (true, month, 5_000));
        let own = json!({"mode": "enforce", "pruneAfter": "1d", "maxEntries": 60});
        check(own, "target", (true, Span::hours(24), 60));
        let warn = json!({"mode": "warn"});
        check(warn, "openclaw-2026.9.6", (false, month, 5_000));
    }

    #[test]
    fn nothing_is_no_limit() {
        for (name, value) in [
            ("pruneAfter", json!("0s")),
            ("maxEntries", json!(0)),
            ("mode", json!("delete")),
        ] {
            let config = json!({"session": {"maintenance": {name: value}}});
            let error = Config::read(&config).unwrap_err();
            assert_eq!(error.path, format!("session.maintenance.{name}"));
        }
    }
}
