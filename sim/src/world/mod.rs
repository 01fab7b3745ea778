//! What surrounds a gateway: virtual time, channels, people, agents, a disk, and misfortune.
//!
//! A play takes one scenario through one gateway and leaves a trace. It draws no random number and
//! reads no clock, so the same scenario and the same gateway leave the same trace.

mod agents;
mod calls;
mod clock;
mod crash;
mod deliveries;
mod effects;
mod faults;
mod names;
mod places;
mod rest;
mod steps;
#[cfg(test)]
mod tests;
mod text;
mod threads;

use std::collections::VecDeque;
use std::sync::Arc;

use moorline_spec::effect::Effect;
use moorline_spec::gateway::Gateway;
use moorline_spec::id::{AgentId, CallId, Marker, RunId, Text};
use moorline_spec::observe::Observer;
use moorline_spec::profile::Profile;
use moorline_spec::record::Record;
use moorline_spec::scenario::{Action, Crash, Scenario};
use moorline_spec::stimulus::{Open, Stimulus};
use moorline_spec::time::{Span, Time};
use moorline_spec::trace::{Entry, Rest, Trace, What, World as Happening};
use moorline_spec::wire::Disk;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde_json::Value;

use agents::{Memories, Run};
use clock::{Clock, Life, RunIndex};
use crash::Crashes;
use faults::Plan;
use names::Names;
use places::Places;
use rest::Next;

/// What a play needs beside the scenario and the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// What the gateway promises: how long it may take in the end.
    pub profile: &'a Profile,
    /// Who holds its disk: where a crash may fall.
    pub disk: Disk,
}

/// What is left of a play.
#[derive(Debug)]
pub struct Played<E> {
    /// What was seen, also where the gateway could not go on.
    pub trace: Trace,
    /// How it ended.
    pub end: Result<Rest, Stopped<E>>,
}

/// Why a play could not be played to its end: never a verdict on a rule.
#[derive(Debug)]
pub enum Stopped<E> {
    /// The gateway could not go on.
    Gateway(E),
    /// The gateway wakes again and again, and time does not pass.
    NeverQuiet(String),
}

/// Takes one scenario through one gateway. The observer sees every entry of the trace, and says
/// when the play may rest.
pub fn play<G: Gateway>(
    scenario: &Scenario,
    stage: &Stage<'_>,
    gateway: &mut G,
    observer: &mut impl Observer,
) -> Played<G::Error> {
    let mut world = World::new(scenario, stage);
    let end = world.go_on(gateway, observer);
    world.show(observer);
    Played {
        trace: world.trace,
        end,
    }
}

/// How long things take.
mod latency {
    use moorline_spec::time::Span;

    /// From `StartRun` to its answer.
    pub(super) const START: Span = Span::ms(10);
    /// From the start of a run, or an answer, to what its agent does next.
    pub(super) const ACT: Span = Span::ms(40);
    /// From the start to the end of a run without a script.
    pub(super) const IDLE_RUN: Span = Span::ms(300);
    /// From a delivery to its post.
    pub(super) const POST: Span = Span::ms(25);
    /// From a delivery to its receipt.
    pub(super) const RECEIPT: Span = Span::ms(50);
    /// From a request for a thread to the thread.
    pub(super) const THREAD_MADE: Span = Span::ms(100);
    /// From a request for a thread to its answer.
    pub(super) const THREAD: Span = Span::ms(200);
    /// From a probe to its answer.
    pub(super) const PROBE: Span = Span::ms(50);
    /// From a text for a run to its answer.
    pub(super) const STEER: Span = Span::ms(20);
    /// From a request to stop a run to its end.
    pub(super) const CANCEL: Span = Span::ms(20);
}

/// How often a gateway may wake at one instant.
const WAKES_AT_ONCE_MAX: u32 = 10_000;

/// A stimulus with the markers of its entry.
#[derive(Debug)]
struct Told {
    stimulus: Stimulus,
    own: Vec<Marker>,
    markers: Vec<Marker>,
}

/// A script that comes with the end of a run.
#[derive(Debug)]
struct Afterwards<'s> {
    /// The marker of the last words, or of the run where it left none.
    marker: Marker,
    /// The run that ended.
    of: RunIndex,
    script: &'s [Action],
}

/// A play that goes on.
struct World<'s> {
    scenario: &'s Scenario,
    disk: Disk,
    /// How long after the healing things may be owed.
    patience: Span,
    trace: Trace,
    /// How many entries the observer has seen.
    shown: usize,
    now: Time,
    clock: Clock,
    /// The steps by time, and how many were taken.
    steps: Vec<(Time, usize)>,
    next_step: usize,
    places: Places<'s>,
    names: Names<'s>,
    runs: Vec<Run<'s>>,
    run_ids: FxHashMap<RunId, RunIndex>,
    memories: Memories,
    afterwards: Vec<Afterwards<'s>>,
    /// Calls that were not answered yet, and the run that waits.
    calls: FxHashMap<CallId, Option<RunIndex>>,
    plan: Plan<'s>,
    crashes: Crashes<'s>,
    /// The crash that falls once the gateway was told what it is about to be told.
    crash_after_telling: Option<&'s Crash>,
    /// The crash that withholds the next reply.
    withhold: Option<&'s Crash>,
    /// A clean end was asked for, and how long the gateway stays down.
    restarting: Option<Span>,
    /// Until when the gateway is down.
    down: Option<Time>,
    life: Life,
    /// Runs that outlive the life before the next one.
    alive: Vec<RunId>,
    /// What could not be told while the gateway was down.
    backlog: VecDeque<Told>,
    /// What the gateway is told next, all at once, and the markers of each.
    told: Vec<Stimulus>,
    marks: Vec<(Vec<Marker>, Vec<Marker>)>,
    persisted: Vec<Record>,
    /// The half of a record that was being written when the gateway died.
    torn: Option<Text>,
    config: Arc<Value>,
    agents: Arc<[AgentId]>,
    healed: Option<Time>,
    /// How often the gateway woke, in all and at this instant.
    wakes: u64,
    wakes_at_once: u32,
    /// How often the gateway was told something since the last step, wakes apart.
    told_since_steps: u64,
}

impl<'s> World<'s> {
    fn new(scenario: &'s Scenario, stage: &Stage<'_>) -> Self {
        let dials = &stage.profile.dials;
        // A message has a run, and a child some more.
        let runs = 2 * scenario.steps.len();
        Self {
            scenario,
            disk: stage.disk,
            patience: dials.relay_window.max(dials.settle_window)
                + dials.sweep_every
                + Span::mins(1),
            trace: Trace {
                entries: Vec::with_capacity(64 + 16 * scenario.steps.len()),
            },
            shown: 0,
            now: Time::ZERO,
            clock: Clock::default(),
            steps: steps::times(scenario),
            next_step: 0,
            places: Places::of(scenario),
            names: Names::of(scenario),
            runs: Vec::with_capacity(runs),
            run_ids: FxHashMap::with_capacity_and_hasher(runs, FxBuildHasher),
            memories: Memories::default(),
            afterwards: Vec::new(),
            calls: FxHashMap::default(),
            plan: Plan::of(scenario),
            crashes: Crashes::of(scenario, stage.disk),
            crash_after_telling: None,
            withhold: None,
            restarting: None,
            down: None,
            life: 0,
            alive: Vec::new(),
            backlog: VecDeque::new(),
            told: Vec::new(),
            marks: Vec::new(),
            persisted: Vec::new(),
            torn: None,
            config: Arc::new(scenario.config.clone()),
            agents: scenario.agents.as_slice().into(),
            healed: None,
            wakes: 0,
            wakes_at_once: 0,
            told_since_steps: 0,
        }
    }

    fn go_on<G: Gateway>(
        &mut self,
        gateway: &mut G,
        observer: &mut impl Observer,
    ) -> Result<Rest, Stopped<G::Error>> {
        let mut effects = Vec::new();
        let files = self.scenario.disk.iter();
        self.persisted = files
            .map(|file| match file.as_str() {
                Some(text) => Record::from(text),
                None => Record::from(file.to_string()),
            })
            .collect();
        let open = self.open(!self.persisted.is_empty());
        self.tell(Stimulus::Open(open), Vec::new(), Vec::new());
        loop {
            if !self.told.is_empty() {
                self.hand_over(gateway, &mut effects)
                    .map_err(Stopped::Gateway)?;
            }
            self.show(observer);
            if self.down.is_none()
                && let Some(told) = self.backlog.pop_front()
            {
                self.tell(told.stimulus, told.own, told.markers);
                continue;
            }
            match self.next(gateway.wake_at(), observer) {
                Next::Due => self.do_next(),
                Next::Step => self.take_step(),
                Next::Wake(at) => self.wake(at).map_err(Stopped::NeverQuiet)?,
                Next::Heal => self.heal(),
                Next::Rest(rest) => {
                    self.happens(Happening::Rest(rest));
                    return Ok(rest);
                }
            }
        }
    }

    /// What the gateway knows when a life begins.
    fn open(&mut self, restored: bool) -> Box<Open> {
        for record in &mut self.persisted {
            // A later life reads it again.
            *record = record.text().into();
        }
        Box::new(Open {
            starts_at: self.scenario.starts_at.as_str().into(),
            timezone: self.scenario.timezone.as_str().into(),
            config: Arc::clone(&self.config),
            channels: Arc::clone(&self.places.channels),
            agents: Arc::clone(&self.agents),
            restored,
            disk: self
                .persisted
                .iter()
                .map(Record::text)
                .chain(self.torn.take())
                .collect(),
            alive: std::mem::take(&mut self.alive),
            state_dir: None,
        })
    }

    /// The gateway is told something, with the next call; later, where it is down.
    #[inline]
    fn tell(&mut self, stimulus: Stimulus, own: Vec<Marker>, markers: Vec<Marker>) {
        if self.down.is_some() {
            self.backlog.push_back(Told {
                stimulus,
                own,
                markers,
            });
        } else {
            self.told.push(stimulus);
            self.marks.push((own, markers));
        }
    }

    /// The gateway hears what it is told, and what it asks for takes place.
    fn hand_over<G: Gateway>(
        &mut self,
        gateway: &mut G,
        effects: &mut Vec<Effect>,
    ) -> Result<(), G::Error> {
        let result = gateway.handle(self.now, &self.told, effects);
        let is_wake = matches!(self.told.first(), Some(Stimulus::Wake {}));
        self.told_since_steps += u64::from(!is_wake);
        for stimulus in &self.told {
            if let Stimulus::Call(call) = stimulus {
                let run = self.caller(call);
                self.calls.insert(call.call.clone(), run);
            }
        }
        let at = self.now;
        let mut marks = self.marks.drain(..);
        for stimulus in self.told.drain(..) {
            let (own, markers) = marks.next().unwrap_or_default();
            self.trace.entries.push(Entry {
                at,
                what: What::Stimulus(stimulus),
                own,
                markers,
            });
        }
        drop(marks);
        if result.is_ok() {
            self.reply(effects);
        }
        result
    }

    #[inline]
    fn record(&mut self, what: What, own: Vec<Marker>, markers: Vec<Marker>) {
        self.trace.entries.push(Entry {
            at: self.now,
            what,
            own,
            markers,
        });
    }

    /// Something happens in the world.
    fn happens(&mut self, what: Happening) {
        self.record(What::World(what), Vec::new(), Vec::new());
    }

    fn show(&mut self, observer: &mut impl Observer) {
        for (index, entry) in self.trace.entries.iter().enumerate().skip(self.shown) {
            observer.see(index, entry);
        }
        self.shown = self.trace.entries.len();
    }

    fn wake(&mut self, at: Time) -> Result<(), String> {
        self.wakes += 1;
        self.wakes_at_once = if at == self.now {
            self.wakes_at_once + 1
        } else {
            0
        };
        if self.wakes_at_once > WAKES_AT_ONCE_MAX {
            return Err(format!(
                "it wants to wake at {at} again and again, and time stands still"
            ));
        }
        self.now = at;
        self.tell(Stimulus::Wake {}, Vec::new(), Vec::new());
        Ok(())
    }
}
