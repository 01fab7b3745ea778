//! What people ask of bindings by command, and the gateway's own words that answer them.

use super::{BindingFacts, Facts, RunState};
use crate::address::{Address, Place};
use crate::effect::Deliver;
use crate::id::{Marker, PersonId, Text};
use crate::stimulus::{Author, Inbound};
use crate::time::Time;

/// A command to which somebody waits for an answer.
#[derive(Clone, Debug)]
pub struct Question {
    /// Where it was said.
    pub at: Address,
    /// Who said it.
    pub from: PersonId,
    /// The entry it arrived in, and when.
    pub asked: (usize, Time),
    /// What is asked.
    pub what: Ask,
    /// The binding of that place, where it certainly held.
    pub binding: Option<Box<BindingFacts>>,
    /// Whether that binding is known to be somebody else's.
    pub is_foreign: bool,
    /// Whether the last run that the bound session was to have never started.
    pub is_broken: bool,
    /// Whether conversations can be bound there.
    pub possible: bool,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `/session idle`: how long?
    Idle,
    /// `/session max-age`: how long?
    MaxAge,
    /// `/session` with anything else: that it be so, or how to say it.
    Change,
    /// `/unfocus`
    Unfocus,
    /// `/acp close`
    Close,
    /// `/focus`
    Focus,
    /// `/agents`: who works, and where?
    Agents,
}

impl Ask {
    /// What a text asks, markers left aside.
    pub fn read(text: &str) -> Option<Self> {
        let said = text.split('⟦').next()?;
        let mut words = said.split_whitespace();
        let first = words.next()?;
        let is = |name: &str| first.eq_ignore_ascii_case(name);
        if is("/session") {
            let limit = words.next().unwrap_or_default();
            return Some(match words.next() {
                None if limit.eq_ignore_ascii_case("idle") => Self::Idle,
                None if limit.eq_ignore_ascii_case("max-age") => Self::MaxAge,
                Some(_) | None => Self::Change,
            });
        }
        if is("/acp") {
            let closes = words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("close"));
            return closes.then_some(Self::Close);
        }
        let names = [
            ("/unfocus", Self::Unfocus),
            ("/focus", Self::Focus),
            ("/agents", Self::Agents),
        ];
        let found = names.into_iter().find(|(name, _)| is(name));
        found.map(|(_, ask)| ask)
    }

    /// The command, in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "/session idle",
            Self::MaxAge => "/session max-age",
            Self::Change => "/session",
            Self::Unfocus => "/unfocus",
            Self::Close => "/acp close",
            Self::Focus => "/focus",
            Self::Agents => "/agents",
        }
    }
}

impl Facts {
    /// Somebody who may give commands says one that is answered.
    pub(super) fn note_question(&mut self, inbound: &Inbound) {
        let Some(what) = Ask::read(&inbound.text) else {
            return;
        };
        let gated = self.config.requires_mention(&inbound.at)
            && inbound.kind != Place::Direct
            && !inbound.mentioned;
        let elsewhere = self.bound_by_another_account(&inbound.at).is_some();
        if gated || elsewhere || inbound.author != Author::Person {
            return;
        }
        let now = self.now;
        let bound = self.binding_at(&inbound.at).map(|(_, binding)| binding);
        let last = bound
            .and_then(|binding| self.sessions.get(&binding.key)?.runs.last())
            .and_then(|run| self.runs.get(run));
        let by = bound.and_then(|binding| binding.around.by.as_ref());
        let question = Question {
            at: inbound.at.clone(),
            from: inbound.from.clone(),
            asked: (self.index, now),
            what,
            is_foreign: by.is_some_and(|by| *by != inbound.from),
            is_broken: last.is_some_and(|run| run.state == RunState::Refused),
            binding: bound
                .filter(|binding| binding.would_hold(now) && !binding.unsure)
                .map(|binding| Box::new(binding.clone())),
            possible: self.can_bind(&inbound.at, inbound.kind),
        };
        self.questions.push(question);
    }

    /// The gateway's own words answer the oldest question of their place.
    pub(super) fn note_own_words(&mut self, deliver: &Deliver, markers: &[Marker]) {
        if self.questions.is_empty() || !markers.is_empty() {
            return;
        }
        let mut questions = self.questions.iter();
        if let Some(index) = questions.position(|question| question.at == deliver.to) {
            let question = self.questions.remove(index);
            self.answered = Some((question, deliver.text.clone()));
        }
    }

    /// Questions that were not answered, the oldest first.
    pub fn unanswered(&self) -> &[Question] {
        &self.questions
    }

    /// What the entry they are up to date with answers: the question, and the words.
    pub fn answered(&self) -> Option<&(Question, Text)> {
        self.answered.as_ref()
    }
}
