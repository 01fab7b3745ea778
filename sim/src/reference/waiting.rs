//! Messages that wait for their turn, by the conversation that they came from.

use moorline_spec::address::Address;
use rustc_hash::FxHashMap;

use super::shelf::Shelf;
use super::state::{Progress, Run, Turn};

/// Numbers of runs. One that waits no more is left where it stands until somebody looks there, or
/// until there are more of those than of runs.
#[derive(Debug, Default)]
pub(super) struct WaitingAt {
    by_place: FxHashMap<Address, Vec<u64>>,
    noted: usize,
}

impl WaitingAt {
    /// Whether nothing waits for certain.
    pub(super) fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// A run waits, and may be that of a message.
    pub(super) fn note(&mut self, run: &Run, runs: &Shelf<Run>) {
        let (Turn::Message(_), Some(origin)) = (&run.turn, &run.origin) else {
            return;
        };
        if 2 * runs.len() < self.noted {
            self.by_place.retain(|_, numbers| {
                numbers.retain(|number| waits(*number, runs));
                !numbers.is_empty()
            });
            self.noted = self.by_place.values().map(Vec::len).sum();
        }
        let numbers = self.by_place.entry(origin.address.clone()).or_default();
        if let Err(place) = numbers.binary_search(&run.number) {
            numbers.insert(place, run.number);
            self.noted += 1;
        }
    }

    /// What waits there, in the order in which it came.
    pub(super) fn from(&mut self, at: &Address, runs: &Shelf<Run>) -> Vec<u64> {
        let Some(numbers) = self.by_place.get_mut(at) else {
            return Vec::new();
        };
        let before = numbers.len();
        numbers.retain(|number| waits(*number, runs));
        let waiting = numbers.clone();
        self.noted -= before - waiting.len();
        if waiting.is_empty() {
            self.by_place.remove(at);
        }
        waiting
    }
}

fn waits(number: u64, runs: &Shelf<Run>) -> bool {
    let run = runs.get(&number);
    run.is_some_and(|run| run.state == Progress::Queued)
}
