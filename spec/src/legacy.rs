//! Stored bindings of an older form, as OpenClaw wrote them to files before and since 2026.3.1.
//!
//! A scenario can have such a file on the disk of a gateway's first life: a record of the form
//! `{"version": 1, "channel": "discord", "bindings": {"default:t1": {..}}}`, or with a list of
//! records. The channel stands in the file's path there, and in the record here.

use serde_json::Value;

use crate::address::Address;
use crate::config::Limits;
use crate::id::SessionKey;
use crate::time::{Span, Time};

/// A binding as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The conversation or thread.
    pub address: Address,
    /// The session.
    pub key: SessionKey,
    /// Who bound it; the system where nobody did.
    pub by: Option<String>,
    /// What its age counts from.
    pub aged_from: Time,
    /// The last activity.
    pub touched_at: Time,
    /// Its own idle timeout, where it has one; zero is off.
    pub idle: Option<Span>,
    /// Its own max age, where it has one; zero is off.
    pub max_age: Option<Span>,
    /// Whether it had the older form, which knows one deadline and no activity.
    pub expired: bool,
}

impl Stored {
    /// Its limits, where the configuration gives those.
    pub fn limits(&self, configured: Limits) -> Limits {
        let own = |span: Option<Span>, configured: Option<Span>| match span {
            Some(span) => (!span.is_zero()).then_some(span),
            None => configured,
        };
        Limits {
            idle: own(self.idle, configured.idle),
            max_age: own(self.max_age, configured.max_age),
        }
    }
}

/// The bindings of a stored file. `epoch` is the scenario's start, in milliseconds since 1970, and
/// `now` is when the file is read. Whatever does not read as one is left out.
pub fn read(record: &str, epoch: i64, now: Time) -> Vec<Stored> {
    let Ok(file) = serde_json::from_str::<Value>(record) else {
        return Vec::new();
    };
    let version = file.get("version").and_then(Value::as_u64);
    let channel = file.get("channel").and_then(Value::as_str);
    let (Some(1), Some(channel)) = (version, channel) else {
        return Vec::new();
    };
    let one = |name: &str, record: &Value| stored(channel, name, record, epoch, now);
    match file.get("bindings") {
        Some(Value::Object(bindings)) => bindings
            .iter()
            .filter_map(|(name, record)| one(name, record))
            .collect(),
        Some(Value::Array(bindings)) => {
            let records = bindings.iter();
            records.filter_map(|record| one("", record)).collect()
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {
            Vec::new()
        }
    }
}

fn stored(channel: &str, name: &str, record: &Value, epoch: i64, now: Time) -> Option<Stored> {
    let text = |field: &str| {
        let text = record.get(field)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    };
    let (account, id) = name.rsplit_once(':').unwrap_or(("", name));
    let account = text("accountId").unwrap_or(account);
    let thread = text("threadId");
    let conversation = text("channelId").or(text("conversationId"));
    let (conversation, thread) = match (conversation, thread) {
        (Some(conversation), thread) => (conversation, thread),
        (None, Some(thread)) => (thread, None),
        (None, None) => (id, None),
    };
    let key = text("targetSessionKey").or(text("sessionKey"))?;
    if conversation.is_empty() {
        return None;
    }
    // What lies before the story began is as if it were its first instant.
    let instant = |ms: f64| Time((ms - epoch as f64).max(0.0) as u64);
    let number = |field: &str| record.get(field).and_then(Value::as_f64);
    let bound = number("boundAt").filter(|at| *at > 0.0).map(instant);
    let touched = number("lastActivityAt").filter(|at| *at > 0.0).map(instant);
    let aged_from = bound.or(touched).unwrap_or(now);
    let span = |ms: f64| Span(ms.max(0.0).floor() as u64);
    let (idle, max_age) = (number("idleTimeoutMs"), number("maxAgeMs"));
    let expires = number("expiresAt").filter(|_| idle.is_none() && max_age.is_none());
    let (idle, max_age) = match expires {
        None => (idle.map(span), max_age.map(span)),
        Some(never) if never <= 0.0 => (Some(Span::ZERO), Some(Span::ZERO)),
        // One deadline, and it stays where it is.
        Some(at) => {
            let left = instant(at).since(aged_from);
            (Some(Span::ZERO), Some(left.max(Span::ms(1))))
        }
    };
    Some(Stored {
        address: Address {
            channel: channel.into(),
            account: if account.is_empty() {
                "default"
            } else {
                account
            }
            .into(),
            conversation: conversation.into(),
            thread: thread.map(Into::into),
        },
        key: key.into(),
        by: text("boundBy")
            .filter(|by| *by != "system")
            .map(str::to_owned),
        aged_from,
        touched_at: touched.unwrap_or(aged_from).max(aged_from),
        idle,
        max_age,
        expired: expires.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EPOCH: i64 = 1_772_442_000_000;
    /// The file is read a minute after the story began.
    const NOW: Time = Time(60_000);

    fn record(mut fields: Value) -> Option<Stored> {
        fields["targetSessionKey"] = json!("agent:main:subagent:1");
        fields["channelId"] = json!("general");
        let file = json!({"version": 1, "channel": "discord", "bindings": {"work:t1": fields}});
        read(&file.to_string(), EPOCH, NOW).pop()
    }

    fn ago(ms: i64) -> Value {
        json!(EPOCH + 60_000 - ms)
    }

    #[track_caller]
    fn migrates(fields: Value, idle: Option<u64>, max_age: Option<u64>, lapses: Option<u64>) {
        let stored = record(fields.clone()).unwrap();
        let spans = (idle.map(Span), max_age.map(Span));
        assert_eq!((stored.idle, stored.max_age), spans, "{fields}");
        let limits = stored.limits(Limits {
            idle: Some(Span::hours(24)),
            max_age: None,
        });
        let idle = limits.idle.map(|idle| stored.touched_at + idle);
        let age = limits.max_age.map(|age| stored.aged_from + age);
        let due = idle.into_iter().chain(age).min();
        assert_eq!(due, lapses.map(|ms| NOW + Span(ms)), "{fields}");
    }

    /// The rows of the table after B-122, N being the time of reading.
    #[test]
    fn one_deadline_stays_where_it_was() {
        let at =
            |bound: i64, expires: i64| json!({"boundAt": ago(bound), "expiresAt": ago(expires)});
        migrates(at(10_000, -50_000), Some(0), Some(60_000), Some(50_000));
        migrates(
            json!({"boundAt": ago(1), "expiresAt": 0}),
            Some(0),
            Some(0),
            None,
        );
        migrates(
            json!({"boundAt": ago(1), "expiresAt": -7}),
            Some(0),
            Some(0),
            None,
        );
        // Without any limit it has those of the configuration.
        migrates(json!({"boundAt": ago(0)}), None, None, Some(86_400_000));
        // Over long ago: it goes with the next look at it.
        let past = json!({"boundAt": ago(1_000), "expiresAt": ago(5_000)});
        assert_eq!(record(past).unwrap().max_age, Some(Span::ms(1)));
        // A time of binding that is none does not make it endless.
        migrates(
            json!({"boundAt": 0, "expiresAt": ago(-60_000)}),
            Some(0),
            Some(60_000),
            Some(60_000),
        );
        migrates(
            json!({"expiresAt": ago(-60_000)}),
            Some(0),
            Some(60_000),
            Some(60_000),
        );
        // The newer form wins.
        let both = json!({"boundAt": ago(0), "idleTimeoutMs": 0, "expiresAt": ago(-5)});
        migrates(both, Some(0), None, None);
        let odd = json!({"boundAt": ago(0), "idleTimeoutMs": -5, "maxAgeMs": 1.9});
        migrates(odd, Some(0), Some(1), Some(1));
    }

    #[test]
    fn what_does_not_read_is_left_out() {
        for file in [
            "",
            "[]",
            "{\"version\": 1, \"channel\": \"discord\", \"bindings\": null}",
            "{\"version\": 2, \"channel\": \"discord\", \"bindings\": []}",
            "{\"version\": \"1\", \"channel\": \"discord\", \"bindings\": []}",
            "{\"version\": 1, \"bindings\": {}}",
        ] {
            assert_eq!(read(file, EPOCH, NOW), [], "{file}");
        }
        let whole = json!({"version": 1, "channel": "discord", "bindings": [{
            "threadId": "t1", "channelId": "general", "sessionKey": "agent:main:acp:1"}]});
        let whole = whole.to_string();
        assert_eq!(read(&whole, EPOCH, NOW).len(), 1);
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end], EPOCH, NOW), [], "{}", &whole[..end]);
        }
    }

    #[test]
    fn an_address_is_read_whole() {
        let stored =
            record(json!({"threadId": "t1", "boundBy": "carol", "boundAt": ago(0)})).unwrap();
        assert_eq!(stored.address.to_string(), "discord:work/general#t1");
        assert_eq!(stored.by.as_deref(), Some("carol"));
        let system = record(json!({"threadId": "t1", "boundBy": "system"})).unwrap();
        assert_eq!(system.by, None);
    }
}
