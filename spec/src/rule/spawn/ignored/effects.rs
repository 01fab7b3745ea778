//! The effects of the parameters of a spawn, as far as they can be seen.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::super::super::Sink;
use super::super::asked::{child_key, names};
use crate::address::Address;
use crate::effect::{Answer, CancelRun, Memory, StartRun, SteerRun};
use crate::facts::{CallFacts, Facts, Role, Settled};
use crate::id::{CallId, Marker, RunId, SessionKey};
use crate::profile::{AcpLimits, ContextDefault};
use crate::stimulus::{RunEnded, RunProgress, RunStarted, Start};
use crate::time::{Span, Time};
use crate::trace::Entry;

/// Follows what was asked for until it has come, or should have.
#[derive(Default)]
pub(super) struct Effects {
    /// Runs that may take only so long: until when.
    limited: BTreeMap<RunId, Time>,
    /// Children that ended and of which somebody is, or is not, to be told.
    ended: FxHashMap<RunId, Told>,
    /// Children whose progress their parent is to hear.
    streams: FxHashMap<RunId, Stream>,
    /// Accepted spawns whose task no run was given yet.
    tasks: BTreeMap<CallId, (usize, Time)>,
    /// Accepted children with a label, or to be deleted, by their sessions.
    kept: BTreeMap<SessionKey, CallId>,
    pub(super) rested: bool,
}

struct Told {
    call: CallId,
    since: (usize, Time),
    /// Whether the conversation that asked was told.
    person: bool,
    /// Whether the session that asked was.
    parent: bool,
}

struct Stream {
    call: CallId,
    since: (usize, Time),
    left: Vec<Marker>,
}

/// How late a run may be told to stop.
const SLACK: Span = Span::secs(1);

/// How long after its end a child that is to be deleted may still be there.
const CLEANUP: Span = Span::mins(1);

fn says(call: &CallFacts, name: &str) -> Option<bool> {
    call.params.get(name).and_then(Value::as_bool)
}

impl Effects {
    pub(super) fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let Some(run) = facts.run_here() else {
            return;
        };
        match &run.role {
            Role::Child(id) => {
                self.tasks.remove(id);
                if let Some(call) = facts.calls.get(id).filter(|_| start.resumes.is_none()) {
                    judge_first_run(start, id, call, facts, sink);
                }
            }
            Role::Event(child) => {
                // What is said for a child by a later turn of it is news of the child too.
                let mut told = facts.told_in(&run.given);
                if !told.contains(child) {
                    told.push(child.clone());
                }
                for child in told {
                    self.on_told(&child, &start.session_key, &run.given, facts, sink);
                }
            }
            Role::Chat(_) | Role::Sent(_) | Role::Plugin(_) | Role::Internal | Role::Unknown => (),
        }
    }

    pub(super) fn on_steer(
        &mut self,
        steer: &SteerRun,
        entry: &Entry,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        if self.ended.is_empty() && self.streams.is_empty() {
            return;
        }
        let Some(key) = facts.runs.get(&steer.run).map(|run| run.key.clone()) else {
            return;
        };
        let of = |marker: &Marker| facts.born.get(marker)?.run().cloned();
        let mut told = facts.told_in(&entry.markers);
        told.extend(entry.markers.iter().filter_map(of));
        for child in told {
            self.on_told(&child, &key, &entry.markers, facts, sink);
        }
    }

    /// A session is given what a child said.
    fn on_told(
        &mut self,
        child: &RunId,
        key: &SessionKey,
        given: &[Marker],
        facts: &Facts,
        sink: &mut Sink,
    ) {
        if let Some(stream) = self.streams.get_mut(child)
            && facts
                .calls
                .get(&stream.call)
                .and_then(|call| call.session.as_ref())
                == Some(key)
        {
            stream.left.retain(|marker| !given.contains(marker));
            if stream.left.is_empty() {
                sink.witness();
            }
        }
        let Some(told) = self.ended.get_mut(child) else {
            return;
        };
        let Some(call) = facts.calls.get(&told.call) else {
            return;
        };
        if call.session.as_ref() != Some(key) {
            return;
        }
        told.parent = true;
        let nobody = !call.wants_completion();
        if nobody || says(call, "notifyParent") == Some(false) {
            let name = match nobody && says(call, "expectsCompletionMessage") == Some(false) {
                true => "expectsCompletionMessage",
                false => "notifyParent",
            };
            sink.fail(
                format!("session {key} is told of the end of run {child}, though spawn {} has `{name}`: false", told.call),
                format!("session {key} is not told"),
            );
        }
    }

    pub(super) fn on_started(&mut self, started: &RunStarted, at: Time, facts: &Facts) {
        let Some(Role::Child(id)) = facts.run_here().map(|run| &run.role) else {
            return;
        };
        let Some(call) = facts
            .calls
            .get(id)
            .filter(|_| started.outcome == Start::Started)
        else {
            return;
        };
        let acp = call.text("runtime") == Some("acp");
        let seconds = call.params.get("runTimeoutSeconds").and_then(Value::as_u64);
        let Some(seconds) = seconds.filter(|&seconds| seconds > 0) else {
            return;
        };
        if !acp || facts.dials.acp_limits != AcpLimits::None {
            let due = at + Span::secs(seconds);
            self.limited.insert(started.run.clone(), due);
        }
    }

    pub(super) fn on_cancel(&mut self, cancel: &CancelRun, at: Time, sink: &mut Sink) {
        if self.limited.is_empty() {
            return;
        }
        if let Some(due) = self.limited.get(&cancel.run) {
            if at <= *due + SLACK && *due <= at + SLACK {
                sink.witness();
                self.limited.remove(&cancel.run);
            } else if at < *due {
                self.limited.remove(&cancel.run);
            }
        }
    }

    pub(super) fn on_progress(&mut self, progress: &RunProgress, entry: &Entry, facts: &Facts) {
        let Some(Role::Child(id)) = facts.run_here().map(|run| &run.role) else {
            return;
        };
        let call = facts.calls.get(id);
        if call.is_some_and(|call| call.text("streamTo") == Some("parent") && call.is_accepted()) {
            let stream = self.streams.entry(progress.run.clone());
            let stream = stream.or_insert_with(|| Stream {
                call: id.clone(),
                since: (facts.index(), entry.at),
                left: Vec::new(),
            });
            stream.left.extend(entry.own.iter().cloned());
        }
    }

    pub(super) fn on_ended(&mut self, ended: &RunEnded, at: Time, facts: &Facts, sink: &mut Sink) {
        if let Some(due) = self.limited.remove(&ended.run)
            && due + SLACK < at
        {
            sink.fail(
                format!(
                    "run {} ends by itself at {at}, though it may take only until {due}",
                    ended.run
                ),
                "it is told to stop then: `runTimeoutSeconds` has its effect",
            );
        }
        let Some(Role::Child(id)) = facts.run_here().map(|run| &run.role) else {
            return;
        };
        let Some(call) = facts.calls.get(id).filter(|call| call.is_accepted()) else {
            return;
        };
        let asked = [
            "expectsCompletionMessage",
            "notifyParent",
            "notifyUserOnComplete",
        ];
        if asked.into_iter().any(|name| says(call, name).is_some()) {
            let told = Told {
                call: id.clone(),
                since: (facts.index(), at),
                person: false,
                parent: false,
            };
            self.ended.entry(ended.run.clone()).or_insert(told);
        }
    }

    pub(super) fn on_posted(&mut self, at: &Address, entry: &Entry, facts: &Facts) {
        if self.ended.is_empty() {
            return;
        }
        for child in facts.told_in(&entry.markers) {
            self.note_posted(&child, at, facts);
        }
        let runs = entry
            .markers
            .iter()
            .filter_map(|marker| facts.born.get(marker)?.run());
        let told: Vec<RunId> = runs
            .flat_map(|run| facts.told_by(run).iter().cloned())
            .collect();
        for child in told {
            self.note_posted(&child, at, facts);
        }
    }

    fn note_posted(&mut self, child: &RunId, at: &Address, facts: &Facts) {
        if let Some(told) = self.ended.get_mut(child) {
            let call = facts.calls.get(&told.call);
            told.person |= call.is_some_and(|call| call.origins.contains(at));
        }
    }

    /// What was in flight may be told otherwise now, and limits may count anew.
    pub(super) fn on_crash(&mut self) {
        self.limited.clear();
        self.streams.clear();
        self.tasks.clear();
        self.kept.clear();
    }

    pub(super) fn on_answer(&mut self, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        let Some(call) = facts.call_here().map(|(_, call)| call) else {
            return;
        };
        match call.method.as_str() {
            "sessions_spawn" if call.is_accepted() && call.session.is_some() => {
                if call.run.is_none() {
                    self.tasks
                        .insert(answer.call.clone(), (facts.index(), facts.now()));
                }
                let label = call
                    .text("label")
                    .is_some_and(|label| !label.trim().is_empty());
                if (label || call.text("cleanup") == Some("delete"))
                    && let Some(key) = child_key(call, facts)
                {
                    self.kept.insert(key, answer.call.clone());
                }
            }
            "sessions_list" => {
                for (key, id) in &self.kept {
                    judge_listed(&answer.result, call, key, id, facts, sink);
                }
            }
            // Whoever is told to stop may never start.
            "subagents" | "sessions.delete" | "sessions.reset" => self.tasks.clear(),
            _ => (),
        }
    }

    pub(super) fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        if !self.rested {
            return;
        }
        for (id, since) in &self.tasks {
            let call = facts.calls.get(id);
            // Whoever is stopped may stop what waits, and what waits may be stopped itself.
            let waits =
                |call: &CallFacts| call.run.is_none() && !call.heard && !facts.was_stopped(call);
            if call.is_some_and(waits) {
                sink.fail_since(
                    *since,
                    format!("spawn {id} is accepted, and no run is given its task"),
                    format!("the first run of its session is given the task of spawn {id}"),
                );
            }
        }
        for (run, told) in &self.ended {
            judge_told(run, told, facts, sink);
        }
        for (run, stream) in &self.streams {
            let call = facts.calls.get(&stream.call);
            let session = call.and_then(|call| call.session.as_ref());
            let session = session.and_then(|key| facts.sessions.get(key));
            let gone = session.is_none_or(|session| {
                session.told_to_forget
                    || session.deleted
                    || session.started_at > Some(stream.since.1)
            });
            if let Some(left) = stream.left.first().filter(|_| !gone) {
                let left = left.in_text();
                sink.fail_since(
                    stream.since,
                    format!("the parent of run {run} never heard {left}, though spawn {} has `streamTo`", stream.call),
                    "what it says before its end is told to its parent",
                );
            }
        }
    }
}

/// What a child is like when it starts.
fn judge_first_run(
    start: &StartRun,
    id: &CallId,
    call: &CallFacts,
    facts: &Facts,
    sink: &mut Sink,
) {
    let run = &start.run;
    // The task is a parameter too, and here it is given.
    sink.witness();
    for name in ["model", "thinking"] {
        let Some(value) = call.params.get(name).filter(|value| !value.is_null()) else {
            continue;
        };
        if start.overrides.get(name) == Some(value) {
            sink.witness();
        } else {
            sink.fail(
                format!("run {run} of spawn {id} has not the {name} {value}"),
                format!("`{name}` has its effect on the first run"),
            );
        }
    }
    let forks = matches!(start.memory, Memory::Fork(_));
    let resumes = call.text("resumeSessionId").is_some() && call.text("runtime") == Some("acp");
    match call.text("context") {
        Some("fork") if forks => sink.witness(),
        Some("fork") => sink.fail(
            format!("run {run} of spawn {id} starts without the memory of its parent"),
            "`context`: \"fork\" has its effect",
        ),
        Some("isolated") if forks && !resumes => sink.fail(
            format!("run {run} of spawn {id} starts with the memory of another session"),
            "`context`: \"isolated\" has its effect",
        ),
        Some(_) => (),
        None if resumes && start.memory == Memory::Fresh => sink.fail(
            format!("run {run} of spawn {id} starts without a memory"),
            "`resumeSessionId` has its effect",
        ),
        None if resumes => sink.witness(),
        None if forks && facts.dials.context_default == ContextDefault::Isolated => {
            sink.fail(
                format!("run {run} of spawn {id} starts with the memory of another session"),
                "nobody asked for that: a child remembers nothing unless `context` says so",
            );
        }
        None => (),
    }
}

/// What a list says of a child.
fn judge_listed(
    result: &Value,
    list: &CallFacts,
    key: &SessionKey,
    id: &CallId,
    facts: &Facts,
    sink: &mut Sink,
) {
    let Some(call) = facts
        .calls
        .get(id)
        .filter(|call| call.session == list.session)
    else {
        return;
    };
    let forgot = facts
        .sessions
        .get(key)
        .is_some_and(|session| session.deleted);
    let row = row_of(result, key).filter(|_| !forgot);
    if let Some(label) = call.text("label").map(str::trim)
        && let Some(row) = row
        && !label.is_empty()
    {
        if names(row, label) {
            sink.witness();
        } else {
            sink.fail(
                format!("session {key} of spawn {id} is listed without its label {label:?}"),
                "`label` has its effect: the session is known by it",
            );
        }
    }
    if call.text("cleanup") != Some("delete") {
        return;
    }
    let run = call.run.as_ref();
    let told = run.and_then(|run| facts.completions.get(run));
    // Only a turn that ended is known to the gateway for certain.
    let settled = told.filter(|told| matches!(told.settled, Some(Settled::ByTurn(_))));
    let Some(told) = settled.filter(|told| told.ended.1 + CLEANUP <= list.made.1) else {
        return;
    };
    let again = facts.live_runs(key).next().is_some();
    match row {
        Some(_) if !again => sink.fail(
            format!(
                "session {key} of spawn {id} is listed, though its end was told after {}",
                told.ended.1
            ),
            "`cleanup`: \"delete\" has its effect: the session is gone",
        ),
        Some(_) => (),
        None => sink.witness(),
    }
}

/// The part of a list that is about a session.
fn row_of<'a>(value: &'a Value, key: &SessionKey) -> Option<&'a Value> {
    match value {
        Value::Array(rows) => rows.iter().find_map(|row| row_of(row, key)),
        Value::Object(fields) => {
            let named = ["key", "sessionKey"];
            let is_it = named
                .iter()
                .any(|name| fields.get(*name).and_then(Value::as_str) == Some(key.as_str()));
            if is_it {
                return Some(value);
            }
            fields.values().find_map(|field| row_of(field, key))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Who was told of an end, in the end.
fn judge_told(run: &RunId, told: &Told, facts: &Facts, sink: &mut Sink) {
    let Some(call) = facts.calls.get(&told.call) else {
        return;
    };
    let completion = facts.completions.get(run);
    // Somebody made its failure visible, or it was replaced.
    let excused = completion.is_some_and(|completion| {
        matches!(
            completion.settled,
            None | Some(Settled::Failed | Settled::Resumed(_))
        )
    });
    let requester = call
        .session
        .as_ref()
        .and_then(|key| facts.sessions.get(key));
    let gone = requester.is_none_or(|session| {
        session.told_to_forget || session.deleted || session.started_at > Some(call.made.1)
    });
    let person = says(call, "notifyUserOnComplete") == Some(true);
    let parent = says(call, "notifyParent") == Some(true);
    // Whoever was stopped from above, and what is below, hears nothing.
    if excused || call.life != facts.lives || facts.was_stopped(call) {
        return;
    }
    if person && !told.person {
        if tried_to_say(run, call, facts) {
            return;
        }
        sink.fail_since(
            told.since,
            format!(
                "nobody in {} is told of the end of run {run}",
                list(&call.origins)
            ),
            "`notifyUserOnComplete` has its effect: the conversation that asked is told",
        );
    } else if parent && !told.parent && !gone {
        sink.fail_since(
            told.since,
            format!("the session that asked is not told of the end of run {run}"),
            "`notifyParent` has its effect: the session that asked is told",
        );
    } else {
        sink.witness();
    }
}

/// Whether whoever was to say it where it was asked for tried to, and it came to nothing: the turn
/// that was told of the child, or the one that was told of the end which that turn was part of.
fn tried_to_say(run: &RunId, call: &CallFacts, facts: &Facts) -> bool {
    let told = |run: &RunId| match &facts.completions.get(run)?.settled {
        Some(Settled::ByTurn(turn)) => Some(turn),
        _ => None,
    };
    let above = |turn: &&RunId| facts.goes_on_in(turn).and_then(told);
    // A circle of turns would be the gateway's doing, and is not followed for ever.
    let mut turns = std::iter::successors(told(run), above).take(64);
    turns.any(|turn| {
        let mut deliveries = facts.deliveries.values();
        deliveries
            .any(|other| other.speaker.as_ref() == Some(turn) && call.origins.contains(&other.to))
    })
}

fn list(addresses: &[Address]) -> String {
    let names: Vec<String> = addresses.iter().map(Address::to_string).collect();
    names.join(" and ")
}
