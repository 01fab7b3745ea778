//! Every crash: a story is played once for each effect as the point where the gateway dies, and
//! once more for each effect of the recovery from that, and each play is judged by the rules. What
//! the fixture expects beside them speaks of the play without a crash, and is left out.

use std::collections::BTreeMap;

use moorline_sim::channel;
use moorline_spec::effect::Effect;
use moorline_spec::profile::Profile;
use moorline_spec::rule::Rule;
use moorline_spec::scenario::{Crash, Fixture, RunsAfterCrash, Scenario, Step, Verb, When};
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Span;
use moorline_spec::trace::{Entry, Rest, Trace, What, World};
use moorline_spec::verdict::{Debt, Verdict};

use crate::gate::{Gate, Judgement};

/// How many crashes a play has beside those of its story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// One, at each point of the play.
    One,
    /// One at each point of the play, and another at each point of the recovery from it.
    Two,
}

/// Where a gateway dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// Right after an effect.
    After,
    /// Right before one, after it was told what leads to it.
    Before,
    /// While it writes a record, of which half is there in the next life.
    Torn,
    /// Anywhere in the recovery from an earlier crash.
    Recovery,
}

impl Where {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::After => "after an effect",
            Self::Before => "before an effect",
            Self::Torn => "in the middle of a record",
            Self::Recovery => "again, in the recovery",
        }
    }
}

/// How often the gateway died there, and how often that broke something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many plays.
    pub plays: usize,
    /// How many of them failed.
    pub failed: usize,
}

/// What broke, at the first point where it did.
#[derive(Debug)]
pub struct Found {
    /// The rule; nothing where the play did not come to rest.
    pub rule: Option<&'static Rule>,
    /// Where the gateway died, in words.
    pub point: String,
    /// What was seen, as a sentence without its full stop.
    pub seen: String,
    /// What would have been right, likewise.
    pub right: String,
    /// In how many plays it broke.
    pub plays: usize,
    /// The story of exactly that play, which can be kept as a fixture.
    pub fixture: String,
}

/// What came of all crashes of a story.
#[derive(Debug, Default)]
pub struct Crashes {
    /// How many there were, by where they fell.
    pub counts: BTreeMap<Where, Count>,
    /// What broke, each rule once.
    pub found: Vec<Found>,
}

impl Crashes {
    /// How many plays there were.
    pub fn plays(&self) -> usize {
        self.counts.values().map(|count| count.plays).sum()
    }

    /// Adds what came of another story.
    pub fn take(&mut self, other: Self) {
        for (place, count) in other.counts {
            let sum = self.counts.entry(place).or_default();
            sum.plays += count.plays;
            sum.failed += count.failed;
        }
        self.found.extend(other.found);
    }
}

/// Plays a story with every crash there can be. The error is why it says nothing of this gateway.
pub fn every_crash(gate: &mut Gate, scenario: &Scenario, depth: Depth) -> Result<Crashes, String> {
    // A crash that never falls: the effects of such a play are counted, and whoever cannot be
    // stopped between two of them says so.
    let never = Crash {
        effects: Some(usize::MAX),
        ..Crash::default()
    };
    let with_one = with(scenario, std::slice::from_ref(&never));
    let profile = gate.profile_of(&with_one)?;
    let mut all = Every {
        gate,
        profile,
        scenario,
        played: with_one,
        crashes: Crashes::default(),
    };
    let plain = all.play(&[never])?;
    for (place, crash) in points(&plain.trace.entries, 0, 0..plain.trace.len()) {
        for runs in [RunsAfterCrash::Lost, RunsAfterCrash::Kept] {
            let crash = Crash {
                runs,
                ..crash.clone()
            };
            let played = all.die(place, &plain.trace, std::slice::from_ref(&crash))?;
            let any_lost = any_lost(&played.trace, &plain.trace);
            // What was torn is lost for the next life, which recovers as if it had not been begun:
            // dying in that has been played.
            if depth == Depth::Two && place != Where::Torn {
                all.die_again(&crash, &played.trace)?;
            }
            // Nothing ran: it is the same whether runs outlive it or not.
            if !any_lost {
                break;
            }
        }
    }
    Ok(all.crashes)
}

struct Every<'a> {
    gate: &'a mut Gate,
    profile: Profile,
    scenario: &'a Scenario,
    /// The story with the crashes that it was played with last.
    played: Scenario,
    crashes: Crashes,
}

impl Every<'_> {
    /// The gateway dies once, and again at each point of its recovery.
    fn die_again(&mut self, first: &Crash, trace: &Trace) -> Result<(), String> {
        let Some((recovery, effects)) = recovery(trace, first) else {
            return Ok(());
        };
        // Who dies before it did anything leaves what it found: that recovery is this one again.
        let points = points(&trace.entries, effects, recovery).into_iter();
        for (_, second) in points.filter(|(place, _)| *place != Where::Before) {
            let second = Crash {
                runs: first.runs,
                ..second
            };
            self.die(Where::Recovery, trace, &[first.clone(), second])?;
        }
        Ok(())
    }

    /// One play with these crashes, and what it broke.
    fn die(
        &mut self,
        place: Where,
        before: &Trace,
        crashes: &[Crash],
    ) -> Result<Judgement, String> {
        let played = self.play(crashes)?;
        let broken = broken(&played);
        let count = self.crashes.counts.entry(place).or_default();
        count.plays += 1;
        count.failed += usize::from(!broken.is_empty());
        for (rule, seen, right) in broken {
            let same = |found: &&mut Found| found.rule.map(|r| r.id) == rule.map(|r| r.id);
            if let Some(found) = self.crashes.found.iter_mut().find(same) {
                found.plays += 1;
                continue;
            }
            let point = point(before, crashes);
            let fixture = self.fixture(crashes, rule, &point);
            self.crashes.found.push(Found {
                rule,
                point,
                seen,
                right,
                plays: 1,
                fixture,
            });
        }
        Ok(played)
    }

    fn play(&mut self, crashes: &[Crash]) -> Result<Judgement, String> {
        self.played.steps.truncate(self.scenario.steps.len());
        self.played.steps.extend(crashes.iter().map(step));
        self.gate.play_once(&self.played, &self.profile)
    }

    /// The story of one play, without what the story expects when nobody dies.
    fn fixture(&self, crashes: &[Crash], rule: Option<&Rule>, point: &str) -> String {
        let scenario = Scenario {
            title: format!("{}; and the gateway dies {point}", self.scenario.title),
            expect: Vec::new(),
            rules: rule.map(|rule| rule.id.to_owned()).into_iter().collect(),
            reproduced_by: None,
            ..with(self.scenario, crashes)
        };
        match Fixture::from_scenario(scenario, channel::names()) {
            Ok(fixture) => fixture.to_json(),
            Err(problems) => format!("{problems:?}\n"),
        }
    }
}

/// The story with further crashes. Their steps stand at its end; they fall where they belong.
fn with(scenario: &Scenario, crashes: &[Crash]) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.steps.extend(crashes.iter().map(step));
    scenario
}

fn step(crash: &Crash) -> Step {
    Step {
        when: When::After(Span::ZERO),
        verb: Verb::Crash(crash.clone()),
    }
}

/// The points at which a gateway may die in some entries of a trace, before which it had so many
/// effects. Between two effects of one reply there is one point; before the first there is another
/// than after the last of the reply before, since it was told something in between.
fn points(
    entries: &[Entry],
    mut effects: usize,
    range: std::ops::Range<usize>,
) -> Vec<(Where, Crash)> {
    let mut points = Vec::new();
    let at = |place, effects| {
        let crash = Crash {
            effects: Some(effects),
            torn: place == Where::Torn,
            before_next: place == Where::Before,
            ..Crash::default()
        };
        (place, crash)
    };
    for index in range {
        let What::Effect(effect) = &entries[index].what else {
            continue;
        };
        let before = index.checked_sub(1).map(|before| &entries[before].what);
        if !matches!(before, Some(What::Effect(_))) {
            points.push(at(Where::Before, effects));
        }
        if let Effect::Persist(_) = effect {
            points.push(at(Where::Torn, effects));
        }
        effects += 1;
        points.push(at(Where::After, effects));
    }
    points
}

/// The entries of the recovery from a crash: what the next life asks for before it is told anything
/// but that it lives. And how many effects came before them.
fn recovery(trace: &Trace, crash: &Crash) -> Option<(std::ops::Range<usize>, usize)> {
    let mut left = crash.effects?;
    let mut entries = trace.entries.iter().enumerate();
    let mut last = 0;
    while left > 0 {
        let (index, entry) = entries.next()?;
        last = index;
        left -= usize::from(matches!(entry.what, What::Effect(_)));
    }
    let crashed = |entry: &Entry| matches!(entry.what, What::World(World::Crashed { .. }));
    let opens = |entry: &Entry| matches!(&entry.what, What::Stimulus(Stimulus::Open(open)) if open.restored);
    let rest = &trace.entries[last..];
    let died = last + rest.iter().position(crashed)?;
    let opened = died + trace.entries[died..].iter().position(opens)? + 1;
    let told = |entry: &Entry| matches!(entry.what, What::Stimulus(_));
    let rest = &trace.entries[opened..];
    let end = opened + rest.iter().position(told).unwrap_or(rest.len());
    Some((opened..end, crash.effects?))
}

/// Whether the crash that a play has more than another one met a run.
fn any_lost(trace: &Trace, plain: &Trace) -> bool {
    let lost = |trace: &Trace| -> usize {
        let lost = trace.entries.iter().map(|entry| match &entry.what {
            What::World(World::Crashed { lost, .. }) => lost.len(),
            What::Stimulus(_) | What::Effect(_) | What::World(_) => 0,
        });
        lost.sum()
    };
    lost(plain) != lost(trace)
}

type Broken = (Option<&'static Rule>, String, String);

/// What a play breaks.
fn broken(played: &Judgement) -> Vec<Broken> {
    let breaches = played.verdicts.iter().filter_map(|(rule, verdict)| {
        if let Verdict::Fail(breach) = verdict {
            Some((Some(*rule), breach.seen.clone(), breach.right.clone()))
        } else {
            None
        }
    });
    let mut broken: Vec<Broken> = breaches.collect();
    let owed = || {
        let first = played.owed.first().map(Debt::to_string);
        first.unwrap_or_else(|| "something is owed".to_owned())
    };
    let why = match &played.end {
        Ok(Rest::Settled) => return broken,
        Ok(Rest::Stuck) => format!("{}, and nothing more happens", owed()),
        Ok(Rest::Overdue) => format!("{}, for longer than allowed", owed()),
        Ok(Rest::OutOfWakes) => "the gateway wakes again and again".to_owned(),
        Err(why) => why.clone(),
    };
    broken.push((None, why, "the play comes to rest".to_owned()));
    broken
}

/// Where the last of some crashes falls, in words.
fn point(before: &Trace, crashes: &[Crash]) -> String {
    let words = |crash: &Crash| {
        let effects = crash.effects.unwrap_or_default();
        let number = effects + usize::from(crash.torn || crash.before_next);
        let entries = before.entries.iter().enumerate();
        let mut all = entries.filter(|(_, entry)| matches!(entry.what, What::Effect(_)));
        let entry = number.checked_sub(1).and_then(|before| all.nth(before));
        let line = entry.map_or_else(
            || "the first effect".to_owned(),
            |(index, entry)| match entry.what {
                What::Effect(Effect::Persist(_)) => "a record".to_owned(),
                What::Effect(_) | What::Stimulus(_) | What::World(_) => {
                    before.transcript_line(index).trim().to_owned()
                }
            },
        );
        let how = match (crash.torn, crash.before_next) {
            (true, _) => "in the middle of",
            (false, true) => "before",
            (false, false) => "after",
        };
        let runs = match crash.runs {
            RunsAfterCrash::Lost => "",
            RunsAfterCrash::Kept => ", and its runs go on",
        };
        format!("{how} effect {number} ({line}){runs}")
    };
    let all: Vec<String> = crashes.iter().map(words).collect();
    all.join(", and again ")
}
