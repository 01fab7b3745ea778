//! Threads for children: where there can be none, where nobody opted in, and where they just work.

use std::collections::BTreeMap;

use super::super::{Checker, Sink};
use super::asked::{Asked, words};
use crate::address::Address;
use crate::channel::Placement;
use crate::effect::{Answer, Effect, OpenThread};
use crate::facts::{CallFacts, Facts};
use crate::id::{CallId, RequestId};
use crate::profile::SpawnThreads;
use crate::stimulus::{Caller, Opened, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What};

/// Whether conversations can be bound there.
fn can_bind(at: &Address, facts: &Facts) -> bool {
    let threads = facts
        .channel(at)
        .map(|channel| channel.capabilities.threads)
        .unwrap_or_default();
    let direct = facts.is_direct(&at.without_thread());
    threads.placement != Placement::None && (threads.in_direct || !direct)
}

/// Whether a spawn that gives `thread` may have one there, by configuration and profile.
pub(super) fn may_thread(asked: &Asked, facts: &Facts) -> bool {
    let at = asked.origin;
    let by_default = match facts.dials.spawn_threads_default {
        SpawnThreads::Off => false,
        SpawnThreads::On => true,
        SpawnThreads::ByPlacement => {
            asked.channel.capabilities.threads.placement == Placement::Current
        }
    };
    let required = asked.channel.threading.requires_thread_for_subagents;
    let said = facts.config.spawn_may_bind(at);
    facts.config.bindings_enabled(at) && said.unwrap_or(by_default || required)
}

/// Whether a refusal may be one of a thread that works: what it says is all that can be known.
fn speaks_of_threads(call: &CallFacts) -> bool {
    words(call).to_lowercase().contains("thread")
}

/// Looks at threads where there can be none.
pub(super) struct NeedsChannel;

impl Checker for NeedsChannel {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::OpenThread(open)) => on_open_nowhere(open, facts, sink),
            What::Effect(Effect::Answer(answer)) => {
                if let Some(asked) = Asked::of(&answer.call, facts) {
                    on_answer_nowhere(&answer.call, &asked, facts, sink);
                } else if let Some(call) = facts.call_here().map(|(_, call)| call) {
                    on_answer_without_place(&answer.call, call, facts, sink);
                }
            }
            _ => (),
        }
    }
}

fn on_open_nowhere(open: &OpenThread, facts: &Facts, sink: &mut Sink) {
    let Some((id, call)) = facts.spawn_of_thread(&open.request) else {
        return;
    };
    let here = |origin: &Address| origin.without_thread() == open.parent.without_thread();
    let child = facts
        .channel(&open.parent)
        .is_some_and(|channel| channel.capabilities.threads.placement == Placement::Child);
    if call.origins.iter().any(here) && !(child && can_bind(&open.parent, facts)) {
        sink.fail(
            format!(
                "spawn {id} asks for a thread in {}, where none can be opened",
                open.parent
            ),
            format!("spawn {id} is refused before anything is asked for"),
        );
    }
}

fn on_answer_nowhere(id: &CallId, asked: &Asked, facts: &Facts, sink: &mut Sink) {
    let at = asked.origin;
    if !asked.thread() || can_bind(at, facts) {
        return;
    }
    if asked.call.is_accepted() {
        sink.fail(
            format!("spawn {id} with a thread is accepted from {at}, which cannot be bound"),
            format!("spawn {id} is refused: {at} has no threads"),
        );
    } else if speaks_of_threads(asked.call) {
        sink.witness();
    }
}

/// The run that called answers to nobody: there is no conversation to open a thread in.
fn on_answer_without_place(id: &CallId, call: &CallFacts, facts: &Facts, sink: &mut Sink) {
    let by_run = matches!(call.by, Caller::Run(_));
    if call.method != "sessions_spawn" || !by_run || !call.origins.is_empty() {
        return;
    }
    // Where a conversation is bound as it is, nobody can see that none was.
    let current = |channel: &crate::channel::Channel| {
        channel.capabilities.threads.placement == Placement::Current
    };
    if !call.is_true("thread") || facts.channels.values().any(current) {
        return;
    }
    if call.is_accepted() && !call.asked_thread {
        sink.fail(
            format!(
                "spawn {id} with a thread is accepted from a run that answers to no conversation"
            ),
            format!("spawn {id} is refused: there is nowhere to open a thread"),
        );
    } else if !call.is_accepted() && speaks_of_threads(call) {
        sink.witness();
    }
}

/// Looks at threads that nobody opted in to.
#[derive(Default)]
pub(super) struct OptIn {
    /// When the configuration changed last.
    changed: usize,
}

/// What a refusal can name the setting by.
pub(super) const SETTINGS: [&str; 3] = ["threadBindings", "spawnSubagentSessions", "spawnSessions"];

impl Checker for OptIn {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::ConfigChanged(_) | Stimulus::Open(_)) => {
                self.changed = facts.index();
            }
            What::Effect(Effect::Answer(answer)) => {
                let Some(asked) = Asked::of(&answer.call, facts) else {
                    return;
                };
                self.on_answer(&answer.call, &asked, facts, sink);
            }
            _ => (),
        }
    }
}

impl OptIn {
    fn on_answer(&self, id: &CallId, asked: &Asked, facts: &Facts, sink: &mut Sink) {
        let (call, at) = (asked.call, asked.origin);
        let settled = call.made.0 > self.changed;
        if !asked.thread() || !settled || !can_bind(at, facts) || may_thread(asked, facts) {
            return;
        }
        let enabled = facts.config.bindings_enabled(at);
        // Other versions have a setting of its own for runtime acp.
        if enabled && asked.acp {
            return;
        }
        let why = match enabled {
            true => "nobody opted in to threads for spawns",
            false => "bindings are disabled",
        };
        let said = words(call);
        if call.is_accepted() {
            sink.fail(
                format!("spawn {id} with a thread is accepted from {at}, where {why}"),
                format!("spawn {id} is refused: {why}"),
            );
        } else if SETTINGS.iter().any(|setting| said.contains(setting)) {
            sink.witness();
        } else if speaks_of_threads(call) {
            sink.fail(
                format!("spawn {id} is refused, and its answer names no setting: {said}"),
                format!("the answer names the setting: {why}"),
            );
        }
    }
}

/// Looks at threads that nothing stands against.
#[derive(Default)]
pub(super) struct Explicit {
    changed: usize,
    /// Spawns whose thread the channel did not open for certain.
    unopened: BTreeMap<CallId, (usize, Time)>,
    asked: BTreeMap<RequestId, CallId>,
    /// Somebody asked for a thread by command.
    focused: bool,
}

impl Checker for Explicit {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::ConfigChanged(_) | Stimulus::Open(_)) => {
                self.changed = facts.index();
            }
            What::Stimulus(Stimulus::Inbound(inbound)) => {
                self.focused |= inbound.text.starts_with("/focus");
            }
            What::Stimulus(Stimulus::ThreadOpened(opened)) => {
                if let Some(id) = self.asked.remove(&opened.request)
                    && !matches!(opened.outcome, Opened::Opened { .. })
                {
                    self.unopened.insert(id, (facts.index(), entry.at));
                }
            }
            What::Effect(Effect::OpenThread(open)) => self.on_open(open, facts, sink),
            What::Effect(Effect::Answer(answer)) => self.on_answer(answer, facts, sink),
            _ => (),
        }
    }
}

impl Explicit {
    fn on_open(&mut self, open: &OpenThread, facts: &Facts, sink: &mut Sink) {
        let Some((id, call)) = facts.spawn_of_thread(&open.request) else {
            return;
        };
        self.asked.insert(open.request.clone(), id.clone());
        let [origin] = &*call.origins else {
            return;
        };
        let right = origin.without_thread();
        if call.is_true("thread") && !self.focused && open.parent != right {
            let (parent, within) = (&open.parent, open.parent.thread.is_some());
            sink.fail(
                match within {
                    true => format!("spawn {id} asks for a thread inside thread {parent}"),
                    false => format!("spawn {id} from {origin} asks for a thread in {parent}"),
                },
                format!("the thread is opened in {right}"),
            );
        }
    }

    fn on_answer(&mut self, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        let id = &answer.call;
        let Some(asked) = Asked::of(id, facts).filter(|asked| asked.thread_given) else {
            return;
        };
        let unopened = self.unopened.remove(id).is_some();
        let call = asked.call;
        let policy = asked.channel.threading;
        let plain = !policy.requires_thread_for_subagents && !policy.auto_inject_thread_params;
        let may = can_bind(asked.origin, facts) && may_thread(&asked, facts);
        if !plain || !may || unopened || call.made.0 <= self.changed {
            return;
        }
        if call.is_accepted() {
            sink.witness();
            return;
        }
        // Whoever asked may be gone, or the run may not have started.
        let Caller::Run(by) = &call.by else {
            return;
        };
        let gone = facts.runs.get(by).is_none_or(|run| run.cancelled) || facts.is_over(by);
        let session = call
            .session
            .as_ref()
            .and_then(|key| facts.sessions.get(key));
        let forgot = session.is_none_or(|session| session.told_to_forget || session.deleted);
        if gone || forgot || call.run.is_some() || !speaks_of_threads(call) {
            return;
        }
        sink.fail(
            format!("spawn {id} with a thread is refused: {}", words(call)),
            format!(
                "it is accepted: {} can be bound, and spawns may ask for it",
                asked.origin
            ),
        );
    }
}
