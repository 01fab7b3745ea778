//! Why a command could not do what it was asked, in words, and the exit code that says whose doing
//! it is.

use std::io::{self, Write};
use std::path::PathBuf;

use super::palette::{BAD, FAINT};
use crate::fixtures::{FixturesError, WrongFixture};
use crate::gate::GateError;
use crate::report::Exit;

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line's author: a name that nobody knows.
    Usage(String),
    /// The fixture's author, or whoever named the file.
    Fixtures(FixturesError),
    /// The implementation.
    Gate(GateError),
    /// A file could not be written or read.
    File(PathBuf, io::Error),
    /// What is written to is closed or full.
    Output(io::Error),
    /// What is read from is no conversation of ours.
    Input(io::Error),
}

impl From<FixturesError> for Failure {
    fn from(error: FixturesError) -> Self {
        Self::Fixtures(error)
    }
}

impl From<GateError> for Failure {
    fn from(error: GateError) -> Self {
        Self::Gate(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Fixtures(_)
            | Self::File(..)
            | Self::Input(_)
            | Self::Gate(GateError::UnknownProfile(_)) => Exit::Usage,
            Self::Gate(GateError::Driver(_)) => Exit::Undriven,
            // Whoever closed the pipe has read enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Conforms,
            Self::Output(_) => Exit::OurFault,
        }
    }

    pub(super) fn write(&self, err: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Usage(words) => writeln!(err, "{BAD}moorline:{BAD:#} {words}"),
            Self::Fixtures(FixturesError::Wrong(wrong)) => {
                wrong.iter().try_for_each(|wrong| write_wrong(err, wrong))
            }
            Self::Fixtures(error) => writeln!(err, "{BAD}moorline:{BAD:#} {error}"),
            Self::Gate(error) => writeln!(err, "{BAD}moorline:{BAD:#} {error}"),
            Self::File(path, error) => {
                writeln!(err, "{BAD}moorline:{BAD:#} {}: {error}", path.display())
            }
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Self::Output(error) => {
                writeln!(
                    err,
                    "{BAD}moorline:{BAD:#} the output could not be written: {error}"
                )
            }
            Self::Input(error) => writeln!(err, "{BAD}moorline:{BAD:#} {error}"),
        }
    }
}

/// `file:line:column: words`, the line, and a caret under the column.
fn write_wrong(err: &mut impl Write, wrong: &WrongFixture) -> io::Result<()> {
    for (line, column, words) in &wrong.error.problems {
        let file = &wrong.error.file;
        writeln!(err, "{file}:{line}:{column}: {BAD}{words}{BAD:#}")?;
        let Some(source) = line
            .checked_sub(1)
            .and_then(|index| wrong.text.lines().nth(index))
        else {
            continue;
        };
        let (window, caret) = window(source, *column);
        writeln!(err, "{FAINT}{line:>5} |{FAINT:#} {window}")?;
        writeln!(err, "{FAINT}      |{FAINT:#} {:caret$}{BAD}^{BAD:#}", "")?;
    }
    Ok(())
}

/// The part of a line around a column (from 1, in bytes), and how far in the column lies.
fn window(source: &str, column: usize) -> (String, usize) {
    const BEFORE: usize = 60;
    const WIDTH: usize = 100;
    let before = source.get(..column.saturating_sub(1)).unwrap_or(source);
    let at = before.chars().count();
    let from = at.saturating_sub(BEFORE);
    let window = source.chars().skip(from).take(WIDTH);
    let window = window.map(|c| if c == '\t' { ' ' } else { c }).collect();
    (window, at - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_column() {
        assert_eq!(window("abc", 2), ("abc".to_owned(), 1));
        assert_eq!(window("\täb", 4), (" äb".to_owned(), 2));
        let long = "x".repeat(300);
        let (shown, caret) = window(&long, 200);
        assert_eq!((shown.len(), caret), (100, 60));
        assert_eq!(window("ab", 9), ("ab".to_owned(), 2));
    }
}
