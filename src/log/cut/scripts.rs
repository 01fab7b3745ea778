//! What agents did, run by run, and the text that each script came with.

use std::collections::BTreeMap;

use moorline_spec::effect::{StartRun, SteerRun};
use moorline_spec::id::{CallId, Marker, RunId, SessionKey, SteerId};
use moorline_spec::scenario::{Action, Ending, MethodCall, SendText, SendTo, SessionRef, Spawn};
use moorline_spec::stimulus::{Call, Outcome, RunEnded, RunProgress, Steering};
use moorline_spec::time::{Span, Time};
use moorline_spec::trace::Entry;
use serde_json::{Map, Value};

use super::words::{Markers, bare};

/// From the start of a run, or an answer, to what its agent does next.
const ACT: Span = Span::ms(40);
/// From the start to the end of a run without a script.
const IDLE_RUN: Span = Span::ms(300);

/// One run of the log.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) key: SessionKey,
    /// What the fixture calls it.
    pub(super) name: String,
    /// The text whose script it follows, if any.
    pub(super) follows: Option<String>,
    /// What it was given.
    given: Vec<String>,
    /// The markers in the log that led to it.
    pub(super) led_by: Vec<Marker>,
    began: Time,
    /// When its script would do the next thing.
    clock: Time,
    actions: Vec<Action>,
    /// The calls it waits for.
    waits: Vec<CallId>,
    pub(super) end: Option<End>,
    pub(super) killed: bool,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) at: Time,
    pub(super) ending: Ending,
    /// What precedes the end: how its words come about.
    pub(super) how: Vec<Action>,
    /// The marker of its last words.
    pub(super) own: Option<Marker>,
}

/// What is known of all runs.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) all: Vec<Part>,
    by_id: BTreeMap<RunId, usize>,
    /// Texts that wait for a run: whether a script can come with them.
    names: BTreeMap<String, Name>,
    /// Texts on their way into a run.
    steers: BTreeMap<SteerId, (RunId, Vec<String>)>,
    /// How many outputs each name has.
    outputs: BTreeMap<String, u32>,
    /// What a session remembers.
    memories: BTreeMap<SessionKey, Vec<String>>,
    pub(super) markers: Markers,
    /// Values that a gateway chose, by what stands for them in a fixture.
    chosen: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Name {
    given_to: Option<SessionKey>,
    is_taken: bool,
    /// Whether a run of that name that has no script stays until a step ends it.
    is_child: bool,
}

impl Parts {
    /// A text that may lead to a run is named; after its marker in the log, if it has one.
    pub(super) fn name(&mut self, entry: &Entry, or_else: &str) -> String {
        let wanted = entry.own.first().map_or(or_else, Marker::as_str).to_owned();
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let mut all = std::iter::once(wanted.clone()).chain(numbered);
        let name = all.find(|name| !self.names.contains_key(name));
        let name = name.unwrap_or(wanted);
        self.names.insert(name.clone(), Name::default());
        for own in &entry.own {
            self.markers.note(own, name.clone());
        }
        name
    }

    pub(super) fn of(&mut self, run: &RunId) -> Option<&mut Part> {
        let index = *self.by_id.get(run)?;
        self.all.get_mut(index)
    }

    pub(super) fn known(&self, run: &RunId) -> Option<&Part> {
        self.all.get(*self.by_id.get(run)?)
    }

    /// Whether a text has that name.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn is_child(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|name| name.is_child)
    }

    /// A run is asked for.
    pub(super) fn starts(&mut self, start: &StartRun, entry: &Entry) {
        let given = self.markers.names(&entry.markers);
        let named = given.iter().find(|name| self.names.contains_key(*name));
        let name = named.or(given.first()).cloned();
        let name = name.unwrap_or_else(|| start.run.as_str().to_owned());
        let key = &start.session_key;
        let mut follows = None;
        for marker in &given {
            let Some(known) = self.names.get_mut(marker) else {
                continue;
            };
            let to = known.given_to.get_or_insert_with(|| key.clone());
            if to == key && !std::mem::replace(&mut known.is_taken, true) {
                follows.get_or_insert_with(|| marker.clone());
            }
        }
        let memory = self.memories.entry(key.clone()).or_default();
        memory.extend(given.iter().cloned());
        let id = start.session_id.as_str().to_owned();
        if let Some(child) = self.chosen.get(key.as_str()).cloned() {
            self.chosen.insert(id, format!("{child}.sessionId"));
        }
        self.chosen
            .insert(start.run.as_str().to_owned(), format!("${name}.runId"));
        self.by_id.insert(start.run.clone(), self.all.len());
        self.all.push(Part {
            key: key.clone(),
            name,
            follows,
            given,
            led_by: entry.markers.clone(),
            began: entry.at,
            clock: entry.at + ACT,
            actions: Vec::new(),
            waits: Vec::new(),
            end: None,
            killed: false,
        });
    }

    /// It does not start: its script waits for the next run of its session.
    pub(super) fn refused(&mut self, run: &RunId) {
        let follows = self.of(run).and_then(|part| part.follows.take());
        if let Some(name) = follows.and_then(|name| self.names.get_mut(&name)) {
            name.is_taken = false;
        }
    }

    /// A text is to be read by a run that goes on.
    pub(super) fn steers(&mut self, steer: &SteerRun, markers: &[Marker]) {
        let given = self.markers.names(markers);
        self.steers
            .insert(steer.steer.clone(), (steer.run.clone(), given));
    }

    /// It was read, or not: its script is part of that of the run. Whether the run was there.
    pub(super) fn reads(&mut self, steer: &SteerId, outcome: Steering) -> bool {
        let Some((run, given)) = self.steers.remove(steer) else {
            return false;
        };
        let alive = self.known(&run).is_some_and(|part| part.end.is_none());
        if outcome == Steering::Taken {
            for marker in &given {
                if let Some(name) = self.names.get_mut(marker) {
                    name.is_taken = true;
                }
            }
            if let Some(part) = self.of(&run) {
                part.given.extend(given);
            }
        }
        alive
    }

    /// A call is answered; whoever waits for it goes on.
    pub(super) fn answered(&mut self, call: &CallId, result: &Value, name: Option<&str>, at: Time) {
        let key = result.get("childSessionKey").and_then(Value::as_str);
        if let (Some(key), Some(name)) = (key, name) {
            self.chosen.insert(key.to_owned(), format!("${name}"));
            for part in &self.all {
                if part.key.as_str() == key {
                    // The run came before its answer.
                    self.memories.entry(part.key.clone()).or_default();
                }
            }
        }
        for part in &mut self.all {
            if part.waits.contains(call) {
                part.waits.retain(|waits| waits != call);
                part.clock = at + ACT;
            }
        }
    }

    /// What a fixture says in place of a value that the gateway chose.
    pub(super) fn refer(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match self.chosen.get(text) {
                Some(chosen) => chosen.as_str().into(),
                None => value.clone(),
            },
            Value::Array(list) => list.iter().map(|one| self.refer(one)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|(name, value)| (name.clone(), self.refer(value)));
                Value::Object(fields.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// A session, by what the fixture calls it; none where it has no name there.
    pub(super) fn session(&self, key: &str) -> Option<SessionRef> {
        match self.chosen.get(key).and_then(|name| name.strip_prefix('$')) {
            Some(name) => Some(SessionRef(name.to_owned())),
            None => key.contains(':').then(|| SessionRef(key.to_owned())),
        }
    }

    /// A run calls a method.
    pub(super) fn calls(&mut self, run: &RunId, call: &Call, name: &str, entry: &Entry) {
        let action = self.action(call, name, entry);
        if let (Action::Spawn(_), Some(named)) = (&action, self.names.get_mut(name)) {
            named.is_child = true;
        }
        let Some(part) = self.of(run) else { return };
        let together = !part.waits.is_empty();
        part.waits.push(call.call.clone());
        match (together, part.actions.pop(), action) {
            (true, Some(Action::Spawn(first)), Action::Spawn(next)) => {
                part.actions.push(Action::Spawns(vec![first, next]));
            }
            (true, Some(Action::Spawns(mut all)), Action::Spawn(next)) => {
                all.push(next);
                part.actions.push(Action::Spawns(all));
            }
            (_, last, action) => {
                part.actions.extend(last);
                part.wait_until(entry.at);
                part.actions.push(action);
            }
        }
    }

    fn action(&self, call: &Call, name: &str, entry: &Entry) -> Action {
        let empty = Map::new();
        let given = call.params.as_object().unwrap_or(&empty);
        let spoken = |text: &str| self.markers.quoting(text, entry);
        let name = name.to_owned();
        let text = |field: &str| given.get(field).and_then(Value::as_str);
        match (call.method.as_str(), text("task"), text("message")) {
            ("sessions_spawn", Some(task), _) => {
                Action::Spawn(Self::spawn(name, spoken(task), self.refer(&call.params)))
            }
            ("sessions_send", _, Some(message)) if self.sends_plainly(given) => {
                let to = match text("label") {
                    Some(label) => SendTo::Label {
                        label: label.to_owned(),
                    },
                    None => SendTo::Session(
                        text("sessionKey")
                            .and_then(|key| self.session(key))
                            .unwrap_or_else(|| SessionRef(String::new())),
                    ),
                };
                let seconds = given.get("timeoutSeconds").and_then(Value::as_f64);
                Action::Send(SendText {
                    name,
                    to,
                    text: spoken(message),
                    timeout: seconds.map(|seconds| Span::ms((seconds * 1_000.0) as u64)),
                    agent: None,
                })
            }
            (method, ..) => {
                let Value::Object(mut params) = self.refer(&call.params) else {
                    return Action::Call(MethodCall {
                        name,
                        method: method.to_owned(),
                        params: Map::new(),
                    });
                };
                for field in ["task", "message"] {
                    if let Some(Value::String(text)) = params.get_mut(field) {
                        *text = spoken(text);
                    }
                }
                Action::Call(MethodCall {
                    name,
                    method: method.to_owned(),
                    params,
                })
            }
        }
    }

    fn sends_plainly(&self, given: &Map<String, Value>) -> bool {
        let known = ["sessionKey", "label", "message", "timeoutSeconds"];
        let plain = given.keys().all(|name| known.contains(&name.as_str()));
        let key = given.get("sessionKey").and_then(Value::as_str);
        let by_label = given.get("label").is_some_and(Value::is_string);
        let by_key = key.is_some_and(|key| self.session(key).is_some());
        let wait = given.get("timeoutSeconds").is_none_or(|wait| {
            wait.as_f64()
                .is_some_and(|seconds| (0.0..1e9).contains(&seconds))
        });
        plain && wait && (by_label != given.contains_key("sessionKey")) && (by_label || by_key)
    }

    fn spawn(name: String, task: String, params: Value) -> Spawn {
        let mut params = match params {
            Value::Object(params) => params,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        };
        params.remove("task");
        let mut text = |field: &str| match params.get(field) {
            Some(Value::String(_)) => match params.remove(field) {
                Some(Value::String(text)) => Some(text),
                Some(_) | None => None,
            },
            Some(_) | None => None,
        };
        let (label, mode) = (text("label"), text("mode"));
        let (runtime, agent_id) = (text("runtime"), text("agentId"));
        let thread = params.get("thread").and_then(Value::as_bool);
        if thread.is_some() {
            params.remove("thread");
        }
        Spawn {
            name,
            task,
            label,
            mode,
            thread,
            runtime,
            agent_id,
            params,
            agent: None,
        }
    }

    /// A run says something before its end.
    pub(super) fn says(&mut self, progress: &RunProgress, entry: &Entry) {
        self.born(&progress.run, entry);
        let words = self.markers.quoting(&progress.text, entry);
        if let Some(part) = self.of(&progress.run) {
            part.wait_until(entry.at);
            part.actions.push(Action::Progress(words));
            part.clock = entry.at + ACT;
        }
    }

    /// A run is over.
    pub(super) fn ends(&mut self, ended: &RunEnded, entry: &Entry) {
        let Some(part) = self.of(&ended.run) else {
            return;
        };
        let (given, key, at) = (part.given.clone(), part.key.clone(), entry.at);
        let others = entry
            .markers
            .iter()
            .filter(|marker| !entry.own.contains(marker));
        let others: Vec<Marker> = others.cloned().collect();
        let repeated = self.markers.names(&others);
        let memory = self.memories.get(&key);
        let remembered = |name: &&String| memory.is_some_and(|memory| memory.contains(name));
        let mut how = Vec::new();
        let mut quoted: Vec<String> = repeated.clone();
        let silent = entry.own.is_empty();
        if silent || given.iter().all(|name| repeated.contains(name)) {
            quoted.retain(|name| !given.contains(name));
        } else {
            how.push(Action::Reword(true));
        }
        if quoted
            .iter()
            .any(|name| !given.contains(name) && remembered(&name))
        {
            quoted.retain(|name| given.contains(name) || !remembered(&name));
            how.push(Action::Recall(true));
        }
        let is_long = 1 < entry.own.len();
        let words = match is_long {
            true => ended.text.split(" ⟦").next().unwrap_or_default().to_owned(),
            false => self.markers.words(&ended.text, entry, &quoted),
        };
        self.born(&ended.run, entry);
        let plain = words == ended.outcome.as_str();
        let ending = Ending {
            outcome: ended.outcome,
            text: (!plain).then_some(words),
            length: is_long.then(|| ended.text.chars().count()),
        };
        let own = entry.own.first().cloned();
        if let Some(part) = self.of(&ended.run) {
            part.end = Some(End {
                at,
                ending,
                how,
                own,
            });
        }
    }

    /// The markers of an output are the world's to choose: the name of its run, and a number.
    fn born(&mut self, run: &RunId, entry: &Entry) {
        let Some(part) = self.of(run) else { return };
        let (name, key) = (part.name.clone(), part.key.clone());
        if entry.own.is_empty() {
            return;
        }
        let number = self.outputs.entry(name.clone()).or_default();
        *number += 1;
        let first = format!("{name}.{number}");
        let memory = self.memories.entry(key).or_default();
        for (index, own) in entry.own.iter().enumerate() {
            let marker = match index {
                0 => first.clone(),
                more => format!("{first}+{more}"),
            };
            memory.push(marker.clone());
            self.markers.note(own, marker);
        }
    }
}

impl Part {
    fn wait_until(&mut self, at: Time) {
        let wait = at.since(self.clock);
        if !wait.is_zero() {
            self.actions.push(Action::Wait(wait));
            self.clock = at;
        }
    }

    /// Whether it did nothing before its end.
    pub(super) fn is_idle(&self) -> bool {
        self.actions.is_empty()
    }

    /// Whether it did what agents do that are told nothing.
    pub(super) fn is_usual(&self) -> bool {
        let idle = self.end.as_ref().is_some_and(|end| {
            let ok = end.ending.outcome == Outcome::Ok && end.ending.text.is_none();
            ok && end.how.is_empty() && end.at.since(self.began) == IDLE_RUN
        });
        self.actions.is_empty() && idle
    }

    /// Its script, to its end or to where a step ends it.
    pub(super) fn script(&mut self, by_step: bool) -> Vec<Action> {
        let end = self.end.clone().filter(|_| !self.killed);
        let how = end.as_ref().map(|end| end.how.clone());
        let mut script = std::mem::take(&mut self.actions);
        script.extend(how.unwrap_or_default());
        match end.filter(|_| !by_step) {
            Some(end) => {
                self.actions = script;
                self.wait_until(end.at);
                script = std::mem::take(&mut self.actions);
                script.push(Action::End(end.ending));
            }
            None => script.push(Action::Stay(true)),
        }
        script
    }
}

/// The words of a text that is no output.
pub(super) fn said(text: &str, entry: &Entry) -> String {
    bare(text, &entry.own)
}
