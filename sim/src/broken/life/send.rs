//! Wrong about texts between sessions.

use moorline_spec::id::SessionKey;
use moorline_spec::profile::Visibility;

use super::super::{Broken, deciding};
use crate::reference::{Cause, Decisions, Exchange, Naming, Reach, Right, Unseen};

pub(super) fn gateways() -> Vec<Broken> {
    let mut all = addressing();
    all.extend(conversing());
    all
}

/// To whom a text goes.
fn addressing() -> Vec<Broken> {
    vec![
        Broken {
            id: "labels-before-agents",
            rule: "send.exact-target",
            report: Some("SS-001"),
            summary: "A label beside the id of an agent is looked up first, and where it names \
                      nothing the text is refused.",
            build: deciding::<LabelsFirst>,
        },
        Broken {
            id: "only-what-has-run-is-found",
            rule: "send.exact-target",
            report: Some("SS-003"),
            summary: "An agent that has not run yet cannot be sent to.",
            build: deciding::<OnlyWhatHasRun>,
        },
        Broken {
            id: "current-is-unknown",
            rule: "send.exact-target",
            report: Some("SS-004"),
            summary: "The alias `current` is taken for the name of a session.",
            build: deciding::<CurrentUnknown>,
        },
        Broken {
            id: "a-key-and-a-label-at-once",
            rule: "send.exact-target",
            report: None,
            summary: "Where both a key and a label are given, one of them is passed over.",
            build: deciding::<BothAtOnce>,
        },
        Broken {
            id: "unknown-keys-come-to-be",
            rule: "send.no-minting",
            report: None,
            summary: "A text to a key with a typing error opens a session of that key.",
            build: deciding::<UnknownKeys>,
        },
        Broken {
            id: "everybody-is-reached",
            rule: "send.visibility",
            report: Some("SS-014"),
            summary: "Whom a session may send to is not looked at: a leaf reaches runs that are not \
                      its own.",
            build: deciding::<EverybodyReached>,
        },
        Broken {
            id: "own-children-of-other-agents-are-strangers",
            rule: "send.visibility",
            report: None,
            summary: "Agents are compared before the tree is, so that a child of another agent is \
                      out of its parent's reach.",
            build: deciding::<OwnChildrenStrangers>,
        },
    ]
}

/// What becomes of it.
fn conversing() -> Vec<Broken> {
    vec![
        Broken {
            id: "late-replies-are-forgotten",
            rule: "send.late-reply-kept",
            report: Some("SS-010"),
            summary: "What becomes of a text after its send was answered is told to nobody.",
            build: deciding::<LateForgotten>,
        },
        Broken {
            id: "silence-goes-on",
            rule: "send.bounded",
            report: Some("SS-006"),
            summary: "An exchange goes on although one side has nothing to say.",
            build: deciding::<SilenceGoesOn>,
        },
        Broken {
            id: "replies-bounce",
            rule: "send.bounded",
            report: Some("SS-017"),
            summary: "What is said to a delivered reply is sent back as another text, and so on.",
            build: deciding::<RepliesBounce>,
        },
        Broken {
            id: "parent-and-child-echo",
            rule: "send.bounded",
            report: Some("SS-011"),
            summary: "A parent and its own child have rounds like strangers.",
            build: deciding::<ParentAndChildEcho>,
        },
        Broken {
            id: "rounds-into-a-job",
            rule: "send.bounded",
            report: Some("SS-007"),
            summary: "The session of a single job of the clockwork is drawn into rounds.",
            build: deciding::<RoundsIntoJob>,
        },
        Broken {
            id: "sends-to-itself",
            rule: "send.bounded",
            report: None,
            summary: "A session may send to itself, and waits for its own end.",
            build: deciding::<SendsToItself>,
        },
        Broken {
            id: "texts-pass-the-queue",
            rule: "ingress.fifo",
            report: Some("SS-016"),
            summary: "A text from another session starts a second run beside the one that goes on.",
            build: deciding::<PassTheQueue>,
        },
    ]
}

#[derive(Default)]
struct LabelsFirst;

impl Decisions for LabelsFirst {
    fn names(&self, naming: &Naming) -> Result<(), &'static str> {
        if naming.agent && naming.label {
            return Err("No session found with that label.");
        }
        Right.names(naming)
    }
}

#[derive(Default)]
struct OnlyWhatHasRun;

impl Decisions for OnlyWhatHasRun {
    fn may_mint(&self, dial: bool, _is_main: bool) -> bool {
        dial
    }
}

#[derive(Default)]
struct CurrentUnknown;

impl Decisions for CurrentUnknown {
    fn current(&self, _caller: Option<&SessionKey>) -> Option<SessionKey> {
        None
    }
}

#[derive(Default)]
struct BothAtOnce;

impl Decisions for BothAtOnce {
    fn names(&self, _naming: &Naming) -> Result<(), &'static str> {
        Ok(())
    }
}

#[derive(Default)]
struct UnknownKeys;

impl Decisions for UnknownKeys {
    fn may_mint(&self, _dial: bool, _is_main: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct EverybodyReached;

impl Decisions for EverybodyReached {
    fn reaches(&self, _reach: &Reach) -> Result<(), Unseen> {
        Ok(())
    }
}

#[derive(Default)]
struct OwnChildrenStrangers;

impl Decisions for OwnChildrenStrangers {
    fn reaches(&self, reach: &Reach) -> Result<(), Unseen> {
        let apart = !reach.same_agent && reach.visibility != Visibility::All;
        if apart && !reach.own {
            return Err(Unseen::OtherAgent);
        }
        Right.reaches(reach)
    }
}

#[derive(Default)]
struct LateForgotten;

impl Decisions for LateForgotten {
    fn keeps_late_replies(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct SilenceGoesOn;

impl Decisions for SilenceGoesOn {
    fn exchange_goes_on(&self, exchange: &Exchange) -> bool {
        let silent = false;
        Right.exchange_goes_on(&Exchange {
            silent,
            ..*exchange
        })
    }
}

#[derive(Default)]
struct RepliesBounce;

impl Decisions for RepliesBounce {
    fn exchange_goes_on(&self, exchange: &Exchange) -> bool {
        let most = exchange.most + 4;
        Right.exchange_goes_on(&Exchange { most, ..*exchange })
    }
}

#[derive(Default)]
struct ParentAndChildEcho;

impl Decisions for ParentAndChildEcho {
    fn exchange_goes_on(&self, exchange: &Exchange) -> bool {
        let own_child = false;
        Right.exchange_goes_on(&Exchange {
            own_child,
            ..*exchange
        })
    }
}

#[derive(Default)]
struct RoundsIntoJob;

impl Decisions for RoundsIntoJob {
    fn exchange_goes_on(&self, exchange: &Exchange) -> bool {
        let passing = false;
        Right.exchange_goes_on(&Exchange {
            passing,
            ..*exchange
        })
    }
}

#[derive(Default)]
struct SendsToItself;

impl Decisions for SendsToItself {
    fn may_send_to_itself(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct PassTheQueue;

impl Decisions for PassTheQueue {
    fn waits_its_turn(&self, cause: Cause) -> bool {
        cause != Cause::Session
    }
}
