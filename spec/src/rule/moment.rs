//! What happened last.

use crate::time::Time;

/// All that happened at the last moment at which anything of it did. What a gateway was told at the
/// moment it died it may never have heard.
#[derive(Debug)]
pub(super) struct Moment<T> {
    at: Time,
    all: Vec<T>,
}

impl<T> Default for Moment<T> {
    fn default() -> Self {
        Self {
            at: Time::ZERO,
            all: Vec::new(),
        }
    }
}

impl<T> Moment<T> {
    /// It happens now.
    pub(super) fn push(&mut self, now: Time, what: T) {
        if self.at != now {
            self.at = now;
            self.all.clear();
        }
        self.all.push(what);
    }

    /// What happened now, which is forgotten here.
    pub(super) fn take(&mut self, now: Time) -> impl Iterator<Item = T> {
        if self.at != now {
            self.all.clear();
        }
        self.all.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_moment_counts() {
        let mut last = Moment::default();
        last.push(Time(1), 'a');
        last.push(Time(2), 'b');
        last.push(Time(2), 'c');
        assert_eq!(last.take(Time(2)).collect::<String>(), "bc");
        last.push(Time(2), 'd');
        assert_eq!(last.take(Time(3)).count(), 0, "it is over");
        assert_eq!(last.take(Time(2)).count(), 0);
    }
}
