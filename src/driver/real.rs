//! A clock that nobody can steer: the harness lets real time pass, and looks what came of it.

use std::time::{Duration, Instant};

use moorline_spec::time::{Span, Time};

/// How often it is looked whether something happened meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// The clock of a gateway whose time passes by itself, as the story's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct RealClock {
    began: Instant,
    at: Time,
    /// How many times faster than real time it runs.
    scale: u32,
    /// How far it was ahead of the story, at most.
    ahead: Span,
}

impl RealClock {
    /// One that shows this now.
    pub(super) fn start(at: Time, scale: u32) -> Self {
        Self {
            began: Instant::now(),
            at,
            scale: scale.max(1),
            ahead: Span::ZERO,
        }
    }

    fn stretched(&self, real: Duration) -> Span {
        let ms = real.as_secs_f64() * 1_000.0 * f64::from(self.scale);
        Span::ms(ms as u64)
    }

    /// How long it is in real time until it shows this.
    pub(super) fn until(&self, now: Time) -> Duration {
        let ms = now.since(self.at).0 as f64 / f64::from(self.scale);
        let due = Duration::from_secs_f64(ms / 1_000.0);
        due.saturating_sub(self.began.elapsed())
    }

    /// The gateway was told something, or said something, at a time of the story.
    pub(super) fn note(&mut self, now: Time) {
        let shows = self.at + self.stretched(self.began.elapsed());
        self.ahead = self.ahead.max(shows.since(now));
    }

    /// When it is looked next: at the latest when the gateway wants to be woken.
    pub(super) fn look(&self, now: Time, wake_at: Option<Time>) -> Time {
        let next = now + self.stretched(LOOK).max(Span::ms(1));
        let soon = now + Span::ms(1);
        wake_at.map_or(next, |wake| wake.clamp(soon, next))
    }

    /// How many times faster than real time it runs.
    pub(super) fn scale(&self) -> u32 {
        self.scale
    }

    /// By how much the times of a trace may differ from those that the gateway saw.
    pub(super) fn tolerance(&self) -> Span {
        self.ahead + self.stretched(LOOK)
    }
}
