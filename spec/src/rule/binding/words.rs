//! The gateway's own words in a bound conversation: what is said when it begins and when it ends.
//! They are recognised by where and when they stand, and read for lengths of time only.

use super::{rule, said_over};
use crate::address::Address;
use crate::effect::{Deliver, Effect, UnboundBecause};
use crate::facts::{BindingFacts, DeliveryState, Facts};
use crate::id::{DeliveryId, Text};
use crate::rule::{Checker, Kind, Rule, Sink};
use crate::stimulus::ThreadState;
use crate::time::{Span, Time};
use crate::trace::{Entry, What};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule {
            text: "The words by which a bound thread is introduced name the limits that are on, and \
                   only those.",
            sources: &["R3.9", "B-49", "B-52"],
            sees: &[Kind::Deliver, Kind::Answer, Kind::Rest],
            ..rule("binding.intro-names-limits", || {
                Box::<IntroNames>::default()
            })
        },
        Rule {
            text: "The end of a binding by a limit is told once in its conversation, with the length \
                   of time that was reached; where the thread is gone nobody is told.",
            sources: &["B-80", "B-85", "B-92", "BL-018", "BL-029", "W-1", "W-8"],
            sees: &[Kind::Report, Kind::Deliver],
            ..rule("binding.farewell-once", || Box::<FarewellOnce>::default())
        },
    ]
}

/// The lengths of time that a text names: numbers with a unit, those that follow each other without
/// more than a space joined to one.
pub(super) fn durations(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut rest = text;
    // The length so far, and the unit of its last part.
    let mut open: Option<(u64, u64)> = None;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (between, tail) = rest.split_at(start);
        if !between.trim().is_empty()
            && let Some((ms, _)) = open.take()
        {
            found.push(Span(ms));
        }
        let before = between.chars().next_back();
        let end = tail
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(tail.len());
        let (number, tail) = tail.split_at(end);
        let words = tail.strip_prefix(' ').unwrap_or(tail);
        let letters = words
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(words.len());
        let (unit, next) = words.split_at(letters);
        let joined =
            before.is_some_and(|c| c.is_alphanumeric() || c == ':' || c == '-' || c == '.');
        let size = unit_ms(unit).filter(|_| !joined || open.is_some());
        let amount = number.trim_end_matches('.').parse::<f64>().ok();
        match (size, amount) {
            (Some(size), Some(amount)) => {
                let ms = (amount * size as f64) as u64;
                open = match open {
                    Some((sum, last)) if size < last => Some((sum + ms, size)),
                    Some((sum, _)) => {
                        found.push(Span(sum));
                        Some((ms, size))
                    }
                    None => Some((ms, size)),
                };
                rest = next;
            }
            _ => {
                found.extend(open.take().map(|(ms, _)| Span(ms)));
                rest = tail;
            }
        }
    }
    found.extend(open.map(|(ms, _)| Span(ms)));
    found
}

fn unit_ms(unit: &str) -> Option<u64> {
    Some(match unit {
        "ms" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        _ => return None,
    })
}

/// Whether a length of time, as people are told it, is that of a limit: whole minutes will do.
pub(super) fn names(said: Span, limit: Span) -> bool {
    const MINUTE: u64 = 60_000;
    said == limit || said.0 / MINUTE == limit.0 / MINUTE || limit.0 < MINUTE && said.0 == MINUTE
}

/// MUST: an intro names the limits that are on.
#[derive(Default)]
struct IntroNames {
    heard: Vec<Heard>,
}

/// Words that may introduce a binding.
struct Heard {
    at: Address,
    since: Time,
    texts: Vec<Text>,
    /// The binding, where it was known by then.
    binding: Option<Box<BindingFacts>>,
}

impl Checker for IntroNames {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if !self.heard.is_empty() {
            self.judge(Some(entry.at), facts, sink);
        }
        let What::Effect(Effect::Deliver(deliver)) = &entry.what else {
            return;
        };
        if !entry.markers.is_empty() {
            return;
        }
        let to = &deliver.to;
        let bound = facts.binding_at(to);
        let fresh = bound.is_some_and(|(_, binding)| binding.made.1 == entry.at);
        if !(fresh || bound.is_none() && facts.opens_for_a_spawn(to)) {
            return;
        }
        let text = deliver.text.clone();
        let binding = bound.map(|(_, binding)| Box::new(binding.clone()));
        match self.heard.iter_mut().find(|heard| heard.at == *to) {
            Some(heard) => {
                heard.since = entry.at;
                heard.texts.push(text);
                heard.binding = binding.or(heard.binding.take());
            }
            None => self.heard.push(Heard {
                at: to.clone(),
                since: entry.at,
                texts: vec![text],
                binding,
            }),
        }
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        self.judge(None, facts, sink);
    }
}

impl IntroNames {
    /// Judges what was said at an instant that is over.
    fn judge(&mut self, now: Option<Time>, facts: &Facts, sink: &mut Sink) {
        self.heard.retain(|heard| {
            let at = &heard.at;
            if now == Some(heard.since) || now.is_some() && facts.opens_for_a_spawn(at) {
                return true;
            }
            let since = facts.binding_at(at).map(|(_, binding)| binding);
            if let Some(binding) = heard.binding.as_deref().or(since) {
                Self::judge_texts(binding, &heard.texts, facts, sink);
            }
            false
        });
    }

    fn judge_texts(binding: &BindingFacts, texts: &[Text], facts: &Facts, sink: &mut Sink) {
        let spawn = binding.call.as_ref().and_then(|call| facts.calls.get(call));
        let label = spawn.and_then(|spawn| spawn.text("label"));
        let told = |text: &Text| match label {
            Some(label) if !label.is_empty() => durations(&text.replace(label, "")),
            Some(_) | None => durations(text),
        };
        let named: Vec<Span> = texts.iter().flat_map(told).collect();
        if binding.unsure || binding.around.commanded.is_some() {
            return;
        }
        // A command's answer alone introduces nothing.
        if binding.around.focused && named.is_empty() && texts.len() < 2 {
            return;
        }
        let on: Vec<Span> = [binding.limits.idle, binding.limits.max_age]
            .into_iter()
            .flatten()
            .collect();
        let missing = on
            .iter()
            .find(|&&limit| !named.iter().any(|&said| names(said, limit)));
        let extra = named
            .iter()
            .find(|&&said| !on.iter().any(|&limit| names(said, limit)));
        let at = &binding.address;
        let first = texts.first().map_or("", Text::as_str);
        if let Some(missing) = missing {
            sink.fail(
                format!("{at} is introduced by {first:?}, without its limit of {missing}"),
                "an intro names the limits that are on",
            );
        } else if let Some(extra) = extra {
            sink.fail(
                format!("{at} is introduced by {first:?}, and has no limit of {extra}"),
                "an intro names no limit that is off",
            );
        } else {
            sink.witness();
        }
    }
}

/// MUST: a farewell by limit is told once.
#[derive(Default)]
struct FarewellOnce {
    ends: Vec<End>,
    /// The gateway's own words of this instant.
    instant: (Time, Vec<(Address, Told)>),
}

/// A binding that lapsed.
struct End {
    address: Address,
    limit: Span,
    reason: UnboundBecause,
    since: (usize, Time),
    life: u32,
    told: Option<Told>,
    /// Words of that instant which name no length of time.
    bare: bool,
}

#[derive(Clone)]
struct Told {
    delivery: DeliveryId,
    key: Option<Text>,
    spans: Vec<Span>,
}

impl Checker for FarewellOnce {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        if self.instant.0 != entry.at {
            self.instant = (entry.at, Vec::new());
        }
        match &entry.what {
            What::Effect(Effect::Deliver(deliver)) => {
                // A farewell may come before the answer to the command that found the lapse.
                let due = facts.answered().is_none() || self.is_due(deliver);
                let own = entry.markers.is_empty() && due;
                if own && !deliver.repeat && facts.has_been_bound(&deliver.to) {
                    self.said(deliver, facts, sink);
                }
            }
            _ => {
                for (binding, reason) in said_over(facts) {
                    self.over(binding, reason, facts, sink);
                }
            }
        }
    }

    fn forget(&mut self, facts: &Facts) {
        self.ends
            .retain(|end| end.told.is_none() || end.since.1 == facts.now());
    }

    fn finish(&mut self, facts: &Facts, sink: &mut Sink) {
        for end in &self.ends {
            let (at, reason) = (&end.address, end.reason.as_str());
            if end.told.is_some() || end.life != facts.lives {
                continue;
            }
            let how = if end.bare {
                "and the words for it there name no length of time"
            } else {
                "and nobody there is told"
            };
            sink.fail_since(
                end.since,
                format!("the binding of {at} is over by {reason}, {how}"),
                format!(
                    "it is told there once, with the {} that were reached",
                    end.limit
                ),
            );
        }
    }
}

impl FarewellOnce {
    /// Whether the farewell is still to be said that these words may be.
    fn is_due(&self, deliver: &Deliver) -> bool {
        let mut ends = self.ends.iter().filter(|end| end.address == deliver.to);
        ends.any(|end| {
            let spans = durations(&deliver.text);
            end.told.is_none() && spans.iter().any(|&span| names(span, end.limit))
        })
    }

    fn over(
        &mut self,
        binding: &BindingFacts,
        reason: UnboundBecause,
        facts: &Facts,
        sink: &mut Sink,
    ) {
        let limit = match reason {
            UnboundBecause::Idle => binding.limits.idle,
            UnboundBecause::MaxAge => binding.limits.max_age,
            UnboundBecause::ThreadGone => return sink.witness(),
            _ => None,
        };
        let Some(limit) = limit.filter(|_| !binding.unsure && binding.cause.is_none()) else {
            return;
        };
        let address = binding.address.clone();
        let mut end = End {
            limit,
            reason,
            since: (facts.index(), facts.now()),
            life: facts.lives,
            told: None,
            bare: false,
            address,
        };
        let before = std::mem::take(&mut self.instant.1);
        for (at, told) in before {
            if at == end.address {
                end.take(told, facts, sink);
            }
        }
        self.ends
            .retain(|old| old.address != end.address || old.told.is_none());
        self.ends.push(end);
    }

    fn said(&mut self, deliver: &Deliver, facts: &Facts, sink: &mut Sink) {
        let to = &deliver.to;
        // What was on its way before may be tried again; a farewell is said when it is heard.
        if let Some(gone) = facts.heard_gone(to)
            && gone == facts.now()
            && !facts.was_tried_before(deliver)
        {
            sink.fail(
                format!(
                    "the gateway heard at {gone} that {to} is deleted, and still has words for it"
                ),
                "where the thread is gone nobody is told",
            );
        }
        let told = Told {
            delivery: deliver.delivery.clone(),
            key: deliver.key.clone(),
            spans: durations(&deliver.text),
        };
        // What is said where something is bound again is not about what was before.
        if facts.binding_at(to).is_some() {
            self.instant.1.push((to.clone(), told));
            return;
        }
        match self.ends.iter_mut().rev().find(|end| end.address == *to) {
            Some(end) => end.take(told, facts, sink),
            None => self.instant.1.push((to.clone(), told)),
        }
    }
}

impl End {
    fn take(&mut self, told: Told, facts: &Facts, sink: &mut Sink) {
        if !told.spans.iter().any(|&span| names(span, self.limit)) {
            self.bare |= self.since.1 == facts.now();
            return;
        }
        let Some(before) = &self.told else {
            sink.witness();
            self.told = Some(told);
            return;
        };
        // Another attempt at what did not arrive is no second telling.
        let state = facts
            .deliveries
            .get(&before.delivery)
            .map(|known| known.state);
        let arrived = matches!(
            state,
            Some(DeliveryState::Accepted | DeliveryState::Pending)
        );
        let again = before.key.is_some() && before.key == told.key;
        if arrived && !again {
            let (at, reason) = (&self.address, self.reason.as_str());
            sink.fail(
                format!("the end of the binding of {at} by {reason} is told there a second time"),
                "it is told once",
            );
        }
    }
}

impl Facts {
    /// Whether a delivery is another attempt at an earlier one.
    fn was_tried_before(&self, deliver: &Deliver) -> bool {
        let mut others = self.deliveries.iter();
        others.any(|(id, other)| {
            *id != deliver.delivery && other.key.is_some() && other.key == deliver.key
        })
    }

    /// When the gateway heard that a bound thread is deleted.
    fn heard_gone(&self, at: &Address) -> Option<Time> {
        let (heard, state) = self.last_bound(at)?.around.thread_told?;
        (state == ThreadState::Gone).then_some(heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_out_of_words() {
        let mins = |n: u64| Span::mins(n);
        for (text, found) in [
            (
                "idle auto-unfocus after 24h inactivity; max age 48h",
                vec![mins(1_440), mins(2_880)],
            ),
            ("after 1h30m of inactivity.", vec![mins(90)]),
            ("after 1 h 30 m, or 2 hours", vec![mins(90), mins(120)]),
            (
                "for 3 binding(s) (next auto-unfocus at 26:03:00.040)",
                vec![],
            ),
            (
                "discord/general#t1 and agent:main:subagent:1 session",
                vec![],
            ),
            ("in 5 minutes and 10 minutes", vec![mins(5), mins(10)]),
            ("1.5 hours, 1d", vec![mins(90), mins(1_440)]),
            ("at 2026-03-02T09:00:00Z", vec![]),
            ("t1h", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(durations(text), found, "{text}");
        }
    }

    #[test]
    fn whole_minutes_will_do() {
        assert!(names(Span::mins(1), Span::secs(90)));
        assert!(names(Span::mins(1), Span::ms(500)));
        assert!(names(Span::secs(90), Span::secs(90)));
        assert!(!names(Span::mins(2), Span::secs(90)));
        assert!(!names(Span::hours(1), Span::hours(2)));
    }
}
