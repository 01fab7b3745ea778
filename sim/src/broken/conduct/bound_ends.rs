//! Wrong about the end of a binding: how it comes, and what is said of it.

use moorline_spec::config::Limits;
use moorline_spec::effect::UnboundBecause;
use moorline_spec::stimulus::ThreadState;
use moorline_spec::time::Span;

use super::{Broken, binding, deciding};
use crate::reference::{BindingDecisions, Dead, Decisions, Lapse, RightBindings};

pub(super) fn gateways() -> Vec<Broken> {
    [ends(), accounts(), words()]
        .into_iter()
        .flatten()
        .collect()
}

/// About how it comes.
fn ends() -> Vec<Broken> {
    vec![
        Broken {
            id: "deleted-thread-stays-bound",
            rule: "binding.platform-end",
            report: Some("BL-018"),
            summary: "That a thread was deleted or locked changes nothing.",
            build: deciding::<DeletedThreadStaysBound>,
        },
        Broken {
            id: "archived-thread-stays-bound",
            rule: "binding.platform-end",
            report: Some("BL-019"),
            summary: "That a thread was archived changes nothing, whatever the profile says.",
            build: deciding::<ArchivedThreadStaysBound>,
        },
        Broken {
            id: "sweeps-overlap",
            rule: "binding.sweep-alone",
            report: Some("BL-029"),
            summary: "A pass of the sweep begins though another waits for its probes.",
            build: binding::<SweepsOverlap>,
        },
        Broken {
            id: "failed-probe-ends-the-pass",
            rule: "binding.sweep-alone",
            report: None,
            summary: "A probe that brings nothing ends the pass for all that come after it.",
            build: binding::<FailedProbeEndsThePass>,
        },
        Broken {
            id: "dead-session-swallows",
            rule: "binding.live-target",
            report: Some("BL-011"),
            summary: "A binding outlives its session, and its messages are dropped.",
            build: binding::<DeadSessionSwallows>,
        },
        Broken {
            id: "swept-place-routes-on",
            rule: "routing.unbound-parent",
            report: None,
            summary: "A binding that lapsed is said to be over, and its place stays where it was.",
            build: binding::<SweptPlaceRoutesOn>,
        },
    ]
}

/// About accounts that are switched off.
fn accounts() -> Vec<Broken> {
    vec![
        Broken {
            id: "stopped-account-talks",
            rule: "binding.account-stopped",
            report: None,
            summary: "An account that is switched off loses its bindings, and goes on talking.",
            build: binding::<StoppedAccountTalks>,
        },
        Broken {
            id: "stopped-account-is-bound-again",
            rule: "binding.account-stopped",
            report: None,
            summary: "An account that is switched on again has the bindings it had.",
            build: binding::<StoppedAccountIsBoundAgain>,
        },
        Broken {
            id: "stopped-account-gives-no-reason",
            rule: "binding.account-stopped",
            report: None,
            summary: "That an account was switched off is told as if its bindings alone were.",
            build: binding::<StoppedAccountGivesNoReason>,
        },
    ]
}

/// About what is said of it.
fn words() -> Vec<Broken> {
    vec![
        Broken {
            id: "intro-without-max-age",
            rule: "binding.intro-names-limits",
            report: None,
            summary: "An intro names the idle timeout only.",
            build: binding::<IntroWithoutMaxAge>,
        },
        Broken {
            id: "intro-names-the-default",
            rule: "binding.intro-names-limits",
            report: None,
            summary: "An intro names the default idle timeout where there is none.",
            build: binding::<IntroNamesTheDefault>,
        },
        Broken {
            id: "no-farewell",
            rule: "binding.farewell-once",
            report: None,
            summary: "Nobody is told that a binding lapsed.",
            build: binding::<NoFarewell>,
        },
        Broken {
            id: "two-farewells",
            rule: "binding.farewell-once",
            report: Some("BL-029"),
            summary: "The end of a binding is told twice.",
            build: binding::<TwoFarewells>,
        },
        Broken {
            id: "farewell-to-nowhere",
            rule: "binding.farewell-once",
            report: Some("BL-018"),
            summary: "There is a farewell for a thread that was deleted.",
            build: binding::<FarewellToNowhere>,
        },
        Broken {
            id: "farewell-names-the-other-limit",
            rule: "binding.farewell-once",
            report: None,
            summary: "The farewell names the limit that was not reached.",
            build: binding::<FarewellNamesTheOtherLimit>,
        },
    ]
}

#[derive(Default)]
struct DeletedThreadStaysBound;

impl Decisions for DeletedThreadStaysBound {
    fn ends_binding(&self, state: ThreadState, archived_ends: bool) -> bool {
        state == ThreadState::Archived && archived_ends
    }
}

#[derive(Default)]
struct ArchivedThreadStaysBound;

impl Decisions for ArchivedThreadStaysBound {
    fn ends_binding(&self, state: ThreadState, _: bool) -> bool {
        matches!(state, ThreadState::Gone | ThreadState::Locked)
    }
}

#[derive(Default)]
struct SweepsOverlap;

impl BindingDecisions for SweepsOverlap {
    fn begins_pass(&self, _: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct FailedProbeEndsThePass;

impl BindingDecisions for FailedProbeEndsThePass {
    fn goes_on_after(&self, state: ThreadState) -> bool {
        state != ThreadState::Unknown
    }
}

#[derive(Default)]
struct StoppedAccountTalks;

impl BindingDecisions for StoppedAccountTalks {
    fn stops_account(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct StoppedAccountIsBoundAgain;

impl BindingDecisions for StoppedAccountIsBoundAgain {
    fn frees(&self, reason: UnboundBecause) -> bool {
        reason != UnboundBecause::AccountStopped
    }
}

#[derive(Default)]
struct StoppedAccountGivesNoReason;

impl BindingDecisions for StoppedAccountGivesNoReason {
    fn disabled_because(&self, _: bool) -> UnboundBecause {
        UnboundBecause::Disabled
    }
}

#[derive(Default)]
struct DeadSessionSwallows;

impl BindingDecisions for DeadSessionSwallows {
    fn ends_with_session(&self, _: UnboundBecause) -> bool {
        false
    }

    fn when_dead(&self) -> Dead {
        Dead::Swallow
    }
}

#[derive(Default)]
struct SweptPlaceRoutesOn;

impl BindingDecisions for SweptPlaceRoutesOn {
    fn frees(&self, reason: UnboundBecause) -> bool {
        !matches!(reason, UnboundBecause::Idle | UnboundBecause::MaxAge)
    }
}

#[derive(Default)]
struct IntroWithoutMaxAge;

impl BindingDecisions for IntroWithoutMaxAge {
    fn introduces(&self, limits: Limits) -> Limits {
        Limits {
            max_age: None,
            ..limits
        }
    }
}

#[derive(Default)]
struct IntroNamesTheDefault;

impl BindingDecisions for IntroNamesTheDefault {
    fn introduces(&self, limits: Limits) -> Limits {
        Limits {
            idle: limits.idle.or(Some(Span::hours(24))),
            ..limits
        }
    }
}

#[derive(Default)]
struct NoFarewell;

impl BindingDecisions for NoFarewell {
    fn farewells(&self, _: UnboundBecause) -> u32 {
        0
    }
}

#[derive(Default)]
struct TwoFarewells;

impl BindingDecisions for TwoFarewells {
    fn farewells(&self, reason: UnboundBecause) -> u32 {
        2 * RightBindings.farewells(reason)
    }
}

#[derive(Default)]
struct FarewellToNowhere;

impl BindingDecisions for FarewellToNowhere {
    fn farewells(&self, reason: UnboundBecause) -> u32 {
        RightBindings.farewells(reason) + u32::from(reason == UnboundBecause::ThreadGone)
    }
}

#[derive(Default)]
struct FarewellNamesTheOtherLimit;

impl BindingDecisions for FarewellNamesTheOtherLimit {
    fn reached(&self, lapse: Lapse, limits: Limits) -> Span {
        let other = match lapse {
            Lapse::Idle => Lapse::MaxAge,
            Lapse::MaxAge => Lapse::Idle,
        };
        RightBindings.reached(other, limits)
    }
}
