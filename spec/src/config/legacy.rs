//! Keys of older versions, for gateways that no longer read them.

use serde_json::Value;

use super::problems::{Part, Problem};

/// Each with the key that took its place; a star stands for any key.
const KEYS: [(&[&str], &str); 5] = [
    (&["session", "idleMinutes"], "session.reset.idleMinutes"),
    (
        &["session", "resetByType", "dm"],
        "session.resetByType.direct",
    ),
    (
        &["session", "threadBindings", "ttlHours"],
        "session.threadBindings.idleHours",
    ),
    (
        &["channels", "*", "threadBindings", "ttlHours"],
        "channels.<channel>.threadBindings.idleHours",
    ),
    (
        &[
            "channels",
            "*",
            "accounts",
            "*",
            "threadBindings",
            "ttlHours",
        ],
        "channels.<channel>.accounts.<account>.threadBindings.idleHours",
    ),
];

/// The first of them that a configuration has.
pub(super) fn first(value: &Value) -> Option<Problem> {
    KEYS.iter().find_map(|(keys, instead)| {
        let parts = find(value, keys)?;
        let why = format!("this key is no longer read; write {instead}");
        Some(Problem { parts, why })
    })
}

fn find(value: &Value, keys: &[&str]) -> Option<Vec<Part>> {
    let Some((key, rest)) = keys.split_first() else {
        return Some(Vec::new());
    };
    let mut members = value.as_object()?.iter();
    members.find_map(|(name, inner)| {
        let meant = *key == "*" || key == name;
        let mut parts = meant.then(|| find(inner, rest))??;
        parts.insert(0, Part::Key(name.clone()));
        Some(parts)
    })
}
