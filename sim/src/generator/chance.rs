//! The one place where chance is drawn. The helpers are frozen: a seed means the same scenario in
//! every release, because ChaCha8 is an algorithm and these few lines do not change.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A stream of decisions from a seed.
#[derive(Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of one concern of a seed; streams do not influence each other.
    pub fn new(seed: u64, concern: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(concern);
        Self(rng)
    }

    /// A number from 0 up to but not including `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        // The high half of a product: the bias is below 2^-32 for the small ends used here.
        ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// A number from `start` to `end`, both included.
    pub fn between(&mut self, start: u64, end: u64) -> u64 {
        start + self.below(end - start + 1)
    }

    /// True `n` times out of 100.
    pub fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    /// One of some things, of which there is at least one.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        let index = self.below(things.len() as u64);
        &things[usize::try_from(index).expect("an index fits")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These values may never change: recorded seeds would come to mean other scenarios.
    #[test]
    fn a_seed_means_the_same_in_every_release() {
        let mut chance = Chance::new(7, 1);
        let drawn: Vec<u64> = (0..8).map(|_| chance.below(1_000)).collect();
        insta::assert_debug_snapshot!(drawn);
    }

    #[test]
    fn numbers_stay_within_their_ends() {
        let mut chance = Chance::new(1, 0);
        for _ in 0..1_000 {
            assert!((3..=5).contains(&chance.between(3, 5)));
            assert_eq!(chance.below(1), 0);
        }
    }
}
