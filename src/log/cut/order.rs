//! The steps of a fixture in their order, each with the scripts of its texts.

use std::collections::BTreeMap;

use moorline_spec::scenario::{Action, Say, Step, Verb, When};
use moorline_spec::time::Time;

/// Something that happens, where a step tells of it.
pub(super) struct Told {
    pub(super) at: Time,
    /// The entry it is; the greatest number where it is none, or follows all of its time.
    pub(super) index: usize,
    pub(super) verb: Verb,
}

/// A step, and what stands in its script, is given the scripts of its texts.
pub(super) fn give(verb: &mut Verb, scripts: &mut BTreeMap<String, Vec<Action>>) {
    let name = if let Verb::Says(Say { name, .. })
    | Verb::Runs { name, .. }
    | Verb::Beats { name, .. } = verb
    {
        name.clone()
    } else {
        None
    };
    let Some(agent) = verb.script_mut() else {
        return;
    };
    if let Some(script) = name.and_then(|name| scripts.remove(&name)) {
        *agent = Some(script);
    }
    if let Some(script) = agent {
        give_all(script, scripts);
    }
}

fn give_all(script: &mut [Action], scripts: &mut BTreeMap<String, Vec<Action>>) {
    for (name, agent) in script.iter_mut().flat_map(Action::scripts_mut) {
        *agent = scripts.remove(name);
        if let Some(script) = agent {
            give_all(script, scripts);
        }
    }
}

/// What arrived without anything between is told at once.
pub(super) fn steps(told: Vec<Told>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut last: Option<(Time, usize)> = None;
    for Told { at, index, verb } in told {
        let together = last == Some((at, index.wrapping_sub(1))) && arrives(&verb);
        last = arrives(&verb).then_some((at, index));
        let step = steps
            .last_mut()
            .filter(|step| together && can_join(&step.verb));
        match step {
            Some(step) => {
                let first = std::mem::replace(&mut step.verb, Verb::AtOnce(Vec::new()));
                let mut all = if let Verb::AtOnce(all) = first {
                    all
                } else {
                    vec![first]
                };
                all.push(verb);
                step.verb = Verb::AtOnce(all);
            }
            None => steps.push(Step {
                when: When::At(at.since(Time::ZERO)),
                verb,
            }),
        }
    }
    steps
}

fn can_join(verb: &Verb) -> bool {
    matches!(verb, Verb::AtOnce(_)) || arrives(verb)
}

/// Whether it is something that the gateway is told.
fn arrives(verb: &Verb) -> bool {
    matches!(
        verb,
        Verb::Says(_)
            | Verb::Runs { .. }
            | Verb::Beats { .. }
            | Verb::Admin { .. }
            | Verb::Configures(_)
            | Verb::Compacts(_)
    )
}
