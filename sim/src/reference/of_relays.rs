//! What a bug can get wrong about who is told of what, each as one small question with the right
//! answer as its default.

use moorline_spec::id::{SessionKey, Text};
use moorline_spec::silence;

use super::questions::Audience;

/// A requester that is to be told, and who else there is.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// The session that asked.
    pub requester: &'a SessionKey,
    /// The session that asked for that one, where one did.
    pub above: Option<&'a SessionKey>,
    /// The session in which a person wrote last.
    pub active: &'a dyn Fn() -> Option<SessionKey>,
    /// Whether the requester is in the middle of a run.
    pub busy: bool,
}

/// Where a run answers, and other places that are known.
#[derive(Clone, Copy, Debug)]
pub struct Unplaced<'a> {
    /// Where the requester last spoke with a person.
    pub last_route: Option<&'a moorline_spec::address::Address>,
    /// A place where anybody spoke last.
    pub anywhere: Option<&'a moorline_spec::address::Address>,
}

/// The decisions about relays; the defaults are right.
pub trait RelayDecisions {
    /// What of a text is said to others: all but the tokens of silence at its edges.
    fn spoken(&self, text: &Text) -> Text {
        silence::spoken(text).map_or_else(|| text.clone(), Text::from)
    }

    /// Whether nobody is to hear of a child that ended with this text.
    fn skips(&self, text: &str) -> bool {
        silence::skips(text)
    }

    /// Whether a text says nothing.
    fn is_silent(&self, text: &str) -> bool {
        silence::is_silent(text)
    }

    /// Who is told: as was asked for.
    fn audience(&self, asked: Audience) -> Audience {
        asked
    }

    /// Whether a child's own words go to the conversation beside the turn of its parent: never
    /// right, since that turn speaks of them.
    fn posts_too(&self, asked: Audience) -> bool {
        let _ = asked;
        false
    }

    /// Which session is told: the one that asked.
    fn told(&self, told: &Told<'_>) -> SessionKey {
        told.requester.clone()
    }

    /// Whether a requester that read a completion in the middle of a run has a turn for it too: never
    /// right.
    fn tells_beside_steering(&self) -> bool {
        false
    }

    /// Whether a child that spoke in the conversation itself is told of there no more.
    fn knows_what_was_said(&self) -> bool {
        true
    }

    /// Whether a text in pieces goes on after a restart where it was.
    fn resumes_pieces(&self) -> bool {
        true
    }

    /// Whether what a child says on its way is told to whoever asked for it.
    fn streams(&self, busy: bool) -> bool {
        let _ = busy;
        true
    }

    /// Whether a turn that waited is meant for what its session is by now.
    fn still_meant(&self, same_incarnation: bool) -> bool {
        same_incarnation
    }

    /// Where a completion goes that has no origin: nowhere.
    fn unplaced(&self, unplaced: &Unplaced<'_>) -> Option<moorline_spec::address::Address> {
        let _ = unplaced;
        None
    }

    /// Whether what was given up is kept, to be tried again by hand.
    fn keeps_given_up(&self) -> bool {
        true
    }

    /// Whether failures are listed.
    fn lists_failures(&self) -> bool {
        true
    }

    /// Whether what was dismissed is forgotten.
    fn forgets_dismissed(&self) -> bool {
        true
    }

    /// Whether a session may have a say about what another one was told.
    fn may_take_up(&self, own: bool) -> bool {
        own
    }

    /// Whether a conversation may be bound to a session: to one that was spawned, or its own.
    fn may_focus(&self, spawned: bool, own: bool) -> bool {
        spawned || own
    }

    /// Whether a session may take up what another one remembers: what it asked for itself.
    fn may_resume(&self, own: bool) -> bool {
        own
    }
}

/// The right answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct RightRelays;

impl RelayDecisions for RightRelays {}
