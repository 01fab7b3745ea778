//! A channel by any other name: the same play once more with every channel renamed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::address::Address;
use crate::effect::{Effect, Report};
use crate::facts::Facts;
use crate::id::ChannelId;
use crate::profile::Profile;
use crate::scenario::{Scenario, Verb};
use crate::stimulus::{Opened, Stimulus};
use crate::trace::{Entry, Rest, Trace, What, World};
use crate::verdict::{Breach, Verdict};

/// A common beginning keeps the order of names, and no channel is called anything like it.
const PREFIX: &str = "x-";

fn new_name(channel: &str) -> String {
    format!("{PREFIX}{channel}")
}

/// The scenario with every channel renamed. None where nothing happens in it.
pub(super) fn renamed(scenario: &Scenario) -> Option<Scenario> {
    if scenario.steps.is_empty() {
        return None;
    }
    let mut other = scenario.clone();
    let mut forms = std::mem::take(&mut other.channels);
    let homes = other.people.values_mut().chain(other.places.values_mut());
    for home in homes {
        forms.entry(home.channel.clone()).or_default();
        home.channel = new_name(home.channel.as_str()).into();
    }
    let known: BTreeSet<String> = forms.keys().map(ChannelId::to_string).collect();
    for (name, mut form) in forms {
        form.like.get_or_insert_with(|| name.to_string());
        other.channels.insert(new_name(name.as_str()).into(), form);
    }
    rename_config(&mut other.config, &known);
    for step in &mut other.steps {
        rename_verb(&mut step.verb, &known);
    }
    Some(other)
}

fn rename_verb(verb: &mut Verb, known: &BTreeSet<String>) {
    match verb {
        Verb::Configures(config) => rename_config(config, known),
        Verb::AtOnce(verbs) => verbs.iter_mut().for_each(|verb| rename_verb(verb, known)),
        _ => (),
    }
}

fn rename_config(config: &mut Value, known: &BTreeSet<String>) {
    for path in ["/channels", "/session/resetByChannel"] {
        if let Some(Value::Object(channels)) = config.pointer_mut(path) {
            let old: Map<String, Value> = std::mem::take(channels);
            channels.extend(
                old.into_iter()
                    .map(|(name, value)| (new_name(&name), value)),
            );
        }
    }
    if let Some(Value::Object(links)) = config.pointer_mut("/session/identityLinks") {
        for peer in links.values_mut().filter_map(Value::as_array_mut).flatten() {
            // A peer may have a colon of its own.
            if let Some((channel, person)) = peer.as_str().and_then(|peer| peer.split_once(':'))
                && known.contains(channel)
            {
                *peer = format!("{}:{person}", new_name(channel)).into();
            }
        }
    }
    if let Some(channel) = config.pointer_mut("/agents/defaults/heartbeat/to/channel")
        && let Some(name) = channel.as_str()
    {
        *channel = new_name(name).into();
    }
}

/// Whether both traces tell the same but for the names.
pub(super) fn compare(one: &Scenario, first: &Trace, _: &Scenario, second: &Trace) -> Verdict {
    let short = |trace: &Trace| {
        let out = What::World(World::Rest(Rest::OutOfWakes));
        trace.entries.last().is_some_and(|last| last.what == out)
    };
    if short(first) || short(second) {
        return Verdict::Inconclusive {
            why: "a play was ended because the gateway woke too often".to_owned(),
        };
    }
    let homes = one.people.values().chain(one.places.values());
    let mut channels: BTreeSet<String> = homes.map(|home| home.channel.to_string()).collect();
    channels.extend(one.channels.keys().map(ChannelId::to_string));
    let names: BTreeMap<String, String> = channels
        .into_iter()
        .map(|channel| (new_name(&channel), channel))
        .collect();
    let (ours, theirs) = (project(first, &BTreeMap::new()), project(second, &names));
    let places: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let mut witnessed = 0;
    for place in places {
        let (our, their) = (ours.get(place), theirs.get(place));
        let our = our.map(Vec::as_slice).unwrap_or_default();
        let their = their.map(Vec::as_slice).unwrap_or_default();
        if let Some(at) = (0..our.len().max(their.len()))
            .find(|&at| our.get(at).map(|(_, line)| line) != their.get(at).map(|(_, line)| line))
        {
            let line = |trace: &Trace, side: &[(usize, Value)]| match side.get(at) {
                Some(&(index, _)) => trace.transcript_line(index),
                None => "nothing more".to_owned(),
            };
            let (index, _) = our.get(at).or(our.last()).cloned().unwrap_or_default();
            return Verdict::Fail(Breach {
                entry: index,
                at: first
                    .entries
                    .get(index)
                    .map(|entry| entry.at)
                    .unwrap_or_default(),
                seen: format!(
                    "with every channel renamed, what happens in {place} differs from here on: {}",
                    line(second, their)
                ),
                right: format!("it is as under the old names: {}", line(first, our)),
            });
        }
        witnessed += 1;
    }
    Verdict::from_witnesses(witnessed)
}

/// The entries of each conversation, by its old name, with their numbers; ids by first appearance,
/// and channels by their old names.
fn project(
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
        ids.replace(&mut value, names);
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

impl Ids {
    fn replace(&mut self, value: &mut Value, names: &BTreeMap<String, String>) {
        match value {
            Value::String(text) => *text = self.in_text(&old_names(text, names)),
            Value::Array(values) => {
                for value in values {
                    self.replace(value, names);
                }
            }
            Value::Object(fields) => {
                let old = std::mem::take(fields);
                for (name, mut value) in old {
                    match &mut value {
                        Value::String(id) if MADE_UP.contains(&name.as_str()) => {
                            *id = self.number(&old_names(id, names));
                        }
                        value => self.replace(value, names),
                    }
                    fields.insert(old_names(&name, names), value);
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
