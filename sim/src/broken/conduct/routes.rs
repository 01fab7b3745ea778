//! Wrong about whose message an answer is for, and where turns speak that nobody wrote for.

use moorline_spec::address::Address;
use moorline_spec::effect::UnboundBecause;

use super::{Broken, binding, deciding};
use crate::reference::{BindingDecisions, Cause, Decisions, Elsewhere, Output, Right};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "first-words-in-the-parent",
            rule: "routing.bound-output",
            report: Some("MD-018"),
            summary: "What a bound child says first goes to where it was asked for.",
            build: deciding::<FirstWordsInTheParent>,
        },
        Broken {
            id: "every-account-answers",
            rule: "routing.other-bot-silent",
            report: Some("BL-021"),
            summary: "Each account answers in a thread, whichever has it bound.",
            build: binding::<EveryAccountAnswers>,
        },
        Broken {
            id: "switched-off-account-suppresses",
            rule: "routing.other-bot-silent",
            report: Some("BL-021"),
            summary: "An account for which bindings were switched off still keeps others silent.",
            build: binding::<SwitchedOffAccountSuppresses>,
        },
        Broken {
            id: "sent-text-takes-the-route",
            rule: "routing.route-hygiene",
            report: Some("MD-028"),
            summary: "A text from another session, or the news of a child, becomes the last route.",
            build: binding::<SentTextTakesTheRoute>,
        },
        Broken {
            id: "heartbeat-takes-the-route",
            rule: "routing.route-hygiene",
            report: Some("MD-002"),
            summary: "A turn of the clockwork replaces the last route by its own, which is none.",
            build: binding::<HeartbeatTakesTheRoute>,
        },
        Broken {
            id: "answer-to-whoever-spoke-last",
            rule: "routing.same-place",
            report: Some("MD-040"),
            summary: "An answer goes to where the last message for its session came from.",
            build: deciding::<AnswerToWhoeverSpokeLast>,
        },
        Broken {
            id: "heartbeat-follows-the-chat",
            rule: "routing.proactive",
            report: Some("MD-021"),
            summary: "What nobody asked for goes to where the session last spoke.",
            build: deciding::<HeartbeatFollowsTheChat>,
        },
        Broken {
            id: "heartbeat-by-the-default-account",
            rule: "routing.proactive",
            report: None,
            summary: "What nobody asked for goes out by the default account, whichever is \
                      configured (H-14).",
            build: deciding::<HeartbeatByTheDefaultAccount>,
        },
    ]
}

#[derive(Default)]
struct FirstWordsInTheParent;

impl Decisions for FirstWordsInTheParent {
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        match output.cause {
            Cause::Session if output.bound.is_some() => output.origin.cloned(),
            Cause::Session | Cause::Message | Cause::Internal(_) | Cause::Plugin => {
                Right.output_to(output)
            }
        }
    }
}

#[derive(Default)]
struct EveryAccountAnswers;

impl BindingDecisions for EveryAccountAnswers {
    fn yields_to(&self, _: Elsewhere) -> bool {
        false
    }
}

#[derive(Default)]
struct SwitchedOffAccountSuppresses;

impl BindingDecisions for SwitchedOffAccountSuppresses {
    fn frees(&self, reason: UnboundBecause) -> bool {
        !matches!(
            reason,
            UnboundBecause::Disabled | UnboundBecause::AccountStopped
        )
    }

    fn yields_to(&self, other: Elsewhere) -> bool {
        other.holds
    }
}

#[derive(Default)]
struct SentTextTakesTheRoute;

impl BindingDecisions for SentTextTakesTheRoute {
    fn takes_route(&self, cause: Cause) -> bool {
        matches!(cause, Cause::Message | Cause::Session)
    }
}

#[derive(Default)]
struct HeartbeatTakesTheRoute;

impl BindingDecisions for HeartbeatTakesTheRoute {
    fn takes_route(&self, cause: Cause) -> bool {
        matches!(cause, Cause::Message | Cause::Internal(_))
    }
}

#[derive(Default)]
struct AnswerToWhoeverSpokeLast;

impl Decisions for AnswerToWhoeverSpokeLast {
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        match output.cause {
            Cause::Message => output.heard_at.or(output.origin).cloned(),
            Cause::Session | Cause::Internal(_) | Cause::Plugin => Right.output_to(output),
        }
    }
}

#[derive(Default)]
struct HeartbeatFollowsTheChat;

impl Decisions for HeartbeatFollowsTheChat {
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        match output.cause {
            Cause::Internal(_) => output.last_route.cloned(),
            Cause::Message | Cause::Session | Cause::Plugin => Right.output_to(output),
        }
    }
}

#[derive(Default)]
struct HeartbeatByTheDefaultAccount;

impl Decisions for HeartbeatByTheDefaultAccount {
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        let right = Right.output_to(output)?;
        match output.cause {
            Cause::Internal(_) => Some(Address {
                account: "default".into(),
                ..right
            }),
            Cause::Message | Cause::Session | Cause::Plugin => Some(right),
        }
    }
}
