//! From the end of a run to whoever asked.

mod all_of_n;
mod aloud;
mod audience;
mod busy;
mod fits;
mod news;
mod once;
mod origin;
mod outcome;
mod owed;
mod progress;
mod requester;
mod reset;
mod retry;
mod silent;

pub(super) use once::repeats_in_reply;
pub(super) use owed::carried;

use super::{Checker, Keyword, Kind, Rule};
use crate::profile::Family;

pub(super) fn rules() -> Vec<Rule> {
    let lists = [told(), truly(), refused()];
    lists.into_iter().flatten().collect()
}

/// That it is told, once, and where.
#[expect(
    clippy::too_many_lines,
    reason = "a list of rules is read from top to bottom"
)]
fn told() -> Vec<Rule> {
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
            sees: &[Kind::RunEnded, Kind::Deliver, Kind::Posted, Kind::Report],
            ..rule("relay.fits-channel", || Box::<fits::Fits>::default())
        },
    ]
}

/// What is told, and to whom.
#[expect(
    clippy::too_many_lines,
    reason = "a list of rules is read from top to bottom"
)]
fn truly() -> Vec<Rule> {
    vec![
        Rule {
            text: "It goes to the session that asked, busy or idle; to another one only when that is \
                   gone.",
            sources: &["I-07", "NO-001", "CL-012", "CL-055", "CL-056"],
            sees: &[Kind::StartRun, Kind::SteerRun],
            ..rule("relay.requester", || Box::new(requester::Requester))
        },
        Rule {
            text: "Told are the session that asked, the conversation that asked, both or nobody, as \
                   the spawn says by `notifyParent`, `notifyUserOnComplete` and \
                   `expectsCompletionMessage`, and else as the profile has it; both never means \
                   twice to the same person.",
            sources: &["R4.4", "R4.5", "CL-045", "DD-005", "DD-032"],
            dials: &["completion_to"],
            sees: &[
                Kind::RunEnded,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Deliver,
            ],
            ..rule("relay.audience", || Box::<audience::Audience>::default())
        },
        Rule {
            text: "Where progress was asked for (`streamTo`) it reaches whoever asked, in order, and \
                   all of it before the completion.",
            sources: &["R4.1", "R-94", "R-95"],
            sees: &[
                Kind::RunProgress,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Deliver,
                Kind::Crashed,
            ],
            ..rule("relay.progress", || Box::<progress::Progress>::default())
        },
        Rule {
            text: "Status and text of a completion are those of the end that came first: never what \
                   the run said on its way, never what another said, never the words of a run that \
                   failed as if they were its result.",
            sources: &[
                "I-11", "CT-001", "CT-005", "CT-007", "CT-012", "R-5", "R-11",
            ],
            sees: &[
                Kind::RunEnded,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Deliver,
                Kind::Crashed,
            ],
            ..rule("relay.outcome-true", || {
                Box::<outcome::OutcomeTrue>::default()
            })
        },
        Rule {
            text: "Of N completions that one run asked for all N arrive, in every order of ending.",
            sources: &["CL-043", "DD-020"],
            sees: &[Kind::RunEnded, Kind::Crashed],
            ..rule("relay.all-of-n", || Box::<all_of_n::AllOfN>::default())
        },
        Rule {
            text: "`NO_REPLY` of a child means what the profile says, `ANNOUNCE_SKIP` that nobody is \
                   told; and no person reads either, alone or at an edge of a text.",
            sources: &["I-30", "R-21", "R-22", "R-23", "MD-049"],
            dials: &["no_reply"],
            sees: &[
                Kind::RunEnded,
                Kind::Deliver,
                Kind::StartRun,
                Kind::SteerRun,
            ],
            ..rule("relay.silent-tokens", || {
                Box::<silent::SilentTokens>::default()
            })
        },
        Rule {
            text: "A requester that began anew since it asked gets the completion in its new \
                   incarnation, or there is a visible failure, as the profile says; never both.",
            sources: &["R-47", "SI-014", "H-8"],
            dials: &["reset_requester"],
            sees: &[
                Kind::RunEnded,
                Kind::Crashed,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Report,
            ],
            ..rule("relay.reset-requester", || {
                Box::<reset::ResetRequesterGets>::default()
            })
        },
    ]
}

/// What comes of a refusal.
fn refused() -> Vec<Rule> {
    vec![
        Rule {
            text: "What is refused for now is tried again with growing pauses, not before the channel \
                   allows it, and within a bound; what is refused for good is not; and nothing that \
                   goes elsewhere waits for that.",
            sources: &["I-29", "R-60", "R-61", "R-63", "CL-013", "CL-048", "RR-018"],
            dials: &["relay_window"],
            sees: &[
                Kind::Receipt,
                Kind::RunEnded,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Deliver,
                Kind::Report,
                Kind::Call,
                Kind::Crashed,
            ],
            ..rule("relay.retry-classified", || {
                Box::<retry::RetryClassified>::default()
            })
        },
        Rule {
            text: "When the bound is spent there is a visible failure; `subagents` lists it, tries \
                   again what was given up, and dismisses it.",
            sources: &["CL-010", "CL-023", "CL-041", "R-65", "R-66"],
            sees: &[
                Kind::Receipt,
                Kind::Report,
                Kind::Answer,
                Kind::Deliver,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Crashed,
            ],
            ..rule("relay.gives-up-aloud", || {
                Box::<aloud::GivesUpAloud>::default()
            })
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
mod news_tests;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod tests;
