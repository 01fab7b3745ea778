//! What a bug can get wrong about bindings and routes, each as one small question with the right
//! answer as its default.

use std::borrow::Cow;

use moorline_spec::address::{Address, Place};
use moorline_spec::config::{Config, Limits, Route};
use moorline_spec::effect::UnboundBecause;
use moorline_spec::id::PersonId;
use moorline_spec::legacy::Stored;
use moorline_spec::profile::{MovedConversation, Reroute};
use moorline_spec::stimulus::ThreadState;
use moorline_spec::time::{Span, Time};

use super::questions::{Cause, Lapse, Times};

/// A command that somebody gives.
#[derive(Clone, Copy, Debug)]
pub struct Commanded {
    /// Whether the place is bound.
    pub bound: bool,
    /// Whether the session that is bound there has a run that was refused.
    pub broken: bool,
}

/// What happens to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obeys {
    /// The gateway does as it is told.
    Itself,
    /// An agent is given it: never right.
    LeavesItToTheAgent,
    /// Nothing: never right.
    Ignores,
}

/// What becomes of a message whose session is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dead {
    /// The binding goes, and the message to whoever owns the place.
    Unbind,
    /// The message is dropped: never right.
    Swallow,
}

/// The binding that another account of the channel has of the same thread.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere {
    /// Whether it has not lapsed.
    pub holds: bool,
    /// Whether that account has bindings at all.
    pub enabled: bool,
}

/// What belongs to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// The session that it has where it is not bound.
    Session,
    /// Its binding.
    Binding,
}

/// The decisions about bindings; the defaults are right.
pub trait BindingDecisions {
    /// What a place is called among those that are bound: its whole address.
    fn place<'a>(&self, at: &'a Address) -> Cow<'a, Address> {
        Cow::Borrowed(at)
    }

    /// What a place is called when it is bound: as when it is looked up.
    fn bound_as<'a>(&self, at: &'a Address) -> Cow<'a, Address> {
        self.place(at)
    }

    /// Whether a binding leads to the session as it is, whatever incarnation it was bound to.
    fn follows_resets(&self) -> bool {
        true
    }

    /// Whether `/new` in a bound place is for the session bound there.
    fn resets_what_is_bound(&self) -> bool {
        true
    }

    /// Whether a run that an earlier life was at is known to be over.
    fn notices_death(&self) -> bool {
        true
    }

    /// The limits that the configuration gives.
    fn limits(&self, config: &Config, at: &Address) -> Limits {
        config.binding_limits(at)
    }

    /// Whether binding a bound place replaces what was there.
    fn replaces(&self) -> bool {
        true
    }

    /// Whether a place is free once its binding is said to be over.
    fn frees(&self, reason: UnboundBecause) -> bool {
        let _ = reason;
        true
    }

    /// Why a binding ends where there are none any more; `at_work` is whether its account is.
    fn disabled_because(&self, at_work: bool) -> UnboundBecause {
        if at_work {
            UnboundBecause::Disabled
        } else {
            UnboundBecause::AccountStopped
        }
    }

    /// Whether an account that is switched off hears and says nothing.
    fn stops_account(&self) -> bool {
        true
    }

    /// Whether the end of a session ends its bindings.
    fn ends_with_session(&self, reason: UnboundBecause) -> bool {
        let _ = reason;
        true
    }

    /// What becomes of a message whose session is gone.
    fn when_dead(&self) -> Dead {
        Dead::Unbind
    }

    /// Whether somebody may change a binding that somebody, or the system, made.
    fn may_change(&self, by: Option<&PersonId>, from: &PersonId) -> bool {
        by.is_none_or(|by| by == from)
    }

    /// What happens to a command.
    fn obeys(&self, command: Commanded) -> Obeys {
        let _ = command;
        Obeys::Itself
    }

    /// Whether `/focus` binds, where that is possible or not.
    fn focuses(&self, possible: bool) -> bool {
        possible
    }

    /// Whether `/agents` tells of bindings.
    fn lists_bindings(&self) -> bool {
        true
    }

    /// Whether a limit set by command reaches a binding of the session; `here` is where it was said.
    fn limit_reaches(&self, here: bool) -> bool {
        let _ = here;
        true
    }

    /// Whether `/acp close` reaches a binding of the session; `here` is where it was said.
    fn close_reaches(&self, here: bool) -> bool {
        let _ = here;
        true
    }

    /// What a length of time that somebody typed is for a limit; zero is off.
    fn typed(&self, span: Span) -> Span {
        span
    }

    /// The limits that an intro names.
    fn introduces(&self, limits: Limits) -> Limits {
        limits
    }

    /// How often the end of a binding is told where it was.
    fn farewells(&self, reason: UnboundBecause) -> u32 {
        u32::from(matches!(
            reason,
            UnboundBecause::Idle | UnboundBecause::MaxAge
        ))
    }

    /// The length of time that a farewell names.
    fn reached(&self, lapse: Lapse, limits: Limits) -> Span {
        match lapse {
            Lapse::Idle => limits.idle.unwrap_or_default(),
            Lapse::MaxAge => limits.max_age.unwrap_or_default(),
        }
    }

    /// Whether a pass of the sweep begins while another is under way.
    fn begins_pass(&self, under_way: bool) -> bool {
        !under_way
    }

    /// Whether a pass goes on after a probe that found this.
    fn goes_on_after(&self, state: ThreadState) -> bool {
        let _ = state;
        true
    }

    /// Whether each end that a pass finds is written down by itself.
    fn writes_each_end(&self) -> bool {
        false
    }

    /// Whether a touch is written down beside the message that made it.
    fn writes_touch_apart(&self) -> bool {
        false
    }

    /// How long a touch waits to be written down, at most. At one instant a crash comes before a
    /// wake, so what is 15 seconds old when the gateway dies is on the disk.
    fn touches_wait(&self) -> Span {
        Span::ms(14_999)
    }

    /// Whether a clean stop writes down the touches that wait.
    fn stops_clean(&self) -> bool {
        true
    }

    /// Whether touches are written down at all.
    fn keeps_touches(&self) -> bool {
        true
    }

    /// The times of a binding in the life after the one that wrote them down.
    fn restored(&self, times: Times, now: Time) -> Times {
        let _ = now;
        times
    }

    /// The limits of its own that a binding of an older form has.
    fn migrated(&self, stored: &Stored) -> (Option<Span>, Option<Span>) {
        (stored.idle, stored.max_age)
    }

    /// Whether a message is left to the account that has the thread bound.
    fn yields_to(&self, other: Elsewhere) -> bool {
        other.holds && other.enabled
    }

    /// What becomes of a message that waits while its conversation comes to belong to another session.
    fn reroutes(&self, dial: Reroute) -> Reroute {
        dial
    }

    /// Whether it moves as soon as that happens; else when its turn comes.
    fn moves_at_once(&self) -> bool {
        true
    }

    /// Whether what belongs to a conversation follows it under another id.
    fn moves(&self, what: Belongs, dial: MovedConversation) -> MovedConversation {
        let _ = what;
        dial
    }

    /// Whose a conversation is by configuration, where nobody bound it.
    fn route<'c>(&self, config: &'c Config, at: &Address, kind: Place) -> Option<Route<'c>> {
        config.route(at, kind)
    }

    /// Whether a turn changes where its session last spoke.
    fn takes_route(&self, cause: Cause) -> bool {
        cause == Cause::Message
    }
}

/// The right answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct RightBindings;

impl BindingDecisions for RightBindings {}

/// When a binding lapses, and why. At a tie idle is the reason.
pub(super) fn lapse(times: &Times, limits: Limits) -> Option<(Time, Lapse)> {
    let age = limits
        .max_age
        .map(|age| (times.aged_from + age, Lapse::MaxAge));
    let idle = limits
        .idle
        .map(|idle| (times.touched_at + idle, Lapse::Idle));
    idle.into_iter().chain(age).min_by_key(|&(at, _)| at)
}
