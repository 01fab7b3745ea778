//! The rules, each with its checker. A rule is one requirement: an id, a keyword, a text, sources,
//! and a fold over trace and profile that ends in a verdict.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a checker looks at one thing, and a new kind of entry is none of its business"
)]

mod binding;
mod book;
mod cancel;
mod config;
mod ingress;
mod isolation;
mod kind;
mod moment;
mod nested;
mod policy;
mod relay;
mod restart;
mod routing;
mod send;
mod session;
mod sink;
mod spawn;
#[cfg(test)]
mod tale;
mod waiting;

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::profile::Family;
use crate::scenario::Scenario;
use crate::trace::{Entry, Trace};
use crate::verdict::Verdict;

pub use book::book;
pub use kind::Kind;
pub(crate) use sink::Found;
pub use sink::Sink;

/// Rules that count what is written down. Whoever does not hold the disk cannot judge by them.
pub const OF_THE_DISK: [&str; 1] = ["binding.writes-bounded"];

/// One requirement.
#[derive(Debug)]
pub struct Rule {
    /// Its name, `family.what-must-hold`. Once released it keeps its meaning.
    pub id: &'static str,
    /// The family it belongs to.
    pub family: Family,
    /// How binding it is.
    pub keyword: Keyword,
    /// What must hold, as one or two sentences.
    pub text: &'static str,
    /// Where it comes from: points of the five sources, invariants, reports, statements.
    pub sources: &'static [&'static str],
    /// The dials it reads.
    pub dials: &'static [&'static str],
    /// The kinds of entries its checker looks at.
    pub sees: &'static [Kind],
    /// Its checker, where one trace suffices.
    pub checker: Option<fn() -> Box<dyn Checker>>,
    /// Its relation, where two plays are compared.
    pub relation: Option<Relation>,
}

/// How binding a rule is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Keyword {
    /// A gateway that breaks it does not conform.
    Must,
    /// A gateway that breaks it is warned of it.
    Should,
}

/// A rule about two plays: of a scenario, and of another made from it.
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// The other scenario; `None` where the rule does not apply to this one.
    pub transform: fn(&Scenario) -> Option<Scenario>,
    /// The verdict on both traces, the given one first.
    pub compare: fn(&Scenario, &Trace, &Scenario, &Trace) -> Verdict,
}

/// A fold over a trace.
pub trait Checker {
    /// Sees an entry of a kind its rule names; `facts` are up to date with it.
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink);

    /// The facts have forgotten what is settled and long past: what the checker remembers of it has
    /// no more use. A checker that comes upon an id which facts know no more takes it for settled.
    fn forget(&mut self, facts: &Facts) {
        let _ = facts;
    }

    /// Nothing more will be seen. What never came is found here.
    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        let (_, _) = (facts, sink);
    }
}

static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let families = [
        ingress::rules(),
        session::rules(),
        spawn::rules(),
        policy::rules(),
        binding::rules(),
        routing::rules(),
        relay::rules(),
        isolation::rules(),
        nested::rules(),
        send::rules(),
        cancel::rules(),
        restart::rules(),
        config::rules(),
    ];
    families.into_iter().flatten().collect()
});

/// Every rule, family by family in the order of the contract.
pub fn all() -> &'static [Rule] {
    &ALL
}

/// The rule of that id.
pub fn named(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.id == id)
}
