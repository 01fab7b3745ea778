//! Bindings by what they are looked up by: the conversation, and the session.

use super::{BindingFacts, BindingId, Facts};
use crate::address::Address;
use crate::effect::UnboundBecause;
use crate::id::SessionKey;

/// Which bindings are meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Those<'a> {
    /// Those that a conversation has, or had.
    At(&'a Address),
    /// Those of a session.
    Of(&'a SessionKey),
}

impl Those<'_> {
    fn has(self, binding: &BindingFacts) -> bool {
        match self {
            Self::At(at) => binding.address == *at,
            Self::Of(key) => binding.key == *key,
        }
    }
}

impl Facts {
    /// Bindings of the same conversation and thread, by the order they were made in; of some other
    /// account or channel, and those that are over, too.
    pub(super) fn same_ids(&self, at: &Address) -> &[BindingId] {
        if self.bindings.is_empty() {
            return &[];
        }
        let ids = (at.conversation.clone(), at.thread.clone());
        self.by_ids.get(&ids).map_or(&[], Vec::as_slice)
    }

    /// Numbers among which those are that are meant, by the order they were made in.
    pub(super) fn numbers_of(&self, those: Those<'_>) -> &[BindingId] {
        match those {
            Those::At(at) => self.same_ids(at),
            Those::Of(_) if self.bindings.is_empty() => &[],
            Those::Of(key) => self.by_key.get(key).map_or(&[], Vec::as_slice),
        }
    }

    /// Those of them that are not known to be over.
    pub(super) fn live_among(&self, those: Those<'_>) -> Vec<BindingId> {
        let live = |id: &&BindingId| {
            let binding = &self.bindings[**id];
            binding.ended.is_none() && those.has(binding)
        };
        self.numbers_of(those)
            .iter()
            .filter(live)
            .copied()
            .collect()
    }

    pub(super) fn note_names(&mut self, at: &Address, key: &SessionKey, id: BindingId) {
        let ids = (at.conversation.clone(), at.thread.clone());
        self.by_ids.entry(ids).or_default().push(id);
        self.by_key.entry(key.clone()).or_default().push(id);
    }

    /// Numbers them anew, after some were forgotten.
    pub(super) fn number_bindings(&mut self) {
        self.by_ids.clear();
        self.by_key.clear();
        for id in 0..self.bindings.len() {
            let (at, key) = (
                self.bindings[id].address.clone(),
                self.bindings[id].key.clone(),
            );
            self.note_names(&at, &key, id);
        }
    }

    /// The address a session is bound to, as far as can be seen.
    pub fn bound_to(&self, key: &SessionKey) -> Option<&Address> {
        self.last_of(key, |binding| self.may_hold(binding))
    }

    /// The address a session is certainly bound to.
    pub fn surely_bound_to(&self, key: &SessionKey) -> Option<&Address> {
        let now = self.now;
        self.last_of(key, |binding| {
            binding.ended.is_none() && binding.would_end_early(now)
        })
    }

    fn last_of(&self, key: &SessionKey, holds: impl Fn(&BindingFacts) -> bool) -> Option<&Address> {
        let all = self.numbers_of(Those::Of(key)).iter().rev();
        let mut all = all.map(|&id| &self.bindings[id]);
        all.find(|binding| holds(binding))
            .map(|binding| &binding.address)
    }

    /// Whether a session is or was bound to an address.
    pub fn was_bound(&self, key: &SessionKey, at: &Address) -> bool {
        let mut all = self.numbers_of(Those::Of(key)).iter();
        all.any(|&id| self.bindings[id].address == *at)
    }

    /// The live binding of an address, as far as can be seen.
    pub fn binding_at(&self, at: &Address) -> Option<(BindingId, &BindingFacts)> {
        let (id, binding) = self.last_binding_at(at)?;
        self.may_hold(binding).then_some((id, binding))
    }

    pub(super) fn last_binding_at(&self, at: &Address) -> Option<(BindingId, &BindingFacts)> {
        let all = self.same_ids(at).iter().rev();
        let mut all = all.map(|&id| (id, &self.bindings[id]));
        all.find(|(_, binding)| binding.address == *at)
    }

    /// Whether a binding is not over for certain.
    fn may_hold(&self, binding: &BindingFacts) -> bool {
        let over = || {
            let due = binding.latest_lapse().filter(|_| !binding.unsure);
            due.is_some_and(|due| self.takes_effect(due, self.now))
        };
        binding.ended.is_none() && !over()
    }

    pub(super) fn end_bindings(&mut self, those: Those<'_>, reason: UnboundBecause) {
        for id in self.live_among(those) {
            self.bindings[id].ended = Some((self.now, Some(reason)));
        }
    }

    /// From now on there is a reason other than limits for the end of some bindings.
    pub(super) fn give_cause(&mut self, those: Those<'_>, reason: UnboundBecause) {
        for id in self.live_among(those) {
            let binding = &mut self.bindings[id];
            binding.cause.get_or_insert((self.now, reason));
            let at = binding.address.clone();
            self.note_twins(&at);
        }
    }
}
