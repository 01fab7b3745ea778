//! The threading policy that a channel declares for sub-agents, and nothing a channel is called.

mod nameless;
#[cfg(test)]
mod tests;

use std::fmt;

use super::spawn::asked::{Asked, child_key, words};
use super::{Checker, Keyword, Kind, Relation, Rule, Sink};
use crate::effect::{Answer, Effect};
use crate::facts::Facts;
use crate::id::SessionKey;
use crate::profile::Family;
use crate::trace::{Entry, What};

const LOOKS_AT: &[Kind] = &[Kind::OpenThread, Kind::Answer];

pub(super) fn rules() -> Vec<Rule> {
    vec![
        rule(
            "policy.thread-injected",
            "A child has a thread where one was given as true, or where the channel's policy \
             requires it for sub-agents.",
            &["R2.2"],
            LOOKS_AT,
            Some(|| Box::new(Policy::new(thread_injected))),
            None,
        ),
        rule(
            "policy.mode-injected",
            "The mode is `session` where the policy injects and the runtime is subagent, also over \
             an explicit `run`; else it is as given.",
            &["R2.3"],
            LOOKS_AT,
            Some(|| Box::new(Policy::new(mode_injected))),
            None,
        ),
        rule(
            "policy.acp-untouched",
            "The policy never touches runtime acp; absent keys change nothing.",
            &["R2.5"],
            LOOKS_AT,
            Some(|| Box::new(Policy::new(acp_untouched))),
            None,
        ),
        rule(
            "policy.nameless",
            "Renaming every channel, in order and in the configuration's keys too, changes nothing \
             but the name, compared for each conversation with ids by first appearance; \
             inapplicable where the gateway says `channels: \"named\"`.",
            &["R2.8"],
            &[],
            None,
            Some(Relation {
                transform: nameless::renamed,
                compare: nameless::compare,
            }),
        ),
    ]
}

fn rule(
    id: &'static str,
    text: &'static str,
    sources: &'static [&'static str],
    sees: &'static [Kind],
    checker: Option<fn() -> Box<dyn Checker>>,
    relation: Option<Relation>,
) -> Rule {
    Rule {
        id,
        family: Family::Policy,
        keyword: Keyword::Must,
        text,
        sources,
        dials: &[],
        sees,
        checker,
        relation,
    }
}

/// Looks at each answer to a spawn, and at the threads that were asked for until then.
struct Policy {
    threads: Vec<SessionKey>,
    judge: fn(&Answered, &mut Sink),
}

/// A spawn that was answered.
struct Answered<'a> {
    asked: Asked<'a>,
    answer: &'a Answer,
    accepted: bool,
    /// Whether a thread was asked for; nothing where the outside cannot tell.
    has_thread: Option<bool>,
    /// The mode that the answer names.
    mode: Option<&'a str>,
}

impl Policy {
    fn new(judge: fn(&Answered, &mut Sink)) -> Self {
        Self {
            threads: Vec::new(),
            judge,
        }
    }
}

impl Checker for Policy {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::OpenThread(open)) => self.threads.push(open.session_key.clone()),
            What::Effect(Effect::Answer(answer)) => {
                let Some(asked) = Asked::of(&answer.call, facts) else {
                    return;
                };
                // The thread is asked for under the key that the answer gives out.
                let key = child_key(asked.call, facts);
                let named = key.map(|key| self.threads.contains(&key));
                let has_thread = asked
                    .opens_threads()
                    .then(|| named.unwrap_or(asked.call.asked_thread));
                (self.judge)(
                    &Answered {
                        accepted: asked.call.is_accepted(),
                        mode: answer.result.get("mode").and_then(|mode| mode.as_str()),
                        has_thread,
                        asked,
                        answer,
                    },
                    sink,
                );
            }
            _ => (),
        }
    }
}

impl Answered<'_> {
    /// `spawn r1 from forum/alice`
    fn name(&self) -> impl fmt::Display {
        let (call, origin) = (&self.answer.call, &self.asked.origin);
        fmt::from_fn(move |f| write!(f, "spawn {call} from {origin}"))
    }
}

fn thread_injected(spawn: &Answered, sink: &mut Sink) {
    let (asked, name) = (&spawn.asked, spawn.name());
    if asked.acp {
        return;
    }
    let injected = asked.thread_injected() && !asked.thread_given;
    if !spawn.accepted {
        let said = words(asked.call);
        if injected && said.contains("thread=true") {
            sink.fail(
                format!("{name} is refused for want of a thread: {said}"),
                "the channel's policy requires a thread for sub-agents, so it is as if given",
            );
        }
        return;
    }
    match (spawn.has_thread, asked.thread()) {
        (Some(false), true) => sink.fail(
            format!("{name} is accepted, and no thread was asked for"),
            match injected {
                true => "a thread is opened: the channel's policy requires one for sub-agents",
                false => "a thread is opened: it was given as true",
            },
        ),
        (Some(true), false) => sink.fail(
            format!("{name} is accepted, and a thread was asked for"),
            "no thread is opened: none was given, and the channel's policy requires none",
        ),
        (Some(_), _) => sink.witness(),
        (None, _) => (),
    }
}

fn mode_injected(spawn: &Answered, sink: &mut Sink) {
    let (asked, name) = (&spawn.asked, spawn.name());
    let Some(mode) = spawn.mode.filter(|_| spawn.accepted && !asked.acp) else {
        return;
    };
    let right = asked.mode();
    if mode != right {
        let why = match asked.mode_injected() {
            true => "the channel's policy makes it so",
            false => "it is as given",
        };
        sink.fail(
            format!("{name} is accepted in mode {mode}"),
            format!("its mode is {right}: {why}"),
        );
    } else {
        sink.witness();
    }
}

fn acp_untouched(spawn: &Answered, sink: &mut Sink) {
    let (asked, name) = (&spawn.asked, spawn.name());
    let threading = asked.channel.threading;
    let policy = threading.requires_thread_for_subagents || threading.auto_inject_thread_params;
    if policy && !asked.acp || !spawn.accepted {
        return;
    }
    let why = match asked.acp {
        true => "the channel's policy does not touch runtime acp",
        false => "the channel has no policy",
    };
    let right = asked.mode();
    if spawn.has_thread == Some(true) && !asked.thread_given {
        sink.fail(
            format!("{name} is accepted, and a thread was asked for that nobody gave"),
            format!("no thread is opened: {why}"),
        );
    } else if spawn.mode.is_some_and(|mode| mode != right) {
        sink.fail(
            format!(
                "{name} is accepted in mode {}",
                spawn.mode.unwrap_or_default()
            ),
            format!("its mode is {right}, as given: {why}"),
        );
    } else if policy {
        sink.witness();
    }
}
