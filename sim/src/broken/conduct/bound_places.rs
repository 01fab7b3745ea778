//! Wrong about what a bound place is called, what it leads to, and what an address is made of.

use std::borrow::Cow;

use moorline_spec::address::Address;
use moorline_spec::effect::UnboundBecause;
use moorline_spec::id::SessionKey;

use super::{Broken, binding, deciding};
use crate::reference::{Asker, BindingDecisions, Cause, Decisions, Output, Right};

pub(super) fn gateways() -> Vec<Broken> {
    let mut all = wrong_about_targets();
    all.extend(wrong_about_addresses());
    all
}

fn wrong_about_targets() -> Vec<Broken> {
    vec![
        Broken {
            id: "suffix-on-a-bound-key",
            rule: "routing.bound-first",
            report: Some("BL-013"),
            summary: "The thread is appended to the key of the session that is bound to it.",
            build: deciding::<SuffixOnABoundKey>,
        },
        Broken {
            id: "bound-under-another-name",
            rule: "routing.bound-first",
            report: Some("BL-036"),
            summary: "A place is bound under another name than that by which it is looked up.",
            build: binding::<BoundUnderAnotherName>,
        },
        Broken {
            id: "binding-points-at-the-id",
            rule: "binding.live-target",
            report: Some("BL-011"),
            summary: "A binding leads to one incarnation of its session; after a reset its messages are dropped.",
            build: binding::<BindingPointsAtTheId>,
        },
        Broken {
            id: "ended-run-keeps-its-place",
            rule: "routing.unbound-parent",
            report: Some("BL-010"),
            summary: "A run that was bound for its own time keeps the place when it is over.",
            build: binding::<EndedRunKeepsItsPlace>,
        },
        Broken {
            id: "dead-run-keeps-its-turn",
            rule: "relay.liveness",
            report: Some("BL-012"),
            summary: "A run that died with an earlier life is taken to go on, and what comes after it waits.",
            build: binding::<DeadRunKeepsItsTurn>,
        },
        Broken {
            id: "reset-misses-the-binding",
            rule: "routing.bound-first",
            report: Some("BL-025"),
            summary: "`/new` in a bound place resets the session that owns the place.",
            build: binding::<ResetMissesTheBinding>,
        },
        Broken {
            id: "old-probe-ends-a-new-binding",
            rule: "binding.never-early",
            report: Some("BL-037"),
            summary: "What a probe finds ends whatever is bound there when the answer comes.",
            build: deciding::<OldProbeEndsANewBinding>,
        },
    ]
}

fn wrong_about_addresses() -> Vec<Broken> {
    vec![
        Broken {
            id: "reply-by-the-default-account",
            rule: "routing.same-place",
            report: Some("MD-010"),
            summary: "Messages are answered through the default account, whichever heard them.",
            build: deciding::<ReplyByTheDefaultAccount>,
        },
        Broken {
            id: "news-outside-the-thread",
            rule: "isolation.conversations",
            report: Some("MD-015"),
            summary: "What a session says of the news of a child goes to the conversation around the thread.",
            build: deciding::<NewsOutsideTheThread>,
        },
        Broken {
            id: "recipient-in-lower-case",
            rule: "relay.origin",
            report: Some("MD-036"),
            summary: "The address of a completion is read from a key that keeps no case.",
            build: deciding::<RecipientInLowerCase>,
        },
        Broken {
            id: "completion-leaves-the-topic",
            rule: "relay.origin",
            report: Some("MD-012"),
            summary: "The address of a completion lacks its thread (H-11).",
            build: deciding::<CompletionLeavesTheTopic>,
        },
    ]
}

#[derive(Default)]
struct SuffixOnABoundKey;

impl Decisions for SuffixOnABoundKey {
    fn routes_to(&self, bound: Option<&SessionKey>, own: &dyn Fn() -> SessionKey) -> SessionKey {
        match bound {
            Some(key) => format!("{key}:thread:bound").into(),
            None => own(),
        }
    }
}

#[derive(Default)]
struct BoundUnderAnotherName;

impl BindingDecisions for BoundUnderAnotherName {
    fn bound_as<'a>(&self, at: &'a Address) -> Cow<'a, Address> {
        Cow::Owned(Address {
            conversation: format!("{0}:{0}", at.conversation).into(),
            ..at.clone()
        })
    }
}

#[derive(Default)]
struct BindingPointsAtTheId;

impl BindingDecisions for BindingPointsAtTheId {
    fn follows_resets(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct EndedRunKeepsItsPlace;

impl BindingDecisions for EndedRunKeepsItsPlace {
    fn frees(&self, reason: UnboundBecause) -> bool {
        reason != UnboundBecause::RunEnded
    }
}

#[derive(Default)]
struct DeadRunKeepsItsTurn;

impl BindingDecisions for DeadRunKeepsItsTurn {
    fn notices_death(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct ResetMissesTheBinding;

impl BindingDecisions for ResetMissesTheBinding {
    fn resets_what_is_bound(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct OldProbeEndsANewBinding;

impl Decisions for OldProbeEndsANewBinding {
    fn still_meant(&self, _: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct ReplyByTheDefaultAccount;

impl Decisions for ReplyByTheDefaultAccount {
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        let to = Right.output_to(output)?;
        Some(match output.cause {
            Cause::Message => Address {
                account: "default".into(),
                ..to
            },
            Cause::Session | Cause::Internal(_) | Cause::Plugin => to,
        })
    }
}

#[derive(Default)]
struct NewsOutsideTheThread;

impl Decisions for NewsOutsideTheThread {
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        let to = Right.output_to(output)?;
        Some(if output.tells {
            to.without_thread()
        } else {
            to
        })
    }
}

#[derive(Default)]
struct RecipientInLowerCase;

impl Decisions for RecipientInLowerCase {
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        let origin = Right.relay_target(asker)?;
        Some(Address {
            conversation: origin.conversation.as_str().to_lowercase().into(),
            ..origin
        })
    }
}

#[derive(Default)]
struct CompletionLeavesTheTopic;

impl Decisions for CompletionLeavesTheTopic {
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        Right.relay_target(asker).map(|to| to.without_thread())
    }
}
