//! People's messages that somebody has to be given.

use std::collections::BTreeMap;

use super::Sink;
use crate::facts::Facts;
use crate::id::Marker;
use crate::time::Time;

/// Messages that wait, and the entry of each.
#[derive(Default)]
pub(in crate::rule) struct Waiting(BTreeMap<Marker, (usize, Time)>);

impl Waiting {
    /// A message waits from the entry on that facts are up to date with.
    pub(in crate::rule) fn insert(&mut self, marker: &Marker, facts: &Facts) {
        self.0.insert(marker.clone(), (facts.index(), facts.now()));
    }

    /// A message is given to somebody: whether it waited.
    pub(in crate::rule) fn give(&mut self, marker: &Marker) -> bool {
        self.0.remove(marker).is_some()
    }

    /// They died with whoever was told of them.
    pub(in crate::rule) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first that still waits was given to nobody. `came` says how it came to the place that
    /// `right` is told of.
    pub(in crate::rule) fn fail(
        &self,
        came: &str,
        facts: &Facts,
        sink: &mut Sink,
        right: impl FnOnce(&str) -> String,
    ) {
        let Some((marker, since)) = self.0.iter().next() else {
            return;
        };
        let at = facts.messages.get(marker).map(|message| &message.at);
        let at = at.map_or(String::new(), ToString::to_string);
        let name = marker.in_text();
        sink.fail_since(
            *since,
            format!("message {name}, {came} in {at}, is given to nobody"),
            right(&at),
        );
    }
}
