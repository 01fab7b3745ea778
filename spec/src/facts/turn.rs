//! When a reset policy is due, where the outside cannot tell every instant exactly.

use super::{Facts, MessageFacts, Role, RunFacts, SessionBefore};
use crate::address::Place;
use crate::calendar::Calendar;
use crate::config::ResetPolicy;
use crate::effect::Memory;
use crate::id::SessionKey;
use crate::profile::ResetAnchor;
use crate::time::Time;

/// From the earliest to the latest instant that something may have been.
pub(crate) type Between = (Time, Time);

/// What the ages of a session count from.
#[derive(Clone, Copy, Debug)]
pub struct Anchors {
    /// The daily reset.
    pub daily: Between,
    /// The idle reset.
    pub idle: Between,
}

impl Anchors {
    /// Those of a session that is known.
    pub fn of(before: &SessionBefore, anchor: ResetAnchor) -> Self {
        let started_at = before.started_at.unwrap_or_default();
        let started = (before.started_from.unwrap_or(started_at), started_at);
        match anchor {
            ResetAnchor::LastWrite => Self::all((before.written_at, before.written_to)),
            ResetAnchor::StartAndLastInteraction => Self {
                daily: started,
                idle: (
                    before.interacted_from.unwrap_or(started.0),
                    before.interacted_at.unwrap_or(started.1).max(started.1),
                ),
            },
        }
    }

    /// Both ages count from the same instant.
    pub fn all(between: Between) -> Self {
        Self {
            daily: between,
            idle: between,
        }
    }
}

/// Whether a limit is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// It is.
    Due,
    /// It is not.
    NotDue,
    /// It depends on instants that only the gateway knows.
    Unclear,
}

impl Limit {
    /// A limit is the likelier exceeded the later one looks, and the earlier one counts from.
    fn between(due: impl Fn(Time, Time) -> bool, anchor: Between, now: Between) -> Self {
        match (due(anchor.1, now.0), due(anchor.0, now.1)) {
            (true, _) => Self::Due,
            (false, true) => Self::Unclear,
            (false, false) => Self::NotDue,
        }
    }
}

/// What a policy says.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    pub daily: Limit,
    pub idle: Limit,
}

impl Due {
    /// Whether a session of that age is to be reset when somebody looks at `now`. Both comparisons
    /// are strict: what began exactly at the hour, or was idle exactly so long, is fresh.
    pub fn at(
        policy: ResetPolicy,
        calendar: Option<&Calendar>,
        anchors: Anchors,
        now: Between,
    ) -> Self {
        let daily = match (policy.daily_at, calendar) {
            (Some(hour), Some(calendar)) => Limit::between(
                |anchor, now| i128::from(anchor.0) < i128::from(calendar.last_daily(now, hour)),
                anchors.daily,
                now,
            ),
            _ => Limit::NotDue,
        };
        let idle = match policy.idle {
            Some(idle) => Limit::between(|anchor, now| now > anchor + idle, anchors.idle, now),
            None => Limit::NotDue,
        };
        Self { daily, idle }
    }

    /// Whether it is for certain.
    pub fn is_certain(self) -> bool {
        self.daily == Limit::Due || self.idle == Limit::Due
    }

    /// Whether it may be.
    pub fn is_possible(self) -> bool {
        self.daily != Limit::NotDue || self.idle != Limit::NotDue
    }
}

/// What a policy says of a run that was just asked for on a key whose agent has something to
/// remember.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnFacts {
    session: usize,
    policy: ResetPolicy,
    now: Between,
    due: Due,
    told: bool,
}

/// A run that was just asked for on a key whose agent has something to remember.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// The run.
    pub run: &'a RunFacts,
    /// Its session as it was before.
    pub before: &'a SessionBefore,
    /// The message it answers, if it does.
    pub message: Option<&'a MessageFacts>,
    /// The policy that holds for it.
    pub policy: ResetPolicy,
    /// When the policy may have been looked at.
    pub now: Between,
    /// What the policy says, from the anchors of the profile.
    pub due: Due,
    /// Whether somebody asked for a fresh start.
    pub told: bool,
}

impl Turn<'_> {
    /// Whether its agent keeps what it remembers.
    pub fn continues(&self) -> bool {
        self.run.memory == Memory::Continue
    }
}

impl Facts {
    /// The turn that the run of the entry takes, where the entry asks for one; `None` on an
    /// unknown key, and where a crash left open what is known.
    pub fn turn_here(&self) -> Option<Turn<'_>> {
        let TurnFacts {
            session,
            policy,
            now,
            due,
            told,
        } = self.here.turn?;
        let run = self.run_here()?;
        Some(Turn {
            run,
            before: self.sessions[session].before.as_deref()?,
            message: self.chat_here().map(|(_, message)| message),
            policy,
            now,
            due,
            told,
        })
    }

    pub(super) fn turn_of(&self, run: usize) -> Option<TurnFacts> {
        let (_, run) = self.runs.get_index(run)?;
        let session = run.session;
        let (_, facts) = self.sessions.get_index(session)?;
        let before = facts.before.as_deref()?;
        if !before.is_known() || before.uncertain {
            return None;
        }
        let message = self.chat_here().map(|(_, message)| message);
        if message.is_none() && matches!(run.role, Role::Chat(_)) {
            return None;
        }
        let dials = &self.dials;
        let policy = match message {
            Some(message) => {
                let channel = &message.at.channel;
                self.config.reset_policy(channel, message.kind, dials)
            }
            None => self.policy_of(&run.key),
        };
        let asked = run.asked.1;
        let now = (message.map_or(asked, |message| message.arrived.1), asked);
        let anchors = Anchors::of(before, dials.reset_anchor);
        let asks = |message: &MessageFacts| message.asks_fresh() && message.authorised;
        let mut given = self.messages_here().map(|(_, message)| message);
        Some(TurnFacts {
            session,
            policy,
            now,
            due: Due::at(policy, self.calendar.as_ref(), anchors, now),
            told: before.told_to_forget
                || given.any(asks)
                || self.may_be_taken(before)
                || before.archive_due.is_some_and(|due| due <= self.now),
        })
    }

    /// Whether maintenance removes sessions.
    pub fn is_maintained(&self) -> bool {
        let maintenance = self.config.session.maintenance;
        maintenance.is_enforced(&self.dials)
    }

    /// Whether maintenance may have taken a session by now, as far as age and number tell.
    fn may_be_taken(&self, before: &SessionBefore) -> bool {
        let maintenance = self.config.session.maintenance;
        self.is_maintained()
            && (self.now > before.written_at + maintenance.prune_after()
                || self.sessions.len() > maintenance.max_entries(&self.dials))
    }

    /// The policy that would hold for a message in a session: that of the conversation it belongs
    /// to.
    fn policy_of(&self, key: &SessionKey) -> ResetPolicy {
        let dials = &self.dials;
        let home = self.home.iter().filter(|(_, home)| *home == key);
        match home.map(|(at, _)| at).min() {
            Some(at) => {
                let kind = self.places.get(at).copied().unwrap_or_default();
                self.config.reset_policy(&at.channel, kind, dials)
            }
            None => self.config.reset_policy(&"".into(), Place::Direct, dials),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    const HOUR: u64 = 3_600_000;

    #[track_caller]
    fn check(policy: (Option<u8>, Option<u64>), anchor: u64, now: u64, due: (bool, bool)) {
        let calendar = Calendar::new("2026-03-02T09:00:00Z", "UTC").unwrap();
        let policy = ResetPolicy {
            daily_at: policy.0,
            idle: policy.1.map(Span::mins),
        };
        let anchors = Anchors::all((Time(anchor), Time(anchor)));
        let found = Due::at(policy, Some(&calendar), anchors, (Time(now), Time(now)));
        let limit = |due| if due { Limit::Due } else { Limit::NotDue };
        assert_eq!((found.daily, found.idle), (limit(due.0), limit(due.1)));
    }

    #[test]
    fn the_daily_reset_is_due_for_what_began_strictly_before_the_hour() {
        // Nine in the morning is the start; four o'clock comes nineteen hours later.
        let four = 19 * HOUR;
        let daily = (Some(4), None);
        check(daily, 0, four - 1, (false, false));
        check(daily, 0, four, (true, false));
        check(daily, four - 1, four, (true, false));
        check(daily, four, four + HOUR, (false, false));
        check(daily, four, four + 24 * HOUR, (true, false));
    }

    #[test]
    fn the_idle_reset_is_due_when_its_time_is_exceeded() {
        let idle = (None, Some(30));
        check(idle, 1_000, 1_000 + HOUR / 2, (false, false));
        check(idle, 1_000, 1_001 + HOUR / 2, (false, true));
        check((None, None), 0, 1_000 * HOUR, (false, false));
    }

    #[test]
    fn what_only_the_gateway_knows_is_unclear() {
        let calendar = Calendar::new("2026-03-02T09:00:00Z", "UTC").unwrap();
        let policy = ResetPolicy {
            daily_at: Some(4),
            idle: None,
        };
        let four = Time(19 * HOUR);
        // The message came before four and its run was asked for after.
        let now = (four - Span::ms(1), four);
        let due = Due::at(
            policy,
            Some(&calendar),
            Anchors::all((Time(0), Time(0))),
            now,
        );
        assert_eq!(due.daily, Limit::Unclear);
        assert!(due.is_possible() && !due.is_certain());
    }
}
