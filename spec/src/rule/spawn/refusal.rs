//! A spawn that was refused leaves nothing behind.

use serde_json::Value;

use super::super::{Checker, Sink};
use super::asked::{child_key, is_refused, names, words};
use super::children::most_children;
use crate::effect::{Answer, Effect, Memory, StartRun};
use crate::facts::{CallFacts, Facts, Role, RunState};
use crate::id::{CallId, RunId, SessionKey};
use crate::trace::{Entry, What};

/// Remembers what was refused, and what the gateway may have made for it.
#[derive(Default)]
pub(super) struct Refusal {
    refused: Vec<Refused>,
    /// Threads that were asked for, by the sessions that were to be bound to them, since the last
    /// answer to a spawn.
    threads: Vec<SessionKey>,
    /// Runs that were told to stop.
    cancelled: Vec<RunId>,
}

struct Refused {
    call: CallId,
    label: Option<String>,
    key: Option<SessionKey>,
    /// Its runs that were at work when it was refused.
    left: Vec<RunId>,
    entry: (usize, crate::time::Time),
}

impl Checker for Refusal {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            What::Effect(Effect::OpenThread(open)) => self.threads.push(open.session_key.clone()),
            What::Effect(Effect::CancelRun(cancel)) => self.cancelled.push(cancel.run.clone()),
            What::Effect(Effect::Answer(answer)) => self.on_answer(answer, facts, sink),
            _ => (),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for refused in &self.refused {
            let id = &refused.call;
            // It may have ended since, but nobody stopped it. What never ran did not stay.
            let stayed = refused.left.iter().find(|run| {
                let state = facts.runs.get(*run).map(|run| run.state);
                !matches!(state, Some(RunState::Refused | RunState::Lost) | None)
                    && !self.cancelled.contains(run)
            });
            match stayed {
                Some(run) => sink.fail_since(
                    refused.entry,
                    format!("spawn {id} was refused, and its run {run} stayed at work"),
                    format!("run {run} is cancelled, or never asked for"),
                ),
                None => sink.witness(),
            }
        }
    }
}

impl Refusal {
    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let (run, role) = (&start.run, facts.run_here().map(|run| &run.role));
        for refused in &self.refused {
            let id = &refused.call;
            let latest = facts.latest_here().map(|(marker, _)| marker);
            let its_task = latest.is_some_and(|latest| {
                let call = facts.calls.get(id);
                call.is_some_and(|call| call.own.contains(latest))
            });
            if its_task && matches!(role, Some(Role::Child(child)) if child == id) {
                sink.fail(
                    format!("run {run} is given the task of spawn {id}, which was refused"),
                    format!("spawn {id} leads to no run"),
                );
            }
            let its_session = refused.key.as_ref() == Some(&start.session_key);
            // A send may make a session anew, where sends do; that is another rule's affair.
            let reached = match role {
                Some(Role::Chat(_)) => true,
                Some(Role::Sent(_)) => start.memory == Memory::Continue,
                _ => false,
            };
            if its_session && reached {
                sink.fail(
                    format!(
                        "run {run} is in session {}, which refused spawn {id} would have made",
                        start.session_key
                    ),
                    format!("nothing reaches a session of spawn {id}: there is none"),
                );
            }
        }
    }

    fn on_answer(&mut self, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        let Some(call) = facts.call_here().map(|(_, call)| call) else {
            return;
        };
        match call.method.as_str() {
            "sessions_list" if call.status() != Some("error") => {
                self.on_list(&answer.call, &answer.result, facts, sink);
            }
            "sessions_spawn" => {
                let threads = std::mem::take(&mut self.threads);
                if is_refused(call) {
                    self.on_refused(&answer.call, call, &threads, facts, sink);
                }
            }
            _ => (),
        }
    }

    fn on_refused(
        &mut self,
        id: &CallId,
        call: &CallFacts,
        threads: &[SessionKey],
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let label = call.text("label").filter(|label| !label.is_empty());
        let said = words(call);
        if let Some(label) = label
            && let Some(earlier) = self
                .refused
                .iter()
                .find(|old| old.label.as_deref() == Some(label))
            && !is_taken(label, facts)
            && said.to_lowercase().contains("label")
        {
            sink.fail(
                format!("spawn {id} is refused for its label {label:?}, which only refused spawn {} had: {said}", earlier.call),
                format!("the label {label:?} is free: a refused spawn holds none"),
            );
        }
        self.judge_limit(id, call, &said, facts, sink);
        let asked = match threads {
            [key] if call.asked_thread => Some(key.clone()),
            _ => None,
        };
        let own = facts
            .runs
            .iter()
            .filter(|(_, run)| run.role == Role::Child(id.clone()) && run.state.is_live());
        let mut left: Vec<RunId> = own.map(|(run, _)| run.clone()).collect();
        left.sort();
        self.refused.push(Refused {
            left,
            call: id.clone(),
            label: label.map(str::to_owned),
            key: child_key(call, facts).or(asked),
            entry: (facts.index(), facts.now()),
        });
    }

    /// A refused spawn counts for no limit of children.
    fn judge_limit(
        &self,
        id: &CallId,
        call: &CallFacts,
        said: &str,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let max = most_children(call, facts);
        let of_session = |other: &&CallFacts| {
            other.method == "sessions_spawn" && other.session == call.session && !is_refused(other)
        };
        // Those that wait for their answer may count, and so may a child whose run is not over.
        let going = |other: &&CallFacts| {
            other.run.as_ref().is_none_or(|run| !facts.is_over(run)) && !std::ptr::eq(*other, call)
        };
        let children = facts
            .calls
            .values()
            .filter(of_session)
            .filter(going)
            .count();
        let before = self.refused.iter().any(|old| {
            facts
                .calls
                .get(&old.call)
                .is_some_and(|old| old.session == call.session)
        });
        let owing = facts
            .completions
            .values()
            .any(|completion| completion.settled.is_none() && completion.requester == call.session);
        if before && !owing && children < max && said.to_lowercase().contains("children") {
            sink.fail(
                format!("spawn {id} is refused for too many children while {children} of {max} are at work: {said}"),
                "a refused spawn counts as no child",
            );
        }
    }

    fn on_list(&self, id: &CallId, result: &Value, facts: &Facts, sink: &mut Sink) {
        for refused in &self.refused {
            let label = refused
                .label
                .as_deref()
                .filter(|label| !is_taken(label, facts));
            // The key may have a session of its own since, where sends make them.
            let again = |key: &&SessionKey| {
                let session = facts.sessions.get(*key);
                session.is_some_and(|session| session.started_at > Some(refused.entry.1))
            };
            let key = refused.key.as_ref().filter(|key| !again(key));
            let key = key.map(SessionKey::as_str);
            if let Some(name) = key
                .into_iter()
                .chain(label)
                .find(|name| names(result, name))
            {
                sink.fail(
                    format!(
                        "sessions_list {id} shows {name:?}, which is of refused spawn {}",
                        refused.call
                    ),
                    format!("spawn {} left no session", refused.call),
                );
            } else {
                sink.witness();
            }
        }
    }
}

/// Whether a spawn that was not refused has that label.
fn is_taken(label: &str, facts: &Facts) -> bool {
    facts.calls.values().any(|call| {
        call.method == "sessions_spawn" && call.text("label") == Some(label) && !is_refused(call)
    })
}
