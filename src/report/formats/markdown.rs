//! A page for people who look at a pull request or at the summary of a job.

use std::io::{self, Write};

use moorline_spec::profile::Family;

use super::{findings, text_of};
use crate::report::text::{clock_sentence, give_or_take, stale_sentence};
use crate::report::{FixtureOutcome, Overall, Report, RuleReport, Standing};

/// So many findings are told in full; the rest are counted.
const FINDINGS_MAX: usize = 20;

/// Writes a report as Markdown.
pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let verdict = match report.verdict {
        Overall::Conforms => "✅ conforms",
        Overall::DoesNotConform => "❌ does not conform",
        Overall::Inconclusive => "❓ inconclusive",
        Overall::Undriven => "🔌 could not be driven",
    };
    let (name, profile) = (&report.gateway.name, &report.profile);
    writeln!(out, "## {} {verdict}\n", escaped(name))?;
    let (rules, fixtures) = (report.rules.len(), report.fixtures.len());
    writeln!(
        out,
        "moorline {} judged it by the profile `{profile}`: {rules} rules, {fixtures} fixtures.\n",
        report.moorline
    )?;
    if let Some(clock) = clock_sentence(report) {
        writeln!(out, "⏱️ {}.\n", escaped(&first_large(&clock)))?;
    }
    write_table(out, report)?;
    write_findings(out, report)?;
    for stale in &report.stale {
        writeln!(out, "* {}", escaped(&stale_sentence(stale)))?;
    }
    for fixture in report.came_to(FixtureOutcome::Undriven) {
        let why = escaped(fixture.why.as_deref().unwrap_or_default());
        writeln!(out, "* **{}** could not be played: {why}", fixture.fixture)?;
    }
    Ok(())
}

fn write_table(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(
        out,
        "| family | rules | pass | fail | known | warn | inconclusive | inapplicable |"
    )?;
    writeln!(
        out,
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )?;
    for family in Family::ALL {
        let of_family = || {
            report
                .rules
                .iter()
                .filter(move |rule| rule.family == family)
        };
        if of_family().next().is_some() {
            write_row(out, family.as_str(), of_family)?;
        }
    }
    write_row(out, "**all**", || report.rules.iter())?;
    writeln!(out)
}

fn write_row<'r, I: Iterator<Item = &'r RuleReport>>(
    out: &mut impl Write,
    name: &str,
    rules: impl Fn() -> I,
) -> io::Result<()> {
    let count = |standing| rules().filter(|rule| rule.standing == standing).count();
    write!(out, "| {name} | {}", rules().count())?;
    let columns = [
        Standing::Pass,
        Standing::Fail,
        Standing::Known,
        Standing::Warn,
        Standing::Inconclusive,
        Standing::Inapplicable,
    ];
    for standing in columns {
        match count(standing) {
            0 => write!(out, " | ")?,
            some => write!(out, " | {some}")?,
        }
    }
    writeln!(out, " |")
}

fn write_findings(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let all = findings(report).count();
    for finding in findings(report).take(FINDINGS_MAX) {
        let sign = if finding.is_warning { "⚠️" } else { "❌" };
        writeln!(
            out,
            "<details><summary>{sign} {}</summary>\n",
            finding.title()
        )?;
        if let Some(rule) = finding.rule {
            writeln!(out, "> {}\n", text_of(&rule.rule))?;
        }
        writeln!(out, "* seen: {}", escaped(finding.seen))?;
        writeln!(out, "* right would be: {}", escaped(finding.right))?;
        if let Some(exact) = finding.rule.and_then(give_or_take) {
            writeln!(out, "* ⏱️ by a clock that runs by itself: {exact}")?;
        }
        writeln!(out)?;
        writeln!(out, "```sh\n{}\n```\n</details>\n", finding.replay)?;
    }
    if FINDINGS_MAX < all {
        writeln!(out, "... and {} more.\n", all - FINDINGS_MAX)?;
    }
    Ok(())
}

fn first_large(sentence: &str) -> String {
    let mut signs = sentence.chars();
    let first = signs.next().into_iter().flat_map(char::to_uppercase);
    first.chain(signs).collect()
}

/// A text that comes from a gateway, so that nothing in it is taken for markup.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '\n' | '\r' => safe.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '@' => {
                safe.push('\\');
                safe.push(sign);
            }
            sign => safe.push(sign),
        }
    }
    safe
}
