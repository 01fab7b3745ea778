//! Spawned children: what is refused leaves nothing, what is accepted lasts, and a session needs no
//! thread.

mod agents;
pub(super) mod asked;
mod atomic;
mod children;
mod durable;
mod headless;
mod helps;
mod ignored;
mod limits;
mod mode;
mod one_shot;
mod refusal;
mod slots;
#[cfg(test)]
mod tests;
mod threads;
mod wrong;

use self::asked::{Asked, words};
use super::{Checker, Keyword, Kind, Rule, Sink};
use crate::effect::Effect;
use crate::facts::Facts;
use crate::profile::{Family, Permission};
use crate::trace::{Entry, What};

pub(super) fn rules() -> Vec<Rule> {
    let rules = [
        refused(),
        parameters(),
        headless(),
        threaded(),
        lasting(),
        limited(),
    ];
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

fn parameters() -> Vec<Rule> {
    vec![
        rule(
            "spawn.nothing-ignored",
            "No parameter is silently ignored: it has its effect or is refused by name.",
            &["I-19", "SV-011", "SV-020"],
            &[
                "acp_params",
                "acp_limits",
                "session_cleanup",
                "context_default",
            ],
            &[
                Kind::StartRun,
                Kind::SteerRun,
                Kind::CancelRun,
                Kind::Answer,
                Kind::RunStarted,
                Kind::RunProgress,
                Kind::RunEnded,
                Kind::Posted,
                Kind::Crashed,
                Kind::Rest,
            ],
            || Box::new(ignored::Ignored::default()),
        ),
        Rule {
            keyword: Keyword::Should,
            ..rule(
                "spawn.refusal-helps",
                "A refusal names the parameter and an alternative that works on this channel.",
                &["R1.1", "S-7", "SV-004", "SV-012"],
                &["acp_params", "session_cleanup", "spawn_threads_default"],
                &[Kind::Answer],
                || Box::new(helps::Helps),
            )
        },
        rule(
            "spawn.mode-resolved",
            "Where the policy does not inject, the given mode wins; else a thread gives `session`; \
             else it is `run`.",
            &["S-4"],
            &[],
            &[Kind::Answer],
            || Box::new(mode::Resolved),
        ),
    ]
}

fn threaded() -> Vec<Rule> {
    vec![
        rule(
            "spawn.thread-needs-channel",
            "`thread: true` on a channel or account that can't bind is refused clearly.",
            &["R1.1", "R3.5", "SV-004"],
            &[],
            &[Kind::OpenThread, Kind::Answer],
            || Box::new(threads::NeedsChannel),
        ),
        rule(
            "spawn.thread-opt-in",
            "Without the opt-in (`spawnSubagentSessions`), or with bindings disabled, a threaded \
             spawn is refused by name.",
            &["R3.2", "S-30"],
            &["spawn_threads_default"],
            &[Kind::Open, Kind::ConfigChanged, Kind::Answer],
            || Box::new(threads::OptIn::default()),
        ),
        rule(
            "spawn.thread-explicit",
            "Explicit `thread: true` without any policy works as ever: where the place can be bound \
             and spawns may ask for it, the thread is opened in the conversation that asked.",
            &["R2.5", "SV-009"],
            &["spawn_threads_default"],
            &[
                Kind::Open,
                Kind::ConfigChanged,
                Kind::Inbound,
                Kind::ThreadOpened,
                Kind::OpenThread,
                Kind::Answer,
            ],
            || Box::new(threads::Explicit::default()),
        ),
        rule(
            "spawn.run-is-one-shot",
            "Run mode ends with its run, whatever `thread` says; its binding ends after the \
             completion was told.",
            &["R1.4", "SV-022", "SV-026"],
            &[],
            &[
                Kind::Inbound,
                Kind::Answer,
                Kind::StartRun,
                Kind::RunEnded,
                Kind::Crashed,
            ],
            || Box::new(one_shot::OneShot::default()),
        ),
    ]
}

fn limited() -> Vec<Rule> {
    vec![
        rule(
            "spawn.limits-hold",
            "Limits of depth, children and runs at work hold, also for spawns in flight together.",
            &["S-9", "S-13", "S-47", "I-24", "NO-012"],
            &[
                "max_spawn_depth",
                "max_children",
                "concurrency_of",
                "acp_limits",
            ],
            &[
                Kind::Open,
                Kind::ConfigChanged,
                Kind::StartRun,
                Kind::Answer,
            ],
            || Box::new(limits::Limits::default()),
        ),
        rule(
            "spawn.slots-freed",
            "Every terminal path frees its slot; runs that ended, or that nobody knows any more, \
             don't count.",
            &["I-24", "NO-011", "NO-013"],
            &["max_children", "concurrency_of", "acp_limits"],
            &[
                Kind::Open,
                Kind::ConfigChanged,
                Kind::Call,
                Kind::Answer,
                Kind::StartRun,
                Kind::Crashed,
                Kind::Rest,
                Kind::RunEnded,
                Kind::Inbound,
            ],
            || Box::new(slots::Slots::default()),
        ),
        rule(
            "spawn.agent-allowed",
            "The target agent must be there, and allowed for the requester.",
            &["S-8", "S-14", "S-15", "S-16", "S-34"],
            &["own_agent"],
            &[
                Kind::Open,
                Kind::ConfigChanged,
                Kind::StartRun,
                Kind::Answer,
            ],
            || Box::new(agents::Agents::default()),
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
        match facts.dials.session_without_thread {
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
