//! `/focus`: a person binds a conversation to a session that is there already.

use super::bound::Those;
use super::{Circumstances, Facts};
use crate::address::{Address, Place};
use crate::channel::Placement;
use crate::id::{PersonId, RequestId, SessionKey};
use crate::stimulus::Inbound;
use crate::time::Time;

/// A `/focus` in a conversation where it needs a thread, which was not opened yet.
#[derive(Clone, Debug)]
pub(super) struct Focusing {
    parent: Address,
    key: SessionKey,
    by: PersonId,
    said: Time,
    request: Option<RequestId>,
}

/// What the target of a `/focus` is.
enum Target {
    /// Certainly this session.
    Session(SessionKey),
    /// Nobody outside can tell.
    Unsure,
    /// Certainly none.
    Nothing,
}

impl Facts {
    /// Whether conversations can be bound at an address.
    pub fn can_bind(&self, at: &Address, kind: Place) -> bool {
        let threads = self
            .channel(at)
            .map(|channel| channel.capabilities.threads)
            .unwrap_or_default();
        let placed = threads.placement != Placement::None;
        placed && (kind != Place::Direct || threads.in_direct) && self.config.bindings_enabled(at)
    }

    /// The session that a text names: its key, or the one label it was given.
    fn focus_target(&self, name: &str) -> Target {
        if self.may_be_label(name) {
            return Target::Unsure;
        }
        let mut labelled = self.calls.values().filter(|call| {
            call.method == "sessions_spawn"
                && call.is_accepted()
                && call.text("label") == Some(name)
        });
        let first = labelled.next();
        let known = |key: &SessionKey| {
            let session = self.sessions.get(key);
            session.is_some_and(|session| !session.deleted && session.started_at.is_some())
        };
        match first {
            Some(call) => {
                let key = call.answer.as_ref();
                let key = key.and_then(|answer| answer.get("childSessionKey"));
                let key = key.and_then(|key| key.as_str()).map(SessionKey::from);
                match key.filter(|key| known(key) && labelled.next().is_none()) {
                    Some(key) => Target::Session(key),
                    None => Target::Unsure,
                }
            }
            None => {
                let key = SessionKey::from(name);
                match self.sessions.get(&key) {
                    // Whether it belongs to another conversation is the gateway's to say.
                    Some(session) if session.uncertain || !session.is_child => Target::Unsure,
                    Some(_) if known(&key) => Target::Session(key),
                    Some(_) => Target::Unsure,
                    // A key may be spelt in more than one way, and a session have more than one name.
                    None if name.contains(':') => Target::Unsure,
                    None => Target::Nothing,
                }
            }
        }
    }

    /// Somebody who may do so says `/focus`.
    pub(super) fn on_focus(&mut self, inbound: &Inbound, target: &str) {
        let at = &inbound.at;
        if !self.can_bind(at, inbound.kind) {
            return;
        }
        let key = match self.focus_target(target) {
            Target::Session(key) => key,
            Target::Nothing => return,
            Target::Unsure => {
                let reason = crate::effect::UnboundBecause::Replaced;
                self.focused_somehow.push(at.clone());
                return self.give_cause(Those::At(at), reason);
            }
        };
        let opens = self
            .channel(at)
            .is_some_and(|channel| channel.capabilities.threads.placement == Placement::Child);
        if opens && at.thread.is_none() {
            self.focusing.push(Focusing {
                parent: at.clone(),
                key,
                by: inbound.from.clone(),
                said: self.now,
                request: None,
            });
            return;
        }
        self.focus(at.clone(), key, inbound.from.clone());
    }

    fn focus(&mut self, at: Address, key: SessionKey, by: PersonId) {
        let unsure = self.binding_at(&at).is_some_and(|(_, old)| old.unsure);
        let around = Circumstances {
            by: Some(by),
            focused: true,
            ..self.replace_at(&at)
        };
        self.note_bound(at, key, None, (self.now, self.now), unsure, around);
    }

    /// A thread is asked for; whether that is for a `/focus`.
    pub(super) fn focus_opens(&mut self, open: &crate::effect::OpenThread) -> bool {
        let mut waiting = self.focusing.iter_mut();
        let parent = open.parent.without_thread();
        let found = waiting.find(|focusing| {
            let same = focusing.parent == parent && focusing.key == open.session_key;
            focusing.request.is_none() && same
        });
        found.is_some_and(|focusing| {
            focusing.request = Some(open.request.clone());
            true
        })
    }

    /// A thread was opened or not; whether that was for a `/focus`.
    pub(super) fn focus_opened(&mut self, request: &RequestId, at: Option<&Address>) -> bool {
        let mut waiting = self.focusing.iter();
        let of = waiting.position(|focusing| focusing.request.as_ref() == Some(request));
        let Some(focusing) = of.map(|of| self.focusing.remove(of)) else {
            return false;
        };
        let gone = self
            .sessions
            .get(&focusing.key)
            .is_none_or(|session| session.deleted);
        if let Some(at) = at.filter(|_| !gone) {
            self.focus(at.clone(), focusing.key, focusing.by);
        }
        true
    }

    /// Where somebody said `/focus`, to which session, and when, and no thread was asked for since.
    pub fn unopened_focus(&self) -> Option<(&Address, &SessionKey, Time)> {
        let mut waiting = self.focusing.iter();
        let idle = waiting.find(|focusing| focusing.request.is_none())?;
        Some((&idle.parent, &idle.key, idle.said))
    }

    pub(super) fn forget_focusing(&mut self) {
        self.focusing.clear();
    }
}
