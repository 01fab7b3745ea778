//! Wrong about who is told of the end of a child, and about what of it.

use moorline_spec::address::Address;
use moorline_spec::id::{ChannelId, SessionKey, Text};
use moorline_spec::profile::{NoReply, ResetRequester};
use moorline_spec::stimulus::Outcome;

use super::{Broken, deciding, relaying};
use crate::reference::{
    Asker, Audience, Decisions, Handing, Next, Output, RelayDecisions, Right, Told, Unplaced,
};

pub(super) fn gateways() -> Vec<Broken> {
    let lists = [who(), places(), what(), whether()];
    lists.into_iter().flatten().collect()
}

/// About who is told.
fn who() -> Vec<Broken> {
    vec![
        Broken {
            id: "idle-parent-is-passed-over",
            rule: "relay.requester",
            report: None,
            summary: "The end of a child is told to the session above its parent, where that has no \
                      run at the moment.",
            build: relaying::<IdleIsPassedOver>,
        },
        Broken {
            id: "tells-whoever-is-active",
            rule: "relay.requester",
            report: Some("CL-055"),
            summary: "The end of a child is told to the session in which a person wrote last (H-7).",
            build: relaying::<TellsActive>,
        },
        Broken {
            id: "told-under-another-key",
            rule: "relay.requester",
            report: Some("CL-025"),
            summary: "The end of a child is told under a key that nobody's messages reach.",
            build: relaying::<AnotherKey>,
        },
        Broken {
            id: "posts-straight-to-the-conversation",
            rule: "relay.audience",
            report: Some("CL-045"),
            summary: "What a child ends with is posted in the conversation, and its parent never \
                      hears of it (H-5).",
            build: relaying::<PostsStraight>,
        },
        Broken {
            id: "child-and-parent-both-speak",
            rule: "relay.audience",
            report: Some("DD-005"),
            summary: "What a child ends with is posted in the conversation, and its parent is told \
                      and speaks there too (H-9).",
            build: relaying::<BothSpeak>,
        },
        Broken {
            id: "tells-whom-nobody-asked-to-tell",
            rule: "relay.audience",
            report: None,
            summary: "A parent that wants to hear nothing hears it all the same.",
            build: relaying::<TellsAnyway>,
        },
    ]
}

/// About where they are told.
fn places() -> Vec<Broken> {
    vec![
        Broken {
            id: "guesses-an-address",
            rule: "isolation.fail-closed",
            report: Some("MD-032"),
            summary: "A completion without an address goes to some conversation that is known.",
            build: deciding::<GuessesAddress>,
        },
        Broken {
            id: "children-speak-inline",
            rule: "relay.audience",
            report: None,
            summary: "Whatever a child says goes to the conversation that its parent was asked from (H-12).",
            build: deciding::<SpeakInline>,
        },
    ]
}

/// About what is told.
fn what() -> Vec<Broken> {
    vec![
        Broken {
            id: "speaks-the-token",
            rule: "relay.silent-tokens",
            report: Some("MD-049"),
            summary: "Silent tokens are words like any other.",
            build: relaying::<SpeaksTokens>,
        },
        Broken {
            id: "announce-skip-is-told",
            rule: "relay.silent-tokens",
            report: None,
            summary: "A child that asks that nobody be told is told of as one without output.",
            build: relaying::<SkipIsTold>,
        },
        Broken {
            id: "no-reply-swallows-the-completion",
            rule: "relay.silent-tokens",
            report: None,
            summary: "A child that says NO_REPLY is told of to nobody, also where it is owed.",
            build: deciding::<NoReplySwallows>,
        },
        Broken {
            id: "enters-the-new-incarnation",
            rule: "relay.reset-requester",
            report: Some("SI-014"),
            summary: "What was asked for before a reset is told to whoever has the key since (H-8).",
            build: deciding::<EntersNew>,
        },
        Broken {
            id: "reset-loses-the-completion",
            rule: "relay.reset-requester",
            report: None,
            summary: "What was asked for before a reset is told to nobody after it.",
            build: deciding::<ResetLoses>,
        },
        Broken {
            id: "progress-is-lost-on-the-busy",
            rule: "relay.progress",
            report: None,
            summary: "Progress is told only to a parent that is at nothing else.",
            build: relaying::<ProgressToIdle>,
        },
        Broken {
            id: "steered-and-queued",
            rule: "relay.busy-requester",
            report: Some("DD-002"),
            summary: "A completion that was read in the middle of a run has a turn of its own too.",
            build: relaying::<SteeredAndQueued>,
        },
    ]
}

/// About whether anybody is.
fn whether() -> Vec<Broken> {
    vec![
        Broken {
            id: "done-is-only-shown",
            rule: "relay.liveness",
            report: Some("CL-009"),
            summary: "The end of a child can be looked up, and nobody is told.",
            build: relaying::<OnlyShown>,
        },
        Broken {
            id: "origin-is-forgotten",
            rule: "relay.liveness",
            report: Some("CL-019"),
            summary: "Of where a run was asked for too little is kept to send anything there.",
            build: deciding::<OriginForgotten>,
        },
        Broken {
            id: "answers-to-news-stay-inside",
            rule: "relay.liveness",
            report: Some("CL-017"),
            summary: "What a parent says to the end of a child is in its transcript, and is not \
                      posted.",
            build: deciding::<StaysInside>,
        },
        Broken {
            id: "only-channels-of-the-house",
            rule: "relay.liveness",
            report: Some("CL-049"),
            summary: "Completions go to channels that the gateway came with.",
            build: deciding::<HouseChannels>,
        },
        Broken {
            id: "steered-counts-as-delivered",
            rule: "relay.still-owed",
            report: None,
            summary: "A completion is settled when a run has read it, whatever becomes of that run.",
            build: deciding::<SteeredCounts>,
        },
        Broken {
            id: "a-turn-at-work-counts-as-delivered",
            rule: "relay.still-owed",
            report: None,
            summary: "A completion is settled when a turn for it was asked for.",
            build: deciding::<StartedCounts>,
        },
        Broken {
            id: "speaks-after-itself",
            rule: "relay.once",
            report: Some("DD-016"),
            summary: "A child that spoke in the conversation is told of there once more.",
            build: relaying::<SpeaksAfterItself>,
        },
        Broken {
            id: "pieces-begin-anew",
            rule: "relay.once",
            report: Some("DD-013"),
            summary: "After a restart a text in pieces is posted from its first piece on.",
            build: relaying::<PiecesAnew>,
        },
    ]
}

#[derive(Default)]
struct IdleIsPassedOver;

impl RelayDecisions for IdleIsPassedOver {
    fn told(&self, told: &Told<'_>) -> SessionKey {
        let above = told.above.filter(|_| !told.busy);
        above.unwrap_or(told.requester).clone()
    }
}

#[derive(Default)]
struct TellsActive;

impl RelayDecisions for TellsActive {
    fn told(&self, told: &Told<'_>) -> SessionKey {
        (told.active)().unwrap_or_else(|| told.requester.clone())
    }
}

#[derive(Default)]
struct AnotherKey;

impl RelayDecisions for AnotherKey {
    fn told(&self, told: &Told<'_>) -> SessionKey {
        SessionKey::from(format!("{}:news", told.requester))
    }
}

#[derive(Default)]
struct PostsStraight;

impl RelayDecisions for PostsStraight {
    fn audience(&self, asked: Audience) -> Audience {
        match asked {
            Audience::Parent | Audience::Both => Audience::Origin,
            Audience::Origin | Audience::Nobody => asked,
        }
    }
}

#[derive(Default)]
struct BothSpeak;

impl RelayDecisions for BothSpeak {
    fn posts_too(&self, asked: Audience) -> bool {
        asked != Audience::Nobody
    }
}

#[derive(Default)]
struct TellsAnyway;

impl RelayDecisions for TellsAnyway {
    fn audience(&self, _: Audience) -> Audience {
        Audience::Parent
    }
}

#[derive(Default)]
struct AnyAddress;

impl RelayDecisions for AnyAddress {
    fn unplaced(&self, unplaced: &Unplaced<'_>) -> Option<Address> {
        unplaced.last_route.or(unplaced.anywhere).cloned()
    }
}

#[derive(Default)]
struct GuessesAddress;

impl Decisions for GuessesAddress {
    fn of_relays(&self) -> &dyn RelayDecisions {
        &AnyAddress
    }
}

#[derive(Default)]
struct SpeakInline;

impl Decisions for SpeakInline {
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        Right.output_to(output).or_else(|| output.origin.cloned())
    }
}

#[derive(Default)]
struct SpeaksTokens;

impl RelayDecisions for SpeaksTokens {
    fn spoken(&self, text: &Text) -> Text {
        text.clone()
    }

    fn is_silent(&self, text: &str) -> bool {
        text.trim().is_empty()
    }
}

#[derive(Default)]
struct SkipIsTold;

impl RelayDecisions for SkipIsTold {
    fn skips(&self, _: &str) -> bool {
        false
    }
}

#[derive(Default)]
struct NoReplySwallows;

impl Decisions for NoReplySwallows {
    fn tells_of_silence(&self, _: NoReply) -> bool {
        false
    }
}

#[derive(Default)]
struct MeansItStill;

impl RelayDecisions for MeansItStill {
    fn still_meant(&self, _: bool) -> bool {
        true
    }
}

#[derive(Default)]
struct EntersNew;

impl Decisions for EntersNew {
    fn after_reset(&self, _: ResetRequester) -> Next {
        Next::Turn
    }

    fn of_relays(&self) -> &dyn RelayDecisions {
        &MeansItStill
    }
}

#[derive(Default)]
struct ResetLoses;

impl Decisions for ResetLoses {
    fn after_reset(&self, _: ResetRequester) -> Next {
        Next::Forget
    }
}

#[derive(Default)]
struct ProgressToIdle;

impl RelayDecisions for ProgressToIdle {
    fn streams(&self, busy: bool) -> bool {
        !busy
    }
}

#[derive(Default)]
struct SteeredAndQueued;

impl RelayDecisions for SteeredAndQueued {
    fn tells_beside_steering(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct OnlyShown;

impl RelayDecisions for OnlyShown {
    fn audience(&self, _: Audience) -> Audience {
        Audience::Nobody
    }
}

#[derive(Default)]
struct OriginForgotten;

impl Decisions for OriginForgotten {
    fn relay_target(&self, _: &Asker<'_>) -> Option<Address> {
        None
    }
}

#[derive(Default)]
struct StaysInside;

impl Decisions for StaysInside {
    fn output_to(&self, output: &Output<'_>) -> Option<Address> {
        Right.output_to(output).filter(|_| !output.tells)
    }
}

/// Channels that the gateway came with, by name: never a way to tell.
const HOUSE: [&str; 4] = ["telegram", "discord", "slack", "webchat"];

#[derive(Default)]
struct HouseChannels;

impl Decisions for HouseChannels {
    fn relay_target(&self, asker: &Asker<'_>) -> Option<Address> {
        let of_house = |channel: &ChannelId| HOUSE.contains(&channel.as_str());
        let target = Right.relay_target(asker);
        target.filter(|at| of_house(&at.channel))
    }
}

#[derive(Default)]
struct SteeredCounts;

impl Decisions for SteeredCounts {
    fn is_told(&self, handing: Handing) -> bool {
        handing == Handing::SteerTaken || Right.is_told(handing)
    }
}

#[derive(Default)]
struct StartedCounts;

impl Decisions for StartedCounts {
    fn is_told(&self, handing: Handing) -> bool {
        let ok = handing == Handing::Ended(Outcome::Ok);
        handing == Handing::Starting || ok
    }
}

#[derive(Default)]
struct SpeaksAfterItself;

impl RelayDecisions for SpeaksAfterItself {
    fn knows_what_was_said(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct PiecesAnew;

impl RelayDecisions for PiecesAnew {
    fn resumes_pieces(&self) -> bool {
        false
    }
}
