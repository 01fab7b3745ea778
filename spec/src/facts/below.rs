//! Who is below whom: what goes on for a child that waits for its own, and what is stopped with
//! whoever is above it.

use rustc_hash::{FxHashMap, FxHashSet};

use super::bound::Those;
use super::{Born, BornAs, CallFacts, Completion, Facts, Role, RunFacts, RunState, Settled, Table};
use crate::address::Address;
use crate::effect::UnboundBecause;
use crate::id::{CallId, Marker, RunId, SessionKey};
use crate::stimulus::{Caller, Inbound, Outcome};

/// What is known of those that are below others.
#[derive(Debug, Default)]
pub(super) struct Below {
    /// For each session of a child, its last run whose end was owed.
    child_runs: FxHashMap<SessionKey, RunId>,
    /// Turns of a child that go on where its run ended, and that run.
    continues: FxHashMap<RunId, RunId>,
    /// Sessions that were stopped from above, and hear no more of what they asked for before.
    stopped_from_above: FxHashMap<SessionKey, usize>,
    /// What the entry that facts are up to date with stops.
    pub(super) stop_here: Option<Stop>,
    /// Runs whose failure was made visible before they ended.
    pub(super) given_up: FxHashSet<RunId>,
    /// Runs that had ended, and that a stop reached before anybody was told of that.
    overtaken: FxHashSet<RunId>,
    /// Accepted spawns whose task no run was given yet, and of which nobody knows that none will be.
    pub(super) unbegun: Vec<CallId>,
}

impl Below {
    /// The spawns whose tasks are among some texts, and that have no run.
    fn unbegun_in(&self, markers: &[Marker], born: &Table<Marker, Born>) -> Vec<CallId> {
        let texts = markers.iter().filter_map(|marker| born.get(marker));
        let calls = texts.filter_map(|born| match &born.what {
            BornAs::Parameter(call) => Some(call),
            BornAs::Message { .. }
            | BornAs::Internal
            | BornAs::Progress(_)
            | BornAs::LastWords(_) => None,
        });
        calls
            .filter(|call| self.unbegun.contains(call))
            .cloned()
            .collect()
    }

    /// Forgets what is about runs that are forgotten.
    pub(super) fn forget(&mut self, is_known: impl Fn(&RunId) -> bool) {
        self.continues.retain(|turn, _| is_known(turn));
        self.given_up.retain(&is_known);
        self.overtaken.retain(&is_known);
        self.child_runs.retain(|_, run| is_known(run));
    }
}

/// A session that is stopped, and what is below it.
#[derive(Clone, Debug)]
pub struct Stop {
    /// The session that was named.
    pub root: SessionKey,
    /// Everything that it asked for, at any depth.
    pub below: Vec<SessionKey>,
    /// Whether the session that was named hears no more of what it asked for; one that is reset or
    /// deleted may have its place taken by whoever asked.
    pub silences: bool,
    /// How it was asked for, in words.
    pub by: String,
}

impl Stop {
    /// Every session whose runs are to end.
    pub fn all(&self) -> impl Iterator<Item = &SessionKey> {
        std::iter::once(&self.root).chain(&self.below)
    }

    fn silenced(&self) -> impl Iterator<Item = &SessionKey> {
        let root = std::iter::once(&self.root).filter(|_| self.silences);
        root.chain(&self.below)
    }
}

impl Facts {
    /// What the entry they are up to date with stops.
    pub fn stop_here(&self) -> Option<&Stop> {
        self.below.stop_here.as_ref()
    }

    /// Whether a stop reached a run after its end, and before anybody was told of that: it may be told
    /// of as killed.
    pub fn was_overtaken(&self, run: &RunId) -> bool {
        self.below.overtaken.contains(run)
    }

    /// Whether the gateway is at a call that stops something, and has not answered it.
    pub fn may_be_stopping(&self) -> bool {
        let mut calls = self.calls.values();
        calls.any(|call| {
            let stops = match call.method.as_str() {
                "sessions.reset" | "sessions.delete" => true,
                "subagents" => call.text("action") == Some("kill"),
                _ => false,
            };
            stops && call.waits_in(self.lives)
        })
    }

    /// The run of a child whose end is told with what is said in this turn of its session.
    pub fn goes_on_in(&self, turn: &RunId) -> Option<&RunId> {
        self.below.continues.get(turn)
    }

    /// The last run of a child's session whose end was owed to somebody.
    pub fn child_run(&self, key: &SessionKey) -> Option<&RunId> {
        self.below.child_runs.get(key)
    }

    /// A spawn was accepted, and its run may wait for its place.
    pub(super) fn note_unbegun(&mut self, id: &CallId) {
        let call = self.calls.get(id);
        let waits = call.is_some_and(|call| {
            call.method == "sessions_spawn" && call.is_accepted() && call.run.is_none()
        });
        if waits && !self.below.unbegun.contains(id) {
            self.below.unbegun.push(id.clone());
        }
    }

    /// A turn of whoever asked is given the task of a spawn that has no run: it never will.
    pub(super) fn note_unbegun_told(&mut self, turn: &RunId, markers: &[Marker]) {
        if self.below.unbegun.is_empty() {
            return;
        }
        let Some(key) = self.runs.get(turn).map(|run| &run.key) else {
            return;
        };
        let key = key.clone();
        for id in self.below.unbegun_in(markers, &self.born) {
            let Some(call) = self.calls.get_mut(&id) else {
                continue;
            };
            if call.session.as_ref() != Some(&key) || call.told.contains(turn) {
                continue;
            }
            call.told.push(turn.clone());
            // What was bound for a single run is bound no longer.
            if let Some(child) = single_run_of(call) {
                self.give_cause(Those::Of(&child), UnboundBecause::RunEnded);
            }
        }
    }

    /// A turn that was told of spawns that never began ended well.
    pub(super) fn settle_unbegun_by_turn(&mut self, turn: &RunId) {
        self.settle_unbegun(|call| call.told.contains(turn));
    }

    /// The failure of a run was made visible that nobody ever saw.
    pub(super) fn settle_unbegun_run(&mut self, run: &RunId) {
        self.settle_unbegun(|call| {
            let named = call.answer.as_ref().and_then(|answer| answer.get("runId"));
            named.and_then(|named| named.as_str()) == Some(run.as_str())
        });
    }

    /// People read where it was asked for that something never began.
    pub(super) fn settle_unbegun_posted(&mut self, at: &Address, markers: &[Marker]) {
        if self.below.unbegun.is_empty() {
            return;
        }
        let quoted = self.below.unbegun_in(markers, &self.born);
        self.below.unbegun.retain(|id| {
            let call = self.calls.get_mut(id).filter(|_| quoted.contains(id));
            let Some(call) = call.filter(|call| call.origins.contains(at)) else {
                return true;
            };
            call.heard = true;
            false
        });
    }

    fn settle_unbegun(&mut self, is_it: impl Fn(&CallFacts) -> bool) {
        self.below.unbegun.retain(|id| {
            let call = self.calls.get_mut(id);
            let Some(call) = call.filter(|call| is_it(call)) else {
                return true;
            };
            call.heard = true;
            false
        });
    }

    /// A child's end is owed to somebody.
    pub(super) fn note_child_end(&mut self, run: &RunId) {
        if let Some(key) = self.runs.get(run).map(|run| run.key.clone()) {
            self.below.child_runs.insert(key, run.clone());
        }
    }

    /// A turn in which a child heard of its own children ended well: what it says is part of the
    /// child's own end, where nobody was told of that yet.
    pub(super) fn go_on_in(&mut self, turn: &RunId, outcome: Outcome) {
        if outcome != Outcome::Ok
            || self.below.child_runs.is_empty()
            || self.told_by(turn).is_empty()
        {
            return;
        }
        let Some(run) = self.runs.get(turn) else {
            return;
        };
        let child = self.below.child_runs.get(&run.key);
        let Some(child) = child.filter(|_| matches!(run.role, Role::Event(_))) else {
            return;
        };
        // The end of one that failed, or that a stop reached, waits for nobody; nor does one that the
        // gateway died over.
        let waits = |child: &RunId| {
            let completion = self.completions.get(child);
            let well = self.runs.get(child).map(|run| run.state);
            completion.is_some_and(|c| {
                c.outcome == Outcome::Ok && c.settled.is_none() && c.turns.is_empty()
            }) && well == Some(RunState::Ended(Outcome::Ok))
                && !self.was_overtaken(child)
        };
        if waits(child) {
            self.below.continues.insert(turn.clone(), child.clone());
        }
    }

    /// The failure of a run is made visible before it ends: what is still to be told of it is nothing.
    pub(super) fn give_up_early(&mut self, run: &RunId) {
        if self.runs.get(run).is_some_and(|run| run.state.is_live()) {
            self.below.given_up.insert(run.clone());
        }
    }

    /// Whether somebody above stopped the session that made a call, since it did.
    pub fn was_stopped(&self, call: &CallFacts) -> bool {
        let stopped = call
            .session
            .as_ref()
            .and_then(|key| self.below.stopped_from_above.get(key));
        stopped.is_some_and(|&stopped| call.made.0 < stopped)
    }

    /// A run that yielded was told that it may.
    pub(super) fn note_yield(&mut self, id: &CallId) {
        let call = self.calls.get(id);
        let call = call.filter(|call| call.method == "sessions_yield");
        let yields = call.filter(|call| call.status() == Some("yielded"));
        if let Some(Caller::Run(run)) = yields.map(|call| &call.by)
            && let Some(run) = self.runs.get_mut(run)
        {
            run.yielded = true;
        }
    }

    /// A person says that everything is to stop.
    pub(super) fn on_stop_command(&mut self, inbound: &Inbound, heard: bool) {
        let word = inbound.text.split_whitespace().next().unwrap_or_default();
        if !(heard && inbound.authorised && word.eq_ignore_ascii_case("/stop")) {
            return;
        }
        if let Some(key) = self.session_for(&inbound.at).cloned() {
            let by = format!("message {} says /stop", inbound.message);
            self.stop(key, true, by);
        }
    }

    /// A call that stops something was answered.
    pub(super) fn on_stopping_answer(&mut self, id: &CallId) {
        let Some(call) = self.calls.get(id) else {
            return;
        };
        if call.answer.is_none() || matches!(call.status(), Some("error" | "forbidden")) {
            return;
        }
        match call.method.as_str() {
            "sessions.reset" | "sessions.delete" => {
                let key = call.text("key").and_then(|key| self.session_named(key));
                if let Some(key) = key.cloned() {
                    let by = format!("call {id} of {}", call.method);
                    self.stop(key, false, by);
                }
            }
            "subagents" if call.text("action") == Some("kill") => {
                let by = format!("call {id} kills");
                for key in killed(call) {
                    self.stop(key, true, by.clone());
                }
            }
            _ => (),
        }
    }

    /// The gateway died before it answered: what it was to stop it may have stopped.
    pub(super) fn suppose_stops(&mut self) {
        let mut roots: Vec<SessionKey> = Vec::new();
        for call in self.unanswered_calls() {
            match call.method.as_str() {
                "sessions.reset" | "sessions.delete" => {
                    let key = call.text("key").and_then(|key| self.session_named(key));
                    roots.extend(key.cloned());
                }
                // Whichever child it names.
                "subagents" if call.text("action") == Some("kill") => {
                    roots.extend(call.session.clone());
                }
                _ => (),
            }
        }
        for root in roots {
            self.stop(root, false, String::new());
        }
        // Nobody can be held to it.
        self.below.stop_here = None;
    }

    /// The gateway died before it answered: whoever asked to yield may have done so.
    pub(super) fn suppose_yields(&mut self) {
        let yields = self
            .unanswered_calls()
            .filter(|call| call.method == "sessions_yield");
        let runs: Vec<RunId> = yields
            .filter_map(|call| match &call.by {
                Caller::Run(run) => Some(run.clone()),
                Caller::Admin | Caller::Plugin => None,
            })
            .collect();
        for run in runs {
            if let Some(run) = self.runs.get_mut(&run) {
                run.yielded = true;
            }
        }
    }

    fn stop(&mut self, root: SessionKey, silences: bool, by: String) {
        let mut below: Vec<SessionKey> = match self.below.stop_here.take() {
            // Several are stopped with one call: the first stands for all.
            Some(stop) => {
                let mut stop = stop;
                let more = self.all_below(&root);
                let new = std::iter::once(root).chain(more);
                let new: Vec<_> = new.filter(|key| !stop.below.contains(key)).collect();
                stop.below.extend(new);
                return self.take_stop(stop);
            }
            None => self.all_below(&root),
        };
        below.sort();
        self.take_stop(Stop {
            root,
            below,
            silences,
            by,
        });
    }

    fn take_stop(&mut self, stop: Stop) {
        for key in stop.silenced() {
            self.below
                .stopped_from_above
                .insert(key.clone(), self.index);
        }
        let mut moot: Vec<RunId> = Vec::new();
        for (run, completion) in self.completions.iter() {
            if completion.settled.is_some() && !self.is_said_at_home(run, completion) {
                continue;
            }
            let key = self.runs.get(run).map(|run| &run.key);
            let requester = completion.requester.as_ref();
            if requester.is_some_and(|key| stop.silenced().any(|stopped| stopped == key)) {
                moot.push(run.clone());
            }
            if key.is_some_and(|key| stop.all().any(|stopped| stopped == key)) {
                self.below.overtaken.insert(run.clone());
            }
        }
        for run in moot {
            self.settle_completion(&run, Settled::Stopped);
        }
        self.stop_unbegun(&stop);
        self.below.stop_here = Some(stop);
    }

    /// Whether all that came of a child's end is what it said where it is bound, arrived or not:
    /// that told whoever asked nothing.
    pub fn is_said_at_home(&self, run: &RunId, completion: &Completion) -> bool {
        let bound = |run: &RunFacts| {
            let mut origins = completion.origins.iter();
            origins.any(|at| self.was_bound(&run.key, at))
        };
        // A turn that failed told nobody.
        let told = |turn: &RunId| {
            let turn = self.runs.get(turn).map(|turn| turn.state);
            turn.is_some_and(|turn| turn.is_live() || turn == RunState::Ended(Outcome::Ok))
        };
        matches!(completion.settled, Some(Settled::Posted | Settled::Failed))
            && !completion.turns.iter().any(told)
            && self.runs.get(run).is_some_and(bound)
    }

    /// Spawns that a stop reaches before they have a run: what was bound for that one is bound no
    /// longer.
    fn stop_unbegun(&mut self, stop: &Stop) {
        let unbegun = self.below.unbegun.iter();
        let children = unbegun.filter_map(|id| single_run_of(self.calls.get(id)?));
        let reached = children.filter(|child| stop.all().any(|key| key == child));
        for child in reached.collect::<Vec<_>>() {
            self.give_cause(Those::Of(&child), UnboundBecause::RunEnded);
        }
    }
}

/// The session that an accepted spawn made for a single run.
fn single_run_of(call: &CallFacts) -> Option<SessionKey> {
    let text = |name: &str| call.answer.as_ref()?.get(name)?.as_str();
    let child = text("childSessionKey").filter(|_| text("mode") == Some("run"));
    child.map(SessionKey::from)
}

/// The sessions that an answer to `subagents kill` names.
fn killed(call: &CallFacts) -> Vec<SessionKey> {
    let answer = call.answer.as_ref();
    let named = answer.and_then(|answer| answer.get("killed").or(answer.get("sessionKey")));
    let all = match named {
        Some(serde_json::Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let keys = all.into_iter().filter_map(|key| key.as_str());
    keys.map(SessionKey::from).collect()
}
