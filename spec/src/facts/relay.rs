//! What is owed to whom: completions of children, last words of turns, and the deliveries that
//! carry them.

use super::{
    BornAs, CallFacts, DeliveryState, Facts, Late, MessageFacts, Origins, Role, RunFacts, RunState,
    SteerFacts,
};
use crate::address::Address;
use crate::effect::Report;
use crate::id::{CallId, Marker, RunId, SessionKey};
use crate::profile::NoReply;
use crate::silence;
use crate::stimulus::{Caller, Outcome, RunEnded};
use crate::time::Time;
use crate::trace::Entry;

/// What a child's requester has to hear.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The spawn.
    pub call: CallId,
    /// The session that asked.
    pub requester: Option<SessionKey>,
    /// The address captured when it asked.
    pub origins: Origins,
    /// How the run ended.
    pub outcome: Outcome,
    /// The markers born in its last words.
    pub words: Vec<Marker>,
    /// The markers of its task.
    pub task: Vec<Marker>,
    /// The entry of its end, and when.
    pub ended: (usize, Time),
    /// The turns that were given it: started for it, or steered into and taken.
    pub turns: Vec<RunId>,
    /// How it was settled, once it was.
    pub settled: Option<Settled>,
}

/// Last words of a turn that belong in a conversation; or, for a turn that failed, the news of that.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Where they belong: one address, unless the turn mixes several causes.
    pub to: Origins,
    /// The markers that have to arrive there.
    pub words: Vec<Marker>,
    /// Those that have.
    pub arrived: Vec<Marker>,
    /// Whether the channel will never take them.
    pub refused: bool,
    /// The entry since which, and when.
    pub since: (usize, Time),
    /// How it was settled, once it was.
    pub settled: Option<Settled>,
}

/// How something owed was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The requester's turn that was given it ended well.
    ByTurn(RunId),
    /// It stands in the conversation it belongs to.
    Posted,
    /// Its failure was made visible.
    Failed,
    /// Another run took its place.
    Resumed(RunId),
    /// Whoever asked was stopped from above.
    Stopped,
}

/// Something that is owed, for whoever asks.
#[derive(Clone, Copy, Debug)]
pub enum Owed<'a> {
    /// A child's completion.
    Completion(&'a RunId, &'a Completion),
    /// A turn's last words.
    Reply(&'a RunId, &'a Reply),
    /// A reply that came too late to be an answer.
    Late(&'a CallId, &'a Late),
    /// The answer to a call.
    Answer(&'a CallId, &'a CallFacts),
}

impl Facts {
    /// What is owed and not settled, the oldest first.
    pub fn owed(&self) -> Vec<Owed<'_>> {
        let completions = self.completions.iter().filter(|(_, c)| c.settled.is_none());
        let replies = self
            .replies
            .iter()
            .filter(|(_, reply)| reply.settled.is_none());
        let mut owed: Vec<Owed<'_>> = completions
            .map(|(run, c)| Owed::Completion(run, c))
            .collect();
        owed.extend(replies.map(|(run, reply)| Owed::Reply(run, reply)));
        let late = self.late.iter().filter(|(_, late)| !late.settled);
        owed.extend(late.map(|(call, late)| Owed::Late(call, late)));
        let calls = self.calls.iter();
        let calls = calls.filter(|(_, call)| call.waits_in(self.lives));
        owed.extend(calls.map(|(id, call)| Owed::Answer(id, call)));
        owed.sort_by_key(Owed::since);
        owed
    }

    /// How many completions and replies were settled so far.
    pub fn settlements(&self) -> u64 {
        self.settlements
    }

    /// Whether a session belongs to a spawned child.
    pub fn is_child_session(&self, key: &SessionKey) -> bool {
        let session = self.sessions.get(key);
        session.is_some_and(|session| session.is_child)
    }

    pub(super) fn begin_owing(&mut self, ended: &RunEnded, entry: &Entry) {
        let Some(run) = self.run_here() else {
            return;
        };
        let (role, origins, session) = (run.role.clone(), run.origins.clone(), run.session);
        // What was told to stop is killed, whatever it managed to say.
        let outcome = if run.cancelled {
            Outcome::Killed
        } else {
            ended.outcome
        };
        let silent = entry.own.is_empty() && outcome == Outcome::Ok;
        let since = (self.index, self.now);
        let run = &ended.run;
        match role {
            Role::Child(call) => {
                self.note_cleanup(&call, session);
                // It asked that nobody be told.
                let skips = outcome == Outcome::Ok && silence::skips(&ended.text);
                if !skips {
                    self.owe_completion(run, &call, outcome, since);
                }
                // What a run said before it failed is no answer; its failure is told.
                if !silent && outcome == Outcome::Ok {
                    self.owe_bound_words(run, &entry.own);
                }
            }
            Role::Chat(_) | Role::Event(_) if silent || outcome == Outcome::Killed => (),
            Role::Chat(message) if outcome != Outcome::Ok => {
                self.owe_reply(run, origins, vec![message], since);
            }
            Role::Event(_) if outcome != Outcome::Ok => (),
            Role::Event(_) if self.sessions[session].is_child => {
                self.owe_bound_words(run, &entry.own);
            }
            Role::Chat(_) | Role::Event(_) => {
                self.owe_reply(run, origins, entry.own.clone(), since);
            }
            Role::Sent(call) => self.owe_late(run, &call),
            Role::Plugin(_) | Role::Internal | Role::Unknown => (),
        }
    }

    /// A child that was to be deleted afterwards may be, from now on.
    fn note_cleanup(&mut self, call: &CallId, session: usize) {
        let call = self.calls.get(call);
        if call.is_some_and(|call| call.text("cleanup") == Some("delete")) {
            self.sessions[session].uncertain = true;
        }
    }

    fn owe_completion(
        &mut self,
        id: &RunId,
        call_id: &CallId,
        outcome: Outcome,
        ended: (usize, Time),
    ) {
        let (Some(run), Some(call)) = (self.runs.get(id), self.calls.get(call_id)) else {
            return;
        };
        let refused = call.answer.is_some() && !call.is_accepted();
        let silent = self.dials.no_reply == NoReply::Silent
            && outcome == Outcome::Ok
            && run.words.is_empty();
        let unasked = call.by == Caller::Plugin || !call.wants_completion();
        if refused
            || silent
            || unasked
            || self.was_stopped(call)
            || self.below.given_up.contains(id)
        {
            return;
        }
        let completion = Completion {
            call: call_id.clone(),
            requester: call.session.clone(),
            origins: call.origins.clone(),
            outcome,
            words: run.words.clone(),
            task: call.own.clone(),
            ended,
            turns: Vec::new(),
            settled: None,
        };
        if self.completions.insert(id.clone(), completion).is_none() {
            self.owed += 1;
        }
        self.note_child_end(id);
    }

    /// A child that is bound says its last words in its conversation too.
    fn owe_bound_words(&mut self, id: &RunId, words: &[Marker]) {
        let run = self.runs.get(id).filter(|_| !words.is_empty());
        if let Some(at) = run.and_then(|run| self.surely_bound_to(&run.key)) {
            let to = Origins::from([at.clone()]);
            self.owe_reply(id, to, words.to_vec(), (self.index, self.now));
        }
    }

    fn owe_reply(&mut self, id: &RunId, to: Origins, words: Vec<Marker>, since: (usize, Time)) {
        if to.is_empty() {
            return;
        }
        let reply = Reply {
            to,
            words,
            arrived: Vec::new(),
            refused: false,
            since,
            settled: None,
        };
        if self
            .replies
            .insert(id.clone(), reply)
            .is_none_or(|old| old.settled.is_some())
        {
            self.owed += 1;
        }
    }

    pub(super) fn settle_completion(&mut self, run: &RunId, how: Settled) {
        if let Some(completion) = self
            .completions
            .get_mut(run)
            .filter(|c| c.settled.is_none())
        {
            completion.settled = Some(how);
            self.owed -= 1;
            self.settlements += 1;
            self.excuse_bound_words(run);
        }
    }

    /// A bound child's words whose conversation takes nothing any more are not lost once the
    /// requester has them.
    pub(super) fn excuse_bound_words(&mut self, run: &RunId) {
        let told = self
            .completions
            .get(run)
            .is_some_and(|c| c.settled.is_some());
        if told && self.replies.get(run).is_some_and(|reply| reply.refused) {
            self.settle_reply(run, Settled::Failed);
        }
    }

    pub(super) fn settle_reply(&mut self, run: &RunId, how: Settled) {
        if let Some(reply) = self
            .replies
            .get_mut(run)
            .filter(|reply| reply.settled.is_none())
        {
            reply.settled = Some(how);
            self.owed -= 1;
            self.settlements += 1;
        }
    }

    /// The children whose completion some markers tell of: by their last words, or, once they
    /// ended, by their task.
    pub fn told_in(&self, markers: &[Marker]) -> Vec<RunId> {
        let mut children = Vec::new();
        if self.completions.is_empty() {
            return children;
        }
        for born in markers.iter().filter_map(|marker| self.born.get(marker)) {
            let child = match &born.what {
                BornAs::LastWords(run) => Some(self.goes_on_in(run).unwrap_or(run)),
                BornAs::Parameter(call) => self.calls.get(call).and_then(|call| call.run.as_ref()),
                BornAs::Message { .. } | BornAs::Internal | BornAs::Progress(_) => None,
            };
            if let Some(run) = child.filter(|run| self.completions.contains_key(*run))
                && !children.contains(run)
            {
                children.push(run.clone());
            }
        }
        children
    }

    /// The children whose completions a turn was given.
    pub fn told_by(&self, turn: &RunId) -> &[RunId] {
        self.tells.get(turn).map_or(&[], Vec::as_slice)
    }

    pub(super) fn note_telling(&mut self, id: &RunId, run: &RunFacts) {
        if let Some(old) = &run.resumes {
            self.settle_reply(old, Settled::Resumed(id.clone()));
            self.settle_completion(old, Settled::Resumed(id.clone()));
        }
        if let Role::Chat(marker) = &run.role {
            // Its message is in new hands, whether that is said or not.
            let message = self.messages.get(marker);
            let lost = |old: &&RunId| {
                let old = self.runs.get(*old).map(|old| old.state);
                matches!(old, Some(RunState::Lost | RunState::Refused))
            };
            let before = message.into_iter().flat_map(|message| &message.runs);
            let before: Vec<RunId> = before.filter(lost).cloned().collect();
            for old in before {
                self.settle_reply(&old, Settled::Resumed(id.clone()));
            }
        }
        self.note_given(id, &run.given);
        if self.bindings.is_empty() {
            return;
        }
        let first = |message: &MessageFacts| message.runs.as_slice() == std::slice::from_ref(id);
        let given = self.messages_here();
        let messages: Vec<Marker> = given
            .filter(|(marker, message)| run.answers(marker) || first(message))
            .map(|(marker, _)| marker.clone())
            .collect();
        self.on_routed(&messages, &run.key);
    }

    fn note_given(&mut self, turn: &RunId, markers: &[Marker]) {
        if self.completions.is_empty() {
            return;
        }
        for child in self.told_in(markers) {
            if let Some(completion) = self.completions.get_mut(&child)
                && !completion.turns.contains(turn)
            {
                completion.turns.push(turn.clone());
                self.tells.entry(turn.clone()).or_default().push(child);
            }
        }
    }

    pub(super) fn note_steer(&mut self, steer: &SteerFacts) {
        let Some(run) = self.runs.get(&steer.run) else {
            return;
        };
        let key = run.key.clone();
        let new = |marker: &&Marker| {
            let message = self.messages.get(*marker);
            message.is_some_and(|message| message.runs.is_empty())
        };
        let messages: Vec<Marker> = steer.markers.iter().filter(new).cloned().collect();
        self.on_routed(&messages, &key);
    }

    pub(super) fn note_steered(&mut self, run: &RunId, markers: &[Marker]) {
        self.note_given(run, markers);
        for marker in markers {
            if let Some(message) = self.messages.get_mut(marker).filter(|m| m.runs.is_empty()) {
                message.runs.push(run.clone());
            }
        }
    }

    /// A turn ended: what it was given is told, if it ended well.
    pub(super) fn settle_turn(&mut self, turn: &RunId, outcome: Outcome) {
        self.on_bound_run_ended(turn, outcome == Outcome::Killed);
        if outcome != Outcome::Ok {
            return;
        }
        if !self.late.is_empty() {
            self.settle_late(|late| late.turns.contains(turn));
        }
        self.settle_unbegun_by_turn(turn);
        for child in self.tells.get(turn).cloned().unwrap_or_default() {
            self.settle_completion(&child, Settled::ByTurn(turn.clone()));
        }
    }

    /// A run was refused. A child that was accepted before still owes its completion.
    pub(super) fn on_turn_failed(&mut self, id: &RunId) {
        self.on_bound_run_refused(id);
        let role = self.runs.get(id).map(|run| &run.role);
        if let Some(Role::Child(call)) = role
            && self.calls.get(call).is_some_and(CallFacts::is_accepted)
        {
            let call = call.clone();
            self.owe_completion(id, &call, Outcome::Error, (self.index, self.now));
        }
    }

    pub(super) fn on_report(&mut self, report: &Report) {
        match report {
            Report::Failed { run, address, .. } => {
                self.give_up_early(run);
                if !self.is_of_its_own_place(run, address.as_ref()) {
                    self.settle_completion(run, Settled::Failed);
                }
                self.settle_reply(run, Settled::Failed);
                self.settle_late(|late| late.run == *run);
                self.settle_unbegun_run(run);
                let turns = self
                    .completions
                    .get(run)
                    .map(|c| c.turns.clone())
                    .unwrap_or_default();
                for turn in turns {
                    self.settle_reply(&turn, Settled::Failed);
                }
            }
            Report::Unbound {
                address,
                session_key,
                reason,
            } => {
                self.said_bound.remove(address);
                self.note_said_unbound(address, session_key, *reason);
            }
            Report::Bound {
                address,
                session_key,
            } => {
                self.said_bound.insert(address.clone(), session_key.clone());
            }
        }
    }

    /// Whether a failure is that of what a bound child says in its own conversation, which is not the
    /// one that it was asked for from.
    fn is_of_its_own_place(&self, run: &RunId, at: Option<&Address>) -> bool {
        let owed = self.completions.get(run).zip(self.runs.get(run)).zip(at);
        owed.is_some_and(|((completion, run), at)| {
            !completion.origins.contains(at) && self.was_bound(&run.key, at)
        })
    }

    /// A life is over: answers in flight die with it.
    fn end_life(&mut self) {
        self.died = Some(self.now);
        let mut untold = Vec::new();
        for delivery in self.deliveries.values_mut() {
            if delivery.state == DeliveryState::Pending {
                delivery.state = DeliveryState::Untold;
                untold.push((
                    delivery.to.clone(),
                    delivery.speaker.clone(),
                    delivery.asked.1,
                ));
            }
        }
        for (to, speaker, asked) in untold {
            self.on_output_delivered(&to, speaker.as_ref(), (asked, self.now), false);
        }
        self.steers.retain(|_, steer| steer.outcome.is_some());
        self.lose_unwritten();
        self.suppose_stops();
        self.suppose_yields();
        self.suppose_labels();
        self.suppose_bindings();
        self.doubt_children();
        self.doubt_archives();
        self.owed -= self.unanswered_calls().count();
    }

    /// A new life begins. Whatever did not outlive the last one is over: where nobody saw that one
    /// die it was stopped, and what was asked for as it died may never have started.
    pub(super) fn on_life_after(&mut self, alive: &[RunId]) {
        if self.lives == 0 {
            return;
        }
        let live = self.runs.iter().filter(|(_, run)| run.state.is_live());
        let mut lost: Vec<RunId> = live
            .map(|(id, _)| id.clone())
            .filter(|id| !alive.contains(id))
            .collect();
        lost.sort();
        if self.died.is_none() {
            self.keep_unwritten();
        }
        self.on_crash(&lost);
    }

    pub(super) fn on_crash(&mut self, lost: &[RunId]) {
        if self.died.is_none() {
            self.end_life();
        }
        for id in lost {
            let Some(run) = self.runs.get_mut(id).filter(|run| run.state.is_live()) else {
                continue;
            };
            run.state = RunState::Lost;
            let run = run.clone();
            let live = &mut self.sessions[run.session].live;
            live.retain(|live| live != id);
            self.on_bound_run_ended(id, false);
            self.note_archive_end(id);
            let since = (self.index, self.now);
            match &run.role {
                Role::Child(call) => self.owe_completion(id, call, Outcome::Lost, since),
                Role::Chat(message) => {
                    self.owe_reply(id, run.origins.clone(), vec![message.clone()], since);
                }
                Role::Sent(call) => self.owe_late(id, call),
                Role::Plugin(_) | Role::Event(_) | Role::Internal | Role::Unknown => (),
            }
        }
    }
}

impl Owed<'_> {
    /// The run whose completion or words they are.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::Completion(run, _) | Self::Reply(run, _) => Some(run),
            Self::Late(_, late) => Some(&late.run),
            Self::Answer(..) => None,
        }
    }

    /// The entry since which it is owed, and when.
    pub fn since(&self) -> (usize, Time) {
        match self {
            Self::Completion(_, completion) => completion.ended,
            Self::Reply(_, reply) => reply.since,
            Self::Late(_, late) => late.ended,
            Self::Answer(_, call) => call.made,
        }
    }
}
