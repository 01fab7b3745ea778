//! Texts between sessions: to whom they go, what becomes of the reply, and that they end.

mod bounded;
mod late;
mod target;
#[cfg(test)]
mod tests;
mod visibility;

use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::profile::Family;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            text: "An id, a key or a label resolves to exactly that session, or fails; a key and a \
                   label together are an error, and blanks name nothing.",
            sources: &["I-21", "S-119", "S-120", "SS-001"],
            sees: &[Kind::Call, Kind::StartRun, Kind::Answer],
            ..rule("send.exact-target", || Box::<target::Exact>::default())
        },
        Rule {
            text: "Sending to a key that never existed creates nothing; only the main session of an \
                   agent comes to be with the first text to it.",
            sources: &["S-121", "B-31", "SS-003"],
            dials: &["send_minting"],
            sees: &[Kind::Call, Kind::StartRun, Kind::Answer],
            ..rule("send.no-minting", || Box::<target::Minting>::default())
        },
        Rule {
            text: "A reply after the sender's timeout reaches the sender's session as an event, \
                   once; so does the news that there will be none.",
            sources: &["SS-010", "B-24", "S-123"],
            dials: &["reset_requester"],
            sees: &[Kind::StartRun, Kind::Rest],
            ..rule("send.late-reply-kept", || Box::<late::Kept>::default())
        },
        Rule {
            text: "An exchange between sessions ends: after so many turns, at a silent token, and \
                   without rounds between a session and its own child; no session sends to itself.",
            sources: &["I-22", "S-126", "S-131", "SS-006", "SS-011", "SS-017"],
            dials: &["exchange_turns"],
            sees: &[
                Kind::Call,
                Kind::StartRun,
                Kind::RunEnded,
                Kind::Answer,
                Kind::Rest,
            ],
            ..rule("send.bounded", || Box::<bounded::Bounded>::default())
        },
        Rule {
            text: "A session reaches what its visibility allows it to see, and nothing beyond: by \
                   sending, listing, or asking for its status.",
            sources: &["S-113", "S-115", "S-118", "B-6", "SS-014"],
            dials: &["visibility", "agent_to_agent"],
            sees: &[Kind::Call, Kind::StartRun, Kind::Answer],
            ..rule("send.visibility", || Box::<visibility::Reach>::default())
        },
    ]
}

fn rule(id: &'static str, checker: fn() -> Box<dyn Checker>) -> Rule {
    Rule {
        id,
        family: Family::Send,
        keyword: Keyword::Must,
        text: "",
        sources: &[],
        dials: &[],
        sees: &[],
        checker: Some(checker),
        relation: None,
    }
}
