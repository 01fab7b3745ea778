//! A channel by any other name: the same play once more with every channel renamed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::id::ChannelId;
use crate::projection::by_conversation;
use crate::scenario::{Action, Scenario, SendTo, SessionRef, Verb};
use crate::trace::{Rest, Trace, What, World};
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
    for file in &mut other.disk {
        if let Some(channel) = file.get_mut("channel")
            && let Some(name) = channel.as_str()
        {
            *channel = new_name(name).into();
        }
    }
    for step in &mut other.steps {
        rename_verb(&mut step.verb, &known);
    }
    Some(other)
}

fn rename_verb(verb: &mut Verb, known: &BTreeSet<String>) {
    if let Some(Some(script)) = verb.script_mut() {
        rename_script(script, known);
    }
    match verb {
        Verb::Configures(config) => rename_config(config, known),
        Verb::Runs { key, .. } => {
            if let Some(renamed) = renamed_key(key.as_str(), known) {
                *key = renamed.into();
            }
        }
        Verb::Beats { session, .. }
        | Verb::Admin {
            session: Some(session),
            ..
        }
        | Verb::Compacts(session) => rename_session(session, known),
        Verb::AtOnce(verbs) => verbs.iter_mut().for_each(|verb| rename_verb(verb, known)),
        _ => (),
    }
}

fn rename_script(script: &mut [Action], known: &BTreeSet<String>) {
    for action in script {
        if let Action::Send(send) = action
            && let SendTo::Session(session) = &mut send.to
        {
            rename_session(session, known);
        }
        for script in action
            .scripts_mut()
            .filter_map(|(_, script)| script.as_mut())
        {
            rename_script(script, known);
        }
    }
}

fn rename_session(session: &mut SessionRef, known: &BTreeSet<String>) {
    if let Some(renamed) = renamed_key(&session.0, known) {
        session.0 = renamed;
    }
}

/// A session key in which a channel is named, with its new name: `agent:main:telegram:group:garden`.
fn renamed_key(key: &str, known: &BTreeSet<String>) -> Option<String> {
    let (agent, rest) = key.strip_prefix("agent:")?.split_once(':')?;
    let (channel, rest) = rest.split_once(':')?;
    let renamed = || format!("agent:{agent}:{}:{rest}", new_name(channel));
    known.contains(channel).then(renamed)
}

fn rename_config(config: &mut Value, known: &BTreeSet<String>) {
    for path in [
        "/channels",
        "/session/resetByChannel",
        "/messages/queue/byChannel",
    ] {
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
    rename_at(config.pointer_mut("/agents/defaults/heartbeat/to/channel"));
    let routes = config.pointer_mut("/bindings");
    for route in routes.and_then(Value::as_array_mut).into_iter().flatten() {
        rename_at(route.pointer_mut("/match/channel"));
    }
    let agents = config
        .pointer_mut("/agents/list")
        .and_then(Value::as_array_mut);
    for agent in agents.into_iter().flatten() {
        rename_at(agent.pointer_mut("/heartbeat/to/channel"));
    }
}

fn rename_at(channel: Option<&mut Value>) {
    if let Some(channel) = channel
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
            why: "a play was ended because the gateway woke too often".into(),
        };
    }
    let homes = one.people.values().chain(one.places.values());
    let mut channels: BTreeSet<String> = homes.map(|home| home.channel.to_string()).collect();
    channels.extend(one.channels.keys().map(ChannelId::to_string));
    let names: BTreeMap<String, String> = channels
        .into_iter()
        .map(|channel| (new_name(&channel), channel))
        .collect();
    let (ours, theirs) = (
        by_conversation(first, &BTreeMap::new()),
        by_conversation(second, &names),
    );
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
