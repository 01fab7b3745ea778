//! Conversations that go by another id than before.

use super::{Facts, Owner};
use crate::address::Address;
use crate::id::SessionKey;
use crate::profile::MovedConversation;
use crate::stimulus::ConversationMoved;

/// A conversation that goes by another id.
#[derive(Clone, Debug)]
pub struct MovedFacts {
    /// By which it went first.
    pub from: Address,
    /// The entry in which the gateway was told.
    pub told: usize,
    /// The session that it was certainly bound to.
    pub bound: Option<SessionKey>,
    /// The session that took its messages last; `None` where nobody outside can tell, or none did.
    pub home: Option<SessionKey>,
}

impl Facts {
    /// What is known of a conversation that goes by this id since.
    pub fn moved_to(&self, at: &Address) -> Option<&MovedFacts> {
        if self.moved.is_empty() {
            return None;
        }
        self.moved.get(&at.without_thread())
    }

    /// Whether two addresses are one conversation under two ids.
    pub fn is_one_conversation(&self, one: &Address, other: &Address) -> bool {
        let first = |at: &Address| self.moved_to(at).map(|moved| moved.from.clone());
        let (of_one, of_other) = (first(one), first(other));
        (of_one.is_some() || of_other.is_some())
            && of_one.unwrap_or_else(|| one.without_thread())
                == of_other.unwrap_or_else(|| other.without_thread())
    }

    /// A conversation goes by another id.
    pub(super) fn on_moved(&mut self, moved: &ConversationMoved) {
        let ConversationMoved { from, to } = moved;
        let bound = match self.owner_now(from) {
            Some((Owner::Bound(key), _)) => Some(key.clone()),
            Some((Owner::Own, _)) | None => None,
        };
        let sure = bound.is_none() && !self.is_focused_somehow(from);
        let home = self.home.get(from).filter(|_| sure).cloned();
        if let Some(place) = self.places.get(from).copied() {
            self.places.entry(to.clone()).or_insert(place);
        }
        let first = self.moved_to(from).map(|before| before.from.clone());
        let facts = MovedFacts {
            from: first.unwrap_or_else(|| from.clone()),
            told: self.index,
            bound,
            home,
        };
        self.moved.insert(to.clone(), facts);
        if self.dials.moved_conversation == MovedConversation::Follows {
            self.rename_bindings(from, to);
            if let Some(home) = self.home.get(from).cloned() {
                self.home.insert(to.clone(), home);
            }
        }
    }

    /// Whatever is bound there is bound under the new id.
    fn rename_bindings(&mut self, from: &Address, to: &Address) {
        for binding in &mut self.bindings {
            if binding.ended.is_none() && binding.address == *from {
                binding.address = to.clone();
            }
        }
        self.number_bindings();
        if let Some(said) = self.said_bound.remove(from) {
            self.said_bound.insert(to.clone(), said);
        }
    }
}
