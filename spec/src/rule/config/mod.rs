//! What a configuration means: one order decides, and nothing is accepted for nothing.

mod accepted;
mod settings;
#[cfg(test)]
mod tests;

use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::profile::Family;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            id: "config.one-precedence",
            family: Family::Config,
            keyword: Keyword::Must,
            text: "Where several layers say how a setting stands, the strongest decides, in the \
                   same order everywhere: parameter, account, channel, agent, default.",
            sources: &["I-27", "B-55", "CP-001", "CP-006", "CP-010"],
            dials: &["legacy_keys"],
            sees: &[
                Kind::Open,
                Kind::ConfigChanged,
                Kind::Inbound,
                Kind::StartRun,
                Kind::Answer,
                Kind::Drop,
                Kind::Deliver,
            ],
            checker: Some(|| Box::new(settings::Settings::new(settings::Case::Order))),
            relation: None,
        },
        Rule {
            id: "config.accepted-means-effect",
            family: Family::Config,
            keyword: Keyword::Must,
            text: "A key that is accepted has an effect; one that is not understood, or has a value \
                   out of range, is refused at its path, and then nothing of that configuration \
                   takes effect.",
            sources: &["I-27", "R5.8", "S-71"],
            dials: &["legacy_keys"],
            sees: &[
                Kind::Open,
                Kind::ConfigChanged,
                Kind::Inbound,
                Kind::RefuseConfig,
                Kind::StartRun,
                Kind::Answer,
                Kind::Drop,
                Kind::Deliver,
                Kind::Crashed,
                Kind::Rest,
            ],
            checker: Some(|| Box::new(accepted::Accepted::new())),
            relation: None,
        },
    ]
}
