//! What people, the clockwork and the administrator did, and when.

use std::collections::{BTreeMap, BTreeSet};

use moorline_spec::address::{Address, Place};
use moorline_spec::channel::Placement;
use moorline_spec::effect::Effect;
use moorline_spec::id::{CallId, Marker, MessageId};
use moorline_spec::scenario::{
    Action, AdminVerb, Anchor, Crash, RunsAfterCrash, Say, Scenario, Verb,
};
use moorline_spec::stimulus::{
    Author, Call, Caller, Inbound, InternalTurn, Open, Opened, Outcome, RunEnded, Stimulus,
};
use moorline_spec::time::{Span, Time};
use moorline_spec::trace::{Entry, What, World};
use serde_json::{Map, Value};

use super::cast::Cast;
use super::faults::Faults;
use super::order::{Told, give, steps};
use super::scripts::{Parts, said};

/// Tells the first entries of a log as a scenario. Of the rest only the ends of runs are heard that
/// were at work by then.
pub(super) fn tell(entries: &[Entry], needed: usize) -> (Scenario, BTreeSet<String>) {
    let mut teller = Teller::default();
    let inbounds = entries[..needed]
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound)) => Some(inbound),
            What::Stimulus(_) | What::Effect(_) | What::World(_) => None,
        });
    let (whole, threads): (Vec<_>, Vec<_>) = inbounds.partition(|one| one.at.thread.is_none());
    for inbound in whole.into_iter().chain(threads) {
        teller.cast.add(inbound);
    }
    for (index, entry) in entries[..needed].iter().enumerate() {
        teller.index = index;
        teller.entry(entry, index.checked_sub(1).map(|before| &entries[before]));
    }
    for entry in &entries[needed..] {
        if let What::Stimulus(Stimulus::RunEnded(ended)) = &entry.what {
            teller.ends_later(ended, entry);
        }
    }
    teller.lasts_until(&entries[..needed]);
    teller.finish()
}

#[derive(Default)]
struct Teller {
    scenario: Scenario,
    cast: Cast,
    parts: Parts,
    faults: Faults,
    told: Vec<Told>,
    index: usize,
    lives: u32,
    /// When the gateway died, or was told to stop, since it lives no more.
    ended: Option<Time>,
    placements: BTreeMap<String, Placement>,
    messages: BTreeMap<(Address, MessageId), String>,
    calls: BTreeMap<CallId, String>,
    threads: BTreeMap<String, Placement>,
    healed: bool,
    left_out: BTreeSet<String>,
}

impl Teller {
    fn entry(&mut self, entry: &Entry, before: Option<&Entry>) {
        match &entry.what {
            What::Stimulus(stimulus) => self.stimulus(stimulus, entry, before),
            What::Effect(effect) => self.effect(effect, entry),
            What::World(world) => self.world(world, entry, before),
        }
    }

    fn tells(&mut self, entry: &Entry, verb: Verb) {
        self.told.push(Told {
            at: entry.at,
            index: self.index,
            verb,
        });
    }

    fn stimulus(&mut self, stimulus: &Stimulus, entry: &Entry, before: Option<&Entry>) {
        match stimulus {
            Stimulus::Open(open) => self.open(open, entry, before),
            Stimulus::Inbound(inbound) => self.inbound(inbound, entry),
            Stimulus::InternalTurn(turn) => self.turn(turn, entry),
            Stimulus::Call(call) => self.call(call, entry),
            Stimulus::RunStarted(started) => {
                self.faults.started(&started.run, started.outcome);
                if started.outcome != moorline_spec::stimulus::Start::Started {
                    self.parts.refused(&started.run);
                }
            }
            Stimulus::RunProgress(progress) => self.parts.says(progress, entry),
            Stimulus::RunEnded(ended) => self.run_ended(ended, entry),
            Stimulus::Steered(steered) => {
                let alive = self.parts.reads(&steered.steer, steered.outcome);
                self.faults.steered(&steered.steer, steered.outcome, alive);
            }
            Stimulus::Receipt(receipt) => self.faults.receipt(receipt, entry.at),
            Stimulus::ThreadOpened(opened) => {
                let request = opened.request.as_str();
                let placement = self.threads.remove(request).unwrap_or_default();
                self.faults
                    .opened(&opened.request, &opened.outcome, placement);
                match &opened.outcome {
                    Opened::Opened { at } => self.cast.opened(Some(at)),
                    Opened::Unknown {} => self.cast.opened(None),
                    Opened::Refused { .. } => (),
                }
            }
            Stimulus::ThreadProbed(probed) => {
                let cast = &self.cast;
                let place = |at: &Address| cast.known(at);
                self.faults
                    .probed(&probed.request, probed.state, entry.at, place);
            }
            Stimulus::ThreadChanged(changed) => {
                self.faults.becomes(&changed.at, changed.state);
                let place = self.cast.place(&changed.at, Place::Thread);
                let state = changed.state;
                self.tells(entry, Verb::ThreadBecomes { state, place });
            }
            Stimulus::ConversationMoved(moved) => {
                let place = self.cast.place(&moved.from, Place::Group);
                let to = self.cast.place(&moved.to, Place::Group);
                self.tells(entry, Verb::Moves { place, to });
            }
            Stimulus::Compacted(compacted) => {
                match self.parts.session(compacted.session.as_str()) {
                    Some(session) => self.tells(entry, Verb::Compacts(session)),
                    None => self.leaves_out("a session was compacted that has no name"),
                }
            }
            Stimulus::ConfigChanged(changed) => {
                self.tells(entry, Verb::Configures((*changed.config).clone()));
            }
            Stimulus::Stop {} => self.ended = Some(entry.at),
            Stimulus::Wake {} => (),
        }
    }

    fn leaves_out(&mut self, what: &str) {
        self.left_out.insert(what.to_owned());
    }

    fn open(&mut self, open: &Open, entry: &Entry, before: Option<&Entry>) {
        self.lives += 1;
        if 1 < self.lives {
            return self.opens_again(open, entry, before);
        }
        self.cast.join(open);
        for channel in &open.channels[..] {
            let placement = channel.capabilities.threads.placement;
            self.placements
                .insert(channel.id.as_str().to_owned(), placement);
        }
        self.scenario.starts_at = open.starts_at.as_str().to_owned();
        self.scenario.timezone = open.timezone.as_str().to_owned();
        self.scenario.agents = open.agents.to_vec();
        let empty = open.config.as_object().is_some_and(Map::is_empty);
        if !empty {
            self.scenario.config = (*open.config).clone();
        }
        let records = open.disk.iter().map(|record| {
            let file = serde_json::from_str(record);
            file.unwrap_or_else(|_| Value::from(record.as_str()))
        });
        self.scenario.disk = records.collect();
    }

    /// Another life: the death before it was seen, or follows from it.
    fn opens_again(&mut self, open: &Open, entry: &Entry, before: Option<&Entry>) {
        let stops = |told: &Told| matches!(told.verb, Verb::Crash(_));
        let unfinished = self
            .told
            .last_mut()
            .filter(|told| stops(told) && self.ended.is_none());
        if let Some(told) = unfinished {
            let down = entry.at.since(told.at);
            if let Verb::Crash(crash) = &mut told.verb {
                crash.down = (down != Span::secs(1)).then_some(down);
            }
            return;
        }
        if let Some(ended) = self.ended.take() {
            let at = ended;
            let verb = Verb::Restarts(entry.at.since(ended));
            let index = self.index;
            self.told.push(Told { at, index, verb });
            return;
        }
        // Nobody wrote down that it died.
        let at = before.map_or(entry.at, |before| before.at);
        let kept = !open.alive.is_empty();
        let verb = Verb::Crash(Crash {
            down: Some(entry.at.since(at)),
            runs: match kept {
                true => RunsAfterCrash::Kept,
                false => RunsAfterCrash::Lost,
            },
            ..Crash::default()
        });
        let index = self.index;
        self.told.push(Told { at, index, verb });
    }

    fn inbound(&mut self, inbound: &Inbound, entry: &Entry) {
        let id = (inbound.at.clone(), inbound.message.clone());
        let known = self.messages.get(&id).cloned();
        if let Some(name) = known.as_ref().filter(|_| entry.own.is_empty()) {
            return self.faults.again(name);
        }
        let name = self.parts.name(entry, inbound.message.as_str());
        let own_id = known.is_some() || inbound.message.as_str() != name;
        self.messages.entry(id).or_insert_with(|| name.clone());
        let say = Say {
            person: inbound.from.clone(),
            place: self.cast.away(inbound),
            text: self.parts.markers.quoting(&inbound.text, entry),
            name: Some(name),
            message: own_id.then(|| inbound.message.clone()),
            agent: None,
            author: (inbound.author != Author::Person).then_some(inbound.author),
            mentioned: (!inbound.mentioned).then_some(false),
            authorised: (!inbound.authorised).then_some(false),
        };
        self.tells(entry, Verb::Says(say));
    }

    fn turn(&mut self, turn: &InternalTurn, entry: &Entry) {
        let Some(session) = self.parts.session(turn.session.as_str()) else {
            return self.leaves_out("the clockwork asked for a turn of a session without a name");
        };
        let name = self.parts.name(entry, "turn");
        let verb = Verb::Beats {
            session,
            path: turn.path,
            text: Some(said(&turn.text, entry)),
            name: Some(name),
            agent: None,
        };
        self.tells(entry, verb);
    }

    fn call(&mut self, call: &Call, entry: &Entry) {
        let name = self.parts.name(entry, call.call.as_str());
        self.calls.insert(call.call.clone(), name.clone());
        let verb = match &call.by {
            Caller::Run(run) => return self.parts.calls(run, call, &name, entry),
            Caller::Plugin => self.plugin(call, name, entry),
            Caller::Admin => self.admin(call, name),
        };
        match verb {
            Some(verb) => self.tells(entry, verb),
            None => self.leaves_out(&format!(
                "a call of {} from outside, which no step makes",
                call.method
            )),
        }
    }

    fn plugin(&self, call: &Call, name: String, entry: &Entry) -> Option<Verb> {
        if call.method != "runtime.subagent.run" {
            return None;
        }
        let Value::Object(mut with) = self.parts.refer(&call.params) else {
            return None;
        };
        let key = call.params.get("sessionKey")?.as_str()?.into();
        let text = call.params.get("message")?.as_str()?;
        with.remove("sessionKey");
        with.remove("message");
        Some(Verb::Runs {
            key,
            text: self.parts.markers.quoting(text, entry),
            with,
            name: Some(name),
            agent: None,
        })
    }

    fn admin(&self, call: &Call, name: String) -> Option<Verb> {
        let all = [
            AdminVerb::Reset,
            AdminVerb::Delete,
            AdminVerb::Patch,
            AdminVerb::List,
            AdminVerb::History,
        ];
        let what = all.into_iter().find(|verb| call.method == verb.method())?;
        let Value::Object(mut with) = call.params.clone() else {
            return None;
        };
        let key = with.get("key").and_then(Value::as_str);
        let session = key.and_then(|key| self.parts.session(key));
        if session.is_some() {
            with.remove("key");
        }
        Some(Verb::Admin {
            what,
            session,
            with,
            name: Some(name),
        })
    }

    /// A run ends after the log was cut.
    fn ends_later(&mut self, ended: &RunEnded, entry: &Entry) {
        if self
            .parts
            .known(&ended.run)
            .is_some_and(|part| part.end.is_none())
        {
            self.run_ended(ended, entry);
        }
    }

    /// Time goes on until what the log was cut for, or until the world heals.
    fn lasts_until(&mut self, entries: &[Entry]) {
        let heals = |entry: &&Entry| matches!(entry.what, What::World(World::Healing {}));
        let end = entries.iter().find(heals).or(entries.last());
        if let Some(end) = end {
            // A wake at that very time comes after the steps of it.
            self.told.push(Told {
                at: end.at + Span::ms(1),
                index: usize::MAX,
                verb: Verb::Note("so far the log is told".to_owned()),
            });
        }
    }

    fn run_ended(&mut self, ended: &RunEnded, entry: &Entry) {
        let over = self.parts.of(&ended.run).map(|part| {
            let by_order = ended.outcome == Outcome::Killed && part.killed;
            (part.end.is_some() || by_order, part.name.clone())
        });
        match over {
            Some((true, run)) => {
                let words = said(&ended.text, entry);
                let verb = Verb::Ends {
                    run,
                    outcome: ended.outcome,
                    text: (words != ended.outcome.as_str()).then_some(words),
                    length: None,
                    agent: None,
                    again: true,
                };
                let is_late = self
                    .parts
                    .of(&ended.run)
                    .is_some_and(|part| part.end.is_some());
                if is_late {
                    self.tells(entry, verb);
                }
            }
            // Nobody ends it but the end of the story.
            Some((false, _)) if self.healed && ended.outcome == Outcome::Lost => (),
            Some((false, _)) => self.parts.ends(ended, entry),
            None => self.leaves_out("the end of a run that was not asked for in the log"),
        }
    }

    /// The text of the fixture that an entry tells of: the first of its markers that one has.
    fn of(&self, markers: &[Marker]) -> Option<String> {
        let names = self.parts.markers.names(markers);
        names.into_iter().find(|name| self.parts.is_named(name))
    }

    fn effect(&mut self, effect: &Effect, entry: &Entry) {
        match effect {
            Effect::StartRun(start) => {
                self.parts.starts(start, entry);
                let of = self.of(&entry.markers);
                self.faults.start(&start.run, of);
            }
            Effect::SteerRun(steer) => {
                let of = self.of(&entry.markers);
                self.faults.steer(&steer.steer, of);
                self.parts.steers(steer, &entry.markers);
            }
            Effect::CancelRun(cancel) => {
                if let Some(part) = self.parts.of(&cancel.run) {
                    part.killed |= part.end.is_none();
                }
            }
            Effect::Deliver(deliver) => {
                let (of, to) = (self.of(&entry.markers), self.cast.known(&deliver.to));
                self.faults.sent(deliver, of, to, entry.at);
            }
            Effect::OpenThread(open) => {
                let channel = open.parent.channel.as_str();
                let placement = self.placements.get(channel).copied().unwrap_or_default();
                self.threads
                    .insert(open.request.as_str().to_owned(), placement);
            }
            Effect::ProbeThread(probe) => self.faults.probe(probe, entry.at),
            Effect::Answer(answer) => {
                let name = self.calls.get(&answer.call).map(String::as_str);
                self.parts
                    .answered(&answer.call, &answer.result, name, entry.at);
            }
            Effect::Persist(_) | Effect::Report(_) | Effect::Drop(_) | Effect::RefuseConfig(_) => {}
        }
    }

    fn world(&mut self, world: &World, entry: &Entry, before: Option<&Entry>) {
        match world {
            World::Posted { delivery, .. } => self.faults.posted(delivery),
            World::Crashed { lost, kept } => {
                let at_once = before.filter(|before| before.at == entry.at);
                let (after, of) = at_once.and_then(|before| self.anchor(before)).unzip();
                let crash = Crash {
                    after,
                    of,
                    runs: match lost.is_empty() && !kept.is_empty() {
                        true => RunsAfterCrash::Kept,
                        false => RunsAfterCrash::Lost,
                    },
                    ..Crash::default()
                };
                self.tells(entry, Verb::Crash(crash));
            }
            World::Healing {} => self.healed = true,
            World::Thread { at, state } => self.faults.becomes(at, *state),
            World::Note { .. }
            | World::Recognised { .. }
            | World::Fault { .. }
            | World::Unable { .. }
            | World::Rest(_) => (),
        }
    }

    /// What a crash follows at once, where a name tells of it.
    fn anchor(&self, before: &Entry) -> Option<(Anchor, String)> {
        let anchor = match &before.what {
            What::Effect(Effect::StartRun(_)) => Anchor::Started,
            What::Effect(Effect::Deliver(_)) => Anchor::Deliver,
            What::Effect(Effect::Answer(answer)) => {
                let name = self.calls.get(&answer.call)?;
                return Some((Anchor::Answered, name.clone()));
            }
            What::World(World::Posted { .. }) => Anchor::Accepted,
            What::Stimulus(Stimulus::RunEnded(ended)) => {
                let part = self.parts.known(&ended.run)?;
                return Some((Anchor::Ended, part.name.clone()));
            }
            What::Stimulus(_) | What::Effect(_) | What::World(_) => return None,
        };
        Some((anchor, self.of(&before.markers)?))
    }

    /// The scripts come to the texts that they follow, and what happens stands in order.
    fn finish(mut self) -> (Scenario, BTreeSet<String>) {
        let mut scripts = BTreeMap::new();
        let ended_by_step = self.ended_by_step();
        for index in 0..self.parts.all.len() {
            self.assemble(index, &ended_by_step, &mut scripts);
        }
        let mut told = std::mem::take(&mut self.told);
        for told in &mut told {
            give(&mut told.verb, &mut scripts);
        }
        told.sort_by_key(|told| (told.at, told.index));
        let mut scenario = std::mem::take(&mut self.scenario);
        scenario.steps = steps(told);
        scenario.faults = self.faults.plan();
        self.cast.take_part(&mut scenario);
        (scenario, self.left_out)
    }

    /// Runs that a step ends: children that do nothing else, and those whose last words lead to
    /// what another does.
    fn ended_by_step(&mut self) -> BTreeMap<usize, Option<usize>> {
        let mut by_step: BTreeMap<usize, Option<usize>> = BTreeMap::new();
        let mut names = BTreeSet::new();
        for (index, part) in self.parts.all.iter().enumerate() {
            let lone = self.parts.is_child(&part.name) && part.is_idle() && part.end.is_some();
            let first = part.follows.is_some() || lone;
            if lone && first && names.insert(part.name.clone()) {
                by_step.insert(index, None);
            }
        }
        for (index, part) in self.parts.all.iter().enumerate() {
            if part.follows.is_some() || part.is_usual() {
                continue;
            }
            let leads = |other: &super::scripts::Part| {
                let own = other.end.as_ref().and_then(|end| end.own.as_ref());
                own.is_some_and(|own| part.led_by.contains(own))
            };
            let led = self.parts.all[..index].iter().position(leads);
            let free = led.filter(|&led| {
                let name = &self.parts.all[led].name;
                by_step
                    .get(&led)
                    .map_or_else(|| names.insert(name.clone()), Option::is_none)
            });
            match free {
                Some(led) => {
                    by_step.insert(led, Some(index));
                }
                None => {
                    let what = "what an agent did in a turn that no text of the story leads to";
                    self.left_out.insert(what.to_owned());
                }
            }
        }
        by_step
    }

    fn assemble(
        &mut self,
        index: usize,
        by_step: &BTreeMap<usize, Option<usize>>,
        scripts: &mut BTreeMap<String, Vec<Action>>,
    ) {
        let ended = by_step.get(&index).copied();
        let is_usual = self.parts.all[index].is_usual();
        let follows = self.parts.all[index].follows.clone();
        if let Some(name) = follows
            && !(is_usual && ended.is_none() && !self.parts.is_child(&name))
        {
            let lone = self.parts.is_child(&name) && self.parts.all[index].is_idle();
            let script = self.parts.all[index].script(ended.is_some());
            // A child without a script stays by itself.
            let stays = script == [Action::Stay(true)] && lone;
            if !stays {
                scripts.insert(name, script);
            }
        }
        let Some(next) = ended else { return };
        let part = &self.parts.all[index];
        let Some(end) = part.end.clone() else { return };
        let run = part.name.clone();
        let agent = next.map(|next| self.parts.all[next].script(by_step.contains_key(&next)));
        let verb = Verb::Ends {
            run,
            outcome: end.ending.outcome,
            text: end.ending.text,
            length: end.ending.length,
            agent,
            again: false,
        };
        self.told.push(Told {
            at: end.at,
            index: usize::MAX,
            verb,
        });
    }
}
