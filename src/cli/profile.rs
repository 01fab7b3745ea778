//! `moorline profile`: what an implementation promises, told dial by dial.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Subcommand;
use moorline_spec::profile::{Family, Profile};
use moorline_spec::schema::profile_schema;
use serde_json::Value;

use super::choose;
use super::failure::Failure;
use super::palette::{FAINT, GOOD, STRONG, UNSURE};
use crate::report::Exit;

/// What is done with profiles.
#[derive(Debug, Subcommand)]
pub(super) enum ProfileCommand {
    /// List the profiles that come with moorline
    List,
    /// Show a profile: its families, and each dial with what it means and where that was read
    Show {
        /// A shipped profile, or a file
        #[arg(default_value = "target")]
        profile: String,
        /// As the file that it is, to begin one of your own with
        #[arg(long)]
        json: bool,
    },
    /// Say whether a file is a profile, and where it isn't
    Check {
        /// The file
        file: PathBuf,
    },
}

pub(super) fn profile(out: &mut impl Write, what: &ProfileCommand) -> Result<Exit, Failure> {
    match what {
        ProfileCommand::List => {
            for profile in Profile::shipped() {
                writeln!(out, "{}", profile.name)?;
            }
        }
        ProfileCommand::Show { profile, json } => {
            let profile = choose::profile(Some(profile))?.unwrap_or_else(Profile::target);
            if *json {
                serde_json::to_writer_pretty(&mut *out, &profile).map_err(io::Error::from)?;
                writeln!(out)?;
            } else {
                show(out, &profile)?;
            }
        }
        ProfileCommand::Check { file } => {
            let profile = choose::profile_in(file)?;
            check(out, &profile)?;
        }
    }
    Ok(Exit::Conforms)
}

/// The dials of a profile, in the order of their names, each with its value.
fn dials(profile: &Profile) -> Vec<(String, Value)> {
    let dials = serde_json::to_value(&profile.dials).unwrap_or_default();
    let fields = dials.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn show(out: &mut impl Write, profile: &Profile) -> Result<(), Failure> {
    writeln!(out, "{STRONG}{}{STRONG:#}", profile.name)?;
    let families: Vec<&str> = profile
        .families
        .iter()
        .map(|family| family.as_str())
        .collect();
    writeln!(out, "families: {}", families.join(", "))?;
    let target = dials(&Profile::target());
    let schema = serde_json::to_value(profile_schema()).unwrap_or_default();
    for ((name, value), (_, own)) in dials(profile).into_iter().zip(&target) {
        let style = if value == *own { FAINT } else { UNSURE };
        let value = shown(&value);
        writeln!(
            out,
            "\n  {STRONG}{name}{STRONG:#} = {style}{value}{style:#}"
        )?;
        if let Some(words) = described(&schema, &name) {
            writeln!(out, "      {words}")?;
        }
        if value != shown(own) {
            writeln!(out, "      {FAINT}target has {}{FAINT:#}", shown(own))?;
        }
        if let Some(source) = profile.sources.get(&name) {
            writeln!(out, "      {FAINT}{source}{FAINT:#}")?;
        }
    }
    Ok(())
}

/// What a dial means, from the schema of profiles, as one line.
fn described(schema: &Value, name: &str) -> Option<String> {
    let dial = &schema["$defs"]["Dials"]["properties"][name];
    let words = dial["description"].as_str()?;
    Some(words.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn check(out: &mut impl Write, profile: &Profile) -> Result<(), Failure> {
    let target = dials(&Profile::target());
    let own: Vec<(String, Value)> = dials(profile)
        .into_iter()
        .zip(&target)
        .filter(|((_, value), (_, other))| value != other)
        .map(|(own, _)| own)
        .collect();
    let missing = Family::ALL.len() - profile.families.len();
    writeln!(
        out,
        "{GOOD}{}{GOOD:#} is a profile: {} of {} families, {} dials unlike target",
        profile.name,
        Family::ALL.len() - missing,
        Family::ALL.len(),
        own.len()
    )?;
    for (name, value) in own
        .iter()
        .filter(|(name, _)| !profile.sources.contains_key(name))
    {
        let value = shown(value);
        writeln!(
            out,
            "  {UNSURE}note{UNSURE:#}  {name} is {value}, and `sources` does not say where that was read"
        )?;
    }
    for name in profile.sources.keys() {
        if !target.iter().any(|(known, _)| known == name) {
            writeln!(
                out,
                "  {UNSURE}note{UNSURE:#}  `sources` names {name:?}, which is no dial"
            )?;
        }
    }
    Ok(())
}
