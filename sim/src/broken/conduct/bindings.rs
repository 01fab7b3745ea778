//! Wrong about the life of a bound conversation.

use moorline_spec::config::Limits;
use moorline_spec::id::SessionKey;
use moorline_spec::profile::MaxAgeFrom;
use moorline_spec::time::{Span, Time};

use super::{Broken, deciding};
use crate::reference::{AfterLapse, Decisions, Lapse, Right, Times, Traffic};

pub(super) fn gateways() -> Vec<Broken> {
    [limits(), ends()].into_iter().flatten().collect()
}

/// About when a binding ends.
fn limits() -> Vec<Broken> {
    vec![
        Broken {
            id: "fixed-lifetime",
            rule: "binding.idle",
            report: Some("BL-001"),
            summary: "The idle timeout counts from the binding, whatever is said since.",
            build: deciding::<FixedLifetime>,
        },
        Broken {
            id: "chatter-touches",
            rule: "binding.idle",
            report: Some("BL-006"),
            summary: "Messages that it drops count as activity.",
            build: deciding::<ChatterTouches>,
        },
        Broken {
            id: "max-age-restarts-the-clock",
            rule: "binding.max-age",
            report: Some("BL-005"),
            summary: "After `/session max-age` the age counts from the command.",
            build: deciding::<MaxAgeRestarts>,
        },
        Broken {
            id: "use-keeps-it-young",
            rule: "binding.max-age",
            report: None,
            summary: "The max age counts from the last activity.",
            build: deciding::<UseKeepsItYoung>,
        },
        Broken {
            id: "off-counts-as-a-day",
            rule: "binding.zero-disables",
            report: None,
            summary: "An idle timeout that is off is taken for one that is absent: 24 hours.",
            build: deciding::<OffCountsAsADay>,
        },
        Broken {
            id: "later-limit-wins",
            rule: "binding.ends-in-time",
            report: None,
            summary: "Where both limits are on, the later one ends a binding.",
            build: deciding::<LaterLimitWins>,
        },
    ]
}

/// About how it ends, and what it means while it holds.
fn ends() -> Vec<Broken> {
    vec![
        Broken {
            id: "sweep-judges-its-snapshot",
            rule: "binding.sweep-rereads",
            report: Some("BL-002"),
            summary: "The sweep judges a binding as it was before the sweep waited for a probe.",
            build: deciding::<SweepJudgesItsSnapshot>,
        },
        Broken {
            id: "lapse-resets-the-session",
            rule: "binding.lapse-keeps-session",
            report: None,
            summary: "With a binding that lapses its session is reset.",
            build: deciding::<LapseResets>,
        },
        Broken {
            id: "lapse-deletes-the-session",
            rule: "binding.lapse-keeps-session",
            report: None,
            summary: "With a binding that lapses its session is deleted.",
            build: deciding::<LapseDeletes>,
        },
        Broken {
            id: "owner-hears-what-is-bound",
            rule: "routing.bound-first",
            report: None,
            summary: "A message goes to the conversation's own session, bound or not.",
            build: deciding::<OwnerHears>,
        },
    ]
}

#[derive(Default)]
struct FixedLifetime;

impl Decisions for FixedLifetime {
    fn lapse(&self, times: &Times, limits: Limits) -> Option<(Time, Lapse)> {
        let touched_at = times.bound_at;
        Right.lapse(
            &Times {
                touched_at,
                ..*times
            },
            limits,
        )
    }
}

#[derive(Default)]
struct ChatterTouches;

impl Decisions for ChatterTouches {
    fn touches(&self, traffic: Traffic) -> bool {
        traffic == Traffic::Dropped || Right.touches(traffic)
    }
}

#[derive(Default)]
struct MaxAgeRestarts;

impl Decisions for MaxAgeRestarts {
    fn age_counts_from(&self, _: MaxAgeFrom, _: bool, _: Time, now: Time) -> Time {
        now
    }
}

#[derive(Default)]
struct UseKeepsItYoung;

impl Decisions for UseKeepsItYoung {
    fn lapse(&self, times: &Times, limits: Limits) -> Option<(Time, Lapse)> {
        let aged_from = times.touched_at;
        Right.lapse(
            &Times {
                aged_from,
                ..*times
            },
            limits,
        )
    }
}

#[derive(Default)]
struct OffCountsAsADay;

impl Decisions for OffCountsAsADay {
    fn lapse(&self, times: &Times, limits: Limits) -> Option<(Time, Lapse)> {
        let idle = limits.idle.or(Some(Span::hours(24)));
        Right.lapse(times, Limits { idle, ..limits })
    }
}

#[derive(Default)]
struct LaterLimitWins;

impl Decisions for LaterLimitWins {
    fn lapse(&self, times: &Times, limits: Limits) -> Option<(Time, Lapse)> {
        let max_age = None;
        let idle = Right.lapse(times, Limits { max_age, ..limits });
        let age = Right.lapse(
            times,
            Limits {
                idle: None,
                ..limits
            },
        );
        idle.into_iter().chain(age).max_by_key(|&(at, _)| at)
    }
}

#[derive(Default)]
struct SweepJudgesItsSnapshot;

impl Decisions for SweepJudgesItsSnapshot {
    fn sweeps_by(&self, snapshot: &Times, _: &Times) -> Times {
        *snapshot
    }
}

#[derive(Default)]
struct LapseResets;

impl Decisions for LapseResets {
    fn after_lapse(&self) -> AfterLapse {
        AfterLapse::Resets
    }
}

#[derive(Default)]
struct LapseDeletes;

impl Decisions for LapseDeletes {
    fn after_lapse(&self) -> AfterLapse {
        AfterLapse::Deletes
    }
}

#[derive(Default)]
struct OwnerHears;

impl Decisions for OwnerHears {
    fn routes_to(&self, _: Option<&SessionKey>, own: &dyn Fn() -> SessionKey) -> SessionKey {
        own()
    }
}
