//! Which of several policies holds.

use super::super::{Checker, Kind, Rule, Sink};
use super::reset::{Anchors, Due, Turn};
use super::{forgot, rule};
use crate::config::ResetLevels;
use crate::effect::{Effect, StartRun};
use crate::facts::Facts;
use crate::trace::{Entry, What};

pub(super) fn reset_precedence() -> Rule {
    rule(
        "session.reset-precedence",
        "`resetByChannel` replaces the whole policy; else each field comes from `resetByType` \
         (direct, group, thread), `reset`, the legacy `session.idleMinutes`, the default, in that \
         order.",
        &["S-67", "S-68", "I-27", "R5.6"],
        &["reset_default", "legacy_idle", "reset_none"],
        &[Kind::StartRun],
        || Box::new(Precedence),
    )
}

struct Precedence;

impl Checker for Precedence {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if let What::Effect(Effect::StartRun(start)) = &entry.what
            && let Some(turn) = facts.turn_here()
            && !turn.told
        {
            judge(&turn, start, facts, sink);
        }
    }
}

/// Puts the rule to the test where another order would have decided otherwise.
fn judge(turn: &Turn<'_>, start: &StartRun, facts: &Facts, sink: &mut Sink) {
    let Some(message) = turn.message else {
        return;
    };
    let levels = facts.config.reset_levels(&message.at.channel, message.kind);
    let due = turn.due.is_certain();
    if levels.count() < 2 || due != turn.due.is_possible() {
        return;
    }
    let dials = &facts.dials;
    let anchors = Anchors::of(turn.before, dials.reset_anchor);
    let otherwise = wrong_orders(levels).into_iter().any(|levels| {
        let policy = levels.policy(dials);
        let other = Due::at(policy, facts.calendar.as_ref(), anchors, turn.now);
        let decided = other.is_certain() == other.is_possible();
        decided && other.is_certain() != due
    });
    if !otherwise {
        return;
    }
    if turn.continues() != due {
        sink.witness();
        return;
    }
    let (at, run) = (&message.at, &start.run);
    let right = match due {
        true => format!("run {run} starts fresh: by the policy that holds for {at} a reset is due"),
        false => format!(
            "run {run} continues the session: by the policy that holds for {at} no reset is due"
        ),
    };
    sink.fail(forgot(turn, start), right);
}

/// The levels as somebody takes them who leaves one out, turns two around, or mixes a channel's
/// policy with the others.
fn wrong_orders(levels: ResetLevels) -> [ResetLevels; 6] {
    [
        ResetLevels {
            channel: None,
            ..levels
        },
        ResetLevels {
            kind: None,
            ..levels
        },
        ResetLevels {
            general: None,
            ..levels
        },
        ResetLevels {
            legacy: None,
            ..levels
        },
        ResetLevels {
            kind: levels.general.or(levels.kind),
            ..levels
        },
        ResetLevels {
            channel: None,
            kind: levels.channel.or(levels.kind),
            ..levels
        },
    ]
}
