//! Sessions without a thread: they are nowhere to be seen, and can be talked to all the same.

use std::collections::BTreeMap;

use super::super::{Checker, Sink};
use super::asked::{Asked, child_key, words};
use crate::effect::{Answer, Deliver, Effect, Report, StartRun};
use crate::facts::{BornAs, CallFacts, Facts, Role, RunState};
use crate::id::{CallId, Marker, RunId, SessionKey};
use crate::stimulus::{Outcome, RunEnded, Steering, Stimulus};
use crate::time::Time;
use crate::trace::{Entry, Rest, What, World};

/// The headless sessions that were accepted, and the spawns they come from.
#[derive(Default)]
struct Headless(BTreeMap<SessionKey, CallId>);

impl Headless {
    /// Takes in an answer; the key if it makes a headless session known.
    fn on_answer(&mut self, answer: &Answer, facts: &Facts) -> Option<SessionKey> {
        let asked = Asked::of(&answer.call, facts)?;
        if !(asked.is_headless() && asked.call.is_accepted()) {
            return None;
        }
        let key = child_key(asked.call, facts)?;
        self.0.insert(key.clone(), answer.call.clone());
        Some(key)
    }
}

/// Looks for threads and bindings.
#[derive(Default)]
pub(super) struct IsHeadless {
    headless: Headless,
    threads: Vec<SessionKey>,
    /// Somebody tied conversations to sessions by command, and may have chosen such a one.
    focused: bool,
}

impl Checker for IsHeadless {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let mut shows = |key: &SessionKey, how: &dyn Fn() -> String| {
            if let Some(call) = self.headless.0.get(key).filter(|_| !self.focused) {
                sink.fail(
                    how(),
                    format!("session {key} of spawn {call} is tied to no conversation: it was asked for without a thread"),
                );
            }
        };
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound)) => {
                self.focused |= inbound.text.starts_with("/focus");
            }
            What::Effect(Effect::OpenThread(open)) => {
                let key = &open.session_key;
                let parent = &open.parent;
                let how =
                    || format!("a thread in {parent} is asked for, for headless session {key}");
                shows(key, &how);
                self.threads.push(key.clone());
            }
            What::Effect(Effect::Report(Report::Bound {
                address,
                session_key,
            })) => {
                let how = || format!("{address} is bound to headless session {session_key}");
                shows(session_key, &how);
            }
            What::Effect(Effect::StartRun(start)) => {
                if let Some((marker, message)) = facts.chat_here() {
                    let (at, key) = (&message.at, &start.session_key);
                    let how = || {
                        let name = marker.in_text();
                        format!("message {name} of {at} is given to headless session {key}")
                    };
                    shows(key, &how);
                }
            }
            What::Effect(Effect::Answer(answer)) => {
                let Some(key) = self.headless.on_answer(answer, facts) else {
                    return;
                };
                if self.threads.contains(&key) {
                    sink.fail(
                        format!("spawn {} asks for no thread, and one was asked for, for its session {key}", answer.call),
                        "no thread is opened for a session that was asked for without one",
                    );
                } else {
                    sink.witness();
                }
            }
            _ => (),
        }
    }
}

/// Looks at what is sent to a headless session by whoever spawned it.
#[derive(Default)]
pub(super) struct Remembers {
    headless: Headless,
}

impl Checker for Remembers {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::Answer(answer)) => {
                self.headless.on_answer(answer, facts);
                self.on_send_answered(&answer.call, facts, sink);
            }
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            _ => (),
        }
    }
}

impl Remembers {
    /// The headless session that a send is meant for, where its sender spawned it.
    fn target(&self, send: &CallFacts, facts: &Facts) -> Option<(&SessionKey, &CallId)> {
        let (key, label) = (send.text("sessionKey"), send.text("label"));
        if send.method != "sessions_send" || key.is_some() == label.is_some() {
            return None;
        }
        let labelled = |wanted: &str| {
            let spawns = facts.calls.values().filter(|call| {
                call.method == "sessions_spawn" && call.text("label") == Some(wanted)
            });
            spawns.count()
        };
        if label.is_some_and(|label| labelled(label) != 1) {
            return None;
        }
        self.headless.0.iter().find(|(child, spawn)| {
            let Some(spawn) = facts.calls.get(*spawn) else {
                return false;
            };
            let named =
                key == Some(child.as_str()) || label.is_some() && spawn.text("label") == label;
            named && spawn.session == send.session && spawn.session.is_some()
        })
    }

    fn on_send_answered(&self, id: &CallId, facts: &Facts, sink: &mut Sink) {
        let send = &facts.calls.get(id);
        let Some((send, (key, spawn))) =
            send.and_then(|send| Some((send, self.target(send, facts)?)))
        else {
            return;
        };
        let gone = facts
            .sessions
            .get(key)
            .is_some_and(|session| session.deleted || session.told_to_forget);
        let spawn_facts = facts.calls.get(spawn);
        let other_agent = spawn_facts.is_some_and(|spawn| spawn.text("agentId").is_some());
        let from = send.session.as_ref();
        let reached = from.is_none_or(|from| facts.may_reach(from, key));
        let refused = match send.status() {
            Some("error") => true,
            // Where its visibility ends there, that is not the session's doing.
            Some("forbidden") => !other_agent && reached,
            _ => false,
        };
        let read = facts
            .steers
            .values()
            .any(|steer| send.own.iter().any(|own| steer.markers.contains(own)));
        if refused && !gone && !read && send.run.is_none() {
            sink.fail(
                format!(
                    "send {id} to headless session {key} is refused: {}",
                    words(send)
                ),
                format!("session {key} of spawn {spawn} can be sent to by key and by label"),
            );
        }
    }

    fn on_start(&self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        let Some(Role::Sent(id)) = facts.run_here().map(|run| &run.role) else {
            return;
        };
        let Some((key, _)) = facts
            .calls
            .get(id)
            .and_then(|send| self.target(send, facts))
        else {
            return;
        };
        let run = &start.run;
        if start.session_key != *key {
            sink.fail(
                format!(
                    "send {id} to headless session {key} is given to run {run} in session {}",
                    start.session_key
                ),
                format!("it is given to a run in session {key}"),
            );
            return;
        }
        let Some(turn) = facts.turn_here().filter(|turn| !turn.told) else {
            return;
        };
        if turn.continues() {
            sink.witness();
        } else if !(facts.dials.agent_path_resets && turn.due.is_possible()) {
            sink.fail(
                format!("run {run} for send {id} remembers nothing of headless session {key}"),
                format!("run {run} continues session {key}"),
            );
        }
    }
}

/// Follows the words of each run of a headless session to whoever asked for them.
#[derive(Default)]
pub(super) struct Output {
    headless: Headless,
    replies: BTreeMap<RunId, Reply>,
    crashes: u32,
    rested: bool,
}

struct Reply {
    send: CallId,
    words: Vec<Marker>,
    since: (usize, Time),
    heard: bool,
    crashes: u32,
}

impl Checker for Output {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::Answer(answer)) => {
                self.headless.on_answer(answer, facts);
                for reply in self
                    .replies
                    .values_mut()
                    .filter(|reply| reply.send == answer.call)
                {
                    reply.heard |= reply.words.iter().any(|word| entry.markers.contains(word));
                }
            }
            What::Effect(Effect::StartRun(start)) => {
                self.on_heard(&start.session_key, &entry.markers, facts);
            }
            What::Stimulus(Stimulus::Steered(steered)) if steered.outcome == Steering::Taken => {
                if let Some(steer) = facts.steers.get(&steered.steer)
                    && let Some(run) = facts.runs.get(&steer.run)
                {
                    self.on_heard(&run.key, &steer.markers, facts);
                }
            }
            What::Stimulus(Stimulus::RunEnded(ended)) => self.on_ended(ended, entry, facts),
            What::Effect(Effect::Deliver(deliver)) => self.on_deliver(deliver, entry, facts, sink),
            What::World(World::Crashed { .. }) => self.crashes += 1,
            What::World(World::Rest(rest)) => self.rested = *rest != Rest::OutOfWakes,
            _ => (),
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.replies.retain(|run, _| facts.runs.contains_key(run));
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        if !self.rested {
            return;
        }
        for (key, call) in &self.headless.0 {
            let run = facts.calls.get(call).and_then(|call| call.run.as_ref());
            let Some((run, completion)) =
                run.and_then(|run| Some((run, facts.completions.get(run)?)))
            else {
                continue;
            };
            match completion.settled {
                Some(_) => sink.witness(),
                None => sink.fail_since(
                    completion.ended,
                    format!("nobody was told how run {run} of headless session {key} ended"),
                    "the output of its first run is its completion, and reaches whoever asked",
                ),
            }
        }
        for (run, reply) in &self.replies {
            let Some(send) = facts.calls.get(&reply.send) else {
                continue;
            };
            let excused = reply.crashes != self.crashes
                || send.status() == Some("accepted")
                || send
                    .session
                    .as_ref()
                    .is_none_or(|key| forgot(key, send.made.1, facts));
            if reply.heard {
                sink.witness();
            } else if !excused {
                sink.fail_since(
                    reply.since,
                    format!(
                        "the words of run {run} never came back to whoever sent {}",
                        reply.send
                    ),
                    format!(
                        "they are the answer to send {}, or reach its sender as an event",
                        reply.send
                    ),
                );
            }
        }
    }
}

/// Whether whoever sent something forgot it since.
fn forgot(key: &SessionKey, sent: Time, facts: &Facts) -> bool {
    facts.sessions.get(key).is_none_or(|session| {
        session.deleted || session.told_to_forget || session.started_at > Some(sent)
    })
}

impl Output {
    fn on_ended(&mut self, ended: &RunEnded, entry: &Entry, facts: &Facts) {
        let Some(run) = facts.run_here() else {
            return;
        };
        let done = run.state == RunState::Ended(Outcome::Ok) && ended.outcome == Outcome::Ok;
        let Role::Sent(send) = &run.role else {
            return;
        };
        if !done || entry.own.is_empty() || !self.headless.0.contains_key(&run.key) {
            return;
        }
        let reply = Reply {
            send: send.clone(),
            words: entry.own.clone(),
            since: (facts.index(), entry.at),
            heard: false,
            crashes: self.crashes,
        };
        self.replies.entry(ended.run.clone()).or_insert(reply);
    }

    /// A session was given some texts.
    fn on_heard(&mut self, key: &SessionKey, markers: &[Marker], facts: &Facts) {
        for reply in self.replies.values_mut().filter(|reply| !reply.heard) {
            let sender = facts
                .calls
                .get(&reply.send)
                .and_then(|send| send.session.as_ref());
            reply.heard =
                sender == Some(key) && reply.words.iter().any(|word| markers.contains(word));
        }
    }

    fn on_deliver(&mut self, deliver: &Deliver, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        // A notice of failure quotes what was sent.
        for reply in self.replies.values_mut().filter(|reply| !reply.heard) {
            let Some(send) = facts.calls.get(&reply.send) else {
                continue;
            };
            reply.heard = send.origins.contains(&deliver.to)
                && send.own.iter().any(|own| entry.markers.contains(own));
        }
        let Some((_, born)) = facts.carrier_here() else {
            return;
        };
        let BornAs::LastWords(id) = &born.what else {
            return;
        };
        let Some(run) = facts
            .runs
            .get(id)
            .filter(|run| self.headless.0.contains_key(&run.key))
        else {
            return;
        };
        let to = &deliver.to;
        if matches!(run.role, Role::Sent(_) | Role::Child(_)) && !facts.may_stand(born, to) {
            sink.fail(
                format!(
                    "delivery {} takes the words of run {id} of headless session {} to {to}",
                    deliver.delivery, run.key
                ),
                "they reach the conversation that asked, and no other",
            );
        }
    }
}
