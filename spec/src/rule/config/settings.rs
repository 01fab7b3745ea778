//! Settings whose effect can be seen: whether it is the one that was asked for.

use rustc_hash::FxHashMap;

use super::{Checker, Sink};
use crate::address::Place;
use crate::config::{Layer, Layers};
use crate::effect::{Deliver, Effect, StartRun};
use crate::facts::{Facts, MessageFacts, Role};
use crate::id::{CallId, Marker, MessageId};
use crate::stimulus::{Author, Stimulus};
use crate::trace::{Entry, What};

/// Which cases are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// Layers say different things: here the order matters.
    Order,
    /// Nobody contradicts: here it matters that something is said at all.
    Said,
}

/// Compares what is seen with what the layers say.
pub(super) struct Settings {
    case: Case,
    /// The entry since which the present configuration is in force.
    since: usize,
    /// Messages in groups that mention nobody and came once, by their id.
    unmentioned: FxHashMap<MessageId, Marker>,
}

impl Checker for Settings {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound))
                if inbound.kind == Place::Group && !inbound.mentioned =>
            {
                // What comes again may be dropped for that.
                match entry.own.first() {
                    Some(own) => self
                        .unmentioned
                        .insert(inbound.message.clone(), own.clone()),
                    None => self.unmentioned.remove(&inbound.message),
                };
            }
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            What::Effect(Effect::Answer(answer)) => self.on_answer(&answer.call, facts, sink),
            What::Effect(Effect::Drop(drop)) => self.unheard(&drop.message, facts, sink),
            What::Effect(Effect::Deliver(deliver)) => self.unasked(deliver, facts, sink),
            What::Stimulus(Stimulus::Open(_) | Stimulus::ConfigChanged(_)) => {
                self.since = facts.index();
            }
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.unmentioned
            .retain(|_, marker| facts.messages.contains_key(marker));
    }
}

impl Settings {
    pub(super) fn new(case: Case) -> Self {
        Self {
            case,
            since: 0,
            unmentioned: FxHashMap::default(),
        }
    }

    /// Whether these layers are a case to judge.
    fn judges<T: PartialEq>(&self, layers: &Layers<T>) -> bool {
        match self.case {
            Case::Order => layers.disagree(),
            Case::Said => layers.strongest().is_some() && !layers.disagree(),
        }
    }

    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        match facts.run_here().map(|run| &run.role) {
            Some(Role::Child(call)) if start.resumes.is_none() => {
                if let Some(call) = facts.calls.get(call)
                    && self.since < call.made.0
                {
                    self.child(start, &call.params, facts, sink);
                }
            }
            Some(Role::Chat(marker)) if !self.unmentioned.is_empty() => {
                self.heard(marker, facts, sink);
            }
            _ => (),
        }
    }

    /// A spawn in a thread is accepted only where such spawns are not switched off.
    fn on_answer(&self, id: &CallId, facts: &Facts, sink: &mut Sink) {
        let Some(call) = facts.calls.get(id).filter(|call| self.since < call.made.0) else {
            return;
        };
        let [at] = &*call.origins else {
            return;
        };
        if call.method != "sessions_spawn" || !call.is_true("thread") {
            return;
        }
        let layers = facts.config.spawn_rules(at);
        if !self.judges(&layers) {
            return;
        }
        let opted_out = layers.strongest().is_some_and(|(_, opted_in)| !opted_in);
        if opted_out && call.is_accepted() {
            sink.fail(
                format!("spawn {id} is accepted with a thread"),
                decides("spawnSubagentSessions", &layers, "false"),
            );
        } else if opted_out || call.is_accepted() {
            sink.witness();
        }
    }

    /// The model of a child, and how much it thinks.
    fn child(&self, start: &StartRun, params: &serde_json::Value, facts: &Facts, sink: &mut Sink) {
        let given = |name: &str| params.get(name).and_then(|value| value.as_str());
        let config = &facts.config;
        let model = config
            .subagents(&start.agent, |own| own.model.as_deref())
            .with(Layer::Parameter, given("model"));
        let thinking = config
            .subagents(&start.agent, |own| own.thinking.as_deref())
            .with(Layer::Parameter, given("thinking"));
        for (name, layers) in [("model", model), ("thinking", thinking)] {
            let Some((_, right)) = layers.strongest().filter(|_| self.judges(&layers)) else {
                continue;
            };
            let found = start.overrides.get(name).and_then(|value| value.as_str());
            if found == Some(*right) {
                sink.witness();
                continue;
            }
            let found = found.map_or("none".to_owned(), |found| format!("{found:?}"));
            let seen = format!("run {} has the {name} {found}", start.run);
            let said = format!("{right:?}");
            sink.fail(seen, decides(name, &layers, &said));
        }
    }

    /// What each layer says of a message in a group that does not mention the gateway, where what
    /// becomes of it depends on that alone.
    fn mention<'f>(
        &self,
        marker: &Marker,
        facts: &'f Facts,
    ) -> Option<(&'f MessageFacts, Layers<bool>)> {
        let message = facts.messages.get(marker)?;
        let gated = message.kind == Place::Group && message.author == Author::Person;
        let bound = facts.has_been_bound(&message.at);
        if !gated || bound || message.arrived.0 < self.since {
            return None;
        }
        let layers = facts.config.mention_rules(&message.at);
        self.judges(&layers).then_some((message, layers))
    }

    fn heard(&mut self, marker: &Marker, facts: &Facts, sink: &mut Sink) {
        let id = facts.messages.get(marker).map(|message| &message.message);
        if id.and_then(|id| self.unmentioned.remove(id)).is_none() {
            return;
        }
        let Some((message, layers)) = self.mention(marker, facts) else {
            return;
        };
        let (from, at, name) = (&message.from, &message.at, marker.in_text());
        match layers.strongest() {
            Some((_, true)) => sink.fail(
                format!("what {from} wrote in {at} {name} is given to a run, and mentions nobody"),
                decides("requireMention", &layers, "true"),
            ),
            Some((_, false)) => sink.witness(),
            None => (),
        }
    }

    fn unheard(&mut self, id: &MessageId, facts: &Facts, sink: &mut Sink) {
        let Some(marker) = self.unmentioned.remove(id) else {
            return;
        };
        // Where too many wait it may be dropped for that.
        let capped = facts.config.messages.queue.cap.is_some();
        let Some((message, layers)) = self.mention(&marker, facts).filter(|_| !capped) else {
            return;
        };
        let (from, at, name) = (&message.from, &message.at, marker.in_text());
        match layers.strongest() {
            Some((_, false)) => sink.fail(
                format!("what {from} wrote in {at} {name} is dropped"),
                decides("requireMention", &layers, "false"),
            ),
            Some((_, true)) => sink.witness(),
            None => (),
        }
    }

    /// Output that nobody asked for.
    fn unasked(&self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        let agents = &facts.config.agents;
        if agents.list.is_empty() && agents.defaults.heartbeat.to.is_none() {
            return;
        }
        let carrier = facts.carrier_here();
        let run = carrier.and_then(|(_, born)| facts.runs.get(born.run()?));
        let Some(run) = run.filter(|run| run.role == Role::Internal && run.asked.0 > self.since)
        else {
            return;
        };
        let layers = facts.config.heartbeat_to(&run.agent);
        let Some((_, right)) = layers.strongest().filter(|_| self.judges(&layers)) else {
            return;
        };
        if **right == deliver.to {
            return sink.witness();
        }
        let (id, to, said) = (&deliver.delivery, &deliver.to, right.to_string());
        sink.fail(
            format!("delivery {id} takes what nobody asked for to {to}"),
            decides("heartbeat.to", &layers, &said),
        );
    }
}

/// `the channel says requireMention true, and outranks the default`
fn decides<T>(name: &str, layers: &Layers<T>, said: &str) -> String {
    let speaking: Vec<&str> = layers.speaking().map(|(layer, _)| layer.as_str()).collect();
    let (first, rest) = speaking.split_first().unwrap_or((&"", &[]));
    let over = match rest {
        [] => String::new(),
        rest => format!(", which outranks the {}", rest.join(" and the ")),
    };
    format!("{name} is {said}: so says the {first}{over}")
}
