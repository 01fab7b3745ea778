//! What moorline finds in gateways that somebody else wrote: each of the examples in Python and
//! TypeScript with one method that is wrong breaks exactly the rules that `tests/defects.json`
//! lists, over the stories that it lists and those that all of them play.

mod interpreter;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use moorline::driver::Deadlines;
use moorline::fixtures::{self, Named};
use moorline::gate::{Gate, Outcome};
use moorline_spec::rule;
use serde::Deserialize;

/// So many different ones there are at least.
const DEFECTS_MIN: usize = 20;

/// Played by each of them: what is not listed is not broken by these either.
const STORIES: [&str; 4] = [
    "isolation/two_accounts_of_one_channel_stay_apart",
    "relay/tells_the_dm_and_nobody_else",
    "session/direct_messages_meet_by_scope",
    "spawn/the_mode_is_given_or_follows_the_thread",
];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defect {
    /// What it plays beside the stories of all.
    stories: Vec<String>,
    /// Every rule that it breaks.
    breaks: BTreeSet<String>,
}

/// Those of one interpreter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defects {
    interpreter: String,
    script: String,
    defects: BTreeMap<String, Defect>,
}

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("tests/defects.json")).expect("it is there");
    let all: Vec<Defects> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}"));
    let named = fixtures::on_disk(&root.join("fixtures")).unwrap_or_else(|e| panic!("{e}"));
    let named: &'static [Named] = named.leak();
    let mut trials = vec![Trial::test("the_list_is_whole", {
        let lists: Vec<_> = all.iter().map(names).collect();
        move || is_whole(&lists)
    })];
    for of in all {
        let language = Path::new(&of.script).extension().unwrap_or_default();
        let language = language.to_string_lossy().into_owned();
        for (name, defect) in of.defects {
            let (interpreter, script) = (of.interpreter.clone(), root.join(&of.script));
            let trial = Trial::test(format!("{language}::{name}"), move || {
                if !interpreter::is_there(&interpreter) {
                    return Ok(());
                }
                let command = format!("exec {interpreter} '{}' {name}", script.display());
                breaks_exactly(&command, &defect, named)
            });
            trials.push(trial);
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Plays its stories; the rules that fail are those that are listed.
fn breaks_exactly(command: &str, defect: &Defect, named: &[Named]) -> Result<(), Failed> {
    let mut gate = Gate::process(command, None, Deadlines::default())?;
    let mut told: BTreeMap<&str, String> = BTreeMap::new();
    let own = defect.stories.iter().map(String::as_str);
    for id in STORIES.into_iter().chain(own) {
        let named = named.iter().find(|named| named.id == id);
        let named = named.ok_or_else(|| format!("there is no story {id}"))?;
        let Outcome::Played(judgement) = gate.play(named.scenario()) else {
            return Err(format!("{id} says nothing about it").into());
        };
        if let Err(why) = &judgement.end {
            return Err(format!("{id} came to no end: {why}").into());
        }
        for (rule, verdict) in &judgement.verdicts {
            if verdict.is_fail() {
                told.entry(rule.id)
                    .or_insert_with(|| format!("{} in {id}: {verdict:?}", rule.id));
            }
        }
    }
    let found: BTreeSet<String> = told.keys().map(|&id| id.to_owned()).collect();
    if found == defect.breaks {
        return Ok(());
    }
    let missed: Vec<&String> = defect.breaks.difference(&found).collect();
    let more = found.difference(&defect.breaks);
    let more: Vec<&str> = more
        .filter_map(|id| Some(told.get(id.as_str())?.as_str()))
        .collect();
    let more = more.join("\n  ");
    Err(format!("listed and not broken: {missed:?}\nbroken and not listed:\n  {more}").into())
}

/// What a list has, and what the script has by its own account.
#[derive(Debug)]
struct Names {
    interpreter: String,
    script: String,
    listed: BTreeSet<String>,
    breaks: BTreeSet<String>,
    breaks_nothing: Vec<String>,
}

fn names(of: &Defects) -> Names {
    let idle = of
        .defects
        .iter()
        .filter(|(_, defect)| defect.breaks.is_empty());
    let breaks = of
        .defects
        .values()
        .flat_map(|defect| defect.breaks.iter().cloned());
    Names {
        interpreter: of.interpreter.clone(),
        script: of.script.clone(),
        listed: of.defects.keys().cloned().collect(),
        breaks: breaks.collect(),
        breaks_nothing: idle.map(|(name, _)| name.clone()).collect(),
    }
}

/// Every defect that a script has is listed, each of them is found, and there are enough of them.
fn is_whole(lists: &[Names]) -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut different = BTreeSet::new();
    for list in lists {
        different.extend(&list.listed);
        if let Some(idle) = list.breaks_nothing.first() {
            return Err(format!("{idle} breaks nothing").into());
        }
        let unknown = list
            .breaks
            .iter()
            .find(|id| rule::all().iter().all(|rule| rule.id != **id));
        if let Some(unknown) = unknown {
            return Err(format!("there is no rule {unknown}").into());
        }
        if !interpreter::is_there(&list.interpreter) {
            continue;
        }
        let output = Command::new(&list.interpreter)
            .arg(root.join(&list.script))
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = said
            .trim()
            .strip_prefix("name a defect: ")
            .unwrap_or_default();
        let has: BTreeSet<String> = said.split(", ").map(str::to_owned).collect();
        if has != list.listed {
            return Err(
                format!("{} has {has:?}, listed are {:?}", list.script, list.listed).into(),
            );
        }
    }
    if different.len() < DEFECTS_MIN {
        return Err(format!("{} are too few", different.len()).into());
    }
    Ok(())
}
