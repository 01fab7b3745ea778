//! Whose a conversation is, and was.

use std::fmt;

use super::Facts;
use crate::address::Address;
use crate::id::SessionKey;
use crate::time::Time;

/// Whose a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'f> {
    /// That of the session it is bound to.
    Bound(&'f SessionKey),
    /// That of whoever has it where it is bound to none.
    Own,
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bound(key) => write!(f, "bound to {key}"),
            Self::Own => f.write_str("bound to no session"),
        }
    }
}

impl Facts {
    /// Whose a conversation certainly is, and since when; `None` where nobody outside can tell.
    pub fn owner_now(&self, at: &Address) -> Option<(Owner<'_>, Time)> {
        self.owner(at, self.now, true)
    }

    /// Whose a conversation certainly was at an instant before.
    pub fn owner_then(&self, at: &Address, when: Time) -> Option<Owner<'_>> {
        self.owner(at, when, false).map(|(owner, _)| owner)
    }

    /// What happened at the very instant was either seen before, or may have come before or after.
    fn owner(&self, at: &Address, when: Time, seen: bool) -> Option<(Owner<'_>, Time)> {
        if self.is_focused_somehow(at) || self.opens_for_a_spawn(at) {
            return None;
        }
        let here = self.same_ids(at).iter().rev();
        let mut here = here.map(|&id| &self.bindings[id]);
        let Some(binding) = here.find(|b| b.address == *at && b.made.0 <= when) else {
            return Some((Owner::Own, Time::ZERO));
        };
        if let Some(released) = binding.around.released
            && (released < when || seen)
        {
            return Some((Owner::Own, released));
        }
        let passed = |at: Time| at <= when;
        // By limits of later nobody knew at the time whether it held.
        let limited_later = !seen && when <= binding.limited_at;
        let session = self.sessions.get(&binding.key);
        let doubtful = binding.unsure
            || limited_later
            || !seen && when <= binding.made.1
            || binding.cause.is_some_and(|(since, _)| passed(since))
            || binding
                .ended
                .as_ref()
                .is_some_and(|&(since, _)| passed(since))
            || binding.earliest_lapse().is_some_and(passed)
            || session.is_none_or(|session| session.deleted);
        (!doubtful).then_some((Owner::Bound(&binding.key), binding.made.1))
    }
}
