//! Spawned children: what is refused leaves nothing, what is accepted lasts, and a session needs no
//! thread.

pub(super) mod asked;
mod atomic;
mod durable;
mod headless;
mod refusal;
#[cfg(test)]
mod tests;

use self::asked::{Asked, words};
use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::effect::Effect;
use crate::facts::Facts;
use crate::profile::{Family, Permission};
use crate::trace::{Entry, What};

pub(super) fn rules() -> Vec<Rule> {
    let rules = [refused(), headless(), lasting()];
    rules.into_iter().flatten().collect()
}

fn refused() -> Vec<Rule> {
    vec![
        rule(
            "spawn.refusal-leaves-nothing",
            "After a refusal `sessions_list`, a spawn with the same label, the child limit and a \
             message in the place answer as before the call.",
            &["I-19", "S-13"],
            &["max_children"],
            &[
                Kind::Answer,
                Kind::StartRun,
                Kind::CancelRun,
                Kind::OpenThread,
            ],
            || Box::new(refusal::Refusal::default()),
        ),
        rule(
            "spawn.session-without-thread",
            "A spawn in mode `session` without a thread, for both runtimes: where allowed it is \
             accepted with a childSessionKey; where refused the text contains `requires \
             thread=true so the`.",
            &["R1", "I-20"],
            &["session_without_thread"],
            &[Kind::Answer],
            || Box::new(WithoutThread),
        ),
    ]
}

fn headless() -> Vec<Rule> {
    vec![
        rule(
            "spawn.headless-is-headless",
            "A session without thread opens no thread and makes no binding.",
            &["R1.4"],
            &[],
            &[
                Kind::Inbound,
                Kind::Answer,
                Kind::OpenThread,
                Kind::StartRun,
                Kind::Report,
            ],
            || Box::new(headless::IsHeadless::default()),
        ),
        rule(
            "spawn.headless-remembers",
            "A session without thread answers several turns sent to it by key or by label, and \
             remembers them.",
            &["R1.3", "R1.5"],
            &["agent_path_resets"],
            &[Kind::Answer, Kind::StartRun],
            || Box::new(headless::Remembers::default()),
        ),
        rule(
            "spawn.headless-output",
            "The output of a headless session's first run is its completion; a later run's is the \
             reply to that send; both reach the conversation that asked.",
            &["R1.5"],
            &[],
            &[
                Kind::Answer,
                Kind::StartRun,
                Kind::Steered,
                Kind::RunEnded,
                Kind::Deliver,
                Kind::Crashed,
                Kind::Rest,
            ],
            || Box::new(headless::Output::default()),
        ),
    ]
}

fn lasting() -> Vec<Rule> {
    vec![
        rule(
            "spawn.thread-atomic",
            "When opening the thread, binding, or starting fails, no session, run or binding \
             remains; an opened thread that stays is named in the answer.",
            &["S-26", "W-33"],
            &[],
            &[
                Kind::OpenThread,
                Kind::ThreadOpened,
                Kind::StartRun,
                Kind::RunStarted,
                Kind::Answer,
                Kind::Crashed,
                Kind::Rest,
            ],
            || Box::new(atomic::Atomic::default()),
        ),
        rule(
            "spawn.durable-before-accepted",
            "What was answered `accepted` survives a crash at any point after the answer.",
            &["I-09"],
            &[],
            &[
                Kind::Answer,
                Kind::Persist,
                Kind::Deliver,
                Kind::Report,
                Kind::Crashed,
                Kind::Rest,
            ],
            || Box::new(durable::Durable::default()),
        ),
    ]
}

fn rule(
    id: &'static str,
    text: &'static str,
    sources: &'static [&'static str],
    dials: &'static [&'static str],
    sees: &'static [Kind],
    checker: fn() -> Box<dyn Checker>,
) -> Rule {
    Rule {
        id,
        family: Family::Spawn,
        keyword: Keyword::Must,
        text,
        sources,
        dials,
        sees,
        checker: Some(checker),
        relation: None,
    }
}

struct WithoutThread;

/// Words that callers of released gateways look for.
const NEEDS_THREAD: &str = "requires thread=true so the";

impl Checker for WithoutThread {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::Answer(answer)) = &entry.what else {
            return;
        };
        let Some(asked) = Asked::of(&answer.call, facts) else {
            return;
        };
        if !asked.is_headless() || asked.mode_given != Some("session") {
            return;
        }
        let (id, status) = (&answer.call, asked.call.status().unwrap_or("no status"));
        let accepted = asked.call.is_accepted();
        let key = answer
            .result
            .get("childSessionKey")
            .and_then(|key| key.as_str());
        let said = words(asked.call);
        match facts.profile.dials.session_without_thread {
            Permission::Allowed if accepted && key.is_some_and(|key| !key.is_empty()) => {
                sink.witness();
            }
            Permission::Allowed if accepted => sink.fail(
                format!(
                    "spawn {id} of a session without a thread is accepted without a childSessionKey"
                ),
                "the answer holds the childSessionKey, under which the session is sent to",
            ),
            // Other refusals (limits, an unknown agent) are not this rule's affair.
            Permission::Allowed if said.to_lowercase().contains("thread") => sink.fail(
                format!("spawn {id} of a session without a thread is refused: {said}"),
                "it is accepted: a session needs no thread",
            ),
            Permission::Allowed => (),
            Permission::Refused if accepted => sink.fail(
                format!("spawn {id} of a session without a thread is answered {status}"),
                format!("it is refused, in words that contain \"{NEEDS_THREAD}\""),
            ),
            Permission::Refused if said.contains(NEEDS_THREAD) => sink.witness(),
            Permission::Refused if said.to_lowercase().contains("thread") => sink.fail(
                format!(
                    "spawn {id} of a session without a thread is refused in other words: {said}"
                ),
                format!("the refusal contains \"{NEEDS_THREAD}\""),
            ),
            Permission::Refused => (),
        }
    }
}
