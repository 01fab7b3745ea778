//! Where a checker puts what it finds.

use crate::time::Time;
use crate::verdict::{Breach, Verdict};

/// Takes what a checker finds at one look. Of several breaches the one of the earliest entry
/// stands, so that what is told does not depend on how things are named.
#[derive(Clone, Debug, Default)]
pub struct Sink {
    index: usize,
    now: Time,
    witnessed: u64,
    breach: Option<Breach>,
}

impl Sink {
    /// What is looked at next. All checkers that look at an entry share a sink, one after another.
    pub(crate) fn at(&mut self, index: usize, now: Time) {
        (self.index, self.now) = (index, now);
    }

    /// The rule applied here, and was kept.
    pub fn witness(&mut self) {
        self.witnessed += 1;
    }

    /// The rule was broken by the entry being looked at. Both texts are sentences without a full
    /// stop.
    #[cold]
    pub fn fail(&mut self, seen: impl Into<String>, right: impl Into<String>) {
        self.fail_since((self.index, self.now), seen, right);
    }

    /// The rule was broken by what did not come since an entry.
    #[cold]
    pub fn fail_since(
        &mut self,
        (entry, at): (usize, Time),
        seen: impl Into<String>,
        right: impl Into<String>,
    ) {
        let stands = |breach: &Breach| breach.entry <= entry;
        if !self.breach.as_ref().is_some_and(stands) {
            self.breach = Some(Breach {
                entry,
                at,
                seen: seen.into(),
                right: right.into(),
            });
        }
    }
}

/// What one checker found so far. Its first breach stands.
#[derive(Debug, Default)]
pub(crate) struct Found {
    witnessed: u64,
    breach: Option<Box<Breach>>,
}

impl Found {
    /// Takes what a look brought.
    pub(crate) fn take(&mut self, sink: &mut Sink) {
        self.witnessed += std::mem::take(&mut sink.witnessed);
        if sink.breach.is_some() {
            self.take_breach(sink);
        }
    }

    /// Apart from what happens at each look, which it would make longer.
    #[cold]
    fn take_breach(&mut self, sink: &mut Sink) {
        let breach = sink.breach.take().map(Box::new);
        self.breach = self.breach.take().or(breach);
    }

    pub(crate) fn verdict(self, short: bool) -> Verdict {
        match (self.breach, short) {
            (Some(breach), _) => Verdict::Fail(*breach),
            (None, true) => Verdict::Inconclusive {
                why: "the play was ended because the gateway woke too often".into(),
            },
            (None, false) => Verdict::from_witnesses(self.witnessed),
        }
    }
}
