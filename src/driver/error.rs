//! What can go wrong between the harness and a process, each in words. None of it is a verdict on
//! a rule.

use std::fmt;
use std::time::Duration;

use moorline_spec::time::Time;

/// Why a process could not be driven on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// The command never became a process.
    #[error("the gateway `{command}` could not be started: {why}")]
    CouldNotStart {
        /// The command.
        command: String,
        /// The machine's words.
        why: String,
    },
    /// It speaks another version of the wire.
    #[error(
        "the gateway speaks version {spoken} of the wire, and this harness speaks version {ours}"
    )]
    WrongVersion {
        /// The gateway's.
        spoken: u32,
        /// Ours.
        ours: u32,
    },
    /// It was gone before it replied.
    #[error("the gateway {status} in place of replying\n  request: {asked}{partial}{tail}")]
    ExitedEarly {
        /// How it ended: `exited with status 1`, `was killed by signal 9`.
        status: String,
        /// The request that it left unanswered.
        asked: Cut,
        /// What it had written of its reply.
        partial: Partial,
        /// The end of its standard error.
        tail: Tail,
    },
    /// A deadline passed without a reply.
    #[error("the gateway {deadline} ({limit:?})\n  request: {asked}{partial}{tail}")]
    Silent {
        /// Which deadline.
        deadline: Deadline,
        /// How long it was.
        limit: Duration,
        /// The request that was not answered.
        asked: Cut,
        /// What it had written of its reply.
        partial: Partial,
        /// The end of its standard error.
        tail: Tail,
    },
    /// It wrote something else than a frame.
    #[error("the gateway wrote a line that is no frame: {why}\n  line: {line}{tail}")]
    NotAFrame {
        /// What is wrong with the line.
        why: String,
        /// The line.
        line: Cut,
        /// The end of its standard error.
        tail: Tail,
    },
    /// It asked for something that nobody knows.
    #[error(
        "the gateway asked for `{effect}`, which is no effect of the wire\n  line: {line}{tail}"
    )]
    UnknownEffect {
        /// The effect's name.
        effect: String,
        /// The line.
        line: Cut,
        /// The end of its standard error.
        tail: Tail,
    },
    /// It wrote a line that nobody had asked for.
    #[error("the gateway wrote a line out of turn: nothing is sent unasked\n  line: {line}{tail}")]
    OutOfTurn {
        /// The line.
        line: Cut,
        /// The end of its standard error.
        tail: Tail,
    },
    /// It wrote lines without end that nobody had asked for.
    #[error(
        "the gateway floods its output: {lines} lines stood there unasked\n  first line: {line}{tail}"
    )]
    Flood {
        /// How many, when the harness stopped reading.
        lines: usize,
        /// The first of them.
        line: Cut,
        /// The end of its standard error.
        tail: Tail,
    },
    /// Its line had no end.
    #[error("the gateway wrote a line longer than {max} bytes\n  line: {line}{tail}")]
    TooLong {
        /// The most that a line may have.
        max: usize,
        /// The beginning of the line.
        line: Cut,
        /// The end of its standard error.
        tail: Tail,
    },
    /// It no longer reads.
    #[error(
        "the gateway closed its input and did not exit: {why}\n  request: {asked}{partial}{tail}"
    )]
    BrokenPipe {
        /// The machine's words.
        why: String,
        /// The request that it did not read.
        asked: Cut,
        /// What it had written of its reply.
        partial: Partial,
        /// The end of its standard error.
        tail: Tail,
    },
    /// It wants to be woken at a time that is over.
    #[error(
        "the gateway wants to be woken at {wake_at}, and it is {now} already\n  line: {line}{tail}"
    )]
    WakeInThePast {
        /// When it was.
        now: Time,
        /// When it wants to be woken.
        wake_at: Time,
        /// The line.
        line: Cut,
        /// The end of its standard error.
        tail: Tail,
    },
    /// It says itself that it does not know this; rules that need it are inapplicable.
    #[error("the gateway does not support `{kind}`")]
    Unsupported {
        /// The stimulus or method.
        kind: String,
    },
    /// Its clock runs by itself, and the story takes longer than may be waited.
    #[error(
        "by the gateway's own clock, which runs at {scale} times real time, the story goes on at {now}: \
         that is longer than the {limit:?} that a fixture may take"
    )]
    BeyondBudget {
        /// When the story goes on.
        now: Time,
        /// How fast the clock runs.
        scale: u32,
        /// How long a fixture may take.
        limit: Duration,
    },
    /// What the harness has to tell does not fit on a line: the scenario's doing.
    #[error("the scenario's request has {bytes} bytes, and a line has at most {max}")]
    RequestTooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// The process is gone after an earlier error, and no new life began.
    #[error("the gateway's process is gone since an earlier error; a new life begins with `open`")]
    Gone,
    /// The machine refused something that the harness needs.
    #[error("{what}: {why}")]
    Machine {
        /// What was wanted.
        what: String,
        /// The machine's words.
        why: String,
    },
}

/// A deadline that a process has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// For the answer to `hello`.
    Start,
    /// For each reply.
    Reply,
    /// For a whole scenario.
    Scenario,
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "did not say hello within the deadline for its start",
            Self::Reply => "did not reply within the deadline for a reply",
            Self::Scenario => "did not come to the end within the deadline for a whole scenario",
        })
    }
}

/// The beginning of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut(pub String);

impl Cut {
    const CHARACTERS_MAX: usize = 200;

    /// Of these bytes, their line end left out.
    pub fn of(line: &[u8]) -> Self {
        // A character has at most four bytes: no more of a long line needs to be looked at.
        let head = &line[..line.len().min(4 * Self::CHARACTERS_MAX + 4)];
        let text = String::from_utf8_lossy(head);
        let text = text.trim_end();
        let mut cut: String = text.chars().take(Self::CHARACTERS_MAX).collect();
        if cut.len() < text.len() || head.len() < line.len() {
            cut.push_str(" ...");
        }
        Self(cut)
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(empty)");
        }
        for character in self.0.chars() {
            // Garbage is shown, not obeyed by the reader's terminal.
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

/// What had been written of a reply that was never finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partial(pub Option<Cut>);

impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(cut) => write!(f, "\n  written so far: {cut}"),
            None => Ok(()),
        }
    }
}

/// The end of what a process wrote to its standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail(pub String);

impl Tail {
    const LINES_MAX: usize = 12;
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.0.lines().collect();
        if lines.is_empty() {
            return Ok(());
        }
        f.write_str("\n  its standard error ends with:")?;
        for line in &lines[lines.len().saturating_sub(Self::LINES_MAX)..] {
            write!(f, "\n    {}", Cut::of(line.as_bytes()))?;
        }
        Ok(())
    }
}
