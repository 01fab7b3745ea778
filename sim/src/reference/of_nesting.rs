//! The part of [`Decisions`](super::Decisions) that is about children of children, about what is
//! stopped, and about what a restart finds. A broken gateway overrides that alone.

use moorline_spec::time::Span;

use super::decisions::Next;

/// A run of a child, or of a session that was sent something, that is over.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// It did what it was for.
    pub well: bool,
    /// It is the reply to a text.
    pub reply: bool,
    /// Something is still owed to it.
    pub open: bool,
}

/// What becomes of the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenBelow {
    /// Whoever asked is told.
    Hand,
    /// It waits until what is below is settled.
    Wait,
    /// Nothing: never right.
    Forget,
}

/// A session that yielded, as something it waits for has ended.
#[derive(Clone, Copy, Debug)]
pub struct Yielded {
    /// Something else that it waits for has not.
    pub open: bool,
    /// What has ended waited as long as it may.
    pub overdue: bool,
}

/// Whoever is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Requester {
    /// It was deleted.
    pub gone: bool,
    /// It has no run.
    pub idle: bool,
}

/// A session that is below one that is stopped.
#[derive(Clone, Copy, Debug)]
pub struct Beneath {
    /// How many are between them, from 0.
    pub between: usize,
}

/// Decisions about nesting; the defaults are right.
pub trait NestingDecisions {
    /// What becomes of the end of a run: that of one which did well waits for what is below it.
    fn when_below(&self, ended: &Ended) -> WhenBelow {
        if ended.well && !ended.reply && ended.open {
            WhenBelow::Wait
        } else {
            WhenBelow::Hand
        }
    }

    /// For how long an end may wait.
    fn waits_at_most(&self, window: Span) -> Option<Span> {
        Some(window)
    }

    /// What follows when that is over: it is told as it is.
    fn after_waiting(&self) -> Next {
        Next::Turn
    }

    /// Whether a run that yields while nothing is pending is refused.
    fn refuses_idle_yield(&self) -> bool {
        true
    }

    /// Whether whoever asked is told of a child that said something as it yielded, and that nothing
    /// woke, where the profile has silent ends told to nobody.
    fn tells_of_yielded(&self) -> bool {
        true
    }

    /// Whether a session that yielded is woken now.
    fn wakes(&self, yielded: &Yielded) -> bool {
        !yielded.open || yielded.overdue
    }

    /// Whether a session that yielded in several conversations is woken for each of them apart.
    fn wakes_apart(&self) -> bool {
        true
    }

    /// Whether the next one above is told in place of whoever asked.
    fn passes_over(&self, asked: &Requester) -> bool {
        asked.gone
    }

    /// Whether a stop reaches a session below.
    fn stop_reaches(&self, beneath: &Beneath) -> bool {
        let _ = beneath;
        true
    }

    /// Whether the end of a run that waits to be told is told as killed, once it was stopped.
    fn stop_takes_what_ended(&self) -> bool {
        true
    }

    /// Whether a stop reaches children that were asked for, and wait for their thread.
    fn stop_takes_what_begins(&self) -> bool {
        true
    }

    /// Whether `/stop` in a bound place stops the session that it is bound to.
    fn stops_what_is_bound(&self) -> bool {
        true
    }

    /// Whether runs that ended before a restart, and were told of to nobody, are told of after it.
    fn ends_survive(&self) -> bool {
        true
    }

    /// Whether texts on their way survive a restart.
    fn posts_survive(&self) -> bool {
        true
    }

    /// Whether a turn that a restart asks for anew counts as told: never right.
    fn recovered_is_told(&self) -> bool {
        false
    }

    /// Whether what waited for a session waits in its old order after a restart.
    fn order_survives(&self) -> bool {
        true
    }

    /// Whether it is written down that a failure was reported.
    fn notes_reports(&self) -> bool {
        true
    }
}

/// The right answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct RightNesting;

impl NestingDecisions for RightNesting {}
