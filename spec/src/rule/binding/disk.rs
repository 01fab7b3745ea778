//! What bindings cost on the disk. Records are opaque; what can be counted is how many there are.

use super::{rule, said_over};
use crate::effect::{Effect, UnboundBecause};
use crate::facts::Facts;
use crate::rule::{Checker, Kind, Rule, Sink};
use crate::stimulus::{Author, Stimulus};
use crate::time::{Span, Time};
use crate::trace::{Entry, What};

/// Touches may cost one write in so long a time.
const WINDOW: Span = Span::secs(15);

pub(super) fn rules() -> Vec<Rule> {
    vec![Rule {
        text: "Beside what a message costs anyway, touches cost at most one durable write in 15 \
               seconds; a pass of the sweep that ends several bindings costs one. It can be judged \
               where the harness holds the disk.",
        sources: &["R3.7", "B-75", "B-83", "BL-004", "E-8"],
        sees: &[
            Kind::Open,
            Kind::Inbound,
            Kind::Receipt,
            Kind::RunStarted,
            Kind::RunEnded,
            Kind::Call,
            Kind::ThreadProbed,
            Kind::Wake,
            Kind::Stop,
            Kind::Persist,
            Kind::StartRun,
            Kind::Report,
        ],
        ..rule("binding.writes-bounded", || Box::<WritesBounded>::default())
    }]
}

/// MUST: few writes.
#[derive(Default)]
struct WritesBounded {
    /// What the gateway replies to, and what it did so far.
    reply: Reply,
    /// The most records with which a message to a conversation that is not bound was replied to.
    usual: Option<u32>,
    /// When a message to a bound one cost more than that.
    more: Option<Time>,
    /// When one was routed that did not.
    routed: Option<Time>,
}

#[derive(Default)]
struct Reply {
    to: To,
    at: Time,
    writes: u32,
    starts: u32,
    ended: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum To {
    /// A person's message; whether its conversation is bound.
    Message { bound: bool },
    /// The time that it asked for.
    Wake,
    #[default]
    Else,
}

impl Checker for WritesBounded {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        match &entry.what {
            What::Effect(Effect::Persist(_)) => self.reply.writes += 1,
            What::Effect(Effect::StartRun(_)) => self.reply.starts += 1,
            What::Effect(Effect::Report(_)) => {
                let lapses = said_over(facts).filter(|(_, reason)| {
                    matches!(reason, UnboundBecause::Idle | UnboundBecause::MaxAge)
                });
                self.reply.ended += u32::try_from(lapses.count()).unwrap_or(u32::MAX);
            }
            What::Stimulus(stimulus) => {
                self.judge(sink);
                let to = match stimulus {
                    Stimulus::Wake {} => To::Wake,
                    Stimulus::Inbound(inbound) if inbound.author == Author::Person => To::Message {
                        bound: facts.binding_at(&inbound.at).is_some(),
                    },
                    _ => To::Else,
                };
                self.reply = Reply {
                    to,
                    at: entry.at,
                    ..Reply::default()
                };
            }
            _ => (),
        }
    }

    fn finish(&mut self, _: &Facts, sink: &mut Sink) {
        self.judge(sink);
    }
}

impl WritesBounded {
    /// Judges the reply that is over.
    fn judge(&mut self, sink: &mut Sink) {
        let Reply {
            to,
            at,
            writes,
            starts,
            ended,
        } = self.reply;
        match to {
            To::Message { bound: false } if starts == 1 && 0 < writes => {
                self.usual = self.usual.max(Some(writes));
            }
            To::Message { bound: true } if starts == 1 && 0 < writes => {
                let Some(usual) = self.usual else { return };
                let more = usual < writes;
                let lately = |then: Option<Time>| then.is_some_and(|then| at < then + WINDOW);
                if more && lately(self.more) {
                    sink.fail(
                        format!(
                            "the message of {at} to a bound conversation costs {writes} writes, as \
                             one did within {WINDOW} before it; where nothing is bound it costs \
                             {usual}"
                        ),
                        "what is touched is written down once in that time",
                    );
                } else if lately(self.routed) {
                    sink.witness();
                }
                self.routed = Some(at);
                if more {
                    self.more = Some(at);
                }
            }
            To::Wake if 2 <= ended && 0 < writes => {
                if ended <= writes {
                    sink.fail(
                        format!(
                            "the pass of {at} ends {ended} bindings, and writes {writes} times"
                        ),
                        "a pass writes once",
                    );
                } else if writes == 1 {
                    sink.witness();
                }
            }
            To::Message { .. } | To::Wake | To::Else => (),
        }
    }
}
