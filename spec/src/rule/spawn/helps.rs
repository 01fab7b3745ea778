//! A refusal from which a caller can learn what would work.

use super::super::{Checker, Sink};
use super::asked::{Asked, is_refused, words};
use super::threads::{SETTINGS, may_thread};
use super::wrong::faults;
use crate::channel::Placement;
use crate::effect::Effect;
use crate::facts::Facts;
use crate::trace::{Entry, What};

/// Looks at the words of each refusal that a parameter is the reason of.
pub(super) struct Helps;

/// What works without a thread.
const RUNS: [&str; 7] = [
    "mode=\"run\"",
    "mode=run",
    "mode: \"run\"",
    "mode \"run\"",
    "without `thread`",
    "without thread",
    "eave `thread` out",
];

/// What works where a place can be bound.
const THREADS: [&str; 3] = ["thread=true", "thread: true", "`thread`"];

impl Checker for Helps {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let What::Effect(Effect::Answer(answer)) = &entry.what else {
            return;
        };
        let Some(asked) = Asked::of(&answer.call, facts) else {
            return;
        };
        // Once something was asked for, it failed for a reason that no parameter is.
        let (id, call) = (&answer.call, asked.call);
        let restarted = call.life != facts.lives;
        if !is_refused(call) || call.asked_thread || call.run.is_some() || restarted {
            return;
        }
        let said = words(call);
        let faults = faults(call, asked.mode() == "session", &facts.dials);
        match faults.as_slice() {
            [_, ..] if faults.iter().any(|name| said.contains(name)) => sink.witness(),
            [name, ..] => sink.fail(
                format!("spawn {id} is refused, and its answer does not name `{name}`: {said}"),
                format!("the answer names `{name}`"),
            ),
            [] if said.to_lowercase().contains("thread") => {
                judge_alternative(&said, id, &asked, facts, sink);
            }
            _ => (),
        }
    }
}

fn judge_alternative(
    said: &str,
    id: &crate::id::CallId,
    asked: &Asked,
    facts: &Facts,
    sink: &mut Sink,
) {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let binds = asked.channel.capabilities.threads.placement != Placement::None;
    let threaded = asked.thread();
    let helps = has(&RUNS)
        || binds && has(&SETTINGS)
        || binds && !threaded && may_thread(asked, facts) && has(&THREADS);
    if helps {
        sink.witness();
    } else {
        let right = match threaded {
            true => "the answer says what works here, such as mode=\"run\" without a thread",
            false => "the answer says what works here, such as mode=\"run\"",
        };
        sink.fail(
            format!(
                "spawn {id} is refused, and its answer names nothing that works in {}: {said}",
                asked.origin
            ),
            right,
        );
    }
}
