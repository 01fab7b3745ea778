//! When a reset policy is due, where the outside cannot tell every instant exactly.

use crate::address::Place;
use crate::calendar::Calendar;
use crate::config::ResetPolicy;
use crate::effect::{Memory, StartRun};
use crate::facts::{Facts, MessageFacts, Role, RunFacts, SessionBefore};
use crate::id::SessionKey;
use crate::profile::ResetAnchor;
use crate::time::Time;

/// From the earliest to the latest instant that something may have been.
pub(in crate::rule) type Between = (Time, Time);

/// What the ages of a session count from.
#[derive(Clone, Copy, Debug)]
pub(in crate::rule) struct Anchors {
    /// The daily reset.
    pub(in crate::rule) daily: Between,
    /// The idle reset.
    pub(in crate::rule) idle: Between,
}

impl Anchors {
    /// Those of a session that is known.
    pub(in crate::rule) fn of(before: &SessionBefore, anchor: ResetAnchor) -> Self {
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
    pub(in crate::rule) fn all(between: Between) -> Self {
        Self {
            daily: between,
            idle: between,
        }
    }
}

/// Whether a limit is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rule) enum Limit {
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
pub(in crate::rule) struct Due {
    pub(in crate::rule) daily: Limit,
    pub(in crate::rule) idle: Limit,
}

impl Due {
    /// Whether a session of that age is to be reset when somebody looks at `now`. Both comparisons
    /// are strict: what began exactly at the hour, or was idle exactly so long, is fresh.
    pub(in crate::rule) fn at(
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
    pub(in crate::rule) fn is_certain(self) -> bool {
        self.daily == Limit::Due || self.idle == Limit::Due
    }

    /// Whether it may be.
    pub(in crate::rule) fn is_possible(self) -> bool {
        self.daily != Limit::NotDue || self.idle != Limit::NotDue
    }
}

/// A run that was just asked for on a key whose agent has something to remember.
pub(in crate::rule) struct Turn<'a> {
    pub(in crate::rule) run: &'a RunFacts,
    pub(in crate::rule) before: SessionBefore,
    /// The message it answers, if it does.
    pub(in crate::rule) message: Option<&'a MessageFacts>,
    /// The policy that holds for it.
    pub(in crate::rule) policy: ResetPolicy,
    /// When the policy may have been looked at.
    pub(in crate::rule) now: Between,
    /// What the policy says, from the anchors of the profile.
    pub(in crate::rule) due: Due,
    /// Whether somebody asked for a fresh start.
    pub(in crate::rule) told: bool,
}

impl<'a> Turn<'a> {
    /// The turn a run takes; `None` on an unknown key, and where a crash left open what is known.
    pub(in crate::rule) fn of(start: &StartRun, facts: &'a Facts) -> Option<Self> {
        let run = facts.runs.get(&start.run)?;
        let before = **facts.sessions.get(&run.key)?.before.as_ref()?;
        if !before.is_known() || before.uncertain {
            return None;
        }
        let message = match &run.role {
            Role::Chat(marker) => Some(facts.messages.get(marker)?),
            _ => None,
        };
        let dials = &facts.profile.dials;
        let policy = match message {
            Some(message) => {
                facts
                    .config
                    .reset_policy(&message.at.channel, message.kind, dials.reset_default)
            }
            None => policy_of(&run.key, facts),
        };
        let asked = run.asked.1;
        let now = (message.map_or(asked, |message| message.arrived.1), asked);
        let anchors = Anchors::of(&before, dials.reset_anchor);
        let asks = |message: &MessageFacts| message.asks_fresh() && message.authorised;
        let mut given = run
            .given
            .iter()
            .filter_map(|marker| facts.messages.get(marker));
        Some(Self {
            run,
            before,
            message,
            policy,
            now,
            due: Due::at(policy, facts.calendar.as_ref(), anchors, now),
            told: before.told_to_forget || given.any(asks),
        })
    }

    /// Whether its agent keeps what it remembers.
    pub(in crate::rule) fn continues(&self) -> bool {
        self.run.memory == Memory::Continue
    }
}

/// The policy that would hold for a message in a session: that of the conversation it belongs to.
fn policy_of(key: &SessionKey, facts: &Facts) -> ResetPolicy {
    let default = facts.profile.dials.reset_default;
    let home = facts.home.iter().filter(|(_, home)| *home == key);
    match home.map(|(at, _)| at).min() {
        Some(at) => {
            let kind = facts.places.get(at).copied().unwrap_or_default();
            facts.config.reset_policy(&at.channel, kind, default)
        }
        None => facts
            .config
            .reset_policy(&"".into(), Place::Direct, default),
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
