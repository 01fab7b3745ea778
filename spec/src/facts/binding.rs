//! Bindings as they can be seen from outside: made by an accepted spawn with a thread, kept by
//! routed messages and delivered output, and ended by what people and channels do.

use super::Facts;
use crate::address::Address;
use crate::channel::Placement;
use crate::config::Limits;
use crate::effect::{OpenThread, ProbeThread, UnboundBecause};
use crate::id::{CallId, SessionKey};
use crate::stimulus::{Caller, Opened, ThreadOpened, ThreadProbed, ThreadState};
use crate::time::Time;

/// The number of a binding in a trace.
pub type BindingId = usize;

/// A conversation tied to a session. Where the outside cannot tell an instant exactly, both ends of
/// what is possible are kept.
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
    /// When it was last active: not before, not after.
    pub touched: (Time, Time),
    /// Its limits.
    pub limits: Limits,
    /// Since when something may have ended it other than its limits, and what.
    pub cause: Option<(Time, UnboundBecause)>,
    /// When it was seen to be over, and the reason if the gateway gave one.
    pub ended: Option<(Time, Option<UnboundBecause>)>,
}

impl BindingFacts {
    /// The earliest instant at which one of its limits may have been reached.
    pub fn earliest_lapse(&self) -> Option<Time> {
        self.lapse(self.touched.0, self.made.0)
    }

    /// The instant by which one of its limits has been reached for certain.
    pub fn latest_lapse(&self) -> Option<Time> {
        self.lapse(self.touched.1, self.made.1)
    }

    fn lapse(&self, touched: Time, made: Time) -> Option<Time> {
        let idle = self.limits.idle.map(|idle| touched + idle);
        let age = self.limits.max_age.map(|age| made + age);
        idle.into_iter().chain(age).min()
    }
}

impl Facts {
    /// The address a session is bound to, as far as can be seen.
    pub fn bound_to(&self, key: &SessionKey) -> Option<&Address> {
        let live = |binding: &&super::BindingFacts| binding.key == *key && binding.ended.is_none();
        self.bindings
            .iter()
            .rev()
            .find(live)
            .map(|binding| &binding.address)
    }

    /// Whether a session is or was bound to an address.
    pub fn was_bound(&self, key: &SessionKey, at: &Address) -> bool {
        self.bindings
            .iter()
            .any(|binding| binding.key == *key && binding.address == *at)
    }

    /// The live binding of an address, as far as can be seen.
    pub fn binding_at(&self, at: &Address) -> Option<(BindingId, &BindingFacts)> {
        let mut all = self.bindings.iter().enumerate().rev();
        all.find(|(_, binding)| binding.address == *at && binding.ended.is_none())
    }

    pub(super) fn on_open_thread(&mut self, open: &OpenThread) {
        // The call it belongs to: the oldest that waits and has no thread yet.
        let waiting = self.calls.iter_mut().filter(|(_, call)| {
            call.method == "sessions_spawn" && call.answer.is_none() && !call.asked_thread
        });
        let call = waiting.min_by_key(|(_, call)| call.made).map(|(id, call)| {
            call.asked_thread = true;
            id.clone()
        });
        self.threads_asked
            .insert(open.request.clone(), (open.session_key.clone(), call));
    }

    pub(super) fn on_thread_opened(&mut self, opened: &ThreadOpened) {
        let Some((_, call)) = self.threads_asked.get(&opened.request) else {
            return;
        };
        if let (Opened::Opened { at }, Some(call)) = (&opened.outcome, call)
            && let Some(call) = self.calls.get_mut(call)
        {
            call.thread = Some(at.clone());
            call.made.1 = call.made.1.max(self.now);
        }
    }

    /// A spawn was answered: where it was accepted with a thread, a binding was made.
    pub(super) fn on_spawn_answered(&mut self, id: &CallId) {
        let Some(call) = self.calls.get(id) else {
            return;
        };
        if call.method != "sessions_spawn" || !call.is_accepted() || call.by == Caller::Plugin {
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
        let current = || {
            let origin = call.origins.first()?;
            let channel = self.channel(origin)?;
            let asked = call.is_true("thread")
                || channel.threading.requires_thread_for_subagents
                    && call.text("runtime") != Some("acp");
            let here = channel.capabilities.threads.placement == Placement::Current;
            (asked && here).then(|| origin.clone())
        };
        let (Some(key), Some(address)) = (given.or(ran), call.thread.clone().or_else(current))
        else {
            return;
        };
        let made = (call.made.1, self.now);
        let limits = self.config.binding_limits(&address);
        self.end_binding_at(&address, UnboundBecause::Replaced);
        self.bindings.push(BindingFacts {
            address,
            key,
            call: Some(id.clone()),
            made,
            touched: made,
            limits,
            cause: None,
            ended: None,
        });
    }

    fn end_binding_at(&mut self, at: &Address, reason: UnboundBecause) {
        let now = self.now;
        for binding in self
            .bindings
            .iter_mut()
            .filter(|b| b.address == *at && b.ended.is_none())
        {
            binding.ended = Some((now, Some(reason)));
        }
    }

    pub(super) fn on_probe_thread(&mut self, _: &ProbeThread) {}

    pub(super) fn on_thread_probed(&mut self, _: &ThreadProbed) {}

    pub(super) fn on_thread_state(&mut self, at: &Address, state: ThreadState) {
        let reason = match state {
            ThreadState::Gone => UnboundBecause::ThreadGone,
            ThreadState::Locked => UnboundBecause::ThreadLocked,
            ThreadState::Archived => UnboundBecause::ThreadArchived,
            ThreadState::Live | ThreadState::Unknown => return,
        };
        let now = self.now;
        for binding in self.bindings.iter_mut().filter(|b| b.address == *at) {
            binding.cause.get_or_insert((now, reason));
        }
    }

    pub(super) fn note_said_unbound(&mut self, at: &Address, reason: UnboundBecause) {
        let now = self.now;
        for binding in self
            .bindings
            .iter_mut()
            .filter(|b| b.address == *at && b.ended.is_none())
        {
            binding.ended = Some((now, Some(reason)));
        }
    }

    /// Activity on the binding of an address, at some instant from `from` to `to`. It never goes
    /// back.
    pub(super) fn touch_binding(&mut self, at: &Address, from: Time, to: Time) {
        for binding in self
            .bindings
            .iter_mut()
            .filter(|b| b.address == *at && b.ended.is_none())
        {
            binding.touched.0 = binding.touched.0.max(from);
            binding.touched.1 = binding.touched.1.max(to);
        }
    }
}
