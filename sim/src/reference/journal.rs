//! What is written down, and how it is read again: each record holds the things that one stimulus
//! changed, whole, so that reading them in order gives the last state of each.

use std::collections::VecDeque;
use std::sync::Arc;

use moorline_spec::address::{Address, Place};
use moorline_spec::id::{RunId, SessionKey, Text};
use moorline_spec::record::{Record, Written};
use moorline_spec::time::Time;
use serde::{Deserialize, Serialize};

use super::given_up::GivenUp;
use super::record;
use super::state::{Binding, Debt, Failure, Post, Progress, Run, Seen, Session, State, Turn};
use super::transcript::Line;

/// Something that has to be written down before anything else happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dirty {
    Life,
    Session(SessionKey),
    Begun(SessionKey),
    /// A line of a transcript, by its number.
    Line(SessionKey, usize),
    Run(u64),
    Debt(u64),
    Post(u64),
    Binding(u64),
    Touch(u64),
    Seen(Box<Seen>),
    Unseen(Box<Seen>),
    Failure(RunId),
    GivenUp(u64),
    Moved(Address),
}

/// What a record says of one thing. What is large is behind a pointer: there are many records.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Life(u64),
    Session(Box<Session>),
    /// A run started in it: from now on there is something to remember.
    Begun(SessionKey),
    Deleted(SessionKey),
    Line(Box<(SessionKey, Line)>),
    Run(Arc<Run>),
    Over(u64),
    Debt(Arc<Debt>),
    Settled(u64),
    Post(Arc<Post>),
    Posted(u64),
    Binding(Box<Binding>),
    Unbound(u64),
    Touch(u64, Time),
    Seen(Box<Seen>),
    Unseen(Box<Seen>),
    Failure(Box<Failure>),
    GivenUp(Box<GivenUp>),
    TakenUp(u64),
    Moved(Box<(Address, Address)>),
}

/// Everything that one record says. It is text once somebody reads it.
#[derive(Debug)]
struct Changes(Vec<Change>);

impl Written for Changes {
    fn write(&self, to: &mut String) {
        to.reserve(CHANGE_LEN * self.0.len());
        record::write(&self.0, to);
    }
}

/// The length of a change as a rule, in bytes: a record of thousands is not moved while it grows.
const CHANGE_LEN: usize = 160;

/// The record of nothing: what the one before it was to precede has happened.
pub(super) const NOTHING: Text = Text::new_static("[]");

/// Among so many of the last things one is looked for before it is noted once more. What is noted
/// again after a pass of the sweep changed thousands of others is written twice, and reads the same.
const LATELY: usize = 8;

/// What is to be written with the next record.
#[derive(Debug, Default)]
pub(super) struct Journal {
    dirty: Vec<Dirty>,
    /// Whether bindings are among it.
    of_bindings: bool,
}

impl Journal {
    /// Notes that something changed.
    pub(super) fn note(&mut self, dirty: Dirty) {
        let lately = self.dirty.len().saturating_sub(LATELY);
        if self.dirty[lately..].contains(&dirty) {
            return;
        }
        self.of_bindings |= matches!(dirty, Dirty::Binding(_));
        self.dirty.push(dirty);
    }

    /// Whether the next record is about bindings anyway.
    pub(super) fn is_of_bindings(&self) -> bool {
        self.of_bindings
    }

    /// The record of everything that changed, if anything did.
    pub(super) fn take(&mut self, state: &State) -> Option<Record> {
        if self.dirty.is_empty() {
            return None;
        }
        self.of_bindings = false;
        let mut changes = Vec::with_capacity(self.dirty.len());
        let now = self.dirty.drain(..);
        changes.extend(now.filter_map(|dirty| change(dirty, state)));
        Some(Record::later(Changes(changes)))
    }
}

/// What there is to say of something that changed, as it is now.
fn change(dirty: Dirty, state: &State) -> Option<Change> {
    let change = match dirty {
        Dirty::Life => Change::Life(state.life),
        Dirty::Session(key) => match state.sessions.get(&key) {
            Some(session) => Change::Session(Box::new(as_written(session))),
            None => Change::Deleted(key),
        },
        Dirty::Begun(key) => Change::Begun(key),
        Dirty::Line(key, index) => {
            let line = state.sessions.get(&key)?.lines.get(index)?.clone();
            Change::Line(Box::new((key, line)))
        }
        Dirty::Run(number) => state
            .runs
            .share(&number)
            .map_or(Change::Over(number), Change::Run),
        Dirty::Debt(number) => state
            .debts
            .share(&number)
            .map_or(Change::Settled(number), Change::Debt),
        Dirty::Post(number) => state
            .posts
            .share(&number)
            .map_or(Change::Posted(number), Change::Post),
        Dirty::Binding(number) => match state.bindings.get(&number) {
            Some(binding) => Change::Binding(Box::new(binding.clone())),
            None => Change::Unbound(number),
        },
        Dirty::Touch(number) => {
            let binding = state.bindings.get(&number)?;
            Change::Touch(number, binding.times.touched_at)
        }
        Dirty::Seen(seen) => Change::Seen(seen),
        Dirty::Unseen(seen) => Change::Unseen(seen),
        Dirty::GivenUp(number) => match state.given_up.get(&number) {
            Some(given_up) => Change::GivenUp(Box::new(given_up.clone())),
            None => Change::TakenUp(number),
        },
        Dirty::Moved(to) => Change::Moved(Box::new((to.clone(), state.moved.get(&to)?.clone()))),
        Dirty::Failure(run) => {
            let mut latest = state.failures.iter().rev();
            let failure = latest.find(|failure| failure.run == run)?;
            Change::Failure(Box::new(failure.clone()))
        }
    };
    Some(change)
}

/// A session without what is written apart, or not at all.
fn as_written(session: &Session) -> Session {
    Session {
        key: session.key.clone(),
        agent: session.agent.clone(),
        label: session.label.clone(),
        route: session.route.clone(),
        child: session.child.clone(),
        lasting: session.lasting.clone(),
        awaits: session.awaits.clone(),
        heard_at: None,
        queue: VecDeque::new(),
        lines: VecDeque::new(),
        ..*session
    }
}

/// Whether a record is one of these. What an older version left is not.
pub(super) fn is_ours(record: &str) -> bool {
    serde_json::from_str::<Vec<Change>>(record).is_ok_and(|changes| !changes.is_empty())
}

/// Reads the records of earlier lives. The last one may be torn: what it was to precede never
/// happened. The failures in the last one that is whole may not have been told of.
pub(super) fn fold(disk: &[Text]) -> (State, Vec<Failure>) {
    let mut state = State {
        life: 1,
        ..State::default()
    };
    let mut untold = Vec::new();
    for record in disk {
        let Ok(changes) = serde_json::from_str::<Vec<Change>>(record) else {
            continue;
        };
        untold.clear();
        for change in changes {
            if let Change::Failure(failure) = &change {
                untold.push(Failure::clone(failure));
            }
            apply(&mut state, change);
        }
    }
    (state, untold)
}

fn apply(state: &mut State, change: Change) {
    match change {
        Change::Life(life) => state.life = state.life.max(life),
        Change::Session(session) => {
            state.ids_made = state.ids_made.max(session.id).max(session.incarnation);
            let child = session.child.as_ref().map_or(0, |child| child.number);
            state.children_made = state.children_made.max(child);
            let old = state.sessions.remove(&session.key);
            let goes_on = old.filter(|old| old.incarnation == session.incarnation);
            let lines = goes_on.map(|old| old.lines).unwrap_or_default();
            let session = Session { lines, ..*session };
            state.sessions.insert(session.key.clone(), session);
        }
        Change::Begun(key) => {
            if let Some(session) = state.sessions.get_mut(&key) {
                session.fresh = false;
            }
        }
        Change::Deleted(key) => {
            state.sessions.remove(&key);
        }
        Change::Line(of) => {
            let (key, line) = *of;
            if let Some(session) = state.sessions.get_mut(&key) {
                session.lines.push_back(line);
            }
        }
        Change::Run(run) => apply_run(state, run),
        Change::Over(number) => drop(state.runs.remove(&number)),
        Change::Debt(debt) => state.debts.insert(debt.run, debt),
        Change::Settled(number) => drop(state.debts.remove(&number)),
        Change::Post(post) => {
            state.posts_made = state.posts_made.max(post.number);
            state.posts.insert(post.number, post);
        }
        Change::Posted(number) => drop(state.posts.remove(&number)),
        Change::Binding(binding) => {
            state.remove_binding(binding.number);
            state.insert_binding(binding);
        }
        Change::Unbound(number) => drop(state.remove_binding(number)),
        Change::Touch(number, at) => {
            if let Some(binding) = state.bindings.get_mut(&number) {
                binding.times.touched_at = binding.times.touched_at.max(at);
            }
        }
        Change::Seen(seen) => state.remember(*seen),
        Change::Unseen(seen) => drop(state.seen.remove(&seen)),
        // It stands in a second record where it was told of again.
        Change::Failure(failure) if state.failures.contains(&failure) => (),
        Change::Failure(failure) => state.failures.push_back(*failure),
        Change::GivenUp(given_up) => drop(state.given_up.insert(given_up.run, *given_up)),
        Change::Moved(moved) => {
            let (to, from) = *moved;
            state.moved.insert(to, from);
        }
        Change::TakenUp(number) => {
            state.given_up.remove(&number);
            let id = super::keys::run_id(number);
            state.failures.retain(|failure| failure.run != id);
        }
    }
}

fn apply_run(state: &mut State, run: Arc<Run>) {
    state.runs_made = state.runs_made.max(run.number);
    if let (Turn::Message(message), Some(origin)) = (&run.turn, &run.origin) {
        let at = &origin.address;
        if message.kind == Place::Direct {
            state.direct.insert(at.clone());
        }
        state.remember((
            at.channel.clone(),
            at.account.clone(),
            at.conversation.clone(),
            message.id.clone(),
        ));
    }
    // A message's session is not written with it: what it changes there follows from its run.
    if run.state == Progress::Starting
        && let Some(session) = state.sessions.get_mut(&run.key)
    {
        session.written_at = session.written_at.max(run.at);
        if let (Turn::Message(message), Some(origin)) = (&run.turn, &run.origin) {
            session.interacted_at = session.interacted_at.max(run.at);
            session.route = Some(origin.address.clone());
            session.kind = message.kind;
        }
    }
    state.runs.insert(run.number, run);
}
