//! Life of a bound conversation.

use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::effect::{Effect, Memory, StartRun, UnboundBecause};
use crate::facts::{BindingFacts, BindingNews, CallFacts, Facts, Role, Standing};
use crate::id::{Marker, SessionKey};
use crate::profile::Family;
use crate::stimulus::Caller;
use crate::time::Time;
use crate::trace::{Entry, What};

/// Where bindings show how they stand: a message is given to somebody, or the gateway says so.
pub(super) const NEWS: &[Kind] = &[Kind::StartRun, Kind::SteerRun, Kind::Report];

mod cases;
mod commands;
mod disk;
mod ends;
mod stopped;
mod words;

pub(super) fn rules() -> Vec<Rule> {
    let families = [
        of_deadlines(),
        cases::rules(),
        ends::rules(),
        stopped::rules(),
        commands::rules(),
        words::rules(),
        disk::rules(),
    ];
    families.into_iter().flatten().collect()
}

/// The deadlines, the sweep that looks at them, and what the end leaves.
fn of_deadlines() -> Vec<Rule> {
    vec![
        Rule {
            text: "The idle deadline of a binding is its last activity plus the idle time; each \
                   activity postpones it.",
            sources: &["R3.1", "B-63", "BL-001", "BL-006"],
            dials: &["lapse_checked_at"],
            ..rule("binding.idle", || Box::new(Idle))
        },
        Rule {
            text: "The age deadline of a binding is the time of binding plus the max age, whatever \
                   the activity.",
            sources: &["R3.1", "W-12", "BL-005"],
            dials: &["max_age_from", "lapse_checked_at"],
            ..rule("binding.max-age", || Box::new(MaxAge))
        },
        Rule {
            text: "A binding ends neither before its deadline nor without a cause: an unfocus, the \
                   close, lock, deletion or archiving of its thread, a reset, delete or kill of its \
                   session, the end of a run-mode target, another binding in its place, bindings \
                   or their account switched off.",
            sources: &["I-15"],
            dials: &["archived_thread"],
            ..rule("binding.never-early", || Box::new(NeverEarly))
        },
        Rule {
            text: "From its deadline on a binding routes nothing; where lapses are found by the \
                   sweep, at most until the next pass, and a message before that revives an idle \
                   lapse, but not one by age.",
            sources: &["B-66", "B-67", "W-2", "W-3"],
            dials: &["lapse_checked_at"],
            ..rule("binding.ends-in-time", || Box::new(EndsInTime))
        },
        Rule {
            text: "What changed between a probe of the sweep and its answer is judged by the record \
                   as it is after the answer.",
            sources: &["R3.8", "BL-002", "I-16", "W-6"],
            dials: &["probe"],
            ..rule("binding.sweep-rereads", || Box::new(SweepRereads))
        },
        Rule {
            text: "The end of a binding by a limit does not end, reset or delete the session: it \
                   stays addressable, and remembers.",
            sources: &["R1.3"],
            dials: &["agent_path_resets"],
            sees: &[Kind::StartRun, Kind::Answer],
            ..rule("binding.lapse-keeps-session", || Box::new(LapseKeeps))
        },
    ]
}

fn rule(id: &'static str, checker: fn() -> Box<dyn Checker>) -> Rule {
    Rule {
        id,
        family: Family::Binding,
        keyword: Keyword::Must,
        text: "",
        sources: &[],
        dials: &[],
        sees: NEWS,
        checker: Some(checker),
        relation: None,
    }
}

/// A message from a bound conversation, as it is given to a session.
pub(super) struct Routed<'a> {
    pub(super) binding: &'a BindingFacts,
    pub(super) message: &'a Marker,
    pub(super) arrived: Time,
    pub(super) key: &'a SessionKey,
    pub(super) standing: Standing,
}

impl Routed<'_> {
    /// Whether the limits that it has were in force as the message came, and nothing else has a say.
    fn by_limits(&self) -> bool {
        by_limits(self.binding) && self.binding.limited_at < self.arrived
    }

    pub(super) fn to_bound(&self) -> bool {
        self.binding.key == *self.key
    }

    /// What was seen, in words.
    pub(super) fn seen(&self, note: &str) -> String {
        let (at, arrived) = (&self.binding.address, self.arrived);
        let (message, key) = (self.message.in_text(), self.key);
        format!("message {message}, written in {at} at {arrived}, is given to {key}{note}")
    }
}

/// The messages among the news.
pub(super) fn routed(facts: &Facts) -> impl Iterator<Item = Routed<'_>> {
    facts.binding_news.iter().filter_map(|news| match news {
        BindingNews::Routed {
            binding,
            message,
            arrived,
            key,
            standing,
        } => Some(Routed {
            binding,
            message,
            arrived: *arrived,
            key,
            standing: *standing,
        }),
        BindingNews::SaidOver { .. } => None,
    })
}

/// The reports among the news.
fn said_over(facts: &Facts) -> impl Iterator<Item = (&BindingFacts, UnboundBecause)> {
    facts.binding_news.iter().filter_map(|news| match news {
        BindingNews::SaidOver { binding, reason } => Some((&**binding, *reason)),
        BindingNews::Routed { .. } => None,
    })
}

/// Whether only limits can have a say about it.
fn by_limits(binding: &BindingFacts) -> bool {
    !binding.unsure && binding.cause.is_none()
}

fn says(binding: &BindingFacts, reason: UnboundBecause, note: &str) -> String {
    let (at, key, reason) = (&binding.address, &binding.key, reason.as_str());
    format!("the gateway says that the binding of {at} to {key} is over by {reason}{note}")
}

fn held_until(binding: &BindingFacts) -> String {
    let (at, key) = (&binding.address, &binding.key);
    match binding.earliest_lapse() {
        Some(due) => format!("{at} stays bound to {key} until {due}, the next of its deadlines"),
        None => format!("{at} stays bound to {key}, for both of its limits are off"),
    }
}

/// What is right where a binding lapsed.
fn lapsed(binding: &BindingFacts) -> String {
    let (at, due) = (&binding.address, binding.latest_lapse().unwrap_or_default());
    format!(
        "the binding of {at} lapsed at {due}, and a message there goes where it would go without it"
    )
}

/// MUST: the idle deadline is the last activity plus the idle time.
struct Idle;

impl Checker for Idle {
    fn see(&mut self, _: &Entry, facts: &Facts, sink: &mut Sink) {
        for routed in routed(facts).filter(Routed::by_limits) {
            let binding = routed.binding;
            let (Some((_, due)), Some(idle)) = (binding.idle_due(), binding.limits.idle) else {
                continue;
            };
            let active = binding.touched.1;
            // Where no activity would have postponed it, it would be over.
            let postponed = binding.made.1 + idle <= routed.arrived;
            let over = facts.takes_effect(due, routed.arrived);
            if routed.to_bound() && over && binding.ended.is_none() {
                let note = format!(", the bound session, though the last activity was at {active}");
                let right = format!("after {idle} without activity, at {due}, the binding is over");
                sink.fail(routed.seen(&note), right);
            } else if routed.standing == Standing::Holds && postponed {
                if routed.to_bound() {
                    sink.witness();
                } else {
                    let key = &binding.key;
                    let note = format!(", as if the activity at {active} had postponed nothing");
                    let right =
                        format!("the idle time of {idle} counts from {active}, so {key} has it");
                    sink.fail(routed.seen(&note), right);
                }
            } else if !routed.to_bound() && routed.standing == Standing::Lapsed && over {
                sink.witness();
            }
        }
        for (binding, reason) in said_over(facts) {
            if reason == UnboundBecause::Idle && by_limits(binding) {
                judge_said(binding, reason, binding.idle_due(), facts.now(), sink);
            }
        }
    }
}

fn judge_said(
    binding: &BindingFacts,
    reason: UnboundBecause,
    due: Option<(Time, Time)>,
    now: Time,
    sink: &mut Sink,
) {
    match due {
        None => sink.fail(
            says(binding, reason, ", and that limit is off"),
            "a limit that is off ends nothing",
        ),
        Some((due, _)) if now < due => {
            let note = format!(" at {now}, and it was last active at {}", binding.touched.0);
            let right = format!("that limit is reached at {due}");
            sink.fail(says(binding, reason, &note), right);
        }
        Some(_) => sink.witness(),
    }
}

/// MUST: the age deadline is the time of binding plus the max age.
struct MaxAge;

impl Checker for MaxAge {
    fn see(&mut self, _: &Entry, facts: &Facts, sink: &mut Sink) {
        for routed in routed(facts).filter(Routed::by_limits) {
            let binding = routed.binding;
            let (Some((_, due)), Some(age)) = (binding.age_due(), binding.limits.max_age) else {
                continue;
            };
            if !facts.takes_effect(due, routed.arrived) {
                continue;
            }
            let since = binding.age_from.1;
            if !routed.to_bound() {
                let active = binding
                    .idle_due()
                    .is_none_or(|(from, _)| routed.arrived < from);
                if active || binding.latest_lapse() == Some(due) {
                    sink.witness();
                }
            } else if binding.ended.is_none() {
                let note = format!(", the bound session, though its age counts from {since}");
                let right = format!("at {due}, {age} after that, the binding is over");
                sink.fail(routed.seen(&note), right);
            }
        }
        for (binding, reason) in said_over(facts) {
            if reason == UnboundBecause::MaxAge && by_limits(binding) {
                judge_said(binding, reason, binding.age_due(), facts.now(), sink);
            }
        }
    }
}

/// MUST: it ends neither before its deadline nor without a cause.
struct NeverEarly;

impl Checker for NeverEarly {
    fn see(&mut self, _: &Entry, facts: &Facts, sink: &mut Sink) {
        for routed in routed(facts) {
            if routed.standing != Standing::Holds {
                continue;
            }
            if routed.to_bound() {
                sink.witness();
            } else {
                let note = ", as if the conversation were bound no more";
                sink.fail(routed.seen(note), held_until(routed.binding));
            }
        }
        for (binding, reason) in said_over(facts) {
            if binding.would_end_early(facts.now()) {
                let note = format!(" at {}, and nothing had ended it", facts.now());
                sink.fail(says(binding, reason, &note), held_until(binding));
            } else if !binding.unsure {
                sink.witness();
            }
        }
    }
}

/// MUST: from its deadline on it routes nothing.
struct EndsInTime;

impl Checker for EndsInTime {
    fn see(&mut self, _: &Entry, facts: &Facts, sink: &mut Sink) {
        for routed in routed(facts) {
            if routed.standing != Standing::Lapsed {
                continue;
            }
            if routed.to_bound() {
                let note = ", to which its conversation is bound no more";
                sink.fail(routed.seen(note), lapsed(routed.binding));
            } else {
                sink.witness();
            }
        }
    }
}

/// MUST: what changed while a probe was waited for counts.
struct SweepRereads;

impl Checker for SweepRereads {
    fn see(&mut self, _: &Entry, facts: &Facts, sink: &mut Sink) {
        let right = |binding: &BindingFacts| {
            let (at, active) = (&binding.address, binding.touched.0);
            let due = binding.earliest_lapse().unwrap_or_default();
            format!("the activity in {at} at {active} counts, so it is bound until {due}")
        };
        for routed in routed(facts) {
            let Some(stale) = routed.binding.stale_due else {
                continue;
            };
            match (routed.standing, routed.to_bound()) {
                (Standing::Holds, true) | (Standing::Lapsed, false) => sink.witness(),
                (Standing::Holds, false) => {
                    let note = format!(
                        ", as if the sweep had gone by the deadline {stale} it knew before its probe"
                    );
                    sink.fail(routed.seen(&note), right(routed.binding));
                }
                _ => (),
            }
        }
        for (binding, reason) in said_over(facts) {
            let Some(stale) = binding.stale_due else {
                continue;
            };
            if binding.would_end_early(facts.now()) {
                let note = format!(
                    " at {}, by the deadline {stale} that the sweep knew before its probe",
                    facts.now()
                );
                sink.fail(says(binding, reason, &note), right(binding));
            } else if by_limits(binding) {
                sink.witness();
            }
        }
    }
}

/// MUST: the session outlives its binding.
struct LapseKeeps;

impl Checker for LapseKeeps {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::StartRun(start)) => Self::started(start, facts, sink),
            What::Effect(Effect::Answer(_)) => {
                if let Some(call) = facts.call_here().map(|(_, call)| call) {
                    Self::answered(call, facts, sink);
                }
            }
            _ => (),
        }
    }
}

impl LapseKeeps {
    fn started(start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let sent = facts
            .run_here()
            .is_some_and(|run| matches!(run.role, Role::Sent(_) | Role::Plugin(_)));
        if !sent || facts.dials.agent_path_resets {
            return;
        }
        let Some(binding) = facts.has_lapsed(&start.session_key) else {
            return;
        };
        let before = facts
            .sessions
            .get(&start.session_key)
            .and_then(|s| s.before.as_ref());
        if start.memory == Memory::Continue {
            sink.witness();
        } else if before.is_none_or(|before| !before.told_to_forget) {
            let (run, key, at) = (&start.run, &start.session_key, &binding.address);
            sink.fail(
                format!(
                    "run {run} starts in {key} without its memory, after its binding to {at} lapsed"
                ),
                "a lapse ends the binding and not the session, which remembers",
            );
        }
    }

    fn answered(call: &CallFacts, facts: &Facts, sink: &mut Sink) {
        if !matches!(
            call.method.as_str(),
            "sessions_send" | "runtime.subagent.run"
        ) {
            return;
        }
        let Some(binding) = call
            .text("sessionKey")
            .map(SessionKey::from)
            .and_then(|key| facts.has_lapsed(&key))
        else {
            return;
        };
        let spawn = binding.call.as_ref().and_then(|call| facts.calls.get(call));
        // Others may not be allowed to reach it at all.
        let entitled = match &call.by {
            Caller::Run(_) => spawn.is_some_and(|spawn| spawn.session == call.session),
            Caller::Plugin => true,
            Caller::Admin => false,
        };
        if entitled && call.run.is_none() && matches!(call.status(), Some("error" | "forbidden")) {
            let (key, at, method) = (&binding.key, &binding.address, &call.method);
            sink.fail(
                format!("{method} to {key} is refused after its binding to {at} lapsed"),
                format!("a lapse ends the binding and not the session: {key} stays addressable"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
