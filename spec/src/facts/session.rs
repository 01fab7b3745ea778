//! Sessions as they can be seen from outside, and the messages that people write.

use super::{BornAs, Facts, Role, RunFacts, RunState};
use crate::address::Address;
use crate::address::Place;
use crate::effect::{Drop, Memory, Report};
use crate::id::{CallId, Marker, MessageId, PersonId, RunId, SessionId, SessionKey, Text};
use crate::stimulus::{Author, Call, Inbound};
use crate::time::Time;
use crate::trace::Entry;

/// A session.
#[derive(Clone, Debug, Default)]
pub struct SessionFacts {
    /// Runs on its key in its present incarnation, and any that are still live.
    pub runs: Vec<RunId>,
    /// Those of them that are live.
    pub live: Vec<RunId>,
    /// When its incarnation began at the latest; `None` before its first run.
    pub started_at: Option<Time>,
    /// When its incarnation began at the earliest.
    pub started_from: Option<Time>,
    /// When a person last wrote to it on the chat path, at the latest.
    pub interacted_at: Option<Time>,
    /// When a person last wrote to it on the chat path, at the earliest.
    pub interacted_from: Option<Time>,
    /// When anything last happened to it for certain.
    pub written_at: Time,
    /// When anything that may count was last seen of it.
    pub written_to: Time,
    /// Something that ends its incarnation was asked for since its last run: `/new`, `/reset`, a
    /// reset or a delete.
    pub told_to_forget: bool,
    /// The entry in which it last was, and when it first was.
    pub told_at: Option<(usize, Time)>,
    /// It was deleted since its last run.
    pub deleted: bool,
    /// A spawn made it.
    pub is_child: bool,
    /// Nobody can tell which memory it has: a fresh start of it was lost.
    pub uncertain: bool,
    /// The id it ran under last for certain, before the run that was asked for last.
    pub id_before: Option<SessionId>,
    /// The state before the run that was asked for last, for checkers to compare with.
    pub before: Option<Box<SessionBefore>>,
    /// Where it last spoke with a person.
    pub spoke: Option<Spoke>,
}

/// Where a session last spoke with a person.
#[derive(Clone, Debug)]
pub struct Spoke {
    /// The address of the message that it answered.
    pub at: Address,
    /// Whether it had a turn since that nobody wrote for.
    pub moved_on: bool,
    /// Whether somebody may have spoken with it elsewhere since, which nobody saw.
    pub unsure: bool,
}

impl SessionFacts {
    /// It has a turn: one that answers a message at an address, or one that nobody wrote for.
    fn turn_for(&mut self, message: Option<&Address>, role: &Role) {
        match (&mut self.spoke, message) {
            (Some(spoke), None) => spoke.moved_on |= *role != Role::Unknown,
            (None, None) => (),
            (Some(spoke), Some(at)) if spoke.at == *at => {
                (spoke.moved_on, spoke.unsure) = (false, false);
            }
            (spoke, Some(at)) => {
                *spoke = Some(Spoke {
                    at: at.clone(),
                    moved_on: false,
                    unsure: false,
                });
            }
        }
    }

    fn as_before(&self, uncertain: bool) -> SessionBefore {
        SessionBefore {
            started_at: self.started_at,
            started_from: self.started_from,
            interacted_at: self.interacted_at,
            interacted_from: self.interacted_from,
            written_at: self.written_at,
            written_to: self.written_to,
            told_to_forget: self.told_to_forget,
            deleted: self.deleted,
            uncertain,
            archive_due: None,
        }
    }
}

/// A session as it was just before its last run was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionBefore {
    /// When its incarnation had begun at the latest; `None` if it had no run.
    pub started_at: Option<Time>,
    /// When its incarnation had begun at the earliest.
    pub started_from: Option<Time>,
    /// When a person had last written to it, at the latest.
    pub interacted_at: Option<Time>,
    /// When a person had last written to it, at the earliest.
    pub interacted_from: Option<Time>,
    /// When anything had last happened to it for certain.
    pub written_at: Time,
    /// When anything that may count had last been seen of it.
    pub written_to: Time,
    /// Whether it had been told to forget.
    pub told_to_forget: bool,
    /// Whether it had been deleted.
    pub deleted: bool,
    /// Whether nobody can tell which memory it had: a fresh start of it was lost.
    pub uncertain: bool,
    /// When it was to be archived, if at all.
    pub archive_due: Option<Time>,
}

impl SessionBefore {
    /// Whether its agent had something to remember.
    pub fn is_known(&self) -> bool {
        self.started_at.is_some() && !self.deleted
    }
}

/// A message that somebody wrote.
#[derive(Clone, Debug)]
pub struct MessageFacts {
    /// Its number: the same each time it arrives.
    pub number: usize,
    /// Its id on the channel.
    pub message: MessageId,
    /// Where.
    pub at: Address,
    /// What the place is.
    pub kind: Place,
    /// Who.
    pub from: PersonId,
    /// What wrote it.
    pub author: Author,
    /// Whether its author may give commands.
    pub authorised: bool,
    /// Whether it is for the gateway to answer: by a person, mentioned where that is asked for, and
    /// heard by an account that is at work.
    pub wants_answer: bool,
    /// What it says.
    pub text: Text,
    /// The entry it first arrived in, and when.
    pub arrived: (usize, Time),
    /// The runs that were given it, in order.
    pub runs: Vec<RunId>,
    /// Whether the gateway said that it does not work on it, and said why.
    pub dropped: bool,
}

impl MessageFacts {
    /// Whether it is a control command, which no run is given.
    pub fn is_command(&self) -> bool {
        self.text.starts_with('/')
    }

    /// Whether it asks for a fresh start.
    pub fn asks_fresh(&self) -> bool {
        let text = self.text.trim_start();
        let ends = |c: char| c.is_whitespace() || c == '⟦';
        let word = text.split(ends).next().unwrap_or_default();
        word.eq_ignore_ascii_case("/new") || word.eq_ignore_ascii_case("/reset")
    }
}

impl Facts {
    pub(super) fn on_inbound(&mut self, inbound: &Inbound, entry: &Entry) {
        let what = BornAs::Message {
            from: inbound.from.clone(),
            kind: inbound.kind,
        };
        self.bear(&entry.own, &what, &[inbound.at.clone()].into());
        if !self.places.contains_key(&inbound.at) {
            self.places.insert(inbound.at.clone(), inbound.kind);
        }
        let id = (inbound.at.clone(), inbound.message.clone());
        let next = self.numbered;
        let number = *self.numbers.entry(id).or_insert(next);
        self.numbered += usize::from(number == next);
        self.here.message = Some(number);
        let Some(marker) = entry.own.first() else {
            return;
        };
        let gated = inbound.kind == Place::Group
            && self.config.requires_mention(&inbound.at)
            && !inbound.mentioned;
        let message = MessageFacts {
            number,
            message: inbound.message.clone(),
            at: inbound.at.clone(),
            kind: inbound.kind,
            from: inbound.from.clone(),
            author: inbound.author,
            authorised: inbound.authorised,
            wants_answer: self.may_speak(inbound)
                && !gated
                && self.config.account_enabled(&inbound.at),
            text: inbound.text.clone(),
            arrived: (self.index, entry.at),
            runs: Vec::new(),
            dropped: false,
        };
        if message.asks_fresh() && inbound.authorised {
            if let Some(key) = self.session_for(&inbound.at).cloned() {
                self.tell_to_forget(key.as_str());
                self.doubt_unbound(&inbound.at);
            } else {
                self.unplaced_resets.push(inbound.at.clone());
            }
        } else if message.is_command()
            && let Some(key) = self.session_for(&inbound.at).cloned()
            && let Some(session) = self.sessions.get_mut(&key)
        {
            // Whether a control command is an interaction is the gateway's affair.
            session.interacted_at = session.interacted_at.max(Some(entry.at));
            session.written_to = entry.at;
        }
        self.on_stop_command(inbound, message.wants_answer);
        // The same message again changes nothing of what is known of it.
        self.messages.entry(marker.clone()).or_insert(message);
    }

    /// Whether who wrote a message may be answered.
    fn may_speak(&self, inbound: &Inbound) -> bool {
        match inbound.author {
            Author::Person => true,
            Author::Bot => !inbound.is_notice() && self.config.allows_bots(&inbound.at),
            Author::Own | Author::Webhook => false,
        }
    }

    /// The session that messages at an address belong to or will: also that of another direct
    /// conversation which shares it.
    pub fn session_for(&self, at: &Address) -> Option<&SessionKey> {
        self.session_at(at).or_else(|| {
            let mut others = self.home.iter();
            let shared = others.find(|(other, _)| self.share_memory(at, other))?;
            Some(shared.1)
        })
    }

    /// Resets whose session could not be told when they were asked for, since no run was seen from
    /// there yet.
    fn place_resets(&mut self) {
        for at in std::mem::take(&mut self.unplaced_resets) {
            match self.session_for(&at).cloned() {
                Some(key) => self.tell_to_forget(key.as_str()),
                None => self.unplaced_resets.push(at),
            }
        }
    }

    /// What was said while a binding was being made may have been said to the session it is made
    /// for.
    pub(super) fn tell_bound_to_forget(
        &mut self,
        at: &Address,
        key: &SessionKey,
        made: (Time, Time),
    ) {
        let meanwhile = self.messages.values().any(|message| {
            let arrived = message.arrived.1;
            message.at == *at && made.0 <= arrived && arrived <= made.1 && message.asks_fresh()
        });
        if meanwhile {
            self.tell_to_forget(key.as_str());
        }
    }

    /// Something was said to whatever is bound there, if anything is: it may have been said to the
    /// conversation's own session.
    fn doubt_unbound(&mut self, at: &Address) {
        let unsure = self
            .binding_at(at)
            .is_some_and(|(_, binding)| binding.unsure);
        if unsure
            && let Some(own) = self.home.get(at).cloned()
            && let Some(session) = self.sessions.get_mut(&own)
        {
            session.uncertain = true;
        }
    }

    /// A life begins under another configuration: what was decided under the old one and never
    /// seen can't be told.
    pub(super) fn doubt_resets(&mut self) {
        for session in self.sessions.values_mut() {
            session.uncertain = true;
        }
    }

    fn tell_to_forget(&mut self, key: &str) {
        let (index, now) = (self.index, self.now);
        if let Some(session) = self.sessions.get_mut(key) {
            session.told_to_forget = true;
            let first = session.told_at.map_or(now, |(_, first)| first);
            session.told_at = Some((index, first));
            session.written_to = now;
        }
    }

    /// The session that messages at an address belong to, as far as that is known: the one bound
    /// there, else the one that took the last message from there.
    pub fn session_at(&self, at: &Address) -> Option<&SessionKey> {
        self.binding_at(at)
            .map(|(_, binding)| &binding.key)
            .or_else(|| self.home.get(at))
    }

    pub(super) fn on_drop(&mut self, drop: &Drop) {
        let runs = &self.runs;
        let took = |run: &RunId| {
            let run = runs.get(run);
            run.is_some_and(|run| !matches!(run.state, RunState::Refused | RunState::Lost))
        };
        for message in self
            .messages
            .values_mut()
            .filter(|m| m.message == drop.message)
        {
            // What a run has taken is worked on: it is a repeat that is dropped.
            message.dropped |= !message.runs.iter().any(took);
        }
        let messages = &self.messages;
        self.untaken
            .retain(|marker| !messages.get(marker).is_some_and(|message| message.dropped));
    }

    /// A run did not start: the messages it was asked to take still wait.
    pub(super) fn note_untaken(&mut self, run: &RunId) {
        let Some(run) = self.runs.get(run) else {
            return;
        };
        let gone = |run: &RunId| {
            let run = self.runs.get(run);
            run.is_some_and(|run| matches!(run.state, RunState::Refused | RunState::Lost))
        };
        for marker in &run.given {
            if let Some(message) = self.messages.get(marker)
                && message.wants_answer
                && !message.dropped
                && message.runs.iter().all(gone)
            {
                self.untaken.insert(marker.clone());
            }
        }
    }

    /// Messages were taken by a run, or something was said of them.
    pub(super) fn note_taken(&mut self, markers: &[Marker]) {
        if !self.untaken.is_empty() {
            for marker in markers {
                self.untaken.remove(marker);
            }
        }
    }

    pub(super) fn note_said_failed(&mut self, report: &Report) {
        let Report::Failed { run, address, .. } = report else {
            return;
        };
        if let Some(run) = self.runs.get(run) {
            let given = run.given.clone();
            self.note_taken(&given);
        } else if let Some(at) = address {
            // An earlier life may have been about to ask a run that nobody saw.
            let (messages, began) = (&self.messages, self.life_began);
            self.untaken.retain(|marker| {
                let message = messages.get(marker);
                message.is_none_or(|message| message.at != *at || began <= message.arrived.1)
            });
        }
    }

    pub(super) fn touch_session(&mut self, key: &SessionKey) {
        let now = self.now;
        if let Some(session) = self.sessions.get_mut(key) {
            session.written_at = now;
            session.written_to = now;
        }
    }

    pub(super) fn note_admin_call(&mut self, call: &Call) {
        let key = call.params.get("key").and_then(|key| key.as_str());
        if matches!(call.method.as_str(), "sessions.reset" | "sessions.delete")
            && let Some(key) = key.and_then(|key| self.session_named(key)).cloned()
        {
            self.tell_to_forget(key.as_str());
        }
    }

    /// Whether a session began anew after an entry: in a run that was not refused.
    pub fn began_since(&self, key: &str, entry: usize) -> bool {
        let session = self.sessions.get(key);
        let mut runs = session.into_iter().flat_map(|session| &session.runs);
        runs.any(|run| {
            self.runs.get(run).is_some_and(|run| {
                entry < run.asked.0 && run.memory == Memory::Fresh && run.state != RunState::Refused
            })
        })
    }

    /// A spawn was refused: the session that may have been made for it is gone.
    pub(super) fn note_spawn_answer(&mut self, call: &CallId) {
        let Some(call) = self.calls.get(call) else {
            return;
        };
        let refused = call.method == "sessions_spawn" && !call.is_accepted();
        let run = call.run.as_ref().and_then(|run| self.runs.get(run));
        if let Some(key) = run.filter(|_| refused).map(|run| run.key.clone())
            && let Some(session) = self.sessions.get_mut(&key)
        {
            session.deleted = true;
        }
    }

    /// An administrator's call was answered: what was deleted is gone from here on.
    pub(super) fn note_admin_answer(&mut self, call: &CallId) {
        let Some(call) = self.calls.get(call) else {
            return;
        };
        let refused = matches!(call.status(), Some("error" | "forbidden"));
        let deletes = call.method == "sessions.delete";
        let Some(key) = call.text("key").and_then(|key| self.session_named(key)) else {
            return;
        };
        let key = key.clone();
        if refused || !(deletes || call.method == "sessions.reset") {
            return;
        }
        let made = call.made.0;
        if deletes || !self.began_since(key.as_str(), made) {
            self.tell_to_forget(key.as_str());
        }
        if let Some(session) = self.sessions.get_mut(key.as_str()) {
            session.deleted |= deletes;
        }
        if deletes {
            self.excuse_late(key.as_str());
        }
    }

    pub(super) fn note_session_run(&mut self, id: &RunId, run: &RunFacts) {
        let now = self.now;
        let message = self.chat_of(run).map(|message| &self.messages[message]);
        let arrived = message.map(|message| message.arrived);
        let said_at = message.map(|message| &message.at);
        self.sessions[run.session].turn_for(said_at, &run.role);
        self.note_session_before(run);
        let session = &mut self.sessions[run.session];
        let told_at = session.told_at.map(|(_, at)| at);
        if run.memory != Memory::Continue || !session.as_before(false).is_known() {
            session.started_at = Some(now);
            session.started_from = told_at.or(arrived.map(|(_, at)| at)).or(Some(now));
            session.runs.clone_from(&session.live);
        }
        // A command waits its turn behind messages that came before it.
        let still_told = session.told_at.is_some_and(|told| match arrived {
            Some(arrived) => arrived.0 < told.0,
            None => run.memory == Memory::Continue,
        });
        if !still_told {
            session.told_to_forget = false;
            session.told_at = None;
        }
        session.deleted = false;
        session.is_child |= matches!(run.role, Role::Child(_));
        session.written_at = now;
        session.written_to = now;
        session.runs.push(id.clone());
        if !session.live.contains(id) {
            session.live.push(id.clone());
        }
        if let Role::Chat(marker) = &run.role {
            session.interacted_at = Some(now);
            session.interacted_from = session
                .interacted_from
                .max(arrived.map(|(_, at)| at).or(Some(now)));
            self.note_message_run(id, marker, &run.key);
            self.place_resets();
        }
        // Further messages that were collected into one run.
        for &message in &self.here.messages {
            if let Some((marker, message)) = self.messages.get_index_mut(message)
                && !run.answers(marker)
                && message.runs.is_empty()
            {
                message.runs.push(id.clone());
            }
        }
    }

    /// What a session was before the run that is asked for now.
    fn note_session_before(&mut self, run: &RunFacts) {
        let archive_due = self.note_archive_start(&run.key);
        let session = &mut self.sessions[run.session];
        let last = session.runs.last().and_then(|run| self.runs.get(run));
        let ran = |run: &&RunFacts| matches!(run.state, RunState::Running | RunState::Ended(_));
        session.id_before = last.filter(ran).map(|run| run.session_id.clone());
        let unsure = last.is_some_and(|run| {
            let refused = run.state == RunState::Refused && session.started_at.is_none();
            let lost = run.state == RunState::Lost || run.start_unknown || refused;
            run.memory != Memory::Continue && lost
        });
        let archived = self
            .archives
            .get(&run.key)
            .is_some_and(|facts| facts.unsure);
        let uncertain = std::mem::take(&mut session.uncertain) || unsure || archived;
        let before = SessionBefore {
            archive_due,
            ..session.as_before(uncertain)
        };
        match &mut session.before {
            Some(kept) => **kept = before,
            none @ None => *none = Some(Box::new(before)),
        }
    }

    /// A run that was asked for never started: its session is what it was before.
    pub(super) fn forget_session_run(&mut self, id: &RunId) {
        let Some(run) = self.runs.get(id) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(&run.key) else {
            return;
        };
        if let (Some(last), Some(before)) = (session.runs.last(), session.before.as_deref())
            && last == id
        {
            session.started_at = before.started_at;
            session.started_from = before.started_from;
            session.told_to_forget |= before.told_to_forget;
            session.deleted |= before.deleted;
            session.uncertain |= before.uncertain;
            // The interaction happened, whatever became of the run.
        }
    }

    /// Messages were read by a run that was there already: somebody interacted with its session.
    pub(super) fn note_interaction(&mut self, run: &RunId, markers: &[Marker]) {
        let now = self.now;
        let arrived = markers
            .iter()
            .filter_map(|marker| self.messages.get(marker))
            .map(|message| message.arrived.1)
            .max();
        let key = self.runs.get(run).map(|run| run.key.clone());
        if let (Some(arrived), Some(key)) = (arrived, key)
            && let Some(session) = self.sessions.get_mut(&key)
        {
            session.interacted_at = Some(now);
            session.interacted_from = session.interacted_from.max(Some(arrived));
            session.written_to = now;
        }
    }

    fn note_message_run(&mut self, id: &RunId, marker: &Marker, key: &SessionKey) {
        let Some(message) = self.messages.get_mut(marker) else {
            return;
        };
        message.runs.push(id.clone());
        let at = message.at.clone();
        self.home.insert(at, key.clone());
    }
}
