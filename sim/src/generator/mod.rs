//! From a seed to a scenario: small worlds in which everything of the seam can happen.

mod chance;
mod faults;
mod places;
mod trees;

use std::collections::BTreeMap;

use moorline_spec::address::Place;
use moorline_spec::id::PersonId;
use moorline_spec::scenario::{
    Action, AdminVerb, ChannelForm, Crash, Ending, Home, RunsAfterCrash, Say, Scenario, SendText,
    SendTo, SessionRef, Spawn, Step, Verb, When, Where,
};
use moorline_spec::stimulus::{InternalPath, Outcome, ThreadState};
use moorline_spec::time::Span;
use serde_json::{Value, json};

pub use chance::Chance;
pub use trees::tree;

/// The scenario of a seed. Equal seeds give equal scenarios, on any machine, in any release that
/// does not say otherwise in the change log.
pub fn scenario(seed: u64) -> Scenario {
    let mut scenario = Maker::new(Chance::new(seed, 0)).scenario(seed);
    places::add(&mut scenario, seed);
    scenario
}

struct Maker {
    chance: Chance,
    people: Vec<&'static str>,
    /// The names of children spawned so far.
    children: Vec<String>,
    /// Those of them that go on until a step ends them.
    unended: Vec<String>,
    /// How many there were before the tree that is being made.
    before: usize,
    /// How many threads may have been opened.
    threads: usize,
    messages: usize,
    /// How many calls other than spawns were made.
    calls: usize,
}

const HOMES: [(&str, &str, &str, Place); 5] = [
    ("alice", "telegram", "default", Place::Direct),
    ("bob", "telegram", "default", Place::Direct),
    ("carol", "discord", "default", Place::Group),
    ("dora", "whatsapp", "default", Place::Direct),
    ("erin", "telegram", "work", Place::Direct),
];

impl Maker {
    fn new(chance: Chance) -> Self {
        Self {
            chance,
            people: Vec::new(),
            children: Vec::new(),
            unended: Vec::new(),
            before: 0,
            threads: 0,
            messages: 0,
            calls: 0,
        }
    }

    fn scenario(&mut self, seed: u64) -> Scenario {
        let mut people = BTreeMap::new();
        for (name, channel, account, kind) in HOMES {
            if people.is_empty() || self.chance.percent(50) {
                let home = Home {
                    channel: channel.into(),
                    account: account.into(),
                    conversation: (kind == Place::Group).then(|| "general".into()),
                    thread: None,
                    kind,
                };
                people.insert(PersonId::from(name), home);
                self.people.push(name);
            }
        }
        let steps: Vec<Step> = (0..self.chance.between(2, 10))
            .map(|_| self.step())
            .collect();
        let faults = self.faults();
        Scenario {
            title: format!("Seed {seed}"),
            config: self.config(),
            channels: self.channels(),
            people,
            steps,
            faults,
            agents: vec!["main".into()],
            starts_at: "2026-03-02T21:00:00Z".to_owned(),
            timezone: self
                .chance
                .pick(&["UTC", "Europe/Berlin", "America/New_York"])
                .to_string(),
            ..Scenario::default()
        }
    }

    fn config(&mut self) -> Value {
        let scopes = [
            "main",
            "per-peer",
            "per-channel-peer",
            "per-account-channel-peer",
        ];
        let scope = *self.chance.pick(&scopes);
        let hours = self
            .chance
            .pick(&[json!(0), json!(0.05), json!(1), json!(24)])
            .clone();
        let age = self.chance.pick(&[json!(0), json!(0), json!(2)]).clone();
        let mut session = json!({
            "dmScope": scope,
            "threadBindings": {"idleHours": hours, "maxAgeHours": age},
        });
        match self.chance.below(3) {
            0 => session["reset"] = json!({"mode": "daily", "atHour": self.chance.below(24)}),
            1 => {
                session["reset"] =
                    json!({"mode": "idle", "idleMinutes": self.chance.between(1, 90)})
            }
            _ => (),
        }
        let opt_in = json!({"threadBindings": {"spawnSubagentSessions": true}});
        json!({"session": session, "channels": {"discord": opt_in.clone(), "telegram": opt_in}})
    }

    fn channels(&mut self) -> BTreeMap<moorline_spec::id::ChannelId, ChannelForm> {
        let mut channels = BTreeMap::new();
        if self.chance.percent(20) {
            let threading = serde_json::from_value(json!({
                "requiresThreadForSubagents": self.chance.percent(50),
                "autoInjectThreadParams": self.chance.percent(50),
            }));
            let form = ChannelForm {
                threading: threading.ok(),
                ..ChannelForm::default()
            };
            channels.insert("discord".into(), form);
        }
        channels
    }

    fn step(&mut self) -> Step {
        let after = match self.chance.below(5) {
            0 => Span::ZERO,
            1 => Span::ms(self.chance.between(1, 400)),
            2 => Span::secs(self.chance.between(1, 90)),
            3 => Span::mins(self.chance.between(1, 90)),
            _ => Span::hours(self.chance.between(1, 30)),
        };
        Step {
            when: When::After(after),
            verb: self.verb(),
        }
    }

    fn verb(&mut self) -> Verb {
        match self.chance.below(100) {
            0..55 => self.says(),
            55..75 => self.ends(),
            75..79 => self.beats(),
            79..83 => self.plugin(),
            83..88 => self.crash(),
            88..90 => Verb::Restarts(Span::secs(self.chance.between(1, 100))),
            90..92 => self.administers(),
            92..94 => self.thread_becomes(),
            94..95 => Verb::Compacts(self.session()),
            95..96 => Verb::Configures(json!({"session": {"reset": {"idleMinutes": 0}}})),
            96..97 => Verb::Note("time passes".to_owned()),
            _ => Verb::AtOnce(
                (0..self.chance.between(2, 3))
                    .map(|_| self.says())
                    .collect(),
            ),
        }
    }

    fn says(&mut self) -> Verb {
        self.messages += 1;
        let person = *self.chance.pick(&self.people);
        let place = (self.threads > 0 && self.chance.percent(40)).then(|| Where::Thread {
            thread: usize::try_from(self.chance.between(1, self.threads as u64)).unwrap_or(1),
        });
        let text = match self.chance.below(12) {
            0 => *self.chance.pick(&["/new", "/reset", "/new and go on"]),
            1 => *self
                .chance
                .pick(&["/session idle 1h", "/session max-age 30m", "/unfocus"]),
            _ => "do something",
        };
        Verb::Says(Say {
            person: person.into(),
            place,
            text: text.to_owned(),
            name: Some(format!("m{}", self.messages)),
            agent: self.chance.percent(60).then(|| self.script(2)),
            mentioned: self.chance.percent(10).then_some(false),
            ..Say::default()
        })
    }

    fn script(&mut self, depth: u32) -> Vec<Action> {
        let mut script = Vec::new();
        for _ in 0..self.chance.below(3) {
            match self.chance.below(10) {
                0..4 if depth > 0 => script.push(self.spawn(depth)),
                4 | 5 if !self.children.is_empty() => script.push(self.send(depth)),
                6 => script.push(Action::Wait(Span::secs(self.chance.between(1, 120)))),
                7 => script.push(Action::Progress("getting there".to_owned())),
                8 => script.push(Action::Reword(true)),
                _ => script.push(self.call()),
            }
        }
        script.push(Action::End(self.ending()));
        script
    }

    fn ending(&mut self) -> Ending {
        let outcome = match self.chance.below(10) {
            0 => Outcome::Error,
            1 => Outcome::Timeout,
            _ => Outcome::Ok,
        };
        let length = self
            .chance
            .percent(8)
            .then(|| usize::try_from(self.chance.between(1_000, 9_000)).expect("a length fits"));
        Ending {
            outcome,
            text: Some("said".to_owned()),
            length,
        }
    }

    fn spawn(&mut self, depth: u32) -> Action {
        let name = format!("r{}", self.children.len() + 1);
        let thread = self.chance.percent(30);
        self.threads += usize::from(thread);
        self.children.push(name.clone());
        let own_end = self.chance.percent(30);
        if !own_end {
            self.unended.push(name.clone());
        }
        let modes = [None, Some("run"), Some("session")];
        Action::Spawn(Spawn {
            task: "a task".to_owned(),
            label: self.chance.percent(30).then(|| format!("label-{name}")),
            mode: self.chance.pick(&modes).map(str::to_owned),
            thread: thread.then_some(true),
            runtime: self.chance.percent(20).then(|| "acp".to_owned()),
            agent: own_end.then(|| self.script(depth - 1)),
            name,
            ..Spawn::default()
        })
    }

    fn send(&mut self, depth: u32) -> Action {
        let to = self.chance.pick(&self.children).clone();
        self.calls += 1;
        let name = format!("s{}", self.calls);
        Action::Send(SendText {
            name,
            to: SendTo::Session(SessionRef(to)),
            text: "go on".to_owned(),
            timeout: self
                .chance
                .percent(50)
                .then(|| Span::secs(self.chance.between(0, 60))),
            agent: self
                .chance
                .percent(40)
                .then(|| self.script(depth.saturating_sub(1))),
        })
    }

    fn call(&mut self) -> Action {
        self.calls += 1;
        let name = format!("c{}", self.calls);
        let (method, params) = match self.children.last() {
            Some(child) if self.chance.percent(40) => (
                "subagents",
                json!({"action": "kill", "target": format!("${child}")}),
            ),
            _ => ("sessions_list", json!({})),
        };
        let params = params.as_object().cloned().unwrap_or_default();
        let method = method.to_owned();
        Action::Call(moorline_spec::scenario::MethodCall {
            name,
            method,
            params,
        })
    }

    fn ends(&mut self) -> Verb {
        if self.unended.is_empty() {
            return self.says();
        }
        let index = self.chance.below(self.unended.len() as u64);
        let run = self
            .unended
            .remove(usize::try_from(index).expect("an index fits"));
        let Ending {
            outcome,
            text,
            length,
        } = self.ending();
        let agent = self
            .chance
            .percent(20)
            .then(|| vec![Action::Wait(Span::secs(30))]);
        Verb::Ends {
            run,
            outcome,
            text,
            length,
            agent,
            again: false,
        }
    }

    fn session(&mut self) -> SessionRef {
        SessionRef(self.chance.pick(&self.people).to_string())
    }

    fn beats(&mut self) -> Verb {
        let path = *self
            .chance
            .pick(&[InternalPath::Heartbeat, InternalPath::Cron]);
        Verb::Beats {
            session: self.session(),
            path,
            text: None,
            name: None,
            agent: None,
        }
    }

    fn plugin(&mut self) -> Verb {
        let key = format!("agent:main:job-{}", self.chance.below(2));
        let agent = Some(vec![Action::End(self.ending())]);
        Verb::Runs {
            key: key.into(),
            text: "work".to_owned(),
            with: serde_json::Map::default(),
            name: None,
            agent,
        }
    }

    fn administers(&mut self) -> Verb {
        let what = *self.chance.pick(&[AdminVerb::Reset, AdminVerb::Delete]);
        Verb::Admin {
            what,
            session: Some(self.session()),
            with: serde_json::Map::default(),
            name: None,
        }
    }

    fn thread_becomes(&mut self) -> Verb {
        if self.threads == 0 {
            return self.says();
        }
        let states = [
            ThreadState::Archived,
            ThreadState::Locked,
            ThreadState::Gone,
        ];
        Verb::ThreadBecomes {
            state: *self.chance.pick(&states),
            place: Where::Thread { thread: 1 },
        }
    }

    fn crash(&mut self) -> Verb {
        let runs = *self
            .chance
            .pick(&[RunsAfterCrash::Lost, RunsAfterCrash::Kept]);
        let effects = self
            .chance
            .percent(60)
            .then(|| usize::try_from(self.chance.below(40)).expect("a count fits"));
        let torn = effects.is_some() && self.chance.percent(30);
        Verb::Crash(Crash {
            effects,
            runs,
            torn,
            ..Crash::default()
        })
    }
}
