//! A report in the forms that other programs read. Each is made from the one report and holds
//! nothing else, so they never disagree.

mod badge;
mod github;
mod html;
mod junit;
mod markdown;
mod sarif;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use super::{BreachReport, FixtureReport, Report, RuleReport, Standing, UnmetReport};

/// A form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The report itself, by its schema.
    Json,
    /// JUnit XML: a suite for each directory of fixtures, and one for each family of rules.
    Junit,
    /// Annotations of GitHub Actions, one a line, as a job writes them to its standard output.
    Github,
    /// A page for a pull request or a job's summary.
    Markdown,
    /// A page for a browser: the rules, each finding, and a picture of how it came about.
    Html,
    /// SARIF 2.1.0, whose results point at the rules.
    Sarif,
    /// What shields.io shows as a badge.
    Badge,
}

impl Format {
    /// All of them, in the order in which help names them.
    pub const ALL: [Self; 7] = [
        Self::Json,
        Self::Junit,
        Self::Github,
        Self::Markdown,
        Self::Html,
        Self::Sarif,
        Self::Badge,
    ];

    /// Its name on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Github => "github",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Sarif => "sarif",
            Self::Badge => "badge",
        }
    }

    /// Writes a report in this form.
    pub fn write(self, report: &Report, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Json => write_json(out, report),
            Self::Junit => junit::write(out, report),
            Self::Github => github::write(out, report),
            Self::Markdown => markdown::write(out, report),
            Self::Html => html::write(out, report),
            Self::Sarif => write_json(out, &sarif::log(report)),
            Self::Badge => write_json(out, &badge::endpoint(report)),
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == name);
        known.ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// A name that no form has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat(String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Format::ALL.into_iter().map(Format::as_str).collect();
        write!(
            f,
            "there is no form {:?} of a report; there are {}",
            self.0,
            known.join(", ")
        )
    }
}

impl std::error::Error for UnknownFormat {}

fn write_json(out: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// One thing that went wrong, wherever it is told.
#[derive(Clone, Copy)]
struct Finding<'r> {
    /// The rule that was broken; none for an expectation of the fixture itself.
    rule: Option<&'r RuleReport>,
    fixture: &'r str,
    seen: &'r str,
    right: &'r str,
    replay: &'r str,
    /// Whether it only says what should be.
    is_warning: bool,
    /// The reason that the list of known failures gives.
    known: Option<&'r str>,
}

impl Finding<'_> {
    /// `relay.once is broken in relay/tells_the_dm`
    fn title(&self) -> String {
        match self.rule {
            Some(rule) => format!("{} is broken in {}", rule.rule, self.fixture),
            None => format!("an expectation of {} is unmet", self.fixture),
        }
    }

    /// What was seen, what would have been right, and how to see it again.
    fn words(&self) -> String {
        let Self {
            seen,
            right,
            replay,
            ..
        } = self;
        format!("Seen: {seen}.\nRight would be: {right}.\nSee it again: {replay}")
    }
}

/// Everything that went wrong, rule by rule, then expectation by expectation.
fn all_findings(report: &Report) -> impl Iterator<Item = Finding<'_>> {
    let rules = report.rules.iter().flat_map(broken);
    rules.chain(report.fixtures.iter().flat_map(unmet))
}

/// What went wrong and is not known to.
fn findings(report: &Report) -> impl Iterator<Item = Finding<'_>> {
    all_findings(report).filter(|finding| finding.known.is_none())
}

fn broken(rule: &RuleReport) -> impl Iterator<Item = Finding<'_>> {
    rule.breaches
        .iter()
        .map(move |breach: &BreachReport| Finding {
            rule: Some(rule),
            fixture: &breach.fixture,
            seen: &breach.seen,
            right: &breach.right,
            replay: &breach.replay,
            is_warning: rule.standing == Standing::Warn,
            known: breach.known.as_deref(),
        })
}

fn unmet(fixture: &FixtureReport) -> impl Iterator<Item = Finding<'_>> {
    fixture.unmet.iter().map(|unmet: &UnmetReport| Finding {
        rule: None,
        fixture: &fixture.fixture,
        seen: &unmet.seen,
        right: &unmet.right,
        replay: &fixture.replay,
        is_warning: false,
        known: unmet.known.as_deref(),
    })
}

/// What a rule asks, where it is one of ours.
fn text_of(rule: &str) -> &'static str {
    moorline_spec::rule::named(rule).map_or("", |rule| rule.text)
}

#[cfg(test)]
mod tests;
