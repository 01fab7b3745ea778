//! Worlds of debts: trees of runs that wait for each other, yield, are stopped and die with the
//! gateway, while channels refuse and forget.

use std::collections::BTreeMap;

use moorline_spec::address::Place;
use moorline_spec::id::PersonId;
use moorline_spec::scenario::{
    Action, AdminVerb, Crash, Home, MethodCall, RunsAfterCrash, Say, Scenario, SendText, SendTo,
    SessionRef, Spawn, Step, Verb, When,
};
use moorline_spec::time::Span;
use serde_json::{Value, json};

use super::{Chance, Maker};

/// How many runs the trees of one world have.
const RUNS_MAX: usize = 6;
/// How often its gateway dies.
const CRASHES_MAX: usize = 3;
/// How many misfortunes there are.
const FAULTS_MAX: u64 = 8;

/// Places of different kinds, by channel: people, accounts, conversations, threads.
type Spot = (&'static str, &'static str, Place, Option<&'static str>);

/// What people live in, by channel.
const CHANNELS: [(&str, [Spot; 3]); 5] = [
    (
        "telegram",
        [
            ("alice", "default", Place::Direct, None),
            ("bob", "work", Place::Direct, None),
            ("tom", "default", Place::Thread, Some("t7")),
        ],
    ),
    (
        "discord",
        [
            ("carol", "default", Place::Group, None),
            ("dave", "work", Place::Group, None),
            ("dora", "default", Place::Direct, None),
        ],
    ),
    (
        "whatsapp",
        [
            ("walter", "default", Place::Direct, None),
            ("wendy", "work", Place::Direct, None),
            ("will", "default", Place::Group, None),
        ],
    ),
    (
        "webchat",
        [
            ("vera", "default", Place::Direct, None),
            ("vic", "work", Place::Direct, None),
            ("val", "default", Place::Direct, None),
        ],
    ),
    (
        "slack",
        [
            ("sam", "default", Place::Direct, None),
            ("sue", "work", Place::Direct, None),
            ("sid", "default", Place::Group, None),
        ],
    ),
];

/// The world of a seed. Equal seeds give equal worlds, on any machine, in any release that does not
/// say otherwise in the change log.
pub fn tree(seed: u64) -> Scenario {
    let mut maker = Maker::new(Chance::new(seed, 2));
    let people = maker.neighbours();
    let count = maker.chance.between(3, 9);
    let mut crashes = 0;
    let steps = (0..count).map(|_| maker.tree_step(&mut crashes)).collect();
    let faults = (0..maker.chance.between(0, FAULTS_MAX))
        .map(|_| maker.fault())
        .collect();
    Scenario {
        title: format!("Tree {seed}"),
        config: maker.tree_config(),
        people,
        steps,
        faults,
        agents: vec!["main".into()],
        starts_at: "2026-03-02T09:00:00Z".to_owned(),
        timezone: "UTC".to_owned(),
        ..Scenario::default()
    }
}

impl Maker {
    /// Two to four people on one to three channels, in up to two accounts of each.
    fn neighbours(&mut self) -> BTreeMap<PersonId, Home> {
        let first = self.chance.below(CHANNELS.len() as u64) as usize;
        let channels = self.chance.between(1, 3) as usize;
        let mut people = BTreeMap::new();
        let count = self.chance.between(2, 4) as usize;
        for number in 0..count {
            let (channel, spots) = &CHANNELS[(first + number % channels) % CHANNELS.len()];
            let free = spots.iter().find(|(name, ..)| !self.people.contains(name));
            let Some(&(name, account, kind, thread)) = free else {
                continue;
            };
            let home = Home {
                channel: (*channel).into(),
                account: account.into(),
                conversation: (kind != Place::Direct).then(|| "general".into()),
                thread: thread.map(Into::into),
                kind,
            };
            people.insert(PersonId::from(name), home);
            self.people.push(name);
        }
        people
    }

    fn tree_config(&mut self) -> Value {
        let scope = *self.chance.pick(&["main", "per-peer", "per-channel-peer"]);
        let opt_in = json!({"threadBindings": {"spawnSubagentSessions": true}});
        let most = self.chance.between(1, 5);
        json!({
            "session": {"dmScope": scope},
            "channels": {"discord": opt_in.clone(), "telegram": opt_in},
            "agents": {"defaults": {"subagents": {"maxSpawnDepth": 3, "maxConcurrent": most}}},
        })
    }

    fn tree_step(&mut self, crashes: &mut usize) -> Step {
        let after = match self.chance.below(5) {
            0 => Span::ZERO,
            1 => Span::ms(self.chance.between(1, 300)),
            2 => Span::secs(self.chance.between(1, 90)),
            _ => Span::mins(self.chance.between(1, 45)),
        };
        let verb = match self.chance.below(100) {
            0..42 => self.asks(),
            42..70 if !self.unended.is_empty() => self.ends(),
            70..85 if *crashes < CRASHES_MAX => {
                *crashes += 1;
                self.dies()
            }
            85..90 => self.stops(),
            90..94 => Verb::Admin {
                what: *self.chance.pick(&[AdminVerb::Reset, AdminVerb::Delete]),
                session: Some(self.some_session()),
                with: serde_json::Map::default(),
                name: None,
            },
            94..96 => Verb::Restarts(Span::secs(self.chance.between(1, 30))),
            _ => self.asks(),
        };
        Step {
            when: When::After(after),
            verb,
        }
    }

    fn some_session(&mut self) -> SessionRef {
        if !self.children.is_empty() && self.chance.percent(50) {
            return SessionRef(self.chance.pick(&self.children).clone());
        }
        self.session()
    }

    fn dies(&mut self) -> Verb {
        let runs = *self
            .chance
            .pick(&[RunsAfterCrash::Lost, RunsAfterCrash::Kept]);
        let effects = self
            .chance
            .percent(70)
            .then(|| usize::try_from(self.chance.below(60)).expect("a count fits"));
        let torn = effects.is_some() && self.chance.percent(25);
        Verb::Crash(Crash {
            effects,
            runs,
            torn,
            before_next: effects.is_some() && !torn && self.chance.percent(33),
            ..Crash::default()
        })
    }

    fn stops(&mut self) -> Verb {
        self.messages += 1;
        Verb::Says(Say {
            person: (*self.chance.pick(&self.people)).into(),
            text: "/stop".to_owned(),
            name: Some(format!("m{}", self.messages)),
            ..Say::default()
        })
    }

    fn asks(&mut self) -> Verb {
        self.messages += 1;
        self.before = self.children.len();
        let name = format!("m{}", self.messages);
        Verb::Says(Say {
            person: (*self.chance.pick(&self.people)).into(),
            text: "do something".to_owned(),
            agent: self.chance.percent(75).then(|| self.branch(3)),
            name: Some(name),
            ..Say::default()
        })
    }

    /// What an agent does: asks, waits, yields, stops what it asked for.
    fn branch(&mut self, depth: u32) -> Vec<Action> {
        let mut script = Vec::new();
        for _ in 0..self.chance.between(1, 3) {
            match self.chance.below(20) {
                0..8 if depth > 0 && self.children.len() < RUNS_MAX => {
                    script.push(self.twig(depth));
                }
                8..10 => script.push(Action::Wait(Span::secs(self.chance.between(1, 300)))),
                10..13 => script.push(self.calls("sessions_yield", json!({}))),
                13 if !self.children.is_empty() => {
                    let child = self.chance.pick(&self.children).clone();
                    let params = json!({"action": "kill", "target": format!("${child}")});
                    script.push(self.calls("subagents", params));
                }
                14 if self.before < self.children.len() => script.push(self.tells(depth)),
                15 => script.push(Action::Progress("getting there".to_owned())),
                16 if depth == 3 => {
                    script.push(Action::Stay(true));
                    return script;
                }
                _ => (),
            }
        }
        script.push(Action::End(self.ending()));
        script
    }

    fn twig(&mut self, depth: u32) -> Action {
        let name = format!("r{}", self.children.len() + 1);
        self.children.push(name.clone());
        let own_end = self.chance.percent(60);
        if !own_end {
            self.unended.push(name.clone());
        }
        let mut params = serde_json::Map::new();
        for wish in ["notifyParent", "notifyUserOnComplete"] {
            if self.chance.percent(8) {
                params.insert(wish.to_owned(), self.chance.percent(60).into());
            }
        }
        Action::Spawn(Spawn {
            task: "a task".to_owned(),
            mode: self.chance.percent(20).then(|| "run".to_owned()),
            thread: self.chance.percent(15).then_some(true),
            runtime: self.chance.percent(15).then(|| "acp".to_owned()),
            agent: own_end.then(|| self.branch(depth - 1)),
            params,
            name,
            ..Spawn::default()
        })
    }

    fn tells(&mut self, depth: u32) -> Action {
        // Within a tree: what is said between conversations is another matter.
        let to = self.chance.pick(&self.children[self.before..]).clone();
        self.calls += 1;
        Action::Send(SendText {
            name: format!("s{}", self.calls),
            to: SendTo::Session(SessionRef(to)),
            text: "go on".to_owned(),
            timeout: Some(Span::secs(self.chance.between(0, 40))),
            agent: self
                .chance
                .percent(30)
                .then(|| self.branch(depth.saturating_sub(1))),
        })
    }

    fn calls(&mut self, method: &str, params: Value) -> Action {
        self.calls += 1;
        Action::Call(MethodCall {
            name: format!("c{}", self.calls),
            method: method.to_owned(),
            params: params.as_object().cloned().unwrap_or_default(),
        })
    }
}
