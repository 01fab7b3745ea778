//! Wrong about where a text belongs.

use moorline_spec::address::Address;
use moorline_spec::id::SessionKey;

use super::{Broken, deciding};
use crate::reference::{Asker, Cause, Decisions, Output, Right, Speaking};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "answer-leaves-the-thread",
            rule: "routing.same-place",
            report: None,
            summary: "What was written in a thread is answered in the conversation around it.",
            build: deciding::<AnswerLeavesTheThread>,
        },
        Broken {
            id: "completion-to-last-route",
            rule: "isolation.conversations",
            report: Some("MD-001"),
            summary: "A completion goes to where the requester's session last spoke with a person (H-6).",
            build: deciding::<CompletionToLastRoute>,
        },
        Broken {
            id: "address-merged-field-by-field",
            rule: "relay.origin",
            report: Some("MD-003"),
            summary: "The address of a completion has the conversation of the origin, and the \
                      channel and the account of the last route (H-1).",
            build: deciding::<MergedAddress>,
        },
        Broken {
            id: "default-account-answers",
            rule: "isolation.accounts",
            report: Some("MD-007"),
            summary: "A completion goes out through the default account, whichever was asked.",
            build: deciding::<DefaultAccount>,
        },
        Broken {
            id: "one-memory-for-a-channel",
            rule: "isolation.people",
            report: None,
            summary: "All direct messages of a channel reach one session, whatever the scope.",
            build: deciding::<OneMemory>,
        },
    ]
}

#[derive(Default)]
struct AnswerLeavesTheThread;

impl Decisions for AnswerLeavesTheThread {
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        let to = Right.output_to(output)?;
        Some(match output.cause {
            Cause::Message => to.without_thread(),
            Cause::Session | Cause::Internal(_) | Cause::Plugin => to,
        })
    }
}

#[derive(Default)]
struct CompletionToLastRoute;

impl Decisions for CompletionToLastRoute {
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        asker.last_route.or(asker.origin).cloned()
    }
}

#[derive(Default)]
struct MergedAddress;

impl Decisions for MergedAddress {
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        let origin = asker.origin?;
        let last = asker.last_route.unwrap_or(origin);
        Some(Address {
            channel: last.channel.clone(),
            account: last.account.clone(),
            conversation: origin.conversation.clone(),
            thread: origin.thread.clone(),
        })
    }
}

#[derive(Default)]
struct DefaultAccount;

impl Decisions for DefaultAccount {
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        let origin = asker.origin?;
        Some(Address {
            account: "default".into(),
            ..origin.clone()
        })
    }
}

#[derive(Default)]
struct OneMemory;

impl Decisions for OneMemory {
    fn session_of(&self, message: &Speaking<'_>) -> SessionKey {
        let own = Right.session_of(message);
        if own.as_str().contains("direct:") {
            return format!("agent:{}:{}:direct", message.agent, message.at.channel).into();
        }
        own
    }
}
