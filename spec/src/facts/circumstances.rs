//! What befell a binding: who made it, what touched it last and what only seemed to, what was
//! commanded, and what happened to its like elsewhere. With it a rule can tell whether a message
//! puts it to the test.

use std::sync::Arc;

use super::{BindingFacts, Facts};
use crate::address::Address;
use crate::calendar::Calendar;
use crate::config::Limits;
use crate::id::{PersonId, SessionKey};
use crate::legacy;
use crate::stimulus::{Open, ThreadState};
use crate::time::Time;

/// What befell a binding. Most of it is empty for most bindings.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Who bound it; the system where nobody did.
    pub by: Option<PersonId>,
    /// Whether it was made by `/focus`.
    pub focused: bool,
    /// The session that was bound there when it was made.
    pub replaced: Option<SessionKey>,
    /// Whether its limits are those of an older form: a record with `expiresAt`, or `ttlHours`.
    pub migrated: bool,
    /// What it would be limited to if another level of the configuration had decided.
    pub otherwise: Arc<[Limits]>,
    /// What touched it of late, and when at the latest; the last one first.
    pub(super) touches: [Option<(Time, Touch)>; 4],
    /// Something that is no activity, since it was touched last.
    pub chatter: Option<(Time, Chatter)>,
    /// When its limits were set by command, and what they were before.
    pub commanded: Option<(Time, Limits)>,
    /// When somebody who may not change it gave a command that would, and who that was.
    pub meddled: Option<(Time, PersonId)>,
    /// When its binder released it by `/unfocus`: it held, and nothing else had a say.
    pub released: Option<Time>,
    /// When its account was switched off: it held, and nothing else had a say.
    pub stopped: Option<Time>,
    /// When the gateway said that it is over.
    pub said_over: Option<Time>,
    /// What the gateway was told that its thread is, where that ends it or would.
    pub thread_told: Option<(Time, ThreadState)>,
    /// When something was done to a binding of the same ids in another account or channel.
    pub twin_changed: Option<Time>,
}

/// Something that touches a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A message was routed through it.
    Message,
    /// An output of its session was delivered.
    Output,
    /// Its idle timeout was set by command.
    Command,
}

/// Something in a bound conversation that is no activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chatter {
    /// A message that is not for the gateway.
    Dropped,
    /// A command of somebody who may give none.
    Unauthorised,
    /// The gateway's own words.
    Notice,
    /// A look at whether the thread is still there.
    Probe,
}

impl Touch {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "a message",
            Self::Output => "an output that was delivered",
            Self::Command => "the command",
        }
    }
}

impl Chatter {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "a message that is not for the gateway",
            Self::Unauthorised => "a command of somebody who may give none",
            Self::Notice => "a notice of the gateway itself",
            Self::Probe => "a probe",
        }
    }
}

impl Circumstances {
    /// When its place was given back for certain, though no limit was reached.
    pub fn given_back(&self) -> Option<Time> {
        self.released.into_iter().chain(self.stopped).min()
    }
}

impl BindingFacts {
    /// Whether one of these limits, in place of its own, would have been reached by then for
    /// certain.
    pub fn over_under(&self, limits: Limits, at: Time) -> bool {
        let active = self.touch_before(at).map_or(self.made.1, |(at, _)| at);
        let idle = limits.idle.map(|idle| active + idle);
        let age = limits.max_age.map(|age| self.age_from.1 + age);
        idle.into_iter().chain(age).any(|due| due <= at)
    }

    /// What touched it last before an instant, and when at the latest.
    pub fn touch_before(&self, at: Time) -> Option<(Time, Touch)> {
        let mut touches = self.around.touches.into_iter().flatten();
        touches.find(|&(touched, _)| touched < at)
    }

    /// Whether one of these limits would have been reached by then for certain if no command had
    /// touched it.
    pub fn over_uncommanded(&self, limits: Limits, at: Time) -> bool {
        let mut touches = self.around.touches.into_iter().flatten();
        let own = touches.find(|&(touched, by)| touched < at && by != Touch::Command);
        let active = own.map_or(self.made.1, |(at, _)| at);
        let idle = limits.idle.map(|idle| active + idle);
        let age = limits.max_age.map(|age| self.age_from.1 + age);
        idle.into_iter().chain(age).any(|due| due <= at)
    }

    /// What alone kept it from its idle timeout by then: its last touch before that.
    pub fn lives_by_touch(&self, at: Time) -> Option<Touch> {
        let idle = self.limits.idle?;
        let (last, touch) = self.touch_before(at)?;
        let before = self.touch_before(last).map_or(self.made.1, |(at, _)| at);
        (before + idle <= at && at < last + idle).then_some(touch)
    }

    /// What is no activity, and would have kept it from its idle timeout by then if it were.
    pub fn would_live_by_chatter(&self, at: Time) -> Option<Chatter> {
        let idle = self.limits.idle?;
        let (chatter, what) = self.around.chatter?;
        let active = self.touch_before(at).map_or(self.made.1, |(at, _)| at);
        (active + idle <= at && at < chatter + idle).then_some(what)
    }

    pub(super) fn note_touch(&mut self, now: Time, touch: Touch) {
        let around = &mut self.around;
        around.touches.rotate_right(1);
        around.touches[0] = Some((now, touch));
        around.chatter = None;
    }

    pub(super) fn note_chatter(&mut self, now: Time, chatter: Chatter) {
        self.around.chatter = Some((now, chatter));
    }
}

impl Facts {
    /// Something was done to a binding: what is elsewhere is not concerned by it.
    pub(super) fn note_twins(&mut self, at: &Address) {
        let now = self.now;
        for index in 0..self.same_ids(at).len() {
            let id = self.same_ids(at)[index];
            let twin = &mut self.bindings[id];
            if twin.address != *at && twin.ended.is_none() {
                twin.around.twin_changed = Some(now);
            }
        }
    }

    /// The binding that an address had last, where its session was deleted since, or is to forget.
    pub fn bound_to_the_gone(&self, at: &Address) -> Option<&BindingFacts> {
        let (_, binding) = self.last_binding_at(at)?;
        let session = self.sessions.get(&binding.key)?;
        let reset = session.told_to_forget && binding.would_hold(self.now);
        (session.deleted || reset).then_some(binding)
    }

    /// Whether somebody bound an address to a session by a name that nobody outside knows.
    pub fn is_focused_somehow(&self, at: &Address) -> bool {
        self.focused_somehow.contains(at)
    }

    /// Whether anything is or was bound at an address.
    pub fn has_been_bound(&self, at: &Address) -> bool {
        let mut same = self.same_ids(at).iter();
        same.any(|&id| self.bindings[id].address == *at)
    }

    /// The binding that another account of the channel had of the very same thread until bindings
    /// were switched off for it.
    pub fn switched_off_elsewhere(&self, at: &Address) -> Option<&BindingFacts> {
        at.thread.as_ref()?;
        let mut others = self.same_ids(at).iter().map(|&id| &self.bindings[id]);
        others.find(|other| {
            let same = other.address.channel == at.channel;
            let elsewhere = other.address.account != at.account;
            same && elsewhere && !self.config.bindings_enabled(&other.address)
        })
    }

    /// The binding that an address had last.
    pub fn last_bound(&self, at: &Address) -> Option<&BindingFacts> {
        self.last_binding_at(at).map(|(_, binding)| binding)
    }

    /// Whether a thread was opened for a spawn that was not answered yet.
    pub fn opens_for_a_spawn(&self, at: &Address) -> bool {
        let call = self
            .opened_for
            .get(at)
            .and_then(|call| self.calls.get(call));
        call.is_some_and(|call| call.waits_in(self.lives))
    }

    /// The binding by which a child's session is tied to the same ids in another account or channel,
    /// where it was never tied to this place.
    pub fn bound_under_the_same_ids(
        &self,
        at: &Address,
        key: &SessionKey,
    ) -> Option<&BindingFacts> {
        let mut same = self.same_ids(at).iter().map(|&id| &self.bindings[id]);
        let twin = same
            .clone()
            .find(|twin| twin.key == *key && twin.call.is_some())?;
        let here = same.any(|binding| binding.address == *at && binding.key == *key);
        (!here && !self.focused_somehow.contains(at)).then_some(twin)
    }

    /// The live binding of the very same thread under another account of its channel.
    pub fn bound_by_another_account(&self, at: &Address) -> Option<&BindingFacts> {
        at.thread.as_ref()?;
        let same = self.same_ids(at).iter().rev();
        let mut others = same.map(|&id| &self.bindings[id]).filter(|other| {
            other.address.channel == at.channel && other.address.account != at.account
        });
        others.find(|other| other.ended.is_none())
    }
}

impl Facts {
    /// What was bound before its first life.
    pub(super) fn read_stored(&mut self, open: &Open) {
        let epoch = self.calendar.as_ref().map_or(0, Calendar::epoch_ms);
        for record in &open.disk {
            for stored in legacy::read(record, epoch, self.now) {
                let around = Circumstances {
                    by: stored.by.as_deref().map(PersonId::from),
                    migrated: stored.expired,
                    ..Circumstances::default()
                };
                let made = (self.now, self.now);
                let limits = stored.limits(self.config.binding_limits(&stored.address));
                self.note_bound(stored.address, stored.key, None, made, false, around);
                if let Some(binding) = self.bindings.last_mut() {
                    binding.limits = limits;
                    binding.age_from = (stored.aged_from, stored.aged_from);
                    binding.touched = (stored.touched_at, stored.touched_at);
                }
            }
        }
    }
}
