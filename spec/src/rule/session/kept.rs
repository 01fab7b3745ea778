//! What a session keeps whatever becomes of its memory: label and binding.

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

use crate::facts::{BindingNews, CallFacts, Facts, Standing};
use crate::id::{CallId, SessionKey, Text};

/// Labels that were given, and whose.
#[derive(Default)]
pub(super) struct Labels(FxHashMap<SessionKey, Text>);

impl Labels {
    /// A call was answered: it may have given a label, or taken one.
    pub(super) fn on_answer(&mut self, call: &CallFacts, facts: &Facts) {
        if !is_done(call) {
            return;
        }
        let answer = call.answer.as_ref();
        let key = match call.method.as_str() {
            "sessions_spawn" => answer.and_then(|answer| answer.get("childSessionKey")?.as_str()),
            "sessions.patch" | "sessions.delete" => call.text("key"),
            _ => return,
        };
        let Some(key) = key else {
            return;
        };
        let key = facts
            .session_named(key)
            .cloned()
            .unwrap_or_else(|| key.into());
        match call.params.get("label") {
            _ if call.method == "sessions.delete" => drop(self.0.remove(&key)),
            Some(Value::String(label)) => {
                self.0.insert(key, label.trim().into());
            }
            Some(Value::Null) => drop(self.0.remove(&key)),
            Some(_) | None => (),
        }
    }

    /// What a list or a send by label shows of sessions in question: the sentence of a label that is
    /// gone, or nothing for one that stands.
    pub(super) fn shown(
        &self,
        id: &CallId,
        call: &CallFacts,
        asked: impl Fn(&SessionKey) -> bool,
    ) -> Vec<Result<SessionKey, (SessionKey, String)>> {
        let Some(answer) = &call.answer else {
            return Vec::new();
        };
        match call.method.as_str() {
            "sessions_list" => {
                let rows = answer.get("sessions").and_then(Value::as_array);
                let row = |row: &Value| {
                    let key = SessionKey::from(row.get("key")?.as_str()?);
                    let label = self.0.get(&key).filter(|_| asked(&key))?;
                    let shown = row.get("label").and_then(Value::as_str);
                    Some(match shown == Some(label.as_str()) {
                        true => Ok(key),
                        false => {
                            let shown = shown.map_or("none".to_owned(), |own| format!("{own:?}"));
                            let seen = format!(
                                "call {id} lists session {key} with the label {shown}, and it has the label {:?}",
                                label.as_str()
                            );
                            Err((key, seen))
                        }
                    })
                };
                rows.into_iter().flatten().filter_map(row).collect()
            }
            "sessions_send" => {
                let label = call
                    .text("label")
                    .filter(|_| call.text("sessionKey").is_none());
                let of = |label: &str| {
                    let mut labels = self.0.iter();
                    let found = labels.find(|(key, own)| own.as_str() == label && asked(key));
                    found.map(|(key, _)| key.clone())
                };
                let Some((label, key)) = label.and_then(|label| Some((label, of(label)?))) else {
                    return Vec::new();
                };
                match call.status() {
                    // Why the session itself is out of reach is another matter.
                    Some("error") if says(answer, "No session found with label") => {
                        let seen = format!(
                            "call {id} to the label {label:?} is refused, and session {key} has it"
                        );
                        vec![Err((key, seen))]
                    }
                    Some("ok" | "accepted" | "timeout") => vec![Ok(key)],
                    Some(_) | None => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }
}

fn says(answer: &Value, words: &str) -> bool {
    let error = answer.get("error").and_then(Value::as_str);
    error.is_some_and(|error| error.contains(words))
}

/// Whether a call was answered that it is done.
pub(super) fn is_done(call: &CallFacts) -> bool {
    match call.status() {
        Some(status) => matches!(status, "ok" | "accepted"),
        None => call
            .answer
            .as_ref()
            .is_some_and(|answer| answer.get("ok") == Some(&Value::Bool(true))),
    }
}

/// Bound conversations in which something happened that must leave the binding alone.
#[derive(Default)]
pub(super) struct Bound(FxHashSet<SessionKey>);

impl Bound {
    pub(super) fn ask(&mut self, key: &SessionKey) {
        self.0.insert(key.clone());
    }

    /// Whether a message shows what became of the binding: kept, or gone, and where it went.
    pub(super) fn shown(&mut self, facts: &Facts) -> Option<Result<(), (String, String)>> {
        if self.0.is_empty() {
            return None;
        }
        let news = facts.binding_news.iter().find_map(|news| match news {
            BindingNews::Routed {
                binding,
                key,
                standing: Standing::Holds,
                ..
            } => Some((binding, key)),
            BindingNews::Routed { .. } | BindingNews::SaidOver { .. } => None,
        });
        let (binding, key) = news?;
        if !self.0.remove(&binding.key) {
            return None;
        }
        let (at, own) = (&binding.address, &binding.key);
        if key == own {
            return Some(Ok(()));
        }
        let seen = format!(
            "a message in {at}, which is bound to session {own}, is given to session {key}"
        );
        Some(Err((
            seen,
            format!("the binding of {at} to session {own} stands"),
        )))
    }
}
