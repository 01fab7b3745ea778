//! From the end of a run to whoever asked.

mod busy;
mod fits;
mod once;
mod origin;
mod owed;

pub(super) use owed::carried;

use super::{Checker, Keyword, Kind, Rule};
use crate::profile::Family;

#[expect(
    clippy::too_many_lines,
    reason = "a list of rules is read from top to bottom"
)]
pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            text: "Every accepted run that owes a completion ends in exactly one of: its requester \
                   was told, or a visible failure; whatever the outcome, the channel, the crash.",
            sources: &["R4", "I-01", "I-10", "CL-001"],
            dials: &["no_reply"],
            sees: &[Kind::RunEnded, Kind::Posted, Kind::Report, Kind::Crashed],
            ..rule("relay.liveness", || Box::<owed::Liveness>::default())
        },
        Rule {
            text: "One completion causes at most one visible message for each audience and one turn \
                   of its requester (a turn that a crash took is replaced); after an unknown receipt \
                   a repeat uses the channel's idempotency key or is marked.",
            sources: &["I-02", "DD-004", "DD-010"],
            dials: &["after_unknown"],
            sees: &[
                Kind::Deliver,
                Kind::Receipt,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::RunEnded,
            ],
            ..rule("relay.once", || Box::<once::Once>::default())
        },
        Rule {
            text: "A completion goes to the whole address captured when its run was asked for: \
                   never merged, rebuilt, or taken from a later message.",
            sources: &["R4.6", "I-04", "MD-001", "MD-003"],
            dials: &["busy_requester"],
            sees: &[Kind::Deliver],
            ..rule("relay.origin", || Box::new(origin::Origin))
        },
        Rule {
            text: "A delivery that was refused or has no receipt, a steer that was not taken, and a \
                   turn that was refused or lost to a crash are still owed: queued, steered and \
                   handed over are not delivered.",
            sources: &["I-03", "CL-011"],
            sees: &[
                Kind::Receipt,
                Kind::Steered,
                Kind::RunStarted,
                Kind::RunEnded,
                Kind::Crashed,
                Kind::Deliver,
                Kind::StartRun,
                Kind::SteerRun,
            ],
            ..rule("relay.still-owed", || Box::<owed::StillOwed>::default())
        },
        Rule {
            text: "A requester in the middle of a run gets a completion exactly once; it is steered \
                   in only where that run answers to the completion's origin, else queued.",
            sources: &["CL-007", "DD-002", "H-17"],
            dials: &["busy_requester"],
            sees: &[Kind::RunEnded, Kind::StartRun, Kind::SteerRun],
            ..rule("relay.busy-requester", || Box::<busy::Busy>::default())
        },
        Rule {
            text: "A text over the channel's limit arrives whole, in order, in pieces within the \
                   limit.",
            sources: &["channels.json"],
            sees: &[Kind::RunEnded, Kind::Deliver, Kind::Posted],
            ..rule("relay.fits-channel", || Box::<fits::Fits>::default())
        },
    ]
}

fn rule(id: &'static str, checker: fn() -> Box<dyn Checker>) -> Rule {
    Rule {
        id,
        family: Family::Relay,
        keyword: Keyword::Must,
        text: "",
        sources: &[],
        dials: &[],
        sees: &[],
        checker: Some(checker),
        relation: None,
    }
}

#[cfg(test)]
mod tests;
