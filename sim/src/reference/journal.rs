//! What is written down, and how it is read again: each record holds the things that one stimulus
//! changed, whole, so that reading them in order gives the last state of each.

use moorline_spec::address::Place;
use moorline_spec::id::{RunId, SessionKey, Text};
use moorline_spec::time::Time;
use serde::{Deserialize, Serialize};

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
    Seen(Seen),
    Unseen(Seen),
    Failure(RunId),
}

/// What a record says of one thing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Life(u64),
    Session(Box<Session>),
    /// A run started in it: from now on there is something to remember.
    Begun(SessionKey),
    Deleted(SessionKey),
    Line(SessionKey, Line),
    Run(Box<Run>),
    Over(u64),
    Debt(Box<Debt>),
    Settled(u64),
    Post(Box<Post>),
    Posted(u64),
    Binding(Box<Binding>),
    Unbound(u64),
    Touch(u64, Time),
    Seen(Seen),
    Unseen(Seen),
    Failure(Failure),
}

/// The record of nothing: what the one before it was to precede has happened.
pub(super) const NOTHING: Text = Text::new_static("[]");

/// Among so many of the last things one is looked for before it is noted once more. What is noted
/// again after a pass of the sweep changed thousands of others is written twice, and reads the same.
const LATELY: usize = 16;

/// What is to be written with the next record.
#[derive(Debug, Default)]
pub(super) struct Journal {
    dirty: Vec<Dirty>,
    /// Whether bindings are among it.
    of_bindings: bool,
    buffer: Vec<u8>,
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
    pub(super) fn take(&mut self, state: &State) -> Option<Text> {
        if self.dirty.is_empty() {
            return None;
        }
        self.of_bindings = false;
        let mut dirty = std::mem::take(&mut self.dirty);
        self.buffer.clear();
        self.buffer.push(b'[');
        for change in dirty.drain(..) {
            self.write(&change, state);
        }
        self.dirty = dirty;
        self.buffer.push(b']');
        std::str::from_utf8(&self.buffer).ok().map(Text::from)
    }

    fn write(&mut self, change: &Dirty, state: &State) {
        match change {
            Dirty::Life => self.put("life", &state.life),
            Dirty::Session(key) => match state.sessions.get(key) {
                Some(session) => self.put("session", session),
                None => self.put("deleted", key),
            },
            Dirty::Begun(key) => self.put("begun", key),
            Dirty::Line(key, index) => {
                let lines = state.transcripts.get(key);
                if let Some(line) = lines.and_then(|lines| lines.get(*index)) {
                    self.put("line", &(key, line));
                }
            }
            Dirty::Run(number) => match state.runs.get(number) {
                Some(run) => self.put("run", run),
                None => self.put("over", number),
            },
            Dirty::Debt(number) => match state.debts.get(number) {
                Some(debt) => self.put("debt", debt),
                None => self.put("settled", number),
            },
            Dirty::Post(number) => match state.posts.get(number) {
                Some(post) => self.put("post", post),
                None => self.put("posted", number),
            },
            Dirty::Binding(number) => match state.bindings.get(number) {
                Some(binding) => self.put("binding", binding),
                None => self.put("unbound", number),
            },
            Dirty::Touch(number) => {
                if let Some(binding) = state.bindings.get(number) {
                    self.put("touch", &(number, binding.times.touched_at));
                }
            }
            Dirty::Seen(seen) => self.put("seen", seen),
            Dirty::Unseen(seen) => self.put("unseen", seen),
            Dirty::Failure(run) => {
                let of_it = state.failures.iter().rev();
                if let Some(failure) = of_it.into_iter().find(|failure| failure.run == *run) {
                    self.put("failure", failure);
                }
            }
        }
    }

    fn put(&mut self, name: &str, value: &impl Serialize) {
        if self.buffer.len() > 1 {
            self.buffer.push(b',');
        }
        self.buffer.extend_from_slice(b"{\"");
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\":");
        record::write(&mut self.buffer, value);
        self.buffer.push(b'}');
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
                untold.push(failure.clone());
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
            let old = state.sessions.get(&session.key);
            if old.is_some_and(|old| old.incarnation != session.incarnation) {
                state.transcripts.remove(&session.key);
            }
            state.sessions.insert(session.key.clone(), *session);
        }
        Change::Begun(key) => {
            if let Some(session) = state.sessions.get_mut(&key) {
                session.fresh = false;
            }
        }
        Change::Deleted(key) => {
            state.sessions.remove(&key);
            state.transcripts.remove(&key);
        }
        Change::Line(key, line) => state.transcripts.entry(key).or_default().push_back(line),
        Change::Run(run) => apply_run(state, *run),
        Change::Over(number) => drop(state.runs.remove(&number)),
        Change::Debt(debt) => drop(state.debts.insert(debt.run, *debt)),
        Change::Settled(number) => drop(state.debts.remove(&number)),
        Change::Post(post) => {
            state.posts_made = state.posts_made.max(post.number);
            state.posts.insert(post.number, *post);
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
        Change::Seen(seen) => state.remember(seen),
        Change::Unseen(seen) => drop(state.seen.remove(&seen)),
        // It stands in a second record where it was told of again.
        Change::Failure(failure) if state.failures.contains(&failure) => (),
        Change::Failure(failure) => state.failures.push_back(failure),
    }
}

fn apply_run(state: &mut State, run: Run) {
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
