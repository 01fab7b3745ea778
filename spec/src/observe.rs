//! Whoever watches a play while it goes on.

use crate::trace::Entry;

/// Watches a play. The world asks it when the play may rest.
pub trait Observer {
    /// Sees the next entry; `index` is its number.
    fn see(&mut self, index: usize, entry: &Entry);

    /// Whether anybody still waits for something the gateway owes.
    fn owes(&self) -> bool;
}

/// Watches nothing; a play rests when nothing is in flight.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Observer for Nobody {
    fn see(&mut self, _: usize, _: &Entry) {}

    fn owes(&self) -> bool {
        false
    }
}
