//! All checkers at once, over one trace.

use crate::facts::Facts;
use crate::observe::Observer;
use crate::profile::Profile;
use crate::rule::{self, Checker, Kind, Rule, Sink};
use crate::trace::{Entry, Rest, Trace, What, World};
use crate::verdict::{Debt, Verdict};

/// Judges a play while it goes on.
pub struct Judge {
    facts: Facts,
    seats: Vec<Seat>,
    /// For each kind of entry, the seats that look at it.
    by_kind: [Vec<u16>; Kind::COUNT],
    rest: Option<Rest>,
}

/// One rule, its checker, and what it found so far.
struct Seat {
    rule: &'static Rule,
    checker: Box<dyn Checker>,
    sink: Sink,
}

impl Judge {
    /// A judge who holds a gateway of that profile to every rule of its families.
    pub fn new(profile: &Profile) -> Self {
        let mut by_kind = [const { Vec::new() }; Kind::COUNT];
        let mut seats = Vec::new();
        for rule in rule::all()
            .iter()
            .filter(|rule| profile.families.contains(&rule.family))
        {
            let Some(checker) = rule.checker else {
                continue;
            };
            let seat = u16::try_from(seats.len()).expect("there are fewer rules than that");
            for kind in rule.sees {
                by_kind[*kind as usize].push(seat);
            }
            seats.push(Seat {
                rule,
                checker: checker(),
                sink: Sink::default(),
            });
        }
        Self {
            facts: Facts::new(profile),
            seats,
            by_kind,
            rest: None,
        }
    }

    /// What is known so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What is owed, in words.
    pub fn debts(&self) -> Vec<Debt> {
        self.facts.debts()
    }

    /// A verdict for each rule it judged, in the order of the registry.
    pub fn finish(mut self) -> Vec<(&'static Rule, Verdict)> {
        let short = self.rest == Some(Rest::OutOfWakes);
        let facts = &self.facts;
        let verdicts = self.seats.iter_mut().map(|seat| {
            seat.checker.finish(facts, &mut seat.sink);
            (seat.rule, std::mem::take(&mut seat.sink).verdict(short))
        });
        verdicts.collect()
    }

    /// The verdicts on a trace that is there already.
    pub fn of(profile: &Profile, trace: &Trace) -> Vec<(&'static Rule, Verdict)> {
        let mut judge = Self::new(profile);
        for (index, entry) in trace.entries.iter().enumerate() {
            judge.see(index, entry);
        }
        judge.finish()
    }
}

impl Observer for Judge {
    fn see(&mut self, index: usize, entry: &Entry) {
        self.facts.see(index, entry);
        if let What::World(World::Rest(rest)) = entry.what {
            self.rest = Some(rest);
        }
        for &seat in &self.by_kind[Kind::of(&entry.what) as usize] {
            let seat = &mut self.seats[usize::from(seat)];
            seat.sink.at(index, entry.at);
            seat.checker.see(entry, &self.facts, &mut seat.sink);
        }
    }

    fn owes(&self) -> bool {
        self.facts.owes()
    }
}
