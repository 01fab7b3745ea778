//! Annotations: lines that GitHub Actions reads from the output of a job.

use std::io::{self, Write};

use super::findings;
use crate::report::text::stale_sentence;
use crate::report::{FixtureOutcome, Report};

/// Writes a line for each thing that went wrong.
pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for finding in findings(report) {
        let level = if finding.is_warning {
            "warning"
        } else {
            "error"
        };
        annotate(out, level, &finding.title(), &finding.words())?;
    }
    for stale in &report.stale {
        let title = "a known failure is none any more";
        annotate(out, "error", title, &stale_sentence(stale))?;
    }
    for fixture in report.came_to(FixtureOutcome::Undriven) {
        let why = fixture.why.as_deref().unwrap_or_default();
        let title = format!("{} could not be played", fixture.fixture);
        annotate(out, "error", &title, why)?;
    }
    Ok(())
}

fn annotate(out: &mut impl Write, level: &str, title: &str, words: &str) -> io::Result<()> {
    writeln!(out, "::{level} title={}::{}", property(title), data(words))
}

/// A text as the workflow commands want it: their own signs are escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
