//! Wrong about how long a binding lives, and what it costs.

use std::borrow::Cow;

use moorline_spec::address::Address;
use moorline_spec::config::{Config, Limits};
use moorline_spec::legacy::Stored;
use moorline_spec::stimulus::ThreadState;
use moorline_spec::time::{Span, Time};

use super::{Broken, binding, deciding};
use crate::reference::{BindingDecisions, Decisions, Lapse, Right, RightBindings, Times, Traffic};

pub(super) fn gateways() -> Vec<Broken> {
    [limits(), activity(), apart()]
        .into_iter()
        .flatten()
        .collect()
}

/// About the limits that it has.
fn limits() -> Vec<Broken> {
    vec![
        Broken {
            id: "session-decides-limits",
            rule: "binding.limits-precedence",
            report: None,
            summary: "The limits of the session level hold, whatever channel and account say.",
            build: binding::<SessionDecidesLimits>,
        },
        Broken {
            id: "zero-falls-through",
            rule: "binding.limits-precedence",
            report: None,
            summary: "A limit of 0 is taken for one that is absent, and the next level decides.",
            build: binding::<ZeroFallsThrough>,
        },
        Broken {
            id: "whole-hours-only",
            rule: "binding.limits-precedence",
            report: None,
            summary: "Fractions of hours are cut off.",
            build: binding::<WholeHoursOnly>,
        },
        Broken {
            id: "expiry-is-forgotten",
            rule: "binding.migrates",
            report: Some("BL-003"),
            summary: "A stored binding of the older form is read without its `expiresAt`.",
            build: binding::<ExpiryIsForgotten>,
        },
        Broken {
            id: "ttl-counts-as-max-age",
            rule: "binding.migrates",
            report: Some("BL-003"),
            summary: "`ttlHours` in the configuration is read as a max age.",
            build: binding::<TtlCountsAsMaxAge>,
        },
        Broken {
            id: "restart-makes-young",
            rule: "binding.bound-at-fixed",
            report: None,
            summary: "With a restart the age of every binding begins anew.",
            build: binding::<RestartMakesYoung>,
        },
        Broken {
            id: "age-at-a-tie",
            rule: "binding.earlier-wins",
            report: None,
            summary: "Where both limits fall on one instant, the max age is the reason.",
            build: deciding::<AgeAtATie>,
        },
        Broken {
            id: "failed-probe-is-an-end",
            rule: "binding.never-early",
            report: None,
            summary: "A probe that brings nothing is taken for a thread that is gone.",
            build: deciding::<FailedProbeIsAnEnd>,
        },
    ]
}

/// About what touches it, and what that costs.
fn activity() -> Vec<Broken> {
    vec![
        Broken {
            id: "output-is-no-activity",
            rule: "binding.touched-by-traffic-only",
            report: None,
            summary: "What a bound session says does not count as activity.",
            build: deciding::<OutputIsNoActivity>,
        },
        Broken {
            id: "own-words-are-activity",
            rule: "binding.touched-by-traffic-only",
            report: None,
            summary: "The gateway's own words count as activity.",
            build: deciding::<OwnWordsAreActivity>,
        },
        Broken {
            id: "touches-stay-in-memory",
            rule: "binding.touch-survives",
            report: Some("BL-004"),
            summary: "Touches are never written down.",
            build: binding::<TouchesStayInMemory>,
        },
        Broken {
            id: "touches-wait-too-long",
            rule: "binding.touch-survives",
            report: None,
            summary: "Touches are written down 16 seconds after the first of them.",
            build: binding::<TouchesWaitTooLong>,
        },
        Broken {
            id: "a-stop-forgets-touches",
            rule: "binding.touch-survives",
            report: None,
            summary: "A clean stop leaves the touches that wait in memory.",
            build: binding::<AStopForgetsTouches>,
        },
        Broken {
            id: "a-write-for-each-touch",
            rule: "binding.writes-bounded",
            report: Some("BL-004"),
            summary: "Each touch is written down by itself.",
            build: binding::<AWriteForEachTouch>,
        },
        Broken {
            id: "a-write-for-each-end",
            rule: "binding.writes-bounded",
            report: None,
            summary: "A pass of the sweep writes once for every binding that it ends.",
            build: binding::<AWriteForEachEnd>,
        },
    ]
}

/// About whose it is.
fn apart() -> Vec<Broken> {
    vec![
        Broken {
            id: "places-without-channel",
            rule: "binding.accounts-apart",
            report: None,
            summary: "Bindings are kept by conversation and thread; of channel and account only the latter counts.",
            build: binding::<PlacesWithoutChannel>,
        },
        Broken {
            id: "places-without-account",
            rule: "binding.accounts-apart",
            report: None,
            summary: "Bindings are kept by channel, conversation and thread, whatever the account.",
            build: binding::<PlacesWithoutAccount>,
        },
        Broken {
            id: "first-binding-wins",
            rule: "binding.one-owner",
            report: None,
            summary: "What is bound stays bound to the first that bound it; a second binding is accepted and forgotten.",
            build: binding::<FirstBindingWins>,
        },
    ]
}

#[derive(Default)]
struct SessionDecidesLimits;

impl BindingDecisions for SessionDecidesLimits {
    fn limits(&self, config: &Config, at: &Address) -> Limits {
        let session = Config {
            channels: std::collections::BTreeMap::new(),
            ..config.clone()
        };
        RightBindings.limits(&session, at)
    }
}

#[derive(Default)]
struct ZeroFallsThrough;

impl BindingDecisions for ZeroFallsThrough {
    fn limits(&self, config: &Config, at: &Address) -> Limits {
        let right = RightBindings.limits(config, at);
        let other = config.other_binding_limits(at);
        let idle = other.iter().find_map(|limits| limits.idle);
        Limits {
            idle: right.idle.or(idle),
            ..right
        }
    }
}

#[derive(Default)]
struct WholeHoursOnly;

impl BindingDecisions for WholeHoursOnly {
    fn limits(&self, config: &Config, at: &Address) -> Limits {
        let whole = |span: Span| Span::hours(span.0 / Span::hours(1).0);
        let Limits { idle, max_age } = RightBindings.limits(config, at);
        Limits {
            idle: idle.map(whole),
            max_age: max_age.map(whole),
        }
    }
}

#[derive(Default)]
struct ExpiryIsForgotten;

impl BindingDecisions for ExpiryIsForgotten {
    fn migrated(&self, _: &Stored) -> (Option<Span>, Option<Span>) {
        (None, None)
    }
}

#[derive(Default)]
struct TtlCountsAsMaxAge;

impl BindingDecisions for TtlCountsAsMaxAge {
    fn limits(&self, config: &Config, at: &Address) -> Limits {
        let right = RightBindings.limits(config, at);
        if config.idle_is_migrated(at) {
            return Limits {
                idle: None,
                max_age: right.idle,
            };
        }
        right
    }
}

#[derive(Default)]
struct RestartMakesYoung;

impl BindingDecisions for RestartMakesYoung {
    fn restored(&self, times: Times, now: Time) -> Times {
        Times {
            bound_at: now,
            aged_from: now,
            ..times
        }
    }
}

#[derive(Default)]
struct AgeAtATie;

impl Decisions for AgeAtATie {
    fn lapse(&self, times: &Times, limits: Limits) -> Option<(Time, Lapse)> {
        let right = Right.lapse(times, limits)?;
        let age = limits.max_age.map(|age| times.aged_from + age);
        if age == Some(right.0) {
            return Some((right.0, Lapse::MaxAge));
        }
        Some(right)
    }
}

#[derive(Default)]
struct FailedProbeIsAnEnd;

impl Decisions for FailedProbeIsAnEnd {
    fn ends_binding(&self, state: ThreadState, archived_ends: bool) -> bool {
        state == ThreadState::Unknown || Right.ends_binding(state, archived_ends)
    }
}

#[derive(Default)]
struct OutputIsNoActivity;

impl Decisions for OutputIsNoActivity {
    fn touches(&self, traffic: Traffic) -> bool {
        traffic != Traffic::Output && Right.touches(traffic)
    }
}

#[derive(Default)]
struct OwnWordsAreActivity;

impl Decisions for OwnWordsAreActivity {
    fn touches(&self, traffic: Traffic) -> bool {
        traffic == Traffic::Notice || Right.touches(traffic)
    }
}

#[derive(Default)]
struct TouchesStayInMemory;

impl BindingDecisions for TouchesStayInMemory {
    fn keeps_touches(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct TouchesWaitTooLong;

impl BindingDecisions for TouchesWaitTooLong {
    fn touches_wait(&self) -> Span {
        Span::secs(16)
    }
}

#[derive(Default)]
struct AStopForgetsTouches;

impl BindingDecisions for AStopForgetsTouches {
    fn stops_clean(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct AWriteForEachTouch;

impl BindingDecisions for AWriteForEachTouch {
    fn writes_touch_apart(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct AWriteForEachEnd;

impl BindingDecisions for AWriteForEachEnd {
    fn writes_each_end(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct PlacesWithoutChannel;

impl BindingDecisions for PlacesWithoutChannel {
    fn place<'a>(&self, at: &'a Address) -> Cow<'a, Address> {
        Cow::Owned(Address {
            channel: "any".into(),
            ..at.clone()
        })
    }
}

#[derive(Default)]
struct PlacesWithoutAccount;

impl BindingDecisions for PlacesWithoutAccount {
    fn place<'a>(&self, at: &'a Address) -> Cow<'a, Address> {
        Cow::Owned(Address {
            account: "default".into(),
            ..at.clone()
        })
    }
}

#[derive(Default)]
struct FirstBindingWins;

impl BindingDecisions for FirstBindingWins {
    fn replaces(&self) -> bool {
        false
    }
}
