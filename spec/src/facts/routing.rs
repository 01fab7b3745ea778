//! What messages, reports and deliveries show of bindings.

use super::bound::Those;
use super::{BindingFacts, BindingId, CallFacts, Chatter, Facts, Touch};
use crate::address::{Address, Place};
use crate::effect::UnboundBecause;
use crate::id::{Marker, RunId, SessionKey};
use crate::profile::LapseCheck;
use crate::stimulus::{Author, Inbound};
use crate::time::Time;

/// What a message or a report shows of a binding. It is about the entry that facts are up to date
/// with.
#[derive(Clone, Debug)]
pub enum BindingNews {
    /// A person's message from the address is given to a session.
    Routed {
        /// The binding as it was before.
        binding: Box<BindingFacts>,
        /// The message.
        message: Marker,
        /// When it arrived.
        arrived: Time,
        /// The session that is given it.
        key: SessionKey,
        /// How the binding stood.
        standing: Standing,
    },
    /// The gateway says that it is over.
    SaidOver {
        /// The binding as it was before.
        binding: Box<BindingFacts>,
        /// The reason it gives.
        reason: UnboundBecause,
    },
}

/// How a binding stands towards a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is certainly alive.
    Holds,
    /// It has certainly lapsed.
    Lapsed,
    /// Nobody outside can tell.
    Open,
}

impl Facts {
    /// Whether a limit that was reached at `due` has certainly taken effect at a time: at once, or
    /// with the next pass of the sweep, which waits for probes.
    pub fn takes_effect(&self, due: Time, at: Time) -> bool {
        match self.dials.lapse_checked_at {
            LapseCheck::Lookup => due <= at,
            LapseCheck::Sweep => {
                let pass = due.max(self.life_began) + self.dials.sweep_every;
                pass < at && self.probes.is_empty()
            }
        }
    }

    /// Whether a message is for the gateway's agents beyond doubt: no command, mentioned where that
    /// may be asked for, of somebody who is heard, and seen for the first time.
    pub fn is_for_agents(&self, inbound: &Inbound, marker: &Marker) -> bool {
        let Some(message) = self.messages.get(marker) else {
            return false;
        };
        let heard = inbound.mentioned
            || inbound.kind == Place::Direct
            || !self.config.requires_mention(&inbound.at);
        let plain = message.wants_answer && !message.is_command() && inbound.authorised;
        // The same id under another account is another message there.
        let first = message.arrived.0 == self.index();
        heard && plain && first
    }

    /// How a binding stands towards a message that arrived then.
    pub fn standing(&self, binding: &BindingFacts, arrived: Time) -> Standing {
        let by_limit = |reason: &Option<UnboundBecause>| {
            matches!(
                reason,
                None | Some(UnboundBecause::Idle | UnboundBecause::MaxAge)
            )
        };
        // By limits of later nobody knew at the time whether it held.
        let later = arrived <= binding.limited_at;
        if binding.unsure || binding.cause.is_some() || later {
            return Standing::Open;
        }
        let due = binding.latest_lapse();
        if let Some((since, reason)) = &binding.ended {
            // What the gateway says of the end changes nothing where the limit itself is certain.
            let lapsed = due.is_some_and(|due| {
                due <= arrived && (*since < arrived || self.takes_effect(due, arrived))
            });
            return if lapsed && by_limit(reason) {
                Standing::Lapsed
            } else {
                Standing::Open
            };
        }
        if due.is_some_and(|due| self.takes_effect(due, arrived)) {
            Standing::Lapsed
        } else if binding.would_end_early(self.now) && binding.made.1 <= arrived {
            Standing::Holds
        } else {
            Standing::Open
        }
    }

    /// Whether a session was bound until its binding lapsed, and is bound no more.
    pub fn has_lapsed(&self, key: &SessionKey) -> Option<&BindingFacts> {
        let &id = self.numbers_of(Those::Of(key)).last()?;
        let binding = &self.bindings[id];
        let due = binding.latest_lapse()?;
        let lapsed = match &binding.ended {
            Some((_, None | Some(UnboundBecause::Idle | UnboundBecause::MaxAge))) => {
                due <= self.now
            }
            Some(_) => false,
            None => self.takes_effect(due, self.now),
        };
        (lapsed && !binding.unsure && binding.cause.is_none()).then_some(binding)
    }

    pub(super) fn note_said_unbound(
        &mut self,
        at: &Address,
        key: &SessionKey,
        reason: UnboundBecause,
    ) {
        let now = self.now;
        // What another has taken the place of is over already, be it for the same session.
        let in_its_place = |binding: &BindingFacts| {
            let new = binding.around.focused && binding.made.1 == now;
            reason == UnboundBecause::Replaced && new
        };
        let last = self.last_binding_at(at).filter(|(_, binding)| {
            binding.ended.is_none() && binding.key == *key && !in_its_place(binding)
        });
        let Some((id, _)) = last else {
            return;
        };
        let rebinds = |call: &CallFacts| {
            let there = call.origins.contains(at) || call.thread.as_ref() == Some(at);
            call.method == "sessions_spawn" && call.answer.is_none() && there
        };
        if reason == UnboundBecause::Replaced && self.calls.values().any(rebinds) {
            self.give_cause(Those::At(at), reason);
        }
        let binding = Box::new(self.bindings[id].clone());
        self.bindings[id].ended = Some((now, Some(reason)));
        self.bindings[id].around.said_over = Some(now);
        self.note_twins(at);
        self.binding_news
            .push(BindingNews::SaidOver { binding, reason });
    }

    /// People's messages are given to a run: at once, or when it is steered.
    pub(super) fn on_routed(&mut self, messages: &[Marker], key: &SessionKey) {
        if self.bindings.is_empty() {
            return;
        }
        for marker in messages {
            let Some(message) = self.messages.get(marker) else {
                continue;
            };
            let command = message.is_command() && !message.asks_fresh();
            if message.author != Author::Person || command {
                continue;
            }
            let arrived = message.arrived.1;
            let Some((id, binding)) = self.last_binding_at(&message.at) else {
                continue;
            };
            let standing = self.standing(binding, arrived);
            self.binding_news.push(BindingNews::Routed {
                binding: Box::new(binding.clone()),
                message: marker.clone(),
                arrived,
                key: key.clone(),
                standing,
            });
            self.follow_route(id, key, arrived, standing);
        }
    }

    /// A message shows that a binding lives, or that it is over.
    fn follow_route(&mut self, id: BindingId, key: &SessionKey, arrived: Time, standing: Standing) {
        let (now, probing) = (self.now, !self.probes.is_empty());
        // What arrived in an earlier life touched it then, and a crash may have taken that.
        let certain = self.life_began <= arrived;
        let binding = &mut self.bindings[id];
        // What was known of it before the message.
        let due = binding.earliest_lapse();
        if binding.ended.is_some() || binding.made.1 > arrived && binding.key != *key {
            return;
        }
        if binding.key != *key {
            // A misroute ends nothing; otherwise this is how its end shows.
            if standing != Standing::Holds {
                let reason = binding.cause.map(|(_, reason)| reason);
                binding.ended = Some((now, reason));
            }
            return;
        }
        if standing != Standing::Lapsed {
            if binding.touched.1 < arrived {
                binding.note_touch(arrived, Touch::Message);
            }
            binding.touch(arrived, now, certain);
        }
        binding.stale_due = due.filter(|_| probing);
        if matches!(
            binding.cause,
            Some((since, UnboundBecause::ThreadArchived)) if since < arrived
        ) {
            binding.cause = None;
        }
    }

    /// An output was delivered at some instant from `from` to `to`; `certain` if the channel said
    /// so. Only output of the bound session itself touches a binding.
    pub(super) fn on_output_delivered(
        &mut self,
        at: &Address,
        speaker: Option<&RunId>,
        (from, to): (Time, Time),
        certain: bool,
    ) {
        let Some((id, binding)) = self.binding_at(at) else {
            return;
        };
        // Others may repeat what it said.
        let run = speaker.and_then(|run| self.runs.get(run));
        let own = run.is_some_and(|run| run.key == binding.key);
        let alive = binding.earliest_lapse().is_none_or(|due| to < due);
        let now = self.now;
        let binding = &mut self.bindings[id];
        if own {
            binding.note_touch(now, Touch::Output);
            binding.touch(from, to, certain && alive);
        } else {
            binding.note_chatter(now, Chatter::Notice);
        }
    }
}
