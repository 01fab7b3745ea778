//! `moorline rules` and `moorline explain`.

use std::io::Write;

use moorline_sim::broken;
use moorline_spec::profile::{Family, Profile};
use moorline_spec::rule::{self, Keyword, Rule};
use serde_json::Value;

use super::failure::Failure;
use super::palette::{FAINT, STRONG};
use super::{RulesArgs, choose};
use crate::fixtures;
use crate::report::Exit;

/// How many characters of a rule's text stand in the list.
const WIDTH: usize = 96;

pub(super) fn list(out: &mut impl Write, args: &RulesArgs) -> Result<Exit, Failure> {
    let only = args.family.as_deref().map(choose::family).transpose()?;
    for family in Family::ALL {
        if only.is_some_and(|only| only != family) {
            continue;
        }
        let rules: Vec<&Rule> = rule::all()
            .iter()
            .filter(|rule| rule.family == family)
            .collect();
        if rules.is_empty() {
            continue;
        }
        writeln!(out, "{STRONG}{}{STRONG:#}", family.as_str())?;
        for rule in rules {
            writeln!(
                out,
                "  {:<32} {FAINT}{:<6}{FAINT:#} {}",
                rule.id,
                word(rule),
                brief(rule)
            )?;
        }
    }
    Ok(Exit::Conforms)
}

fn word(rule: &Rule) -> &'static str {
    match rule.keyword {
        Keyword::Must => "MUST",
        Keyword::Should => "SHOULD",
    }
}

fn brief(rule: &Rule) -> String {
    let text: String = rule.text.chars().take(WIDTH).collect();
    if text.len() == rule.text.len() {
        return text;
    }
    let end = text.rfind(' ').unwrap_or(text.len());
    format!("{} ...", text[..end].trim_end_matches([',', ';', ':']))
}

pub(super) fn explain(out: &mut impl Write, id: &str) -> Result<Exit, Failure> {
    let rule = choose::rule(id)?;
    writeln!(out, "{STRONG}{}{STRONG:#}  {}", rule.id, word(rule))?;
    writeln!(out, "\n  {}\n", rule.text)?;
    write_list(
        out,
        "sources",
        rule.sources.iter().map(|source| (*source).to_owned()),
    )?;
    write_list(out, "dials", rule.dials.iter().map(|dial| stands(dial)))?;
    if rule.relation.is_some() {
        let words = "it compares two plays, of a fixture and of another made from it".to_owned();
        write_list(out, "kind", std::iter::once(words))?;
    }
    let fixtures = fixtures::built_in()?;
    let witnesses = fixtures
        .iter()
        .filter(|named| named.scenario().rules.iter().any(|name| name == rule.id))
        .map(|named| format!("{}: {}", named.id, named.scenario().title));
    write_list(out, "fixtures", witnesses)?;
    let led = broken::all().iter().filter(|broken| broken.rule == rule.id);
    let led = led.map(|broken| {
        let report = broken
            .report
            .map_or(String::new(), |report| format!(" ({report})"));
        format!("{}: {}{report}", broken.id, broken.summary)
    });
    write_list(out, "broken", led)?;
    writeln!(out, "\n  {FAINT}moorline run {}{FAINT:#}", rule.id)?;
    Ok(Exit::Conforms)
}

/// A dial, and how it stands in each shipped profile.
fn stands(dial: &str) -> String {
    let stands = Profile::shipped().into_iter().map(|profile| {
        let dials = serde_json::to_value(&profile.dials).unwrap_or_default();
        let value = match dials.get(dial) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "unknown".to_owned(),
        };
        format!("{} {value}", profile.name)
    });
    format!("{dial}: {}", stands.collect::<Vec<_>>().join(", "))
}

fn write_list(
    out: &mut impl Write,
    name: &str,
    rows: impl Iterator<Item = String>,
) -> std::io::Result<()> {
    let rows: Vec<String> = rows.collect();
    if name == "sources" {
        return writeln!(out, "  {FAINT}{name:<10}{FAINT:#}{}", rows.join(", "));
    }
    for (index, row) in rows.iter().enumerate() {
        let name = if index == 0 { name } else { "" };
        writeln!(out, "  {FAINT}{name:<10}{FAINT:#}{row}")?;
    }
    Ok(())
}
