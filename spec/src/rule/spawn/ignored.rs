//! No parameter counts for nothing.

mod effects;

use self::effects::Effects;
use super::super::{Checker, Sink};
use super::asked::Asked;
use super::wrong::faults;
use crate::effect::{Answer, Effect};
use crate::facts::{CallFacts, Facts};
use crate::stimulus::Stimulus;
use crate::trace::{Entry, Rest, What, World};

/// Looks at parameters that can have no effect, and follows those that have one.
#[derive(Default)]
pub(super) struct Ignored {
    effects: Effects,
}

impl Checker for Ignored {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let effects = &mut self.effects;
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => effects.on_start(start, facts, sink),
            What::Effect(Effect::SteerRun(steer)) => effects.on_steer(steer, entry, facts, sink),
            What::Effect(Effect::CancelRun(cancel)) => effects.on_cancel(cancel, entry.at, sink),
            What::Effect(Effect::Answer(answer)) => {
                judge_values(answer, facts, sink);
                self.effects.on_answer(answer, facts, sink);
            }
            What::Stimulus(Stimulus::RunStarted(started)) => {
                effects.on_started(started, entry.at, facts);
            }
            What::Stimulus(Stimulus::RunProgress(progress)) => {
                effects.on_progress(progress, entry, facts);
            }
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                effects.on_ended(ended, entry.at, facts, sink);
            }
            What::World(World::Posted { at, .. }) => effects.on_posted(at, entry, facts),
            What::World(World::Crashed { .. }) => effects.on_crash(),
            What::World(World::Rest(rest)) => effects.rested = *rest != Rest::OutOfWakes,
            _ => (),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        self.effects.finish(facts, sink);
    }
}

/// A parameter that nobody knows, or whose value means nothing, is refused.
fn judge_values(answer: &Answer, facts: &Facts, sink: &mut Sink) {
    let Some(call) = facts.call_here().map(|(_, call)| call) else {
        return;
    };
    if call.method != "sessions_spawn" || call.session.is_none() {
        return;
    }
    let session = is_session(answer, call, facts);
    let faults = faults(call, session, &facts.dials);
    let Some(name) = faults.first() else {
        return;
    };
    if call.is_accepted() {
        let value = &call.params[*name];
        sink.fail(
            format!(
                "spawn {} is accepted, and `{name}`: {value} counts for nothing",
                answer.call
            ),
            format!("`{name}` has its effect, or is refused by name"),
        );
    } else {
        sink.witness();
    }
}

/// Whether a spawn is one of a session.
fn is_session(answer: &Answer, call: &CallFacts, facts: &Facts) -> bool {
    match answer.result.get("mode").and_then(|mode| mode.as_str()) {
        Some(mode) => mode == "session",
        None => match Asked::of(&answer.call, facts) {
            Some(asked) => asked.mode() == "session",
            None => call.text("mode") == Some("session"),
        },
    }
}
