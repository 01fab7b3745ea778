//! Bindings as they can be seen from outside: made by an accepted spawn with a thread, kept by
//! routed messages and delivered output, and ended by limits, people and channels.
//!
//! Where the outside cannot tell an instant exactly, both ends of what is possible are kept, and
//! nobody is blamed for what lies between them.

use super::bound::Those;
use super::{CallFacts, Chatter, Circumstances, Facts, Role, Settled, Touch};
use crate::address::Address;
use crate::channel::Placement;
use crate::config::Limits;
use crate::effect::{OpenThread, ProbeThread, UnboundBecause};
use crate::id::{CallId, Marker, RunId, SessionKey};
use crate::profile::ArchivedThread;
use crate::stimulus::{Call, Caller, Inbound, Opened, ThreadOpened, ThreadProbed, ThreadState};
use crate::time::{Span, Time};

/// The number of a binding, until something is forgotten.
pub type BindingId = usize;

/// What a crash may take of what was not yet on the disk: touches of so long.
const TOUCHES_LOST: Span = Span::secs(15);

/// A conversation tied to a session.
#[derive(Clone, Debug)]
pub struct BindingFacts {
    /// The conversation or thread.
    pub address: Address,
    /// The session.
    pub key: SessionKey,
    /// The spawn that made it.
    pub call: Option<CallId>,
    /// When it was made: not before, not after.
    pub made: (Time, Time),
    /// What its age counts from: not before, not after.
    pub age_from: (Time, Time),
    /// When it was last active: not before, not after.
    pub touched: (Time, Time),
    /// Its limits.
    pub limits: Limits,
    /// Since when they are what they are: a command can set a deadline in the past.
    pub limited_at: Time,
    /// Whether its limits can no longer be told: the configuration was edited under it.
    pub unsure: bool,
    /// Since when something may have ended it other than its limits, and what.
    pub cause: Option<(Time, UnboundBecause)>,
    /// When it was seen to be over, and the reason if it is known.
    pub ended: Option<(Time, Option<UnboundBecause>)>,
    /// The deadline it had before it was touched while a probe was waited for, where that deadline
    /// passed before the answer: whoever decides by what was known before the probe, ends it.
    pub stale_due: Option<Time>,
    /// What befell it.
    pub around: Circumstances,
    /// What the configuration gave it.
    configured: Limits,
    /// Touches of late, not before and not after, the first of which no crash can take.
    recent: Vec<(Time, Time)>,
}

impl BindingFacts {
    /// When its idle timeout is reached: not before, not after.
    pub fn idle_due(&self) -> Option<(Time, Time)> {
        let idle = self.limits.idle?;
        Some((self.touched.0 + idle, self.touched.1 + idle))
    }

    /// When its max age is reached: not before, not after.
    pub fn age_due(&self) -> Option<(Time, Time)> {
        let age = self.limits.max_age?;
        Some((self.age_from.0 + age, self.age_from.1 + age))
    }

    /// The earliest instant at which one of its limits may have been reached.
    pub fn earliest_lapse(&self) -> Option<Time> {
        let due = [self.idle_due(), self.age_due()];
        due.into_iter().flatten().map(|(from, _)| from).min()
    }

    /// The instant by which one of its limits has been reached for certain.
    pub fn latest_lapse(&self) -> Option<Time> {
        let due = [self.idle_due(), self.age_due()];
        due.into_iter().flatten().map(|(_, to)| to).min()
    }

    /// Whether an end at that time would have neither a limit nor anything else for its cause.
    pub fn would_end_early(&self, at: Time) -> bool {
        let due = self.earliest_lapse().is_some_and(|due| due <= at);
        self.cause.is_none() && !self.unsure && !due
    }

    /// Whether nothing but its limits can have ended it until then, and they did not.
    pub fn would_hold(&self, at: Time) -> bool {
        self.ended.is_none() && self.would_end_early(at)
    }

    /// Whether it held until the gateway hears of its thread; the world knew before.
    fn held_until_told(&self, now: Time) -> bool {
        let due = self.earliest_lapse().is_some_and(|due| due <= now);
        let by_thread = self.cause.is_none_or(|(_, reason)| {
            matches!(
                reason,
                UnboundBecause::ThreadGone
                    | UnboundBecause::ThreadLocked
                    | UnboundBecause::ThreadArchived
            )
        });
        self.ended.is_none() && !self.unsure && !due && by_thread
    }

    pub(super) fn touch(&mut self, from: Time, to: Time, certain: bool) {
        self.touched.1 = self.touched.1.max(to);
        if !certain || from <= self.touched.0 {
            return;
        }
        self.touched.0 = from;
        self.recent.push((from, to));
        while self
            .recent
            .get(1)
            .is_some_and(|&(_, next)| next + TOUCHES_LOST <= to)
        {
            self.recent.remove(0);
        }
    }

    fn lose_touches(&mut self, at: Time) {
        self.recent.retain(|&(_, to)| to + TOUCHES_LOST <= at);
        let kept = self.recent.last().map_or(self.made.0, |&(from, _)| from);
        self.touched.0 = kept.min(self.touched.0);
    }
}

impl Facts {
    pub(super) fn on_open_thread(&mut self, open: &OpenThread) {
        if self.focus_opens(open) {
            return;
        }
        // The call it belongs to: of those that wait and have no thread yet, the oldest that asked
        // for one, there if possible.
        let waiting = self.calls.iter().filter(|(_, call)| {
            let waits = call.waits_in(self.lives);
            call.method == "sessions_spawn" && waits && !call.asked_thread
        });
        let call = waiting.min_by_key(|(_, call)| {
            // A thread stands in the conversation, also where it was asked for in another thread.
            let parent = open.parent.without_thread();
            let here = call
                .origins
                .iter()
                .any(|origin| origin.without_thread() == parent);
            (!self.asks_thread(call), !here, call.made)
        });
        let call = call.map(|(id, _)| id.clone());
        if let Some(call) = call.as_ref().and_then(|call| self.calls.get_mut(call)) {
            call.asked_thread = true;
        }
        self.threads_asked
            .insert(open.request.clone(), (open.session_key.clone(), call));
    }

    pub(super) fn on_thread_opened(&mut self, opened: &ThreadOpened) {
        let at = match &opened.outcome {
            Opened::Opened { at } => Some(at),
            Opened::Refused { .. } | Opened::Unknown {} => None,
        };
        if self.focus_opened(&opened.request, at) {
            return;
        }
        let Some((_, call)) = self.threads_asked.remove(&opened.request) else {
            return;
        };
        if let (Opened::Opened { at }, Some(id)) = (&opened.outcome, call)
            && let Some(call) = self.calls.get_mut(&id)
        {
            call.thread = Some(at.clone());
            self.opened_for.insert(at.clone(), id);
            call.made.1 = call.made.1.max(self.now);
        }
    }

    /// A spawn was answered: where it was accepted with a thread, a binding was made.
    pub(super) fn on_spawn_answered(&mut self, id: &CallId) {
        let Some(call) = self.calls.get(id) else {
            return;
        };
        if let Some(thread) = &call.thread {
            self.opened_for.remove(thread);
        }
        if call.method != "sessions_spawn" || call.by == Caller::Plugin {
            return;
        }
        if !call.is_accepted() {
            // Whoever asked knows by the answer that nothing came of it.
            if let Some(run) = call.run.clone() {
                self.settle_completion(&run, Settled::Failed);
            }
            return;
        }
        let given = call
            .answer
            .as_ref()
            .and_then(|answer| answer.get("childSessionKey"));
        let given = given.and_then(|key| key.as_str()).map(SessionKey::from);
        let ran = call
            .run
            .as_ref()
            .and_then(|run| self.runs.get(run))
            .map(|run| run.key.clone());
        let (Some(key), Some(address)) = (ran.or(given), self.place_of_spawn(call)) else {
            return;
        };
        let (made, run) = ((call.made.1, self.now), call.run.clone());
        let heard = |(at, when): &(Address, Time)| *at == address && made.0 <= *when;
        let unsure = self.early_commands.iter().any(heard);
        let around = self.replace_at(&address);
        self.note_bound(address, key, Some(id.clone()), made, unsure, around);
        // It may be over before the answer says that it runs.
        if let Some(run) = run.filter(|run| self.is_over(run)) {
            self.on_bound_run_ended(&run, false);
        }
    }

    /// Whether a spawn is to have a thread: it says so, or its channel requires that.
    fn asks_thread(&self, call: &CallFacts) -> bool {
        let channel = call.origins.first().and_then(|at| self.channel(at));
        let requires = channel.is_some_and(|c| c.threading.requires_thread_for_subagents);
        call.is_true("thread") || requires && call.text("runtime") != Some("acp")
    }

    /// Where a spawn binds its child, if it does.
    fn place_of_spawn(&self, call: &CallFacts) -> Option<Address> {
        let current = || {
            let origin = call.origins.first()?;
            let placement = self.channel(origin)?.capabilities.threads.placement;
            (self.asks_thread(call) && placement == Placement::Current).then(|| origin.clone())
        };
        call.thread.clone().or_else(current)
    }

    /// Spawns whose answer dies with the gateway may have bound their child, and replaced what was
    /// bound there.
    pub(super) fn suppose_bindings(&mut self) {
        let waits = |call: &CallFacts| {
            call.waits_in(self.lives)
                && call.method == "sessions_spawn"
                && call.by != Caller::Plugin
        };
        let waiting = self.calls.iter().filter(|(_, call)| waits(call));
        let mut supposed: Vec<_> = waiting
            .filter_map(|(id, call)| {
                let run = call.run.as_ref().and_then(|run| self.runs.get(run));
                let key = run.map(|run| run.key.clone());
                Some((call.made, id.clone(), self.place_of_spawn(call)?, key))
            })
            .collect();
        supposed.sort();
        for (made, id, address, key) in supposed {
            self.give_cause(Those::At(&address), UnboundBecause::Replaced);
            if let Some(key) = key {
                self.suppose_bound(address, key, id, made.1);
            }
        }
    }

    /// A child begins over whose spawn an earlier life died: that life may have bound it.
    pub(super) fn suppose_binding_of_child(&mut self, key: &SessionKey) {
        let Some(Role::Child(id)) = self.run_here().map(|run| &run.role) else {
            return;
        };
        let id = id.clone();
        let lost = self.calls.get(&id).filter(|call| {
            call.answer.is_none() && call.life < self.lives && call.by != Caller::Plugin
        });
        let Some((made, address)) =
            lost.and_then(|call| Some((call.made.1, self.place_of_spawn(call)?)))
        else {
            return;
        };
        if !self.was_bound(key, &address) {
            self.suppose_bound(address, key.clone(), id, made);
        }
    }

    /// A child may have been bound at any time since its spawn was called for.
    fn suppose_bound(&mut self, address: Address, key: SessionKey, spawn: CallId, called: Time) {
        let (made, around) = ((called, self.now), Circumstances::default());
        self.note_bound(address, key, Some(spawn), made, true, around);
    }

    /// What was bound there is bound no more; what that means for what comes in its place.
    pub(super) fn replace_at(&mut self, address: &Address) -> Circumstances {
        let replaced = self.binding_at(address).map(|(_, old)| old.key.clone());
        self.end_bindings(Those::At(address), UnboundBecause::Replaced);
        Circumstances {
            replaced,
            ..Circumstances::default()
        }
    }

    pub(super) fn note_bound(
        &mut self,
        address: Address,
        key: SessionKey,
        call: Option<CallId>,
        made: (Time, Time),
        unsure: bool,
        around: Circumstances,
    ) {
        let configured = self.config.binding_limits(&address);
        self.tell_bound_to_forget(&address, &key, made);
        self.note_twins(&address);
        self.note_names(&address, &key, self.bindings.len());
        // What cannot be bound may have been given up before it was.
        let asked = call.is_some() || around.focused;
        let unsure = unsure || asked && !self.config.bindings_enabled(&address);
        let around = Circumstances {
            otherwise: self.config.other_binding_limits(&address).into(),
            migrated: around.migrated || self.config.idle_is_migrated(&address),
            ..around
        };
        self.bindings.push(BindingFacts {
            address,
            key,
            call,
            made,
            age_from: made,
            touched: made,
            limits: configured,
            limited_at: Time::ZERO,
            unsure,
            cause: None,
            ended: None,
            stale_due: None,
            around,
            configured,
            recent: Vec::new(),
        });
    }

    pub(super) fn on_probe_thread(&mut self, probe: &ProbeThread) {
        self.probes
            .insert(probe.request.clone(), probe.address.clone());
        self.probed_at.insert(probe.request.clone(), self.now);
    }

    pub(super) fn on_thread_probed(&mut self, probed: &ThreadProbed) {
        if let Some(at) = self.probes.remove(&probed.request) {
            let now = self.now;
            let asked = self.probed_at.remove(&probed.request).unwrap_or(now);
            let bound = self.binding_at(&at);
            let later = bound.is_some_and(|(_, binding)| asked < binding.made.0);
            if let Some(id) = bound.map(|(id, _)| id) {
                self.bindings[id].note_chatter(now, Chatter::Probe);
            }
            // What is found of an older binding is no news of the one that is there since.
            if !later {
                self.on_thread_told(&at, probed.state);
            }
        }
        if self.probes.is_empty() {
            let now = self.now;
            for binding in &mut self.bindings {
                binding.stale_due = binding.stale_due.filter(|due| *due <= now);
            }
        }
    }

    /// The gateway is told what a thread is like.
    pub(super) fn on_thread_told(&mut self, at: &Address, state: ThreadState) {
        let now = self.now;
        if !matches!(state, ThreadState::Live | ThreadState::Unknown)
            && let Some((id, binding)) = self.binding_at(at)
            && binding.held_until_told(now)
        {
            let around = &mut self.bindings[id].around;
            around.thread_told.get_or_insert((now, state));
        }
        self.on_thread_state(at, state);
    }

    pub(super) fn on_thread_state(&mut self, at: &Address, state: ThreadState) {
        let reason = match state {
            ThreadState::Gone => UnboundBecause::ThreadGone,
            ThreadState::Locked => UnboundBecause::ThreadLocked,
            ThreadState::Archived if self.dials.archived_thread == ArchivedThread::Ends => {
                UnboundBecause::ThreadArchived
            }
            ThreadState::Archived | ThreadState::Live | ThreadState::Unknown => return,
        };
        self.give_cause(Those::At(at), reason);
    }

    /// A session is reset, deleted or killed, which reaches those below it too.
    pub(super) fn on_call_against_bindings(&mut self, call: &Call) {
        if self.bindings.is_empty() {
            return;
        }
        let text = |name: &str| call.params.get(name).and_then(|value| value.as_str());
        let (reason, key) = match call.method.as_str() {
            "sessions.reset" => (UnboundBecause::Reset, text("key")),
            "sessions.delete" => (UnboundBecause::Deleted, text("key")),
            "subagents" if text("action") == Some("kill") => {
                (UnboundBecause::Killed, text("target"))
            }
            _ => return,
        };
        let known = key
            .map(SessionKey::from)
            .filter(|key| self.sessions.contains_key(key));
        // A target by another name may be any child of whoever calls.
        let caller = || match &call.by {
            Caller::Run(run) => self.runs.get(run).map(|run| run.key.clone()),
            Caller::Admin | Caller::Plugin => None,
        };
        let Some(key) = known.or_else(caller) else {
            return;
        };
        let below: Vec<BindingId> = (0..self.bindings.len())
            .filter(|&id| {
                let binding = &self.bindings[id];
                binding.key == key || self.descends(binding.call.as_ref(), &key)
            })
            .collect();
        let now = self.now;
        for id in below {
            self.bindings[id].cause.get_or_insert((now, reason));
        }
    }

    /// Whether a spawn was made by a session, or by one below it.
    fn descends(&self, call: Option<&CallId>, from: &SessionKey) -> bool {
        let mut call = call.and_then(|call| self.calls.get(call));
        // No tree of sessions is deeper than there are calls.
        for _ in 0..self.calls.len() {
            let Some(session) = call.and_then(|call| call.session.as_ref()) else {
                return false;
            };
            if session == from {
                return true;
            }
            let made = |run: &RunId| self.runs.get(run).is_some_and(|run| run.key == *session);
            call = self.calls.values().find(|call| {
                call.method == "sessions_spawn" && call.run.as_ref().is_some_and(made)
            });
        }
        false
    }

    /// A run ended in a way that may end the binding of its session.
    pub(super) fn on_bound_run_ended(&mut self, id: &RunId, killed: bool) {
        if self.bindings.is_empty() {
            return;
        }
        let Some(run) = self.runs.get(id) else { return };
        let (key, role) = (run.key.clone(), run.role.clone());
        if killed {
            self.give_cause(Those::Of(&key), UnboundBecause::Killed);
        }
        let Role::Child(call) = role else { return };
        let mode = self.calls.get(&call).and_then(|call| {
            let answered = call.answer.as_ref().and_then(|answer| answer.get("mode"));
            answered
                .and_then(|mode| mode.as_str())
                .or(call.text("mode"))
        });
        if mode == Some("run") {
            self.give_cause(Those::Of(&key), UnboundBecause::RunEnded);
        }
    }

    /// The first run of a bound child never started.
    pub(super) fn on_bound_run_refused(&mut self, id: &RunId) {
        let run = self
            .runs
            .get(id)
            .filter(|run| matches!(run.role, Role::Child(_)));
        if let Some(key) = run.map(|run| run.key.clone()) {
            self.give_cause(Those::Of(&key), UnboundBecause::SpawnFailed);
        }
    }

    /// A message arrives in a bound conversation: some touch the binding now, some when a run is
    /// given the message.
    pub(super) fn on_bound_inbound(&mut self, inbound: &Inbound, marker: Option<&Marker>) {
        let message = marker.and_then(|marker| self.messages.get(marker));
        let wanted = message.is_some_and(|message| {
            message.wants_answer && (!message.is_command() || message.asks_fresh())
        });
        let dropped = message.is_some_and(|message| !message.wants_answer);
        let now = self.now;
        let Some((id, _)) = self.binding_at(&inbound.at) else {
            return;
        };
        let binding = &mut self.bindings[id];
        if wanted && inbound.authorised {
            binding.note_touch(now, Touch::Message);
            binding.touch(now, now, false);
        } else if dropped {
            binding.note_chatter(now, Chatter::Dropped);
        } else if !inbound.authorised && inbound.text.starts_with('/') {
            binding.note_chatter(now, Chatter::Unauthorised);
        }
    }

    /// The configuration may have changed.
    pub(super) fn on_binding_config(&mut self) {
        let now = self.now;
        for binding in self.bindings.iter_mut().filter(|b| b.ended.is_none()) {
            if !self.config.account_enabled(&binding.address) {
                if binding.would_hold(now) {
                    binding.around.stopped = Some(now);
                }
                let cause = (now, UnboundBecause::AccountStopped);
                binding.cause.get_or_insert(cause);
            } else if !self.config.bindings_enabled(&binding.address) {
                let cause = (now, UnboundBecause::Disabled);
                binding.cause.get_or_insert(cause);
            }
            binding.unsure |= self.config.binding_limits(&binding.address) != binding.configured;
        }
    }

    /// A new life begins: after a crash, touches of late may be forgotten.
    pub(super) fn on_binding_life(&mut self) {
        let now = self.now;
        self.probes.clear();
        self.probed_at.clear();
        self.threads_asked.clear();
        self.forget_focusing();
        self.questions.clear();
        (self.life_entry, self.life_began) = (self.index, now);
        self.early_commands.clear();
        let died = self.died.take().unwrap_or(now);
        if !std::mem::take(&mut self.stopped) {
            for binding in self.bindings.iter_mut().filter(|b| b.ended.is_none()) {
                binding.lose_touches(died);
                // It may have died before it heard of that.
                let stopped = &mut binding.around.stopped;
                *stopped = stopped.filter(|&at| at != died);
            }
        }
        self.on_binding_config();
    }
}
