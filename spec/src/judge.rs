//! All checkers at once, over one trace.

use std::sync::LazyLock;

use crate::facts::Facts;
use crate::observe::Observer;
use crate::profile::Profile;
use crate::rule::{self, Checker, Found, Kind, Rule, Sink};
use crate::time::Time;
use crate::trace::{Entry, Rest, Trace, What, World};
use crate::verdict::{Debt, Verdict};

/// Judges a play while it goes on.
pub struct Judge {
    facts: Facts,
    /// One for each rule of the registry; empty where it is not judged.
    seats: Vec<Option<Seat>>,
    /// Where the checkers put what they find, one after another.
    sink: Sink,
    rest: Option<Rest>,
    /// For how many entries what is settled is remembered, and when something is forgotten next.
    horizon: usize,
    /// The entry, and its time, before which what is settled may be forgotten next.
    before: (usize, Time),
}

/// For how many entries a judge remembers what is settled, unless told otherwise.
const HORIZON: usize = 1 << 16;

/// For each kind of entry, the rules that look at it, by their place in the registry.
static BY_KIND: LazyLock<[Vec<usize>; Kind::COUNT]> = LazyLock::new(|| {
    let mut by_kind = [const { Vec::new() }; Kind::COUNT];
    for (index, rule) in rule::all().iter().enumerate() {
        for kind in rule.sees {
            by_kind[*kind as usize].push(index);
        }
    }
    by_kind
});

/// One rule, its checker, and what it found so far.
struct Seat {
    checker: Box<dyn Checker>,
    found: Found,
    rule: &'static Rule,
}

impl Judge {
    /// A judge who holds a gateway of that profile to every rule of its families.
    pub fn new(profile: &Profile) -> Self {
        Self::with_horizon(profile, HORIZON)
    }

    /// One who remembers what is settled for so many entries, and up to twice as many. A short
    /// memory never accuses where a long one does not; it may overlook what comes back late.
    pub fn with_horizon(profile: &Profile, horizon: usize) -> Self {
        let seat = |rule: &'static Rule| {
            let checker = rule.checker?;
            let promised = profile.families.contains(&rule.family);
            promised.then(|| Seat {
                checker: checker(),
                found: Found::default(),
                rule,
            })
        };
        Self {
            facts: Facts::new(profile),
            seats: rule::all().iter().map(seat).collect(),
            sink: Sink::default(),
            rest: None,
            horizon,
            before: (0, Time::ZERO),
        }
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Forgets what was settled before the entry at which this was last asked for.
    fn forget(&mut self, now: (usize, Time)) {
        let (before, at) = std::mem::replace(&mut self.before, now);
        if before == 0 {
            return;
        }
        self.facts.forget(before, at);
        for seat in self.seats.iter_mut().flatten() {
            seat.checker.forget(&self.facts);
        }
    }

    /// What is owed, in words.
    pub fn debts(&self) -> Vec<Debt> {
        self.facts.debts()
    }

    /// A verdict for each rule it judged, in the order of the registry.
    pub fn finish(mut self) -> Vec<(&'static Rule, Verdict)> {
        let short = self.rest == Some(Rest::OutOfWakes);
        let verdict = |mut seat: Seat| {
            seat.checker.finish(&self.facts, &mut self.sink);
            seat.found.take(&mut self.sink);
            (seat.rule, seat.found.verdict(short))
        };
        self.seats.into_iter().flatten().map(verdict).collect()
    }

    /// A verdict for each rule it judged on what was seen so far, where more may follow: what is
    /// owed at that moment is not held against anybody.
    pub fn so_far(self) -> Vec<(&'static Rule, Verdict)> {
        let seats = self.seats.into_iter().flatten();
        let verdicts = seats.map(|seat| (seat.rule, seat.found.verdict(false)));
        verdicts.collect()
    }

    /// The verdicts on a trace that is there already.
    pub fn of(profile: &Profile, trace: &Trace) -> Vec<(&'static Rule, Verdict)> {
        Self::having_seen(profile, &trace.entries).finish()
    }

    /// A judge who has seen the beginning of a play, or all of it.
    pub fn having_seen(profile: &Profile, entries: &[Entry]) -> Self {
        let mut judge = Self::new(profile);
        for (index, entry) in entries.iter().enumerate() {
            judge.see(index, entry);
        }
        judge
    }
}

impl Observer for Judge {
    fn see(&mut self, index: usize, entry: &Entry) {
        if self.before.0 + self.horizon <= index && 0 < index {
            self.forget((index, entry.at));
        }
        self.facts.see(index, entry);
        if let What::World(World::Rest(rest)) = entry.what {
            self.rest = Some(rest);
        }
        self.sink.at(index, entry.at);
        for &index_of_rule in &BY_KIND[Kind::of(&entry.what) as usize] {
            if let Some(seat) = &mut self.seats[index_of_rule] {
                seat.checker.see(entry, &self.facts, &mut self.sink);
                seat.found.take(&mut self.sink);
            }
        }
    }

    fn owes(&self) -> bool {
        self.facts.owes()
    }
}
