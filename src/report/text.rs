//! A report as text for people.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use moorline_spec::profile::Family;
use moorline_spec::time::Span;

use super::{
    BreachReport, FixtureOutcome, GatewayKind, LineReport, Overall, Report, RuleReport,
    StaleReport, Standing, UnmetReport,
};
use crate::cli::palette::{BAD, CALM, FAINT, GOOD, STRONG, UNSURE};

/// Where sentences are broken.
const WIDTH: usize = 100;
/// How many fixtures are named after the first one that breaks a rule.
const NAMED: usize = 4;

/// Writes the table, what failed, and the verdict.
pub fn write_report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    write_head(out, report)?;
    write_table(out, report)?;
    for (field, count) in &report.gateway.unread {
        let words = format!(
            "field `{field}` of its replies is read by nobody ({count} times); a misspelt name \
             does nothing"
        );
        write_label(out, "note", UNSURE, &words)?;
    }
    write_clock(out, report)?;
    for rule in report.standing(Standing::Fail) {
        write_broken(out, rule, "fail", BAD)?;
    }
    for rule in report.standing(Standing::Warn) {
        write_broken(out, rule, "warn", UNSURE)?;
    }
    for fixture in &report.fixtures {
        for unmet in fixture.unmet.iter().filter(|unmet| unmet.known.is_none()) {
            write_label(out, "fail", BAD, &unmet_sentence(&fixture.fixture, unmet))?;
            write_lines(
                out,
                "      ",
                &unmet.lines,
                &unmet.entry.into_iter().collect(),
            )?;
            write_replay(out, &fixture.replay)?;
        }
    }
    for fixture in report.came_to(FixtureOutcome::Undriven) {
        let why = fixture.why.as_deref().unwrap_or_default();
        let sentence = format!("{} could not be driven: {why}", fixture.fixture);
        write_label(out, "stop", BAD, &sentence)?;
        write_replay(out, &fixture.replay)?;
    }
    write_known(out, report)?;
    for stale in &report.stale {
        write_label(out, "gone", BAD, &stale_sentence(stale))?;
    }
    write_untested(out, report)?;
    writeln!(out)?;
    write_verdict(out, report)
}

/// How exact a verdict is that depends on time, where nobody steers the clock.
pub(super) fn give_or_take(rule: &RuleReport) -> Option<String> {
    let exact = Span::ms(rule.tolerance_ms?);
    Some(format!("give or take {exact}"))
}

/// The verdicts that a clock had a say in which nobody steers, as a sentence.
pub(super) fn clock_sentence(report: &Report) -> Option<String> {
    let scale = report.gateway.real_clock?;
    let timed = report.rules.iter().filter_map(|rule| {
        let exact = give_or_take(rule)?;
        Some(format!("{} ({exact})", rule.rule))
    });
    let timed: Vec<String> = timed.collect();
    let which = match timed.is_empty() {
        true => "no verdict depends on time".to_owned(),
        false => format!("these verdicts depend on time: {}", timed.join(", ")),
    };
    let fast = match scale {
        1 => String::new(),
        scale => format!(", {scale} times as fast as real time"),
    };
    Some(format!("the gateway's clock runs by itself{fast}; {which}"))
}

fn write_clock(out: &mut impl Write, report: &Report) -> io::Result<()> {
    match clock_sentence(report) {
        Some(sentence) => write_label(out, "note", UNSURE, &format!("{sentence}.")),
        None => Ok(()),
    }
}

fn write_head(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let gateway = match report.gateway.kind {
        GatewayKind::Reference => report.gateway.name.clone(),
        GatewayKind::Broken => format!("the broken gateway {}", report.gateway.name),
        GatewayKind::Process => report.gateway.name.clone(),
        GatewayKind::Log => format!("the log {}", report.gateway.name),
    };
    writeln!(
        out,
        "{STRONG}moorline {}{STRONG:#} judges {STRONG}{gateway}{STRONG:#} by the profile {}: {} \
         and {}\n",
        report.moorline,
        report.profile,
        count(report.rules.len(), "rule"),
        count(report.fixtures.len(), "fixture"),
    )
}

/// Rules by standing, for a line of the table.
#[derive(Default)]
struct Row {
    rules: usize,
    pass: usize,
    fail: usize,
    known: usize,
    warn: usize,
    inconclusive: usize,
    inapplicable: usize,
    witnessed: u64,
}

impl Row {
    fn of<'a>(rules: impl Iterator<Item = &'a RuleReport>) -> Self {
        rules.fold(Self::default(), |mut row, rule| {
            row.rules += 1;
            row.witnessed += rule.witnessed;
            match rule.standing {
                Standing::Pass => row.pass += 1,
                Standing::Fail => row.fail += 1,
                Standing::Known => row.known += 1,
                Standing::Warn => row.warn += 1,
                Standing::Inconclusive => row.inconclusive += 1,
                Standing::Inapplicable => row.inapplicable += 1,
            }
            row
        })
    }

    fn write(&self, out: &mut impl Write, name: &str, rare: Rare) -> io::Result<()> {
        write!(out, "  {name:<11}{:>5}", self.rules)?;
        write_cell(out, self.pass, 6, GOOD)?;
        write_cell(out, self.fail, 6, BAD)?;
        if rare.known {
            write_cell(out, self.known, 7, UNSURE)?;
        }
        if rare.warnings {
            write_cell(out, self.warn, 6, UNSURE)?;
        }
        write_cell(out, self.inconclusive, 14, UNSURE)?;
        write_cell(out, self.inapplicable, 14, CALM)?;
        write_cell(out, self.witnessed, 11, CALM)?;
        writeln!(out)
    }
}

/// Columns that most tables do without.
#[derive(Clone, Copy)]
struct Rare {
    known: bool,
    warnings: bool,
}

fn write_cell(
    out: &mut impl Write,
    number: impl TryInto<u64>,
    width: usize,
    style: anstyle::Style,
) -> io::Result<()> {
    match number.try_into() {
        Ok(0) | Err(_) => write!(out, "{FAINT}{:>width$}{FAINT:#}", "-"),
        Ok(number) => write!(out, "{style}{number:>width$}{style:#}"),
    }
}

fn write_table(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let rare = Rare {
        known: report.standing(Standing::Known).next().is_some(),
        warnings: report.standing(Standing::Warn).next().is_some(),
    };
    let known = if rare.known { "  known" } else { "" };
    let warn = if rare.warnings { "  warn" } else { "" };
    writeln!(
        out,
        "{FAINT}  {:<11}{:>5}  pass  fail{known}{warn}  inconclusive  inapplicable  witnessed{FAINT:#}",
        "family", "rules"
    )?;
    for family in Family::ALL {
        let row = Row::of(report.rules.iter().filter(|rule| rule.family == family));
        if row.rules > 0 {
            row.write(out, family.as_str(), rare)?;
        }
    }
    Row::of(report.rules.iter()).write(out, "all", rare)
}

fn write_broken(
    out: &mut impl Write,
    rule: &RuleReport,
    label: &str,
    style: anstyle::Style,
) -> io::Result<()> {
    let new: Vec<&BreachReport> = rule
        .breaches
        .iter()
        .filter(|it| it.known.is_none())
        .collect();
    let Some((first, others)) = new.split_first() else {
        return Ok(());
    };
    write_label(out, label, style, &breach_sentence(&rule.rule, first))?;
    write_lines(out, "      ", &first.lines, &[first.entry].into())?;
    write_replay(out, &first.replay)?;
    if !others.is_empty() {
        let names: Vec<&str> = others
            .iter()
            .map(|breach| breach.fixture.as_str())
            .collect();
        let more = names.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let named = names[..names.len().min(NAMED)].join(", ");
        writeln!(out, "{FAINT}        also in {named}{more}{FAINT:#}")?;
    }
    Ok(())
}

/// One sentence: the rule, where, what was seen, what would have been right.
fn breach_sentence(rule: &str, breach: &BreachReport) -> String {
    let plays = match breach.plays {
        Some(plays) => format!(" ({} of {} plays)", plays.failed, plays.of),
        None => String::new(),
    };
    format!(
        "{rule} is broken in {}{plays}: {}; right would be: {}.",
        breach.fixture, breach.seen, breach.right
    )
}

/// One sentence: the expectation, what was seen, what would have been right.
fn unmet_sentence(fixture: &str, unmet: &UnmetReport) -> String {
    format!(
        "expectation {} of {fixture} is unmet: {}; right would be: {}.",
        unmet.expectation, unmet.seen, unmet.right
    )
}

/// A word in colour, and a sentence beside it, broken where it is long.
fn write_label(
    out: &mut impl Write,
    label: &str,
    style: anstyle::Style,
    sentence: &str,
) -> io::Result<()> {
    let mut lines = broken_at(sentence, WIDTH - 8).into_iter();
    let first = lines.next().unwrap_or_default();
    writeln!(out, "\n  {style}{label:<4}{style:#}  {first}")?;
    lines.try_for_each(|line| writeln!(out, "        {line}"))
}

/// Lines of a transcript with the numbers of their entries, the time where it changes, and an arrow
/// before those that are marked.
pub fn write_lines(
    out: &mut impl Write,
    indent: &str,
    lines: &[LineReport],
    marked: &BTreeSet<usize>,
) -> io::Result<()> {
    let width = lines.last().map_or(0, |line| line.at.to_string().len());
    let mut clock = None;
    for line in lines {
        let time = match clock.replace(line.at) {
            Some(same) if same == line.at => String::new(),
            Some(_) | None => line.at.to_string(),
        };
        let (entry, text) = (line.entry, line.text.trim_end());
        if marked.contains(&entry) {
            writeln!(
                out,
                "{indent}{BAD}> {entry:>4}  {time:>width$}  {text}{BAD:#}"
            )?;
        } else {
            let number = format!("{entry:>4}  {time:>width$}");
            writeln!(out, "{indent}  {FAINT}{number}{FAINT:#}  {text}")?;
        }
    }
    Ok(())
}

fn write_replay(out: &mut impl Write, command: &str) -> io::Result<()> {
    writeln!(out, "        {STRONG}{command}{STRONG:#}")
}

/// What fails and is known to, a line for each reason.
fn write_known(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut by_reason: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for rule in &report.rules {
        for breach in &rule.breaches {
            if let Some(known) = &breach.known {
                let what = format!("{} in {}", rule.rule, breach.fixture);
                by_reason.entry(known).or_default().insert(what);
            }
        }
    }
    for fixture in &report.fixtures {
        let unmet = fixture
            .unmet
            .iter()
            .filter_map(|unmet| unmet.known.as_ref());
        for known in unmet.chain(&fixture.known) {
            let what = fixture.fixture.clone();
            by_reason.entry(known).or_default().insert(what);
        }
    }
    for (reason, what) in by_reason {
        let shown: Vec<&str> = what.iter().take(NAMED).map(String::as_str).collect();
        let more = what.len() - shown.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let sentence = format!("{reason}: {}{more}.", shown.join(", "));
        write_label(out, "known", UNSURE, &sentence)?;
    }
    Ok(())
}

/// One sentence: what holds, and what to do about it.
pub(super) fn stale_sentence(stale: &StaleReport) -> String {
    let what = match (&stale.rule, &stale.fixture) {
        (Some(rule), Some(fixture)) => format!("{rule} in {fixture}"),
        (Some(name), None) | (None, Some(name)) => name.clone(),
        (None, None) => "an entry".to_owned(),
    };
    let reason = &stale.reason;
    format!("{what} is listed as a known failure ({reason}), and holds: take it out of the list.")
}

/// Rules that were never put to the test, and why: those with the same reason together.
fn write_untested(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in report.standing(Standing::Inconclusive) {
        let why = rule.why.as_deref().unwrap_or_default();
        by_reason.entry(why).or_default().push(&rule.rule);
    }
    for (why, rules) in by_reason {
        let are = if rules.len() == 1 { "is" } else { "are" };
        let sentence = format!("{} {are} inconclusive: {why}.", rules.join(", "));
        write_label(out, "open", UNSURE, &sentence)?;
    }
    Ok(())
}

fn write_verdict(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let broken = report.standing(Standing::Fail).count();
    let unmet: usize = report
        .fixtures
        .iter()
        .map(|fixture| {
            fixture
                .unmet
                .iter()
                .filter(|unmet| unmet.known.is_none())
                .count()
        })
        .sum();
    let open = report.standing(Standing::Inconclusive).count();
    let undriven = report.came_to(FixtureOutcome::Undriven).count();
    let failed = report.came_to(FixtureOutcome::Failed).count();
    let inapplicable = report.came_to(FixtureOutcome::Inapplicable).count();
    let played = report.fixtures.len() - inapplicable;
    let mut parts = Vec::new();
    if broken > 0 {
        parts.push(format!("{} broken", count(broken, "rule")));
    }
    if unmet > 0 {
        parts.push(format!("{} unmet", count(unmet, "expectation")));
    }
    match report.stale.len() {
        0 => (),
        1 => parts.push("1 known failure that fails no more".to_owned()),
        stale => parts.push(format!("{stale} known failures that fail no more")),
    }
    if undriven > 0 {
        parts.push(format!(
            "{} not driven to the end",
            count(undriven, "fixture")
        ));
    }
    if open > 0 {
        parts.push(format!("{} never put to the test", count(open, "rule")));
    }
    let known = report.standing(Standing::Known).count();
    if known > 0 {
        parts.push(format!("{} broken as known", count(known, "rule")));
    }
    let kept = report.standing(Standing::Pass).count();
    parts.push(format!("{} kept", count(kept, "rule")));
    let (word, style) = verdict_words(report.verdict);
    let failed = if failed > 0 {
        format!(", {failed} failed")
    } else {
        String::new()
    };
    let fixtures = count(played, "fixture");
    writeln!(
        out,
        "{style}{word}{style:#}: {} ({fixtures} played{failed}, {:.1} s)",
        parts.join(", "),
        report.seconds,
    )
}

fn verdict_words(verdict: Overall) -> (&'static str, anstyle::Style) {
    match verdict {
        Overall::Conforms => ("conforms", GOOD),
        Overall::DoesNotConform => ("does not conform", BAD),
        Overall::Inconclusive => ("inconclusive", UNSURE),
        Overall::Undriven => ("could not be driven", BAD),
    }
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A text in lines of at most `width` characters where its words allow it.
fn broken_at(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let long = lines[last].chars().count() + 1 + word.chars().count() > width;
        if long && !lines[last].is_empty() {
            lines.push(word.to_owned());
            continue;
        }
        if !lines[last].is_empty() {
            lines[last].push(' ');
        }
        lines[last].push_str(word);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_broken_between_words() {
        assert_eq!(broken_at("one two three", 7), ["one two", "three"]);
        assert_eq!(broken_at("immeasurable", 3), ["immeasurable"]);
        assert_eq!(broken_at("", 3), [""]);
    }
}
