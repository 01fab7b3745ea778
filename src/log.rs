//! Recorded logs: a trace that somebody wrote while their gateway was at work, judged by the same
//! checkers as a play, line by line, in memory that does not grow with it.

mod cut;
mod pseudonym;
mod redact;
mod vocabulary;

use std::io::{self, BufRead};

use moorline_spec::judge::Judge;
use moorline_spec::observe::Observer;
use moorline_spec::profile::Profile;
use moorline_spec::rule::{Keyword, Rule};
use moorline_spec::stimulus::Stimulus;
use moorline_spec::time::Time;
use moorline_spec::trace::{Entry, Rest, Trace, What, World};
use moorline_spec::verdict::{Debt, Verdict};

use crate::report::{
    BreachReport, FixtureOutcome, FixtureReport, GatewayKind, GatewayReport, LINES_AFTER,
    LINES_BEFORE, LineReport, Overall, Report, RuleReport, Standing, VERSION, lines,
};

pub use cut::{Cut, CutError, cut};
pub use redact::Redactor;

/// What was found in a log.
#[derive(Debug)]
pub struct Found {
    /// How many entries it has.
    pub entries: usize,
    /// How it ended, where it says so.
    pub rest: Option<Rest>,
    /// What the rules say.
    pub verdicts: Vec<(&'static Rule, Verdict)>,
    /// What is owed at its end.
    pub owed: Vec<Debt>,
}

/// Why a log cannot be judged. It reads as a sentence without a full stop.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// What is made of it cannot be written.
    #[error("what is made of it cannot be written: {0}")]
    Write(io::Error),
    /// A line is no entry.
    #[error("line {line}, column {}: {}", source.column(), without_place(source))]
    Entry {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It begins in the middle.
    #[error(
        "line {0}: a log begins with the life of a gateway, {{\"at\":0,\"stimulus\":{{\"open\":...}}}}, \
         which says what it is configured to do and which channels it is joined to"
    )]
    NoBeginning(usize),
    /// Its time runs backwards.
    #[error(
        "line {line}: it is at {at}, and the line before was at {before}; time never runs back"
    )]
    Backwards {
        /// The line, from 1.
        line: usize,
        /// When it is.
        at: Time,
        /// When the line before was.
        before: Time,
    },
    /// Nothing is in it.
    #[error("there is no entry in it")]
    Empty,
}

/// What serde says, without the place in the line, which is said before.
fn without_place(error: &serde_json::Error) -> String {
    let words = error.to_string();
    match words.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => words,
    }
}

/// The entries of a log, one after the other. One line is held at a time, in the same place.
struct Entries<R> {
    input: R,
    text: Vec<u8>,
    /// The line that was read last, from 1.
    line: usize,
    before: Option<Time>,
}

impl<R: BufRead> Entries<R> {
    fn of(input: R) -> Self {
        Self {
            input,
            text: Vec::new(),
            line: 0,
            before: None,
        }
    }

    /// The next line that is not blank.
    fn fill(&mut self) -> Result<bool, LogError> {
        loop {
            self.text.clear();
            self.line += 1;
            if self.input.read_until(b'\n', &mut self.text)? == 0 {
                return Ok(false);
            }
            if !self.text.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn read(&mut self) -> Result<Option<Entry>, LogError> {
        if !self.fill()? {
            return Ok(None);
        }
        let line = self.line;
        let text = self.text.trim_ascii_end();
        let entry: Entry = parsed(text).map_err(|source| LogError::Entry { line, source })?;
        match self.before.replace(entry.at) {
            None if matches!(entry.what, What::Stimulus(Stimulus::Open(_))) => Ok(Some(entry)),
            None => Err(LogError::NoBeginning(line)),
            Some(before) if entry.at < before => {
                let at = entry.at;
                Err(LogError::Backwards { line, at, before })
            }
            Some(_) => Ok(Some(entry)),
        }
    }
}

/// A line that is text as a whole is read without a look at each string in it; of any other serde
/// tells where it is none.
fn parsed(line: &[u8]) -> serde_json::Result<Entry> {
    match std::str::from_utf8(line) {
        Ok(line) => Entry::from_json(line),
        Err(_) => serde_json::from_slice(line),
    }
}

impl<R: BufRead> Iterator for Entries<R> {
    type Item = Result<Entry, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// All entries of a log.
pub fn read(input: impl BufRead) -> Result<Vec<Entry>, LogError> {
    Entries::of(input).collect()
}

fn is_rest(entry: &Entry) -> bool {
    matches!(entry.what, What::World(World::Rest(_)))
}

/// Judges a log by a profile. Where it does not end in `rest`, more may follow, and what is owed at
/// its end is told and held against nobody.
pub fn judge(input: impl BufRead, profile: &Profile) -> Result<Found, LogError> {
    judge_each(input, profile, |_| Ok(()))
}

/// Judges a log, and shows each of its entries to somebody else too.
pub fn judge_each(
    input: impl BufRead,
    profile: &Profile,
    mut each: impl FnMut(&Entry) -> io::Result<()>,
) -> Result<Found, LogError> {
    let mut judge = Judge::new(profile);
    let mut rest = None;
    let mut count = 0;
    for entry in Entries::of(input) {
        let entry = entry?;
        each(&entry).map_err(LogError::Write)?;
        rest = match entry.what {
            What::World(World::Rest(rest)) => Some(rest),
            What::World(_) | What::Stimulus(_) | What::Effect(_) => None,
        };
        judge.see(count, &entry);
        count += 1;
    }
    if count == 0 {
        return Err(LogError::Empty);
    }
    let owed = judge.debts();
    let verdicts = match rest {
        Some(_) => judge.finish(),
        None => judge.so_far(),
    };
    Ok(Found {
        entries: count,
        rest,
        verdicts,
        owed,
    })
}

/// The lines of a transcript around each of some entries, read from the log again.
pub fn lines_around(input: impl BufRead, of: &[usize]) -> Result<Vec<Vec<LineReport>>, LogError> {
    let mut around: Vec<Trace> = of.iter().map(|_| Trace::default()).collect();
    for (number, entry) in Entries::of(input).enumerate() {
        let entry = entry?;
        for (trace, &of) in around.iter_mut().zip(of) {
            if of.saturating_sub(LINES_BEFORE) <= number && number <= of + LINES_AFTER {
                trace.entries.push(entry.clone());
            }
        }
    }
    let shown = around.iter().zip(of).map(|(trace, of)| {
        let first = of.saturating_sub(LINES_BEFORE);
        let mut shown = lines(trace, &[of - first].into());
        for line in &mut shown {
            line.entry += first;
        }
        shown
    });
    Ok(shown.collect())
}

impl Found {
    /// The entries that break rules, in the order of the rules.
    pub fn breaking(&self) -> Vec<usize> {
        let breaches = self
            .verdicts
            .iter()
            .filter_map(|(_, verdict)| verdict.breach());
        breaches.map(|breach| breach.entry).collect()
    }

    /// What was found as a report about a log of that name, which `command` shows again. `shown`
    /// are the lines around the entries that break rules.
    pub fn report(
        self,
        name: &str,
        profile: &str,
        command: &str,
        shown: Vec<Vec<LineReport>>,
        seconds: f64,
    ) -> Report {
        let mut shown = shown.into_iter();
        let mut rule_reports = Vec::new();
        let mut broken = Vec::new();
        for (rule, verdict) in &self.verdicts {
            let mut report = of_rule(rule, verdict);
            if let Some(breach) = verdict.breach() {
                broken.push(rule.id.to_owned());
                report.breaches.push(BreachReport {
                    fixture: name.to_owned(),
                    entry: breach.entry,
                    seen: breach.seen.clone(),
                    right: breach.right.clone(),
                    lines: shown.next().unwrap_or_default(),
                    plays: None,
                    known: None,
                    replay: command.to_owned(),
                });
            }
            rule_reports.push(report);
        }
        let fails = rule_reports
            .iter()
            .any(|rule| rule.standing == Standing::Fail);
        let fixture = FixtureReport {
            fixture: name.to_owned(),
            title: "A recorded log".to_owned(),
            outcome: match fails {
                true => FixtureOutcome::Failed,
                false => FixtureOutcome::Passed,
            },
            rest: self.rest,
            entries: self.entries,
            broken: broken.into_iter().collect(),
            unmet: Vec::new(),
            why: None,
            known: None,
            steps: Vec::new(),
            replay: command.to_owned(),
        };
        let mut report = Report {
            report: VERSION,
            moorline: env!("CARGO_PKG_VERSION").to_owned(),
            gateway: GatewayReport {
                kind: GatewayKind::Log,
                name: name.to_owned(),
                command: None,
                unread: [].into(),
                real_clock: None,
            },
            profile: profile.to_owned(),
            verdict: Overall::Conforms,
            exit_code: 0,
            rules: rule_reports,
            fixtures: vec![fixture],
            stale: Vec::new(),
            seconds,
        };
        report.sum_up();
        report
    }
}

/// A log tells what happened, and does not try to put every rule to the test.
fn of_rule(rule: &Rule, verdict: &Verdict) -> RuleReport {
    let (standing, witnessed, why) = match verdict {
        Verdict::Pass { witnessed } => (Standing::Pass, *witnessed, None),
        Verdict::Fail(_) if rule.keyword == Keyword::Should => (Standing::Warn, 0, None),
        Verdict::Fail(_) => (Standing::Fail, 0, None),
        Verdict::Inapplicable { why } => (Standing::Inapplicable, 0, Some(why.to_string())),
        Verdict::Inconclusive { .. } => {
            let why = "nothing in the log puts it to the test".to_owned();
            (Standing::Inapplicable, 0, Some(why))
        }
    };
    RuleReport {
        rule: rule.id.to_owned(),
        family: rule.family,
        standing,
        witnessed,
        why,
        breaches: Vec::new(),
        tolerance_ms: None,
    }
}

#[cfg(test)]
mod tests;
