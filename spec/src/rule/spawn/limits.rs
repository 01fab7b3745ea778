//! No more children than allowed, none deeper than allowed, no more at work than allowed.

use rustc_hash::FxHashMap;

use super::super::{Checker, Sink};
use super::asked::{child_key, is_refused, words};
use super::children::{Children, Working, deepest, is_limited, most_at_work, most_children};
use crate::effect::{Answer, Effect, StartRun};
use crate::facts::{CallFacts, Facts, Role};
use crate::id::SessionKey;
use crate::stimulus::Stimulus;
use crate::time::Time;
use crate::trace::{Entry, What};

/// Counts children.
#[derive(Default)]
pub(super) struct Limits {
    children: Children,
    working: Working,
    /// How deep each child is.
    depths: FxHashMap<SessionKey, u32>,
    /// When the configuration changed last: what was asked for before is not judged.
    changed: (usize, Time),
}

impl Checker for Limits {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::ConfigChanged(_) | Stimulus::Open(_)) => {
                self.changed = (facts.index(), entry.at);
            }
            What::Effect(Effect::StartRun(start)) => self.on_start(start, entry.at, facts, sink),
            What::Effect(Effect::Answer(answer)) => self.on_answer(answer, facts, sink),
            _ => (),
        }
    }
}

impl Limits {
    fn on_answer(&mut self, answer: &Answer, facts: &Facts, sink: &mut Sink) {
        let Some(call) = facts.call_here().map(|(_, call)| call) else {
            return;
        };
        let Some(requester) = call
            .session
            .as_ref()
            .filter(|_| call.method == "sessions_spawn")
        else {
            return;
        };
        if is_refused(call) {
            let said = words(call).to_lowercase();
            if said.contains("depth") || said.contains("children") {
                sink.witness();
            }
            return;
        }
        if !call.is_accepted() {
            return;
        }
        let depth = self.depths.get(requester).copied().unwrap_or(0);
        if call.made.0 > self.changed.0 && is_limited(call, depth > 0, facts) {
            judge_depth(answer, call, depth, facts, sink);
            self.judge_children(answer, call, requester, facts, sink);
        }
        self.children.push(requester, &answer.call);
        if let Some(child) = child_key(call, facts) {
            self.depths.insert(child, depth + 1);
        }
    }

    fn judge_children(
        &mut self,
        answer: &Answer,
        call: &CallFacts,
        requester: &SessionKey,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        // What was told to stop, or waited when the gateway died, may be counted no more.
        let surely = |call: &CallFacts| match &call.run {
            Some(run) => facts.runs.get(run).is_some_and(|run| !run.cancelled),
            None => call.life == facts.lives,
        };
        let is_over = call.run.as_ref().is_some_and(|run| facts.is_over(run));
        let most = most_children(call, facts);
        let others = self.children.count(requester, surely, facts);
        if others >= most && !is_over {
            sink.fail(
                format!(
                    "spawn {} is accepted while {others} children of {requester} are at work",
                    answer.call
                ),
                format!("{requester} has at most {most} children at a time"),
            );
        } else if others + 1 == most {
            sink.witness();
        }
    }

    fn on_start(&mut self, start: &StartRun, at: Time, facts: &Facts, sink: &mut Sink) {
        let Some(Role::Child(id)) = facts.run_here().map(|run| &run.role) else {
            return;
        };
        let Some(call) = facts.calls.get(id) else {
            return;
        };
        let Some(pool) = Working::pool(call, facts) else {
            return;
        };
        let most = most_at_work(call, facts);
        let others = self.working.count(&pool, false, facts);
        if others >= most && at > self.changed.1 {
            sink.fail(
                format!(
                    "run {} of spawn {id} is asked for while {others} runs of children are at work",
                    start.run
                ),
                format!("at most {most} are at work at a time; the others wait"),
            );
        } else if others + 1 == most {
            sink.witness();
        }
        self.working.push(pool, &start.run);
    }
}

fn judge_depth(answer: &Answer, call: &CallFacts, depth: u32, facts: &Facts, sink: &mut Sink) {
    let most = deepest(call, facts);
    if depth >= most {
        sink.fail(
            format!("spawn {} is accepted from depth {depth}", answer.call),
            format!("sessions of depth {most} have no children"),
        );
    } else if depth + 1 == most {
        sink.witness();
    }
}
