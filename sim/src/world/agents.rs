//! Agents: runs that follow a script, and remember what they were given and said.

use std::collections::VecDeque;

use moorline_spec::effect::{Effect, Memory, StartRun};
use moorline_spec::id::{CallId, Marker, RunId, SessionKey};
use moorline_spec::scenario::{Action, Anchor, Ending};
use moorline_spec::stimulus::{
    Compacted, Outcome, RunEnded, RunProgress, RunStarted, Start, Steered, Steering, Stimulus,
};
use moorline_spec::time::{Span, Time};
use moorline_spec::trace;
use rustc_hash::FxHashMap;

use super::clock::{At, Class, Life, RunIndex, What};
use super::names::NameIndex;
use super::text::Said;
use super::{World, latency};
use crate::numbered::numbered;

/// One run.
#[derive(Debug)]
pub(super) struct Run<'s> {
    pub(super) id: RunId,
    pub(super) key: SessionKey,
    pub(super) name: NameIndex,
    pub(super) state: State,
    /// Which incarnation's memory it has.
    slot: usize,
    /// The markers it was given, at its start and by steering.
    pub(super) given: Vec<Marker>,
    script: VecDeque<&'s Action>,
    stays: bool,
    recalls: bool,
    rewords: bool,
    /// The number of what it does next: what was put off has an older one.
    turn: u32,
    /// The call it waits for.
    pub(super) calling: CallId,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It acts again at some time.
    Going,
    /// It waits for the answer to a call.
    Calling,
    /// It waits for a step to end it.
    Staying,
    /// It was asked for and never started, and nobody says so.
    Absent,
    /// It was asked for, and refused: it has no end.
    Refused,
    /// It is over.
    Over,
}

impl State {
    /// Whether the run goes on.
    pub(super) fn is_alive(self) -> bool {
        match self {
            Self::Going | Self::Calling | Self::Staying => true,
            Self::Absent | Self::Refused | Self::Over => false,
        }
    }
}

/// What agents remember: by session key, each incarnation apart, so that what a late run of an
/// older one says is not remembered by the newer one.
#[derive(Debug, Default)]
pub(super) struct Memories {
    slots: Vec<Vec<Marker>>,
    current: FxHashMap<SessionKey, usize>,
    /// How much of each was compacted.
    compacted: FxHashMap<usize, usize>,
}

impl Memories {
    /// The memory a run starts with.
    fn start(&mut self, key: &SessionKey, memory: &Memory) -> usize {
        let kept = match memory {
            Memory::Continue => {
                if let Some(&slot) = self.current.get(key) {
                    return slot;
                }
                Vec::new()
            }
            Memory::Fresh => Vec::new(),
            Memory::Fork(from) => {
                let slot = self.current.get(from);
                slot.map(|&slot| self.slots[slot].clone())
                    .unwrap_or_default()
            }
        };
        self.slots.push(kept);
        self.current.insert(key.clone(), self.slots.len() - 1);
        self.slots.len() - 1
    }
}

impl<'s> World<'s> {
    /// A run was asked for, in an entry of the trace.
    pub(super) fn on_start(&mut self, request: At) {
        let seq = self.clock.request();
        let trace::What::Effect(Effect::StartRun(start)) = &self.trace.entries[request].what else {
            return;
        };
        let (id, key) = (start.run.clone(), start.session_key.clone());
        if !self.agents.contains(&start.agent) || self.run_ids.contains_key(&id) {
            let outcome = Start::Refused;
            let answer = Stimulus::RunStarted(RunStarted { run: id, outcome });
            let what = What::Answer(Box::new(answer));
            self.clock
                .push_as(self.now + latency::START, Class::Answer, seq, false, what);
            return;
        }
        let fault = self.start_fault(request);
        let run = self.add_run(request, id, key, fault.map(|(start, _)| start));
        let delay = fault.and_then(|(_, delay)| delay);
        let at = self.now + delay.unwrap_or(latency::START);
        let outcome = fault.map_or(Start::Started, |(start, _)| start);
        let what = What::Started(run, outcome);
        self.clock
            .push_as(at, Class::Answer, seq, delay.is_some(), what);
        if fault.is_none() {
            let is_idle = self.runs[run].script.is_empty();
            self.act_in(
                run,
                if is_idle {
                    latency::IDLE_RUN
                } else {
                    latency::ACT
                },
            );
        }
    }

    fn add_run(
        &mut self,
        request: At,
        id: RunId,
        key: SessionKey,
        fault: Option<Start>,
    ) -> RunIndex {
        let (starts, state) = match fault {
            None | Some(Start::Started) => (true, State::Going),
            Some(Start::Unknown) => (false, State::Absent),
            Some(Start::Refused) => (false, State::Refused),
        };
        let given = self.trace.entries[request].markers.clone();
        let name = self.names.of_run(&given, id.as_str());
        let slot = if starts {
            self.remember_start(request)
        } else {
            0
        };
        let mut script = VecDeque::new();
        self.claim_scripts(&given, &key, starts, &mut script);
        let named = self.names.at(name);
        let stays = named.stays && named.given_to.as_ref() == Some(&key);
        self.run_ids.insert(id.clone(), self.runs.len());
        self.runs.push(Run {
            id,
            key,
            name,
            state,
            slot,
            given,
            script,
            stays,
            recalls: false,
            rewords: false,
            turn: 0,
            calling: CallId::default(),
        });
        self.runs.len() - 1
    }

    fn remember_start(&mut self, request: At) -> usize {
        let entry = &self.trace.entries[request];
        let trace::What::Effect(Effect::StartRun(StartRun {
            session_key,
            memory,
            ..
        })) = &entry.what
        else {
            return 0;
        };
        let slot = self.memories.start(session_key, memory);
        self.memories.slots[slot].extend(entry.markers.iter().cloned());
        slot
    }

    /// A script belongs to the first run that is given its marker, or, where that one was not
    /// started, to the next of its session.
    fn claim_scripts(
        &mut self,
        given: &[Marker],
        key: &SessionKey,
        starts: bool,
        script: &mut VecDeque<&'s Action>,
    ) {
        for marker in given {
            let Some(named) = self
                .names
                .get_mut(marker.as_str())
                .filter(|named| named.given)
            else {
                continue;
            };
            if named.given_to.is_none() {
                named.given_to = Some(key.clone());
            }
            if starts && named.given_to.as_ref() == Some(key) {
                script.extend(named.script.take().unwrap_or_default());
            }
        }
        if starts && !self.afterwards.is_empty() {
            let next = self.runs.len();
            self.claim_afterwards(given, next, script);
        }
    }

    /// The script of a step that ended a run belongs to the first other run that is given its last
    /// words.
    fn claim_afterwards(
        &mut self,
        given: &[Marker],
        run: RunIndex,
        script: &mut VecDeque<&'s Action>,
    ) {
        self.afterwards.retain(|after| {
            let is_it = after.of != run && given.contains(&after.marker);
            if is_it {
                script.extend(after.script);
            }
            !is_it
        });
    }

    /// An agent acts again after some time; what it was to do before that is put off.
    pub(super) fn act_in(&mut self, run: RunIndex, after: Span) {
        self.act_at(run, self.now + after);
    }

    /// An agent acts again at a time.
    pub(super) fn act_at(&mut self, run: RunIndex, at: Time) {
        let state = &mut self.runs[run];
        state.state = State::Going;
        state.turn += 1;
        self.clock
            .push(at, Class::Agent, What::Act(run, state.turn));
    }

    /// An agent does the next things of its script, up to one that takes time.
    pub(super) fn on_act(&mut self, run: RunIndex, turn: u32) {
        if self.runs[run].turn != turn || self.runs[run].state != State::Going {
            return;
        }
        while let Some(action) = self.runs[run].script.pop_front() {
            let is_done = match action {
                Action::Recall(recalls) => {
                    self.runs[run].recalls = *recalls;
                    false
                }
                Action::Reword(rewords) => {
                    self.runs[run].rewords = *rewords;
                    false
                }
                Action::Stay(stays) => {
                    self.runs[run].stays = *stays;
                    if *stays {
                        self.runs[run].script.clear();
                    }
                    false
                }
                Action::Wait(span) => {
                    self.act_in(run, *span);
                    true
                }
                Action::Progress(words) => {
                    self.say_progress(run, words);
                    self.act_in(run, latency::ACT);
                    true
                }
                Action::End(ending) => {
                    self.end_as_told(run, ending);
                    true
                }
                Action::Spawn(spawn) => self.spawn(run, spawn),
                Action::Spawns(spawns) => {
                    let calls = spawns.iter().filter(|spawn| self.spawn(run, spawn));
                    calls.count() > 0
                }
                Action::Send(send) => self.send(run, send),
                Action::Call(call) => self.call_method(run, call),
            };
            if is_done {
                return;
            }
        }
        match (self.runs[run].stays, self.healed.is_some()) {
            (true, false) => self.runs[run].state = State::Staying,
            // No step is left that could end it.
            (true, true) => self.end_run(run, Outcome::Lost, "", None),
            (false, _) => self.end_run(run, Outcome::Ok, Outcome::Ok.as_str(), None),
        }
    }

    fn end_as_told(&mut self, run: RunIndex, ending: &Ending) {
        let words = ending.text.as_deref().unwrap_or(ending.outcome.as_str());
        self.end_run(run, ending.outcome, words, ending.length);
    }

    /// A run says something before its end.
    pub(super) fn say_progress(&mut self, run: RunIndex, words: &str) {
        let said = self.speak(run, words, None, false);
        let progress = RunProgress {
            run: self.runs[run].id.clone(),
            text: said.text,
        };
        self.tell(Stimulus::RunProgress(progress), said.own, said.markers);
    }

    /// A run is over; returns its last words' own marker.
    pub(super) fn end_run(
        &mut self,
        run: RunIndex,
        outcome: Outcome,
        words: &str,
        length: Option<usize>,
    ) {
        let crash = self.crash_before_end(run);
        if let Some(crash) = crash {
            self.crash(crash);
            if !self.runs[run].state.is_alive() {
                return;
            }
        }
        let named = self.runs[run].name;
        self.runs[run].state = State::Over;
        if self.names.at(named).given_to.as_ref() == Some(&self.runs[run].key) {
            self.names.at(named).stays = false;
        }
        self.tell_end(run, outcome, words, length);
    }

    /// The news that a run is over.
    pub(super) fn tell_end(
        &mut self,
        run: RunIndex,
        outcome: Outcome,
        words: &str,
        length: Option<usize>,
    ) {
        let said = self.speak(run, words, length, true);
        let ended = RunEnded {
            run: self.runs[run].id.clone(),
            outcome,
            text: said.text,
        };
        self.after_end(run);
        self.tell(Stimulus::RunEnded(ended), said.own, said.markers);
        self.compact_if_full(run);
    }

    /// A transcript that no longer fits its agent's context is compacted at the end of a run.
    fn compact_if_full(&mut self, run: RunIndex) {
        let Some(limit) = self.scenario.context_limit else {
            return;
        };
        let (slot, session) = (self.runs[run].slot, self.runs[run].key.clone());
        let length = self.memories.slots.get(slot).map_or(0, Vec::len);
        let compacted = self.memories.compacted.entry(slot).or_default();
        let is_current = self.memories.current.get(&session) == Some(&slot);
        if is_current && length - *compacted > limit {
            *compacted = length;
            let compacted = Stimulus::Compacted(Compacted { session });
            self.tell(compacted, Vec::new(), Vec::new());
        }
    }

    fn after_end(&mut self, run: RunIndex) {
        if self.crashes.is_none() || self.down.is_some() {
            return;
        }
        let crash = self.crash_after(Anchor::Ended, |world, of| world.is_run_of(run, of));
        self.crash_after_telling = self.crash_after_telling.or(crash);
    }

    /// What a run says, with the markers it repeats and one of its own. Nothing is said in no
    /// words, and a silent token stands alone.
    fn speak(&mut self, run: RunIndex, words: &str, length: Option<usize>, last: bool) -> Said {
        if words.is_empty() || SILENT.contains(&words) {
            return Said {
                text: words.into(),
                ..Said::default()
            };
        }
        let state = &self.runs[run];
        let mut repeated = Vec::new();
        if last && !state.rewords {
            repeated.extend_from_slice(&state.given);
        }
        if last && state.recalls {
            let memory = &self.memories.slots[state.slot];
            let more: Vec<_> = memory
                .iter()
                .filter(|marker| !repeated.contains(marker))
                .collect();
            for marker in more {
                if !repeated.contains(marker) {
                    repeated.push(marker.clone());
                }
            }
        }
        let named = self.names.at(state.name);
        named.outputs += 1;
        let own = Marker::from(numbered(
            &[named.marker.as_str(), "."],
            named.outputs.into(),
        ));
        let said = Said::repeating(words, &repeated, own, length.unwrap_or(0));
        for own in &said.own {
            self.names.born(own.clone(), run);
            self.memories.slots[self.runs[run].slot].push(own.clone());
        }
        said
    }

    /// The moment at which a text is steered into a run, or not.
    pub(super) fn on_steer(&mut self, seq: u64, request: At, refused: bool, life: Life) {
        let entry = &self.trace.entries[request];
        let trace::What::Effect(Effect::SteerRun(steer)) = &entry.what else {
            return;
        };
        let id = steer.steer.clone();
        let run = self.run_ids.get(&steer.run).copied();
        let run = run.filter(|&run| !refused && self.runs[run].state.is_alive());
        if let Some(run) = run {
            let markers = entry.markers.clone();
            self.steer_in(run, markers);
        }
        let outcome = if run.is_some() {
            Steering::Taken
        } else {
            Steering::Refused
        };
        if life == self.life {
            let steered = Stimulus::Steered(Steered { steer: id, outcome });
            self.clock.push_as(
                self.now,
                Class::Answer,
                seq,
                false,
                What::Answer(Box::new(steered)),
            );
        }
    }

    fn steer_in(&mut self, run: RunIndex, markers: Vec<Marker>) {
        let mut script = VecDeque::new();
        for marker in &markers {
            let named = self.names.get_mut(marker.as_str());
            if let Some(named) = named.filter(|named| named.given && named.given_to.is_none()) {
                named.given_to = Some(self.runs[run].key.clone());
                script.extend(named.script.take().unwrap_or_default());
            }
        }
        self.claim_afterwards(&markers, run, &mut script);
        let slot = self.runs[run].slot;
        for marker in markers {
            if !self.runs[run].given.contains(&marker) {
                self.runs[run].given.push(marker.clone());
            }
            self.memories.slots[slot].push(marker);
        }
        let was_idle = self.runs[run].script.is_empty();
        self.runs[run].script.extend(script);
        if was_idle && !self.runs[run].script.is_empty() && self.runs[run].state != State::Calling {
            self.act_in(run, latency::ACT);
        }
    }

    /// A run is stopped, unless it ended before.
    pub(super) fn on_kill(&mut self, run: RunIndex) {
        if self.runs[run].state.is_alive() || self.runs[run].state == State::Absent {
            self.end_run(run, Outcome::Killed, "", None);
        }
    }

    /// The run of a name that was over last.
    pub(super) fn over(&self, name: &str) -> Option<RunIndex> {
        let index = self.names.index(name)?;
        let over =
            |&run: &RunIndex| self.runs[run].name == index && self.runs[run].state == State::Over;
        let key = self
            .names
            .get(name)
            .and_then(|named| named.given_to.as_ref());
        let own = |&run: &RunIndex| Some(&self.runs[run].key) == key;
        (0..self.runs.len()).rev().filter(over).find(own)
    }

    /// The run that a step means by a name: of the session that was first given the name, else any.
    pub(super) fn going(&self, name: &str) -> Option<RunIndex> {
        let index = self.names.index(name)?;
        let key = self
            .names
            .get(name)
            .and_then(|named| named.given_to.as_ref());
        let alive =
            |&run: &RunIndex| self.runs[run].name == index && self.runs[run].state.is_alive();
        let all = || (0..self.runs.len()).rev().filter(alive);
        all()
            .find(|&run| Some(&self.runs[run].key) == key)
            .or_else(|| all().next())
    }
}

/// Words that mean silence; an agent says them bare.
const SILENT: [&str; 3] = ["NO_REPLY", "ANNOUNCE_SKIP", "REPLY_SKIP"];
