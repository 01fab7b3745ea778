//! A conversation that goes by another id.

use super::super::{Checker, Kind, Rule, Sink};
use crate::effect::{Effect, StartRun};
use crate::facts::{Facts, MessageFacts, MovedFacts};
use crate::profile::MovedConversation;
use crate::stimulus::Author;
use crate::trace::{Entry, What};

pub(super) fn rule() -> Rule {
    Rule {
        id: "routing.moved-conversation",
        text: "A conversation that goes by another id is the same one: what is written there goes to \
               the session that it is bound to, under the limits it had, or else to the one that it \
               had. Where the profile says so it is another conversation, which is bound to nobody \
               and has a session of its own.",
        sources: &[
            "channels.json, telegram",
            "openclaw/openclaw#906",
            "I-12",
            "I-17",
            "B-9",
            "B-12",
        ],
        dials: &["moved_conversation"],
        sees: &[Kind::StartRun],
        checker: Some(|| Box::new(Moved)),
        ..super::rule()
    }
}

/// MUST: one conversation is one, whatever it is called.
struct Moved;

impl Checker for Moved {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::StartRun(start)) = &entry.what else {
            return;
        };
        let Some((_, message)) = facts.chat_here() else {
            return;
        };
        if let Some(moved) = facts.moved_to(&message.at)
            && moved.told < message.arrived.0
            && start.resumes.is_none()
            && message.author == Author::Person
            && message.at.thread.is_none()
        {
            judge(start, message, moved, facts, sink);
        }
    }
}

fn judge(
    start: &StartRun,
    message: &MessageFacts,
    moved: &MovedFacts,
    facts: &Facts,
    sink: &mut Sink,
) {
    let (at, from, key) = (&message.at, &moved.from, &start.session_key);
    let seen = format!(
        "run {} for {at}, which was {from}, is in session {key}",
        start.run
    );
    let follows = facts.dials.moved_conversation == MovedConversation::Follows;
    if !follows {
        let before = [&moved.bound, &moved.home].into_iter().flatten();
        let mut before = before.filter(|before| *before == key);
        // What is bound since is another matter.
        let bound = facts.has_been_bound(at) || facts.is_focused_somehow(at);
        match before.next() {
            Some(_) if bound => (),
            Some(_) => sink.fail(
                seen,
                format!("{at} is another conversation than {from}, and has a session of its own"),
            ),
            None => sink.witness(),
        }
        return;
    }
    let bound = moved.bound.as_ref().filter(|_| {
        let binding = facts.last_bound(at);
        binding.is_some_and(|binding| {
            binding.would_hold(facts.now()) && Some(&binding.key) == moved.bound.as_ref()
        })
    });
    let home = moved.home.as_ref().filter(|home| {
        let session = facts.sessions.get(*home);
        !facts.has_been_bound(at) && session.is_some_and(|session| !session.deleted)
    });
    let Some(right) = bound.or(home) else { return };
    if key == right {
        sink.witness();
    } else if bound.is_some() {
        sink.fail(
            seen,
            format!("{from} was bound to {right}, and {at} is the same conversation"),
        );
    } else {
        sink.fail(
            seen,
            format!("{from} had session {right}, and {at} is the same conversation"),
        );
    }
}
