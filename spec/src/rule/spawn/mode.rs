//! The mode of a spawn that no policy touches.

use super::super::{Checker, Sink};
use super::asked::Asked;
use crate::effect::Effect;
use crate::facts::Facts;
use crate::trace::{Entry, What};

/// Looks at the mode that an answer names.
pub(super) struct Resolved;

impl Checker for Resolved {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::Answer(answer)) = &entry.what else {
            return;
        };
        let Some(asked) = Asked::of(&answer.call, facts) else {
            return;
        };
        let mode = answer.result.get("mode").and_then(|mode| mode.as_str());
        let Some(mode) = mode.filter(|_| asked.call.is_accepted() && !asked.mode_injected()) else {
            return;
        };
        let right = asked.mode();
        if mode == right {
            sink.witness();
            return;
        }
        let why = match asked.mode_given {
            Some(_) => "as given",
            None if asked.thread() => "it has a thread, and no mode was given",
            None => "neither mode nor thread was given",
        };
        sink.fail(
            format!("spawn {} is accepted in mode {mode}", answer.call),
            format!("its mode is {right}: {why}"),
        );
    }
}
