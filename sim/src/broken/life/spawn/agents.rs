//! Wrong about whom a spawn may ask.

use super::super::super::{Broken, deciding};
use crate::reference::{Decisions, Nominee};

pub(super) fn gateways() -> Vec<Broken> {
    vec![
        Broken {
            id: "any-text-is-an-agent",
            rule: "spawn.agent-allowed",
            report: Some("SV-014"),
            summary: "Whatever stands in `agentId` is taken for an agent, also the text of an error.",
            build: deciding::<AnyText>,
        },
        Broken {
            id: "own-agent-is-always-allowed",
            rule: "spawn.agent-allowed",
            report: Some("SV-015"),
            summary: "The list of allowed agents is not looked at where a spawn names its own.",
            build: deciding::<OwnAllowed>,
        },
        Broken {
            id: "listed-is-enough",
            rule: "spawn.agent-allowed",
            report: Some("SV-016"),
            summary: "An agent that was deleted is asked as long as a list names it.",
            build: deciding::<ListedIsEnough>,
        },
        Broken {
            id: "own-agent-has-to-be-listed",
            rule: "spawn.agent-allowed",
            report: None,
            summary: "Where nothing is listed, not even the requester's own agent may be named.",
            build: deciding::<OwnListed>,
        },
    ]
}

#[derive(Default)]
struct AnyText;

impl Decisions for AnyText {
    fn is_agent_id(&self, _text: &str) -> bool {
        true
    }

    fn is_configured(&self, _known: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct OwnAllowed;

impl Decisions for OwnAllowed {
    fn may_name(&self, naming: &Nominee) -> bool {
        naming.own || naming.listed.unwrap_or(false)
    }
}

#[derive(Default)]
struct ListedIsEnough;

impl Decisions for ListedIsEnough {
    fn is_configured(&self, _known: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct OwnListed;

impl Decisions for OwnListed {
    fn may_name(&self, naming: &Nominee) -> bool {
        naming.listed.unwrap_or(false)
    }
}
