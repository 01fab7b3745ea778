//! What was deleted does not come back.

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;

use super::super::{Checker, Kind, Rule, Sink};
use super::kept::is_done;
use super::rule;
use crate::effect::{Answer, Effect, Memory, StartRun};
use crate::facts::{CallFacts, Facts};
use crate::id::{Marker, SessionKey};
use crate::trace::{Entry, What};

pub(super) fn deleted_stays_deleted() -> Rule {
    rule(
        "session.deleted-stays-deleted",
        "After a delete nothing from before is remembered or listed, under the same key neither, \
         and after a restart neither.",
        &["R5.3", "S-91", "S-93", "SI-011"],
        &[],
        &[Kind::Answer, Kind::StartRun],
        || Box::new(Deleted::default()),
    )
}

/// Remembers what was deleted.
#[derive(Default)]
struct Deleted {
    /// Sessions that were deleted and had no run since.
    gone: FxHashSet<SessionKey>,
    /// What each deleted session was given and said.
    said: FxHashMap<SessionKey, FxHashSet<Marker>>,
}

impl Checker for Deleted {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) if !self.gone.is_empty() => {
                self.on_start(start, sink);
            }
            What::Effect(Effect::Answer(answer)) => {
                let Some(call) = facts.call_here().map(|(_, call)| call) else {
                    return;
                };
                match call.method.as_str() {
                    "sessions.delete" if is_done(call) => self.on_delete(call, facts),
                    "sessions_list" => self.on_list(answer, facts, sink),
                    "sessions_history" => self.on_history(call, answer, entry, facts, sink),
                    _ => (),
                }
            }
            _ => (),
        }
    }

    fn forget(&mut self, _: &Facts) {
        let gone = &self.gone;
        self.said.retain(|key, _| gone.contains(key));
    }
}

impl Deleted {
    fn on_delete(&mut self, call: &CallFacts, facts: &Facts) {
        let key = call.text("key").and_then(|key| facts.session_named(key));
        let Some((key, session)) = key.and_then(|key| facts.sessions.get_key_value(key)) else {
            return;
        };
        let runs = session.runs.iter().filter_map(|run| facts.runs.get(run));
        let said = self.said.entry(key.clone()).or_default();
        for run in runs {
            said.extend(run.given.iter().chain(&run.words).cloned());
        }
        self.gone.insert(key.clone());
    }

    fn on_start(&mut self, start: &StartRun, sink: &mut Sink) {
        let (run, key) = (&start.run, &start.session_key);
        if let Memory::Fork(from) = &start.memory
            && self.gone.contains(from)
        {
            sink.fail(
                format!("run {run} starts with the memory of session {from}, which was deleted"),
                format!("nothing of session {from} is remembered"),
            );
        }
        if !self.gone.remove(key) {
            return;
        }
        if start.memory == Memory::Continue {
            sink.fail(
                format!("run {run} continues session {key}, which was deleted"),
                format!("run {run} starts fresh: nothing from before the delete is remembered"),
            );
        } else {
            sink.witness();
        }
    }

    fn on_list(&self, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        let rows = answer.result.get("sessions").and_then(Value::as_array);
        let Some(rows) = rows.filter(|_| !self.gone.is_empty()) else {
            return;
        };
        let keys = rows.iter().filter_map(|row| row.get("key")?.as_str());
        for key in keys {
            // One that is about to have a run again is there again.
            if self.gone.contains(key) && facts.sessions.get(key).is_some_and(|s| s.deleted) {
                return sink.fail(
                    format!(
                        "call {} lists session {key}, which was deleted",
                        answer.call
                    ),
                    format!("session {key} is not listed"),
                );
            }
        }
        sink.witness();
    }

    fn on_history(
        &self,
        call: &CallFacts,
        answer: &Answer,
        entry: &Entry,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let named = call.text("sessionKey").or(call.text("key"));
        let key = named.and_then(|named| facts.session_named(named));
        let Some((key, said)) = key.and_then(|key| self.said.get_key_value(key)) else {
            return;
        };
        match entry.markers.iter().find(|marker| said.contains(*marker)) {
            Some(marker) => sink.fail(
                format!(
                    "call {} shows {} of session {key}, which was deleted since",
                    answer.call,
                    marker.in_text()
                ),
                format!("nothing from before the delete is shown of session {key}"),
            ),
            None => sink.witness(),
        }
    }
}
