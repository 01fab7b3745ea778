//! What people can do to a binding by command, and who may.

use std::collections::BTreeMap;

use super::cases::{Case, never};
use super::words::durations;
use super::{NEWS, held_until, routed, rule};
use crate::address::Address;
use crate::effect::{Effect, UnboundBecause};
use crate::facts::{Ask, Facts, Question, Role, Standing};
use crate::id::{Marker, SessionKey};
use crate::rule::{Checker, Kind, Rule, Sink};
use crate::trace::{Entry, What};

/// Where it shows what came of a command: news of bindings, and the gateway's words.
const HEARD: &[Kind] = &[
    Kind::StartRun,
    Kind::SteerRun,
    Kind::Report,
    Kind::Deliver,
    Kind::OpenThread,
];

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            text: "`/focus <session>` binds the thread it is said in, or the conversation where that \
                   can be bound, or opens a thread and binds that. Where nothing can be bound, or \
                   bindings are switched off, there is an answer and no binding.",
            sources: &["R3.3", "R3.5", "B-107", "B-109"],
            sees: HEARD,
            ..rule("binding.focus", || Box::<FocusBinds>::default())
        },
        Rule {
            text: "`/unfocus` by whoever may do so ends the binding of its conversation, and not the \
                   session; `/acp close` ends every binding of the session that is bound there; \
                   `/agents` names the session bound where it is said, and the runs that were asked \
                   for from there.",
            sources: &["R3.3", "R3.5", "B-110", "B-111", "B-113"],
            sees: HEARD,
            ..rule("binding.unfocus", || Box::new(UnfocusEnds))
        },
        Rule {
            text: "`/session idle` and `/session max-age` change the live deadlines of all \
                   conversations of the session in that account, as stated; `off` disables; without \
                   a length of time they report the limit. What does not read changes nothing.",
            sources: &[
                "R3.3", "B-95", "B-98", "B-99", "B-100", "W-11", "W-12", "W-14",
            ],
            dials: &["max_age_from"],
            sees: HEARD,
            ..rule("binding.limits-by-command", || Box::new(LimitsByCommand))
        },
        Rule {
            text: "Whoever may give commands may ask for the limits of a binding. Only whoever bound \
                   a conversation may change or end that; what the system bound, any of them.",
            sources: &["B-45", "B-97", "W-15", "W-16"],
            sees: HEARD,
            ..rule("binding.who-may", || Box::new(WhoMay))
        },
        Rule {
            text: "Commands to the gateway that are said in a bound conversation are given to no \
                   agent, and are answered although the session that is bound there cannot run.",
            sources: &["BL-008", "BL-027", "I-17"],
            sees: &[Kind::StartRun, Kind::SteerRun, Kind::Deliver],
            ..rule("binding.command-bypass", || Box::new(CommandBypass))
        },
    ]
}

/// What is still unanswered in the end.
fn unanswered(facts: &Facts, sink: &mut Sink, concerns: impl Fn(&Question) -> bool) {
    if let Some(question) = facts
        .unanswered()
        .iter()
        .find(|question| concerns(question))
    {
        let (from, at, what) = (&question.from, &question.at, question.what.as_str());
        sink.fail_since(
            question.asked,
            format!("{from} says {what} in {at}, and the gateway answers nothing"),
            "a command is answered where it is said",
        );
    }
}

/// MUST: `/focus` binds where it can.
#[derive(Default)]
struct FocusBinds {
    /// Where it could not, and what was there before.
    impossible: BTreeMap<Address, Option<SessionKey>>,
}

impl Checker for FocusBinds {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if let Some((question, _)) = facts.answered().filter(|(q, _)| q.what == Ask::Focus) {
            if question.possible {
                return;
            }
            sink.witness();
            let home = facts.home.get(&question.at).cloned();
            self.impossible.insert(question.at.clone(), home);
        }
        match &entry.what {
            What::Effect(Effect::OpenThread(open))
                if self.impossible.contains_key(&open.parent) =>
            {
                sink.fail(
                    format!(
                        "a thread is opened in {}, where nothing can be bound",
                        open.parent
                    ),
                    "a /focus there is answered, and that is all",
                );
            }
            What::Effect(Effect::StartRun(start)) if !self.impossible.is_empty() => {
                self.no_binding(start, facts, sink);
            }
            _ => (),
        }
        for routed in routed(facts).filter(|routed| routed.binding.around.focused) {
            match (routed.standing, routed.to_bound()) {
                (Standing::Holds, true) => sink.witness(),
                (Standing::Holds, false) => {
                    let note = ", as if the /focus there had bound nothing";
                    sink.fail(routed.seen(note), held_until(routed.binding));
                }
                (Standing::Lapsed | Standing::Open, _) => (),
            }
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        unanswered(facts, sink, |question| {
            question.what == Ask::Focus && !question.possible
        });
        if let Some((at, key, said)) = facts.unopened_focus() {
            sink.fail(
                format!(
                    "a /focus to {key} was said in {at} at {said}, and no thread was asked for"
                ),
                "where bindings are made in threads of their own, /focus opens one",
            );
        }
    }
}

impl FocusBinds {
    fn no_binding(&self, start: &crate::effect::StartRun, facts: &Facts, sink: &mut Sink) {
        let Some(Role::Chat(message)) = facts.run_here().map(|run| &run.role) else {
            return;
        };
        let Some(message) = facts.messages.get(message) else {
            return;
        };
        if let Some(Some(home)) = self.impossible.get(&message.at)
            && *home != start.session_key
            && facts.binding_at(&message.at).is_none()
        {
            let (at, key) = (&message.at, &start.session_key);
            sink.fail(
                format!("a message from {at} is given to {key} after a /focus, though nothing can be bound there"),
                format!("it goes to {home}, as before"),
            );
        }
    }
}

/// MUST: `/unfocus` ends, `/agents` tells.
struct UnfocusEnds;

impl Checker for UnfocusEnds {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        for routed in routed(facts) {
            let Some(released) = routed.binding.around.released else {
                continue;
            };
            if routed.arrived <= released {
                continue;
            }
            if routed.to_bound() {
                let note = format!(", which was released by command at {released}");
                let right = "after /unfocus, or /acp close, the conversation is bound no more";
                sink.fail(routed.seen(&note), right);
            } else {
                sink.witness();
            }
        }
        if let (Some((question, text)), What::Effect(Effect::Deliver(_))) =
            (facts.answered(), &entry.what)
            && question.what == Ask::Agents
        {
            Self::lists(question, text, facts, sink);
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        unanswered(facts, sink, |question| {
            matches!(question.what, Ask::Unfocus | Ask::Close | Ask::Agents)
        });
    }
}

impl UnfocusEnds {
    fn lists(question: &Question, text: &str, facts: &Facts, sink: &mut Sink) {
        let Some(binding) = &question.binding else {
            return;
        };
        let spawn = binding.call.as_ref().and_then(|call| facts.calls.get(call));
        let label = spawn.and_then(|spawn| spawn.text("label"));
        let named =
            text.contains(binding.key.as_str()) || label.is_some_and(|label| text.contains(label));
        if named {
            sink.witness();
        } else {
            let (at, key) = (&question.at, &binding.key);
            sink.fail(
                format!("the answer to /agents in {at} does not name {key}, which is bound there"),
                "it names what is bound",
            );
        }
    }
}

/// MUST: a command sets the limits as stated.
struct LimitsByCommand;

const SET: Case = Case {
    applies: |binding, _, at| {
        let Some((_, before)) = binding.around.commanded else {
            return false;
        };
        let over = binding.over_under(binding.limits, at);
        before != binding.limits && binding.over_uncommanded(before, at) != over
    },
    denies: never,
    wrong: |binding| {
        let at = binding.limited_at;
        format!("the command of {at} had not been given, or had said something else")
    },
};

impl Checker for LimitsByCommand {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if NEWS.contains(&Kind::of(&entry.what)) {
            let mut set = SET;
            set.see(entry, facts, sink);
        }
        let Some((question, text)) = facts.answered() else {
            return;
        };
        let Some(binding) = &question.binding else {
            return;
        };
        let limit = match question.what {
            Ask::Idle => binding.limits.idle,
            Ask::MaxAge => binding.limits.max_age,
            Ask::Change | Ask::Unfocus | Ask::Close | Ask::Focus | Ask::Agents => return,
        };
        let named = durations(text);
        let told = match limit {
            Some(limit) => named.iter().any(|&span| super::words::names(span, limit)),
            None => named.is_empty(),
        };
        if told {
            sink.witness();
        } else {
            let (what, at) = (question.what.as_str(), &question.at);
            let is = limit.map_or("off".to_owned(), |limit| limit.to_string());
            sink.fail(
                format!("{what} in {at} is answered by {text:?}, and that limit is {is}"),
                "without a length of time the command reports the limit",
            );
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        unanswered(facts, sink, |question| {
            matches!(question.what, Ask::Idle | Ask::MaxAge | Ask::Change)
        });
    }
}

/// MUST: reading is free, changing is the binder's.
struct WhoMay;

const MEDDLED: Case = Case {
    applies: |binding, _, at| {
        let meddled = binding.around.meddled.as_ref();
        meddled.is_some_and(|(since, _)| *since < at)
    },
    denies: |binding, reason| {
        let ends = matches!(reason, UnboundBecause::Unfocus | UnboundBecause::Replaced);
        ends && binding.around.meddled.is_some() && binding.cause.is_none()
    },
    wrong: |binding| match &binding.around.meddled {
        Some((_, who)) => format!("{who}, who did not bind it, might change it"),
        None => "anybody might change it".to_owned(),
    },
};

/// What the system bound, anybody may change.
const ENTITLED: Case = Case {
    applies: |binding, facts, at| {
        let system = binding.around.by.is_none() && binding.call.is_some();
        system && (SET.applies)(binding, facts, at)
    },
    denies: never,
    wrong: |_| "nobody might change what the system bound".to_owned(),
};

impl Checker for WhoMay {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if NEWS.contains(&Kind::of(&entry.what)) {
            for mut case in [MEDDLED, ENTITLED] {
                case.see(entry, facts, sink);
            }
        }
        if facts
            .answered()
            .is_some_and(|(question, _)| question.is_foreign)
        {
            sink.witness();
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        unanswered(facts, sink, |question| question.is_foreign);
    }
}

/// MUST: commands are the gateway's.
struct CommandBypass;

impl Checker for CommandBypass {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if let What::Effect(Effect::Deliver(_)) = &entry.what {
            if facts.answered().is_some_and(|(q, _)| q.binding.is_some()) {
                sink.witness();
            }
            return;
        }
        for marker in &entry.markers {
            Self::given(marker, facts, sink);
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        unanswered(facts, sink, |question| {
            question.binding.is_some() && question.is_broken
        });
    }
}

impl CommandBypass {
    fn given(marker: &Marker, facts: &Facts, sink: &mut Sink) {
        let Some(message) = facts.messages.get(marker) else {
            return;
        };
        let command = message.authorised && message.wants_answer && message.is_command();
        if !command || !facts.has_been_bound(&message.at) {
            return;
        }
        if let Some(ask) = Ask::read(&message.text) {
            let (from, at, what) = (&message.from, &message.at, ask.as_str());
            sink.fail(
                format!("{what}, said by {from} in {at}, is given to an agent"),
                "a command is for the gateway itself",
            );
        }
    }
}

#[cfg(test)]
mod tests;
