//! Whether a scenario makes sense: every name it uses is defined in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fixture::reword;
use super::position::{Part, escape};
use super::step::StepNumber;
use super::{Action, Expectation, Fault, Scenario, SendTo, SessionRef, Spawn, Verb, Where};
use crate::calendar::{Calendar, CalendarError};
use crate::id::Marker;
use crate::profile::Profile;

/// Something that makes no sense, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The JSON pointer of the value.
    pub pointer: String,
    /// What is wrong with it, and what would be right.
    pub what: String,
}

/// Everything that makes no sense, in the order of the scenario's fields.
pub(super) fn problems(scenario: &Scenario, channels: &[&str]) -> Vec<Problem> {
    let mut check = Check {
        scenario,
        names: scenario.names(),
        given: BTreeSet::new(),
        runs_once: BTreeSet::new(),
        problems: Vec::new(),
    };
    check.calendar();
    check.channels(channels);
    check.dials("/dials", &scenario.dials);
    for (index, fault) in scenario.faults.iter().enumerate() {
        check.fault(&format!("/faults/{index}"), fault);
    }
    for (index, step) in scenario.steps.iter().enumerate() {
        check.verb(
            &format!("/steps/{index}"),
            &StepNumber::top(index),
            &step.verb,
        );
    }
    for (index, expect) in scenario.expect.iter().enumerate() {
        let at = format!("/expect/{index}");
        check.expectation(&at, &expect.what);
        check.dials(&format!("{at}/where"), &expect.where_dials);
    }
    check.problems
}

/// What a name may have meant, else every name there is.
pub(super) fn did_you_mean<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let known: BTreeSet<&str> = known.collect();
    let nearest = known
        .iter()
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|&(distance, other)| distance <= 3 && distance < other.chars().count())
        .min();
    match (nearest, known.is_empty()) {
        (Some((_, near)), _) => format!("did you mean {near:?}?"),
        (None, true) => "there is none".to_owned(),
        (None, false) => {
            let list: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
            let verb = if list.len() == 1 { "is" } else { "are" };
            format!("there {verb} {}", list.join(", "))
        }
    }
}

/// What an expectation can say of an agent's memory.
const MEMORY: [&str; 2] = ["fresh", "continue"];

struct Check<'a> {
    scenario: &'a Scenario,
    names: Vec<Marker>,
    /// The names given so far.
    given: BTreeSet<String>,
    runs_once: BTreeSet<&'a str>,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn wrong(&mut self, pointer: String, what: String) {
        self.problems.push(Problem { pointer, what });
    }

    fn unknown<'n>(
        &mut self,
        pointer: String,
        kind: &str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
    ) {
        let help = did_you_mean(name, known);
        self.wrong(pointer, format!("there is no {kind} {name:?}; {help}"));
    }

    fn calendar(&mut self) {
        let scenario = self.scenario;
        match Calendar::new(&scenario.starts_at, &scenario.timezone) {
            Ok(_) => (),
            Err(wrong @ CalendarError::Start(_)) => {
                self.wrong("/starts_at".to_owned(), wrong.to_string());
            }
            Err(wrong @ CalendarError::Zone(_)) => {
                self.wrong("/timezone".to_owned(), wrong.to_string());
            }
        }
    }

    fn channels(&mut self, known: &[&str]) {
        let scenario = self.scenario;
        for (name, form) in &scenario.channels {
            let like = form.like.as_deref().unwrap_or(name.as_str());
            if form.capabilities.is_none() && !known.contains(&like) {
                let pointer = match form.like {
                    Some(_) => format!("/channels/{}/like", escape(name.as_str())),
                    None => format!("/channels/{}", escape(name.as_str())),
                };
                self.unknown(pointer, "channel profile", like, known.iter().copied());
            }
        }
        let homes = scenario
            .people
            .iter()
            .map(|(name, home)| ("people", name.as_str(), home));
        let places = scenario
            .places
            .iter()
            .map(|(name, home)| ("places", name.as_str(), home));
        for (part, name, home) in homes.chain(places) {
            let channel = home.channel.as_str();
            if !scenario.channels.contains_key(channel) && !known.contains(&channel) {
                let own = scenario.channels.keys().map(|name| name.as_str());
                let all: Vec<&str> = own.chain(known.iter().copied()).collect();
                let pointer = format!("/{part}/{}/channel", escape(name));
                self.unknown(pointer, "channel", channel, all.into_iter());
            }
        }
        for name in scenario
            .places
            .keys()
            .filter(|name| scenario.people.contains_key(name.as_str()))
        {
            self.wrong(
                format!("/places/{}", escape(name)),
                format!("{name:?} is a person too; name the place otherwise"),
            );
        }
    }

    /// A name is given once; a step's own name is made from its number where it has none.
    fn names_once(&mut self, pointer: String, name: &str) {
        if !self.given.insert(name.to_owned()) {
            let what = format!("something before this is named {name:?} too; name it otherwise");
            self.wrong(pointer, what);
        }
    }

    fn dials(&mut self, at: &str, dials: &BTreeMap<String, Value>) {
        for (name, value) in dials {
            let one = BTreeMap::from([(name.clone(), value.clone())]);
            if let Err(wrong) = Profile::target().with(&one) {
                let (part, what) = reword(&wrong.to_string());
                let what = match part {
                    Part::Key => format!("in the dials {what}"),
                    Part::Value => format!("for the dial {name:?} {what}"),
                };
                self.wrong(format!("{at}/{}", escape(name)), what);
            }
        }
    }

    fn place(&mut self, pointer: String, place: &Where) {
        match place {
            Where::Thread { thread: 0 } => {
                self.wrong(pointer, "threads are counted from 1".to_owned());
            }
            Where::Named(name) if self.scenario.home(name).is_none() => {
                let scenario = self.scenario;
                let people = scenario.people.keys().map(|name| name.as_str());
                let places = scenario.places.keys().map(String::as_str);
                self.unknown(pointer, "person or place", name, people.chain(places));
            }
            Where::Thread { .. } | Where::Named(_) => (),
        }
    }

    fn name(&mut self, pointer: String, name: &str) {
        let names = self.names.clone();
        if !names.iter().any(|known| known.as_str() == name) {
            self.unknown(
                pointer,
                "message or run",
                name,
                names.iter().map(|name| name.as_str()),
            );
        }
    }

    fn session(&mut self, pointer: String, session: &SessionRef) {
        let known = session.key().is_some()
            || self.scenario.home(&session.0).is_some()
            || self.names.iter().any(|name| name.as_str() == session.0);
        if !known {
            let scenario = self.scenario;
            let names = self.names.clone();
            let all = names
                .iter()
                .map(|name| name.as_str())
                .chain(scenario.people.keys().map(|name| name.as_str()))
                .chain(scenario.places.keys().map(String::as_str));
            self.unknown(
                pointer,
                "session (key, run, person or place)",
                &session.0,
                all,
            );
        }
    }

    fn fault(&mut self, at: &str, fault: &Fault) {
        match fault {
            Fault::Receipt(fault) => {
                if let Some(of) = &fault.of {
                    self.name(format!("{at}/receipt/of"), of);
                }
                if let Some(place) = &fault.to {
                    self.place(format!("{at}/receipt/to"), place);
                }
            }
            Fault::Start(fault) => {
                if let Some(of) = &fault.of {
                    self.name(format!("{at}/start/of"), of);
                }
            }
            Fault::Steer(fault) => {
                if let Some(of) = &fault.of {
                    self.name(format!("{at}/steer/of"), of);
                }
            }
            Fault::Thread(fault) if fault.refused && fault.unknown => {
                self.wrong(
                    format!("{at}/thread"),
                    "a thread is refused or unknown, not both".to_owned(),
                );
            }
            Fault::Probe(fault) => {
                if let Some(place) = &fault.at {
                    self.place(format!("{at}/probe/at"), place);
                }
            }
            Fault::Inbound(fault) => self.name(format!("{at}/inbound/of"), &fault.of),
            Fault::Thread(_) => (),
        }
    }

    fn verb(&mut self, at: &str, number: &StepNumber, verb: &'a Verb) {
        if let Some(name) = verb.name(number) {
            self.names_once(format!("{at}/as"), &name);
        }
        match verb {
            Verb::Says(say) => {
                if !self.scenario.people.contains_key(&say.person) {
                    let people = self.scenario.people.keys().map(|name| name.as_str());
                    self.unknown(format!("{at}/says"), "person", say.person.as_str(), people);
                }
                if let Some(place) = &say.place {
                    self.place(format!("{at}/in"), place);
                }
            }
            Verb::Ends { run, again, .. } => {
                self.name(format!("{at}/ends"), run);
                if !again && !self.runs_once.insert(run) {
                    self.wrong(
                        format!("{at}/ends"),
                        format!("the run {run:?} was ended before"),
                    );
                }
            }
            Verb::Posts { run, .. } => self.name(format!("{at}/posts"), run),
            Verb::Beats { session, .. } => self.session(format!("{at}/beats"), session),
            Verb::Admin { session, .. } => {
                if let Some(session) = session {
                    self.session(format!("{at}/session"), session);
                }
            }
            Verb::Compacts(session) => self.session(format!("{at}/compacts"), session),
            Verb::ThreadBecomes { place, .. } => self.place(format!("{at}/in"), place),
            Verb::Moves { place, to } => {
                self.place(format!("{at}/moves"), place);
                self.place(format!("{at}/to"), to);
            }
            Verb::Crash(crash) => {
                if let Some(of) = &crash.of {
                    self.name(format!("{at}/crash/of"), of);
                }
            }
            Verb::AtOnce(verbs) => {
                for (index, verb) in verbs.iter().enumerate() {
                    let at = format!("{at}/at_once/{index}");
                    self.verb(&at, &number.part(index), verb);
                }
            }
            Verb::Runs { .. } | Verb::Restarts(_) | Verb::Configures(_) | Verb::Note(_) => (),
        }
        self.script(&format!("{at}/agent"), verb.script().unwrap_or_default());
    }

    fn script(&mut self, at: &str, script: &[Action]) {
        for (index, action) in script.iter().enumerate() {
            let at = format!("{at}/{index}");
            match action {
                Action::Spawn(spawn) => self.spawn(&format!("{at}/spawn"), spawn),
                Action::Spawns(spawns) => {
                    for (index, spawn) in spawns.iter().enumerate() {
                        self.spawn(&format!("{at}/spawns/{index}"), spawn);
                    }
                }
                Action::Send(send) => {
                    self.names_once(format!("{at}/send/as"), &send.name);
                    if let SendTo::Session(session) = &send.to {
                        self.session(format!("{at}/send/to"), session);
                    }
                    self.script(
                        &format!("{at}/send/agent"),
                        send.agent.as_deref().unwrap_or_default(),
                    );
                }
                Action::Call(call) => self.names_once(format!("{at}/call/as"), &call.name),
                Action::Wait(_)
                | Action::Progress(_)
                | Action::Recall(_)
                | Action::Reword(_)
                | Action::End(_)
                | Action::Stay(_) => (),
            }
        }
    }

    fn spawn(&mut self, at: &str, spawn: &Spawn) {
        self.names_once(format!("{at}/as"), &spawn.name);
        let script = spawn.agent.as_deref().unwrap_or_default();
        self.script(&format!("{at}/agent"), script);
    }

    fn expectation(&mut self, at: &str, what: &Expectation) {
        match what {
            Expectation::Told { place, of, .. } => {
                self.place(format!("{at}/told"), place);
                self.name(format!("{at}/of"), of);
            }
            Expectation::NeverTold { place, of } => {
                self.place(format!("{at}/never_told"), place);
                self.name(format!("{at}/of"), of);
            }
            Expectation::Answered { call, .. } => self.name(format!("{at}/answered"), call),
            Expectation::Given {
                text,
                to,
                not_to,
                memory,
                remembers,
                forgets,
            } => {
                if let Some(word) = memory.as_deref().filter(|word| !MEMORY.contains(word)) {
                    let help = did_you_mean(word, MEMORY.into_iter());
                    self.wrong(
                        format!("{at}/memory"),
                        format!("{word:?} is no memory; {help}"),
                    );
                }
                self.name(format!("{at}/given"), text);
                for (field, session) in [("to", to), ("not_to", not_to)] {
                    if let Some(session) = session {
                        self.session(format!("{at}/{field}"), session);
                    }
                }
                for (field, name) in [("remembers", remembers), ("forgets", forgets)] {
                    if let Some(name) = name {
                        self.name(format!("{at}/{field}"), name);
                    }
                }
            }
            Expectation::NeverGiven { text } => self.name(format!("{at}/never_given"), text),
            Expectation::Posted { place, .. } => self.place(format!("{at}/posted"), place),
            Expectation::Failed { run } => self.name(format!("{at}/failed"), run),
            Expectation::Threads { .. } => (),
        }
    }
}
