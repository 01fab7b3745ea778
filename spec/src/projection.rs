//! A trace seen from one conversation at a time, so that two plays can be compared.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what names no conversation belongs to none, also where it is new"
)]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::address::Address;
use crate::effect::{Effect, Report};
use crate::facts::Facts;
use crate::profile::Profile;
use crate::stimulus::{Opened, Stimulus};
use crate::trace::{Entry, Trace, What, World};

/// The entries of each conversation with their numbers, ids replaced by the order of their first
/// appearance in it. `names` gives channels new names (from, to), wherever one stands as a whole.
///
/// What one conversation would look like on its own: two plays that differ in what has nothing to
/// do with it give it equal entries.
pub fn by_conversation(
    trace: &Trace,
    names: &BTreeMap<String, String>,
) -> BTreeMap<String, Vec<(usize, Value)>> {
    let mut facts = Facts::new(&Profile::target());
    let mut places: BTreeMap<String, (Ids, Vec<(usize, Value)>)> = BTreeMap::new();
    for (index, entry) in trace.entries.iter().enumerate() {
        facts.see(index, entry);
        let Some(place) = conversation(entry, &facts) else {
            continue;
        };
        let Ok(mut value) = serde_json::to_value(entry) else {
            continue;
        };
        let (ids, lines) = places
            .entry(old_names(&place.to_string(), names))
            .or_default();
        rename(&mut value, names);
        // Lists may come in the order of keys, which a new name changes.
        if matches!(entry.what, What::Effect(Effect::Answer(_))) {
            sort_lists(&mut value);
        }
        ids.replace(&mut value);
        lines.push((index, value));
    }
    places
        .into_iter()
        .map(|(place, (_, lines))| (place, lines))
        .collect()
}

/// The conversation an entry belongs to, without its thread.
fn conversation(entry: &Entry, facts: &Facts) -> Option<Address> {
    let of_run = |run| facts.runs.get(run)?.origins.first().cloned();
    let of_call = |call| facts.calls.get(call)?.origins.first().cloned();
    let of_delivery = |delivery| Some(facts.deliveries.get(delivery)?.to.clone());
    let at = match &entry.what {
        What::Stimulus(stimulus) => match stimulus {
            Stimulus::Inbound(inbound) => Some(inbound.at.clone()),
            Stimulus::Call(call) => of_call(&call.call),
            Stimulus::RunStarted(started) => of_run(&started.run),
            Stimulus::RunProgress(progress) => of_run(&progress.run),
            Stimulus::RunEnded(ended) => of_run(&ended.run),
            Stimulus::Receipt(receipt) => of_delivery(&receipt.delivery),
            Stimulus::ThreadChanged(changed) => Some(changed.at.clone()),
            Stimulus::ConversationMoved(moved) => Some(moved.to.clone()),
            Stimulus::ThreadOpened(opened) => match &opened.outcome {
                Opened::Opened { at } => Some(at.clone()),
                Opened::Refused { .. } | Opened::Unknown {} => None,
            },
            _ => None,
        },
        What::Effect(effect) => match effect {
            Effect::StartRun(start) => of_run(&start.run),
            Effect::SteerRun(steer) => of_run(&steer.run),
            Effect::CancelRun(cancel) => of_run(&cancel.run),
            Effect::Deliver(deliver) => Some(deliver.to.clone()),
            Effect::OpenThread(open) => Some(open.parent.clone()),
            Effect::ProbeThread(probe) => Some(probe.address.clone()),
            Effect::Answer(answer) => of_call(&answer.call),
            Effect::Report(Report::Bound { address, .. } | Report::Unbound { address, .. }) => {
                Some(address.clone())
            }
            Effect::Report(Report::Failed { run, address, .. }) => {
                address.clone().or_else(|| of_run(run))
            }
            _ => None,
        },
        What::World(World::Posted { at, .. } | World::Thread { at, .. }) => Some(at.clone()),
        What::World(_) => None,
    };
    at.map(|at| at.without_thread())
}

/// The ids met so far in one conversation, and the numbers they have.
#[derive(Default)]
struct Ids(BTreeMap<String, String>);

/// Fields whose values a gateway or the world makes up.
const MADE_UP: [&str; 15] = [
    "call",
    "childSessionKey",
    "delivery",
    "key",
    "message",
    "request",
    "resumes",
    "run",
    "runId",
    "session",
    "sessionId",
    "sessionKey",
    "session_id",
    "session_key",
    "steer",
];

/// Ids as short as that are not looked for inside texts: they might be words.
const SHORTEST_IN_TEXT: usize = 8;

/// Channels by their old names, wherever they stand.
fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => *text = old_names(text, names),
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, names)),
        Value::Object(fields) => {
            for (name, mut value) in std::mem::take(fields) {
                rename(&mut value, names);
                fields.insert(old_names(&name, names), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(values) => {
            values.iter_mut().for_each(sort_lists);
            values.sort_by_cached_key(Value::to_string);
        }
        Value::Object(fields) => fields.values_mut().for_each(sort_lists),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

impl Ids {
    fn replace(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.in_text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(id) if MADE_UP.contains(&name.as_str()) => {
                            *id = self.number(id);
                        }
                        value => self.replace(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => (),
        }
    }

    fn number(&mut self, id: &str) -> String {
        let next = self.0.len() + 1;
        let number = self.0.entry(id.to_owned());
        number.or_insert_with(|| format!("#{next}")).clone()
    }

    fn in_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (id, number) in self.0.iter().filter(|(id, _)| SHORTEST_IN_TEXT <= id.len()) {
            if text.contains(id.as_str()) {
                text = text.replace(id.as_str(), number);
            }
        }
        text
    }
}

/// A text with the channels' old names in place of the new ones, where they stand as whole names.
fn old_names(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    // The longest first: one name may begin with another.
    let mut longest: Vec<_> = names.iter().collect();
    longest.sort_by_key(|(new, _)| std::cmp::Reverse(new.len()));
    for (new, old) in longest {
        text = replace_name(&text, new, old);
    }
    text
}

fn replace_name(text: &str, new: &str, old: &str) -> String {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(new) {
        let (before, after) = (&rest[..at], &rest[at + new.len()..]);
        let last = before.chars().next_back().or(result.chars().next_back());
        let whole =
            !last.is_some_and(part_of_name) && !after.chars().next().is_some_and(part_of_name);
        result.push_str(before);
        result.push_str(if whole { old } else { new });
        rest = after;
    }
    result.push_str(rest);
    result
}
