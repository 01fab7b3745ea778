//! Conversations that go by another id than before.

use std::borrow::Cow;

use moorline_spec::address::Address;
use moorline_spec::effect::{Effect, Report};
use moorline_spec::profile::MovedConversation;
use moorline_spec::stimulus::ConversationMoved;

use super::Reference;
use super::journal::Dirty;
use super::of_bindings::Belongs;

impl Reference {
    /// A conversation goes by another id. Its session is found by the first one; its binding is put
    /// under the new one, and is as old as it was.
    pub(super) fn on_conversation_moved(&mut self, moved: &ConversationMoved) {
        let ConversationMoved { from, to } = moved;
        let dial = self.dials.moved_conversation;
        if self.moves(Belongs::Session, dial) {
            let first = self.first_id(from).into_owned();
            self.state.moved.insert(to.clone(), first);
            self.dirty(Dirty::Moved(to.clone()));
        }
        if self.moves(Belongs::Binding, dial)
            && let Some(number) = self.number_at(from)
            && self.number_at(to).is_none()
        {
            self.rename_bound_place(number, to);
        }
    }

    fn moves(&self, what: Belongs, dial: MovedConversation) -> bool {
        let by = self.decisions.of_bindings();
        by.moves(what, dial) == MovedConversation::Follows
    }

    fn rename_bound_place(&mut self, number: u64, to: &Address) {
        let Some(mut binding) = self.state.remove_binding(number) else {
            return;
        };
        binding.address = to.clone();
        (binding.place, binding.due) = (None, None);
        let session_key = binding.key.clone();
        self.state.insert_binding(binding);
        self.schedule(number);
        self.dirty(Dirty::Binding(number));
        self.out.push(Effect::Report(Report::Bound {
            address: to.clone(),
            session_key,
        }));
    }

    /// The address by whose id a conversation went first.
    pub(super) fn first_id<'a>(&self, at: &'a Address) -> Cow<'a, Address> {
        if self.state.moved.is_empty() {
            return Cow::Borrowed(at);
        }
        match self.state.moved.get(&at.without_thread()) {
            Some(first) => Cow::Owned(match &at.thread {
                Some(thread) => first.with_thread(thread.clone()),
                None => first.clone(),
            }),
            None => Cow::Borrowed(at),
        }
    }
}
