//! A log that can be shown to others: names, ids and texts are replaced, and every rule finds in it
//! what it finds in the original.
//!
//! * **Markers stay**, for by them information is followed.
//! * **Names and ids** are replaced word by word, the same word by the same one wherever it stands,
//!   in keys, parameters, configuration and in the gateway's own words alike. Words that everybody
//!   knows stay, so a session key keeps its structure.
//! * **Texts** of people and agents are replaced as a whole by letters that follow from the whole
//!   text: equal texts stay equal and as long as they were, and no word in them can be told from
//!   how often it stands elsewhere.
//! * **Times, numbers, capabilities and outcomes** stay.

use serde_json::{Map, Value};

use moorline_spec::address::Address;
use moorline_spec::channel::Channel;
use moorline_spec::config;
use moorline_spec::effect::{Effect, Report, StartRun};
use moorline_spec::id::{AgentId, Marker, Text};
use moorline_spec::record::Record;
use moorline_spec::stimulus::{Call, Caller, Delivered, Inbound, Open, Opened, Stimulus};
use moorline_spec::trace::{Entry, What, World};

use super::pseudonym::Pseudonyms;
use super::vocabulary::is_unit;

/// Words that agents say alone or at an edge of a text, to say nothing.
const SILENT: [&str; 3] = ["NO_REPLY", "ANNOUNCE_SKIP", "REPLY_SKIP"];

/// Parameters and fields of answers that hold what somebody says.
const SPOKEN: [&str; 7] = [
    "task",
    "message",
    "text",
    "content",
    "prompt",
    "extraSystemPrompt",
    "reply",
];

/// Rewrites the entries of one log.
#[derive(Debug, Default)]
pub struct Redactor {
    names: Pseudonyms,
    /// The agents that there are: a pattern of names is written out as those that it means.
    agents: Vec<AgentId>,
}

impl Redactor {
    /// The entry as others may see it.
    pub fn entry(&mut self, entry: &Entry) -> Entry {
        if let What::Stimulus(Stimulus::Open(open)) = &entry.what {
            self.agents = open.agents.to_vec();
        }
        let here = Here {
            names: &self.names,
            agents: &self.agents,
            entry,
        };
        Entry {
            at: entry.at,
            what: match &entry.what {
                What::Stimulus(stimulus) => What::Stimulus(here.stimulus(stimulus)),
                What::Effect(effect) => What::Effect(here.effect(effect)),
                What::World(world) => What::World(here.world(world)),
            },
            own: entry.own.clone(),
            markers: entry.markers.clone(),
        }
    }
}

/// One entry being rewritten.
struct Here<'a> {
    names: &'a Pseudonyms,
    agents: &'a [AgentId],
    entry: &'a Entry,
}

impl Here<'_> {
    fn stimulus(&self, stimulus: &Stimulus) -> Stimulus {
        let mut new = stimulus.clone();
        match &mut new {
            Stimulus::Open(open) => self.open(open),
            Stimulus::Inbound(inbound) => self.inbound(inbound),
            Stimulus::InternalTurn(turn) => {
                turn.session = self.id(turn.session.as_str());
                turn.text = self.spoken(&turn.text);
            }
            Stimulus::Call(call) => self.call(call),
            Stimulus::RunStarted(started) => started.run = self.id(started.run.as_str()),
            Stimulus::RunProgress(progress) => {
                progress.run = self.id(progress.run.as_str());
                progress.text = self.spoken(&progress.text);
            }
            Stimulus::RunEnded(ended) => {
                ended.run = self.id(ended.run.as_str());
                ended.text = self.spoken(&ended.text);
            }
            Stimulus::Steered(steered) => steered.steer = self.id(steered.steer.as_str()),
            Stimulus::Receipt(receipt) => {
                receipt.delivery = self.id(receipt.delivery.as_str());
                match &mut receipt.outcome {
                    Delivered::Accepted { message } => *message = self.id(message.as_str()),
                    Delivered::Refused { why, .. } => *why = self.words(why).into(),
                    Delivered::Unknown {} => (),
                }
            }
            Stimulus::ThreadOpened(opened) => {
                opened.request = self.id(opened.request.as_str());
                match &mut opened.outcome {
                    Opened::Opened { at } => *at = self.address(at),
                    Opened::Refused { why } => *why = self.words(why).into(),
                    Opened::Unknown {} => (),
                }
            }
            Stimulus::ThreadProbed(probed) => probed.request = self.id(probed.request.as_str()),
            Stimulus::ThreadChanged(changed) => changed.at = self.address(&changed.at),
            Stimulus::ConversationMoved(moved) => {
                (moved.from, moved.to) = (self.address(&moved.from), self.address(&moved.to));
            }
            Stimulus::Compacted(compacted) => {
                compacted.session = self.id(compacted.session.as_str());
            }
            Stimulus::ConfigChanged(changed) => {
                changed.config = self.value("", &changed.config).into();
            }
            Stimulus::Wake {} | Stimulus::Stop {} => (),
        }
        new
    }

    fn open(&self, open: &mut Open) {
        open.config = self.value("", &open.config).into();
        let channels = open.channels.iter().map(|channel| Channel {
            id: self.id(channel.id.as_str()),
            accounts: channel
                .accounts
                .iter()
                .map(|account| self.id(account.as_str()))
                .collect(),
            ..channel.clone()
        });
        open.channels = channels.collect();
        let agents = open.agents.iter().map(|agent| self.id(agent.as_str()));
        open.agents = agents.collect();
        for record in &mut open.disk {
            *record = self.record(record);
        }
        for run in &mut open.alive {
            *run = self.id(run.as_str());
        }
        open.state_dir = open.state_dir.as_ref().map(|dir| self.words(dir).into());
    }

    fn inbound(&self, inbound: &mut Inbound) {
        inbound.message = self.id(inbound.message.as_str());
        inbound.at = self.address(&inbound.at);
        inbound.from = self.id(inbound.from.as_str());
        inbound.text = match inbound.text.trim_start().starts_with('/') {
            true => self.command(&inbound.text),
            false => self.spoken(&inbound.text),
        };
    }

    fn call(&self, call: &mut Call) {
        call.call = self.id(call.call.as_str());
        if let Caller::Run(run) = &mut call.by {
            *run = self.id(run.as_str());
        }
        call.params = self.value("", &call.params);
    }

    fn effect(&self, effect: &Effect) -> Effect {
        let mut new = effect.clone();
        match &mut new {
            Effect::StartRun(start) => self.start(start),
            Effect::SteerRun(steer) => {
                steer.steer = self.id(steer.steer.as_str());
                steer.run = self.id(steer.run.as_str());
                steer.input = self.spoken(&steer.input);
            }
            Effect::CancelRun(cancel) => cancel.run = self.id(cancel.run.as_str()),
            Effect::Deliver(deliver) => {
                deliver.delivery = self.id(deliver.delivery.as_str());
                deliver.to = self.address(&deliver.to);
                deliver.text = self.told(&deliver.text);
                deliver.key = deliver.key.as_ref().map(|key| self.words(key).into());
            }
            Effect::OpenThread(open) => {
                open.request = self.id(open.request.as_str());
                open.parent = self.address(&open.parent);
                open.name = self.told(&open.name);
                open.session_key = self.id(open.session_key.as_str());
            }
            Effect::ProbeThread(probe) => {
                probe.request = self.id(probe.request.as_str());
                probe.address = self.address(&probe.address);
            }
            Effect::Answer(answer) => {
                answer.call = self.id(answer.call.as_str());
                answer.result = self.value("", &answer.result);
            }
            Effect::Persist(persist) => {
                persist.record = Record::from(self.record(&persist.record.text()));
            }
            Effect::Report(report) => self.report(report),
            Effect::Drop(drop) => {
                drop.message = self.id(drop.message.as_str());
                drop.why = self.words(&drop.why).into();
            }
            Effect::RefuseConfig(refuse) => {
                refuse.path = self.words(&refuse.path).into();
                refuse.why = self.words(&refuse.why).into();
            }
        }
        new
    }

    fn start(&self, start: &mut StartRun) {
        start.run = self.id(start.run.as_str());
        start.session_key = self.id(start.session_key.as_str());
        start.session_id = self.id(start.session_id.as_str());
        start.agent = self.id(start.agent.as_str());
        if let moorline_spec::effect::Memory::Fork(key) = &mut start.memory {
            *key = self.id(key.as_str());
        }
        start.input = self.spoken(&start.input);
        start.overrides = self.value("", &start.overrides);
        start.resumes = start.resumes.as_ref().map(|run| self.id(run.as_str()));
    }

    fn report(&self, report: &mut Report) {
        match report {
            Report::Bound {
                address,
                session_key,
            }
            | Report::Unbound {
                address,
                session_key,
                ..
            } => {
                *address = self.address(address);
                *session_key = self.id(session_key.as_str());
            }
            Report::Failed { run, address, why } => {
                *run = self.id(run.as_str());
                *address = address.as_ref().map(|address| self.address(address));
                *why = self.words(why).into();
            }
        }
    }

    fn world(&self, world: &World) -> World {
        let mut new = world.clone();
        match &mut new {
            World::Posted {
                delivery,
                at,
                message,
                text,
                ..
            } => {
                *delivery = self.id(delivery.as_str());
                *at = self.address(at);
                *message = self.id(message.as_str());
                *text = self.told(text);
            }
            World::Recognised { delivery, message } => {
                *delivery = self.id(delivery.as_str());
                *message = self.id(message.as_str());
            }
            World::Thread { at, .. } => *at = self.address(at),
            World::Fault { what: text } => *text = self.words(text).into(),
            World::Crashed { lost, kept } => {
                for run in lost.iter_mut().chain(kept) {
                    *run = self.id(run.as_str());
                }
            }
            World::Unable { run, why } => {
                *run = self.id(run.as_str());
                *why = self.words(why).into();
            }
            World::Note { text } => *text = self.spoken(text),
            World::Healing {} | World::Rest(_) => (),
        }
        new
    }

    fn address(&self, at: &Address) -> Address {
        Address {
            channel: self.id(at.channel.as_str()),
            account: self.id(at.account.as_str()),
            conversation: self.id(at.conversation.as_str()),
            thread: at.thread.as_ref().map(|thread| self.id(thread.as_str())),
        }
    }

    fn id<Id: From<String>>(&self, id: &str) -> Id {
        Id::from(self.words(id))
    }

    /// A name, or the gateway's own words: word by word.
    fn words(&self, text: &str) -> String {
        let mut new = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(begin) = rest.find(char::is_alphanumeric) {
            let (between, tail) = rest.split_at(begin);
            new.push_str(between);
            let end = tail.find(|c: char| !c.is_alphanumeric());
            let (word, after) = tail.split_at(end.unwrap_or(tail.len()));
            rest = after;
            // What a key writes with a percent sign stays, and what follows is a word of its own.
            if let Some(escape) = word.get(..2).filter(|hex| is_escape(between, hex)) {
                new.push_str(escape);
                let whole = unescaped(escape, &word[2..]);
                match whole {
                    Some(known) => new.push_str(known),
                    None if word.len() == 2 => (),
                    None => new.push_str(&self.names.word(&word[2..])),
                }
            } else if counts_time(word, after) {
                new.push_str(word);
            } else {
                new.push_str(&self.names.word(word));
            }
        }
        new.push_str(rest);
        new
    }

    /// What a person types to the gateway itself: a command stays, with the lengths of time in it.
    fn command(&self, text: &str) -> Text {
        let end = text.find('⟦').unwrap_or(text.len());
        let (typed, rest) = text.split_at(end);
        let mut words = typed.split_whitespace();
        let limits = words
            .next()
            .is_some_and(|first| first.eq_ignore_ascii_case("/session"));
        let is_length = |word: &str| word.chars().all(|c| c.is_ascii_digit() || c == '.');
        let typed = typed.split_inclusive(char::is_whitespace).map(|word| {
            match limits && is_length(word.trim_end()) {
                true => word.to_owned(),
                false => self.words(word),
            }
        });
        let typed: String = typed.collect();
        format!("{typed}{}", self.spoken(rest)).into()
    }

    /// What is posted: an output has markers, and the gateway's own words have none.
    fn told(&self, text: &str) -> Text {
        let marked = !self.entry.markers.is_empty() || text.contains(['⟦', '⟧']);
        match marked {
            true => self.spoken(text),
            false => self.words(text).into(),
        }
    }

    /// What somebody says: as a whole. Markers stay, and the words for silence.
    fn spoken(&self, text: &str) -> Text {
        let mut letters = self.names.letters(text);
        let mut new = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let kept = self.marker_at(rest).or_else(|| {
                let begins = !new.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                silence_at(rest).filter(|_| begins)
            });
            if let Some(kept) = kept {
                new.push_str(kept);
                rest = &rest[kept.len()..];
                continue;
            }
            new.push(match first.is_alphanumeric() {
                true => letters.draw(first),
                false => first,
            });
            rest = &rest[first.len_utf8()..];
        }
        new.into()
    }

    /// The marker of this entry that a text begins with.
    fn marker_at<'t>(&self, text: &'t str) -> Option<&'t str> {
        let inside = text.strip_prefix('⟦')?;
        let end = inside.find('⟧')?;
        let name = &inside[..end];
        let mut all = self.entry.own.iter().chain(&self.entry.markers);
        let known = all.any(|marker: &Marker| marker.as_str() == name);
        known.then(|| &text[..'⟦'.len_utf8() + end + '⟧'.len_utf8()])
    }

    /// What a gateway wrote down: its fields, where it has some.
    fn record(&self, text: &str) -> Text {
        match serde_json::from_str::<Value>(text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => {
                self.value("", &value).to_string().into()
            }
            Ok(_) | Err(_) => self.spoken(text),
        }
    }

    /// The agents that a pattern with stars and letters means.
    fn meant_by(&self, pattern: &str) -> Vec<Value> {
        let has_both = pattern.contains('*') && pattern != "*";
        let is_meant = |agent: &&AgentId| has_both && config::matches(pattern, agent.as_str());
        let meant = self.agents.iter().filter(is_meant);
        meant
            .map(|agent| self.words(agent.as_str()).into())
            .collect()
    }

    /// Parameters, answers, a configuration. `under` is the field that holds it.
    fn value(&self, under: &str, value: &Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => {
                let is_spoken = SPOKEN.contains(&under) || text.contains('⟦');
                Value::String(match is_spoken {
                    true => self.spoken(text).into(),
                    false => self.words(text),
                })
            }
            Value::Array(list) => {
                let list = list.iter().flat_map(|one| {
                    let meant = one.as_str().map(|pattern| self.meant_by(pattern));
                    match meant.filter(|meant| under == "allow" && !meant.is_empty()) {
                        Some(meant) => meant,
                        None => vec![self.value(under, one)],
                    }
                });
                list.collect()
            }
            Value::Object(fields) => {
                let fields = fields.iter();
                let new: Map<String, Value> = fields
                    .map(|(name, value)| (self.words(name), self.value(name, value)))
                    .collect();
                Value::Object(new)
            }
        }
    }
}

/// Whether a number is followed by a unit of time: `24 hours`, `1.5h`.
fn counts_time(word: &str, after: &str) -> bool {
    if 4 < word.len() || !word.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let fraction = after.strip_prefix('.').unwrap_or(after);
    let digits = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    let tail = if digits.len() < fraction.len() {
        digits
    } else {
        after
    };
    let unit = tail.strip_prefix(' ').unwrap_or(tail);
    let end = unit.find(|c: char| !c.is_ascii_alphabetic());
    is_unit(&unit[..end.unwrap_or(unit.len())])
}

/// Whether two digits after a percent sign write a character.
fn is_escape(between: &str, hex: &str) -> bool {
    between.ends_with('%') && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The rest of a word whose first letter is escaped, where the word is one that stays.
fn unescaped<'w>(escape: &str, rest: &'w str) -> Option<&'w str> {
    let first = u8::from_str_radix(escape, 16).ok().map(char::from);
    let word = format!("{}{rest}", first.filter(char::is_ascii_alphanumeric)?);
    super::vocabulary::is_known(&word).then_some(rest)
}

/// The word for silence that a text begins with.
fn silence_at(text: &str) -> Option<&str> {
    let token = SILENT.into_iter().find(|token| text.starts_with(token))?;
    let after = text[token.len()..].chars().next();
    let ends = after.is_none_or(|c| !(c.is_alphanumeric() || c == '_'));
    ends.then(|| &text[..token.len()])
}
