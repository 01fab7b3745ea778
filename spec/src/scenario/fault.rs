//! What goes wrong in a story, beside what its steps tell. Each fault strikes the first requests
//! that match it, `times` of them (1 unless said otherwise).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Where;
use crate::stimulus::ThreadState;
use crate::time::Span;

/// One misfortune.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A delivery is not simply accepted.
    Receipt(ReceiptFault),
    /// A run is not simply started.
    Start(StartFault),
    /// A text is not simply steered in.
    Steer(SteerFault),
    /// A thread is not simply opened.
    Thread(ThreadFault),
    /// A probe does not simply find what is there.
    Probe(ProbeFault),
    /// A message does not simply arrive.
    Inbound(InboundFault),
}

/// A delivery is not simply accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptFault {
    /// Only deliveries that tell of this message or run: that carry its marker, or that of an
    /// output it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Only deliveries to this place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Where>,
    /// How many.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
    /// What comes of them; accepted if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ReceiptOutcome>,
    /// How long to wait before trying again, where the outcome is transient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Span>,
    /// How long the receipt takes; the channel's latency if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
}

/// What comes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptOutcome {
    /// It is refused, and will be again.
    Permanent,
    /// It is refused this time.
    Transient,
    /// Nobody knows; it happened.
    UnknownHappened,
    /// Nobody knows; it did not happen.
    UnknownLost,
}

/// A run is not simply started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartFault {
    /// Only runs whose input holds this marker; every run if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How many.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
    /// Whether the gateway hears "unknown" in place of "refused". The run does not start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// How long the answer takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
}

/// A text is not simply steered in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SteerFault {
    /// Only texts that hold this marker; every text if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How many.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
    /// Whether it is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// How long the answer takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
}

/// A thread is not simply opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreadFault {
    /// How many.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
    /// Whether it is refused; there is no thread then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
    /// Whether nobody knows; there is a thread then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// How long the answer takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
}

/// A probe does not simply find what is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeFault {
    /// Only probes of this place; every probe if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Where>,
    /// How many.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
    /// What it says; what is there if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finds: Option<ThreadState>,
    /// How long the answer takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
}

/// A message does not simply arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InboundFault {
    /// The message, by its name.
    pub of: String,
    /// How much later it arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
    /// How often it comes again after that, each as the channel redelivers or a minute later.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeats: u32,
}

fn once() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for this signature"
)]
fn is_once(times: &u32) -> bool {
    *times == 1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for this signature"
)]
fn is_zero(times: &u32) -> bool {
    *times == 0
}
