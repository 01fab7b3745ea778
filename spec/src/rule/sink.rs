//! Where a checker puts what it finds.

use crate::time::Time;
use crate::verdict::{Breach, Verdict};

/// Takes what a checker finds. The first breach stands; of those found at one look, that of the
/// earliest entry, so that what is told does not depend on how things are named.
#[derive(Clone, Debug, Default)]
pub struct Sink {
    witnessed: u64,
    breach: Option<Breach>,
    /// How often something was looked at, and at which look the breach was found.
    looks: usize,
    found: usize,
    index: usize,
    now: Time,
}

impl Sink {
    pub(crate) fn at(&mut self, index: usize, now: Time) {
        (self.index, self.now) = (index, now);
        self.looks += 1;
    }

    /// What is found from here on is found at the end.
    pub(crate) fn at_end(&mut self) {
        self.looks += 1;
    }

    /// The rule applied here, and was kept.
    pub fn witness(&mut self) {
        self.witnessed += 1;
    }

    /// The rule was broken by the entry being looked at. Both texts are sentences without a full
    /// stop.
    pub fn fail(&mut self, seen: impl Into<String>, right: impl Into<String>) {
        self.fail_since((self.index, self.now), seen, right);
    }

    /// The rule was broken by what did not come since an entry.
    pub fn fail_since(
        &mut self,
        (entry, at): (usize, Time),
        seen: impl Into<String>,
        right: impl Into<String>,
    ) {
        let stands = |breach: &Breach| self.found != self.looks || breach.entry <= entry;
        if !self.breach.as_ref().is_some_and(stands) {
            self.found = self.looks;
            self.breach = Some(Breach {
                entry,
                at,
                seen: seen.into(),
                right: right.into(),
            });
        }
    }

    pub(crate) fn verdict(self, short: bool) -> Verdict {
        match (self.breach, short) {
            (Some(breach), _) => Verdict::Fail(breach),
            (None, true) => Verdict::Inconclusive {
                why: "the play was ended because the gateway woke too often".to_owned(),
            },
            (None, false) => Verdict::from_witnesses(self.witnessed),
        }
    }
}
