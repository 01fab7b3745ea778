//! Conversations that the configuration binds, and such as go by another id one day. Drawn from a
//! stream of its own, so that the rest of a seed's world is what it was.

use moorline_spec::address::Place;
use moorline_spec::scenario::{Home, Scenario, Step, Verb, When, Where};
use moorline_spec::time::Span;
use serde_json::{Value, json};

use super::Chance;

/// The group that may move, and the place that has its id then.
const GROUP: &str = "carol";
const LARGER: &str = "larger";

/// Adds what a seed has of these.
pub(super) fn add(scenario: &mut Scenario, seed: u64) {
    let mut chance = Chance::new(seed, 7);
    if chance.percent(8) {
        scenario.config["bindings"] = bindings(scenario, &mut chance);
    }
    if scenario.people.contains_key(GROUP) && chance.percent(10) {
        move_group(scenario, &mut chance);
    }
}

/// One conversation or two have a session of their own.
fn bindings(scenario: &Scenario, chance: &mut Chance) -> Value {
    let chosen = scenario.people.iter().filter(|_| chance.percent(40));
    let bindings = chosen.map(|(person, home)| {
        let at = home.address(person.as_str());
        let kind = if home.kind == Place::Direct {
            "direct"
        } else {
            "group"
        };
        let peer = json!({"kind": kind, "id": at.conversation});
        let matches = json!({"channel": at.channel, "accountId": at.account, "peer": peer});
        json!({"type": "acp", "agentId": "main", "match": matches})
    });
    bindings.collect()
}

/// The group goes by another id from some step on.
fn move_group(scenario: &mut Scenario, chance: &mut Chance) {
    let from = chance.below(scenario.steps.len() as u64);
    let from = usize::try_from(from).expect("a count fits");
    let home = &scenario.people[GROUP];
    let larger = Home {
        conversation: Some("general-2".into()),
        ..home.clone()
    };
    scenario.places.insert(LARGER.to_owned(), larger);
    let moves = Step {
        when: When::After(Span::secs(chance.below(3))),
        verb: Verb::Moves {
            place: Where::Named(GROUP.to_owned()),
            to: Where::Named(LARGER.to_owned()),
        },
    };
    for step in &mut scenario.steps[from..] {
        writes_there(&mut step.verb);
    }
    scenario.steps.insert(from, moves);
}

/// What its people write, they write under the new id.
fn writes_there(verb: &mut Verb) {
    if let Verb::AtOnce(verbs) = verb {
        verbs.iter_mut().for_each(writes_there);
    } else if let Verb::Says(say) = verb
        && say.person.as_str() == GROUP
        && say.place.is_none()
    {
        say.place = Some(Where::Named(LARGER.to_owned()));
    }
}
