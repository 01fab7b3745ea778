//! Which sessions a session reaches.

use super::target::{Came, Waiting};
use super::{Checker, Sink};
use crate::effect::Effect;
use crate::facts::{CallFacts, Facts, Named};
use crate::id::{CallId, SessionKey};
use crate::profile::Visibility;
use crate::trace::{Entry, What};

/// MUST: as far as the visibility reaches, and no further.
#[derive(Default)]
pub(super) struct Reach {
    waiting: Waiting,
}

impl Checker for Reach {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match self.waiting.see(entry, facts) {
            Some(Came::Given { id, key, .. }) => {
                let Some(from) = facts.calls.get(id).and_then(|call| call.session.as_ref()) else {
                    return;
                };
                if facts.may_reach(from, key) {
                    return sink.witness();
                }
                let seen = format!("send {id} of session {from} goes to session {key}");
                sink.fail(seen, no_further(from, key, facts));
            }
            Some(Came::Answered {
                id,
                call,
                named: Some(Named::Session(key) | Named::Perhaps(key)),
            }) => sent(id, call, &key, facts, sink),
            Some(Came::Answered { .. }) => (),
            Some(Came::Looked { id, call, named }) => match (call.status(), named) {
                (Some("ok"), _) => looked(id, call, facts, sink),
                (_, Named::Session(key) | Named::Perhaps(key)) => sent(id, call, &key, facts, sink),
                _ => (),
            },
            None => {
                if let What::Effect(Effect::Answer(answer)) = &entry.what
                    && let Some(call) = facts.call_here().map(|(_, call)| call)
                    && matches!(call.status(), Some("ok"))
                {
                    looked(&answer.call, call, facts, sink);
                }
            }
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.waiting.forget(facts);
    }
}

/// A call was answered before anything came of it.
fn sent(id: &CallId, call: &CallFacts, key: &SessionKey, facts: &Facts, sink: &mut Sink) {
    let Some(from) = &call.session else {
        return;
    };
    if call.status() != Some("forbidden") {
        return;
    }
    // Whose child a session was that is gone, nobody knows any more.
    if facts
        .sessions
        .get(key)
        .is_some_and(|session| session.deleted)
    {
        return;
    }
    if facts.may_reach(from, key) {
        if facts.is_cut_off(from, key) {
            return;
        }
        let seen = format!("call {id} of session {from} for session {key} is forbidden");
        let how = visibility(facts);
        sink.fail(
            seen,
            format!("{from} may reach {key}: its visibility is {how}"),
        );
    } else {
        sink.witness();
    }
}

/// A tool answered with what it saw.
fn looked(id: &CallId, call: &CallFacts, facts: &Facts, sink: &mut Sink) {
    let (Some(from), Some(answer)) = (&call.session, &call.answer) else {
        return;
    };
    let text = |value: &serde_json::Value| value.as_str().map(SessionKey::from);
    let shown: Vec<SessionKey> = match call.method.as_str() {
        "sessions_list" => {
            let rows = answer.get("sessions").and_then(|rows| rows.as_array());
            let rows = rows.into_iter().flatten();
            rows.filter_map(|row| text(row.get("key")?)).collect()
        }
        "session_status" | "sessions_history" => {
            answer.get("key").and_then(text).into_iter().collect()
        }
        _ => return,
    };
    for key in shown {
        // Only what was seen before can be told apart from an alias.
        if !facts.sessions.contains_key(&key) {
            continue;
        }
        if !facts.may_reach(from, &key) {
            let seen = format!("call {id} shows session {from} the session {key}");
            return sink.fail(seen, no_further(from, &key, facts));
        }
        if key != *from {
            sink.witness();
        }
    }
}

fn visibility(facts: &Facts) -> &'static str {
    match facts.config.visibility(&facts.dials) {
        Visibility::Own => "self",
        Visibility::Tree => "tree",
        Visibility::Agent => "agent",
        Visibility::All => "all",
    }
}

fn no_further(from: &SessionKey, key: &SessionKey, facts: &Facts) -> String {
    format!(
        "{from} does not reach {key}: its visibility is {}",
        visibility(facts)
    )
}
