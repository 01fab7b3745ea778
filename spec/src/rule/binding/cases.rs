//! Rules that are each about one way to get the life of a binding wrong. They are judged alike: a
//! message, or a report of the end, that shows the binding otherwise than it is breaks the rule
//! where the case is its own; shown as it is, it witnesses it.

use super::{by_limits, held_until, lapsed, routed, rule, said_over, says};
use crate::config::Limits;
use crate::effect::{Effect, UnboundBecause};
use crate::facts::{BindingFacts, Facts, Standing};
use crate::rule::{Checker, Kind, Rule, Sink};
use crate::time::{Span, Time};
use crate::trace::{Entry, What};

/// The idle timeout of a binding for which nobody chose one.
const DEFAULT_IDLE: Span = Span::hours(24);

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = of_limits();
    rules.extend(of_events());
    rules
}

fn of_limits() -> Vec<Rule> {
    vec![
        Rule {
            text: "0 switches a limit off; with both of them off a binding never lapses.",
            sources: &["R3.1", "B-54", "E-2"],
            ..rule("binding.zero-disables", || Box::new(ZERO))
        },
        Rule {
            text: "The limits of a binding are its own where a command set them, else those of the \
                   account, the channel, the session, the default (24 hours idle, no max age), each \
                   limit by itself. Fractions of hours count, and 0 is a value, not absence.",
            sources: &["R3.2", "B-53", "B-60", "W-25"],
            ..rule("binding.limits-precedence", || Box::new(PRECEDENCE))
        },
        Rule {
            text: "No touch, reload or migration changes what the age of a binding counts from, nor \
                   does a command, unless the profile says so.",
            sources: &["BL-005", "E-7"],
            dials: &["max_age_from"],
            ..rule("binding.bound-at-fixed", || Box::new(FIXED))
        },
        Rule {
            text: "A stored `expiresAt` keeps its instant, as a max age with no idle timeout; \
                   `ttlHours` in the configuration means `idleHours`.",
            sources: &["R3.6", "B-122", "B-123", "BL-003", "W-21", "W-23"],
            ..rule("binding.migrates", || Box::new(MIGRATES))
        },
    ]
}

fn of_events() -> Vec<Rule> {
    vec![
        Rule {
            text: "A message that was routed through a binding, an output of its session that was \
                   delivered, and `/session idle` itself touch it. Messages that are dropped, \
                   commands of those who may give none, the gateway's own words and probes do not.",
            sources: &["I-15", "BL-006", "B-68", "B-71", "B-73", "W-11"],
            ..rule("binding.touched-by-traffic-only", || Box::new(TOUCHED))
        },
        Rule {
            text: "A clean stop loses no touch of a binding, a crash at most those of the last 15 \
                   seconds.",
            sources: &["R3.7", "B-75", "B-76", "BL-004", "W-19"],
            ..rule("binding.touch-survives", || Box::new(SURVIVES))
        },
        Rule {
            text: "Nothing done in one account or channel changes a binding of another, though ids \
                   be equal.",
            sources: &["K-1", "E-12", "I-18"],
            sees: &[Kind::StartRun, Kind::SteerRun, Kind::Report],
            ..rule("binding.accounts-apart", || Box::new(Apart))
        },
    ]
}

/// One way to get it wrong.
pub(super) struct Case {
    /// Whether a message that arrived then, or a report made then, shows it.
    pub(super) applies: fn(&BindingFacts, &Facts, Time) -> bool,
    /// Whether a report of that reason is wrong whatever the time.
    pub(super) denies: fn(&BindingFacts, UnboundBecause) -> bool,
    /// What was seen, as it were.
    pub(super) wrong: fn(&BindingFacts) -> String,
}

pub(super) fn never(_: &BindingFacts, _: UnboundBecause) -> bool {
    false
}

impl Checker for Case {
    fn see(&mut self, _: &Entry, facts: &Facts, sink: &mut Sink) {
        for routed in routed(facts) {
            let binding = routed.binding;
            if routed.standing == Standing::Open || !(self.applies)(binding, facts, routed.arrived)
            {
                continue;
            }
            match (routed.standing, routed.to_bound()) {
                (Standing::Holds, false) => {
                    let note = format!(", as if {}", (self.wrong)(binding));
                    sink.fail(routed.seen(&note), held_until(binding));
                }
                (Standing::Lapsed, true) => {
                    let note = format!(", as if {}", (self.wrong)(binding));
                    sink.fail(routed.seen(&note), lapsed(binding));
                }
                (Standing::Holds, true) | (Standing::Lapsed, false) => sink.witness(),
                (Standing::Open, _) => (),
            }
        }
        for (binding, reason) in said_over(facts) {
            let now = facts.now();
            let denied = by_limits(binding) && (self.denies)(binding, reason);
            if !denied && !(self.applies)(binding, facts, now) {
                continue;
            }
            if denied || binding.would_end_early(now) {
                let note = format!(" at {now}, as if {}", (self.wrong)(binding));
                sink.fail(says(binding, reason, &note), held_until(binding));
            } else if by_limits(binding) {
                sink.witness();
            }
        }
    }
}

const ZERO: Case = Case {
    applies: |binding, _, at| {
        let Limits { idle, max_age } = binding.limits;
        let active = binding
            .touch_before(at)
            .map_or(binding.made.1, |(at, _)| at);
        let by_default = active + DEFAULT_IDLE <= at;
        idle.is_none() && (max_age.is_none() || by_default)
    },
    denies: |binding, reason| match reason {
        UnboundBecause::Idle => binding.limits.idle.is_none(),
        UnboundBecause::MaxAge => binding.limits.max_age.is_none(),
        _ => false,
    },
    wrong: |_| "a limit that is off were on".to_owned(),
};

const PRECEDENCE: Case = Case {
    applies: |binding, _, at| {
        let over = binding.over_under(binding.limits, at);
        let others = binding.around.otherwise.iter();
        others
            .into_iter()
            .any(|&other| other != binding.limits && binding.over_under(other, at) != over)
    },
    denies: never,
    wrong: |_| "another level of the configuration had decided its limits".to_owned(),
};

const FIXED: Case = Case {
    applies: |binding, facts, at| {
        let Some(age) = binding.limits.max_age else {
            return false;
        };
        let restarted = (binding.made.1 < facts.life_began).then_some(facts.life_began);
        let commanded = binding.around.commanded.map(|(at, _)| at);
        let touched = binding.touch_before(at).map(|(at, _)| at);
        let last = restarted.max(commanded).max(touched);
        let over = binding.age_from.1 + age <= at;
        over && last.is_some_and(|last| binding.age_from.1 < last && at < last + age)
    },
    denies: never,
    wrong: |binding| {
        let from = binding.age_from.1;
        format!("its age counted from something later than {from}")
    },
};

const MIGRATES: Case = Case {
    applies: |binding, _, _| binding.around.migrated && binding.around.commanded.is_none(),
    denies: never,
    wrong: |_| "the older form of its limits meant something else".to_owned(),
};

const TOUCHED: Case = Case {
    applies: |binding, _, at| {
        binding.would_live_by_chatter(at).is_some() || binding.lives_by_touch(at).is_some()
    },
    denies: never,
    wrong: |binding| {
        let last = binding.touch_before(Time(u64::MAX));
        match (binding.around.chatter, last) {
            (Some((at, chatter)), _) => format!("{} at {at} counted otherwise", chatter.as_str()),
            (None, Some((at, touch))) => format!("{} at {at} counted otherwise", touch.as_str()),
            (None, None) => "something else were activity".to_owned(),
        }
    },
};

const SURVIVES: Case = Case {
    applies: |binding, facts, at| {
        let began = facts.life_began;
        let last = binding.touch_before(at).map(|(at, _)| at);
        let earlier = binding.made.1 < began && last.is_some_and(|last| last < began);
        let needed = |idle: Span| binding.made.1 + idle <= at;
        earlier
            && binding.limits.idle.is_some_and(needed)
            && !binding.over_under(binding.limits, at)
    },
    denies: never,
    wrong: |binding| format!("its activity at {} had been forgotten", binding.touched.0),
};

const APART: Case = Case {
    applies: |binding, _, _| binding.around.twin_changed.is_some(),
    denies: never,
    wrong: |_| "what was done elsewhere had been done to it, for it has the same ids".to_owned(),
};

/// MUST: equal ids elsewhere are another place.
struct Apart;

impl Checker for Apart {
    fn see(&mut self, entry: &Entry, facts: &Facts, sink: &mut Sink) {
        let mut case = APART;
        case.see(entry, facts, sink);
        let What::Effect(Effect::StartRun(start)) = &entry.what else {
            return;
        };
        let Some((marker, message)) = facts.chat_here() else {
            return;
        };
        if let Some(twin) = facts.bound_under_the_same_ids(&message.at, &start.session_key) {
            let (at, there) = (&message.at, &twin.address);
            let (marker, key) = (marker.in_text(), &twin.key);
            sink.fail(
                format!("message {marker}, written in {at}, is given to {key}"),
                format!("that is bound to {there}, and {at} is another place with the same ids"),
            );
        }
    }
}
