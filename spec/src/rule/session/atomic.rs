//! A session that begins anew does so in everything that belongs to its memory, and keeps the rest.

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::{Checker, Kind, Rule, Sink};
use super::kept::{Bound, Labels, is_done};
use super::reset::Turn;
use super::{forgot, may_reset, rule};
use crate::effect::{Effect, Memory, StartRun};
use crate::facts::{Facts, Role};
use crate::id::SessionKey;
use crate::stimulus::{Author, Inbound, Stimulus};
use crate::trace::{Entry, What, World};

pub(super) fn reset_atomic() -> Rule {
    rule(
        "session.reset-atomic",
        "A reset is whole: after it the agent remembers nothing, under a new id unless the profile \
         keeps ids, and the next message in the same window continues the new session. Label, route \
         and (for `/new` in the chat) the binding survive.",
        &["SI-004", "SI-005", "SI-010", "SI-012", "S-82", "S-84"],
        &[
            "reset_keeps_id",
            "reset_default",
            "reset_anchor",
            "agent_path_resets",
        ],
        &[Kind::Inbound, Kind::StartRun, Kind::Answer, Kind::Crashed],
        || Box::new(Atomic::default()),
    )
}

/// Remembers which sessions were told to forget, and what they have to keep.
#[derive(Default)]
struct Atomic {
    labels: Labels,
    bound: Bound,
    /// Sessions that were told to, for certain, and since which entry.
    told: FxHashMap<SessionKey, usize>,
    /// The life of the gateway in which each session, by its number, last had a run.
    lives: FxHashMap<usize, u32>,
    /// Sessions whose last run began anew.
    rotated: FxHashSet<SessionKey>,
    /// Sessions that began anew and have a label to show.
    labelled: FxHashSet<SessionKey>,
}

impl Checker for Atomic {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound)) => self.on_inbound(inbound, facts),
            What::Effect(Effect::Answer(answer)) => {
                let Some(call) = facts.call_here().map(|(_, call)| call) else {
                    return;
                };
                self.labels.on_answer(call, facts);
                if call.method == "sessions.reset" && is_done(call) {
                    let key = call.text("key").and_then(|key| facts.session_named(key));
                    // It may have begun anew before the call was answered.
                    let anew = |key: &&SessionKey| !facts.began_since(key.as_str(), call.made.0);
                    if let Some(key) = key.filter(anew) {
                        self.told.insert(key.clone(), facts.index());
                    }
                }
                let labelled = &self.labelled;
                for shown in self
                    .labels
                    .shown(&answer.call, call, |key| labelled.contains(key))
                {
                    match shown {
                        Ok(_) => sink.witness(),
                        Err((key, seen)) => {
                            sink.fail(
                                seen,
                                format!("session {key} keeps its label through a reset"),
                            );
                        }
                    }
                }
            }
            What::Effect(Effect::StartRun(start)) => self.on_start(start, facts, sink),
            // What was told and not written down is not known of.
            What::World(World::Crashed { .. }) => self.told.clear(),
            _ => (),
        }
    }
}

impl Atomic {
    fn on_inbound(&mut self, inbound: &Inbound, facts: &Facts) {
        let Some((_, message)) = facts
            .message_here()
            .and_then(|number| facts.messages.get_index(number))
        else {
            return;
        };
        let first = message.arrived.0 == facts.index();
        let certain = message.asks_fresh() && inbound.authorised && message.wants_answer;
        if !first || !certain || inbound.author != Author::Person {
            return;
        }
        if let Some((_, binding)) = facts.binding_at(&inbound.at) {
            self.bound.ask(&binding.key);
        }
        if let Some(key) = facts.session_at(&inbound.at) {
            self.told.insert(key.clone(), facts.index());
        }
    }

    fn on_start(&mut self, start: &StartRun, facts: &Facts, sink: &mut Sink) {
        match self.bound.shown(facts) {
            Some(Ok(())) => sink.witness(),
            Some(Err((seen, right))) => sink.fail(seen, right),
            None => (),
        }
        let keeps = facts.dials.reset_keeps_id;
        let key = &start.session_key;
        // What a crash took of a fresh start nobody can tell.
        let number = facts.run_here().map_or(usize::MAX, |run| run.session);
        let same_life = self.lives.insert(number, facts.lives) == Some(facts.lives);
        let session = facts.session_here();
        let before = session.and_then(|(_, session)| session.id_before.as_ref());
        let Some(turn) = facts.turn_here() else {
            self.told.remove(key);
            self.rotated.remove(key);
            return;
        };
        self.judge_told(&turn, start, sink);
        let fresh = start.memory == Memory::Fresh;
        let run = &start.run;
        if let Some(before) = before {
            let id = &start.session_id;
            match (turn.continues(), id == before) {
                (true, false) if same_life => sink.fail(
                    format!("run {run} continues session {key} under the id {id}, and its id was {before}"),
                    format!("session {key} has the id {before} as long as it remembers"),
                ),
                (false, true) if fresh && !keeps => sink.fail(
                    format!("run {run} starts fresh in session {key} under the id {id}, which it had before"),
                    format!("session {key} has a new id where it begins anew"),
                ),
                (false, false) if fresh => sink.witness(),
                _ => (),
            }
        }
        if self.rotated.remove(key) && !turn.told && !may_reset(&turn, facts) {
            match turn.continues() {
                true => sink.witness(),
                false => {
                    let right =
                        format!("run {run} continues the session, which has just begun anew");
                    sink.fail(forgot(&turn, start), right);
                }
            }
        }
        // What maintenance took has lost its label too.
        let taken = facts.is_maintained() || turn.before.archive_due.is_some();
        if fresh && !taken {
            self.rotated.insert(key.clone());
            self.labelled.insert(key.clone());
        }
    }

    /// Whoever was told to forget has forgotten by the next message that came after that.
    fn judge_told(&mut self, turn: &Turn<'_>, start: &StartRun, sink: &mut Sink) {
        let key = &start.session_key;
        let Some(&since) = self.told.get(key) else {
            return;
        };
        if start.memory == Memory::Fresh {
            self.told.remove(key);
            return sink.witness();
        }
        let later = match &turn.run.role {
            Role::Chat(_) => turn
                .message
                .is_some_and(|message| message.arrived.0 > since),
            _ => false,
        };
        if later && start.resumes.is_none() {
            self.told.remove(key);
            let right = format!(
                "run {} starts fresh: the session was told to forget",
                start.run
            );
            sink.fail(forgot(turn, start), right);
        }
    }
}
