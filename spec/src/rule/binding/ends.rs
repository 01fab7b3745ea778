//! How a binding ends, and what comes in its place.

use std::collections::BTreeMap;

use super::{by_limits, routed, rule, said_over, says};
use crate::address::Address;
use crate::effect::{Effect, UnboundBecause};
use crate::facts::{BindingFacts, Facts, Standing};
use crate::id::RequestId;
use crate::profile::ArchivedThread;
use crate::rule::waiting::Waiting;
use crate::rule::{Checker, Kind, Rule, Sink};
use crate::stimulus::{Stimulus, ThreadState};
use crate::time::Time;
use crate::trace::{Entry, What, World};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            text: "At most one binding of a conversation or thread is alive; binding it again \
                   replaces the one that was there.",
            sources: &["I-18", "B-38", "B-40"],
            ..rule("binding.one-owner", || Box::new(OneOwner))
        },
        Rule {
            text: "Of two deadlines the earlier one is the reason for the end of a binding; at a \
                   tie it is the idle timeout.",
            sources: &["B-64", "E-1", "E-2", "W-4"],
            sees: &[Kind::Report],
            ..rule("binding.earlier-wins", || Box::new(EarlierWins))
        },
        Rule {
            text: "A thread that is deleted or locked ends its binding as soon as the gateway hears \
                   of it; one that is archived does, or does not, as the profile says.",
            sources: &["R3.5", "B-80", "BL-018", "BL-019", "channels.json"],
            dials: &["archived_thread"],
            sees: &[
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Report,
                Kind::ThreadChanged,
                Kind::ThreadProbed,
                Kind::Crashed,
            ],
            ..rule("binding.platform-end", || Box::<PlatformEnd>::default())
        },
        Rule {
            text: "Passes of the sweep do not overlap, and one entry that fails stops no other.",
            sources: &["BL-029", "B-82", "B-84", "I-16"],
            dials: &["probe", "sweep_every"],
            sees: &[
                Kind::Open,
                Kind::ProbeThread,
                Kind::ThreadProbed,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Report,
            ],
            ..rule("binding.sweep-alone", || Box::<SweepAlone>::default())
        },
        Rule {
            text: "A binding whose session is gone, or was reset, is repaired or removed at the next message or \
                   sweep, and the message is not lost.",
            sources: &["I-17", "BL-009", "BL-011", "BL-022", "B-141", "W-44"],
            sees: &[
                Kind::Inbound,
                Kind::StartRun,
                Kind::SteerRun,
                Kind::Posted,
                Kind::Crashed,
            ],
            ..rule("binding.live-target", || Box::<LiveTarget>::default())
        },
    ]
}

/// MUST: binding again replaces.
struct OneOwner;

impl Checker for OneOwner {
    fn see(&mut self, _: &Entry, facts: &Facts, sink: &mut Sink) {
        for routed in routed(facts).filter(|routed| routed.standing == Standing::Holds) {
            let Some(old) = &routed.binding.around.replaced else {
                continue;
            };
            if old == &routed.binding.key {
                continue;
            }
            if routed.to_bound() {
                sink.witness();
            } else if routed.key == old {
                let (at, key) = (&routed.binding.address, &routed.binding.key);
                let note = ", which was bound there before";
                let right = format!("{at} was bound to {key} since, which has it alone");
                sink.fail(routed.seen(note), right);
            }
        }
    }
}

/// MUST: the earlier deadline is the reason.
struct EarlierWins;

impl Checker for EarlierWins {
    fn see(&mut self, _: &Entry, facts: &Facts, sink: &mut Sink) {
        for (binding, reason) in said_over(facts).filter(|(binding, _)| by_limits(binding)) {
            let (Some(idle), Some(age)) = (binding.idle_due(), binding.age_due()) else {
                continue;
            };
            let tie = idle.0 == idle.1 && idle == age;
            let right = if tie || idle.1 < age.0 {
                UnboundBecause::Idle
            } else if age.1 < idle.0 {
                UnboundBecause::MaxAge
            } else {
                continue;
            };
            if reason == right {
                sink.witness();
            } else if matches!(reason, UnboundBecause::Idle | UnboundBecause::MaxAge) {
                let (idle, age) = (idle.0, age.0);
                let note = format!(", with its idle timeout at {idle} and its max age at {age}");
                let right = format!("the reason is {}", right.as_str());
                sink.fail(says(binding, reason, &note), right);
            }
        }
    }
}

/// MUST: what the gateway hears of a thread ends its binding.
#[derive(Default)]
struct PlatformEnd {
    /// Where the gateway heard of an end and did not say so yet; the entry, and when.
    unsaid: BTreeMap<Address, (usize, Time)>,
}

impl PlatformEnd {
    fn ends(binding: &BindingFacts, facts: &Facts) -> Option<(Time, ThreadState, bool)> {
        let (at, state) = binding.around.thread_told?;
        let ends =
            state != ThreadState::Archived || facts.dials.archived_thread == ArchivedThread::Ends;
        Some((at, state, ends))
    }

    /// The gateway says what is bound: then it also says what is bound no more.
    fn told(&mut self, at: &Address, facts: &Facts) {
        let Some((_, binding)) = facts.binding_at(at) else {
            return;
        };
        // What an earlier life heard and took in, it may have died before it said.
        let began = facts.life_began;
        let heard = Self::ends(binding, facts).is_some_and(|(told, _, ends)| ends && began <= told);
        if heard && facts.said_bound.get(at) == Some(&binding.key) {
            let since = (facts.index(), facts.now());
            self.unsaid.entry(at.clone()).or_insert(since);
        }
    }
}

impl Checker for PlatformEnd {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if let What::Stimulus(Stimulus::ThreadChanged(changed)) = &entry.what {
            self.told(&changed.at, facts);
        }
        if let What::World(World::Crashed { .. }) = &entry.what {
            // What it was told as it died it may not have taken in.
            let now = facts.now();
            self.unsaid.retain(|_, since| since.1 < now);
        }
        for routed in routed(facts) {
            let Some((told, state, ends)) = Self::ends(routed.binding, facts) else {
                continue;
            };
            let (at, key) = (&routed.binding.address, &routed.binding.key);
            match (ends, routed.to_bound()) {
                _ if routed.arrived <= told => (),
                (true, true) => {
                    let note = format!(", though the gateway heard at {told} that it is {state:?}");
                    sink.fail(
                        routed.seen(&note),
                        format!("that ended the binding of {at}"),
                    );
                }
                (false, false) if routed.standing == Standing::Holds => {
                    let note = format!(", as if the thread that is {state:?} were bound no more");
                    sink.fail(routed.seen(&note), format!("{at} stays bound to {key}"));
                }
                (true, false) | (false, true) => sink.witness(),
                (false, false) => (),
            }
        }
        for (binding, reason) in said_over(facts) {
            let by_thread = matches!(
                reason,
                UnboundBecause::ThreadGone
                    | UnboundBecause::ThreadLocked
                    | UnboundBecause::ThreadArchived
            );
            self.unsaid.remove(&binding.address);
            match Self::ends(binding, facts) {
                Some((_, _, true)) => sink.witness(),
                Some((_, state, false)) if by_thread => {
                    let note = format!(", for it is {state:?}");
                    let right = "a thread that is archived stays bound under this profile";
                    sink.fail(says(binding, reason, &note), right);
                }
                Some((_, _, false)) | None => (),
            }
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for (at, since) in &self.unsaid {
            if let Some(key) = facts.said_bound.get(at) {
                sink.fail_since(
                    *since,
                    format!("the gateway hears that the thread {at} is no more, and {key} stays bound to it"),
                    "the binding is over with that",
                );
            }
        }
    }
}

/// MUST: one pass at a time, and no entry stops another.
#[derive(Default)]
struct SweepAlone {
    /// Probes that wait: the thread, and since when.
    waiting: BTreeMap<RequestId, (Address, Time)>,
    /// When a probe last brought nothing.
    failed: Option<Time>,
}

impl Checker for SweepAlone {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Open(_)) => {
                self.waiting.clear();
                self.failed = None;
            }
            What::Effect(Effect::ProbeThread(probe)) => {
                let at = &probe.address;
                // What was asked of a binding that another took the place of is another matter.
                let binding = facts.binding_at(at).map(|(_, binding)| binding.made.1);
                let same = |(waits, since): &&(Address, Time)| {
                    waits == at && binding.is_none_or(|made| made <= *since)
                };
                if let Some((_, since)) = self.waiting.values().find(same) {
                    sink.fail(
                        format!("{at} is probed again, and the probe of {since} is not answered"),
                        "a pass waits for its probes, and the next one waits for it",
                    );
                }
                let waits = (at.clone(), entry.at);
                self.waiting.insert(probe.request.clone(), waits);
            }
            What::Stimulus(Stimulus::ThreadProbed(probed)) => {
                let waited = self.waiting.remove(&probed.request);
                let long = facts.dials.sweep_every;
                // A tick fell into the time that it waited.
                if waited.is_some_and(|(_, since)| since + long <= entry.at) {
                    sink.witness();
                }
                if probed.state == ThreadState::Unknown {
                    self.failed = Some(entry.at);
                }
            }
            _ => self.follow(facts, sink),
        }
    }
}

impl SweepAlone {
    /// What was due when a probe failed ends all the same.
    fn follow(&self, facts: &Facts, sink: &mut Sink) {
        let Some(failed) = self.failed else {
            return;
        };
        for routed in routed(facts).filter(|routed| routed.standing == Standing::Lapsed) {
            let due = routed.binding.latest_lapse().unwrap_or_default();
            if failed < due || routed.arrived < failed {
                continue;
            }
            if routed.to_bound() {
                let note = format!(", as if the probe that failed at {failed} had ended the pass");
                let at = &routed.binding.address;
                let right =
                    format!("the binding of {at} lapsed at {due}, whatever became of others");
                sink.fail(routed.seen(&note), right);
            } else {
                sink.witness();
            }
        }
        for (binding, reason) in said_over(facts) {
            let due = binding.latest_lapse();
            let by_limit = matches!(reason, UnboundBecause::Idle | UnboundBecause::MaxAge);
            if by_limit && due.is_some_and(|due| due <= failed) {
                sink.witness();
            }
        }
    }
}

/// MUST: a message to a session that is gone is not lost.
#[derive(Default)]
struct LiveTarget {
    waiting: Waiting,
}

impl Checker for LiveTarget {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Stimulus(Stimulus::Inbound(inbound)) => {
                let Some(marker) = entry.own.first() else {
                    return;
                };
                if facts.is_for_agents(inbound, marker)
                    && facts.bound_to_the_gone(&inbound.at).is_some()
                {
                    self.waiting.insert(marker, facts);
                }
            }
            What::World(World::Crashed { .. }) => self.waiting.clear(),
            _ => {
                for marker in &entry.markers {
                    if self.waiting.give(marker) {
                        sink.witness();
                    }
                }
            }
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        self.waiting.fail("written", facts, sink, |_| {
            "the session bound there is gone, so the binding is repaired or removed, and the \
             message goes on"
                .to_owned()
        });
    }
}

#[cfg(test)]
mod tests;
