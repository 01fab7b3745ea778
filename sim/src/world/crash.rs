//! The death of the gateway's process, and what comes after it.

use moorline_spec::effect::Effect;
use moorline_spec::id::RunId;
use moorline_spec::marker::markers_in;
use moorline_spec::scenario::{Anchor, Crash, CrashPoint, RunsAfterCrash, Scenario, Verb};
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Span;
use moorline_spec::trace::{self, World as Happening};
use moorline_spec::wire::Disk;

use super::agents::State;
use super::clock::{At, Class, Life, RunIndex, What};
use super::{Told, World, latency};

/// The crashes of a scenario that fall at points of the play rather than at times.
#[derive(Debug, Default)]
pub(super) struct Crashes<'s> {
    left: Vec<Pending<'s>>,
    /// How many effects the gateway has had in the play.
    effects: usize,
}

#[derive(Debug)]
struct Pending<'s> {
    crash: &'s Crash,
    point: CrashPoint,
    /// Whether the anchor that has to come first was passed.
    is_armed: bool,
}

impl<'s> Crashes<'s> {
    /// The crashes of a scenario. A gateway whose disk nobody holds is never crashed.
    pub(super) fn of(scenario: &'s Scenario, disk: Disk) -> Self {
        let mut crashes = Self::default();
        if disk == Disk::None {
            return crashes;
        }
        for step in &scenario.steps {
            crashes.collect(&step.verb);
        }
        crashes
    }

    fn collect(&mut self, verb: &'s Verb) {
        if let Verb::AtOnce(verbs) = verb {
            for verb in verbs {
                self.collect(verb);
            }
        }
        let Verb::Crash(crash) = verb else {
            return;
        };
        let is_armed = match crash.point() {
            CrashPoint::Time | CrashPoint::Withheld => return,
            CrashPoint::Before(_, after) => after.is_none(),
            CrashPoint::After(_) | CrashPoint::Effects(_) => true,
        };
        self.left.push(Pending {
            crash,
            point: crash.point(),
            is_armed,
        });
    }

    /// Whether none is left.
    pub(super) fn is_none(&self) -> bool {
        self.left.is_empty()
    }
}

impl<'s> World<'s> {
    /// The crash that falls right before an anchor of what `is_of` recognises by name.
    fn crash_before(
        &mut self,
        anchor: Anchor,
        is_of: impl Fn(&Self, &str) -> bool,
    ) -> Option<&'s Crash> {
        let index = (0..self.crashes.left.len()).find(|&index| {
            let pending = &self.crashes.left[index];
            matches!(pending.point, CrashPoint::Before(before, _) if before == anchor)
                && pending.is_armed
                && pending.crash.of.as_ref().is_some_and(|of| is_of(self, of))
        })?;
        Some(self.crashes.left.remove(index).crash)
    }

    /// The crash that falls right after an anchor; those that wait for it to pass are armed.
    pub(super) fn crash_after(
        &mut self,
        anchor: Anchor,
        is_of: impl Fn(&Self, &str) -> bool,
    ) -> Option<&'s Crash> {
        let mut found = None;
        for index in 0..self.crashes.left.len() {
            let pending = &self.crashes.left[index];
            let (waits, falls) = match pending.point {
                CrashPoint::Before(_, Some(after)) => (after == anchor, false),
                CrashPoint::After(after) => (false, after == anchor),
                CrashPoint::Before(_, None)
                | CrashPoint::Time
                | CrashPoint::Effects(_)
                | CrashPoint::Withheld => (false, false),
            };
            if !waits && !falls || !pending.crash.of.as_ref().is_some_and(|of| is_of(self, of)) {
                continue;
            }
            if waits {
                self.crashes.left[index].is_armed = true;
            } else if found.is_none() {
                found = Some(index);
            }
        }
        found.map(|index| self.crashes.left.remove(index).crash)
    }

    /// The crash that falls before a run's end is told.
    pub(super) fn crash_before_end(&mut self, run: RunIndex) -> Option<&'s Crash> {
        if self.crashes.is_none() || self.down.is_some() {
            return None;
        }
        self.crash_before(Anchor::Ended, |world, of| world.is_run_of(run, of))
    }

    /// Whether this is the run of a name: of the session that was first given it.
    pub(super) fn is_run_of(&self, run: RunIndex, of: &str) -> bool {
        let run = &self.runs[run];
        let named = self.names.by_index(run.name);
        named.marker.as_str() == of && named.given_to.as_ref() == Some(&run.key)
    }

    /// The crash that falls before a channel posts a delivery, or before the gateway hears of it.
    pub(super) fn crash_before_delivery(
        &mut self,
        anchor: Anchor,
        request: At,
        life: Life,
    ) -> Option<&'s Crash> {
        if self.crashes.is_none() || self.down.is_some() || life != self.life {
            return None;
        }
        self.crash_before(anchor, |world, of| {
            world.is_told_of(&world.trace.entries[request].markers, of)
        })
    }

    /// The crash that falls after that.
    pub(super) fn crash_after_delivery(
        &mut self,
        anchor: Anchor,
        request: At,
    ) -> Option<&'s Crash> {
        if self.crashes.is_none() {
            return None;
        }
        self.crash_after(anchor, |world, of| {
            world.is_told_of(&world.trace.entries[request].markers, of)
        })
    }

    /// Whether a text with these markers tells of a message or run: it carries an output this led
    /// to, or, once the run is over, its name.
    fn is_told_of(&self, markers: &[moorline_spec::id::Marker], of: &str) -> bool {
        let is_over = || {
            (0..self.runs.len())
                .any(|run| self.is_run_of(run, of) && self.runs[run].state == State::Over)
        };
        let is_named = markers.iter().any(|marker| marker.as_str() == of);
        self.tells_of(markers, of) || is_named && is_over()
    }

    /// What the gateway asked for takes place, up to where a crash falls.
    pub(super) fn reply(&mut self, effects: &mut Vec<Effect>) {
        let cut = self.crash_after_telling.take();
        if let Some(crash) = self.withhold.take() {
            self.withhold_reply(effects, crash);
        } else if let (Some(crash), Disk::Harness) = (cut, self.disk) {
            effects.clear();
            self.crash(crash);
        } else if self.crashes.is_none() {
            for effect in effects.drain(..) {
                self.apply(effect);
            }
        } else {
            self.reply_with_crashes(effects);
        }
        if let Some(crash) = cut.filter(|_| self.down.is_none()) {
            self.crash(crash);
        }
        if let Some(down) = self.restarting.take() {
            self.die(RunsAfterCrash::Kept, down, false);
        }
    }

    fn withhold_reply(&mut self, effects: &mut Vec<Effect>, crash: &'s Crash) {
        for effect in effects.drain(..) {
            if !matches!(effect, Effect::Persist(_)) {
                break;
            }
            self.crashes.effects += 1;
            self.apply(effect);
        }
        self.crash(crash);
    }

    fn reply_with_crashes(&mut self, effects: &mut Vec<Effect>) {
        let cuts = self.disk == Disk::Harness;
        if !cuts && let Some(crash) = effects.iter().find_map(|effect| self.before(effect)) {
            effects.clear();
            self.crash(crash);
            return;
        }
        let mut after = None;
        for effect in effects.drain(..) {
            if cuts && let Some(crash) = self.before(&effect) {
                self.tear(crash, &effect);
                self.crash(crash);
                return;
            }
            self.crashes.effects += 1;
            let at = self.trace.entries.len();
            self.apply(effect);
            after = after.or_else(|| self.after(at));
            if let Some(crash) = after.filter(|_| cuts) {
                self.crash(crash);
                return;
            }
        }
        if let Some(crash) = after {
            self.crash(crash);
        }
    }

    /// A record that was being written when the gateway died may be there in half. The next life
    /// finds it once; a log that was opened again has lost it.
    fn tear(&mut self, crash: &Crash, begun: &Effect) {
        let Effect::Persist(persist) = begun else {
            return;
        };
        if !crash.torn {
            return;
        }
        let text = persist.record.text();
        let half = text.chars().count() / 2;
        let half: String = text.chars().take(half).collect();
        self.torn = Some(half.into());
    }

    /// The crash that falls before an effect.
    fn before(&mut self, effect: &Effect) -> Option<&'s Crash> {
        if let Some(crash) = self.crash_at_count(true) {
            return Some(crash);
        }
        let anchor = anchor_of(effect)?;
        self.crash_before(anchor, |world, of| world.effect_is_of(effect, of))
    }

    /// The crash that falls after an effect, which stands in the trace.
    fn after(&mut self, at: At) -> Option<&'s Crash> {
        let trace::What::Effect(effect) = &self.trace.entries.get(at)?.what else {
            return None;
        };
        let anchor = anchor_of(effect);
        if let Some(crash) = self.crash_at_count(false) {
            return Some(crash);
        }
        self.crash_after(anchor?, |world, of| {
            let trace::What::Effect(effect) = &world.trace.entries[at].what else {
                return false;
            };
            world.effect_is_of(effect, of)
        })
    }

    /// The crash that falls after as many effects as there were; one that tears a record, or falls
    /// before the next effect, waits for that to begin.
    fn crash_at_count(&mut self, beginning: bool) -> Option<&'s Crash> {
        let count = CrashPoint::Effects(self.crashes.effects);
        let index = self.crashes.left.iter().position(|pending| {
            let crash = pending.crash;
            let begins = crash.torn || crash.before_next || self.crashes.effects == 0;
            let due = beginning == begins;
            pending.point == count && due
        })?;
        Some(self.crashes.left.remove(index).crash)
    }

    /// Whether an effect is the anchor of a message or run.
    fn effect_is_of(&self, effect: &Effect, of: &str) -> bool {
        match effect {
            Effect::StartRun(start) => {
                let given = markers_in(&start.input);
                let first = given
                    .iter()
                    .find_map(|marker| self.names.get(marker.as_str()));
                first.is_some_and(|named| {
                    let given_to = named.given_to.as_ref();
                    named.marker.as_str() == of
                        && given_to.is_none_or(|key| *key == start.session_key)
                })
            }
            Effect::Answer(answer) => answer.call.as_str() == of,
            Effect::Deliver(deliver) => self.is_told_of(&markers_in(&deliver.text), of),
            Effect::SteerRun(_)
            | Effect::CancelRun(_)
            | Effect::OpenThread(_)
            | Effect::ProbeThread(_)
            | Effect::Persist(_)
            | Effect::Report(_)
            | Effect::Drop(_)
            | Effect::RefuseConfig(_) => false,
        }
    }

    /// The gateway's process dies.
    pub(super) fn crash(&mut self, crash: &'s Crash) {
        self.die(crash.runs, crash.downtime(), true);
    }

    /// The gateway is gone for a while. What it did stays done; answers on their way die with it.
    pub(super) fn die(&mut self, runs: RunsAfterCrash, down: Span, is_crash: bool) {
        if self.down.is_some() {
            return;
        }
        let back = self.now + down;
        self.down = Some(back);
        self.life += 1;
        self.clock.forget_answers();
        self.calls.clear();
        let alive: Vec<RunIndex> = (0..self.runs.len())
            .filter(|&run| self.runs[run].state.is_alive())
            .collect();
        let ids = alive.iter().map(|&run| self.runs[run].id.clone()).collect();
        let (lost, kept) = match runs {
            RunsAfterCrash::Lost => (ids, Vec::new()),
            RunsAfterCrash::Kept => (Vec::new(), ids),
        };
        let kept: Vec<RunId> = kept.into_iter().chain(self.untold_ends()).collect();
        self.alive.clone_from(&kept);
        if is_crash {
            self.happens(Happening::Crashed { lost, kept });
        }
        for run in alive {
            match (runs, self.runs[run].state) {
                (RunsAfterCrash::Lost, _) => self.runs[run].state = State::Over,
                (RunsAfterCrash::Kept, State::Calling) => {
                    let why = "its call was not answered before the gateway went down".into();
                    self.happens(Happening::Unable {
                        run: self.runs[run].id.clone(),
                        why,
                    });
                    self.act_at(run, back + latency::ACT);
                }
                (
                    RunsAfterCrash::Kept,
                    State::Going | State::Staying | State::Absent | State::Refused | State::Over,
                ) => (),
            }
        }
        let told = std::mem::take(&mut self.told);
        let marks = std::mem::take(&mut self.marks);
        for (stimulus, (own, markers)) in told.into_iter().zip(marks) {
            self.backlog.push_back(Told {
                stimulus,
                own,
                markers,
            });
        }
        self.clock.push(back, Class::Life, What::Reopen);
    }

    /// Runs whose end waits to be told: for the gateway they go on until it is.
    fn untold_ends(&self) -> Vec<RunId> {
        let waits = self.backlog.iter().map(|told| &told.stimulus);
        let waits = waits.chain(&self.told);
        let ended = waits.filter_map(|stimulus| {
            if let Stimulus::RunEnded(ended) = stimulus {
                Some(ended.run.clone())
            } else {
                None
            }
        });
        ended.collect()
    }

    /// The gateway comes back.
    pub(super) fn on_reopen(&mut self) {
        self.down = None;
        let open = self.open(true);
        self.tell(Stimulus::Open(open), Vec::new(), Vec::new());
    }
}

fn anchor_of(effect: &Effect) -> Option<Anchor> {
    match effect {
        Effect::StartRun(_) => Some(Anchor::Started),
        Effect::Answer(_) => Some(Anchor::Answered),
        Effect::Deliver(_) => Some(Anchor::Deliver),
        Effect::SteerRun(_)
        | Effect::CancelRun(_)
        | Effect::OpenThread(_)
        | Effect::ProbeThread(_)
        | Effect::Persist(_)
        | Effect::Report(_)
        | Effect::Drop(_)
        | Effect::RefuseConfig(_) => None,
    }
}
