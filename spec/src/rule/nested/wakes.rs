//! Who ends its turn to wait is woken.

use super::super::relay::repeats_in_reply;
use super::super::{Checker, Sink};
use super::is_open;
use crate::effect::Effect;
use crate::facts::{CallFacts, Facts, Role, RunState, Settled};
use crate::id::{CallId, RunId, SessionKey};
use crate::stimulus::{Caller, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, What, World};

/// MUST: who yielded is woken once, for all it waits for.
#[derive(Default)]
pub(super) struct YieldWakes {
    /// Spawns whose end belongs to the session that asked, and to it alone.
    asked: Vec<CallId>,
    yields: Vec<Yield>,
}

/// A run that ended its turn to wait.
struct Yield {
    run: RunId,
    key: SessionKey,
    since: (usize, Time),
    /// What it waits for.
    waits: Vec<CallId>,
    /// When the first of that ended.
    first: Option<Time>,
    /// The turn that woke it.
    woken: Option<RunId>,
    ended: bool,
}

impl Checker for YieldWakes {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::Answer(answer)) => self.on_answer(&answer.call, facts, sink),
            What::Effect(Effect::StartRun(start)) if !self.yields.is_empty() => {
                self.on_start(&start.run, entry, facts, sink);
            }
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                for one in &mut self.yields {
                    one.ended |= one.run == ended.run;
                    let of_it = |id: &CallId| {
                        let call = facts.calls.get(id);
                        call.and_then(|call| call.run.as_ref()) == Some(&ended.run)
                    };
                    if one.first.is_none() && one.waits.iter().any(of_it) {
                        one.first = Some(facts.now());
                    }
                }
            }
            // A run that died in its turn did not yield: its message is worked on anew.
            What::World(World::Crashed { lost, .. }) => {
                self.yields
                    .retain(|one| one.ended || !lost.contains(&one.run));
                let now = facts.now();
                for one in &mut self.yields {
                    one.first = one.first.or(Some(now));
                }
            }
            What::Stimulus(Stimulus::Inbound(_)) => self.drop_stopped(facts),
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.asked.retain(|id| facts.calls.contains_key(id));
        self.yields.retain(|one| {
            let open = |id: &CallId| facts.calls.get(id).is_some_and(|call| is_open(call, facts));
            facts.runs.contains_key(&one.run) || one.waits.iter().any(open)
        });
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        self.drop_stopped(facts);
        for one in &self.yields {
            if one.woken.is_some() || !one.ended || one.is_told(facts) {
                continue;
            }
            sink.fail_since(
                one.since,
                format!(
                    "run {} of session {} yielded, and nothing ever wakes it",
                    one.run, one.key
                ),
                match one.waits.is_empty() {
                    true => "where nothing is pending, a run that yields is told so",
                    false => "who yielded is woken when what it waits for has ended",
                },
            );
        }
    }
}

impl YieldWakes {
    fn on_answer(&mut self, id: &CallId, facts: &Facts, sink: &mut Sink) {
        self.drop_stopped(facts);
        let Some(call) = facts.calls.get(id) else {
            return;
        };
        match call.method.as_str() {
            "sessions_spawn" if call.is_accepted() && is_parents(call) => {
                self.asked.push(id.clone());
            }
            "sessions_yield" if call.status() == Some("yielded") => self.on_yield(call, facts),
            "sessions_yield" if call.status() == Some("error") && !self.pending(call, facts) => {
                sink.witness();
            }
            _ => (),
        }
    }

    /// Whether a session waits for anything.
    fn pending(&self, by: &CallFacts, facts: &Facts) -> bool {
        let mut all = facts
            .calls
            .values()
            .filter(|call| call.session == by.session);
        all.any(|call| match call.method.as_str() {
            "sessions_spawn" => {
                call.answer.is_none() || may_be_open(call, facts) && !has_heard(&by.by, call, facts)
            }
            // Its reply may come.
            "sessions_send" => true,
            _ => false,
        })
    }

    fn on_yield(&mut self, call: &CallFacts, facts: &Facts) {
        let (Caller::Run(run), Some(key)) = (&call.by, &call.session) else {
            return;
        };
        let waits = self.asked.iter().filter(|id| {
            let spawn = facts.calls.get(*id);
            spawn.is_some_and(|spawn| {
                spawn.session.as_ref() == Some(key)
                    && spawn.origins == call.origins
                    && is_open(spawn, facts)
                    && !is_handed(spawn, facts)
                    && !is_steered(spawn, facts)
            })
        });
        let waits: Vec<CallId> = waits.cloned().collect();
        if waits.is_empty() && self.pending(call, facts) {
            return;
        }
        let ended = |id: &CallId| {
            let run = facts.calls.get(id)?.run.as_ref();
            let run = run.filter(|run| facts.is_over(run))?;
            let completion = facts.completions.get(run);
            Some(completion.map_or(facts.now(), |completion| completion.ended.1))
        };
        let first = waits.iter().filter_map(ended).min();
        // What it yielded before for is waited for with this.
        self.yields
            .retain(|one| one.run != *run || one.woken.is_some());
        self.yields.push(Yield {
            run: run.clone(),
            key: key.clone(),
            since: (facts.index(), facts.now()),
            waits,
            first,
            woken: None,
            ended: false,
        });
    }

    fn on_start(&mut self, run: &RunId, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let Some(started) = facts.run_here() else {
            return;
        };
        if !matches!(started.role, Role::Event(_)) {
            return;
        }
        let mut told = facts.told_in(&entry.markers);
        told.retain(|child| !is_apart(child, entry, facts));
        for one in self.yields.iter_mut().filter(|one| one.key == started.key) {
            one.wake(run, &told, entry, facts, sink);
        }
    }

    /// Who was stopped, or began anew, is not woken.
    fn drop_stopped(&mut self, facts: &Facts) {
        self.yields.retain(|one| {
            let gone = |session: &crate::facts::SessionFacts| {
                session.deleted || session.told_to_forget || session.uncertain
            };
            let gone = facts.sessions.get(&one.key).is_none_or(gone);
            let stopped = facts
                .stop_here()
                .is_some_and(|stop| stop.all().any(|key| *key == one.key));
            let killed = facts.runs.get(&one.run).is_some_and(|run| run.cancelled);
            !gone && !stopped && !killed
        });
    }
}

impl Yield {
    /// A turn of its session tells of some runs.
    fn wake(
        &mut self,
        turn: &RunId,
        told: &[RunId],
        entry: &Entry,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let run_of = |id: &CallId| facts.calls.get(id).and_then(|call| call.run.as_ref());
        // What never began is told of by its task.
        let by_task = |id: &CallId| {
            let call = facts.calls.get(id);
            call.is_some_and(|call| {
                let run = call.run.as_ref();
                call.own.iter().any(|own| entry.markers.contains(own))
                    && !run.is_some_and(|run| is_apart(run, entry, facts))
            })
        };
        let is_told =
            |id: &&CallId| run_of(id).is_some_and(|run| told.contains(run)) || by_task(id);
        if !self.waits.iter().any(|id| is_told(&id)) {
            return;
        }
        let window = facts.dials.settle_window;
        let over = self
            .first
            .is_some_and(|first| first + window <= facts.now());
        let well = |run: &RunId| {
            let run = facts.runs.get(run);
            run.is_some_and(|run| match run.state {
                RunState::Asked => !run.start_unknown,
                RunState::Running | RunState::Ended(crate::stimulus::Outcome::Ok) => true,
                RunState::Refused | RunState::Ended(_) | RunState::Lost => false,
            })
        };
        if let Some(before) = self.woken.as_ref().filter(|before| well(before) && !over) {
            sink.fail(
                format!(
                    "run {turn} wakes session {}, which run {before} woke before from the same wait",
                    self.key
                ),
                "who yielded is woken once for all it waits for",
            );
            return;
        }
        let left = self.waits.iter().find(|id| {
            let call = facts.calls.get(*id);
            let open = call.is_some_and(|call| is_open(call, facts));
            let live = run_of(id).is_none_or(|run| !facts.is_over(run));
            open && live && !is_told(id)
        });
        if let Some(left) = left.filter(|_| !over) {
            let run = run_of(left).map_or_else(|| left.to_string(), ToString::to_string);
            sink.fail(
                format!(
                    "run {turn} wakes session {}, which waits for run {run} too",
                    self.key
                ),
                "who yielded is woken when all it waits for has ended",
            );
            return;
        }
        self.woken = Some(turn.clone());
        sink.witness();
    }

    /// Whether all it waits for was told otherwise, or is not owed any more.
    fn is_told(&self, facts: &Facts) -> bool {
        let open = |id: &CallId| facts.calls.get(id).is_some_and(|call| is_open(call, facts));
        let any_turn = |id: &CallId| {
            let call = facts.calls.get(id);
            call.is_some_and(|call| is_handed(call, facts))
        };
        let mut waits = self.waits.iter();
        !self.waits.is_empty() && (waits.clone().any(any_turn) || !waits.any(open))
    }
}

/// Whether what is told of a child wakes nobody: a reply repeats it, or a stop reached the child after
/// its end, and it is told of as killed.
fn is_apart(child: &RunId, entry: &Entry, facts: &Facts) -> bool {
    facts.was_overtaken(child) || repeats_in_reply(child, &entry.markers, facts)
}

/// Whether the end of a spawn was given to a turn.
fn is_handed(call: &CallFacts, facts: &Facts) -> bool {
    let completion = call.run.as_ref().and_then(|run| facts.completions.get(run));
    !call.told.is_empty() || completion.is_some_and(|completion| !completion.turns.is_empty())
}

/// Whether a spawn may still owe its end: what a gateway was told to stop as it died it may not
/// have heard, and what a child says in its own conversation is no news to whoever asked.
pub(in crate::rule) fn may_be_open(call: &CallFacts, facts: &Facts) -> bool {
    if is_open(call, facts) {
        return true;
    }
    let end = call
        .run
        .as_ref()
        .and_then(|run| facts.completions.get_key_value(run));
    if end.is_some_and(|(run, completion)| facts.is_said_at_home(run, completion)) {
        return true;
    }
    let earlier = call.is_accepted() && call.life < facts.lives && facts.was_stopped(call);
    let Some(run) = call.run.as_ref().filter(|_| earlier) else {
        return earlier && !call.heard;
    };
    let settled = facts.completions.get(run).map(|owed| &owed.settled);
    match settled {
        Some(settled) => matches!(settled, None | Some(Settled::Stopped)),
        None => !facts.is_over(run),
    }
}

/// Whether a text that tells of the end of a spawn is on its way into a run, over by now or not.
fn is_steered(call: &CallFacts, facts: &Facts) -> bool {
    let Some(child) = &call.run else {
        return false;
    };
    facts
        .steers
        .values()
        .any(|steer| steer.outcome.is_none() && facts.told_in(&steer.markers).contains(child))
}

/// Whether the run that calls was given the end of a spawn.
fn has_heard(by: &Caller, spawn: &CallFacts, facts: &Facts) -> bool {
    let Caller::Run(by) = by else {
        return false;
    };
    let completion = spawn
        .run
        .as_ref()
        .and_then(|run| facts.completions.get(run));
    spawn.told.contains(by) || completion.is_some_and(|completion| completion.turns.contains(by))
}

/// Whether the session that asked is told of a spawn's end, and nobody else.
pub(in crate::rule) fn is_parents(call: &CallFacts) -> bool {
    let said = |name: &str| call.params.get(name).is_some();
    call.wants_completion() && !said("notifyParent") && !said("notifyUserOnComplete")
}
