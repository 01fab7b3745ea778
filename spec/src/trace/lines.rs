//! The form of a trace that programs read: one JSON object a line.

use std::io::{self, Write};

use super::{Entry, Trace};

/// A line that is no entry of a trace.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {}: {source}", source.column())]
pub struct LineError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

impl Trace {
    /// Writes one JSON object a line.
    pub fn write_lines(&self, mut out: impl Write) -> io::Result<()> {
        for entry in &self.entries {
            serde_json::to_writer(&mut out, entry)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// One JSON object a line, as text.
    ///
    /// # Panics
    ///
    /// Never: an entry is plain data.
    pub fn to_lines(&self) -> String {
        let mut bytes = Vec::new();
        self.write_lines(&mut bytes)
            .expect("memory takes everything");
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    /// Reads what `write_lines` wrote; empty lines are passed over.
    pub fn from_lines(text: &str) -> Result<Self, LineError> {
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        let entries = lines.map(|(index, line)| {
            Entry::from_json(line).map_err(|source| LineError {
                line: index + 1,
                source,
            })
        });
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
        })
    }
}
